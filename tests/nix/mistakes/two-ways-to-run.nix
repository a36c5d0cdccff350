# names: services.agent-supervisor.services.web has command and systemd_unit
# remedy: write exactly one of command, systemd_unit and builtin
{
  services.agent-supervisor = {
    enable = true;
    services.web = {
      command = [
        "sleep"
        "infinity"
      ];
      systemd_unit = "web.service";
    };
  };
}

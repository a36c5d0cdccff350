# names: services.agent-supervisor.services.web.after
# remedy: set virtualisation.docker.enable = true
{
  services.agent-supervisor = {
    enable = true;
    services.web = {
      command = [
        "sleep"
        "infinity"
      ];
      after = [ "docker" ];
    };
  };
}

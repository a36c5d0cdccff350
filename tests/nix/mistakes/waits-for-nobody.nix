# names: services.agent-supervisor.sessions.builder.after
# remedy: there are "builder", "web", and the words "docker" and "network"
{
  services.agent-supervisor = {
    enable = true;
    sessions.builder = {
      agent = "claude";
      after = [ "wbe" ];
    };
    services.web.command = [
      "sleep"
      "infinity"
    ];
  };
}

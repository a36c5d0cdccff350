# names: services.agent-supervisor.sessions.web and services.agent-supervisor.services.web
# remedy: rename one of them
{
  services.agent-supervisor = {
    enable = true;
    sessions.web.agent = "claude";
    services.web.command = [
      "sleep"
      "infinity"
    ];
  };
}

# names: services.agent-supervisor.sessions.builder.agent
# remedy: has no value defined
{
  services.agent-supervisor = {
    enable = true;
    sessions.builder.directory = "/srv/project";
  };
}

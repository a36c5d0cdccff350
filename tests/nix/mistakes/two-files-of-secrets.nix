# names: services.agent-supervisor.sessions.builder has environmentFile and environment_file
# remedy: keep environmentFile for a file that root alone can read
{
  services.agent-supervisor = {
    enable = true;
    sessions.builder = {
      agent = "claude";
      environmentFile = "/run/secrets/a";
      environment_file = "/run/secrets/b";
    };
  };
}

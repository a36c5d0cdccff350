# names: services.agent-supervisor.sessions.builder.args
# remedy: set services.agent-supervisor.user to another user
{
  services.agent-supervisor = {
    enable = true;
    user = "root";
    sessions.builder = {
      agent = "claude";
      args = [ "--dangerously-skip-permissions" ];
    };
  };
}

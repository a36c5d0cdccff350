# names: services.agent-supervisor.sessions.builder.stop_grace
# remedy: duration such as "200ms", "30s", "5m" or "1h30m"
{
  services.agent-supervisor = {
    enable = true;
    sessions.builder = {
      agent = "claude";
      stop_grace = "30";
    };
  };
}

# names: services.agent-supervisor.sessions.builder.agent
# remedy: one of "claude", "codex", "gemini", "opencode", "command"
{
  services.agent-supervisor = {
    enable = true;
    sessions.builder.agent = "claud";
  };
}

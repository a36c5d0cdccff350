# names: services.agent-supervisor.sessions.builder.promt_file
# remedy: Did you mean `services.agent-supervisor.sessions.builder.prompt_file
{
  services.agent-supervisor = {
    enable = true;
    sessions.builder = {
      agent = "claude";
      promt_file = "/srv/prompts/builder.md";
    };
  };
}

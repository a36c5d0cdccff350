# names: services.agent-supervisor: "Builder"
# remedy: take lower-case letters
{
  services.agent-supervisor = {
    enable = true;
    sessions.Builder.agent = "claude";
  };
}

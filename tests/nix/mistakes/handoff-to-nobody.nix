# names: services.agent-supervisor.handoffs wakes "adversery"
# remedy: there are "adversary"
{
  services.agent-supervisor = {
    enable = true;
    sessions.adversary.agent = "claude";
    handoffs = [
      {
        repo = "/srv/project";
        file = "STATUS.md";
        when = "change";
        to = "adversery";
        text = "Look.";
      }
    ];
  };
}

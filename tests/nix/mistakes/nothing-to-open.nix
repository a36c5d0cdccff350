# names: services.agent-supervisor.openFirewall
# remedy: name addresses in services.agent-supervisor.settings.gateway.listen
{
  services.agent-supervisor = {
    enable = true;
    openFirewall = true;
  };
}

# names: services.agent-supervisor.settings.gateway.listen
# remedy: its port at most 65535
{
  services.agent-supervisor = {
    enable = true;
    settings.gateway.listen = [ "127.0.0.1:99999" ];
  };
}

# names: services.agent-supervisor.settings.supervisor.runtime_dir
# remedy: name a folder below /run
{
  services.agent-supervisor = {
    enable = true;
    settings.supervisor.runtime_dir = "/var/lib/agents-run";
  };
}

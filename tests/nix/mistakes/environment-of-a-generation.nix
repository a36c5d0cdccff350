# names: services.agent-supervisor.environment.EDITOR
# remedy: put the package into services.agent-supervisor.agentPackages
{
  services.agent-supervisor = {
    enable = true;
    environment.EDITOR = "/nix/store/00000000000000000000000000000000-vim/bin/vim";
  };
}

# names: services.agent-supervisor.sessions.builder.environmentFile
# remedy: as a text in quotes and outside the Nix store
{
  services.agent-supervisor = {
    enable = true;
    sessions.builder = {
      agent = "claude";
      environmentFile = ./secret-as-path-literal.nix;
    };
  };
}

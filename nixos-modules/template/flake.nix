{
  description = "A machine with agents under supervision";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # Where you have it from: a forge, or a folder such as "path:/srv/agent-supervisor".
    agent-supervisor = {
      url = "git+https://git.example.org/agent-supervisor.git";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    { nixpkgs, agent-supervisor, ... }:
    {
      nixosConfigurations.agents = nixpkgs.lib.nixosSystem {
        system = "x86_64-linux";
        modules = [
          agent-supervisor.nixosModules.default
          ./configuration.nix
        ];
      };
    };
}

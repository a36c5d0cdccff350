{
  description = "Keeps autonomous AI agents, and the services they need, working for days with no person in the room";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      each = what: lib.genAttrs systems (system: what nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: rec {
        agent-supervisor = pkgs.callPackage ./nixos-modules/package.nix { };
        default = agent-supervisor;
      });

      overlays.default = final: _: {
        agent-supervisor = final.callPackage ./nixos-modules/package.nix { };
      };

      nixosModules.default =
        { pkgs, ... }:
        {
          _file = ./flake.nix;
          imports = [ ./nixos-modules ];
          services.agent-supervisor.package =
            lib.mkDefault
              self.packages.${pkgs.stdenv.hostPlatform.system}.default;
        };

      nixosConfigurations.cc-ci-orchestrator-hetzner = lib.nixosSystem {
        system = "x86_64-linux";
        modules = [
          self.nixosModules.default
          ./nixos-modules/hosts/cc-ci-orchestrator-hetzner.nix
        ];
      };

      checks = each (pkgs: import ./tests/nix/checks.nix { inherit self lib pkgs; });

      devShells = each (pkgs: {
        default = pkgs.mkShell {
          inputsFrom = [ self.packages.${pkgs.stdenv.hostPlatform.system}.default ];
          packages = [
            pkgs.cargo-deny
            pkgs.clippy
            pkgs.deadnix
            pkgs.git
            pkgs.jq
            pkgs.nixfmt
            pkgs.rust-analyzer
            pkgs.rustfmt
            pkgs.tmux
          ];
          NIXPKGS_LIB = "${nixpkgs}/lib";
        };
      });

      formatter = each (pkgs: pkgs.nixfmt-tree);

      templates.default = {
        path = ./nixos-modules/template;
        description = "A machine with two agents under supervision";
      };
    };
}

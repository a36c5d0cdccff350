# The checks of the flake. They need nixpkgs as a whole, and the last a machine that can run virtual
# ones; `tests/run nix` runs what needs neither.
{
  self,
  lib,
  pkgs,
}:

let
  inherit (pkgs.stdenv.hostPlatform) system;
  package = self.packages.${system}.default;
  nixFiles = lib.fileset.toSource {
    root = ../..;
    fileset = lib.fileset.fileFilter (file: file.hasExt "nix") ../..;
  };
  check =
    name: inputs: script:
    pkgs.runCommand "agent-supervisor-${name}" { nativeBuildInputs = inputs; } ''
      ${script}
      touch $out
    '';
in
{
  inherit package;

  format = check "format" [ pkgs.nixfmt ] "find ${nixFiles} -name '*.nix' -exec nixfmt --check {} +";
  dead-code = check "dead-code" [ pkgs.deadnix ] "deadnix --fail ${nixFiles}";
  options-page = check "options-page" [ ] ''
    diff -u ${../../nixos-modules/OPTIONS.md} ${
      builtins.toFile "OPTIONS.md" (import ./options-page.nix { inherit lib; })
    }
  '';

  machine = pkgs.testers.runNixOSTest (import ./machine.nix { inherit self; });
}
// lib.optionalAttrs (system == "x86_64-linux") {
  host = self.nixosConfigurations.cc-ci-orchestrator-hetzner.config.system.build.toplevel;
}

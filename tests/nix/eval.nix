# What our module makes of a configuration, evaluated by the real `lib` of nixpkgs:
#   nix-instantiate --eval --strict --json tests/nix/eval.nix --arg lib 'import DIR' --arg module FILE
# A failed assertion ends it, as it ends a build.
{ lib, module }:

let
  evaluated = lib.evalModules {
    modules = [
      (import ./base.nix { inherit lib; })
      ../../nixos-modules
      module
    ];
  };
  inherit (evaluated) config;
  render = import ./render.nix { inherit lib; };
  failed = map (a: "- ${a.message}") (lib.filter (a: !a.assertion) config.assertions);
  cfg = config.services.agent-supervisor;
in
if failed != [ ] then
  throw "Failed assertions:\n${lib.concatStringsSep "\n" failed}"
else
  {
    inherit (config) warnings;
    # Under the names of the files that they are compared with.
    files =
      lib.mapAttrs' (
        name: unit: lib.nameValuePair "${name}.service" (render.unit unit)
      ) config.systemd.services
      // {
        "config.toml" = render.toml cfg.settingsResult;
      }
      // lib.optionalAttrs (config.security.polkit.extraConfig != "") {
        "polkit.rules" = config.security.polkit.extraConfig;
      };
    users = lib.mapAttrs (_: user: { inherit (user) uid linger group; }) config.users.users;
    inherit (config.users) groups;
    ports = config.networking.firewall.allowedTCPPorts;
    etc = lib.attrNames config.environment.etc;
  }

# What flake.nix offers, with a nixpkgs that is its `lib` and names: that every output is there and
# that the host and the package can be evaluated.
{ lib }:

let
  base = import ./base.nix { inherit lib; };
  inherit (base.config._module.args) pkgs;

  callPackage =
    file: more:
    let
      function = import file;
      given = {
        # Debian's Nix is too old for file sets; that the files are there can be seen without.
        lib = lib // {
          fileset = {
            unions = paths: lib.filter (path: !(builtins.pathExists path)) paths;
            toSource =
              { root, fileset }:
              assert root == ../../.;
              fileset;
          };
        };
        inherit (pkgs) stdenv;
        buildPackages = pkgs;
        rustPlatform.buildRustPackage = made: pkgs.agent-supervisor // { inherit made; };
        installShellFiles = pkgs.which;
      };
    in
    function (builtins.intersectAttrs (lib.functionArgs function) given // more);

  nixpkgs = {
    lib = lib // {
      nixosSystem =
        { system, modules }:
        assert lib.isString system;
        lib.evalModules { modules = [ base ] ++ modules; };
    };
    legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (
      system:
      pkgs
      // {
        inherit callPackage;
        mkShell = shell: shell;
        nixfmt-tree = pkgs.which;
        stdenv = pkgs.stdenv // {
          hostPlatform = {
            inherit system;
          };
        };
      }
    );
  };

  flake = import ../../flake.nix;
  self = flake.outputs {
    inherit nixpkgs;
    self = self;
  };
  host = self.nixosConfigurations.cc-ci-orchestrator-hetzner.config;
  package = self.packages.x86_64-linux.default.made;
in
{
  outputs = lib.attrNames self;
  systems = lib.mapAttrs (_: lib.attrNames) {
    inherit (self)
      packages
      devShells
      formatter
      checks
      ;
  };
  inherit (package) pname version;
  missing = map toString package.src;
  pages = lib.hasInfix "installManPage" package.postInstall;
  template = builtins.pathExists (self.templates.default.path + "/flake.nix");
  overlay = (self.overlays.default { inherit callPackage; } { }).agent-supervisor.name;
  checks = lib.attrNames self.checks.x86_64-linux;
  host = {
    name = host.networking.hostName;
    package = host.services.agent-supervisor.package.name;
    failed = map (a: a.message) (lib.filter (a: !a.assertion) host.assertions);
    inherit (host) warnings;
  };
}

# The configuration of the files in host/: the flake's own host.
{
  imports = [ ../../nixos-modules/hosts/cc-ci-orchestrator-hetzner.nix ];
}

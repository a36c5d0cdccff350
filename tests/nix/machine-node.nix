# The machine of the test of NixOS, as far as it can be evaluated without NixOS.
{ lib, pkgs, ... }:

{
  imports = [
    ((import ./machine.nix { self.nixosModules.default = { }; }) { inherit pkgs; }).nodes.machine
  ];
  specialisation = lib.mkForce { };
}

# A cloud server of Hetzner's kind: one disk that is partitioned already, a serial console, an
# address by DHCP. Everything is a default that a host may overrule.
{ lib, pkgs, ... }:

let
  inherit (lib) mkDefault;
  # x86 servers there boot by BIOS, ARM servers by UEFI.
  bios = pkgs.stdenv.hostPlatform.system == "x86_64-linux";
in
{
  boot = {
    loader =
      if bios then
        {
          grub.enable = mkDefault true;
          grub.device = mkDefault "/dev/sda";
        }
      else
        {
          systemd-boot.enable = mkDefault true;
          efi.canTouchEfiVariables = mkDefault false;
        };
    initrd.availableKernelModules = [
      "ahci"
      "sd_mod"
      "virtio_net"
      "virtio_pci"
      "virtio_scsi"
      "xhci_pci"
    ];
    kernelParams = [
      "console=tty0"
      (if bios then "console=ttyS0,115200" else "console=ttyAMA0,115200")
    ];
    # After a panic nobody presses a button.
    kernel.sysctl."kernel.panic" = mkDefault 10;
  };

  fileSystems."/" = mkDefault {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
    autoResize = true;
  };
  zramSwap.enable = mkDefault true;

  networking.useDHCP = mkDefault true;
  services.qemuGuest.enable = mkDefault true;

  services.openssh = {
    enable = mkDefault true;
    settings = {
      PasswordAuthentication = mkDefault false;
      KbdInteractiveAuthentication = mkDefault false;
      PermitRootLogin = mkDefault "prohibit-password";
    };
  };
}

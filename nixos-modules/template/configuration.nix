# nixos-rebuild switch --flake .#agents
{ lib, pkgs, ... }:

{
  # Of your machine: nixos-generate-config writes it.
  # imports = [ ./hardware-configuration.nix ];
  fileSystems."/".device = lib.mkDefault "/dev/disk/by-label/nixos";
  boot.loader.grub.device = lib.mkDefault "/dev/sda";
  system.stateVersion = "26.05";

  # Claude Code is unfree: take it out with its line below, or say here that you want it.
  nixpkgs.config.allowUnfreePredicate = package: lib.getName package == "claude-code";

  services.agent-supervisor = {
    enable = true;
    uid = 990;
    operators = [ "alice" ];
    agentPackages = [ pkgs.claude-code ];

    sessions.builder = {
      agent = "claude";
      directory = "/srv/project";
      prompt_file = "/srv/prompts/builder.md";
      args = [ "--dangerously-skip-permissions" ];
      # A file that root alone can read: ANTHROPIC_API_KEY=… or CLAUDE_CODE_OAUTH_TOKEN=…
      environmentFile = "/var/lib/secrets/claude.env";
      memory_max = "8G";
    };
    sessions.shell = {
      agent = "command";
      command = [
        "bash"
        "-l"
      ];
    };
  };

  users.users.alice = {
    isNormalUser = true;
    extraGroups = [ "wheel" ];
  };
}

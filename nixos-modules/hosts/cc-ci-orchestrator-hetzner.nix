# The host of the two loops:
#   nixos-rebuild switch --flake .#cc-ci-orchestrator-hetzner
# Everything in this file is somebody's own and here as an example; the rest is in the two imports.
{ lib, pkgs, ... }:

{
  imports = [
    ./hetzner-cloud.nix
    ./two-loops.nix
  ];

  networking.hostName = "cc-ci-orchestrator-1";
  time.timeZone = "UTC";
  system.stateVersion = "26.05";

  # Who may log in, by a key of your own.
  users.users.root.openssh.authorizedKeys.keys = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleExample operator@example.org"
  ];
  users.users.operator = {
    isNormalUser = true;
    extraGroups = [ "wheel" ];
    openssh.authorizedKeys.keys = [
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleExample operator@example.org"
    ];
  };

  # The machine is a peer of the tailnet. The key is put there by hand, or by sops-nix or agenix.
  services.tailscale = {
    enable = true;
    authKeyFile = "/var/lib/secrets/tailscale-auth-key";
  };
  networking.firewall.trustedInterfaces = [ "tailscale0" ];

  # Claude Code is unfree. That it is wanted is said here, and nowhere by default.
  nixpkgs.config.allowUnfreePredicate = package: lib.getName package == "claude-code";

  services.agent-supervisor = {
    # Known, so that the user's own systemd (memory caps) is up before the agents.
    uid = 990;
    operators = [ "operator" ];
    agentPackages = [
      pkgs.claude-code
      pkgs.nodejs
    ];
    sessions.orchestrator.environmentFile = "/var/lib/secrets/orchestrator.env";
    notify.targets = [
      {
        kind = "ntfy";
        url = "https://ntfy.example.org/agents";
        tokenFile = "/var/lib/secrets/ntfy-token";
      }
    ];
    onFailure.command = [
      "/run/current-system/sw/bin/curl"
      "--silent"
      "--data"
      "the supervisor failed and is started again"
      "https://ntfy.example.org/agents"
    ];
  };

  twoLoops = {
    project = "cc-ci";
    workspace = "/srv/cc-ci";
    plan = "/srv/cc-ci-orch/cc-ci-plan";
    orchestrator = "/srv/cc-ci-orch";
    repository = "https://git.example.org/recipe-maintainers/cc-ci.git";
    environmentFile = "/srv/cc-ci/.testenv";
    memoryMax = "1536M";
    order = [
      "1c"
      "1b"
      "1d"
      "1e"
      "2"
      "2b"
      "3"
    ];
    phases = {
      "1c" = "plan-phase1c-full-reproducibility.md";
      "1b" = "plan-phase1b-review-lint.md";
      "1d" = "plan-phase1d-generic-test-suite.md";
      "1e" = "plan-phase1e-harness-corrections.md";
      "2" = "plan-phase2-recipe-tests.md";
      "2b" = "plan-phase2b-test-performance.md";
      "3" = "plan-phase3-results-ux.md";
    };
  };
}

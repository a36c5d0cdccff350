# services.agent-supervisor: what comes of the options. The options are in options.nix,
# supervised.nix and loops.nix, the units and their reasons in units.nix.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkIf optional optionalAttrs;
  t = import ./types.nix { inherit lib; };
  cfg = config.services.agent-supervisor;

  settings = import ./settings.nix { inherit cfg lib; };
  file = (pkgs.formats.toml { }).generate "agent-supervisor.toml" settings.toml;

  # A mistake that no type can see fails the build of the system, not the night.
  checked =
    if pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform then
      pkgs.runCommand "agent-supervisor-config.toml" { } ''
        ${cfg.package}/bin/supervisor check-config ${file}
        cp ${file} $out
      ''
    else
      file;

  # One folder that never moves: /etc/agent-supervisor/path. See `environment` in units.nix.
  programs = pkgs.buildEnv {
    name = "agent-supervisor-path";
    pathsToLink = [ "/bin" ];
    ignoreCollisions = true;
    paths = cfg.agentPackages ++ [
      pkgs.tmux
      pkgs.git
      pkgs.bashInteractive
      pkgs.coreutils
      pkgs.curl
      pkgs.findutils
      pkgs.gawk
      pkgs.gnugrep
      pkgs.gnused
      pkgs.gnutar
      pkgs.gzip
      pkgs.jq
      pkgs.openssh
      pkgs.procps
      pkgs.which
    ];
  };

  commanded = lib.unique (
    lib.concatMap (service: optional (service.systemd_unit != null) service.systemd_unit) (
      lib.attrValues cfg.services
    )
  );
  # Users and groups of our own names are ours to make.
  made =
    name: user: what:
    optionalAttrs (user == name) { ${name} = what; };
in
{
  imports = [
    ./options.nix
    ./supervised.nix
    ./loops.nix
  ];

  config = mkIf cfg.enable {
    assertions = import ./assertions.nix {
      inherit
        cfg
        config
        lib
        ;
    };
    warnings = import ./warnings.nix {
      inherit
        cfg
        config
        lib
        ;
    };

    services.agent-supervisor = {
      configFile = checked;
      settingsResult = settings.toml;
      services = lib.mkMerge [
        (mkIf cfg.gateway.enable { gateway.systemd_unit = "agent-gateway.service"; })
        (mkIf cfg.nanoclaw.enable { nanoclaw.systemd_unit = "nanoclaw.service"; })
      ];
    };

    environment.systemPackages = [ cfg.package ];
    environment.etc = {
      # Where every `supervisor` looks by itself: operators name no file.
      "agent-supervisor/config.toml".source = checked;
      "agent-supervisor/path".source = programs;
    };

    systemd.services = import ./units.nix {
      inherit
        cfg
        config
        lib
        ;
      inherit (settings) secrets;
      toml = checked;
    };

    # The supervisor may start, stop, restart and keep in sight the units that it commands, and no others.
    security.polkit = mkIf (commanded != [ ]) {
      enable = true;
      extraConfig = ''
        polkit.addRule(function (action, subject) {
          if (action.id == "org.freedesktop.systemd1.manage-units" &&
              subject.user == ${builtins.toJSON cfg.user} &&
              ${builtins.toJSON commanded}.indexOf(action.lookup("unit")) >= 0 &&
              ["start", "stop", "restart", "ref"].indexOf(action.lookup("verb")) >= 0) {
            return polkit.Result.YES;
          }
        });
      '';
    };

    networking.firewall.allowedTCPPorts = mkIf cfg.openFirewall (
      lib.unique (map t.portOf (lib.filter (a: !t.isLoopback a) cfg.settings.gateway.listen))
    );

    users.users = lib.mkMerge [
      (made "agent-supervisor" cfg.user {
        isSystemUser = true;
        inherit (cfg) group home uid;
        createHome = true;
        # tmux and the agents start the user's shell.
        useDefaultShell = true;
        description = "agents under supervision";
      })
      (mkIf cfg.linger { ${cfg.user}.linger = true; })
      (mkIf cfg.gateway.enable (
        made "agent-gateway" cfg.gateway.user {
          isSystemUser = true;
          group = cfg.gateway.user;
        }
      ))
      (mkIf cfg.nanoclaw.enable (
        made "nanoclaw" cfg.nanoclaw.user {
          isSystemUser = true;
          group = cfg.nanoclaw.user;
          home = cfg.nanoclaw.directory;
        }
      ))
    ];
    users.groups = lib.mkMerge [
      { ${cfg.group}.members = cfg.operators; }
      (mkIf cfg.gateway.enable (made "agent-gateway" cfg.gateway.user { }))
      (mkIf cfg.nanoclaw.enable (made "nanoclaw" cfg.nanoclaw.user { }))
    ];
  };
}

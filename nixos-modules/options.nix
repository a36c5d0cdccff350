# The options of services.agent-supervisor: what may be written. What comes of it is in default.nix.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib)
    literalExpression
    mkEnableOption
    mkOption
    mkPackageOption
    types
    ;
  t = import ./types.nix { inherit lib; };
  cfg = config.services.agent-supervisor;
  toml = pkgs.formats.toml { };
in
{
  options.services.agent-supervisor = {
    enable = mkEnableOption "agent-supervisor, which keeps agents and the services they need working";

    package = mkPackageOption pkgs "agent-supervisor" { };

    user = mkOption {
      type = types.str;
      default = "agent-supervisor";
      example = "agents";
      description = ''
        The user that the supervisor and all agents run as. Agents are trusted as this user and no
        further. It is made if it has the default name; another one is yours to make, for instance
        with `users.users.agents.isNormalUser = true`. After a change of user, living agents of the
        old one are strangers: `supervisor stop --all` first.
      '';
    };

    group = mkOption {
      type = types.str;
      default = "agent-supervisor";
      example = "agents";
      description = ''
        The primary group of the user. Its members may speak to the supervisor (`status`, `tell`,
        `restart` …), which amounts to running code as its user.
      '';
    };

    uid = mkOption {
      type = types.nullOr types.ints.positive;
      default = null;
      example = 990;
      description = ''
        The uid of the user, if the module makes it. With a uid that is known (this one, or
        `users.users.<name>.uid`) the user's own systemd, which keeps `memory_max`, is up before the
        agents and goes down after them.
      '';
    };

    home = mkOption {
      type = t.place;
      default = "/home/agent-supervisor";
      example = "/srv/agents";
      description = "The home of the user, if the module makes it: `~/.claude`, keys of ssh, configuration of git.";
    };

    operators = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "alice" ];
      description = ''
        Users who become members of the group: `supervisor` then speaks to this daemon for them, with
        no option given. They can do whatever the agents can. `attach` and `reload` are for root and the
        user itself: `sudo -u agent-supervisor supervisor attach builder`.
      '';
    };

    agentPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      example = literalExpression "[ pkgs.claude-code pkgs.nodejs ]";
      description = ''
        Programs on the PATH of every agent and service, beside git, tmux, bash, ssh and the usual
        small ones, and those of the system. No agent is here by default: most are unfree.
        `pkgs.claude-code` needs
        `nixpkgs.config.allowUnfreePredicate = pkg: lib.getName pkg == "claude-code";`.
        They are found as `/etc/agent-supervisor/path/bin`, so living agents get the new ones at each switch.
      '';
    };

    environment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        NIX_REMOTE = "daemon";
      };
      description = ''
        Variables of the supervisor and of everything it starts. No secrets (`environmentFile` of a unit
        is for them), and no store paths: no switch would renew them.
      '';
    };

    sandbox = mkOption {
      type = types.bool;
      default = cfg.user != "root";
      defaultText = literalExpression ''config.services.agent-supervisor.user != "root"'';
      example = false;
      description = ''
        Whether agents are born without a way to more rights than their user has. It takes sudo and
        other setuid programs from them. What it spares, and why, is said in `nixos-modules/units.nix`.
      '';
    };

    linger = mkOption {
      type = types.bool;
      default =
        cfg.user != "root"
        && lib.any (unit: unit.memory_max != null) (
          lib.attrValues cfg.sessions ++ lib.attrValues cfg.services
        );
      defaultText = "whether any session or service has memory_max, unless the user is root";
      example = true;
      description = "Whether the user's own systemd runs without a login. Memory caps need it, unless the user is root.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether to open the ports of `settings.gateway.listen` that are not loopback's. Ports of `relay_listen` are never opened.";
    };

    onFailure = {
      command = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [
          "/run/current-system/sw/bin/curl"
          "-d"
          "the supervisor failed"
          "https://ntfy.example.org/agents"
        ];
        description = ''
          A program that tells somebody that the supervisor itself failed; the name of the unit is added
          as its last argument. It is run as a user of its own, at most five times an hour. The journal is
          told in any case, with priority alert.
        '';
      };
      credentials = mkOption {
        type = types.attrsOf t.secretFile;
        default = { };
        example = {
          token = "/run/secrets/ntfy-token";
        };
        description = "Secrets of that program, as files in `$CREDENTIALS_DIRECTORY`.";
      };
    };

    gateway = {
      enable = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = ''
          Whether the HTTP gateway is a systemd unit of its own, `agent-gateway.service`, which the supervisor starts and watches as
          the service `gateway`. Its ledger is in `/var/lib/agent-gateway`; `settings.gateway` says all else.
        '';
      };
      user = mkOption {
        type = types.str;
        default = "agent-gateway";
        example = "webhooks";
        description = "The user and group that the gateway runs as. They are made if they have the default name.";
      };
      credentials = mkOption {
        type = types.attrsOf t.secretFile;
        default = { };
        example = {
          webhook = "/run/secrets/azure-webhook";
        };
        description = ''
          Secrets of the gateway, by systemd's LoadCredential. In `settings` they are
          `/run/credentials/agent-gateway.service/<name>`.
        '';
      };
    };

    nanoclaw = {
      enable = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = ''
          Whether NanoClaw is a systemd unit of its own, `nanoclaw.service`, with a user that alone may
          use docker, and the supervisor starts and watches it as the service `nanoclaw`.
        '';
      };
      directory = mkOption {
        type = t.place;
        default = "/srv/nanoclaw";
        example = "/srv/nanoclaw";
        description = "Where NanoClaw is installed: `dist/index.js` is in it.";
      };
      user = mkOption {
        type = types.str;
        default = "nanoclaw";
        example = "nanoclaw";
        description = "The user and group that NanoClaw runs as. They are made if they have the default name.";
      };
      node = mkPackageOption pkgs "nodejs" { };
      credentials = mkOption {
        type = types.attrsOf t.secretFile;
        default = { };
        example = {
          "anthropic" = "/run/secrets/anthropic-key";
        };
        description = "Secrets of NanoClaw, as files in `$CREDENTIALS_DIRECTORY`.";
      };
    };

    settings = mkOption {
      default = { };
      example = literalExpression ''
        {
          restart.crash_loop.retry = "never";
          gateway.listen = [ "127.0.0.1:9876" "172.17.0.1:9876" ];
        }
      '';
      description = ''
        Anything else of the configuration file, by the names in the README; `sessions`, `services`,
        `handoffs`, `plan`, `require` and `notify` end here as well. The result is checked by
        `supervisor check-config` when the system is built.
      '';
      type = types.submodule {
        freeformType = toml.type;
        options = {
          supervisor = {
            state_dir = mkOption {
              type = t.place;
              default = "/var/lib/agent-supervisor";
              example = "/var/lib/agents";
              description = "What survives a reboot: wishes, conversations, logs, REBOOTS.md. Below `/var/lib` it is made by systemd.";
            };
            runtime_dir = mkOption {
              type = t.place;
              default = "/run/agent-supervisor";
              example = "/run/agents";
              description = "Sockets and records of this boot. Below `/run`.";
            };
          };
          gateway.listen = mkOption {
            type = types.listOf t.listenAddress;
            default = [ ];
            example = [
              "127.0.0.1:9876"
              "172.17.0.1:9876"
            ];
            description = "Where webhooks arrive. Containers reach the host by docker's bridge, never by localhost.";
          };
        };
      };
    };

    configFile = mkOption {
      type = types.path;
      readOnly = true;
      description = "The configuration that comes of all this, checked. It is `/etc/agent-supervisor/config.toml` too.";
    };

    settingsResult = mkOption {
      type = types.attrsOf types.anything;
      readOnly = true;
      internal = true;
      visible = false;
      description = "The configuration before it is written as TOML.";
    };
  };
}

# The options of what is supervised: sessions and services. A key has the name that it has in
# the configuration file; `null` leaves it out.
{ lib, ... }:

let
  inherit (lib) literalExpression mkOption types;
  t = import ./types.nix { inherit lib; };

  key =
    type: example: description:
    mkOption {
      type = types.nullOr type;
      default = null;
      inherit example description;
    };
  list =
    type: example: description:
    mkOption {
      type = types.listOf type;
      default = [ ];
      inherit example description;
    };

  both = {
    directory = key t.place "/srv/project" "The working directory; else the home of the user.";
    environment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        NODE_ENV = "production";
      };
      description = "Variables over the supervisor's own. No secrets: the file is for everyone to read.";
    };
    environmentFile = key t.secretFile "/run/secrets/claude.env" ''
      A file of `NAME=value` lines, for secrets. Root alone need be able to read it: it is handed to the
      user by a unit of its own, `agent-supervisor-secret-<session|service>-<name>.service`. Restart that unit when
      the content changed (sops-nix: `restartUnits`); an agent reads it at its next start.
    '';
    environment_file = key t.secretFile "/srv/project/.env" ''
      The same, as a file that the user itself can read, read at each start. At most one of the two.
    '';
    path = list t.readable [
      "/srv/project/node_modules/.bin"
    ] "Folders before PATH.";
    after = list types.str [
      "network"
    ] "Units that must be up and ready first, or the words `docker` and `network`.";
    memory_max =
      key t.size "8G"
        "All its processes together, kept by the user's own systemd (`linger`, `uid`).";
    on_exit = key (types.enum [
      "stop"
      "restart"
    ]) "restart" "What a clean end that nobody asked for means: left down, or started again.";
    stop_grace = key t.duration "30s" "Between the polite signal and the kill.";
    restart = mkOption {
      type = types.submodule { options = restart; };
      default = { };
      example = literalExpression ''{ backoff = { from = "1s"; to = "1m"; }; }'';
      description = "What differs from `settings.restart` for this one.";
    };
  };

  restart = {
    first_delay = key t.duration "1s" "Before the first restart.";
    backoff = {
      from = key t.duration "1s" "The first wait; each next one is twice as long.";
      to = key t.duration "10m" "The longest wait.";
    };
    stable_after = key t.duration "10m" "A life of this length makes the budget fresh.";
    crash_loop = {
      starts = key types.ints.positive 5 "So many deaths …";
      within = key t.duration "15m" "… within this time, and it is given up.";
      retry = key (types.either (types.enum [
        "never"
      ]) t.duration) "30m" ''How long until the next single try; "never" waits for a person.'';
    };
  };

  session = both // {
    agent = mkOption {
      type = types.enum [
        "claude"
        "codex"
        "gemini"
        "opencode"
        "command"
      ];
      example = "claude";
      description = "Which program: an agent, or any interactive one that `command` names.";
    };
    command = key t.command [
      "bash"
      "-l"
    ] "The program of `agent = \"command\"`; for an agent it replaces the program only.";
    args = list types.str [ "--dangerously-skip-permissions" ] "Further arguments of the agent.";
    prompt_file =
      key t.readable "/srv/prompts/builder.md"
        "The first prompt of each new conversation; `{phase}` and `{plan}` are filled in.";
    remote_control =
      key (types.either types.bool types.str) "builder"
        "The label of the agent's remote control; false: off.";
    role = key (types.enum [
      "orchestrator"
    ]) "orchestrator" "At most one conversation of it may run, one started by hand included.";
    resume = key types.str "autonomous-orchestrator" "The conversation to begin with, by id or name.";
    idle_nudge =
      key
        (types.either (types.enum [ "off" ]) (
          types.submodule {
            options = {
              after = mkOption {
                type = t.duration;
                example = "30m";
                description = "After so long.";
              };
              text = mkOption {
                type = types.str;
                example = "Go on with the plan.";
                description = "This is typed.";
              };
            };
          }
        ))
        {
          after = "30m";
          text = "Go on with the plan.";
        }
        "What is typed when it idles.";
    dialog = key (types.enum [
      "tell"
      "escape"
    ]) "tell" "What happens at a dialog.";
    at_boot =
      key types.bool false
        "Whether it is started at boot; false: kept alive once a person started it.";
    watch = key types.bool true "Whether it is watched at all.";
    seed =
      key types.bool true
        "Whether the keys that spare start dialogs are put into the user's files.";
    budget = {
      tokens = key types.ints.positive 5000000 "How many tokens of all kinds it may spend …";
      per = key t.duration "24h" "… in this time, which ends now: from \"1h\" to \"7d\".";
      act =
        key
          (types.enum [
            "tell"
            "hold"
          ])
          "hold"
          "What happens when they are spent: it is told, or the session is held until there is room.";
    };
  };

  service = both // {
    command = key t.command [
      "node"
      "dist/index.js"
    ] "Program and arguments. Exactly one of `command`, `systemd_unit` and `builtin`.";
    systemd_unit =
      key t.serviceUnit "postgresql.service"
        "A systemd unit that the supervisor starts, watches and restarts; polkit is told to let it.";
    builtin = key (types.enum [ "gateway" ]) "gateway" "A part of the supervisor's own binary.";
    ready = {
      log = key types.str "listening on" "A text that a line of its log has when it is ready.";
      within = key t.duration "60s" "How long that may take.";
    };
    restart_on_change = key types.bool true "Whether a switch that changes it restarts it.";
  };
in
{
  options.services.agent-supervisor = {
    sessions = mkOption {
      type = types.attrsOf (types.submodule { options = session; });
      default = { };
      example = literalExpression ''
        {
          builder = {
            agent = "claude";
            directory = "/srv/project";
            prompt_file = "/srv/prompts/builder.md";
            args = [ "--dangerously-skip-permissions" ];
            environmentFile = "/run/secrets/claude.env";
          };
        }
      '';
      description = "Agents and other interactive programs, each in a terminal of its own (tmux).";
    };

    services = mkOption {
      type = types.attrsOf (types.submodule { options = service; });
      default = { };
      example = literalExpression ''
        {
          web = {
            command = [ "node" "dist/index.js" ];
            directory = "/srv/web";
            after = [ "network" ];
            ready.log = "listening";
          };
        }
      '';
      description = "Long-running commands without a terminal, and systemd units that the supervisor commands.";
    };
  };
}

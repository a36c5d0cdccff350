# A builder, an adversary that disbelieves it, and an orchestrator over both, working through a plan
# in a repository that each of the loops has a clone of. What is somebody's own is an option.
{
  config,
  lib,
  ...
}:

let
  inherit (lib) mkOption types;
  t = import ../types.nix { inherit lib; };
  cfg = config.twoLoops;

  status = "${cfg.workspace}/${cfg.project}";
  review = "${cfg.workspace}/${cfg.project}-adv";
  prompts = "${cfg.plan}/prompts";
  loop = name: directory: {
    agent = "claude";
    inherit directory;
    prompt_file = "${prompts}/${name}.md";
    remote_control = "${cfg.project}-${name}";
    args = [ "--dangerously-skip-permissions" ];
    environment_file = cfg.environmentFile;
    after = [ "network" ];
    memory_max = cfg.memoryMax;
  };
in
{
  options.twoLoops = {
    project = mkOption {
      type = types.str;
      example = "cc-ci";
      description = "What the project is called: the builder's clone, and `<project>-adv`, the adversary's, in `workspace`.";
    };
    workspace = mkOption {
      type = t.place;
      example = "/srv/cc-ci";
      description = "The folder with both clones.";
    };
    plan = mkOption {
      type = t.place;
      example = "/srv/cc-ci/cc-ci-plan";
      description = "The folder with the plan, `prompts/builder.md` and `prompts/adversary.md`.";
    };
    orchestrator = mkOption {
      type = t.place;
      example = "/srv/cc-ci-orch";
      description = "The workspace of the orchestrator.";
    };
    conversation = mkOption {
      type = types.str;
      default = "autonomous-orchestrator";
      example = "autonomous-orchestrator";
      description = "The conversation of the orchestrator that is resumed.";
    };
    repository = mkOption {
      type = types.str;
      example = "https://git.example.org/recipes/cc-ci.git";
      description = "Where the loops meet; asked whether a phase is done.";
    };
    environmentFile = mkOption {
      type = types.nullOr t.secretFile;
      default = null;
      example = "/srv/cc-ci/.testenv";
      description = "Secrets of both loops, lines of `NAME=value` that the user can read.";
    };
    memoryMax = mkOption {
      type = types.nullOr t.size;
      default = null;
      example = "3G";
      description = "The most memory of each loop.";
    };
    phases = mkOption {
      type = types.attrsOf types.str;
      example = {
        "1c" = "plan-phase1c-full-reproducibility.md";
      };
      description = "The plan file of each phase.";
    };
    order = mkOption {
      type = types.listOf types.str;
      example = [ "1c" ];
      description = "The names of the phases, in their order.";
    };
  };

  config.services.agent-supervisor = {
    enable = true;
    sessions = {
      builder = loop "builder" status;
      adversary = loop "adversary" review;
      orchestrator = {
        role = "orchestrator";
        agent = "claude";
        directory = cfg.orchestrator;
        resume = cfg.conversation;
        remote_control = cfg.conversation;
        args = [ "--dangerously-skip-permissions" ];
        # The person reconnects after a reboot; from then on it is kept alive.
        at_boot = false;
        on_exit = "restart";
      };
    };
    plan = {
      phases = map (name: {
        inherit name;
        plan = cfg.phases.${name};
      }) cfg.order;
      done = {
        repo = cfg.repository;
        file = "STATUS.md";
        heading = "## DONE";
      };
      consent = {
        repo = cfg.repository;
        file = "REVIEW.md";
        pattern = "PASS";
        veto = "VETO|FAIL";
        max_age = "24h";
      };
      blocked = {
        repo = status;
        file = "STATUS.md";
        heading = "## Blocked";
      };
      owners = {
        "STATUS.md" = "builder";
        "JOURNAL.md" = "builder";
        "DECISIONS.md" = "builder";
        "BACKLOG.md#Build backlog" = "builder";
        "REVIEW.md" = "adversary";
        "BACKLOG.md#Adversary findings" = "adversary";
      };
      stops = [
        "builder"
        "adversary"
      ];
    };
    handoffs = [
      {
        repo = status;
        file = "STATUS.md";
        when = "line";
        pattern = "CLAIMED";
        to = "adversary";
        text = "The builder claims a gate: verify it now. See STATUS.md at {commit}.";
      }
      {
        repo = review;
        file = "REVIEW.md";
        when = "change";
        to = "builder";
        text = "The adversary has spoken: see REVIEW.md at {commit}, and go on.";
      }
    ];
    require = [
      {
        file = "${prompts}/builder.md";
        text = "the plan is there";
      }
    ];
    settings.supervisor.reboot_log = "${cfg.plan}/REBOOTS.md";
  };
}

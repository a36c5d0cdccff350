# What is no mistake by itself and rarely meant.
{
  cfg,
  config,
  lib,
}:

let
  at = "services.agent-supervisor";
  capped = lib.any (unit: unit.memory_max != null) (
    lib.attrValues cfg.sessions ++ lib.attrValues cfg.services
  );
  uid = (config.users.users.${cfg.user} or { }).uid or null;
  claude = lib.attrNames (
    lib.filterAttrs (
      _: session: session.agent == "claude" && session.command == null && session.path == [ ]
    ) cfg.sessions
  );
  isClaude = package: (package.meta.mainProgram or (lib.getName package)) == "claude";
in
lib.optional (
  capped && cfg.user != "root" && !cfg.linger
) "${at}: memory_max is not kept without ${at}.linger = true: the user's own systemd keeps it."
++
  lib.optional (cfg.linger && uid == null)
    "${at}.uid is not known: set it (to 990, say), so that the user's own systemd is up before the agents and a shutdown drains them before it ends them."
++
  lib.optional (claude != [ ] && !(lib.any isClaude cfg.agentPackages))
    ''${at}.sessions.${lib.head claude} runs claude, and no package of ${at}.agentPackages is it: add pkgs.claude-code (unfree: nixpkgs.config.allowUnfreePredicate = pkg: lib.getName pkg == "claude-code"), or install it for the user and name its folder in `path`.''

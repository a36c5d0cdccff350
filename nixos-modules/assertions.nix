# What neither a type nor the configuration file can say, each with its remedy.
{
  cfg,
  config,
  lib,
}:

let
  at = "services.agent-supervisor";
  units = lib.attrNames cfg.sessions ++ lib.attrNames cfg.services;
  all =
    lib.mapAttrsToList (name: unit: unit // { at = "${at}.sessions.${name}"; }) cfg.sessions
    ++ lib.mapAttrsToList (name: unit: unit // { at = "${at}.services.${name}"; }) cfg.services;
  list = units: lib.concatMapStringsSep ", " (unit: ''"${unit}"'') units;

  reserved = [
    "docker"
    "network"
    "supervisor"
  ];
  isName =
    name:
    builtins.match "[a-z0-9][a-z0-9_.-]*" name != null
    && lib.stringLength name <= 40
    && !(lib.elem name reserved);

  docker =
    (config.virtualisation.docker.enable or false)
    || (config.virtualisation.docker.rootless.enable or false)
    || (config.virtualisation.podman.dockerSocket.enable or false);

  claim = assertion: message: { inherit assertion message; };
in
[
  (claim (lib.hasPrefix "/run/" cfg.settings.supervisor.runtime_dir) "${at}.settings.supervisor.runtime_dir is ${cfg.settings.supervisor.runtime_dir}: a reboot must empty it; name a folder below /run.")
  (claim (!(cfg.openFirewall && cfg.settings.gateway.listen == [ ]))
    ''${at}.openFirewall is set and nothing is to be opened: name addresses in ${at}.settings.gateway.listen, such as [ "172.17.0.1:9876" ], or take openFirewall out.''
  )
  (claim (!(cfg.sandbox && cfg.user == "root"))
    "${at}.sandbox takes from root what makes it root: name another ${at}.user, or set sandbox = false."
  )
  (claim (cfg.user != "root" || cfg.operators == [ ])
    "${at}.operators would become root: whoever may speak to the supervisor runs code as its user. Name another ${at}.user, or take operators out."
  )
]
++ map (
  unit:
  claim (unit.environmentFile == null || unit.environment_file == null)
    "${unit.at} has environmentFile and environment_file: keep environmentFile for a file that root alone can read, environment_file for one that the user can."
) all
++ lib.concatMap (
  unit:
  map (
    wanted:
    claim
      (lib.elem wanted (
        units
        ++ [
          "docker"
          "network"
        ]
      ))
      ''${unit.at}.after names "${wanted}", which is no session or service here: there are ${list units}, and the words "docker" and "network".''
  ) unit.after
  ++ [
    (claim (docker || !(lib.elem "docker" unit.after))
      ''${unit.at}.after has "docker", which would never come: set virtualisation.docker.enable = true, or take "docker" out.''
    )
  ]
) all
++ map (
  name:
  claim (isName name) ''${at}: "${name}" cannot be the name of a session or service: take lower-case letters, digits, "-", "_" and ".", at most 40, and none of ${list reserved}.''
) units
++ map (
  name:
  claim (
    !(cfg.services ? ${name})
  ) "${at}.sessions.${name} and ${at}.services.${name} have the same name: rename one of them."
) (lib.attrNames cfg.sessions)
++ lib.mapAttrsToList (
  name: session:
  claim
    (
      !(
        cfg.user == "root"
        && session.agent == "claude"
        && lib.elem "--dangerously-skip-permissions" session.args
      )
    )
    "${at}.sessions.${name}.args has --dangerously-skip-permissions, which Claude Code refuses to root: set ${at}.user to another user."
) cfg.sessions
++ lib.mapAttrsToList (
  name: session:
  claim ((session.agent == "command") -> (session.command != null))
    ''${at}.sessions.${name}.command is missing: agent = "command" runs what it names, such as [ "bash" "-l" ].''
) cfg.sessions
++ lib.mapAttrsToList (
  name: service:
  let
    ways = lib.filter (way: service.${way} != null) [
      "command"
      "systemd_unit"
      "builtin"
    ];
  in
  claim (lib.length ways == 1)
    "${at}.services.${name} has ${
      if ways == [ ] then "no command" else lib.concatStringsSep " and " ways
    }: write exactly one of command, systemd_unit and builtin."
) cfg.services
++ map (
  handoff:
  claim (cfg.sessions ? ${handoff.to})
    ''${at}.handoffs wakes "${handoff.to}", which is no session here: there are ${list (lib.attrNames cfg.sessions)}.''
) cfg.handoffs
++ lib.optionals (cfg.plan != null && cfg.plan.stops != null) (
  map (
    name:
    claim (cfg.sessions ? ${name})
      ''${at}.plan.stops names "${name}", which is no session here: there are ${list (lib.attrNames cfg.sessions)}.''
  ) cfg.plan.stops
)
++ lib.mapAttrsToList (
  name: value:
  claim (!(lib.hasInfix builtins.storeDir value))
    "${at}.environment.${name} names a path in the store, which no switch would renew: put the package into ${at}.agentPackages, and use /etc/agent-supervisor/path or /run/current-system/sw."
) cfg.environment

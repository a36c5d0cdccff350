# The systemd units, and why each line of them is as it is.
#
# Two thoughts are behind most of them. The daemon and its agents outlive generations, and an agent the
# daemon that started it; so nothing that they are born with may belong to one of these lives: no
# store path in the environment, no mount namespace, no temporary folder of the service. And agents write, build and debug programs: a
# lock that an unprivileged user cannot open anyway is not worth a program that does not run.
{
  cfg,
  config,
  lib,
  toml,
  secrets,
}:

let
  inherit (lib) optional optionalAttrs;

  # The new binary in each generation's unit: ExecReload is run by systemd from the unit as it is
  # after the switch, and the daemon becomes the binary of whoever calls `reload`. It is no wrapper
  # script, or /proc/self/exe would name what is inside.
  supervisor = "${cfg.package}/bin/supervisor";
  # For what is run out of a unit that was loaded long ago.
  profile = "/run/current-system/sw/bin";
  etcConfig = "/etc/agent-supervisor/config.toml";

  inherit (cfg.settings.supervisor) state_dir runtime_dir;
  below = root: path: lib.removePrefix root path;
  uid = (config.users.users.${cfg.user} or { }).uid or null;
  # The user's own systemd, which keeps memory caps. Only its uid names it.
  manager = optional (cfg.linger && uid != null) "user@${toString uid}.service";
  secretUnits = map (name: "agent-supervisor-secret-${name}.service") (lib.attrNames secrets);

  quote = argument: builtins.toJSON (lib.replaceStrings [ "%" "$" ] [ "%%" "$$" ] argument);

  # For units in which no agent is ever born. RemoveIPC is not among them: it would delete what the
  # user's agents share in memory when the last of the user's units is stopped.
  tight = {
    NoNewPrivileges = true;
    CapabilityBoundingSet = "";
    ProtectSystem = "strict";
    ProtectHome = true;
    PrivateDevices = true;
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    ProcSubset = "pid";
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    SystemCallArchitectures = "native";
    SystemCallFilter = [
      "@system-service"
      "~@privileged @resources"
    ];
    SystemCallErrorNumber = "EPERM";
    UMask = "0077";
  };

  # What an agent is born with, too. Not here, each for its reason:
  # - ProtectSystem, ProtectHome, PrivateTmp, PrivateDevices, ProtectKernelModules, ReadOnlyPaths: each
  #   gives the service a mount namespace. An agent that outlives a restart stays in the old one, and
  #   two agents would see two machines. Agents write in homes, clones and /tmp; what is not
  #   theirs is not writable for their user. Some need /dev/kvm, /dev/fuse or /dev/net/tun.
  # - ProtectProc, ProcSubset, PrivateUsers: an agent that somebody started by hand must be seen, or
  #   its conversation would be opened twice.
  # - ProtectKernelTunables, ProtectKernelLogs: they mask parts of /proc, and the kernel then refuses a
  #   fresh /proc in a user namespace: no bubblewrap, an agent's own sandbox.
  # - ProtectControlGroups: each unit is born in a cgroup of its own (Delegate).
  # - ProtectClock: its DeviceAllow= closes every device that is not named, /dev/kvm included. The
  #   system calls are refused below.
  # - ProtectHostname, RestrictNamespaces: sandboxes and containers make namespaces and name them.
  # - MemoryDenyWriteExecute: node and the agents' own runtimes compile as they run.
  # - RestrictSUIDSGID: git's shared repositories and unpacked archives set the sgid bit of folders.
  # - RemoveIPC (off unless asked for): it would delete what living agents share in memory.
  # - SystemCallFilter without @debug, @mount, @privileged, @resources: strace, gdb, sandboxes and
  #   nice(1) are tools of the trade, and a user namespace is the only place where they can do more.
  # - LimitCORE, UMask, IPAddressDeny: what agents build, whom they ask and who reads it is their work.
  agents = {
    # No setuid program makes more of an agent than its user is. It also keeps sudo from agents:
    # `sandbox = false` is for those who want that.
    NoNewPrivileges = true;
    CapabilityBoundingSet = "";
    # No program of today is lost by these.
    LockPersonality = true;
    RestrictRealtime = true;
    SystemCallArchitectures = "native";
    SystemCallFilter = "~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap";
    # A refused call is an error that a program can report, not its death.
    SystemCallErrorNumber = "EPERM";
    # Netlink tells the supervisor of the network, and `ip` its user.
    RestrictAddressFamilies = "AF_UNIX AF_INET AF_INET6 AF_NETLINK";
  };
in
{
  agent-supervisor = {
    description = "Keeps agents and the services they need working";
    documentation = [ "man:supervisor(1)" ];
    wantedBy = [ "multi-user.target" ];
    # Neither network-online.target nor docker.service: a cable that is out or a docker that hangs
    # must not keep the agents down that need neither. Units wait by their own `after`.
    after = [ "network.target" ] ++ manager ++ secretUnits;
    wants = [ "agent-supervisor-drain.service" ] ++ manager ++ secretUnits;
    # For a failure that nothing follows, which is none of ours. See ExecStopPost.
    onFailure = [ "agent-supervisor-notice@%n.service" ];
    # Not on folders of the agents: one mount that is missing would keep all of them down.
    unitConfig.RequiresMountsFor = [ state_dir ];
    # It comes back for days and never gives up. In [Service] this line would be ignored.
    startLimitIntervalSec = 0;

    # A switch re-executes the daemon in place: same pid, and no agent notices. Changed lines of
    # this unit itself hold from the next `systemctl restart`, which agents outlive as well.
    reloadIfChanged = true;
    # Where a restart is asked for after all, it is one step and by the new unit.
    stopIfChanged = false;

    # Stable paths only. The daemon re-executes with the environment it has: were there store paths in
    # it, no switch would ever bring another agent, git or tmux.
    environment = lib.mapAttrs (_: lib.mkForce) (
      {
        PATH = lib.concatStringsSep ":" [
          "/etc/agent-supervisor/path/bin"
          "/etc/profiles/per-user/${cfg.user}/bin"
          "/run/wrappers/bin"
          profile
        ];
        LOCALE_ARCHIVE = "/run/current-system/sw/lib/locale/locale-archive";
      }
      // cfg.environment
    );

    serviceConfig = {
      # Ready after the first look at every unit and the adoption of what lives.
      Type = "notify";
      # An agent that found the socket must not speak in the supervisor's name.
      NotifyAccess = "main";
      # A loop that has not turned for so long does not turn any more; it is killed and begun anew.
      WatchdogSec = 180;
      # As long as the watchdog: a machine that boots under load is slow, not broken.
      TimeoutStartSec = 180;
      # The daemon leaves at once on SIGTERM; after so long something hangs.
      TimeoutStopSec = 20;
      ExecStart = "${supervisor} --config ${toml} run";
      # As the same user, which `reload` asks for. It returns when the new image has looked at all units.
      ExecReload = "${supervisor} --config ${toml} reload";
      # A service that is started again does not count as failed, so OnFailure= alone would never tell
      # anybody. As root, for the user may not start units; a notice that fails is no failure.
      ExecStopPost =
        "-+/bin/sh -c 'test \"$$SERVICE_RESULT\" = success || "
        + "exec ${profile}/systemctl start --no-block agent-supervisor-notice@%n.service'";
      Restart = "always";
      # Long enough not to fill a disk with a daemon that cannot start, short enough not to be missed.
      RestartSec = "500ms";
      # Only the daemon is stopped; agents, services and tmux servers live on and are adopted.
      KillMode = "process";
      # Cgroups of units are ours to make. No controller is ever enabled in them, or systemd could
      # not put a new daemon beside living agents (EBUSY).
      Delegate = true;
      # An agent that takes too much memory does not take the others with it.
      OOMPolicy = "continue";
      # All agents together are one service to systemd, whose default is 15 %. A fork bomb stays one.
      TasksMax = "80%";

      User = cfg.user;
      Group = cfg.group;
      # A home that is missing keeps nobody down who has a directory of its own.
      WorkingDirectory = "-~";
      # Sockets and records of living units outlive the daemon that made them.
      RuntimeDirectory = below "/run/" runtime_dir;
      RuntimeDirectoryMode = "0750";
      RuntimeDirectoryPreserve = true;
      # The default, written down: a private /tmp is emptied under living agents at each restart.
      PrivateTmp = false;
    }
    // optionalAttrs (lib.hasPrefix "/var/lib/" state_dir) {
      StateDirectory = below "/var/lib/" state_dir;
      StateDirectoryMode = "0750";
    }
    // optionalAttrs cfg.sandbox agents;
  };

  # Drains when the machine goes down, and only then: it is stopped by a shutdown or by hand, never
  # by a switch, and `--if-stopping` does nothing unless systemd says that the system is stopping.
  # No PartOf or BindsTo: a restart of the supervisor must not come through.
  agent-supervisor-drain = {
    description = "Stops agents gracefully before the machine goes down";
    documentation = [ "man:supervisor-drain(1)" ];
    wantedBy = [ "multi-user.target" ];
    # Stopping goes the other way round: first the agents, then whatever they need to end well. The
    # bus says whether the system is stopping. An `After` on what is absent or not started costs
    # nothing; a docker that hangs at boot costs the drain and not the agents.
    after = [
      "agent-supervisor.service"
      "dbus.service"
      "docker.service"
      "network.target"
      "remote-fs.target"
    ]
    ++ manager;
    unitConfig.RequiresMountsFor = [ state_dir ];
    restartIfChanged = false;
    stopIfChanged = false;
    environment.PATH = lib.mkForce profile;
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      # By the system profile: this unit is stopped long after the generation that started it.
      ExecStop = "${profile}/supervisor --config ${etcConfig} drain --if-stopping";
      # Every unit has its `stop_grace`, all at once; then it is killed by the supervisor.
      TimeoutStopSec = 120;
      User = cfg.user;
      Group = cfg.group;
    }
    // tight
    // {
      RestrictAddressFamilies = "AF_UNIX";
    };
  };

  # Told to the journal, and to whom `onFailure.command` tells. A supervisor that comes and goes is
  # told of five times an hour and no more.
  "agent-supervisor-notice@" = {
    description = "Tells that %i failed";
    startLimitIntervalSec = 3600;
    startLimitBurst = 5;
    environment.PATH = lib.mkForce profile;
    serviceConfig = {
      Type = "oneshot";
      TimeoutStartSec = 60;
      ExecStart = [
        (
          "${profile}/systemd-cat --identifier=agent-supervisor --priority=alert "
          + ''echo "%i failed and is started again: journalctl -u %i"''
        )
      ]
      ++ optional (cfg.onFailure.command != [ ]) (
        # A notice that cannot be given is no failure of its own.
        "-" + lib.concatMapStringsSep " " quote cfg.onFailure.command + " %i"
      );
      # Implies RemoveIPC and PrivateTmp; the user is nobody else's.
      DynamicUser = true;
    }
    // optionalAttrs (cfg.onFailure.credentials != { }) {
      LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") cfg.onFailure.credentials;
    }
    // tight
    // {
      RestrictAddressFamilies = "AF_UNIX AF_INET AF_INET6";
      # The command may be a script with a compiler of its own.
      MemoryDenyWriteExecute = false;
    };
  };
}
# A secret goes from root's file to the supervisor's user through a unit of its own, not through
# LoadCredential of the supervisor: credentials are read when a service starts, and the supervisor
# re-executes for months. This unit is restarted by a switch that changes it, and by hand or by
# sops-nix when the content changes; a secret that is missing keeps nothing down but who needs it.
// lib.mapAttrs' (name: file: {
  name = "agent-supervisor-secret-${name}";
  value = {
    description = "Hands the secret ${name} to the supervisor's user";
    before = [ "agent-supervisor.service" ];
    unitConfig.RequiresMountsFor = [ file ];
    # One step, or the old one would be gone before the new one is there.
    stopIfChanged = false;
    environment.PATH = lib.mkForce profile;
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      LoadCredential = "secret:${file}";
      RuntimeDirectory = "agent-supervisor-secrets/${name}";
      RuntimeDirectoryMode = "0700";
      # A session that starts while the secret is renewed finds the old one.
      RuntimeDirectoryPreserve = "restart";
      ExecStart = "${profile}/install -m 0400 %d/secret %t/agent-supervisor-secrets/${name}/secret";
      User = cfg.user;
      Group = cfg.group;
    }
    // tight
    // {
      RestrictAddressFamilies = "none";
      PrivateNetwork = true;
    };
  };
}) secrets
// optionalAttrs cfg.gateway.enable {
  # Its secrets are not the supervisor's, nor its user; the supervisor starts, watches and restarts it.
  agent-gateway = {
    description = "Takes webhooks and messages for the agents";
    documentation = [ "man:supervisor(1)" ];
    after = [ "network.target" ];
    # One step, so that the supervisor does not find it gone and start it meanwhile.
    stopIfChanged = false;
    environment.PATH = lib.mkForce profile;
    serviceConfig = {
      Type = "notify";
      ExecStart = "${supervisor} --config ${toml} gateway";
      # Who restarts it is the supervisor, which counts and tells.
      Restart = "no";
      User = cfg.gateway.user;
      # What it puts into NanoClaw's folders and database is NanoClaw's to read and write.
      Group = if cfg.nanoclaw.enable then cfg.nanoclaw.user else cfg.gateway.user;
      StateDirectory = "agent-gateway";
      StateDirectoryMode = "0700";
      RuntimeDirectory = "agent-gateway";
      RuntimeDirectoryMode = "0755";
      LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") cfg.gateway.credentials;
      PrivateTmp = true;
      RemoveIPC = true;
    }
    // tight
    // {
      # Whether NanoClaw and an agent's container live is seen in /proc.
      ProtectProc = "default";
      RestrictAddressFamilies = "AF_UNIX AF_INET AF_INET6 AF_NETLINK";
      # The folder of its state is closed to others anyway.
      UMask = "0022";
    }
    // optionalAttrs cfg.nanoclaw.enable { ReadWritePaths = "-${cfg.nanoclaw.directory}"; };
  };
}
// optionalAttrs cfg.nanoclaw.enable {
  # Its user alone may use docker, which is as good as root: so it is nobody else's user.
  nanoclaw = {
    description = "NanoClaw";
    after = [
      "network.target"
      "docker.service"
    ];
    stopIfChanged = false;
    environment.PATH = lib.mkForce profile;
    serviceConfig = {
      Type = "exec";
      # By its real path: through a symlink it ends at once and says nothing.
      ExecStart = "${cfg.nanoclaw.node}/bin/node ${cfg.nanoclaw.directory}/dist/index.js";
      WorkingDirectory = cfg.nanoclaw.directory;
      Restart = "no";
      User = cfg.nanoclaw.user;
      Group = cfg.nanoclaw.user;
      SupplementaryGroups = "docker";
      ReadWritePaths = cfg.nanoclaw.directory;
      LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") cfg.nanoclaw.credentials;
      PrivateTmp = true;
      RemoveIPC = true;
    }
    // tight
    // {
      # node compiles as it runs, and its thread pool sets priorities.
      MemoryDenyWriteExecute = false;
      # The gateway, which has its group, writes rows into its database.
      UMask = "0007";
      SystemCallFilter = [
        "@system-service"
        "~@privileged"
      ];
      # It asks how much memory and how many processors there are.
      ProcSubset = "all";
      RestrictAddressFamilies = "AF_UNIX AF_INET AF_INET6 AF_NETLINK";
    };
  };
}

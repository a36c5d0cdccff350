# A machine boots, loses its supervisor in every way there is, is switched to another generation and
# boots again; the agents must not notice. For those who can run virtual machines of NixOS:
#   nix build .#checks.x86_64-linux.machine -L
{ self }:

{ pkgs, ... }:

let
  # Counts its starts, beats, hears what is typed, and never ends by itself.
  agent = pkgs.writeShellScript "agent" ''
    cd /srv/agents || exit
    echo "$$ $(cut -d' ' -f22 /proc/$$/stat)" >>"$1.starts"
    echo "$1 listens"
    while :; do
      : >"$1.beat"
      if read -r -t 0.5 line; then echo "$line" >>"$1.heard"; continue; fi
      [ $? -gt 128 ] || exit 1
    done
  '';
  session =
    name: more:
    {
      agent = "command";
      command = [
        "/etc/agents/agent"
        name
      ];
      directory = "/srv/agents";
    }
    // more;
in
{
  name = "agent-supervisor";

  nodes.machine =
    { lib, ... }:
    {
      imports = [ self.nixosModules.default ];

      environment.etc."agents/agent".source = agent;
      systemd.tmpfiles.rules = [
        "d /srv/agents 0755 agent-supervisor agent-supervisor -"
        "f /var/lib/secrets/env 0400 root root - TOKEN=not-for-everyone"
      ];
      users.users.olga.isNormalUser = true;
      users.users.steven.isNormalUser = true;
      environment.systemPackages = [ pkgs.jq ];

      services.agent-supervisor = {
        enable = true;
        uid = 990;
        operators = [ "olga" ];
        openFirewall = true;
        settings = {
          restart.stagger = "0s";
          gateway.listen = [
            "127.0.0.1:9875"
            "0.0.0.0:9876"
          ];
        };
        sessions = {
          alpha = session "alpha" { };
          beta = session "beta" { };
          capped = session "capped" { memory_max = "64M"; };
        };
        services.secret = {
          command = [
            "/run/current-system/sw/bin/bash"
            "-c"
            "echo $TOKEN >/srv/agents/token; exec sleep infinity"
          ];
          environmentFile = "/var/lib/secrets/env";
        };
      };
      # Soon enough for a test; the daemon goes by what systemd tells it.
      systemd.services.agent-supervisor.serviceConfig.WatchdogSec = lib.mkForce 20;

      # Another binary, another configuration, another drain unit.
      specialisation.upgraded.configuration = {
        services.agent-supervisor = {
          package = lib.mkForce (
            self.packages.${pkgs.stdenv.hostPlatform.system}.default.overrideAttrs {
              pname = "agent-supervisor-upgraded";
              doCheck = false;
            }
          );
          sessions.gamma = session "gamma" { };
        };
        systemd.services.agent-supervisor-drain.description = lib.mkForce "Drains, in other words";
      };
    };

  testScript = ''
    import json

    AGENTS = ["alpha", "beta", "capped"]
    UNIT = "agent-supervisor.service"

    def snapshot():
        lives = {}
        for agent in AGENTS:
            starts = machine.succeed(f"cat /srv/agents/{agent}.starts").splitlines()
            pid, started = starts[-1].split()
            now = machine.succeed(f"cut -d' ' -f22 /proc/{pid}/stat").strip()
            assert now == started, f"{agent} is gone"
            lives[agent] = (pid, started, len(starts))
        return lives

    def main_pid():
        return machine.succeed(f"systemctl show --property=MainPID --value {UNIT}").strip()

    def status():
        return json.loads(machine.succeed("supervisor status --json"))

    def all_up(_last):
        units = {unit["name"]: unit for unit in status()["units"]}
        return all(units[agent]["state"] == "up" for agent in AGENTS)

    def untouched(before):
        machine.wait_for_unit(UNIT)
        retry(all_up)
        for agent in AGENTS:
            machine.succeed(f"rm -f /srv/agents/{agent}.beat")
            machine.wait_for_file(f"/srv/agents/{agent}.beat")
        assert snapshot() == before, (before, snapshot())

    def reboots():
        return status()["reboots"]["count"]

    machine.wait_for_unit("multi-user.target")
    machine.wait_for_unit(UNIT)
    for agent in AGENTS:
        machine.wait_for_file(f"/srv/agents/{agent}.beat")
    retry(all_up)
    assert reboots() == 1

    with subtest("operators need no option, and nobody else may"):
        machine.succeed("runuser -u olga -- supervisor status")
        machine.fail("runuser -u steven -- supervisor status")

    with subtest("a secret that root alone can read arrives, and is nowhere else"):
        machine.wait_for_file("/srv/agents/token")
        machine.succeed("grep -qx not-for-everyone /srv/agents/token")
        machine.fail("grep -r not-for-everyone /etc/agent-supervisor/ /var/lib/agent-supervisor")
        machine.fail("runuser -u olga -- cat /run/agent-supervisor-secrets/service-secret/secret")

    with subtest("the firewall lets in what is not loopback's"):
        rules = machine.succeed("(iptables-save; nft list ruleset) 2>/dev/null || true")
        assert "9876" in rules and "9875" not in rules, rules

    with subtest("memory caps are kept"):
        pid = snapshot()["capped"][0]
        group = machine.succeed(f"sed -n 's/^0:://p' /proc/{pid}/cgroup").strip()
        assert machine.succeed(f"cat /sys/fs/cgroup{group}/memory.max").strip() == str(64 << 20)

    before = snapshot()
    for turn in range(3):
        with subtest(f"kill -9, {turn}"):
            pid = main_pid()
            machine.succeed(f"kill -KILL {pid}")
            machine.wait_until_succeeds(f"test $(systemctl show --property=MainPID --value {UNIT}) -gt 0")
            untouched(before)
            assert main_pid() != pid
    for turn in range(3):
        with subtest(f"restart, {turn}"):
            machine.succeed(f"systemctl restart {UNIT}")
            untouched(before)
    with subtest("stop, then start"):
        machine.succeed(f"systemctl stop {UNIT}")
        assert snapshot() == before
        machine.succeed(f"systemctl start {UNIT}")
        untouched(before)
    with subtest("a daemon that is frozen is killed by the watchdog"):
        pid = main_pid()
        machine.succeed(f"kill -STOP {pid}")
        machine.wait_until_fails(f"test -d /proc/{pid}", timeout=120)
        untouched(before)

    with subtest("a switch with another binary, configuration and drain unit"):
        pid = main_pid()
        machine.succeed("/run/current-system/specialisation/upgraded/bin/switch-to-configuration test >&2")
        machine.wait_for_file("/srv/agents/gamma.beat")
        untouched(before)
        assert main_pid() == pid
        assert "upgraded" in machine.succeed(f"readlink /proc/{pid}/exe")
    with subtest("a person types into a session that has seen all this"):
        machine.succeed("supervisor tell alpha 'good morning'")
        machine.succeed("grep -q 'good morning' /srv/agents/alpha.heard")

    with subtest("a reboot is logged once, ends cleanly, and everything resumes"):
        machine.succeed("supervisor stop beta")
        machine.shutdown()
        machine.start()
        machine.wait_for_unit(UNIT)
        machine.wait_until_succeeds("test $(wc -l </srv/agents/alpha.starts) = 2")
        assert reboots() == 2
        machine.succeed("tail -n 1 /var/lib/agent-supervisor/REBOOTS.md | grep -q after=clean")
        beta = [unit for unit in status()["units"] if unit["name"] == "beta"][0]
        assert (beta["wish"], beta["state"]) == ("down", "stopped")
    with subtest("a loss of power is told from it"):
        machine.crash()
        machine.start()
        machine.wait_for_unit(UNIT)
        assert reboots() == 3
        machine.succeed("tail -n 1 /var/lib/agent-supervisor/REBOOTS.md | grep -q after=unclean")
  '';
}

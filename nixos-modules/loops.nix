# The options of how agents work together: the plan, hand-offs, and who is told. A key has the
# name that it has in the configuration file; `null` leaves it out.
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
  needed =
    type: example: description:
    mkOption { inherit type example description; };
  record = options: types.submodule { inherit options; };

  heading = record {
    repo =
      needed types.str "/srv/project"
        "A clone, or a URL that is fetched into a mirror of the supervisor's own.";
    file = needed types.str "STATUS.md" "The file in it, as it is committed.";
    heading = needed types.str "## DONE" "The heading line, letter by letter.";
  };
  consent = record {
    repo = needed types.str "/srv/project-adv" "A clone or a URL.";
    file = needed types.str "REVIEW.md" "The file in it.";
    pattern =
      needed types.str "^PASS {phase} {item}\\b"
        "A regular expression that a line must match, in a commit after the one that said DONE. `{phase}` and `{item}` are filled in.";
    items = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "D1"
        "D2"
      ];
      description = "There must be a matching line for each of these, as `{item}`.";
    };
    veto =
      key types.str "^(VETO|FAIL)\\b"
        "A regular expression: a later line that matches it refuses.";
    max_age = key t.duration "24h" "How old the word may be, from when it was first seen.";
  };
in
{
  options.services.agent-supervisor = {
    plan = mkOption {
      type = types.nullOr (record {
        phases = mkOption {
          type = types.listOf (record {
            name = needed types.str "1c" "Its name: `{phase}` in prompts.";
            plan = needed types.str "plan-phase1c.md" "Its plan file: `{plan}` in prompts.";
            done = key heading { } "Instead of the plan's own `done`.";
            consent = key consent { } "Instead of the plan's own `consent`.";
          });
          default = [ ];
          example = literalExpression ''[ { name = "1c"; plan = "plan-phase1c.md"; } ]'';
          description = "The named steps, in order.";
        };
        advance =
          key
            (types.enum [
              "auto"
              "ask"
            ])
            "ask"
            "`auto`: DONE with consent begins the next phase; `ask`: a person says `supervisor phase next`.";
        done = key heading {
          repo = "/srv/project";
          file = "STATUS.md";
          heading = "## DONE";
        } "Where it is said that a phase is done. What stood there when the phase began does not count.";
        consent = key consent {
          repo = "/srv/project-adv";
          file = "REVIEW.md";
          pattern = "PASS {phase}";
        } "Where the adversary agrees; without its word DONE does not count.";
        blocked =
          key heading
            {
              repo = "/srv/project";
              file = "STATUS.md";
              heading = "## Blocked";
            }
            "Where it is said that nothing can go on without a person, who is told once, with the text; nobody is nudged meanwhile.";
        owners = mkOption {
          type = types.attrsOf types.str;
          default = { };
          example = {
            "STATUS.md" = "builder";
          };
          description = "Which session alone writes which file, or section of a file (`FILE#Heading`). A commit of another's is told, and never taken back.";
        };
        stops = key (types.listOf types.str) [
          "builder"
          "adversary"
        ] "What DONE stops; else every session that is not the orchestrator.";
        stalled_after =
          key t.duration "2h"
            "For so long no commit and no hand-off while sessions work: that is told, and `supervisor check` fails.";
        fetch = key t.duration "60s" "How often repositories that are given by URL are fetched.";
        owners_ping = key types.bool true "Whether the owner of a file is told when another wrote it.";
      });
      default = null;
      example = literalExpression ''
        {
          phases = [ { name = "1"; plan = "plan-phase1.md"; } ];
          done = { repo = "/srv/project"; file = "STATUS.md"; heading = "## DONE"; };
        }
      '';
      description = "The plan that the sessions work through.";
    };

    handoffs = mkOption {
      type = types.listOf (record {
        repo = needed types.str "/srv/project" "A local clone; what is committed in it counts.";
        file = needed types.str "STATUS.md" "The file in it.";
        when =
          needed
            (types.enum [
              "line"
              "change"
              "heading"
            ])
            "line"
            "What counts: a new line that matches `pattern`, any change of the file, or a change under the heading `pattern`.";
        pattern =
          key types.str "^CLAIMED "
            "With `line` a regular expression that the line must match, with `heading` the heading as it stands; with `change` it may be left out.";
        to = needed types.str "adversary" "The session that is woken.";
        text =
          needed types.str "A gate is claimed: verify it. See {commit}."
            "With these words; `{commit}` is the commit it stands in, `{phase}` the present phase.";
        fetch =
          key t.duration "60s"
            "So often the clone's remote is asked too, into a mirror of the supervisor's own: the clone is left alone.";
        working =
          key types.bool true
            "Whether what stands in the file and is not committed yet counts as well.";
      });
      default = [ ];
      example = literalExpression ''
        [
          {
            repo = "/srv/project";
            file = "STATUS.md";
            when = "line";
            pattern = "CLAIMED";
            to = "adversary";
            text = "A gate is claimed: verify it. See {commit}.";
          }
        ]
      '';
      description = "Edges in a file of a repository that wake another session.";
    };

    require = mkOption {
      type = types.listOf (record {
        tcp = key types.str "git.example.org:22" "`HOST:PORT` that must answer.";
        file = key t.readable "/srv/project/plan.md" "A file that must be there.";
        command = key t.command [
          "test"
          "-d"
          "/srv/project"
        ] "A command that must succeed.";
        text = key types.str "the forge is reachable" "What is thereby true, in words.";
      });
      default = [ ];
      example = literalExpression ''[ { tcp = "git.example.org:22"; text = "the forge is reachable"; } ]'';
      description = "What must be there before a session is started for the first time: one of `tcp`, `file` and `command` each.";
    };

    notify = {
      targets = mkOption {
        type = types.listOf (record {
          kind = needed (types.enum [
            "ntfy"
            "webhook"
            "command"
            "nanoclaw"
          ]) "ntfy" "Which kind.";
          url = key types.str "https://ntfy.example.org/agents" "Of `ntfy` and `webhook`.";
          tokenFile = key t.secretFile "/run/secrets/ntfy-token" ''
            Of `ntfy` and `webhook`. Root alone need be able to read it: it is handed to the user by
            `agent-supervisor-secret-notify-<number>.service`, the first target being number 0.
          '';
          urlFile = key t.secretFile "/run/secrets/webhook-url" ''
            Of `ntfy` and `webhook`, instead of `url`, which everybody can read in the store. It is handed
            over as `tokenFile` is, by `agent-supervisor-secret-notify-url-<number>.service`.
          '';
          template = key types.str ''{"text": "{title}: {text}"}'' "Of `webhook`: the JSON that is sent.";
          command = key t.command [
            "/srv/bin/tell"
          ] "Of `command`.";
          group = key types.str "main" "Of `nanoclaw`.";
        });
        default = [ ];
        example = literalExpression ''[ { kind = "ntfy"; url = "https://ntfy.example.org/agents"; tokenFile = "/run/secrets/ntfy-token"; } ]'';
        description = "Who is told of what matters.";
      };
      heartbeat = key (record {
        url = key types.str "https://hc.example.org/ping/1" "What is called.";
        urlFile = key t.secretFile "/run/secrets/heartbeat-url" ''
          In place of `url` where that is a secret; handed over by
          `agent-supervisor-secret-notify-heartbeat.service`.
        '';
        every = key t.duration "5m" "How often.";
      }) { url = "https://hc.example.org/ping/1"; } "The dead man's switch: called while all is well.";
    };
  };
}

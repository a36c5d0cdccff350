//! Status values for the tests of whatever shows them.

use crate::protocol::{
    DaemonStatus, LastExit, NextWake, PlanStatus, Reboot, RebootStatus, RestartCount, Status,
    TokenCount, UnitStatus, Usage,
};

pub(in crate::cli) const NOW: &str = "2026-01-01T00:10:00Z";

pub(in crate::cli) fn status(units: Vec<UnitStatus>) -> Status {
    Status {
        supervisor: DaemonStatus {
            pid: 4242,
            version: "0.1.0".to_owned(),
            since: "2025-12-29T20:10:00Z".to_owned(),
            image: 1,
            boot_id: "5f2c9d1e-aaaa-bbbb-cccc-000000000000".to_owned(),
            ready: true,
            alive_at: Some(NOW.to_owned()),
            troubles: Vec::new(),
        },
        plan: PlanStatus::default(),
        reboots: RebootStatus::default(),
        units,
    }
}

pub(in crate::cli) fn unit(name: &str, wish: &str, state: &str) -> UnitStatus {
    UnitStatus {
        name: name.to_owned(),
        kind: "service".to_owned(),
        wish: wish.to_owned(),
        state: state.to_owned(),
        reading: if state == "up" { "ready" } else { "unready" }.to_owned(),
        pid: (state == "up").then_some(123),
        since: "2026-01-01T00:06:48Z".to_owned(),
        why: String::new(),
        next_wake: None,
        changed: false,
        restarts: RestartCount::default(),
        conversation: None,
        last_exit: None,
        source: None,
        messages: 0,
        remedies: std::collections::BTreeMap::new(),
        limits: Vec::new(),
        usage: None,
    }
}

/// One of each.
pub(super) fn zoo() -> Status {
    let session = |unit: UnitStatus, reading: &str| UnitStatus {
        kind: "session".to_owned(),
        reading: reading.to_owned(),
        ..unit
    };
    let mut status = status(vec![
        UnitStatus {
            changed: true,
            conversation: Some("0b7e6a52-1111-2222-3333-444455556666".to_owned()),
            usage: Some(Usage {
                day: "2026-01-01".to_owned(),
                turns: 14,
                tokens: TokenCount {
                    input: 40_000,
                    output: 94_567,
                    cache_read: 1_000_000,
                    cache_write: 100_000,
                },
                total: 1_234_567,
            }),
            ..session(unit("adversary", "up", "up"), "working")
        },
        UnitStatus {
            why: "killed by SIGKILL".to_owned(),
            next_wake: Some(NextWake {
                at: "2026-01-01T00:10:08Z".to_owned(),
                why: "tries again".to_owned(),
            }),
            restarts: RestartCount { total: 7, window: 3 },
            last_exit: Some(LastExit {
                known: true,
                code: None,
                signal: Some("KILL".to_owned()),
                oom: false,
                at: "2026-01-01T00:09:58Z".to_owned(),
            }),
            source: None,
            messages: 0,
            remedies: std::collections::BTreeMap::new(),
            limits: vec!["memory_max: no manager grants a scope".to_owned()],
            ..session(unit("builder", "up", "waiting"), "dead")
        },
        UnitStatus {
            why: "5 deaths within 15m: exited with 1".to_owned(),
            next_wake: Some(NextWake {
                at: "2026-01-01T00:14:00Z".to_owned(),
                why: "tries again".to_owned(),
            }),
            restarts: RestartCount { total: 5, window: 5 },
            ..unit("gateway", "up", "given_up")
        },
        unit("web", "up", "up"),
        UnitStatus { why: "stopping was refused".to_owned(), ..unit("worker", "down", "up") },
        unit("zebra", "down", "stopped"),
    ]);
    status.plan = PlanStatus {
        phase: Some("2".to_owned()),
        phases: vec!["1c".to_owned(), "2".to_owned()],
        done: false,
        blocked: true,
        ..PlanStatus::default()
    };
    status.reboots = RebootStatus {
        count: 4,
        last: Some(Reboot { at: Some("2025-12-31T21:10:00Z".to_owned()), boot_id: None }),
    };
    status.supervisor.troubles =
        vec!["cannot write /var/lib/agent-supervisor/events.jsonl: no space left".to_owned()];
    status
}

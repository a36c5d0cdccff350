//! Services: started, killed, brought back, stopped.

use crate::house::{House, kill, lives};

#[test]
fn a_killed_service_comes_back_with_another_pid_and_its_exit_is_known() {
    let house = House::running("[services.web]\ncommand = [\"sleep\", \"1000\"]\n");
    house.wait_up(&["web"]);
    let before = house.pid_of("web");
    kill(before, "KILL");
    let after = house.wait_unit("web", "is back", |unit| {
        unit.state == "up" && unit.pid.is_some_and(|pid| pid != before)
    });
    assert_eq!(after.restarts.total, 1);
    let exit = after.last_exit.expect("an exit");
    assert_eq!((exit.known, exit.signal.as_deref()), (true, Some("KILL")));
}

#[test]
fn a_killed_daemon_leaves_its_units_and_the_next_one_adopts_them() {
    let mut house = House::running("[services.web]\ncommand = [\"sleep\", \"1000\"]\n");
    house.wait_up(&["web"]);
    let pid = house.pid_of("web");
    house.end_daemon("KILL");
    assert!(lives(pid));
    house.run();
    assert_eq!(house.pid_of("web"), pid);
    assert_eq!(house.unit("web").restarts.total, 0);
    house.does(&["stop", "web"]);
    assert!(!lives(pid));
}

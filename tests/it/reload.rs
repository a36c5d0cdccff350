//! Becoming another binary or another config in place.

use crate::house::House;

#[test]
fn reloading_again_and_again_keeps_the_daemon_its_units_and_its_socket() {
    let house = House::running("[services.web]\ncommand = [\"sleep\", \"1000\"]\n");
    house.wait_up(&["web"]);
    let (daemon, web) = (house.pid(), house.pid_of("web"));
    for _ in 0..3 {
        house.does(&["reload"]);
        let status = house.wait("the daemon to be back", |status| status.supervisor.ready);
        assert_eq!(status.supervisor.pid, daemon);
        house.wait_up(&["web"]);
        assert_eq!((house.pid_of("web"), house.unit("web").restarts.total), (web, 0));
    }
}

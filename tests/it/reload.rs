//! Becoming another binary or another config in place.

use std::os::unix::net::UnixDatagram;

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

/// A watchdog counts from the last word, and the image before may have given that long ago.
#[test]
fn systemd_is_told_at_each_beginning_that_the_daemon_is_ready_and_alive() {
    let mut house = House::new("");
    let manager = UnixDatagram::bind(house.path("notify")).expect("a socket");
    manager.set_nonblocking(true).expect("a socket");
    house.set("NOTIFY_SOCKET", house.path("notify").to_str().expect("UTF-8"));
    house.set("WATCHDOG_USEC", "3600000000");
    let said = || {
        let mut buffer = [0; 4096];
        let length = manager.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    };
    house.run();
    house.reload();
    let said: Vec<_> = std::iter::from_fn(said).collect();
    let once = ["STATUS=looking at what runs already", "STATUS=watching 0 units", "READY=1"];
    let once = [&once[..], &["WATCHDOG=1"]].concat();
    assert_eq!(said, [once.clone(), once].concat());
}

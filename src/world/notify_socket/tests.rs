use super::*;

fn manager() -> (tempfile::TempDir, UnixDatagram, Notifier) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    let notifier = Notifier::to(Some(path.as_os_str())).unwrap();
    (dir, manager, notifier)
}

fn heard(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 4096];
    let length = manager.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn each_message_is_one_datagram_in_systemds_words() {
    let (_dir, manager, notifier) = manager();
    notifier.ready().unwrap();
    assert_eq!(heard(&manager), "READY=1");
    notifier.watchdog().unwrap();
    assert_eq!(heard(&manager), "WATCHDOG=1");
    notifier.stopping().unwrap();
    assert_eq!(heard(&manager), "STOPPING=1");
    notifier.main_pid(4711).unwrap();
    assert_eq!(heard(&manager), "MAINPID=4711");
}

#[test]
fn a_status_stays_one_line() {
    let (_dir, manager, notifier) = manager();
    notifier.status("2 up\nREADY=1").unwrap();
    assert_eq!(heard(&manager), "STATUS=2 up READY=1");
}

#[test]
fn a_reload_carries_its_monotonic_time() {
    let (_dir, manager, notifier) = manager();
    notifier.reloading().unwrap();
    let message = heard(&manager);
    let micros: i64 =
        message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().parse().unwrap();
    let now = clock_gettime(ClockId::Monotonic);
    assert!(micros > 0 && micros <= now.tv_sec * 1_000_000 + now.tv_nsec / 1_000);
}

#[test]
fn an_abstract_socket_hears_us_too() {
    let name = format!("supervisor-notify-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    let notifier = Notifier::to(Some(OsStr::new(&format!("@{name}")))).unwrap();
    notifier.ready().unwrap();
    assert_eq!(heard(&manager), "READY=1");
}

#[test]
fn without_a_socket_everything_is_a_no_op() {
    for nobody in [None, Some(OsStr::new(""))] {
        let notifier = Notifier::to(nobody).unwrap();
        assert!(!notifier.is_heard());
        notifier.ready().unwrap();
        notifier.reloading().unwrap();
    }
}

#[test]
fn a_manager_that_never_reads_costs_an_error_and_no_wait() {
    let (_dir, _manager, notifier) = manager();
    let refused = (0..100_000).find_map(|_| notifier.watchdog().err()).unwrap();
    let NotifyError::Send { what, source } = refused else { panic!("{refused:?}") };
    assert_eq!((what.as_str(), source.kind()), ("WATCHDOG=1", io::ErrorKind::WouldBlock));
}

#[test]
fn an_address_that_is_no_unix_socket_is_named() {
    let refused = Notifier::to(Some(OsStr::new("vsock:2:1234"))).unwrap_err();
    assert!(refused.to_string().contains("vsock:2:1234"), "{refused}");
}

#[test]
fn the_watchdog_is_fed_twice_as_often_as_the_manager_asks() {
    let us = std::process::id().to_string();
    assert_eq!(interval(Some("30000000"), None), Some(Duration::from_secs(15)));
    assert_eq!(interval(Some("30000000"), Some(&us)), Some(Duration::from_secs(15)));
}

#[test]
fn nobody_is_fed_where_nobody_watches_us() {
    assert_eq!(interval(None, None), None);
    assert_eq!(interval(Some("0"), None), None);
    assert_eq!(interval(Some("soon"), None), None);
    assert_eq!(interval(Some("30000000"), Some("1")), None);
}

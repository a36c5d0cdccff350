use std::os::unix::net::UnixListener as StdListener;
use std::process::Command;

use tokio::net::UnixListener;

use super::*;

/// Nothing here takes this long; only a hang does.
const CEILING: Duration = Duration::from_secs(30);

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(CEILING, test).await.expect("it hung") })
}

/// Stands in for a docker engine that reads one request and gives one answer.
async fn asked_of(answer: &'static [u8]) -> (String, Result<(), NotThere>) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let engine = UnixListener::bind(&socket).unwrap();
    let served = async {
        let (mut stream, _) = engine.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        stream.write_all(answer).await.unwrap();
        String::from_utf8(request).unwrap()
    };
    tokio::join!(served, docker(&socket))
}

#[test]
fn an_engine_that_answers_its_ping_is_there() {
    run(async {
        let (request, there) = asked_of(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK").await;
        assert!(request.starts_with("GET /_ping HTTP/1.1\r\nHost: "), "{request}");
        there.unwrap();
    });
}

#[test]
fn an_engine_that_answers_with_another_status_is_not_there() {
    run(async {
        let (_, there) = asked_of(b"HTTP/1.1 500 Internal Server Error\r\n\r\n").await;
        let why = there.unwrap_err();
        assert!(matches!(why, NotThere::Status { status: 500, .. }), "{why:?}");
        assert!(why.to_string().ends_with("answered /_ping with status 500"), "{why}");
    });
}

#[test]
fn what_does_not_speak_http_is_no_engine() {
    run(async {
        for garbage in [
            &b"\x00\xff\xfe\n"[..],
            b"SSH-2.0-OpenSSH_9\r\n",
            b"HTTP/1.1 2000 OK\r\n",
            b"HTTP/1.1 200",
            b"",
            &[b'x'; 4096],
        ] {
            let (_, there) = asked_of(garbage).await;
            assert!(matches!(there, Err(NotThere::NotHttp(_))), "{there:?}");
        }
    });
}

#[test]
fn an_engine_that_hangs_is_given_up_after_its_time() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let _hangs = StdListener::bind(&socket).unwrap();
        let why = docker_within(&socket, Duration::from_millis(20)).await.unwrap_err();
        assert!(matches!(why, NotThere::NoAnswer { .. }), "{why:?}");
        let whole = NotThere::NoAnswer { socket: "/s".into(), within: DOCKER_WITHIN };
        assert_eq!(whole.to_string(), "docker: no answer over /s within 2 s");
    });
}

#[test]
fn no_socket_and_a_dead_socket_are_told_apart() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let none = docker(&socket).await;
        assert!(matches!(none, Err(NotThere::NoSocket(_))), "{none:?}");
        drop(StdListener::bind(&socket).unwrap());
        let dead = docker(&socket).await;
        assert!(matches!(dead, Err(NotThere::NobodyListens(_))), "{dead:?}");
    });
}

#[test]
fn docker_host_names_the_socket_or_is_refused_in_words() {
    assert_eq!(socket_of(None).unwrap(), Path::new("/var/run/docker.sock"));
    assert_eq!(socket_of(Some("")).unwrap(), Path::new("/var/run/docker.sock"));
    let rootless = socket_of(Some("unix:///run/user/1000/docker.sock")).unwrap();
    assert_eq!(rootless, Path::new("/run/user/1000/docker.sock"));
    for other in ["tcp://10.0.0.1:2375", "ssh://host", "unix://relative", "/var/run/docker.sock"] {
        let why = socket_of(Some(other)).unwrap_err().to_string();
        assert!(why.contains(other) && why.contains("unix socket"), "{why}");
    }
}

const V4_HEAD: &str =
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
const V4_DEFAULT: &str = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
const V4_LOCAL: &str = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
const V4_UNREACHABLE: &str = "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n";
const V4_HALF: &str = "tun0\t00000000\t010200C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n";
const V4_DOWN: &str = "eth0\t00000000\t010200C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n";
const ZEROS: &str = "00000000000000000000000000000000";

fn v6(prefix: &str, flags: &str, interface: &str) -> String {
    format!(
        "{ZEROS} {prefix} {ZEROS} 00 fd000000000000000000000000000001 00000400 00000002 00000000 \
         {flags}     {interface}\n"
    )
}

#[test]
fn a_default_route_of_either_protocol_is_a_network() {
    assert!(has_default_route(&[V4_HEAD, V4_DEFAULT, V4_LOCAL].concat(), ""));
    assert!(has_default_route(V4_HEAD, &v6("00", "00000003", "eth0")));
}

#[test]
fn local_unreachable_partial_and_fallen_routes_are_no_network() {
    for v4 in [V4_LOCAL, V4_UNREACHABLE, V4_HALF, V4_DOWN, "", "eth0\tgarbage\n"] {
        assert!(!has_default_route(&[V4_HEAD, v4].concat(), ""), "{v4}");
    }
    for v6 in [
        v6("00", "00200200", "lo"),
        v6("00", "00200203", "eth0"),
        v6("00", "00000003", "lo"),
        v6("40", "00000003", "eth0"),
        v6("00", "00000002", "eth0"),
    ] {
        assert!(!has_default_route(V4_HEAD, &v6), "{v6}");
    }
}

#[test]
fn this_machine_can_be_asked() {
    let there = network();
    assert!(matches!(there, Ok(()) | Err(NotThere::NoRoute)), "{there:?}");
}

/// Two network namespaces of this test's own, each ended with its guard; `None`, loudly, where
/// they cannot be had.
struct Namespace(String);

impl Namespace {
    fn make(test: &str) -> Option<Self> {
        let name = format!("supervisor-{test}-{}", std::process::id());
        if !nix::unistd::geteuid().is_root() || !ip(&["netns", "add", &name]) {
            eprintln!("SKIPPED: {test}: needs root and iproute2 for a network namespace");
            return None;
        }
        Some(Self(name))
    }

    /// The rest of this thread lives in the namespace.
    fn enter(&self) {
        let file = std::fs::File::open(format!("/run/netns/{}", self.0)).unwrap();
        rustix::thread::move_into_link_name_space(
            std::os::fd::AsFd::as_fd(&file),
            Some(rustix::thread::LinkNameSpaceType::Network),
        )
        .unwrap();
    }

    fn ip(&self, arguments: &[&str]) {
        assert!(ip(&[&["-n", self.0.as_str()], arguments].concat()), "ip {arguments:?}");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).status().is_ok_and(|ended| ended.success())
}

#[test]
fn in_a_fresh_network_namespace_the_kernel_says_when_the_route_comes_and_goes() {
    let Some(namespace) = Namespace::make("routes") else { return };
    namespace.enter();
    let there = || {
        let v4 = std::fs::read_to_string("/proc/thread-self/net/route").unwrap();
        let v6 = std::fs::read_to_string("/proc/thread-self/net/ipv6_route").unwrap();
        has_default_route(&v4, &v6)
    };
    run(async {
        let mut watch = NetworkWatch::open().unwrap();
        assert!(!there());

        namespace.ip(&["link", "add", "bridge0", "type", "bridge"]);
        namespace.ip(&["addr", "add", "192.0.2.2/24", "dev", "bridge0"]);
        namespace.ip(&["link", "set", "bridge0", "up"]);
        namespace.ip(&["route", "add", "default", "via", "192.0.2.1"]);
        while !there() {
            watch.changed().await.unwrap();
        }

        namespace.ip(&["link", "set", "bridge0", "down"]);
        while there() {
            watch.changed().await.unwrap();
        }

        namespace.ip(&["route", "add", "unreachable", "default"]);
        watch.changed().await.unwrap();
        assert!(!there());
    });
}

#[test]
fn a_socket_that_appears_is_noticed() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let watch = DockerWatch::open(&socket).unwrap();
        std::fs::write(dir.path().join("other"), "").unwrap();
        let _engine = StdListener::bind(&socket).unwrap();
        watch.changed().await.unwrap();
    });
}

#[test]
fn a_socket_whose_mode_changes_is_noticed() {
    use std::os::unix::fs::PermissionsExt;
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let _engine = StdListener::bind(&socket).unwrap();
        let watch = DockerWatch::open(&socket).unwrap();
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o660)).unwrap();
        watch.changed().await.unwrap();
    });
}

#[test]
fn a_socket_whose_folders_are_missing_is_waited_for_folder_by_folder() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("run/user/docker.sock");
        let watch = DockerWatch::open(&socket).unwrap();
        std::fs::create_dir(dir.path().join("run")).unwrap();
        watch.changed().await.unwrap();
        let watch = DockerWatch::open(&socket).unwrap();
        std::fs::create_dir(dir.path().join("run/user")).unwrap();
        watch.changed().await.unwrap();
        let watch = DockerWatch::open(&socket).unwrap();
        let _engine = StdListener::bind(&socket).unwrap();
        watch.changed().await.unwrap();
    });
}

#[test]
fn other_files_beside_the_socket_end_no_wait() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let watch = DockerWatch::open(&dir.path().join("docker.sock")).unwrap();
        std::fs::write(dir.path().join("containerd.sock"), "").unwrap();
        let waited = timeout(Duration::from_millis(50), watch.changed()).await;
        assert!(waited.is_err(), "{waited:?}");
    });
}

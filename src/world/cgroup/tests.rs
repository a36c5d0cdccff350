use std::ffi::OsString;

use tempfile::TempDir;

use super::*;
use crate::world::spawn::{Launch, Running, Stream};

const CEILING: Duration = Duration::from_secs(20);

fn name(name: &str) -> UnitName {
    UnitName::new(name).unwrap()
}

/// Our part of the tree, removed when the test ends; `None` where the host lets us have none.
pub(in crate::world) struct Ours(Cgroups, pub(in crate::world) String);

impl Ours {
    pub(in crate::world) fn new(test: &str) -> Option<Self> {
        let instance = format!("test-{test}-{}", std::process::id());
        match Cgroups::find(&instance, &Roots::default()) {
            Ok(cgroups) => Some(Self(cgroups, instance)),
            Err(reason) => {
                println!("not tested with a cgroup: {reason}");
                None
            }
        }
    }

    pub(in crate::world) fn leaf(&self, unit: &str) -> Leaf {
        self.0.leaf(&name(unit)).unwrap()
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let all = Leaf { directory: self.0.directory.clone() };
        all.kill().unwrap();
        let ceiling = std::time::Instant::now() + CEILING;
        while all.remove().is_err() && std::time::Instant::now() < ceiling {
            std::thread::yield_now();
        }
    }
}

fn run(leaf: &Leaf, script: &str) -> Running {
    let launch = Launch {
        argv: ["sh", "-c", script].map(OsString::from).into(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        directory: None,
        stdin: Stream::Null,
        stdout: Stream::Null,
        stderr: Stream::Null,
        cgroup: Some(leaf.open().unwrap()),
    };
    launch.fork().unwrap().open()
}

fn reap(running: &Running) {
    use std::os::fd::AsFd;
    let handle = rustix::process::WaitId::PidFd(running.pidfd.as_fd());
    rustix::process::waitid(handle, rustix::process::WaitIdOptions::EXITED).unwrap();
}

#[tokio::test]
async fn a_child_is_born_in_its_leaf_and_the_leaf_tells_when_it_is_empty() {
    let Some(ours) = Ours::new("born") else { return };
    let leaf = ours.leaf("one");
    assert!(leaf.is_empty().unwrap());
    let running = run(&leaf, "sleep 60 & read x < /dev/zero");
    assert!(leaf.members().unwrap().contains(&running.process.pid));
    assert!(!leaf.is_empty().unwrap());
    assert!(leaf.remove().is_err());
    assert!(!leaf.emptied(Duration::ZERO).await.unwrap());
    let other = ours.leaf("two");
    assert!(other.is_empty().unwrap() && other.emptied(CEILING).await.unwrap());

    let (emptied, killed) = tokio::join!(leaf.emptied(CEILING), async { leaf.kill() });
    assert!(emptied.unwrap());
    killed.unwrap();
    assert_eq!(leaf.members().unwrap(), Vec::<i32>::new());
    reap(&running);
    leaf.remove().unwrap();
}

#[tokio::test]
async fn cgroups_within_a_leaf_are_killed_and_removed_with_it() {
    let Some(ours) = Ours::new("nested") else { return };
    let leaf = ours.leaf("one");
    fs::create_dir_all(leaf.path().join("a/b")).unwrap();
    let inner = Leaf { directory: leaf.path().join("a/b") };
    let running = run(&inner, "read x < /dev/zero");
    assert_eq!(leaf.members().unwrap(), [running.process.pid]);
    leaf.kill().unwrap();
    assert!(leaf.emptied(CEILING).await.unwrap());
    reap(&running);
    leaf.remove().unwrap();
    assert!(!leaf.path().exists());
}

#[tokio::test]
async fn a_kernel_that_cannot_kill_a_cgroup_is_helped_out() {
    let Some(ours) = Ours::new("old") else { return };
    let leaf = ours.leaf("one");
    let running = run(&leaf, "(sleep 60; true) & (sleep 60; true) & read x < /dev/zero");
    leaf.kill_one_by_one().unwrap();
    assert!(leaf.emptied(CEILING).await.unwrap());
    reap(&running);
}

#[tokio::test]
async fn a_leaf_that_is_gone_is_empty() {
    let Some(ours) = Ours::new("gone") else { return };
    let leaf = ours.leaf("one");
    leaf.remove().unwrap();
    leaf.remove().unwrap();
    leaf.kill().unwrap();
    assert!(leaf.is_empty().unwrap() && leaf.members().unwrap().is_empty());
    assert!(leaf.emptied(Duration::ZERO).await.unwrap());
    assert!(leaf.open().is_err());
}

#[test]
fn a_unit_named_like_a_file_of_the_kernels_has_a_leaf() {
    let Some(ours) = Ours::new("names") else { return };
    let leaf = ours.leaf("cgroup.procs");
    assert!(leaf.path().ends_with("_cgroup.procs"));
    assert_eq!(Leaf::at(leaf.path().into(), &ours.1), Some(leaf));
}

#[test]
fn a_record_cannot_name_a_cgroup_that_is_no_leaf_of_ours() {
    let at = |path: &str| Leaf::at(path.into(), "abc").is_some();
    assert!(at("/sys/fs/cgroup/x/supervisor-abc/one"));
    assert!(!at("/sys/fs/cgroup/x/supervisor-abd/one"));
    assert!(!at("/sys/fs/cgroup/x/supervisor-abc"));
    assert!(!at("/sys/fs/cgroup/x/supervisor-abc/.."));
    assert!(!at("supervisor-abc/one"));
    assert!(!at("/"));
}

/// A host of files: mountinfo, our own cgroup, and the tree.
struct Host {
    dir: TempDir,
    roots: Roots,
}

fn host(own: &str, root: &str, systemd: bool) -> Host {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("a tree/unit")).unwrap();
    fs::create_dir_all(at("a tree/unit/supervisor-abc")).unwrap();
    fs::write(at("a tree/unit/cgroup.procs"), "").unwrap();
    fs::write(at("a tree/unit/supervisor-abc/cgroup.procs"), "").unwrap();
    let point = at("a tree").to_str().unwrap().replace(' ', "\\040");
    let mounts = format!(
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
         32 31 0:29 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
         41 31 0:38 {root} {point} rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
    );
    fs::write(at("mountinfo"), mounts).unwrap();
    fs::write(at("cgroup"), own).unwrap();
    if systemd {
        fs::create_dir(at("systemd")).unwrap();
    }
    let roots = Roots { mountinfo: at("mountinfo"), own: at("cgroup"), systemd: at("systemd") };
    Host { dir, roots }
}

#[test]
fn our_own_cgroup_is_found_by_the_mounts_and_its_name() {
    for (own, root) in [("9:name=systemd:/x\n0::/unit\n", "/"), ("0::/lxc/unit\n", "/lxc")] {
        let host = host(own, root, false);
        let found = Cgroups::find("abc", &host.roots).unwrap();
        assert_eq!(found.directory, host.dir.path().join("a tree/unit/supervisor-abc"));
        assert_eq!(found.leaf(&name("one")).unwrap().path(), found.directory.join("one"));
    }
}

#[test]
fn where_there_is_no_cgroup_for_us_the_reason_and_a_remedy_are_told() {
    let reason = |host: &Host| {
        let reason = Cgroups::find("abc", &host.roots).unwrap_err();
        assert!(!reason.remedy().is_empty());
        reason
    };
    let unmounted = NoCgroups::NotMounted.to_string();
    assert_eq!(reason(&host("1:cpu:/unit\n", "/", false)).to_string(), unmounted);
    assert_eq!(reason(&host("0::/elsewhere\n", "/unit", false)).to_string(), unmounted);
    assert_eq!(reason(&host("0::/gone (deleted)\n", "/", false)).to_string(), unmounted);
    assert!(matches!(reason(&host("0::/unit\n", "/", true)), NoCgroups::NotDelegated { .. }));

    let blocked = host("0::/unit\n", "/", false);
    let unit = blocked.dir.path().join("a tree/unit");
    fs::remove_dir_all(unit.join("supervisor-abc")).unwrap();
    assert!(matches!(reason(&blocked), NoCgroups::Refused { .. }), "no cgroup.procs in it");
    fs::remove_file(blocked.dir.path().join("mountinfo")).unwrap();
    assert!(matches!(reason(&blocked), NoCgroups::Unreadable { .. }));
}

#[test]
fn systemds_mark_of_delegation_is_believed() {
    let host = host("0::/unit\n", "/", true);
    let unit = host.dir.path().join("a tree/unit");
    let set = |value: &[u8]| {
        rustix::fs::setxattr(&unit, "user.delegate", value, rustix::fs::XattrFlags::empty())
    };
    if set(b"0").is_err() {
        println!("not tested: the temporary directory has no extended attributes");
        return;
    }
    assert!(Cgroups::find("abc", &host.roots).is_err());
    set(b"1").unwrap();
    assert!(Cgroups::find("abc", &host.roots).is_ok());
}

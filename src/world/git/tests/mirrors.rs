//! Fetching by the real git program.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::super::mirror::{self, MirrorError, Programs, Remote};
use super::super::program::ProgramError;
use super::super::{GitError, Reader, Tips};
use super::support::{House, Threads, claims, ids, look};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn programs() -> Programs {
    Programs::find(&std::env::var_os("PATH").unwrap()).unwrap()
}

fn fetch(house: &House, remote: &Remote, ceiling: Duration) -> Result<(), MirrorError> {
    let mirror = mirror::prepare(&house.path("state"), remote).unwrap();
    let env = house.env();
    block_on(mirror::fetch_within(&Threads, &programs(), &mirror, remote, env, ceiling))
}

#[test]
fn what_only_the_remote_has_is_seen_without_touching_the_clones() {
    let house = House::new();
    let (_, builder, adversary) = house.shared();
    let remote = Remote::of(&adversary).unwrap().unwrap();
    house.commit(&builder, "STATUS.md", "CLAIMED D1\n");
    house.git(&builder, &["push", "--quiet"]);
    let refs = || house.git(&adversary, &["for-each-ref"]);
    let before = refs();
    fetch(&house, &remote, mirror::CEILING).unwrap();
    assert_eq!(refs(), before);
    let mut ask = claims(&remote.mirror(&house.path("state")));
    ask.tips = Tips::Mirror(None);
    assert_eq!(remote.tips(), Tips::Mirror(Some("main".into())));
    let mut followed = ask.clone();
    followed.tips = remote.tips();
    let mut reader = Reader::new(ask);
    assert_eq!(reader.read().unwrap(), look(followed));
    let first = reader.read().unwrap();
    assert_eq!(ids(&first), ids(&look(claims(&builder))));

    house.commit(&builder, "STATUS.md", "CLAIMED D1\nCLAIMED D2\n");
    house.git(&builder, &["push", "--quiet"]);
    house.git(&builder, &["branch", "other"]);
    house.git(&builder, &["push", "--quiet", "origin", "other"]);
    fetch(&house, &remote, mirror::CEILING).unwrap();
    assert_eq!(reader.read().unwrap().lines.len(), 2);
    house.git(&builder, &["reset", "--quiet", "--hard", "HEAD~1"]);
    house.git(&builder, &["push", "--quiet", "--force", "origin", "main", ":other"]);
    fetch(&house, &remote, mirror::CEILING).unwrap();
    assert_eq!(ids(&reader.read().unwrap()), ids(&first));
}

#[test]
fn a_remote_without_commits_is_no_trouble_and_a_broken_mirror_is_made_anew() {
    let house = House::new();
    let empty = house.init("empty");
    let remote = Remote::at(empty.to_str().unwrap());
    let path = mirror::prepare(&house.path("state"), &remote).unwrap();
    let mut ask = claims(&path);
    ask.tips = Tips::Mirror(None);
    let unknown = Reader::new(ask.clone()).read();
    assert!(matches!(unknown, Err(GitError::NotFetched { .. })), "{unknown:?}");
    fetch(&house, &remote, mirror::CEILING).unwrap();
    assert!(look(ask.clone()).tips.is_empty());
    house.commit(&empty, "STATUS.md", "CLAIMED D1\n");
    fs::write(path.join("packed-refs.lock"), "").unwrap();
    fs::write(path.join("config.lock"), "").unwrap();
    fetch(&house, &remote, mirror::CEILING).unwrap();
    fs::write(path.join("HEAD"), "").unwrap();
    fetch(&house, &remote, mirror::CEILING).unwrap();
    assert_eq!(look(ask).lines.len(), 1);
    mirror::remove_others(&house.path("state"), &[remote]).unwrap();
    assert!(path.exists());
    mirror::remove_others(&house.path("state"), &[]).unwrap();
    assert!(!path.exists());
}

#[test]
fn what_git_says_is_told_and_no_secret_of_an_address() {
    let house = House::new();
    let remote = Remote::at("http://user:s3cret@127.0.0.1:1/x.git?token=s3cret");
    let error = fetch(&house, &remote, mirror::CEILING).unwrap_err();
    let said = format!("{error} {error:?} {remote:?}");
    assert!(said.contains("http://127.0.0.1:1/x.git"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    let config = remote.mirror(&house.path("state")).metadata().unwrap().permissions().mode();
    assert_eq!(config & 0o777, 0o700);
    for url in ["ext::sh -c true", "--upload-pack=touch /x", "/nowhere/at/all"] {
        let error = fetch(&house, &Remote::at(url), mirror::CEILING).unwrap_err();
        assert!(matches!(error, MirrorError::Refused { .. }), "{url}: {error:?}");
    }
}

#[test]
fn a_remote_that_is_silent_is_given_up_and_nobody_of_it_is_left() {
    let house = House::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let remote = Remote::at(&format!("git://127.0.0.1:{port}/x.git"));
    let begun = Instant::now();
    let error = fetch(&house, &remote, Duration::from_millis(700)).unwrap_err();
    let slow = matches!(error, MirrorError::NoAnswer { source: ProgramError::TooSlow(_), .. });
    assert!(slow, "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    let mark = remote.mirror(&house.path("state")).display().to_string();
    let mark = mark.as_bytes().to_vec();
    let until = Instant::now() + Duration::from_secs(10);
    let left = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let commands = processes.filter_map(|it| fs::read(it.path().join("cmdline")).ok());
        commands.filter(|it| it.windows(mark.len()).any(|part| part == mark)).count()
    };
    while left() > 0 {
        assert!(Instant::now() < until, "a git is left");
        std::thread::yield_now();
    }
}

//! What the kernel tells of, and that it tells of nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::super::{Watch, Watched};
use super::support::House;

/// How long a change may take to be told on a busy machine.
const CEILING: Duration = Duration::from_secs(20);
/// How long nothing must be told for it to count as silence.
const SILENCE: Duration = Duration::from_millis(300);

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn watched(repo: &Path) -> Watched {
    Watched { repo: repo.to_owned(), file: None }
}

async fn told(watch: &mut Watch) -> BTreeSet<Watched> {
    timeout(CEILING, watch.changed()).await.expect("a change was not told")
}

/// Takes what is told until nothing more is.
async fn settle(watch: &mut Watch) {
    while timeout(SILENCE, watch.changed()).await.is_ok() {}
}

async fn watching(repos: &[Watched]) -> Watch {
    let mut watch = Watch::new();
    watch.set(repos.iter().cloned().collect());
    settle(&mut watch).await;
    assert!(repos.iter().all(|it| watch.is_told_of(it)));
    watch
}

#[test]
fn commits_fetches_checkouts_and_packing_are_told_and_looking_is_not() {
    block_on(async {
        let house = House::new();
        let (_, builder, adversary) = house.shared();
        let (one, two) = (watched(&builder), watched(&adversary));
        let mut watch = watching(&[one.clone(), two.clone()]).await;
        house.commit(&builder, "STATUS.md", "x\n");
        assert_eq!(told(&mut watch).await, BTreeSet::from([one.clone()]));
        settle(&mut watch).await;
        house.git(&builder, &["push", "--quiet"]);
        assert_eq!(told(&mut watch).await, BTreeSet::from([one.clone()]), "its origin/main");
        settle(&mut watch).await;
        house.git(&adversary, &["fetch", "--quiet"]);
        assert_eq!(told(&mut watch).await, BTreeSet::from([two.clone()]));
        settle(&mut watch).await;
        house.git(&adversary, &["pull", "--quiet"]);
        told(&mut watch).await;
        settle(&mut watch).await;
        for words in [
            &["checkout", "--quiet", "-b", "a/deep/branch"][..],
            &["commit", "--quiet", "--allow-empty", "-m", "deep"],
            &["pack-refs", "--all"],
            &["commit", "--quiet", "--allow-empty", "-m", "after packing"],
            &["gc", "--quiet"],
            &["reset", "--quiet", "--hard", "HEAD~1"],
        ] {
            house.git(&adversary, words);
            assert_eq!(told(&mut watch).await, BTreeSet::from([two.clone()]), "{words:?}");
            settle(&mut watch).await;
        }
        fs::write(builder.join("STATUS.md"), "y\n").unwrap();
        house.git(&builder, &["add", "STATUS.md"]);
        house.git(&builder, &["status"]);
        fs::write(builder.join(".git/index.lock"), "").unwrap();
        assert!(timeout(SILENCE, watch.changed()).await.is_err(), "nothing is committed");
    });
}

#[test]
fn a_clone_is_told_when_it_comes_goes_and_comes_back() {
    block_on(async {
        let house = House::new();
        let (remote, ..) = house.shared();
        let path = house.path("later/on/clone");
        let mut watch = watching(&[watched(&path)]).await;
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        house.clone(&remote, "later/on/clone");
        told(&mut watch).await;
        settle(&mut watch).await;
        house.commit(&path, "STATUS.md", "x\n");
        told(&mut watch).await;
        settle(&mut watch).await;
        fs::rename(&path, house.path("moved")).unwrap();
        told(&mut watch).await;
        settle(&mut watch).await;
        fs::rename(house.path("moved"), &path).unwrap();
        told(&mut watch).await;
        settle(&mut watch).await;
        house.commit(&path, "STATUS.md", "y\n");
        told(&mut watch).await;
        settle(&mut watch).await;
        fs::remove_dir_all(&path).unwrap();
        told(&mut watch).await;
        settle(&mut watch).await;
        house.clone(&remote, "later/on/clone");
        told(&mut watch).await;
        settle(&mut watch).await;
        house.commit(&path, "STATUS.md", "z\n");
        told(&mut watch).await;
    });
}

#[test]
fn linked_worktrees_bare_repositories_reftables_and_working_files_are_watched() {
    block_on(async {
        let house = House::new();
        let (remote, builder, adversary) = house.shared();
        let linked = house.path("linked");
        house.git(&adversary, &["worktree", "add", "--quiet", "-b", "s", linked.to_str().unwrap()]);
        let file = Watched { repo: builder.clone(), file: Some("notes/STATUS.md".into()) };
        let table = house.path("table");
        fs::create_dir(&table).unwrap();
        let reftable = house.try_git(&table, &["init", "--quiet", "--ref-format=reftable"]);
        let mut all = vec![watched(&remote), watched(&linked), file.clone()];
        if reftable.status.success() {
            all.push(watched(&table));
        }
        let mut watch = watching(&all).await;
        house.commit(&linked, "x", "x\n");
        assert_eq!(told(&mut watch).await, BTreeSet::from([watched(&linked)]));
        settle(&mut watch).await;
        house.git(&linked, &["push", "--quiet", "origin", "s"]);
        assert!(told(&mut watch).await.contains(&watched(&remote)));
        settle(&mut watch).await;
        fs::create_dir(builder.join("notes")).unwrap();
        settle(&mut watch).await;
        fs::write(builder.join("notes/STATUS.md"), "x\n").unwrap();
        assert_eq!(told(&mut watch).await, BTreeSet::from([file]));
        settle(&mut watch).await;
        if reftable.status.success() {
            house.commit(&table, "x", "x\n");
            assert_eq!(told(&mut watch).await, BTreeSet::from([watched(&table)]));
            settle(&mut watch).await;
        }
        watch.set(BTreeSet::new());
        house.commit(&linked, "x", "y\n");
        assert!(timeout(SILENCE, watch.changed()).await.is_err());
    });
}

#[test]
fn fifty_clones_are_watched_without_a_stroke_of_work_and_told_of_in_milliseconds() {
    block_on(async {
        let house = House::new();
        let (remote, builder, _) = house.shared();
        let all: Vec<Watched> =
            (0..50).map(|at| watched(&house.clone(&remote, &format!("clone{at}")))).collect();
        let mut watch = watching(&all).await;
        let used = || {
            let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_THREAD);
            let usage = usage.unwrap();
            (usage.user_time(), usage.system_time(), usage.voluntary_context_switches())
        };
        let before = used();
        assert!(timeout(SILENCE * 3, watch.changed()).await.is_err());
        println!("idle: {before:?} to {:?}", used());
        let mut last = house.git(&builder, &["rev-parse", "HEAD"]);
        let mut slowest = Duration::ZERO;
        for at in 0..20 {
            let clone = &all[at * 2].repo;
            let to = house.git(clone, &["commit-tree", "-p", &last, "-m", "x", "HEAD^{tree}"]);
            let begun = Instant::now();
            // What git does at the end of a commit.
            fs::write(clone.join(".git/refs/heads/main.lock"), format!("{to}\n")).unwrap();
            let refs = clone.join(".git/refs/heads");
            fs::rename(refs.join("main.lock"), refs.join("main")).unwrap();
            let told = told(&mut watch).await;
            slowest = slowest.max(begun.elapsed());
            assert_eq!(told, BTreeSet::from([all[at * 2].clone()]));
            last = house.git(&builder, &["rev-parse", "HEAD"]);
            settle_short(&mut watch).await;
        }
        println!("told after {slowest:?} at most");
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    });
}

async fn settle_short(watch: &mut Watch) {
    while timeout(Duration::from_millis(50), watch.changed()).await.is_ok() {}
}

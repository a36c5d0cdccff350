//! What a line is called, whatever is done to the history it came by.

use std::fs;
use std::path::Path;
use std::time::Instant;

use regex::Regex;

use super::super::{Reader, Wanted};
use super::support::{House, asked, claims, ids, line, look, texts};

/// A repository with three claims in four commits.
fn three(house: &House) -> std::path::PathBuf {
    let repo = house.init("repo");
    house.commit(&repo, "STATUS.md", "# Status\nCLAIMED D1\n");
    house.commit(&repo, "STATUS.md", "# Status\nCLAIMED D2\nCLAIMED D1\n");
    house.commit(&repo, "other.txt", "x\n");
    house.commit(&repo, "STATUS.md", "# Status\nintro\nCLAIMED D2\nCLAIMED D1\nCLAIMED D3\n");
    repo
}

#[test]
fn each_matching_line_has_the_commit_that_brought_it_and_its_place_in_time() {
    let house = House::new();
    let repo = three(&house);
    let reading = look(claims(&repo));
    assert_eq!(texts(&reading), ["CLAIMED D1", "CLAIMED D2", "CLAIMED D3"]);
    let log = house.git(&repo, &["log", "--reverse", "--format=%H", "--", "STATUS.md"]);
    let commits: Vec<&str> = log.lines().collect();
    for (at, line) in reading.lines.iter().enumerate() {
        assert_eq!((line.commit.as_str(), line.rank), (commits[at], at));
        assert!(line.at.head && !line.at.upstream && line.was.is_none());
    }
    assert_eq!(line(&reading, "CLAIMED D3").position, 5);
    assert!(reading.settled);
}

#[test]
fn a_reader_that_follows_says_the_same_as_one_that_looks_for_the_first_time() {
    let house = House::new();
    let repo = three(&house);
    let mut reader = Reader::new(claims(&repo));
    let first = reader.read().unwrap();
    let mut text = fs::read_to_string(repo.join("STATUS.md")).unwrap();
    for round in 0..6 {
        text = match round {
            2 => text.replace("CLAIMED D1\n", ""),
            3 => format!("{text}CLAIMED D1\n"),
            _ => format!("CLAIMED E{round}\n{text}x\n"),
        };
        house.commit(&repo, "STATUS.md", &text);
        let followed = reader.read().unwrap();
        assert_eq!(ids(&followed), ids(&look(claims(&repo))), "round {round}");
        let ranks: Vec<_> = followed.lines.iter().map(|it| &it.commit).collect();
        let afresh = look(claims(&repo));
        assert_eq!(ranks, afresh.lines.iter().map(|it| &it.commit).collect::<Vec<_>>());
    }
    let last = reader.read().unwrap();
    let anew = &line(&last, "CLAIMED D1").id;
    assert_ne!(*anew, line(&first, "CLAIMED D1").id, "the same text, claimed anew");
}

/// What must not change what a line is called.
#[test]
fn a_line_keeps_its_name_through_amend_rebase_gc_and_another_branch() {
    let house = House::new();
    let repo = three(&house);
    let mut reader = Reader::new(claims(&repo));
    let first = reader.read().unwrap();
    let same = |reader: &mut Reader, after: &str| {
        let followed = reader.read().unwrap();
        assert_eq!(ids(&followed), ids(&first), "after {after}");
        assert_eq!(ids(&look(claims(&repo))), ids(&first), "at first sight after {after}");
    };
    house.git(&repo, &["commit", "--quiet", "--amend", "-m", "another text"]);
    same(&mut reader, "amend");
    house.git(&repo, &["gc", "--quiet", "--prune=now"]);
    same(&mut reader, "gc");
    house.git(&repo, &["pack-refs", "--all"]);
    house.git(&repo, &["repack", "-adq"]);
    same(&mut reader, "repack");
    house.git(&repo, &["checkout", "--quiet", "-b", "side", "HEAD~3"]);
    assert_eq!(texts(&reader.read().unwrap()), ["CLAIMED D1"]);
    house.commit(&repo, "base.txt", "base\n");
    house.git(&repo, &["checkout", "--quiet", "main"]);
    same(&mut reader, "checkout and back");
    house.git(&repo, &["rebase", "--quiet", "side"]);
    same(&mut reader, "rebase");
    house.git(&repo, &["reflog", "expire", "--expire=now", "--all"]);
    house.git(&repo, &["gc", "--quiet", "--prune=now"]);
    same(&mut reader, "gc of what was rebased");
    house.git(&repo, &["reset", "--quiet", "--hard", "HEAD~1"]);
    assert_eq!(reader.read().unwrap().lines.len(), 2);
    house.git(&repo, &["reset", "--quiet", "--hard", "HEAD@{1}"]);
    same(&mut reader, "reset and back");
}

#[test]
fn a_squash_gives_a_line_another_name_and_says_which_it_had() {
    let house = House::new();
    let repo = three(&house);
    let mut reader = Reader::new(claims(&repo));
    let first = reader.read().unwrap();
    house.git(&repo, &["reset", "--quiet", "--soft", "HEAD~2"]);
    house.git(&repo, &["commit", "--quiet", "-m", "squashed"]);
    let after = reader.read().unwrap();
    let (old, new) = (line(&first, "CLAIMED D3"), line(&after, "CLAIMED D3"));
    assert_ne!(old.id, new.id);
    assert_eq!(new.was.as_ref(), Some(&old.id));
    assert_eq!(line(&after, "CLAIMED D1").was, None);
}

#[test]
fn what_is_fetched_counts_once_with_what_is_checked_out() {
    let house = House::new();
    let (_, builder, adversary) = house.shared();
    let mut reader = Reader::new(claims(&adversary));
    assert!(reader.read().unwrap().lines.is_empty());
    house.commit(&builder, "STATUS.md", "CLAIMED D1\n");
    house.git(&builder, &["push", "--quiet"]);
    assert!(reader.read().unwrap().lines.is_empty());
    house.git(&adversary, &["fetch", "--quiet"]);
    let fetched = reader.read().unwrap();
    assert!(!fetched.lines[0].at.head && fetched.lines[0].at.upstream);
    let local = look(claims(&builder));
    assert_eq!(fetched.lines[0].id, local.lines[0].id);
    house.git(&adversary, &["merge", "--quiet", "--ff-only", "origin/main"]);
    let both = reader.read().unwrap();
    assert!(both.lines.len() == 1 && both.lines[0].at.head && both.lines[0].at.upstream);

    house.git(&builder, &["commit", "--quiet", "--amend", "-m", "forced"]);
    house.git(&builder, &["push", "--quiet", "--force"]);
    house.git(&adversary, &["fetch", "--quiet"]);
    let forced = reader.read().unwrap();
    assert_eq!(ids(&forced), ids(&both));
    assert!(forced.lines[0].at.head && forced.lines[0].at.upstream);
}

#[test]
fn both_sides_of_a_merge_keep_the_names_of_their_lines() {
    let house = House::new();
    let repo = house.init("repo");
    house.commit(&repo, "STATUS.md", "a\nb\nc\nd\ne\n");
    house.git(&repo, &["checkout", "--quiet", "-b", "side"]);
    house.commit(&repo, "STATUS.md", "CLAIMED left\na\nb\nc\nd\ne\n");
    let left = look(claims(&repo));
    house.git(&repo, &["checkout", "--quiet", "main"]);
    house.commit(&repo, "STATUS.md", "a\nb\nc\nd\ne\nCLAIMED right\n");
    let mut reader = Reader::new(claims(&repo));
    let right = reader.read().unwrap();
    house.git(&repo, &["merge", "--quiet", "--no-edit", "side"]);
    let merged = reader.read().unwrap();
    assert_eq!(ids(&merged), &ids(&left) | &ids(&right));
    assert_eq!(ids(&look(claims(&repo))), ids(&merged));
}

#[test]
fn a_heading_has_its_section_and_a_name_that_changes_with_it() {
    let house = House::new();
    let repo = house.init("repo");
    let wanted = || asked(&repo, Wanted::Heading("## DONE".into()));
    house.commit(&repo, "STATUS.md", "```\n## DONE\n```\n# Status\n");
    let mut reader = Reader::new(wanted());
    assert!(reader.read().unwrap().lines.is_empty());
    let done = house.commit(
        &repo,
        "STATUS.md",
        "```\n## DONE\n```\n# Status\n\n## DONE\nall of it\n## Next\nx\n",
    );
    let first = reader.read().unwrap();
    let section = first.lines[0].section.clone().unwrap();
    assert_eq!((first.lines.len(), section.text.as_str()), (1, "all of it"));
    assert_eq!(section.heading_commit, done);
    house.commit(&repo, "STATUS.md", "# Status\n\n## DONE\nall of it\n## Next\ny\n");
    assert_eq!(ids(&reader.read().unwrap()), ids(&first), "another section changed");
    let more = house.commit(&repo, "STATUS.md", "# Status\n\n## DONE\nall of it, truly\n## Next\n");
    let changed = reader.read().unwrap();
    assert_ne!(ids(&changed), ids(&first));
    assert_eq!(changed.lines[0].commit, more);
    assert_eq!(changed.lines[0].section.as_ref().unwrap().heading_commit, done);
    assert_eq!(changed.lines[0].section.as_ref().unwrap().heading, section.heading);
    let afresh = look(wanted());
    assert_eq!(ids(&changed), ids(&afresh));
    assert_eq!(changed.lines[0].section, afresh.lines[0].section);
    house.commit(&repo, "STATUS.md", "# Status\n");
    assert!(reader.read().unwrap().lines.is_empty());
}

#[test]
fn a_file_that_changes_back_has_changed_twice() {
    let house = House::new();
    let repo = house.init("repo");
    let mut reader = Reader::new(asked(&repo, Wanted::Change));
    let mut seen = Vec::new();
    for text in ["a\n", "b\n", "a\n"] {
        house.commit(&repo, "STATUS.md", text);
        house.commit(&repo, "other", &format!("{}", seen.len()));
        let reading = reader.read().unwrap();
        assert_eq!(reading.lines.len(), 1);
        assert_eq!(ids(&reading), ids(&look(asked(&repo, Wanted::Change))));
        seen.push(reading.lines[0].id.clone());
    }
    assert!(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2]);
}

#[test]
fn the_working_file_counts_where_that_is_asked_for_and_never_through_a_link() {
    let house = House::new();
    let repo = three(&house);
    let mut ask = claims(&repo);
    ask.working = true;
    let mut reader = Reader::new(ask);
    assert!(reader.read().unwrap().working.is_empty());
    let text = fs::read_to_string(repo.join("STATUS.md")).unwrap();
    fs::write(repo.join("STATUS.md"), format!("CLAIMED D9\r\n{text}CLAIMED D1\n")).unwrap();
    let reading = reader.read().unwrap();
    let seen: Vec<&str> = reading.working.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(seen, ["CLAIMED D9", "CLAIMED D1"]);
    assert!(reading.working.iter().all(|it| it.id.starts_with("w:")));
    fs::write(house.path("secret"), "CLAIMED secret\n").unwrap();
    fs::remove_file(repo.join("STATUS.md")).unwrap();
    std::os::unix::fs::symlink(house.path("secret"), repo.join("STATUS.md")).unwrap();
    let said = reader.read().unwrap_err().to_string();
    assert!(said.contains("no regular file"), "{said}");
    fs::remove_file(repo.join("STATUS.md")).unwrap();
    assert!(reader.read().unwrap().working.is_empty());
    house.git(&repo, &["checkout", "--", "STATUS.md"]);
}

/// Whoever looks while another commits, amends and rebases sees each line under one name.
#[test]
fn in_a_storm_of_commits_no_line_is_missed_and_none_has_two_names() {
    let house = House::new();
    let (_, builder, adversary) = house.shared();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::SeqCst;
    let (seen, unreadable) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut reader = Reader::new(claims(&builder));
            let (mut seen, mut unreadable) = (std::collections::BTreeMap::new(), 0);
            loop {
                let last = stop.load(order);
                match reader.read() {
                    Ok(reading) => {
                        seen.extend(reading.lines.into_iter().map(|it| (it.id, it.text)))
                    }
                    Err(_) => unreadable += 1,
                }
                if last {
                    return (seen, unreadable);
                }
            }
        });
        let mut text = String::new();
        for at in 0..15 {
            text += &format!("CLAIMED D{at}\n");
            house.commit(&builder, "STATUS.md", &text);
            match at % 5 {
                1 => drop(house.git(&builder, &["commit", "--quiet", "--amend", "-m", "amended"])),
                2 => {
                    house.git(&adversary, &["pull", "--quiet", "--rebase"]);
                    house.commit(&adversary, "REVIEW.md", &format!("FAIL {at}\n"));
                    house.git(&adversary, &["push", "--quiet"]);
                    house.git(&builder, &["pull", "--quiet", "--rebase"]);
                    house.git(&builder, &["push", "--quiet"]);
                }
                3 => drop(house.git(&builder, &["gc", "--quiet", "--prune=now"])),
                _ => {}
            }
        }
        stop.store(true, order);
        looking.join().unwrap()
    });
    println!("{unreadable} looks in vain");
    let texts: std::collections::BTreeSet<&String> = seen.values().collect();
    assert_eq!((seen.len(), texts.len()), (15, 15), "{seen:#?}");
}

/// The history of `commits` commits, each of which changes the file.
fn long(house: &House, repo: &Path, commits: usize) {
    let mut stream = String::new();
    let mut lines: Vec<String> = (0..200).map(|at| format!("line {at} of the status")).collect();
    for at in 0..commits {
        let place = (at * 37) % lines.len();
        match at % 20 {
            0 => lines.insert(place, format!("CLAIMED D{at}")),
            _ => lines[place] = format!("line {at} of round {place}"),
        }
        let text = lines.join("\n") + "\n";
        let (date, len) = (1_700_000_000 + at * 60, text.len());
        let who = format!("agent <a@example.org> {date} +0000");
        stream += &format!("commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata 1\nx\n");
        stream += &format!("M 100644 inline STATUS.md\ndata {len}\n{text}\n");
    }
    fs::write(house.path("stream"), stream).unwrap();
    let mut command = std::process::Command::new("git");
    command.current_dir(repo).args(["fast-import", "--quiet"]);
    let done = command.stdin(fs::File::open(house.path("stream")).unwrap()).status().unwrap();
    assert!(done.success());
    house.git(repo, &["reset", "--quiet", "--hard"]);
}

#[test]
fn a_new_commit_in_a_long_history_is_read_in_a_moment() {
    let house = House::new();
    let repo = house.init("repo");
    long(&house, &repo, 2000);
    let mut reader = Reader::new(claims(&repo));
    let begun = Instant::now();
    let before = reader.read().unwrap().lines.len();
    let first = begun.elapsed();
    let mut slowest = std::time::Duration::ZERO;
    let mut all = Vec::new();
    for at in 0..10 {
        let text = fs::read_to_string(repo.join("STATUS.md")).unwrap();
        house.commit(&repo, "STATUS.md", &format!("{text}CLAIMED new {at}\n"));
        let begun = Instant::now();
        let reading = reader.read().unwrap();
        all.push(begun.elapsed());
        slowest = slowest.max(begun.elapsed());
        assert_eq!(reading.lines.len(), before + at + 1);
    }
    let begun = Instant::now();
    reader.read().unwrap();
    let idle = begun.elapsed();
    println!("first look {first:?}, {before} lines; a new commit {all:?}; no news {idle:?}");
    // Some ten times what it takes, for a machine under load.
    assert!(slowest.as_millis() < 200, "{slowest:?}");
    let begun = Instant::now();
    house.git(&repo, &["commit", "--quiet", "--amend", "-m", "amended"]);
    let amended = Instant::now();
    reader.read().unwrap();
    println!("amend {:?}, then {:?}", begun.elapsed(), amended.elapsed());
}

#[test]
fn garbage_in_a_file_is_a_text_like_any_other() {
    let house = House::new();
    let repo = house.init("repo");
    let file = repo.join("STATUS.md");
    let mut bytes = b"CLAIMED \xff\xfe\0x\r\nCLAIMED".to_vec();
    bytes.extend(vec![b'x'; 100_000]);
    fs::write(&file, bytes).unwrap();
    house.git(&repo, &["add", "STATUS.md"]);
    house.git(&repo, &["commit", "--quiet", "-m", "x"]);
    let reading = look(claims(&repo));
    assert_eq!(reading.lines.len(), 2);
    fs::write(&file, vec![b'\n'; 9 * 1024 * 1024]).unwrap();
    house.git(&repo, &["commit", "--quiet", "-am", "long"]);
    let said = Reader::new(claims(&repo)).read().unwrap_err().to_string();
    assert!(said.contains("9437184 bytes"), "{said}");
    fs::write(&file, "x\n".repeat(30_000)).unwrap();
    house.git(&repo, &["commit", "--quiet", "-am", "many"]);
    let all = asked(&repo, Wanted::Line(Regex::new("").unwrap()));
    let said = Reader::new(all).read().unwrap_err().to_string();
    assert!(said.contains("narrower"), "{said}");
}

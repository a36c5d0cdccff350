use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const LINE: &str =
    "- 2026-05-27T06:15:25Z boot_id=new kernel=6.1.0 after=unclean previous_uptime=2d3h4m5s";

fn reboot(boot_id: &str) -> Reboot<'_> {
    Reboot {
        boot_id,
        at: clock::parse_rfc3339("2026-05-27T06:15:25Z").unwrap(),
        kernel: "6.1.0",
        after: After::Unclean,
        previous_uptime: Some(Duration::from_secs(183_845)),
    }
}

fn logged(text: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("REBOOTS.md");
    fs::write(&path, text).unwrap();
    assert_eq!(ensure_logged(&path, &reboot("new")).unwrap(), Logged::Appended);
    let once = fs::read(&path).unwrap();
    assert_eq!(ensure_logged(&path, &reboot("new")).unwrap(), Logged::Already);
    assert_eq!(fs::read(&path).unwrap(), once);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    once
}

#[test]
fn the_line_goes_to_the_end_of_the_section_and_nothing_else_changes() {
    // Where `@` stands, the line (with its end) appears; `~` is an added line end.
    for marked in [
        "# T\n\n## Reboots\n\n- old\n@",
        "# T\n\n## Reboots\n\n@",
        "## Reboots\n~@",
        "## Reboots~~@",
        "## Reboots\n- old~@",
        "## Reboots\n- old\n@\n\n",
        "## Reboots\n\n- old\n@\n## Notes\n- no entry\n",
        "## Reboots\n- old\n@~## Notes\n",
        "## Reboots\n\n@~## Notes\n",
        "## Reboots\n~@~## Notes\n",
        "## Reboots\n\nSome words.\n~@",
        "## Reboots\n\nSome words.\n\n@",
        "## Reboots ##\n### 2025\n* old\n@\n# Other\n",
        "```\n## Reboots\n```\n\n## Reboots\n- old\n@",
        "## Reboots\n- old\n```\n## x\n```\n~@",
        "## Reboots\n```\nnever closed\n~@",
        "```\nnever closed\n## Reboots\n- old\n@",
        "## Rebootstrap\n~## Reboots~~@",
        "text without an end~~## Reboots~~@",
        " ## Reboots\n1. old\n@",
    ] {
        // A heading right behind `~` is added too.
        let original = match marked.split_once("~## Reboots~~@") {
            Some((before, _)) => before.replace('~', ""),
            None => marked.replace(['@', '~'], ""),
        };
        let wanted = marked.replace('~', "\n").replace('@', &format!("{LINE}\n"));
        let got = String::from_utf8(logged(original.as_bytes())).unwrap();
        assert_eq!(got, wanted, "{original:?}");
    }
}

#[test]
fn an_empty_file_gets_the_heading() {
    let got = String::from_utf8(logged(b"")).unwrap();
    assert_eq!(got, format!("## Reboots\n\n{LINE}\n"));
}

#[test]
fn line_ends_of_windows_and_bytes_that_are_no_text_stay() {
    let got = logged(b"# \xff\xfe\r\n\r\n## Reboots\r\n\r\n- old\r\n\r\n## \xc3\r\n");
    let begin = b"# \xff\xfe\r\n\r\n## Reboots\r\n\r\n- old\r\n".to_vec();
    let wanted = [begin, format!("{LINE}\r\n").into_bytes(), b"\r\n## \xc3\r\n".to_vec()].concat();
    assert_eq!(got, wanted);
}

#[test]
fn a_missing_file_is_made_with_its_head() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("REBOOTS.md");
    assert_eq!(ensure_logged(&path, &reboot("new")).unwrap(), Logged::Appended);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{HEAD}{LINE}\n"));
    assert_eq!(read(&path).unwrap().len(), 1);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
    let err = ensure_logged(Path::new("/nonexistent/R.md"), &reboot("new")).unwrap_err();
    assert_eq!(err.to_string(), "cannot log this boot in /nonexistent/R.md");
}

#[test]
fn links_modes_and_owners_stay() {
    for text in ["## Reboots\n", "## Reboots\n\n## Next\n"] {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.md"), dir.path().join("link.md"));
        fs::write(&real, text).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o664)).unwrap();
        let other = rustix::process::geteuid().is_root();
        if other {
            chown(&real, Some(1234), Some(1235)).unwrap();
        } else {
            eprintln!("SKIPPED in part: keeping another owner needs root");
        }
        symlink("real.md", &link).unwrap();
        ensure_logged(&link, &reboot("new")).unwrap();
        assert!(link.is_symlink());
        let meta = fs::metadata(&real).unwrap();
        assert_eq!(meta.mode() & 0o7777, 0o664);
        assert!(!other || (meta.uid(), meta.gid()) == (1234, 1235));
        assert_eq!(read(&link).unwrap().len(), 1);
    }
}

#[test]
fn a_link_to_nothing_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    symlink("real.md", dir.path().join("link.md")).unwrap();
    ensure_logged(&dir.path().join("link.md"), &reboot("new")).unwrap();
    assert_eq!(read(&dir.path().join("real.md")).unwrap().len(), 1);
}

#[test]
fn entries_of_every_shape_count() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("REBOOTS.md");
    let text = "- not here\n## Reboots\n\nwords\n\n- 2026-05-01: by hand\n\
                - **2026-05-02T10:00:00Z** (`boot_id=abc`)\n  - a detail\n* star\n2) number\n-\n\
                -no item\n## Other\n- nor here\n";
    fs::write(&path, text).unwrap();
    ensure_logged(&path, &reboot("new")).unwrap();
    let entries = read(&path).unwrap();
    let lines: Vec<_> = entries.iter().map(|entry| entry.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "2026-05-01: by hand",
            "**2026-05-02T10:00:00Z** (`boot_id=abc`)",
            "star",
            "number",
            &LINE[2..],
        ]
    );
    assert_eq!(entries[1].boot_id.as_deref(), Some("abc"));
    assert_eq!(entries[1].at.map(clock::rfc3339).as_deref(), Some("2026-05-02T10:00:00Z"));
    assert_eq!(entries[0].at, None);
    assert_eq!(entries[4].boot_id.as_deref(), Some("new"));
    assert!(read(&dir.path().join("missing")).unwrap().is_empty());
}

#[test]
fn durations_leave_out_what_is_zero() {
    let check = |s, wanted| assert_eq!(duration(Duration::from_secs(s)), wanted);
    check(0, "0s");
    check(59, "59s");
    check(86_400, "1d");
    check(90_061, "1d1h1m1s");
}

/// Others append to the file, and replace it, while many boots are logged; whether our line is
/// appended or the file replaced depends on what `text` ends with.
fn crowd(text: &str) {
    const MANY: usize = 150;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("REBOOTS.md");
    fs::write(&path, text).unwrap();
    let done = AtomicBool::new(false);
    let theirs = thread::scope(|scope| {
        // An editor: reads, changes its own line, renames; it holds the flock as git does not,
        // because two who both read, think and rename can only lose to each other without.
        let editor = scope.spawn(|| {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                let file = File::open(&path).unwrap();
                flock(&file, FlockOperation::LockExclusive).unwrap();
                if !is_at(&file, &path) {
                    continue;
                }
                let mut text = fs::read_to_string(&path).unwrap();
                text.insert_str(0, &format!("edit {n}\n"));
                n += 1;
                let tmp = dir.path().join("editor");
                fs::write(&tmp, text).unwrap();
                fs::rename(&tmp, &path).unwrap();
                drop(file);
                thread::yield_now();
            }
            n
        });
        let second = scope.spawn(|| {
            for n in 0..MANY {
                ensure_logged(&path, &reboot(&format!("second-{n}."))).unwrap();
            }
        });
        for n in 0..MANY {
            ensure_logged(&path, &reboot(&format!("first-{n}."))).unwrap();
        }
        second.join().unwrap();
        done.store(true, Ordering::Relaxed);
        editor.join().unwrap()
    });
    let text = fs::read_to_string(&path).unwrap();
    for n in 0..theirs {
        assert_eq!(text.matches(&format!("edit {n}\n")).count(), 1, "edit {n}");
    }
    for n in 0..MANY {
        assert_eq!(text.matches(&format!("first-{n}.")).count(), 1, "first {n}");
        assert_eq!(text.matches(&format!("second-{n}.")).count(), 1, "second {n}");
    }
    assert_eq!(read(&path).unwrap().len(), 2 * MANY);
}

#[test]
fn nothing_is_lost_when_others_write_at_the_same_time_and_we_append() {
    crowd("# T\n\n## Reboots\n\n");
}

#[test]
fn nothing_is_lost_when_others_write_at_the_same_time_and_we_replace() {
    crowd("# T\n\n## Reboots\n\n## Next\n");
}

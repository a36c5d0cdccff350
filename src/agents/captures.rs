//! The captured screens of a program, for its tests: each is read as what it was taken for, and none is
//! left out.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Profile, ScreenText};
use crate::decide::Reading;

fn folder(program: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(program)
}

pub(super) fn text(program: &str, file: &str) -> String {
    std::fs::read_to_string(folder(program).join(file)).expect(file)
}

/// A pane of which nothing but the text is known.
pub(super) fn screen(text: &str) -> ScreenText<'_> {
    ScreenText { text, cursor: None, directory: None, now: std::time::SystemTime::UNIX_EPOCH }
}

/// `expected` lists captures by their names without an ending: `.txt`, and with colours `.ansi`.
pub(super) fn check(profile: &dyn Profile, program: &str, expected: &[(Reading, &str)]) {
    let entries = std::fs::read_dir(folder(program)).expect("the captures").flatten();
    let mut there: BTreeSet<String> =
        entries.map(|entry| entry.file_name().into_string().expect("a name")).collect();
    for (reading, names) in expected {
        for name in names.split_whitespace() {
            for file in [format!("{name}.txt"), format!("{name}.ansi")] {
                if there.remove(&file) {
                    let text = text(program, &file);
                    let seen = profile.screen(&screen(&text));
                    assert_eq!(seen.shows.reading(), *reading, "{file}: {seen:?}");
                } else {
                    assert!(file.ends_with(".ansi"), "{file} is not there");
                }
            }
        }
    }
    assert!(there.is_empty(), "not listed: {there:?}");
}

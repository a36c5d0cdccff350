//! A session's kickoff prompt: for a start, and to be typed into a conversation that was begun in a
//! living process. Not here: when it is told.

use std::path::Path;
use std::rc::Rc;

use super::prepare::CEILING;
use crate::config::{Phase, Unit};
use crate::daemon::shared::Shared;
use crate::daemon::told::chain;
use crate::decide::Event;
use crate::world::files::{self, Durability};

/// What is longer is not typed, in bytes: the terminal takes it slowly, and an input line that
/// scrolls cannot be read back.
const TYPED_MAX: usize = 8 * 1024;

/// The kickoff prompt with the phase filled in; `because` says in it why the conversation is a fresh
/// one. None if there is none.
///
/// # Errors
/// The file cannot be read.
pub(super) fn prompt(
    unit: &Unit,
    phase: Option<&Phase>,
    because: Option<&str>,
) -> Result<Option<String>, String> {
    let file = unit.session.as_ref().and_then(|keys| keys.prompt_file.as_ref());
    let Some(file) = file else { return Ok(None) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read the prompt file {}: {error}", file.display()))?;
    let text = match phase {
        Some(phase) => text.replace("{phase}", &phase.name).replace("{plan}", &phase.plan),
        None => text,
    };
    let mut text = text.trim_end().to_owned();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(because) = because {
        text += &format!(
            "\n\n(This is a fresh conversation: the last one could not go on, because of \
             \"{because}\". See first how far your work had come.)"
        );
    }
    Ok(Some(text))
}

/// Answers [`crate::decide::Action::Kickoff`].
pub(in crate::daemon) async fn say(shared: Rc<Shared>, unit: Unit, because: String) {
    let name = unit.name.clone();
    let phase = shared.phase();
    let folder = shared.config.supervisor.runtime_dir.join("agents");
    let work = tokio::task::spawn_blocking(move || {
        let text = prompt(&unit, phase.as_ref(), Some(&because))?;
        let aside = folder.join(format!("{}.kickoff.md", unit.name));
        text.map(|text| to_be_typed(text, &aside)).transpose()
    });
    let said = match tokio::time::timeout(CEILING, work).await {
        Ok(Ok(said)) => said,
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("reading and writing its files hangs".to_owned()),
    };
    let text = said.unwrap_or_else(|why| {
        shared.limit(&name, format!("it goes on without its kickoff prompt: {why}"));
        None
    });
    shared.post(Event::Kickoff { unit: name, text });
}

/// The text, or a line that names the file `aside`, into which the text was put.
fn to_be_typed(text: String, aside: &Path) -> Result<String, String> {
    let is_key = |c: char| c.is_control() && c != '\n';
    // At the beginning of an input line it is a key that makes the rest a command for the shell.
    if text.len() <= TYPED_MAX && !text.contains(is_key) && !text.starts_with('!') {
        return Ok(text);
    }
    files::write_atomic(aside, text.as_bytes(), Durability::Process, 0o600)
        .map_err(|error| chain(&error))?;
    Ok(format!("Read your instructions from the file {} and follow them.", aside.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use super::*;
    use crate::config::SessionKeys;
    use crate::decide::{UnitKind, UnitName};

    /// A folder, and a session whose prompt file in it says this.
    fn session(text: &str) -> (tempfile::TempDir, Unit) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prompt.md");
        std::fs::write(&file, text).unwrap();
        let mut unit = Unit::retired(UnitName::new("builder").unwrap(), UnitKind::Session);
        unit.session = Some(SessionKeys { prompt_file: Some(file), ..SessionKeys::default() });
        (folder, unit)
    }

    #[test]
    fn phase_and_reason_are_filled_in() {
        let (_folder, unit) = session("Phase {phase}: read {plan}.\n\n");
        let phase =
            Phase { name: "1c".to_owned(), plan: "plan-1c.md".to_owned(), ..Phase::default() };
        let text = prompt(&unit, Some(&phase), Some("a 400")).unwrap().unwrap();
        assert!(text.starts_with("Phase 1c: read plan-1c.md.\n\n("), "{text}");
        assert!(text.contains("\"a 400\""), "{text}");
        let plain = prompt(&unit, None, None).unwrap().unwrap();
        assert_eq!(plain, "Phase {phase}: read {plan}.");
    }

    #[test]
    fn an_empty_prompt_is_none_and_a_missing_one_is_named() {
        let (folder, unit) = session(" \n");
        assert_eq!(prompt(&unit, None, Some("x")), Ok(None));
        drop(folder);
        let error = prompt(&unit, None, Some("x")).unwrap_err();
        assert!(error.contains("prompt.md"), "{error}");
    }

    #[test]
    fn what_cannot_be_typed_goes_by_a_file_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let aside = folder.path().join("builder.kickoff.md");
        let said = |text: &str| to_be_typed(text.to_owned(), &aside).unwrap();
        let short = "two\nlines";
        assert_eq!(said(short), short);
        assert!(!aside.exists());
        for text in ["x".repeat(TYPED_MAX + 1), "a\ttab".to_owned(), "!ls".to_owned()] {
            let line = said(&text);
            assert!(line.contains(&aside.display().to_string()) && !line.contains('\n'), "{line}");
            assert_eq!(std::fs::read_to_string(&aside).unwrap(), text);
            assert_eq!(aside.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        let nowhere = PathBuf::from("/proc/nowhere/builder.kickoff.md");
        assert!(to_be_typed("a\ttab".to_owned(), &nowhere).is_err());
    }
}

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use rustix::process::Signal;

use super::*;
use crate::agents::claude::Claude;
use crate::daemon::agents::Agents;
use crate::daemon::shared::LeafSpawner;
use crate::decide::UnitName;
use crate::world::tmux::{ServerSpec, Size, Tmux};

const LIMIT: [&str; 2] = ["What do you want to do?", "Enter to confirm · Esc to cancel"];
const PERMISSION: [&str; 2] = ["Do you want to proceed?", "Esc to cancel · Tab to amend"];
const TRUST: [&str; 2] =
    ["Do you trust the files in this folder?", "Enter to confirm · Esc to exit"];
const STOP: &str = "Stop and wait for limit to reset";
const WAIT: &str = "Wait here, then continue automatically at 6pm";
const UPGRADE: &str = "Upgrade your plan";

/// A double of a program at a dialog, in a tmux of its own.
struct Stage {
    folder: tempfile::TempDir,
    server: Rc<Server>,
    known: Rc<Known>,
    process: Process,
}

impl Stage {
    async fn of(how: &str, box_: [&str; 2], options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/daemon/agents/answering/dialog.sh");
        let out = folder.path().join("done");
        let mut argv: Vec<OsString> = vec!["bash".into(), script.into(), out.into(), how.into()];
        argv.extend(box_.iter().chain(options).map(OsString::from));
        let path = std::env::var_os("PATH").unwrap();
        let children = LeafSpawner { leaf: None };
        let tmux = Tmux::find(&children, &path).await.unwrap();
        let socket = folder.path().join("s");
        let environment = vec![("PATH".into(), path), ("LANG".into(), "C.UTF-8".into())];
        let spec = ServerSpec { socket, size: Size::default(), argv, environment };
        let server = Server::start(&tmux, &children, &children, spec).await.unwrap().server;
        let home = BTreeMap::from([("HOME".into(), folder.path().into())]);
        let unit = UnitName::new("builder").unwrap();
        let known = Agents::default().know(&unit, &Claude, &home).unwrap();
        let process = server.program().process.unwrap();
        let stage = Self { folder, server: Rc::new(server), known, process };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !stage.server.capture(false, false).await.unwrap().contains(box_[1]) {
            assert!(Instant::now() < deadline, "the dialog does not come up");
            sleep(PAUSE).await;
        }
        stage
    }

    /// The registry says of it that it does this.
    fn lists(&self, status: &str) {
        let Process { pid, start } = self.process;
        let file =
            format!(r#"{{"pid":{pid},"procStart":"{start}","sessionId":"x","cwd":"/w",{status}}}"#);
        let registry = self.known.places.registry.as_ref().expect("it has one");
        std::fs::create_dir_all(registry).unwrap();
        std::fs::write(registry.join(format!("{pid}.json")), file).unwrap();
    }

    async fn answer(&self, dialog: Dialog, answer: Answer) -> Result<(), String> {
        let (server, known) = (Rc::clone(&self.server), &*self.known);
        Hand { server, known, process: self.process, directory: None }.answer(dialog, answer).await
    }

    /// The keys that have come to the program, but for those that only moved the mark.
    fn pressed(&self) -> Vec<String> {
        let done = std::fs::read_to_string(self.folder.path().join("done")).unwrap_or_default();
        done.lines().filter(|line| *line != "moved").map(str::to_owned).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let server = self.server.process();
        if let Some(handle) = crate::world::pidfd::open(server).unwrap() {
            rustix::process::pidfd_send_signal(&handle, Signal::KILL).unwrap();
        }
    }
}

fn runs(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

const WAITING: &str = r#""status":"waiting","waitingFor":"permission prompt""#;

#[test]
fn the_option_that_waits_is_taken_wherever_it_stands() {
    runs(async {
        for options in [[STOP, WAIT, UPGRADE], [UPGRADE, STOP, WAIT], [WAIT, STOP, UPGRADE]] {
            let stage = Stage::of("well", LIMIT, &options).await;
            assert_eq!(stage.answer(Dialog::Limit, Answer::Wait).await, Ok(()));
            assert_eq!(stage.pressed(), [format!("took {WAIT}")], "{options:?}");
        }
    });
}

#[test]
fn enter_is_never_pressed_where_the_mark_is_not_seen_on_the_option() {
    runs(async {
        for (how, options) in [
            ("deaf", vec![STOP, WAIT, UPGRADE]),
            ("fickle", vec![UPGRADE, STOP, WAIT]),
            ("well", vec![STOP, UPGRADE]),
            ("well", vec![UPGRADE, "Continue without waiting"]),
        ] {
            let stage = Stage::of(how, LIMIT, &options).await;
            let why = stage.answer(Dialog::Limit, Answer::Wait).await.unwrap_err();
            assert_eq!(stage.pressed(), [""; 0], "{how}: {why}");
        }
    });
}

#[test]
fn escape_is_pressed_where_screen_and_registry_agree_and_is_seen_to_work() {
    runs(async {
        let stage = Stage::of("well", PERMISSION, &["Yes", "No"]).await;
        stage.lists(WAITING);
        assert_eq!(stage.answer(Dialog::Permission, Answer::Escape).await, Ok(()));
        assert_eq!(stage.pressed(), ["escape"]);
        let why = stage.answer(Dialog::Permission, Answer::Escape).await.unwrap_err();
        assert!(why.contains("not there any more"), "{why}");
        let stage = Stage::of("deaf", PERMISSION, &["Yes", "No"]).await;
        stage.lists(WAITING);
        let why = stage.answer(Dialog::Permission, Answer::Escape).await.unwrap_err();
        assert!(why.contains("still there is"), "{why}");
        assert_eq!(stage.pressed(), ["escape"], "once");
    });
}

#[test]
fn escape_is_not_pressed_on_one_word_alone_nor_at_a_start() {
    runs(async {
        let stage = Stage::of("well", PERMISSION, &["Yes", "No"]).await;
        let why = stage.answer(Dialog::Permission, Answer::Escape).await.unwrap_err();
        assert!(why.contains("registry"), "{why}");
        stage.lists(r#""status":"busy""#);
        assert!(stage.answer(Dialog::Permission, Answer::Escape).await.is_err());
        stage.lists(WAITING);
        assert!(stage.answer(Dialog::Question, Answer::Escape).await.is_err());
        assert!(stage.answer(Dialog::Start, Answer::Escape).await.is_err());
        assert!(stage.answer(Dialog::Limit, Answer::Wait).await.is_err());
        assert_eq!(stage.pressed(), [""; 0]);
        let stage = Stage::of("well", TRUST, &["No, exit", "Yes"]).await;
        stage.lists(WAITING);
        assert!(stage.answer(Dialog::Permission, Answer::Escape).await.is_err());
        assert!(stage.answer(Dialog::Start, Answer::Escape).await.is_err());
        assert_eq!(stage.pressed(), [""; 0]);
    });
}

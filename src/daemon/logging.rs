//! Our own log: lines on stderr (systemd's journal, a terminal) and in `logs/supervisor.log`, for
//! `supervisor logs supervisor`. Levels: error = a person must act; warn = something was lost or
//! is done in a lesser way; info = what was seen and done; debug = how.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The log is renamed to `supervisor.log.1` when it is larger, in bytes.
const LOG_MAX: u64 = 8 * 1024 * 1024;

/// Sends `tracing` to stderr and to `file`. `RUST_LOG` chooses (`debug`, `agent_supervisor=trace`);
/// a text that cannot be parsed is said and `info` taken.
pub(super) fn init(file: &Path) {
    let (filter, complaint) = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => match text.parse::<Targets>() {
            Ok(targets) => (targets, None),
            Err(error) => (default_filter(), Some(format!("RUST_LOG={text:?}: {error}"))),
        },
        Ok(_) | Err(_) => (default_filter(), None),
    };
    let writer = Both { file: Mutex::new(LogFile::open(file)) };
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false);
    let registry = tracing_subscriber::registry().with(filter).with(layer.with_writer(writer));
    // A second call (a test that runs two daemons in one process) keeps the first one's writer.
    let _ = registry.try_init();
    if let Some(complaint) = complaint {
        tracing::warn!("{complaint}; using info");
    }
}

fn default_filter() -> Targets {
    Targets::new().with_default(LevelFilter::INFO)
}

struct Both {
    file: Mutex<LogFile>,
}

struct LogFile {
    path: PathBuf,
    file: Option<File>,
    size: u64,
}

impl LogFile {
    fn open(path: &Path) -> Self {
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path).ok();
        let size = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |it| it.len());
        Self { path: path.to_owned(), file, size }
    }

    /// A log that cannot be written is no reason to stop: what is lost here is on stderr.
    fn write(&mut self, line: &[u8]) {
        if self.size > LOG_MAX {
            let _ = std::fs::rename(&self.path, self.path.with_extension("log.1"));
            *self = Self::open(&self.path);
        }
        if self.file.is_none() {
            *self = Self::open(&self.path);
        }
        if let Some(file) = &mut self.file
            && file.write_all(line).is_ok()
        {
            self.size += line.len() as u64;
        }
    }
}

struct Line<'a>(&'a Both);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(line);
        if let Ok(mut file) = self.0.file.lock() {
            file.write(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Both {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self)
    }
}

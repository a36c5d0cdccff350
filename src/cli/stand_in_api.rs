//! `stand-in-api`: be the double of the Messages API, and say where.

use std::io::Read as _;

use anyhow::Context as _;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::args;
use super::failure::Failure;
use super::render::put;
use crate::stand_in::{Options, StandIn};

/// Runs the verb until it is killed or, with `--until-eof`, until standard input ends.
pub(super) fn run(args: args::StandInApi) -> Result<(), Failure> {
    let args::StandInApi { listen, control, log, until_eof } = args;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot begin to serve")?;
    LocalSet::new().block_on(&runtime, async {
        let double = StandIn::listen(Options { listen, control, log }).await;
        let double = double.map_err(anyhow::Error::from)?;
        let address = double.address().context("cannot learn the port")?;
        put(&format!("listening on http://{address}\n"))?;
        tokio::select! {
            served = double.serve() => Ok(served.context("cannot serve any longer")?),
            () = end_of_input(), if until_eof => Ok(()),
        }
    })
}

/// Resolves when nobody holds the other end of standard input any more.
async fn end_of_input() {
    let (ended, end) = oneshot::channel();
    // A thread: a read of standard input cannot be waited for in any other way that takes a file, a
    // terminal and a pipe alike. It ends with the process.
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut [0; 64]), Ok(1..)) {}
        // Nobody may wait any more.
        let _ = ended.send(());
    });
    // The thread cannot end without having sent.
    let _ = end.await;
}

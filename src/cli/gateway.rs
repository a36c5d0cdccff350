//! `gateway`: the HTTP gateway and its ledger by hand. A file a verb; the ledger is opened directly,
//! so that all of them but `serve` work with the gateway up and down.

mod drop;
mod hand;
mod list;
mod replay;
mod rotate_secret;
mod serve;
mod show;
mod summary;
mod test;

pub(super) use hand::{Hand, event};
pub(super) use list::text as list_text;
pub(super) use summary::Summary;

use super::Context;
use super::args::{Gateway, GatewayVerb};
use super::failure::Failure;

pub(super) fn run(context: &Context, args: Gateway) -> Result<(), Failure> {
    match args.verb {
        None | Some(GatewayVerb::Serve) => serve::run(context),
        Some(GatewayVerb::List(args)) => list::run(context, &args),
        Some(GatewayVerb::Show(args)) => show::run(context, &args),
        Some(GatewayVerb::Replay(args)) => replay::run(context, &args),
        Some(GatewayVerb::Drop(args)) => drop::run(context, &args),
        Some(GatewayVerb::Test(args)) => test::run(context, &args),
        Some(GatewayVerb::RotateSecret(args)) => rotate_secret::run(context, args),
    }
}

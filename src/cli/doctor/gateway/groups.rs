//! NanoClaw and its groups: is it there, would each of the configuration's names wake an agent, can
//! each agent speak.

use std::path::{Path, PathBuf};

use super::{Check, Viewer};
use crate::config::{Gateway, Group, nearest};
use crate::gateway::courier::{self, Settings};
use crate::nanoclaw::{Generation, Unfit, generation, v1};

const NANOCLAW: &str = "gateway nanoclaw";

/// All of them.
pub(super) fn checks(gateway: &Gateway, viewer: Viewer) -> Vec<Check> {
    let mut checks = mute(gateway);
    let Some(settings) = Settings::of(gateway) else {
        let finding = "no directory is named: letters are kept, and nobody gets them";
        let remedy = "write [gateway.nanoclaw] directory = \"…\"";
        checks.insert(0, Check::warn(NANOCLAW, finding, remedy));
        return checks;
    };
    let generation = match generation(&settings.directory) {
        Ok(generation) => generation,
        Err(why) => {
            let remedy = "correct [gateway.nanoclaw] directory, or start NanoClaw once; letters are \
                          kept until then";
            checks.insert(0, viewer.fail(NANOCLAW, why.to_string(), remedy));
            return checks;
        }
    };
    let number = match generation {
        Generation::V1 => 1,
        Generation::V2 => 2,
    };
    let directory = settings.directory.display();
    checks.insert(0, Check::ok(NANOCLAW, format!("{directory}, generation {number}")));
    let mut well = Vec::new();
    for (name, judged) in courier::check(&settings) {
        let Some(group) = gateway.group(&name) else { continue };
        match judged {
            Ok(()) => well.push(name),
            Err(Unfit::NoGroup { .. }) if is_only_named(&name, group) => {
                checks.push(unknown(gateway, &name, viewer));
            }
            Err(why) => {
                let remedy = "its letters are kept until then";
                checks.push(viewer.fail(&format!("gateway group {name}"), why.to_string(), remedy));
            }
        }
    }
    if !well.is_empty() {
        let finding = format!("{}: a letter wakes each of them", well.join(", "));
        checks.push(Check::ok("gateway groups", finding));
    }
    if generation == Generation::V1 {
        let hidden = gateway.groups.iter().filter_map(|(name, it)| hidden(name, it, &settings));
        checks.extend(hidden);
    }
    checks
}

/// A name that stands in a route or in `deliver_to` alone: most likely a slip.
fn is_only_named(name: &str, group: &Group) -> bool {
    let Group { folder, jid, token_file, socket_dir } = group;
    folder == name && jid.is_none() && token_file.is_none() && socket_dir.is_none()
}

fn unknown(gateway: &Gateway, name: &str, viewer: Viewer) -> Check {
    let others = gateway.groups.iter().filter(|(other, it)| !is_only_named(other, it));
    let near = nearest(name, others.map(|(other, _)| other.as_str()));
    let routes = gateway.relay.routes.iter().filter(|(from, to)| from == name || to == name);
    let named: Vec<String> = routes.map(|(from, to)| format!("{from}->{to}")).collect();
    let named = if named.is_empty() { "deliver_to".to_owned() } else { named.join(", ") };
    let finding = format!("{named}: {name} is no folder of a group in NanoClaw");
    let remedy = match near {
        Some(near) => format!("write {near:?}, if that is meant; else register the group"),
        None => format!("register the group, or write its folder in [gateway.groups.{name}]"),
    };
    viewer.fail("gateway routes", finding, &remedy)
}

/// Agents that may write by a route, and by no secret and no socket.
fn mute(gateway: &Gateway) -> Vec<Check> {
    if gateway.relay.secret_file.is_some() {
        return Vec::new();
    }
    let mute = gateway.groups.iter().filter(|(name, group)| {
        let writes = gateway.relay.routes.iter().any(|(from, _)| from == *name);
        writes && group.token_file.is_none() && group.socket_dir.is_none()
    });
    let check = |(name, _): (&String, &Group)| {
        let finding = format!("{name} may write to others, and nothing lets it prove who it is");
        let remedy = format!("give [gateway.groups.{name}] a token_file or a socket_dir");
        Check::warn("gateway routes", finding, &remedy)
    };
    mute.map(check).collect()
}

/// A socket that the agent's container does not see.
fn hidden(name: &str, group: &Group, settings: &Settings) -> Option<Check> {
    let socket_dir = group.socket_dir.as_ref()?;
    let ledger = v1::open(&settings.directory).ok()?;
    let mut seen = v1::mounts(&ledger, &group.folder).ok()?;
    seen.push(settings.directory.join("groups").join(&group.folder));
    if seen.iter().any(|folder| socket_dir.starts_with(home(folder))) {
        return None;
    }
    let shown = socket_dir.display();
    let finding = format!("the container of {name} sees no folder with {shown} in it");
    let remedy = format!(
        "add {{\"hostPath\":\"{shown}\",\"containerPath\":\"gateway\",\"readonly\":false}} to \
         additionalMounts in the group's container_config and its folder to \
         ~/.config/nanoclaw/mount-allowlist.json, then restart NanoClaw"
    );
    Some(Check::warn(&format!("gateway group {name}"), finding, &remedy))
}

/// NanoClaw writes `~` for its user's home, which is taken to be ours.
fn home(folder: &Path) -> PathBuf {
    match (folder.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(inside), Some(home)) => Path::new(&home).join(inside),
        (_, _) => folder.to_owned(),
    }
}

//! Whether the gateway can be spoken to, where it should, and nowhere else; and what it says of
//! itself. Not here: what its files say.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::Check;
use crate::cli::client;
use crate::cli::client::AT_ONCE;
use crate::config::{Config, Endpoint, Gateway};
use crate::protocol::gateway::Troubles;
use crate::world::local_http::{Answer, Ask, ask};

/// It answers in milliseconds; a ledger that is locked may take a while.
const ANSWER: Duration = Duration::from_secs(12);

/// The checks, and what it says of its troubles, if it answers.
pub(super) fn checks(
    file: &Path,
    config: &Config,
    gateway: &Gateway,
) -> (Vec<Check>, Option<Troubles>) {
    let mut checks = open_to_all(gateway);
    let mut silent = Vec::new();
    let mut answers = None;
    let mut known = 0;
    for endpoint in gateway.listen.iter().chain(&gateway.relay_listen) {
        if endpoint.is_any_port() {
            continue;
        }
        known += 1;
        let is_relay = gateway.relay_endpoints().contains(endpoint);
        match get(endpoint, "/healthz") {
            Ok(answer) if is_relay && answer.status == 200 => {
                answers.get_or_insert_with(|| endpoint.clone());
            }
            Ok(answer) if !is_relay && answer.status == 200 => checks.push(Check::fail(
                "gateway relay",
                format!("{endpoint} answers agents, although relay_listen names other places"),
                "it runs with an older configuration: `supervisor restart gateway`",
            )),
            Ok(answer) if !is_relay && answer.status == 404 => {}
            Ok(answer) => checks.push(Check::fail(
                "gateway",
                format!("who answers at {endpoint} is no gateway (status {})", answer.status),
                "let that program go, or name another address in [gateway]",
            )),
            Err(error) => silent.push(format!("{endpoint}: {error}")),
        }
    }
    if let Some(endpoint) = answers {
        if !silent.is_empty() {
            let finding = format!("does not answer everywhere: {}", silent.join(", "));
            let remedy = "an address that this machine does not have yet is waited for; else see \
                          `supervisor logs gateway`";
            checks.push(Check::warn("gateway", finding, remedy));
        }
        checks.insert(0, ready(&endpoint));
        return (checks, troubles(&endpoint));
    }
    if known == 0 {
        let finding = "listens on any port that is free, so that it cannot be asked from here";
        checks.insert(0, Check::ok("gateway", finding));
    } else if !silent.is_empty() {
        checks.insert(0, absent(file, config, &silent.join(", ")));
    }
    (checks, None)
}

/// No gateway is a fault only where a supervisor runs: `doctor` is also for before that.
fn absent(file: &Path, config: &Config, silent: &str) -> Check {
    let finding = format!("does not answer ({silent})");
    let runs = client(file.to_owned(), config).status(AT_ONCE).is_ok();
    let remedy = "see `supervisor status gateway` and `supervisor logs gateway`";
    if runs {
        return Check::fail("gateway", finding, remedy);
    }
    Check::warn(
        "gateway",
        finding,
        "the supervisor does not run either: `supervisor run` starts it",
    )
}

fn ready(endpoint: &Endpoint) -> Check {
    let answer = match get(endpoint, "/readyz") {
        Ok(answer) => answer,
        Err(error) => {
            let finding =
                format!("{endpoint} answers, and does not say whether it is ready: {error}");
            return Check::fail("gateway", finding, "see `supervisor logs gateway`");
        }
    };
    if answer.status == 200 {
        return Check::ok(
            "gateway",
            format!("answers at {endpoint}, and its ledger can be written"),
        );
    }
    let said: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let why = said["error"].as_str().unwrap_or("it does not say why");
    let finding = format!("answers at {endpoint}, and is not ready: {why}");
    Check::fail("gateway", finding, "see `supervisor gateway list` and `supervisor logs gateway`")
}

fn troubles(endpoint: &Endpoint) -> Option<Troubles> {
    let answer = get(endpoint, "/troubles").ok().filter(|answer| answer.status == 200)?;
    serde_json::from_str(&answer.body).ok()
}

fn get(endpoint: &Endpoint, target: &str) -> std::io::Result<Answer> {
    ask(endpoint, &Ask { method: "GET", target, headers: &[], body: b"", within: ANSWER })
}

/// Listeners that others than this machine and its containers reach, and that agents speak through.
fn open_to_all(gateway: &Gateway) -> Vec<Check> {
    let public = gateway.relay_endpoints().iter().filter(|endpoint| is_public(endpoint));
    let public: Vec<_> = public.map(ToString::to_string).collect();
    if public.is_empty() {
        return Vec::new();
    }
    let finding =
        format!("agents' messages are taken at {} too, which others may reach", public.join(", "));
    let remedy = "let relay_listen name loopback and the docker bridge alone, such as \
                  [\"127.0.0.1:9877\", \"172.17.0.1:9877\"]";
    vec![Check::warn("gateway relay", finding, remedy)]
}

fn is_public(endpoint: &Endpoint) -> bool {
    let Endpoint::Tcp(address) = endpoint else { return false };
    match address.ip() {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_machine_and_its_containers_reach_is_not_public() {
        for (address, public) in [
            ("127.0.0.1:1", false),
            ("172.17.0.1:1", false),
            ("[::1]:1", false),
            ("[fd00::1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("203.0.113.7:1", true),
        ] {
            let endpoint = Endpoint::Tcp(address.parse().unwrap());
            assert_eq!(is_public(&endpoint), public, "{address}");
        }
        assert!(!is_public(&Endpoint::Unix("/run/x".into())));
    }
}

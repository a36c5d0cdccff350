//! A failed build on its way: a webhook over real HTTP, the gateway's ledger, NanoClaw's database, an
//! agent that reads of it and acknowledges it, and the same once more with the gateway killed in
//! between. The gateway is the real one; NanoClaw and its agent are doubles, and are called so.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use rusqlite::Connection;
use serde_json::Value;

use super::house::House;
use super::nanoclaw::{self, ACKNOWLEDGES, MENDED, QUOTED, READS};
use super::scenes::{identities, kill_and_see_back, reload, same, settled, unit};
use super::teller::{Halt, Teller, length};
use crate::cli::failure::Failure;
use crate::cli::gateway::{Summary, list_text};
use crate::config::{Config, Endpoint, Gateway};
use crate::gateway::ledger::view::{self, Line};
use crate::gateway::ledger::{State, by_hand};
use crate::world::local_http::{Ask, ask};
use crate::world::{logs, procs};

const BUILD: &str = include_str!("build.json");
const SECRET: &str = "made-up-for-the-demo";
/// The path of the webhook.
const HOOK: &str = "/webhook/azure-devops";
/// The gateway answers within milliseconds.
const ANSWER: Duration = Duration::from_secs(15);
/// How much of a letter is quoted.
const SHOWN: usize = 12;

/// A failed build is read by its agent, and acknowledged.
pub(super) fn read(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    let before = identities(house, &settled(house, tell)?)?;
    tell.step(
        "Let a build fail, and have an agent read of it",
        "The gateway joins as one more service, and behind it a double of NanoClaw: its database, and \
         one scripted agent. All else is real.",
    )?;
    furnish(house)?;
    house.add_gateway()?;
    tell.command("supervisor reload")?;
    reload(house, tell)?;
    let address = tell.until("the gateway listens", || {
        let up = house.status()?.is_some_and(|status| {
            ["gateway", "nanoclaw"]
                .iter()
                .all(|name| unit(&status, name).is_some_and(|unit| unit.state == "up"))
        });
        let address = address(&said(house, "gateway")?);
        Ok(address.filter(|_| up))
    })?;
    let event = webhook(tell, address, 1)?;
    let letter = tell.until("the agent reads the letter", || letter(house, &event))?;
    let took = length(tell.since_act());
    tell.claim(&format!("the agent ryan (a double) reads it {took} after the webhook:"))?;
    tell.quote(letter.iter().map(String::as_str).filter(|line| !line.is_empty()).take(SHOWN))?;

    tell.until("it is noted that the agent has it", || state(house, &event, State::Taken))?;
    tell.command("supervisor status")?;
    let config = Config::load(house.config()).map_err(Failure::from)?;
    let summary = Summary::of(&config).context("the gateway's counts cannot be read")?;
    let counts = serde_json::to_value(&summary).context("no counts")?;
    if counts["events"] != 1 || counts["letters"] != serde_json::json!({"taken": 1}) {
        return Err(Halt::Missed(format!("one letter is counted as taken: {counts}")));
    }
    tell.output(|view| Ok(summary.text(view).trim_start().to_owned()))?;

    let mended = nanoclaw::folder(&installation(house)).join(MENDED);
    tell.command(&format!("touch nanoclaw/groups/{}/{MENDED}", nanoclaw::AGENT))?;
    fs::write(&mended, "").with_context(|| format!("cannot write {}", mended.display()))?;
    acknowledged(house, tell, &event)?;
    tell.claim(&format!(
        "the agent ran `supervisor ack {event} --socket …`: its own socket says who it is, and the \
         letter is done"
    ))?;
    same(&before, &identities(house, &settled(house, tell)?)?)
}

/// The gateway is killed between a webhook and its delivery.
pub(super) fn kept(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    tell.step(
        "Kill the gateway between a webhook and its letter",
        "NanoClaw's database is locked meanwhile, so that the letter has to wait.",
    )?;
    let before = settled(house, tell)?;
    let pid = unit(&before, "gateway").and_then(|unit| unit.pid);
    let old = pid.and_then(procs::identify);
    let old = old.ok_or_else(|| Halt::Missed("the gateway runs".to_owned()))?;
    let address = address(&said(house, "gateway")?);
    let address = address.ok_or_else(|| Halt::Missed("the gateway listens".to_owned()))?;
    let database = nanoclaw::open(&installation(house))?;
    database.execute_batch("BEGIN IMMEDIATE").context("cannot lock the database")?;
    let event = webhook(tell, address, 2)?;
    kill_and_see_back(house, tell, "gateway", old)?;
    if rows(&database, &event)? != 0 {
        return Err(Halt::Missed("the letter waits while the database is locked".to_owned()));
    }
    database.execute_batch("ROLLBACK").context("cannot unlock the database")?;
    acknowledged(house, tell, &event)?;
    let (rows, read) = (rows(&database, &event)?, heard(&said(house, "nanoclaw")?, &event));
    if (rows, read) != (1, 1) {
        return Err(Halt::Missed(format!("one row, read once: {rows} rows, read {read} times")));
    }
    tell.claim("after the lock: the letter is one row in NanoClaw's database, and was read once")?;
    tell.command("supervisor gateway list")?;
    let lines = lines(house)?;
    tell.output(|view| Ok(list_text(&lines, view)))
}

/// What must be there before the two can start: a place for NanoClaw, and the webhook's secret.
fn furnish(house: &House) -> Result<(), Halt> {
    let (nanoclaw, secret) = (installation(house), house.folder().join("webhook-secret"));
    fs::create_dir(&nanoclaw).with_context(|| format!("cannot make {}", nanoclaw.display()))?;
    let file = File::options().write(true).create_new(true).mode(0o600).open(&secret);
    file.and_then(|mut file| file.write_all(SECRET.as_bytes()))
        .with_context(|| format!("cannot write {}", secret.display()))?;
    Ok(())
}

/// Where the double of NanoClaw is installed.
fn installation(house: &House) -> PathBuf {
    house.folder().join("nanoclaw")
}

/// Tells the gateway of a failed build; the event that it is stored as.
fn webhook(tell: &mut Teller, address: SocketAddr, build: u32) -> Result<String, Halt> {
    tell.command(&format!(
        "curl http://{address}{HOOK} -H \"x-webhook-secret: …\" -d @build-{build}.json"
    ))?;
    let body = BUILD.replace("@ID@", &build.to_string());
    let answer = ask(
        &Endpoint::Tcp(address),
        &Ask {
            method: "POST",
            target: HOOK,
            headers: &[("x-webhook-secret", SECRET), ("Content-Type", "application/json")],
            body: body.as_bytes(),
            within: ANSWER,
        },
    );
    let answer = answer.context("the gateway does not answer")?;
    let took = length(tell.since_act());
    let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let (202, Some(event)) = (answer.status, said["event"].as_str()) else {
        let (status, body) = (answer.status, answer.body);
        return Err(Halt::Missed(format!("the webhook is answered 202: {status} {body}")));
    };
    tell.claim(&format!("202 after {took}, so it is on the disk: event {event}"))?;
    Ok(event.to_owned())
}

/// Waits until the agent has said so and the ledger has it.
fn acknowledged(house: &House, tell: &mut Teller, event: &str) -> Result<(), Halt> {
    let says = format!("{ACKNOWLEDGES}{event}\n");
    tell.until("the agent acknowledges", || {
        Ok(said(house, "nanoclaw")?.contains(&says).then_some(()))
    })?;
    tell.until("the letter is done", || state(house, event, State::Done))
}

/// Where webhooks arrive: the newest life of the gateway has said so.
fn address(log: &str) -> Option<SocketAddr> {
    let line = log.lines().rev().find_map(|line| line.strip_prefix("listening on http://"))?;
    line.split(' ').next()?.parse().ok()
}

/// The lines of the letter, once the agent has read them all.
fn letter(house: &House, event: &str) -> Result<Option<Vec<String>>, Halt> {
    let said = said(house, "nanoclaw")?;
    let begin = format!("{READS}gw-{event}-");
    let mut lines = said.lines().skip_while(|line| !line.starts_with(&begin));
    let Some(_) = lines.next() else { return Ok(None) };
    let lines = lines.map_while(|line| line.strip_prefix(QUOTED)).map(str::to_owned);
    let lines: Vec<_> = lines.collect();
    let whole = lines.iter().any(|line| line.contains("acknowledge the event"));
    Ok(Some(lines).filter(|_| whole))
}

fn heard(said: &str, event: &str) -> usize {
    said.matches(&format!("{READS}gw-{event}-")).count()
}

fn rows(database: &Connection, event: &str) -> Result<u32, Halt> {
    let count = "SELECT count(*) FROM messages WHERE instr(content, ?1) > 0";
    let count = database.query_row(count, [event], |row| row.get(0));
    Ok(count.context("cannot read the database")?)
}

fn state(house: &House, event: &str, wanted: State) -> Result<Option<()>, Halt> {
    let line = lines(house)?.into_iter().find(|line| line.event.as_str() == event);
    Ok(line.filter(|line| line.state() == wanted.as_str()).map(drop))
}

fn lines(house: &House) -> Result<Vec<Line>, Halt> {
    let config = Config::load(house.config()).map_err(Failure::from)?;
    let ledger = config.gateway.as_ref().map(Gateway::ledger).unwrap_or_default();
    let ledger = by_hand(&ledger).map_err(anyhow::Error::from)?;
    Ok(view::list(&ledger, None).context("cannot read the ledger")?)
}

fn said(house: &House, name: &str) -> Result<String, Halt> {
    let log = house.log(name);
    // There is none before its first start.
    let Ok((text, _)) = logs::read(&log, usize::MAX) else { return Ok(String::new()) };
    Ok(String::from_utf8_lossy(&text).into_owned())
}

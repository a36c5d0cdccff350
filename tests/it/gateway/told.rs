//! What is wrong with the gateway is told to the operator once, by the supervisor, which asks the
//! gateway: over the deaths of both, and without a word when it is over.

use rusqlite::Connection;
use serde_json::json;

use super::azure_double::AzureDouble;
use super::caller::Ask;
use crate::house::{House, kill};
use crate::notify::server::{GOOD, Server};

/// Three agents, and a supervisor that looks twice a second.
fn house(server: &Server, more: &str) -> House {
    let place = server.place();
    let mut house = House::new(&format!(
        r#"
[services.gateway]
builtin = "gateway"
[gateway]
listen = ["127.0.0.1:0"]
relay_listen = ["unix:relay.sock"]
[gateway.relay]
routes = ["a->b", "b->a", "a->c", "c->a", "b->c", "c->b"]
[gateway.groups.a]
token_file = "a"
[gateway.groups.b]
token_file = "b"
[gateway.groups.c]
token_file = "c"
{more}
[[notify.targets]]
kind = "webhook"
url = "http://{place}/"
"#
    ));
    for name in ["a", "b", "c", "azure"] {
        house.write(name, &format!("{name}-secret"));
    }
    house.write("pat", "pat-secret");
    house.set("WATCHDOG_USEC", "1000000");
    house.run();
    ready(&house);
    house
}

fn ready(house: &House) {
    house.wait_unit("gateway", "is ready", |it| it.state == "up" && it.reading == "ready");
}

fn ledger(house: &House) -> Connection {
    let ledger = Connection::open(house.path("state/gateway.db")).expect("the ledger");
    ledger.busy_timeout(std::time::Duration::from_secs(20)).expect("patience");
    ledger
}

/// Agents talk in this thread until somebody has had enough of it.
fn talk(house: &House, thread: &str) {
    let paths = [("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"), ("b", "c"), ("c", "b")];
    for number in 0..31 {
        let (from, to) = paths[number % paths.len()];
        let message = json!({"to": to, "thread": thread, "message": format!("no {number}")});
        let body = message.to_string();
        let ask = Ask::post("/relay", &body).with("X-Relay-Secret", format!("{from}-secret"));
        let answer = ask.through(&house.path("relay.sock"));
        assert_eq!(answer.status, if number < 30 { 200 } else { 429 }, "{number}: {answer:?}");
    }
}

fn hold(house: &House, thread: &str) {
    ledger(house)
        .execute(
            "INSERT INTO threads (thread, held, why, counted_from) VALUES (?1, 1, 'by a test', 0) \
             ON CONFLICT (thread) DO UPDATE SET held = 1, why = 'by a test'",
            [thread],
        )
        .expect("a thread");
}

/// How often the operator was told something with this in it.
fn told(server: &Server, text: &str) -> usize {
    server.told().iter().filter(|told| told.contains(text)).count()
}

fn wait_told(house: &House, server: &Server, text: &str) {
    house.wait_for(&format!("{text:?} to be told"), || (told(server, text) > 0).then_some(()));
}

/// Kills both, and waits until both are back: another trouble is told by then.
fn all_killed(house: &mut House, server: &Server, thread: &str) {
    let gateway = house.pid_of("gateway");
    house.end_daemon("KILL");
    kill(gateway, "KILL");
    house.run();
    house.wait_unit("gateway", "is back", |it| it.pid.is_some_and(|pid| pid != gateway));
    ready(house);
    hold(house, thread);
    wait_told(house, server, thread);
}

#[test]
fn a_held_thread_is_told_once_over_the_deaths_of_both_and_released_quietly() {
    let server = Server::new(GOOD);
    let mut house = house(&server, "");
    talk(&house, "t-endless");
    wait_told(&house, &server, "t-endless");
    let [first] =
        &server.told().into_iter().filter(|it| it.contains("t-endless")).collect::<Vec<_>>()[..]
    else {
        panic!("{:?}", server.told());
    };
    assert!(
        first.contains("a thread is held") && first.contains("relay release t-endless"),
        "{first}"
    );
    all_killed(&mut house, &server, "t-second");
    all_killed(&mut house, &server, "t-third");
    for thread in ["t-endless", "t-second", "t-third"] {
        assert_eq!(told(&server, thread), 1, "{thread}: {:?}", server.told());
    }
    let before = server.told().len();
    house.does(&["relay", "release", "t-endless"]);
    house.wait_for("the end of it", || {
        let over = " trouble-over thread-held t-endless";
        house.events().iter().any(|it| it == over).then_some(())
    });
    assert_eq!(server.told().len(), before, "{:?}", server.told());
    // Whoever is held once more is told once more.
    hold(&house, "t-endless");
    house.wait_for("it to be told again", || (told(&server, "t-endless") == 2).then_some(()));
    assert_eq!((told(&server, "t-second"), told(&server, "t-third")), (1, 1));
}

#[test]
fn a_silenced_webhook_and_letters_that_wait_are_told_once() {
    const SUBSCRIPTIONS: &str = "/devgem/_apis/hooks/subscriptions";
    let azure = AzureDouble::new();
    azure.gives("/devgem/forma-3d/_apis/build/builds", r#"{"value":[]}"#);
    let subscription = |status: &str| {
        let url = "https://agents.example.org/webhook/azure-devops";
        let one = json!({
            "id": "9c1d", "eventType": "build.complete", "status": status,
            "consumerInputs": {"url": url},
        });
        azure.gives(SUBSCRIPTIONS, json!({"value": [one]}).to_string());
    };
    subscription("onProbation");
    let server = Server::new(GOOD);
    let mut house = house(
        &server,
        &format!(
            "[gateway.nanoclaw]\ndirectory = \"nanoclaw\"\n[gateway.azure_devops]\n\
             secret_files = [\"azure\"]\ndeliver_to = \"a\"\norganization = \"devgem\"\n\
             project = \"forma-3d\"\ntoken_file = \"pat\"\nreconcile = \"1s\"\nservice = \"{}\"\n",
            azure.service()
        ),
    );
    wait_told(&house, &server, "9c1d");
    // A minute's trouble is none; here it is made older.
    house.wait_for("trouble with NanoClaw", || {
        let old = "UPDATE troubles SET since = since - 3600000 WHERE addressee = 'a'";
        (ledger(&house).execute(old, []).expect("the ledger") > 0).then_some(())
    });
    wait_told(&house, &server, "there is no NanoClaw");
    all_killed(&mut house, &server, "t-later");
    assert_eq!(told(&server, "9c1d"), 1, "{:?}", server.told());
    assert_eq!(told(&server, "there is no NanoClaw"), 1, "{:?}", server.told());
    subscription("disabledBySystem");
    house.wait_for("the next state", || (told(&server, "9c1d") == 2).then_some(()));
    subscription("enabled");
    house.wait_for("the end of it", || {
        house.events().iter().any(|it| it == " trouble-over hook-silenced 9c1d").then_some(())
    });
    assert_eq!(told(&server, "9c1d"), 2, "{:?}", server.told());
}

#[test]
fn a_ledger_that_cannot_store_is_told_although_nothing_can_be_noted_in_it() {
    let server = Server::new(GOOD);
    let house = house(&server, "");
    hold(&house, "t-held");
    wait_told(&house, &server, "t-held");
    let other = ledger(&house);
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    wait_told(&house, &server, "gateway.db");
    assert_eq!(told(&server, "cannot store"), 1, "{:?}", server.told());
    other.execute_batch("ROLLBACK").expect("our own");
    house.wait_for("the end of it", || {
        house.events().iter().any(|it| it.starts_with(" trouble-over ledger-fails")).then_some(())
    });
    assert_eq!(told(&server, "t-held"), 1, "{:?}", server.told());
}

#[test]
fn an_agent_hears_of_no_troubles_through_its_own_socket() {
    let server = Server::new(GOOD);
    let house = house(&server, "[gateway.groups.d]\nsocket_dir = \"d\"\n");
    let all = Ask::get("/troubles").through(&house.path("relay.sock"));
    assert_eq!((all.status, all.json()["whole"].as_bool()), (200, Some(true)), "{all:?}");
    assert_eq!(Ask::get("/troubles").through(&house.path("d/gateway.sock")).status, 404);
}

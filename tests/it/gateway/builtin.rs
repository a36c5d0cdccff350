//! The gateway as a service of the supervisor's.

use std::net::SocketAddr;

use super::caller::Ask;
use super::gate::build;
use crate::house::House;

const CONFIG: &str = r#"
[services.gateway]
builtin = "gateway"
[gateway]
listen = ["127.0.0.1:0"]
[gateway.azure_devops]
secret_files = ["azure"]
deliver_to = "ryan"
"#;

#[test]
fn the_supervisor_starts_the_gateway_and_brings_it_back() {
    let mut house = House::new(CONFIG);
    house.write("azure", "azure-secret");
    house.run();
    let ready = |house: &House| {
        house.wait_unit("gateway", "is ready", |it| {
            it.state == "up" && it.reading.as_str() == "ready"
        })
    };
    let first = ready(&house).pid.expect("a process");
    let address = |house: &House| -> SocketAddr {
        let log = house.log("gateway");
        let line = log.lines().rev().find_map(|line| line.strip_prefix("listening on http://"));
        line.and_then(|line| line.split(' ').next()?.parse().ok()).expect("an address")
    };
    let hook = |id: u64, house: &House| {
        let body = build(id);
        let ask =
            Ask::post("/webhook/azure-devops", &body).with("x-webhook-secret", "azure-secret");
        ask.to(address(house)).status
    };
    assert_eq!(hook(1, &house), 202);
    crate::house::kill(first, "KILL");
    house.wait_unit("gateway", "is back", |it| it.pid.is_some_and(|pid| pid != first));
    ready(&house);
    house.wait_for("the new address", || {
        (house.log("gateway").matches("is ready").count() == 2).then_some(())
    });
    assert_eq!((hook(1, &house), hook(2, &house)), (200, 202));
    assert_eq!(house.does(&["gateway", "list", "--json"]).lines().count(), 2);
    let said = house.does(&["status"]);
    assert!(said.contains("2 events · 2 queued") && said.contains("oldest queued"), "{said}");
    let status: serde_json::Value =
        serde_json::from_str(&house.does(&["status", "--json"])).expect("JSON");
    assert_eq!(status["gateway"]["letters"]["queued"], 2);
}

#[test]
fn without_a_gateway_table_the_service_is_held_and_says_why() {
    let house = House::running("[services.gateway]\nbuiltin = \"gateway\"\n");
    let unit = house.wait_unit("gateway", "is held", |unit| unit.state == "held");
    assert!(unit.why.contains("no [gateway]"), "{}", unit.why);
}

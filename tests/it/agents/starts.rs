//! How agents are started.

use super::home::{BYPASS, Home, kickoff};

#[test]
fn a_builder_and_an_adversary_start_without_a_dialog_and_take_their_prompts() {
    let Some(home) = Home::idle(&["builder", "adversary"]) else { return };
    for name in ["builder", "adversary"] {
        let asked = home.api.prompts();
        assert_eq!(asked.iter().filter(|it| **it == kickoff(name)).count(), 1, "{asked:?}");
        let unit = home.house.unit(name);
        let source = unit.source.expect("a channel");
        assert!(["hook", "registry"].contains(&source.channel.as_str()), "{source:?}");
        assert_eq!(unit.limits, [] as [&str; 0]);
    }
    assert_ne!(home.conversation("builder"), home.conversation("adversary"));
    let events = home.house.events();
    assert!(!events.iter().any(|event| event.contains("dialog")), "{events:?}");
}

#[test]
fn other_keys_of_the_users_files_are_left_as_they_are() {
    let Some(mut home) = Home::of(&[("builder", BYPASS)]) else { return };
    home.house.write(".claude.json", "{\"numStartups\": 41, \"mine\": {\"a\": [1,  2]}}");
    home.house.run();
    home.wait_answered("builder", &kickoff("builder"));
    let text = std::fs::read_to_string(home.house.path(".claude.json")).expect("a file");
    let after: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(after["mine"], serde_json::json!({ "a": [1, 2] }));
    assert!(!home.house.path(".claude/settings.json").exists(), "ours to touch only if needed");
}

#[test]
fn a_file_of_the_user_that_is_no_json_is_not_touched_and_named() {
    let Some(mut home) = Home::of(&[("builder", BYPASS)]) else { return };
    home.house.write(".claude.json", "{\"numStartups\": 41,");
    home.house.run();
    let unit = home.house.wait_unit("builder", "is held", |unit| unit.state == "held");
    assert!(unit.why.contains(".claude.json is not valid JSON"), "{}", unit.why);
    let text = std::fs::read_to_string(home.house.path(".claude.json")).expect("a file");
    assert_eq!(text, "{\"numStartups\": 41,");
    home.house.write(".claude.json", "{}");
    home.house.does(&["start", "builder"]);
    home.wait_answered("builder", &kickoff("builder"));
}

#[test]
fn a_long_prompt_with_anything_in_it_arrives_whole_and_one_that_is_too_long_is_refused() {
    let Some(mut home) = Home::of(&[("builder", BYPASS)]) else { return };
    let long = format!("-- \"a\" 'b' $HOME `c` \\\n\n{}the end", "words and ".repeat(10_000));
    home.house.write("builder.md", &"x".repeat(131_072));
    home.house.run();
    let unit = home.house.wait_unit("builder", "is held", |unit| unit.state == "held");
    assert!(unit.why.contains("builder.md has 131072 bytes"), "{}", unit.why);
    home.house.write("builder.md", &long);
    home.house.does(&["start", "builder"]);
    home.wait_answered("builder", "the end");
    assert!(home.api.main_requests()[0].prompt.contains(&long));
}

#[test]
fn root_is_refused_in_words_where_the_client_would_refuse_it() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let Some(mut home) = Home::of(&[("builder", BYPASS)]) else { return };
    home.house.set("IS_SANDBOX", "");
    home.house.run();
    let unit = home.house.wait_unit("builder", "is held", |unit| unit.state == "held");
    assert!(unit.why.contains("root") && unit.why.contains("IS_SANDBOX"), "{}", unit.why);
}

#[test]
fn the_phase_is_filled_into_the_prompt() {
    let Some(mut home) = Home::of(&[("builder", BYPASS)]) else { return };
    home.house.write("builder.md", "Phase {phase}: read {plan}.");
    let plan = "[plan]\nphases = [ { name = \"1c\", plan = \"plan-1c.md\" } ]\n";
    let config = std::fs::read_to_string(home.house.path("config.toml")).expect("a config");
    std::fs::write(home.house.path("config.toml"), config + plan).expect("a file");
    home.house.run();
    home.wait_answered("builder", "Phase 1c: read plan-1c.md.");
}

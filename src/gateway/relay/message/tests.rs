use super::*;

fn json(text: &str) -> Result<Message, String> {
    parse("application/json", "", text.as_bytes())
}

#[test]
fn json_and_plain_text_say_the_same() {
    let written = json(
        r#"{"from":"ryan","to":"cody","message":"a b\nc","thread":"INC-7","kind":"Fix-Pushed",
            "id":"1","branch":"refs/heads/feature/x","more":{"later":1}}"#,
    );
    let query = "from=ryan&to=cody&thread=INC-7&kind=fix_pushed&id=1&branch=feature%2Fx";
    let plain = parse("text/plain; charset=utf-8", query, b"a b\nc");
    assert_eq!(written, plain);
    assert_eq!(written.unwrap().branch.as_deref(), Some("feature/x"));
}

#[test]
fn anything_that_is_not_called_plain_text_is_json() {
    for kind in ["", "application/x-www-form-urlencoded", "text/html", "text/plainly"] {
        let body = br#"{"from":"ryan","to":"cody","message":"relay test"}"#;
        assert_eq!(parse(kind, "", body).unwrap().to, "cody", "{kind:?}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let deep = format!("{{\"to\":\"cody\",\"message\":{}", "[".repeat(100_000));
    for (text, says) in [
        ("{", "no JSON"),
        (deep.as_str(), "no JSON"),
        (r#"{"message":"x"}"#, "`to` whom"),
        (r#"{"to":"cody"}"#, "empty"),
        (r#"{"to":"cody","message":" \n"}"#, "empty"),
        (r#"{"to":"cody","message":5}"#, "no JSON"),
        (r#"{"to":"cody","message":"x","kind":"a b"}"#, "`kind`"),
        (r#"{"to":"a\nb","message":"x"}"#, "no name"),
    ] {
        let why = json(text).unwrap_err();
        assert!(why.contains(says), "{why}");
    }
    for query in ["to=%zz", "to=%+f", "to=%f", "to=%"] {
        assert!(parse("text/plain", query, b"x").unwrap_err().contains("escape"), "{query}");
    }
    assert!(parse("application/json", "", b"{\"to\":\"\xff\"}").is_err());
}

#[test]
fn bytes_that_are_no_text_are_kept_as_they_are() {
    let message = parse("text/plain", "to=cody", b"log \xff\xfe end").unwrap();
    assert_eq!(message.body.bytes.as_deref(), Some(b"log \xff\xfe end".as_slice()));
    assert!(message.body.text.starts_with("log \u{fffd}"));
}

#[test]
fn two_agents_have_one_thread_a_day_in_both_directions() {
    let to = |to: &str| Message { to: to.into(), ..Message::default() };
    assert_eq!(to("cody").thread("ryan", "20260527"), "cody-ryan-20260527");
    assert_eq!(to("ryan").thread("cody", "20260527"), "cody-ryan-20260527");
}

#[test]
fn the_same_words_are_known_again_but_not_about_another_branch() {
    let said = |text: &str, branch: Option<&str>| {
        let body = Body { text: text.into(), bytes: None };
        Message { body, branch: branch.map(str::to_owned), ..Message::default() }.digest()
    };
    assert_eq!(said("Acknowledged.", None), said(" acknowledged!\n", None));
    assert_ne!(said("Fix pushed", Some("a")), said("Fix pushed", Some("b")));
}

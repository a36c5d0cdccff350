use super::*;
use crate::config::SecretUrl;

fn message() -> Message {
    Message {
        id: "1-1".into(),
        key: "k".into(),
        title: "wéb {text} \"x\"".into(),
        text: "a\nb".into(),
        severity: Severity::Urgent,
        count: 2,
        time: "2026-05-27T06:15:25Z".into(),
    }
}

#[test]
fn a_template_is_filled_in_once_and_stays_json() {
    let template = r#"{"text": "{title}: {text} {unknown}", "n": {count}, "o": {}}"#;
    let filled = filled_in(template, &message());
    let json: serde_json::Value = serde_json::from_str(&filled).unwrap();
    assert_eq!(json["text"], "wéb {text} \"x\": a\nb {unknown}");
    assert_eq!(json["n"], 2);
}

#[test]
fn our_own_form_says_everything() {
    let json: serde_json::Value = serde_json::from_str(&as_json(&message())).unwrap();
    for (key, value) in [("id", "1-1"), ("severity", "urgent"), ("text", "a\nb"), ("key", "k")] {
        assert_eq!(json[key], value);
    }
}

#[test]
fn a_title_is_what_a_header_may_hold() {
    assert_eq!(in_a_header("web: down"), "web: down");
    assert_eq!(in_a_header("wéb ö"), "=?UTF-8?Q?w=C3=A9b_=C3=B6?=");
    assert_eq!(in_a_header("a\r\nX-Y: z"), "=?UTF-8?Q?a=0D=0AX-Y:_z?=");
}

#[test]
fn neither_name_nor_id_shows_a_secret() {
    let url = UrlSource::Written(SecretUrl::parse("https://h/s3cret").unwrap());
    let ntfy = Target::Ntfy { url, token_file: None };
    assert_eq!(name(&ntfy), "ntfy h");
    assert!(id(&ntfy).starts_with("ntfy-") && id(&ntfy).len() == "ntfy-".len() + 12);
    let command = Target::Command(vec!["/bin/tell".into(), "s3cret".into()]);
    assert_eq!(name(&command), "command /bin/tell");
}

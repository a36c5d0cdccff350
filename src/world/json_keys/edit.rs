//! One key in a JSON text. Every byte that does not belong to it stays.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Wanted;

/// Why a key cannot be put in.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The text is no JSON.
    NotJson(serde_json::Error),
    /// The key so deep on the way is not what it must be.
    Kind { depth: usize, wanted: &'static str },
}

/// The text with what is wanted at `path`; none if it is there already.
pub(crate) fn edit(
    text: &str,
    path: &[String],
    wanted: &Wanted,
) -> Result<Option<String>, Refused> {
    within(text, path, 0, wanted)
}

fn within(
    text: &str,
    path: &[String],
    depth: usize,
    wanted: &Wanted,
) -> Result<Option<String>, Refused> {
    let Some(name) = path.get(depth) else { return at_the_key(text, depth, wanted) };
    if !text.trim_start().starts_with('{') {
        check(text)?;
        return Err(Refused::Kind { depth, wanted: "an object" });
    }
    let members: Members<'_> = serde_json::from_str(text).map_err(Refused::NotJson)?;
    // Of two members of one name, the last one counts to every reader.
    let there = members.0.iter().rev().find(|(member, _)| member == name);
    let Some((_, value)) = there.filter(|(_, value)| depth + 1 == path.len() || !is_null(value))
    else {
        let value = fresh(&path[depth + 1..], wanted);
        return Ok(Some(match there {
            Some((_, null)) => spliced(text, null.get(), &value),
            None => inserted(text, &members, name, &value),
        }));
    };
    let inner = within(value.get(), path, depth + 1, wanted)?;
    Ok(inner.map(|inner| spliced(text, value.get(), &inner)))
}

fn at_the_key(text: &str, depth: usize, wanted: &Wanted) -> Result<Option<String>, Refused> {
    let value: Value = serde_json::from_str(text).map_err(Refused::NotJson)?;
    Ok(match wanted {
        Wanted::Is(wanted) => (value != *wanted).then(|| wanted.to_string()),
        Wanted::Default(_) => None,
        Wanted::Contains(wanted) => match value {
            Value::Array(items) if items.contains(wanted) => None,
            Value::Array(items) => Some(appended(text, items.is_empty(), &wanted.to_string())),
            Value::Null => Some(fresh(&[], &Wanted::Contains(wanted.clone()))),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                return Err(Refused::Kind { depth, wanted: "a list" });
            }
        },
    })
}

/// What stands at a key whose `rest` of the way is not there yet.
fn fresh(rest: &[String], wanted: &Wanted) -> String {
    let value = match wanted {
        Wanted::Is(value) | Wanted::Default(value) => value.clone(),
        Wanted::Contains(value) => Value::Array(vec![value.clone()]),
    };
    let nested = rest
        .iter()
        .rev()
        .fold(value, |value, name| Value::Object([(name.clone(), value)].into_iter().collect()));
    nested.to_string()
}

/// With a new member after the last one, in the style of the first.
fn inserted(text: &str, members: &Members<'_>, name: &str, value: &str) -> String {
    let member = format!("{}: {value}", Value::String(name.to_owned()));
    let (open, close) = (text.find('{').unwrap_or(0) + 1, text.rfind('}').unwrap_or(text.len()));
    match members.0.last() {
        None => format!("{}\n  {member}\n{}", &text[..open], &text[close..]),
        Some((_, last)) => {
            let end = offset(text, last.get()) + last.get().len();
            let indent: String =
                text[open..].chars().take_while(|c| c.is_ascii_whitespace()).collect();
            format!("{},{indent}{member}{}", &text[..end], &text[end..])
        }
    }
}

/// With a new item at the end of the list.
fn appended(list: &str, empty: bool, item: &str) -> String {
    let close = list.rfind(']').unwrap_or(list.len());
    let body = list[..close].trim_end();
    let indent: String = list
        .chars()
        .skip_while(|c| *c != '[')
        .skip(1)
        .take_while(char::is_ascii_whitespace)
        .collect();
    let comma = if empty { "" } else { "," };
    format!("{body}{comma}{}{item}{}", if empty { "" } else { &indent }, &list[body.len()..])
}

/// With `new` in the place of `part`, which lies in it.
fn spliced(text: &str, part: &str, new: &str) -> String {
    let start = offset(text, part);
    format!("{}{new}{}", &text[..start], &text[start + part.len()..])
}

/// Where `part` lies in `text`: what is read as raw is a piece of what it was read from.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

fn check(text: &str) -> Result<(), Refused> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(Refused::NotJson)?;
    Ok(())
}

/// The members of an object, in their order, each as it is written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edited(text: &str, path: &str, wanted: Wanted) -> Option<String> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        let edited = edit(text, &path, &wanted).unwrap();
        if let Some(edited) = &edited {
            serde_json::from_str::<Value>(edited).expect("still JSON");
            assert_eq!(edit(edited, &path, &wanted).unwrap(), None, "once is enough");
        }
        edited
    }

    fn is(value: Value) -> Wanted {
        Wanted::Is(value)
    }

    #[test]
    fn a_new_key_comes_last_in_the_style_of_the_file() {
        let text = "{\n  \"z\": 0.00014000000000000001,\n  \"a\": [ 1,2 ]\n}\n";
        let wanted = "{\n  \"z\": 0.00014000000000000001,\n  \"a\": [ 1,2 ],\n  \"b\": true\n}\n";
        assert_eq!(edited(text, "b", is(json!(true))).as_deref(), Some(wanted));
        let compact = edited(r#"{"z":1}"#, "b", is(json!(true)));
        assert_eq!(compact.as_deref(), Some(r#"{"z":1,"b": true}"#));
        let empty = edited("{}", "b", is(json!(true)));
        assert_eq!(empty.as_deref(), Some("{\n  \"b\": true\n}"));
    }

    #[test]
    fn a_key_deep_below_is_put_in_where_its_way_ends() {
        let text = r#"{"projects":{"/a":{"x":1e400}},"n":12345678901234567890123}"#;
        let path = ["projects", "/b.c", "trusted"].map(str::to_owned);
        let edited = edit(text, &path, &is(json!(true))).unwrap().unwrap();
        assert_eq!(
            edited,
            r#"{"projects":{"/a":{"x":1e400},"/b.c": {"trusted":true}},"n":12345678901234567890123}"#
        );
    }

    #[test]
    fn what_is_there_is_replaced_only_where_it_must_be_so() {
        let text = r#"{ "a": false, "b": null }"#;
        assert_eq!(
            edited(text, "a", is(json!(true))).as_deref(),
            Some(r#"{ "a": true, "b": null }"#)
        );
        assert_eq!(edited(text, "a", Wanted::Default(json!(true))), None);
        assert_eq!(edited(text, "b", Wanted::Default(json!(true))), None);
        assert_eq!(edited(text, "a", is(json!(false))), None);
    }

    #[test]
    fn a_list_gets_one_more_item() {
        let one = || Wanted::Contains(json!("k"));
        assert_eq!(edited(r#"{"l":["k"]}"#, "l", one()), None);
        assert_eq!(edited(r#"{"l":["a"]}"#, "l", one()).as_deref(), Some(r#"{"l":["a","k"]}"#));
        assert_eq!(edited(r#"{"l":[]}"#, "l", one()).as_deref(), Some(r#"{"l":["k"]}"#));
        assert_eq!(edited(r#"{"l":null}"#, "l", one()).as_deref(), Some(r#"{"l":["k"]}"#));
        let tall = "{\n  \"l\": [\n    \"a\"\n  ]\n}";
        let taller = "{\n  \"l\": [\n    \"a\",\n    \"k\"\n  ]\n}";
        assert_eq!(edited(tall, "l", one()).as_deref(), Some(taller));
        assert!(edited("{}", "m.l", one()).unwrap().contains(r#""m": {"l":["k"]}"#));
        assert!(edited(r#"{"m":null}"#, "m.l", one()).unwrap().contains(r#""m":{"l":["k"]}"#));
    }

    #[test]
    fn of_two_members_of_one_name_the_last_counts() {
        let edited = edited(r#"{"a":true,"a":false}"#, "a", is(json!(true)));
        assert_eq!(edited.as_deref(), Some(r#"{"a":true,"a":true}"#));
    }

    #[test]
    fn names_with_quotes_and_braces_are_only_names() {
        let text = r#"{"a}\"": "}", "\u0062": 1}"#;
        assert_eq!(edited(text, "b", is(json!(1))), None);
        let edited = edited(text, "c\"}", is(json!("{")));
        assert_eq!(edited.as_deref(), Some(r#"{"a}\"": "}", "\u0062": 1,"c\"}": "{"}"#));
    }

    #[test]
    fn what_is_of_another_kind_is_refused() {
        let refused = |text: &str, path: &[&str], wanted: &Wanted| {
            let path: Vec<String> = path.iter().map(|it| (*it).to_owned()).collect();
            match edit(text, &path, wanted).unwrap_err() {
                Refused::NotJson(_) => None,
                Refused::Kind { depth, wanted } => Some((depth, wanted)),
            }
        };
        let yes = is(json!(true));
        assert_eq!(refused("[]", &["a"], &yes), Some((0, "an object")));
        assert_eq!(refused(r#"{"a":1}"#, &["a", "b"], &yes), Some((1, "an object")));
        let list = Wanted::Contains(json!(1));
        assert_eq!(refused(r#"{"a":{}}"#, &["a"], &list), Some((1, "a list")));
        for broken in ["{", "", "{\"a\":}", "{} x", "// no\n{}", "[", "{\"a\":1,}"] {
            assert_eq!(refused(broken, &["a"], &yes), None, "{broken:?}");
        }
    }
}

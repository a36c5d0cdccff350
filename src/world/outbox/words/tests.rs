use super::*;
use crate::world::outbox::Notice;
use crate::world::outbox::shelf::Shelf;

fn entries(titles: &[String]) -> Vec<Entry> {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path(), &dir.path().join("run"));
    for (n, title) in titles.iter().enumerate() {
        let severity = if n == 1 { Severity::Urgent } else { Severity::Info };
        let (key, title) = (title.clone(), title.clone());
        let notice = Notice { key, title, text: "the text".into(), severity };
        shelf.post(&notice, std::time::SystemTime::now()).unwrap();
    }
    shelf.waiting()
}

#[test]
fn one_notice_is_told_in_its_own_words_with_how_often() {
    let one = entries(&["a".into(), "a".into(), "a".into()]);
    let message = Message::of(&one).unwrap();
    assert_eq!((message.title.as_str(), message.count), ("a", 3));
    assert!(message.text.starts_with("the text\n(3 times since 2"), "{}", message.text);
    assert!(message.headline().ends_with(": a"));
    assert_eq!(Message::of(&[]), None);
}

#[test]
fn a_digest_names_each_as_far_as_there_is_room_and_is_as_urgent_as_the_most_urgent() {
    let titles: Vec<_> =
        (0..150).map(|n| format!("unit-{n} died, and the reason is long")).collect();
    let message = Message::of(&entries(&titles)).unwrap();
    assert_eq!((message.title.as_str(), message.severity), ("150 notices", Severity::Urgent));
    assert!(message.text.len() <= TEXT_MAX);
    assert!(message.text.contains("unit-0 died") && message.text.ends_with(" more"));
}

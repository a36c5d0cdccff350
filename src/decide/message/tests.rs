use super::*;

fn now(second: u64) -> Now {
    let since = Duration::from_secs(second);
    Now { mono: Mono::from_boot(since), wall: SystemTime::UNIX_EPOCH + since }
}

fn queue(texts: &[&str]) -> Queue {
    let mut queue = Queue::default();
    for (number, text) in (1..).zip(texts) {
        queue.push(MessageId(number), (*text).to_owned(), None, now(0));
    }
    queue
}

#[test]
fn an_id_is_written_in_six_digits_and_read_again() {
    for number in [0, 1, 31, 32, 0x2af3_51c7, (1 << 30) - 1] {
        let id = MessageId::new(number);
        assert_eq!(id.to_string().len(), 6);
        assert_eq!(MessageId::parse(&id.to_string()), Some(id));
    }
    assert_eq!(MessageId::parse("12345"), None);
    assert_eq!(MessageId::parse("12345u"), None);
}

#[test]
fn equal_messages_are_folded_until_the_first_is_begun() {
    let mut folded = queue(&["a", "b", "a"]);
    assert_eq!(folded.len(), 2);
    folded.begin();
    folded.push(MessageId(9), "a".to_owned(), None, now(0));
    assert_eq!(folded.len(), 3);
    folded.end(MessageId(1), &Delivery::Arrived);
    assert_eq!(folded.delivery(MessageId(3)), Some(Delivery::Arrived));
    assert_eq!(folded.delivery(MessageId(9)), Some(Delivery::Waiting(String::new())));
}

#[test]
fn a_message_that_was_begun_is_suspected_of_having_arrived_over_a_restart() {
    let mut first = queue(&["a"]);
    assert!(matches!(first.begin(), Some((_, false))));
    let mut second = Queue::restored(&first.saved(), now(9));
    assert!(matches!(second.begin(), Some((_, true))));
}

#[test]
fn a_message_expires_unless_it_may_have_arrived() {
    let mut queue = Queue::default();
    let minute = Some(Duration::from_secs(60));
    queue.push(MessageId(1), "a".to_owned(), minute, now(0));
    queue.push(MessageId(2), "b".to_owned(), minute, now(0));
    queue.begin();
    assert_eq!(queue.expired(now(59).mono), []);
    assert_eq!(queue.expired(now(60).mono), [MessageId(2)]);
    let restored = Queue::restored(&queue.saved(), now(30));
    assert_eq!(restored.expired(now(59).mono), []);
    assert_eq!(restored.expired(now(60).mono), [MessageId(2)]);
}

#[test]
fn a_full_queue_takes_no_more_and_says_so() {
    let texts: Vec<String> = (0..=QUEUE_MAX).map(|number| number.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let full = queue(&texts);
    let last = MessageId(u32::try_from(texts.len()).unwrap());
    assert!(matches!(full.delivery(last), Some(Delivery::Dropped(_))));
    assert_eq!(full.delivery(MessageId(1)), Some(Delivery::Waiting(String::new())));
}

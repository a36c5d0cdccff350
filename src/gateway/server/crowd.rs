//! Who is connected. There is room for so many; if one more comes, whoever has been silent for
//! longest goes: ten thousand connections that say nothing keep nobody out. Not here: sockets.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::Notify;

/// The callers who are connected.
#[derive(Debug)]
pub(super) struct Crowd {
    room: usize,
    next: Cell<u64>,
    inside: Cell<usize>,
    /// Those of whom no request is being answered, by how long they have been waiting.
    silent: RefCell<BTreeMap<u64, Rc<Notify>>>,
    left: Notify,
}

/// One caller's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Rc<Crowd>,
    number: Cell<u64>,
    leave: Rc<Notify>,
}

impl Crowd {
    pub(super) fn new(room: usize) -> Self {
        Self {
            room,
            next: Cell::new(0),
            inside: Cell::new(0),
            silent: RefCell::default(),
            left: Notify::new(),
        }
    }

    /// A place for one more; `None` if all the others are being answered.
    pub(super) fn enter(self: &Rc<Self>) -> Option<Place> {
        if self.inside.get() >= self.room {
            let (_, longest) = self.silent.borrow_mut().pop_first()?;
            longest.notify_one();
        }
        self.inside.set(self.inside.get() + 1);
        let place =
            Place { crowd: Rc::clone(self), number: Cell::new(0), leave: Rc::new(Notify::new()) };
        place.is_silent();
        Some(place)
    }

    /// Resolves when nobody is inside any more.
    pub(super) async fn left(&self) {
        while self.inside.get() > 0 {
            self.left.notified().await;
        }
    }
}

impl Place {
    /// A request begins to be answered.
    pub(super) fn is_heard(&self) {
        self.crowd.silent.borrow_mut().remove(&self.number.get());
    }

    /// Its answer is there, or nothing was asked yet.
    pub(super) fn is_silent(&self) {
        let number = self.crowd.next.get();
        self.crowd.next.set(number + 1);
        self.number.set(number);
        self.crowd.silent.borrow_mut().insert(number, Rc::clone(&self.leave));
    }

    /// Resolves when it has to go.
    pub(super) async fn has_to_go(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.is_heard();
        self.crowd.inside.set(self.crowd.inside.get() - 1);
        if self.crowd.inside.get() == 0 {
            self.crowd.left.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silent_one_makes_room_and_who_is_answered_stays() {
        let crowd = Rc::new(Crowd::new(2));
        let (first, second) = (crowd.enter().unwrap(), crowd.enter().unwrap());
        first.is_heard();
        let third = crowd.enter().unwrap();
        assert_eq!(crowd.silent.borrow().len(), 1);
        third.is_heard();
        assert!(crowd.enter().is_none());
        first.is_silent();
        assert!(crowd.enter().is_some());
        drop((first, second, third));
        assert_eq!(crowd.inside.get(), 0);
    }
}

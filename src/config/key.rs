//! Where in the file something stands, as a path of keys.

use std::fmt;

/// A path such as `services.nanoclaw.after[0]`; the empty path is the whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Key(Vec<Step>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a table.
    Name(String),
    /// Into an array.
    Item(usize),
}

impl Key {
    /// The path that begins at the top with `name`.
    pub(super) fn top(name: &str) -> Self {
        Self::default().of(name)
    }

    /// The key `name` in the table here.
    pub(super) fn of(&self, name: &str) -> Self {
        self.and(Step::Name(name.into()))
    }

    /// The item `index` of the array here.
    pub(super) fn item(&self, index: usize) -> Self {
        self.and(Step::Item(index))
    }

    /// The steps from the top.
    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The name of the step `index` from the top, where that is a name.
    pub(super) fn name(&self, index: usize) -> Option<&str> {
        match self.0.get(index)? {
            Step::Name(name) => Some(name),
            Step::Item(_) => None,
        }
    }

    /// The last name on the path.
    pub(super) fn last_name(&self) -> &str {
        (0..self.0.len()).rev().find_map(|index| self.name(index)).unwrap_or_default()
    }

    fn and(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) => {
                    let dot = if place == 0 { "" } else { "." };
                    if is_bare(name) {
                        write!(f, "{dot}{name}")?;
                    } else {
                        write!(f, "{dot}{name:?}")?;
                    }
                }
                Step::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Whether TOML lets the name stand without quotes.
fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

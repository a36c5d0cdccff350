//! Short stories in words. What a whole house goes through in days is simulated in `tests/it`.

mod stage;

mod lives;
mod waits;
mod wishes;

//! What only one session writes: another's commit is said, and told to the owner if the config says
//! so.

use super::PLAN;
use crate::handoffs::{SESSIONS, clones, commit, git};
use crate::house::House;

const OWNERS: &str = r#"
owners_ping = true
[plan.owners]
"STATUS.md" = "builder"
"NOTES.md#For the adversary" = "adversary"
"#;

const NOTES: &str = "# Notes\n\n## For the adversary\nnothing\n\n## For the builder\nnothing\n";

impl House {
    fn with_owners() -> Self {
        let mut house = Self::new("");
        let [builder, adversary] = clones(&house);
        commit(&builder, "NOTES.md", NOTES);
        git(&builder, &["push", "-q"]);
        git(&adversary, &["pull", "-q"]);
        house.configure(&format!("{SESSIONS}{PLAN}{OWNERS}"));
        house.run();
        house.wait_up(&["builder", "adversary"]);
        house.waits_for_first_looks();
        house
    }

    fn foreign(&self) -> Vec<String> {
        self.events().into_iter().filter(|it| it.contains(" foreign-commit ")).collect()
    }

    fn waits_for_foreign(&self, count: usize) -> Vec<String> {
        self.wait_for("it to be said", || Some(self.foreign()).filter(|it| it.len() == count))
    }
}

/// Both clones commit under one name: the reflogs tell them apart.
#[test]
fn a_commit_of_another_than_the_owner_is_said_once_and_told_to_the_owner() {
    let house = House::with_owners();
    house.writes("builder", "STATUS.md", "# Status\nworking\n");
    let at = house.writes("adversary", "STATUS.md", "# Status\nI know better\n");
    let said = house.waits_for_foreign(1);
    let wanted = format!("builder foreign-commit STATUS.md was changed by adversary in {at}");
    assert_eq!(said, [wanted]);
    house.waits_to_see("builder", "is yours alone to write. Look at it.");
    // The owner gets it into its own clone, and goes on.
    house.writes("builder", "STATUS.md", "# Status\nworking still\n");
    house.adds("adversary", "STATUS.md", "I still do");
    assert_eq!(house.waits_for_foreign(2).len(), 2, "the owner's own are not said");
}

#[test]
fn a_section_can_have_an_owner_and_what_stands_beside_it_has_none() {
    let house = House::with_owners();
    let other = NOTES.replace("builder\nnothing", "builder\nsomething");
    house.writes("builder", "NOTES.md", &other);
    let at = house.writes(
        "builder",
        "NOTES.md",
        &other.replace("adversary\nnothing", "adversary\nhello"),
    );
    let said = house.waits_for_foreign(1);
    let what = "adversary foreign-commit NOTES.md#For the adversary was changed by builder in";
    assert_eq!(said, [format!("{what} {at}")]);
}

//! Two agents meet in a repository: a claim wakes one, a verdict the other, and a phase ends only
//! with the word of both. The demo commits as the agents would, with git, each in its own clone.

use anyhow::Context as _;

use super::agent::{PROMPT, WORKING};
use super::house::House;
use super::scenes::{identities, reload, same, settled, shows_of};
use super::teller::{Halt, Teller, length};
use crate::cli::init::repository::{Made, git, make};
use crate::cli::phase;
use crate::protocol::PlanStatus;
use crate::world::journal;

const CLAIM: &str = "CLAIMED pillars";
const VERDICT: &str = "PASS pillars";

/// What the two write, each its own.
const FILES: [(&str, &str); 2] = [("STATUS.md", "# Status\n"), ("REVIEW.md", "# Review\n")];

/// A claim is handed to the adversary, its verdict to the builder.
pub(super) fn claim(house: &mut House, tell: &mut Teller) -> Result<(), Halt> {
    let before = identities(house, &settled(house, tell)?)?;
    tell.step(
        "Give both a plan, and a repository to meet in",
        "A line that the builder commits shall wake the adversary, and a verdict the builder. \
         Neither knows of the other.",
    )?;
    match make(house.folder(), &FILES)? {
        Made::Clones => {}
        Made::Explained(why) => return Err(Halt::Missed(format!("a repository: {why}"))),
    }
    house.add_plan()?;
    tell.command("supervisor reload")?;
    reload(house, tell)?;
    tell.until("both files are known as they are", || {
        let said = std::fs::read_to_string(journal::path(house.state_dir()));
        let said = said.context("cannot read the journal")?;
        Ok((said.matches("handoff-begins").count() >= 2).then_some(()))
    })?;
    writes(house, tell, "builder", "STATUS.md", CLAIM)?;
    hears(house, tell, "adversary", &format!("judge {CLAIM}"))?;
    writes(house, tell, "adversary", "REVIEW.md", VERDICT)?;
    hears(house, tell, "builder", &format!("heed {VERDICT}"))?;
    let after = identities(house, &settled(house, tell)?)?;
    same(&before, &after)
}

/// DONE is refused, consented to, and accepted.
pub(super) fn done(house: &House, tell: &mut Teller) -> Result<(), Halt> {
    tell.step(
        "Say that the first phase is done",
        "The builder alone cannot: the adversary has to agree, in a later commit.",
    )?;
    writes(house, tell, "builder", "STATUS.md", "## DONE")?;
    let plan = tell.until("DONE is refused", || plan(house, |plan| !plan.missing.is_empty()))?;
    if plan.phase.as_deref() != Some("1") {
        return Err(Halt::Missed(format!("it is phase 1 still: {:?}", plan.phase)));
    }
    tell.claim(&format!("refused: {}", plan.missing.join("; ")))?;
    // What is typed while it draws over its line cannot be seen to arrive.
    tell.until("the builder is idle again", || {
        let screen = shows_of(house, "builder", PROMPT)?;
        Ok(screen.filter(|screen| screen.trim_end().ends_with(PROMPT)))
    })?;
    writes(house, tell, "adversary", "REVIEW.md", "PASS phase 1")?;
    let is_second = |plan: &PlanStatus| plan.phase.as_deref() == Some("2");
    let plan = tell.until("the next phase begins", || self::plan(house, is_second))?;
    let took = length(tell.since_act());
    tell.claim(&format!("accepted, and phase 2 begun, {took} after the adversary's word"))?;
    hears(house, tell, "builder", "heed PASS phase 1")?;
    tell.command("supervisor phase")?;
    tell.output(|_| Ok(phase::text(&plan)))
}

/// Adds a line to a file in an agent's clone, commits it, and lets the other have it.
fn writes(
    house: &House,
    tell: &mut Teller,
    name: &str,
    file: &str,
    line: &str,
) -> Result<(), Halt> {
    let clone = house.folder().join(name);
    git(&clone, &["pull", "--quiet", "--rebase"])?;
    let path = clone.join(file);
    let text = std::fs::read_to_string(&path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    std::fs::write(&path, format!("{text}{line}\n"))
        .with_context(|| format!("cannot write {}", path.display()))?;
    tell.command(&format!("cd {name}; echo '{line}' >> {file}; git commit -a; git push"))?;
    git(&clone, &["commit", "--quiet", "--all", "--message", line])?;
    Ok(git(&clone, &["push", "--quiet"])?)
}

/// Waits until an agent works on what it was told.
fn hears(house: &House, tell: &mut Teller, name: &str, text: &str) -> Result<(), Halt> {
    let works = format!("{WORKING}{text}");
    tell.until(&format!("the {name} works on it"), || shows_of(house, name, &works))?;
    let took = length(tell.since_act());
    tell.claim(&format!("{took} after the commit the {name} works on “{text}”"))
}

fn plan(house: &House, wanted: impl Fn(&PlanStatus) -> bool) -> Result<Option<PlanStatus>, Halt> {
    let plan = house.status()?.map(|status| status.plan);
    Ok(plan.filter(wanted))
}

//! Circles in `after`: units that wait for each other for ever.

use std::collections::BTreeMap;

/// Every circle of `edges` (a name and what it comes after), each once, beginning and ending with
/// its first name in the order of the alphabet.
pub(super) fn cycles<'n>(mut edges: BTreeMap<&'n str, Vec<&'n str>>) -> Vec<Vec<&'n str>> {
    let mut cycles = Vec::new();
    loop {
        drop_the_free(&mut edges);
        let Some(cycle) = first_cycle(&edges) else { return cycles };
        for name in &cycle {
            edges.remove(name);
        }
        cycles.push(cycle);
    }
}

/// Takes out, again and again, whatever waits for nothing that is left.
fn drop_the_free(edges: &mut BTreeMap<&str, Vec<&str>>) {
    loop {
        let before = edges.len();
        let left: Vec<_> = edges.keys().copied().collect();
        edges.retain(|_, after| after.iter().any(|name| left.binary_search(name).is_ok()));
        if edges.len() == before {
            return;
        }
    }
}

/// Whoever is left waits for someone who is left: following them must come round.
fn first_cycle<'n>(edges: &BTreeMap<&'n str, Vec<&'n str>>) -> Option<Vec<&'n str>> {
    let mut walked: Vec<&str> = vec![edges.keys().next().copied()?];
    loop {
        let last = walked.last()?;
        let next = edges.get(last)?.iter().copied().find(|name| edges.contains_key(name))?;
        if let Some(start) = walked.iter().position(|name| *name == next) {
            let mut cycle = walked.split_off(start);
            let first = cycle.iter().enumerate().min_by_key(|(_, name)| **name)?.0;
            cycle.rotate_left(first);
            cycle.push(cycle.first().copied()?);
            return Some(cycle);
        }
        walked.push(next);
    }
}

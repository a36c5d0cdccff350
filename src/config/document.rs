//! The TOML text with its places: which key stands on which line. Not here: what values mean.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::key::{Key, Step};
use super::problem::Problem;
use super::raw::Raw;
use super::shape;

/// So many mistakes of shape are told at once; a file with more of them is some other file.
const SHAPES_TOLD: usize = 20;

/// A text that is TOML.
pub(super) struct Document<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

impl<'t> Document<'t> {
    /// Reads `text`.
    ///
    /// # Errors
    /// The first place that is not TOML.
    pub(super) fn parse(text: &'t str) -> Result<Self, Problem> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { text, root }),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let (line, column) = place(text, span.start);
                let there = text.get(span).unwrap_or_default();
                Err(Problem {
                    line,
                    column: Some(column),
                    key: String::new(),
                    what: shape::not_toml(error.message(), there),
                })
            }
        }
    }

    /// The text as the structs of [`Raw`].
    ///
    /// # Errors
    /// Every unknown key and every value of a wrong type. Each one that is found is taken out, and
    /// the rest tried again, because serde stops at the first.
    pub(super) fn decode(&self) -> Result<Raw, Vec<Problem>> {
        let mut rest = self.root.clone();
        let mut problems = Vec::new();
        while problems.len() < SHAPES_TOLD {
            let error = match Raw::deserialize(Deserializer::from(rest.clone())) {
                Ok(raw) if problems.is_empty() => return Ok(raw),
                Ok(_) => break,
                Err(error) => error,
            };
            let outermost = shape::is_about_an_array(error.message());
            let span = error.span().unwrap_or(0..0);
            let key = key_at(rest.get_ref(), &span, outermost);
            let kind = find(rest.get_ref(), key.steps()).map_or("table", DeValue::type_str);
            let what = shape::explain(error.message(), &key, kind);
            problems.push(Problem::new(self.line(&key), &key, what));
            if !take_out(rest.get_mut(), key.steps()) {
                break;
            }
        }
        Err(problems)
    }

    /// The line on which `key` stands, or the nearest table around it that is written at all.
    pub(super) fn line(&self, key: &Key) -> usize {
        let mut offset = 0;
        let mut table = Some(self.root.get_ref());
        let mut value: Option<&Spanned<DeValue<'_>>> = None;
        for step in key.steps() {
            let found = match step {
                Step::Name(name) => table
                    .and_then(|table| table.get_key_value(name.as_str()))
                    .map(|(key, value)| (key.span().start, value)),
                Step::Item(index) => value
                    .and_then(|value| value.get_ref().as_array()?.get(*index))
                    .map(|value| (value.span().start, value)),
            };
            let Some((start, found)) = found else { break };
            offset = start;
            table = found.get_ref().as_table();
            value = Some(found);
        }
        place(self.text, offset).0
    }
}

/// The line and column, from 1, of a byte.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

/// The key whose name or value stands at exactly `span`, else the smallest around it. An array of
/// tables has the span of its first table: `outermost` says which of the two is meant.
fn key_at(root: &DeTable<'_>, span: &Range<usize>, outermost: bool) -> Key {
    let mut best = Key::default();
    let mut exact = false;
    let mut width = usize::MAX;
    for_each(root, &best.clone(), &mut |key, at| {
        if at == span {
            if !(exact && outermost) {
                best = key.clone();
            }
            exact = true;
        } else if !exact && at.start <= span.start && span.end <= at.end && at.len() <= width {
            best = key.clone();
            width = at.len();
        }
    });
    best
}

/// Calls `visit` with every key and the span of its name, then of its value, from the top down.
fn for_each(table: &DeTable<'_>, above: &Key, visit: &mut impl FnMut(&Key, &Range<usize>)) {
    for (name, value) in table.iter() {
        let key = above.of(name.get_ref());
        visit(&key, &name.span());
        for_value(value, &key, visit);
    }
}

fn for_value(value: &Spanned<DeValue<'_>>, key: &Key, visit: &mut impl FnMut(&Key, &Range<usize>)) {
    visit(key, &value.span());
    if let Some(table) = value.get_ref().as_table() {
        for_each(table, key, visit);
    }
    for (index, item) in value.get_ref().as_array().into_iter().flat_map(|a| a.iter()).enumerate() {
        for_value(item, &key.item(index), visit);
    }
}

fn find<'a, 't>(table: &'a DeTable<'t>, steps: &[Step]) -> Option<&'a DeValue<'t>> {
    let (first, rest) = steps.split_first()?;
    let Step::Name(name) = first else { return None };
    rest.iter().try_fold(table.get(name.as_str())?.get_ref(), |value, step| {
        Some(match step {
            Step::Name(name) => value.get(name.as_str())?.get_ref(),
            Step::Item(index) => value.get(*index)?.get_ref(),
        })
    })
}

/// Takes the key out; of an array that holds values, the whole array, so that no index shifts.
fn take_out(table: &mut DeTable<'_>, steps: &[Step]) -> bool {
    let Some((Step::Name(name), rest)) = steps.split_first() else { return false };
    if rest.iter().all(|step| matches!(step, Step::Item(_))) {
        return table.remove(name.as_str()).is_some();
    }
    table.get_mut(name.as_str()).is_some_and(|value| take_out_of(value.get_mut(), rest))
}

fn take_out_of(value: &mut DeValue<'_>, steps: &[Step]) -> bool {
    match (value, steps.split_first()) {
        (DeValue::Table(table), _) => take_out(table, steps),
        (DeValue::Array(items), Some((Step::Item(index), rest))) => {
            items.get_mut(*index).is_some_and(|item| take_out_of(item.get_mut(), rest))
        }
        _ => false,
    }
}

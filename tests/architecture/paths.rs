//! The paths that a file names, in `use` trees and in its code, as seen from the crate's root.

use std::collections::BTreeMap;

use super::source::SourceFile;
use super::tokens::Token;

/// A path and where it is named.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// `crate::world::procs` for whatever leads there; else as written, with imported names
    /// replaced by what they stand for.
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

impl Named {
    pub(crate) fn text(&self) -> String {
        self.path.join("::")
    }

    /// Whether it is `wanted` or something in it.
    pub(crate) fn is_in(&self, wanted: &[&str]) -> bool {
        self.path.len() >= wanted.len() && self.path.iter().zip(wanted).all(|(a, b)| a == b)
    }
}

/// Every path that the file names, comments included where they link to a room.
pub(crate) fn named(file: &SourceFile) -> Vec<Named> {
    let mut reader = Reader { tokens: &file.tokens, at: 0, found: Vec::new() };
    reader.read(&file.module());
    let mut found = reader.found;
    let imports: Vec<(String, Vec<String>)> =
        found.iter().filter_map(|it| Some((it.alias.clone()?, it.named.path.clone()))).collect();
    let aliases: BTreeMap<String, Vec<String>> = imports.into_iter().collect();
    for it in found.iter_mut().filter(|it| it.alias.is_none()) {
        if let Some(stands_for) = aliases.get(&it.named.path[0]) {
            it.named.path.splice(0..1, stands_for.iter().cloned());
        }
    }
    let in_code = found.into_iter().map(|it| it.named);
    let in_comments = file.comments.iter().flat_map(|comment| {
        comment.text.match_indices("crate::").map(|(at, _)| {
            let link =
                comment.text[at..].split(|c: char| c != ':' && c != '_' && !c.is_alphanumeric());
            let path = link.into_iter().next().unwrap_or_default().split("::").map(str::to_owned);
            Named { path: path.filter(|word| !word.is_empty()).collect(), line: comment.line }
        })
    });
    in_code.chain(in_comments).collect()
}

struct Found {
    named: Named,
    /// The name by which an import is known in the file.
    alias: Option<String>,
}

struct Reader<'f> {
    tokens: &'f [Token],
    at: usize,
    found: Vec<Found>,
}

impl Reader<'_> {
    /// Reads the tokens to the end, or to the brace that closes the module it is in.
    fn read(&mut self, module: &[String]) {
        let mut depth = 0;
        while let Some(token) = self.tokens.get(self.at) {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" if depth == 0 => return,
                "}" => depth -= 1,
                "use" => {
                    self.at += 1;
                    self.tree(module, &[]);
                    continue;
                }
                "mod" if self.text(2) == "{" => {
                    let inner = [module, &[self.text(1).to_owned()]].concat();
                    self.at += 3;
                    self.read(&inner);
                }
                word if self.text(1) == "::" && is_name(word) && !self.continues() => {
                    self.inline(module);
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// One branch of a `use` tree, `prefix` in front of it.
    fn tree(&mut self, module: &[String], prefix: &[String]) {
        let mut path = prefix.to_vec();
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        loop {
            match self.text(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while !["}", ""].contains(&self.text(0)) {
                        let before = self.at;
                        self.tree(module, &path);
                        if self.text(0) == "," || self.at == before {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                word if is_name(word) || word == "*" => {
                    let word = word.to_owned();
                    self.at += 1;
                    if word == "as" {
                        let alias = Some(self.text(0).to_owned());
                        self.at += 1;
                        return self.push(module, path, line, alias);
                    }
                    path.push(word);
                }
                _ => {
                    // `use a::b::{self}` names `a::b` itself.
                    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                        path.pop();
                    }
                    let alias = path.last().cloned();
                    return self.push(module, path, line, alias);
                }
            }
        }
    }

    /// A path in the code: names and `::`, up to whatever else comes.
    fn inline(&mut self, module: &[String]) {
        let line = self.tokens[self.at].line;
        let mut path = vec![self.text(0).to_owned()];
        self.at += 1;
        while self.text(0) == "::" && is_name(self.text(1)) {
            path.push(self.text(1).to_owned());
            self.at += 2;
        }
        self.push(module, path, line, None);
    }

    fn push(&mut self, module: &[String], path: Vec<String>, line: usize, alias: Option<String>) {
        if path.is_empty() {
            return;
        }
        let named = Named { path: from_root(module, path), line };
        self.found.push(Found { named, alias });
    }

    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text.as_str())
    }

    /// Whether the word here goes on with a path that began before it, as after `<T>::`.
    fn continues(&self) -> bool {
        self.at.checked_sub(1).is_some_and(|before| self.tokens[before].text == "::")
    }
}

fn from_root(module: &[String], path: Vec<String>) -> Vec<String> {
    let supers = path.iter().take_while(|word| *word == "super").count();
    let rest = match path[0].as_str() {
        "super" => &path[supers..],
        "self" => &path[1..],
        _ => return path,
    };
    let kept = module.len().saturating_sub(supers);
    let root = std::iter::once("crate".to_owned());
    root.chain(module[..kept].iter().cloned()).chain(rest.iter().cloned()).collect()
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c == '_' || c.is_alphabetic())
}

//! The source files, cut into tokens.

use std::path::{Path, PathBuf};

use super::tokens::{Comment, Token, cut};

/// One file.
pub(crate) struct SourceFile {
    /// From the project's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    pub(crate) comments: Vec<Comment>,
}

impl SourceFile {
    pub(crate) fn from_text(path: &str, text: &str) -> Self {
        let (tokens, comments) = cut(text);
        Self { path: path.to_owned(), text: text.to_owned(), tokens, comments }
    }

    pub(crate) fn read(root: &Path, path: &Path) -> Self {
        let text = std::fs::read_to_string(root.join(path)).expect("a source file");
        Self::from_text(path.to_str().expect("UTF-8"), &text)
    }

    /// Every `.rs` file below a folder, by name.
    pub(crate) fn under(root: &Path, folder: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder of the project");
        let mut names: Vec<PathBuf> =
            entries.map(|entry| folder.join(entry.expect("an entry").file_name())).collect();
        names.sort();
        let mut files = Vec::new();
        for name in names {
            if root.join(&name).is_dir() {
                files.extend(Self::under(root, &name));
            } else if name.extension().is_some_and(|extension| extension == "rs") {
                files.push(Self::read(root, &name));
            }
        }
        files
    }

    /// Whether it is part of the binary and its tests, and not of the tests around it.
    pub(crate) fn is_src(&self) -> bool {
        self.path.starts_with("src/")
    }

    /// The first word below `src/`: `decide`, `world`, … ; `main` and `lib` for these two files.
    pub(crate) fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        inside.split(['/', '.']).next()
    }

    /// The module that this file is: `src/world/tmux/mod.rs` is `world::tmux`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let inside = inside.strip_suffix(".rs").unwrap_or(inside);
        let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            module.pop();
        }
        module
    }

    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count()
    }
}

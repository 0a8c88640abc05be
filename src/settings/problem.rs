//! What can be wrong with settings: which key, where, and the fix.

use std::{fmt, sync::Arc};

use super::{Settings, blame::key_of, document, source::Source};
use crate::{
    problems::write_lines,
    stack::{BuildError, BuildProblem},
};

/// The most problems that are reported of one text.
pub(super) const MOST: usize = 100;

/// Why settings cannot be used: everything that is wrong, one [`SettingsProblem`] or more. Prints one line for each.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingsError {
    /// Never empty.
    problems: Vec<SettingsProblem>,
}

impl SettingsError {
    /// All that is wrong; never empty.
    #[must_use]
    pub fn problems(&self) -> &[SettingsProblem] {
        &self.problems
    }

    /// These problems; `Ok` if there are none.
    ///
    /// # Errors
    ///
    /// If there is one.
    pub fn unless_empty(problems: Vec<SettingsProblem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }

    /// These problems, and those of a build.
    pub(super) fn of(mut problems: Vec<SettingsProblem>, build: &BuildError, settings: &Settings) -> Self {
        problems.extend(build.problems().iter().map(|problem| {
            let key = key_of(problem, settings);
            SettingsProblem::new(&settings.source, &key, WrongSetting::Build(problem.clone()))
        }));
        Self { problems }
    }
}

impl From<SettingsProblem> for SettingsError {
    fn from(problem: SettingsProblem) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_lines(f, &self.problems)
    }
}

impl std::error::Error for SettingsError {}

/// One thing that is wrong with settings: where it stands, which key it is, and what is wrong with it. Prints
/// `FILE:LINE:COLUMN: MESSAGE`. Never repeats a value: it may be a secret that was put in the wrong place.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingsProblem {
    file: Option<Arc<str>>,
    at: Option<(usize, usize)>,
    key: String,
    wrong: WrongSetting,
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum WrongSetting {
    /// The file cannot be read.
    Unreadable(String),
    /// The text is neither TOML nor JSON.
    Syntax(String),
    /// There is no such key.
    UnknownKey {
        /// The known key that is nearest to it, if one is near; of another table with its path.
        nearest: Option<String>,
        /// The keys that are known there.
        known: Vec<String>,
    },
    /// The key is needed.
    Missing,
    /// The value is not allowed: which ones are.
    Value(String),
    /// The stack cannot be built with it.
    Build(BuildProblem),
}

impl SettingsProblem {
    /// Of the setting at this path.
    pub(super) fn new(source: &Source, key: &str, wrong: WrongSetting) -> Self {
        Self {
            file: source.file.clone(),
            at: source.line_and_column(key),
            key: key.to_owned(),
            wrong,
        }
    }

    /// The same at a place of its own, in bytes from the start of the text.
    pub(super) fn at(source: &Source, key: &str, at: usize, wrong: WrongSetting) -> Self {
        Self {
            at: Some(document::line_and_column(&source.text, at)),
            ..Self::new(source, key, wrong)
        }
    }

    /// The file, if the settings were read from one.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The line, from 1, if it stands in a text.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.at.map(|(line, _)| line)
    }

    /// The column, from 1, in characters.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.at.map(|(_, column)| column)
    }

    /// The path of the key, such as `chain[0].timeouts.idle`; empty if the problem is the text as a whole.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn wrong(&self) -> &WrongSetting {
        &self.wrong
    }
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.at) {
            (Some(file), Some((line, column))) => write!(f, "{file}:{line}:{column}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some((line, column))) => write!(f, "line {line}, column {column}: ")?,
            (None, None) => {}
        }
        let key = document::cut(&self.key);
        match &self.wrong {
            WrongSetting::Unreadable(message) | WrongSetting::Syntax(message) => f.write_str(message),
            WrongSetting::UnknownKey {
                nearest: Some(nearest), ..
            } => {
                write!(f, "unknown key `{key}`; did you mean `{nearest}`?")?;
                let is_below = |path: &str| path.contains(['.', '[']);
                if is_below(&key) && !is_below(nearest) {
                    f.write_str(" It belongs to the top level: in TOML, write it above the first `[…]` or `[[…]]`")?;
                }
                Ok(())
            }
            WrongSetting::UnknownKey { nearest: None, known } => {
                write!(f, "unknown key `{key}`; known here: {}", known.join(", "))
            }
            WrongSetting::Missing => write!(f, "`{key}` is missing: it has no default"),
            WrongSetting::Value(message) if key.is_empty() => f.write_str(message),
            WrongSetting::Value(message) => write!(f, "`{key}`: {message}"),
            WrongSetting::Build(problem) => problem.fmt(f),
        }
    }
}

impl std::error::Error for SettingsProblem {}

//! Reads settings from TOML or JSON, and reports everything that is wrong at once.

use std::{fs::File, io::Read, path::Path};

use serde::Deserialize;
use serde_json::Value;

use super::{
    Settings, SettingsError, SettingsProblem, WrongSetting,
    check::check,
    document::{Malformed, Node},
    from_json, from_toml,
    source::Source,
};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 4 << 20;

impl Settings {
    /// Reads a file: TOML if its name ends in `.toml`, JSON if it ends in `.json`. Waits for the disk: call it from a thread that may.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is neither, or something in it is wrong: everything, with file, line and column.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SettingsError> {
        let (source, parse) = Self::open(path.as_ref())?;
        Self::parse(source, parse)
    }

    /// The text of a file, and how it is parsed.
    pub(super) fn open(path: &Path) -> Result<(Source, Parse), SettingsError> {
        let name = path.display().to_string();
        let unreadable = |message: String| {
            let source = Source::new(Some(&name), "");
            SettingsError::from(SettingsProblem::new(&source, "", WrongSetting::Unreadable(message)))
        };
        let parse: Parse = match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => from_toml::parse,
            Some("json") => from_json::parse,
            _ => {
                return Err(unreadable(
                    "a settings file ends in `.toml` or `.json`: rename it".to_owned(),
                ));
            }
        };
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
        let read = read.map_err(|error| unreadable(format!("cannot be read: {error}")))?;
        if u64::try_from(read).is_ok_and(|read| read > LARGEST) {
            return Err(unreadable(format!(
                "is larger than {LARGEST} bytes, and so no settings"
            )));
        }
        Ok((Source::new(Some(&name), &text), parse))
    }

    /// Reads TOML.
    ///
    /// ```
    /// use tower_openrouter::settings::Settings;
    ///
    /// let error = Settings::from_toml("chain = [\"openai/gpt-5\"]\nfirst_token_timout = \"10s\"\n").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "line 2, column 1: unknown key `first_token_timout`; did you mean `first_token_timeout`?"
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with line and column.
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        Self::parse(Source::new(None, text), from_toml::parse)
    }

    /// Reads JSON. A member that is null counts as not set.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with line and column.
    pub fn from_json(text: &str) -> Result<Self, SettingsError> {
        Self::parse(Source::new(None, text), from_json::parse)
    }

    fn parse(source: Source, parse: Parse) -> Result<Self, SettingsError> {
        let (tree, source) = tree(source, parse, Self::schema())?;
        Self::of_json(tree.to_json(), source)
    }

    /// The settings in a tree that fits the schema.
    pub(super) fn of_json(tree: Value, source: Source) -> Result<Self, SettingsError> {
        let mut settings = Self::deserialize(tree).map_err(|_| misfit(&source))?;
        settings.source = source;
        Ok(settings)
    }
}

/// Parses a text into a tree.
pub(super) type Parse = fn(&str) -> Result<Node, Vec<Malformed>>;

/// The tree of a text that fits this schema, and the places in it.
pub(super) fn tree(source: Source, parse: Parse, schema: &Value) -> Result<(Node, Source), SettingsError> {
    let malformed = |errors: Vec<Malformed>| {
        let problems = errors
            .into_iter()
            .take(super::problem::MOST)
            .map(|error| SettingsProblem::at(&source, "", error.at, WrongSetting::Syntax(error.message)));
        problems.collect::<Vec<_>>()
    };
    let tree = match parse(&source.text) {
        Ok(tree) => tree,
        Err(errors) => {
            let problem = || SettingsProblem::at(&source, "", 0, WrongSetting::Syntax("is empty".to_owned()));
            let problems = malformed(errors);
            SettingsError::unless_empty(problems)?;
            return Err(problem().into());
        }
    };
    SettingsError::unless_empty(check(&tree, schema, &source))?;
    let source = source.with_places(&tree);
    Ok((tree, source))
}

/// The schema lets through what serde does. Its own message would repeat the value.
pub(super) fn misfit(source: &Source) -> SettingsError {
    let wrong = WrongSetting::Value("a value does not fit its setting".to_owned());
    SettingsProblem::new(source, "", wrong).into()
}

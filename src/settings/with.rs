//! A file that holds an application's own settings beside those of the stack.

use std::path::Path;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    Settings, SettingsError, SettingsProblem, WrongSetting, from_toml,
    read::{Parse, misfit, tree},
    source::Source,
};

impl Settings {
    /// Reads a file that holds settings of an application beside those of the stack, as [`from_file`](Self::from_file) does. The members of `T` stand
    /// at the top of the file; a name that both have is the stack's. `T` is a struct with `#[serde(deny_unknown_fields)]`.
    ///
    /// What is wrong with the application's settings beyond their form, it reports with [`problem`](Self::problem).
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with file, line and column.
    pub fn from_file_with<T: DeserializeOwned + JsonSchema>(
        path: impl AsRef<Path>,
    ) -> Result<(Self, T), SettingsError> {
        let (source, parse) = Self::open(path.as_ref())?;
        both(source, parse)
    }

    /// The same for TOML.
    ///
    /// ```
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    /// use tower_openrouter::settings::Settings;
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// #[serde(deny_unknown_fields)]
    /// struct App {
    ///     listen: String,
    /// }
    ///
    /// let (stack, app) = Settings::from_toml_with::<App>("listen = \"127.0.0.1:80\"\nchain = [\"openai/gpt-5\"]")?;
    /// assert_eq!((stack.chain.len(), &*app.listen), (1, "127.0.0.1:80"));
    /// let error = Settings::from_toml_with::<App>("lisen = 1").err().map(|error| error.to_string());
    /// assert!(error.is_some_and(|error| error.contains("did you mean `listen`?")));
    /// # Ok::<(), tower_openrouter::settings::SettingsError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_file_with`](Self::from_file_with).
    pub fn from_toml_with<T: DeserializeOwned + JsonSchema>(text: &str) -> Result<(Self, T), SettingsError> {
        both(Source::new(None, text), from_toml::parse)
    }

    /// A problem of the setting at this path, such as `listen` or `key[0].name`, with its place in the text that these settings were read from.
    #[must_use]
    pub fn problem(&self, key: &str, message: impl Into<String>) -> SettingsProblem {
        SettingsProblem::new(&self.source, key, WrongSetting::Value(message.into()))
    }
}

fn both<T: DeserializeOwned + JsonSchema>(source: Source, parse: Parse) -> Result<(Settings, T), SettingsError> {
    let mut settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.inline_subschemas = true;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let mut own = members(&mut schema);
    let mut all = Settings::schema().clone();
    let stacks = members(&mut all);
    own.retain(|name, _| !stacks.contains_key(name));
    if let Some(all) = all.as_object_mut() {
        let known: Map<_, _> = stacks.into_iter().chain(own.clone()).collect();
        all.insert("properties".to_owned(), known.into());
        if let Some(required) = schema.get("required") {
            all.insert("required".to_owned(), required.clone());
        }
    }
    let (tree, source) = tree(source, parse, &all)?;
    let Value::Object(members) = tree.to_json() else {
        return Err(misfit(&source));
    };
    let (own, stacks): (Map<_, _>, Map<_, _>) = members.into_iter().partition(|(name, _)| own.contains_key(name));
    let own = T::deserialize(Value::Object(own)).map_err(|_| misfit(&source))?;
    Ok((Settings::of_json(stacks.into(), source)?, own))
}

/// Takes the members that a schema names out of it.
fn members(schema: &mut Value) -> Map<String, Value> {
    match schema.get_mut("properties").map(Value::take) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct App {
        listen: String,
        #[serde(default)]
        key: Vec<Key>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Key {
        name: String,
    }

    #[test]
    fn both_trees_are_checked_at_once_and_each_problem_has_its_place() {
        let text = "lissten = \"a\"\nfirst_token_timout = \"1s\"\n[[key]]\nname = \"a\"\nnam = 1\n";
        let error = Settings::from_toml_with::<App>(text).unwrap_err();
        let told = error.to_string();
        for part in [
            "line 1, column 1: unknown key `lissten`; did you mean `listen`?",
            "line 2, column 1: unknown key `first_token_timout`; did you mean `first_token_timeout`?",
            "line 5, column 1: unknown key `key[0].nam`; did you mean `key[0].name`?",
            "`listen` is missing",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_problem_of_the_application_has_line_and_column() {
        let text = "listen = \"nowhere\"\n[[key]]\nname = \"\"\n";
        let (settings, app) = Settings::from_toml_with::<App>(text).unwrap();
        assert_eq!((app.listen.as_str(), app.key[0].name.as_str()), ("nowhere", ""));
        assert_eq!(
            settings.problem("key[0].name", "is blank").to_string(),
            "line 3, column 8: `key[0].name`: is blank"
        );
    }
}

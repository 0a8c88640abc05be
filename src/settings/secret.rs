//! Secrets: a file only names the place of each.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::PathBuf,
    str::FromStr,
};

use secrecy::SecretString;

use super::text::{InvalidValue, written_as_text};
use crate::ApiKey;

/// How OpenRouter's, OpenAI's and Anthropic's keys begin.
const KEY: &str = "sk-";

/// The longest secret that is read from a file, in bytes.
const LONGEST: u64 = 64 * 1024;

/// The place of a secret: in an environment variable, or in a file of its own. The secret itself never stands in the settings.
///
/// ```
/// use tower_openrouter::settings::Secret;
///
/// assert_eq!("env:OPENROUTER_API_KEY".parse(), Ok(Secret::Env("OPENROUTER_API_KEY".into())));
/// assert_eq!("file:/run/secrets/openrouter".parse(), Ok(Secret::File("/run/secrets/openrouter".into())));
/// // A key behind the word for a place is a key all the same.
/// for key in ["sk-or-v1-0123", "env:sk-or-v1-0123", "file:sk-or-v1-0123"] {
///     assert!(key.parse::<Secret>().is_err());
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Secret {
    /// In the environment variable of this name: `env:NAME`, of letters, digits and `_`.
    Env(String),
    /// In this file, without the white space at its end: `file:PATH`. A relative path begins at the process's working directory.
    File(PathBuf),
}

impl Secret {
    /// Reads it. White space at its end is left out. Waits for the disk if it is in a file.
    ///
    /// # Errors
    ///
    /// If it is not there, is empty, or is no text. The message names the place, and never the secret.
    pub fn load(&self) -> Result<SecretString, InvalidValue> {
        self.read().map(SecretString::from)
    }

    /// Reads it. White space at its end is left out.
    pub(super) fn read(&self) -> Result<String, InvalidValue> {
        let mut secret = match self {
            Self::Env(name) => std::env::var(name)
                .map_err(|error| InvalidValue::new(format!("the environment variable `{name}`: {}", cause(&error))))?,
            Self::File(path) => {
                let read = || {
                    let mut text = String::new();
                    let read = File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
                    if u64::try_from(read).is_ok_and(|read| read > LONGEST) {
                        return Err(io::Error::other("longer than any secret"));
                    }
                    Ok(text)
                };
                read().map_err(|error| InvalidValue::new(format!("the file `{}`: {error}", path.display())))?
            }
        };
        // In place, so that no copy stays in memory.
        secret.truncate(secret.trim_end().len());
        if secret.is_empty() {
            return Err(InvalidValue::new(format!(
                "{} is empty: put the secret there",
                self.place()
            )));
        }
        Ok(secret)
    }

    /// Reads it as an API key.
    pub(super) fn key(&self) -> Result<ApiKey, InvalidValue> {
        ApiKey::new(self.read()?).map_err(|error| InvalidValue::new(format!("{}: {error}", self.place())))
    }

    fn place(&self) -> String {
        match self {
            Self::Env(name) => format!("the environment variable `{name}`"),
            Self::File(path) => format!("the file `{}`", path.display()),
        }
    }
}

const fn cause(error: &std::env::VarError) -> &'static str {
    match error {
        std::env::VarError::NotPresent => "it is not set",
        std::env::VarError::NotUnicode(_) => "it is not text",
    }
}

/// Whether it is the name of an environment variable.
fn is_name(name: &str) -> bool {
    name.chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

impl FromStr for Secret {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let named = |prefix: &str| text.strip_prefix(prefix).map(str::trim).filter(|name| !name.is_empty());
        // Names of places are printed, and a key that was put there would be, too.
        if let Some(name) = named("env:") {
            return if is_name(name) {
                Ok(Self::Env(name.to_owned()))
            } else {
                Err(InvalidValue::new(
                    "behind `env:` stands the name of an environment variable, of letters, digits and `_`, and not the secret itself: \
                     write \"env:NAME\", e.g. \"env:OPENROUTER_API_KEY\"",
                ))
            };
        }
        if let Some(path) = named("file:") {
            return if path.starts_with(KEY) {
                Err(InvalidValue::new(
                    "behind `file:` stands the path of a file, and not the secret itself: write \"file:PATH\", e.g. \
                     \"file:/run/secrets/openrouter\", and \"file:./\" before a relative path that begins with `sk-`",
                ))
            } else {
                Ok(Self::File(path.into()))
            };
        }
        Err(InvalidValue::new(
            "a secret does not stand in this file: put it into an environment variable or a file of its own, and write \"env:NAME\" or \
             \"file:PATH\"",
        ))
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

written_as_text!(
    Secret,
    "secret",
    ["env:OPENROUTER_API_KEY", "file:/run/secrets/openrouter"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_missing_is_named_and_one_that_is_there_is_not_printed() {
        let missing = Secret::Env("NO_SUCH_VARIABLE_OF_OURS".into())
            .read()
            .unwrap_err()
            .to_string();
        assert!(
            missing.contains("`NO_SUCH_VARIABLE_OF_OURS`: it is not set"),
            "{missing}"
        );
        let missing = Secret::File("no/such/file".into()).read().unwrap_err().to_string();
        assert!(missing.contains("`no/such/file`"), "{missing}");
        let too_long = Secret::File("/dev/zero".into()).read().unwrap_err().to_string();
        assert!(too_long.contains("longer"), "{too_long}");
        // Cargo sets it for each test.
        let key = Secret::Env("CARGO_PKG_NAME".into()).key().unwrap();
        assert!(!format!("{key:?}").contains(env!("CARGO_PKG_NAME")));
    }

    #[test]
    fn a_key_is_no_name_of_a_place() {
        for key in [
            "env:sk-or-v1-0",
            "env: sk-or-v1-0 ",
            "env:a.b",
            "env:a=b",
            "env:1a",
            "env:ä",
            "file:sk-or-v1-0",
            "file: sk-1",
        ] {
            let error = key.parse::<Secret>().unwrap_err().to_string();
            let (form, rest) = key.split_once(':').unwrap();
            assert!(error.contains(&format!("behind `{form}:` stands")), "{key}: {error}");
            assert!(!error.contains(&format!("`{}`", rest.trim())), "{key}: {error}");
        }
        for place in ["env:_A1", "env:a_b", "file:./sk-or", "file:/run/sk-or"] {
            assert_eq!(place.parse::<Secret>().unwrap().to_string(), place);
        }
    }

    #[test]
    fn white_space_at_the_end_of_a_file_is_no_part_of_the_secret() {
        let path = std::env::temp_dir().join(format!("settings-secret-{}", std::process::id()));
        std::fs::write(&path, "sk-or-v1-0\r\n").unwrap();
        assert_eq!(Secret::File(path.clone()).read().unwrap(), "sk-or-v1-0");
        std::fs::write(&path, "\n").unwrap();
        assert!(
            Secret::File(path.clone())
                .read()
                .unwrap_err()
                .to_string()
                .contains("is empty")
        );
        std::fs::remove_file(path).unwrap();
    }
}

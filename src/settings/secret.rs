//! Secrets: a file only names the place of each.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::PathBuf,
    str::FromStr,
};

use super::text::{InvalidValue, written_as_text};
use crate::ApiKey;

/// The longest secret that is read from a file, in bytes.
const LONGEST: u64 = 64 * 1024;

/// The place of a secret: in an environment variable, or in a file of its own. The secret itself never stands in the settings.
///
/// ```
/// use tower_openrouter::settings::Secret;
///
/// assert_eq!("env:OPENROUTER_API_KEY".parse(), Ok(Secret::Env("OPENROUTER_API_KEY".into())));
/// assert_eq!("file:/run/secrets/openrouter".parse(), Ok(Secret::File("/run/secrets/openrouter".into())));
/// assert!("sk-or-v1-0123".parse::<Secret>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In the environment variable of this name: `env:NAME`.
    Env(String),
    /// In this file, without the white space at its end: `file:PATH`. A relative path begins at the process's working directory.
    File(PathBuf),
}

impl Secret {
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

impl FromStr for Secret {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let named = |prefix: &str| text.strip_prefix(prefix).map(str::trim).filter(|name| !name.is_empty());
        if let Some(name) = named("env:").filter(|name| !name.contains(['=', '\0'])) {
            return Ok(Self::Env(name.to_owned()));
        }
        if let Some(path) = named("file:") {
            return Ok(Self::File(path.into()));
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

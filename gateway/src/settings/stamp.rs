//! The files that settings come from, and whether they have changed: the settings file, and what is read with it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tower_openrouter::settings::{KeySettings, ProxySettings, Secret, Settings};

/// How a file looks from outside: when it was changed, how long it is, and which one it is. `None` if it is not there.
type Look = Option<(SystemTime, u64, u64)>;

/// How files looked at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Stamp(BTreeMap<PathBuf, Look>);

impl Stamp {
    /// Of this file, now.
    pub(crate) fn of(path: &Path) -> Self {
        Self([(path.to_owned(), look(path))].into())
    }

    /// The same with the files that are read when these settings are put in force.
    pub(crate) fn with(mut self, settings: &Settings) -> Self {
        for path in files(settings) {
            let now = look(&path);
            self.0.entry(path).or_insert(now);
        }
        self
    }

    /// The same files now.
    pub(crate) fn again(&self) -> Self {
        Self(self.0.keys().map(|path| (path.clone(), look(path))).collect())
    }

    /// Whether this file was there.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.0.get(path).is_some_and(Option::is_some)
    }

    /// Whether each of the files can be read now, and holds something.
    pub(crate) fn is_readable(&self) -> bool {
        let is_there = |path: &PathBuf| {
            let begins = |mut file: File| file.read(&mut [0]).is_ok_and(|read| read > 0);
            File::open(path).is_ok_and(begins)
        };
        self.0.keys().all(is_there)
    }
}

fn look(path: &Path) -> Look {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len(), about.ino()))
}

/// The files of the keys of upstreams, of a proxy, and of the catalogue.
fn files(settings: &Settings) -> Vec<PathBuf> {
    let mut secrets = Vec::new();
    for upstream in &settings.upstream {
        match &upstream.key {
            Some(KeySettings::One(secret)) => secrets.push(secret),
            Some(KeySettings::Pool(pool)) => secrets.extend(pool),
            _ => {}
        }
    }
    if let Some(ProxySettings::Secret(secret)) = &settings.connections.proxy {
        secrets.push(secret);
    }
    let of_secret = |secret: &Secret| match secret {
        Secret::File(path) => Some(path.clone()),
        _ => None,
    };
    let files = secrets.into_iter().filter_map(of_secret);
    files.chain(settings.catalogue.clone()).collect()
}

#[cfg(test)]
mod tests {
    use crate::settings::Config;

    #[test]
    fn every_file_of_the_settings_is_looked_at() {
        let folder = std::env::temp_dir().join(format!("gateway-stamp-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let text = format!(
            "catalogue = \"{0}/models\"\nconnections.proxy = \"file:{0}/proxy\"\n[[upstream]]\nname = \"a\"\nkey = \"file:{0}/a\"\n\
             [[upstream]]\nname = \"b\"\nkey = [\"file:{0}/b\", \"env:B\"]\n",
            folder.display()
        );
        let names = ["models", "proxy", "a", "b"];
        let path = write("gateway.toml", &text);
        for name in names {
            write(name, "x");
        }
        let stamp = Config::from_file(&path).unwrap().stamp;
        assert_eq!(stamp.0.len(), 5, "{stamp:?}");
        assert!(stamp.again() == stamp && stamp.has(&path) && stamp.is_readable());
        for name in names {
            let before = stamp.again();
            write(name, "longer");
            assert_ne!(stamp.again(), before, "{name}");
        }
        write("a", "");
        assert!(!stamp.is_readable());
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(!stamp.again().has(&path));
    }
}

//! Puts the commit into the version, if there is one to be read. It needs no git: it reads the files of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn main() {
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match commit() {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo::rustc-env=GATEWAY_VERSION={version}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=GATEWAY_COMMIT");
}

/// The commit: of a build without the repository from `GATEWAY_COMMIT`, such as in a container.
fn commit() -> Option<String> {
    let given = std::env::var("GATEWAY_COMMIT").ok();
    let commit = given.filter(|commit| !commit.is_empty()).or_else(read)?;
    let short: String = commit.trim().chars().take(12).collect();
    short.chars().all(|digit| digit.is_ascii_hexdigit()).then_some(short)
}

fn read() -> Option<String> {
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    let git = folder.parent()?.join(".git");
    // A further worktree has a file that names its folder.
    let git = match fs::read_to_string(&git) {
        Ok(text) => PathBuf::from(text.trim().strip_prefix("gitdir: ")?),
        Err(_) => git,
    };
    let head = watched(&git.join("HEAD"))?;
    let Some(name) = head.trim().strip_prefix("ref: ").map(str::to_owned) else {
        return Some(head);
    };
    let common = fs::read_to_string(git.join("commondir")).map_or_else(|_| git.clone(), |path| git.join(path.trim()));
    watched(&git.join(&name))
        .or_else(|| watched(&common.join(&name)))
        .or_else(|| {
            let packed = watched(&common.join("packed-refs"))?;
            let line = packed.lines().find(|line| line.ends_with(&format!(" {name}")))?;
            line.split(' ').next().map(str::to_owned)
        })
}

/// Reads a file, and builds again when it changes.
fn watched(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    println!("cargo::rerun-if-changed={}", path.display());
    Some(text)
}

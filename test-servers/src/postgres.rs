#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "for tests alone")]

use std::{
    fs::{self, File},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::child::{end, find, folder, free_port, missing, signal, wait_for};

/// A PostgreSQL server with a database `postgres` and a user of the same name without a password.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

/// The folders where Debian keeps its versions, the newest first.
fn debian_folders() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// User and group of this name; the server refuses to run as root.
fn ids(user: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.split(':').next() == Some(user))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

impl Postgres {
    /// Starts one; `None`, and a warning, if the program is missing.
    #[must_use]
    pub fn start() -> Option<Self> {
        let folders = debian_folders();
        let bin = folders
            .iter()
            .find(|folder| folder.join("initdb").is_file())
            .cloned()
            .or_else(|| {
                let initdb = find("initdb", &[])?;
                Some(initdb.parent()?.to_owned())
            });
        let Some(bin) = bin else {
            missing("PostgreSQL (initdb)", "postgresql");
            return None;
        };
        let folder = folder("postgres");
        let mut server = Self {
            bin,
            folder,
            port: free_port(),
            child: None,
        };
        let made = server
            .command("initdb")
            .args([
                "--username=postgres",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .arg("--pgdata")
            .arg(server.data())
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        server.run();
        Some(server)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A program of the server's, as a user that it runs as.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.stdin(Stdio::null()).current_dir(&self.folder);
        let root = ids("root").filter(|_| is_root());
        if let Some((user, group)) = root.and(ids("postgres").or_else(|| ids("nobody"))) {
            chown(&self.folder, Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
        command
    }

    /// Runs it, again after [`stop`](Self::stop).
    pub fn run(&mut self) {
        let path = self.folder.join("log");
        let log = File::create(&path).unwrap();
        let mut child = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string()])
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
                "-c",
                "fsync=off",
            ])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        wait_for(&path, "ready to accept connections", &mut child);
        self.child = Some(child);
    }

    /// Stops it: connections are cut, what was committed stays.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child, "-INT");
        }
    }

    /// Halts it: connections stay open, without an answer.
    pub fn pause(&self) {
        if let Some(child) = &self.child {
            signal(child, "-STOP");
        }
    }

    /// Resumes it after [`pause`](Self::pause).
    pub fn resume(&self) {
        if let Some(child) = &self.child {
            signal(child, "-CONT");
        }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

/// Whether this process is root's.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(Path::new("/proc/self")).is_ok_and(|process| process.uid() == 0)
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.resume();
        self.stop();
        drop(fs::remove_dir_all(&self.folder));
    }
}

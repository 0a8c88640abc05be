//! A PostgreSQL of its own for one test.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "for tests alone")]

use std::{
    fs::{self, File},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::child::{end, find, folder, free_port, missing, no_right, signal, wait_for};

/// A PostgreSQL server with a database `postgres` and a user of the same name without a password.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
    /// The size of its [`small_disk`](Self::small_disk), in MiB.
    small_disk: Option<u32>,
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
            small_disk: None,
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

    /// Starts one that has a disk of so many MiB beside its own: for a tablespace at [`small_disk`](Self::small_disk). The disk is a file system
    /// of its own in memory, which only the server sees, and which ends with it. `None`, and a warning, without the rights to mount one, too.
    #[must_use]
    pub fn start_with_small_disk(mebibytes: u32) -> Option<Self> {
        let mounts = Command::new("unshare")
            .args(["--mount", "setpriv", "--version"])
            .output();
        if !mounts.is_ok_and(|output| output.status.success()) || runs_as().is_none() {
            no_right("mounting a small disk needs root, `unshare` and `setpriv`");
            return None;
        }
        let mut server = Self::start()?;
        server.stop();
        server.small_disk = Some(mebibytes);
        fs::create_dir(server.small_disk()).unwrap();
        server.run();
        Some(server)
    }

    /// Where the small disk is.
    #[must_use]
    pub fn small_disk(&self) -> PathBuf {
        self.folder.join("small")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A program of the server's, as a user that it runs as.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.stdin(Stdio::null()).current_dir(&self.folder);
        if let Some((user, group)) = runs_as() {
            chown(&self.folder, Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
        command
    }

    /// The same, in a name space of mounts that has the small disk.
    fn command_with_disk(&self, program: &str) -> Command {
        let (Some(mebibytes), Some((user, group))) = (self.small_disk, runs_as()) else {
            return self.command(program);
        };
        let disk = self.small_disk();
        let script = format!(
            "mount -t tmpfs -o size={mebibytes}m,uid={user},gid={group},mode=0700 tmpfs \"$1\" && shift && \
             exec setpriv --reuid {user} --regid {group} --clear-groups \"$@\""
        );
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"])
            .arg(disk)
            .arg(self.bin.join(program))
            .stdin(Stdio::null())
            .current_dir(&self.folder);
        command
    }

    /// Runs it, again after [`stop`](Self::stop).
    pub fn run(&mut self) {
        let path = self.folder.join("log");
        let log = File::create(&path).unwrap();
        let mut child = self
            .command_with_disk("postgres")
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

/// The user and group that it runs as, if this process is root's: the server refuses to be root.
fn runs_as() -> Option<(u32, u32)> {
    is_root().then(|| ids("postgres").or_else(|| ids("nobody")))?
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

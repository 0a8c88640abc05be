//! A Redis of its own for one test.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "for tests alone")]

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::child::{end, find, folder, free_port, missing, signal, wait_for};

/// A Redis server, or Valkey, that keeps nothing on disk.
#[derive(Debug)]
pub struct Redis {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    password: Option<String>,
    child: Option<Child>,
}

impl Redis {
    /// Starts one; `None`, and a warning, if the program is missing.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::with_password(None)
    }

    /// The same with a password.
    #[must_use]
    pub fn with_password(password: Option<&str>) -> Option<Self> {
        let Some(program) = find("redis-server", &[]).or_else(|| find("valkey-server", &[])) else {
            missing("Redis (redis-server)", "redis-server");
            return None;
        };
        let mut server = Self {
            program,
            folder: folder("redis"),
            port: free_port(),
            password: password.map(str::to_owned),
            child: None,
        };
        server.run();
        Some(server)
    }

    /// Runs it, again after [`stop`](Self::stop).
    pub fn run(&mut self) {
        let path = self.folder.join("log");
        let log = File::create(&path).unwrap();
        let mut command = Command::new(&self.program);
        command
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(&self.folder);
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(&path, "Ready to accept connections", &mut child);
        self.child = Some(child);
    }

    /// Stops it; what it held is gone.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child, "-TERM");
        }
    }

    /// Kills it: connections break, and what it held is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child, "-KILL");
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

    /// Its address, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.resume();
        self.stop();
        drop(fs::remove_dir_all(&self.folder));
    }
}

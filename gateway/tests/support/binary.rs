//! The real program.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread::{JoinHandle, spawn},
};

/// A command of the program, run to its end.
pub(crate) fn command(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_openrouter-gateway"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("OPENROUTER_API_KEY")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A gateway in a process of its own; killed with its handle.
pub(crate) struct Binary {
    child: Child,
    pub(crate) address: SocketAddr,
    printed: Vec<String>,
    log: Option<JoinHandle<String>>,
    rest: Option<JoinHandle<String>>,
}

impl Binary {
    /// Runs it, and waits until it listens.
    pub(crate) fn serve(arguments: &[&str], folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_openrouter-gateway"))
            .arg("serve")
            .args(arguments)
            .current_dir(folder)
            .env_remove("OPENROUTER_API_KEY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = child.stderr.take().unwrap();
        let log = spawn(move || {
            let mut text = Vec::new();
            drop(errors.read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut printed, mut address) = (Vec::new(), None);
        for line in lines.by_ref().map_while(Result::ok) {
            let is_last = line.starts_with("page and metrics ");
            if let Some((_, at)) = line.split_once(" at http://")
                && address.is_none()
            {
                address = at.trim().parse().ok();
            }
            printed.push(line);
            if is_last {
                break;
            }
        }
        let Some(address) = address else {
            panic!("it does not listen: {printed:?}\n{}", log.join().unwrap());
        };
        let rest = spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>().join("\n"));
        Self {
            child,
            address,
            printed,
            log: Some(log),
            rest: Some(rest),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn printed(&self) -> String {
        self.printed.join("\n")
    }

    /// Sends it a signal, such as `-TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for its end. Gives how it ended, and all that it printed and logged.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        let log = self.log.take().map(|log| log.join().unwrap()).unwrap_or_default();
        let rest = self.rest.take().map(|rest| rest.join().unwrap()).unwrap_or_default();
        (status, format!("{}\n{rest}\n{log}", self.printed()))
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

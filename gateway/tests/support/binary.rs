//! The real program.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    thread::{JoinHandle, spawn},
};

use super::waiting::until;

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
    log: Arc<Mutex<String>>,
    logging: Option<JoinHandle<()>>,
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
        let errors = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let logging = spawn({
            let log = Arc::clone(&log);
            move || {
                for line in errors.split(b'\n').map_while(Result::ok) {
                    let mut log = log.lock().unwrap();
                    log.push_str(&String::from_utf8_lossy(&line));
                    log.push('\n');
                }
            }
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
            logging.join().unwrap();
            panic!("it does not listen: {printed:?}\n{}", log.lock().unwrap());
        };
        let rest = spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>().join("\n"));
        Self {
            child,
            address,
            printed,
            log,
            logging: Some(logging),
            rest: Some(rest),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn printed(&self) -> String {
        self.printed.join("\n")
    }

    /// What it has logged so far.
    pub(crate) fn logged(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has logged this so many times.
    pub(crate) async fn until_logged(&self, part: &str, times: usize) {
        let what = format!("{times} lines with `{part}`");
        until(&what, async || self.logged().matches(part).count() >= times).await;
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
        if let Some(logging) = self.logging.take() {
            logging.join().unwrap();
        }
        let rest = self.rest.take().map(|rest| rest.join().unwrap()).unwrap_or_default();
        (status, format!("{}\n{rest}\n{}", self.printed(), self.logged()))
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

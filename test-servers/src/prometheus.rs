//! A Prometheus of its own for one test.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "for tests alone")]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::child::{end, find, folder, free_port, missing, wait_for};

/// A Prometheus server that scrapes one target and evaluates the rules of one file, five times a second.
#[derive(Debug)]
pub struct Prometheus {
    folder: PathBuf,
    port: u16,
    child: Child,
}

/// The program of this name; `None`, and a warning, if it is missing.
fn program(name: &str) -> Option<PathBuf> {
    let found = find(name, &[]);
    if found.is_none() {
        missing(&format!("Prometheus ({name})"), "prometheus");
    }
    found
}

impl Prometheus {
    /// Starts one over a target, `127.0.0.1:9000`, and a file of rules; `None`, and a warning, if the program is missing.
    #[must_use]
    pub fn start(target: &str, rules: &Path) -> Option<Self> {
        let program = program("prometheus")?;
        let folder = folder("prometheus");
        let config = folder.join("prometheus.yml");
        let text = format!(
            "global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n  evaluation_interval: 200ms\n\
             rule_files: ['{}']\n\
             scrape_configs:\n  - job_name: test\n    static_configs:\n      - targets: ['{target}']\n",
            rules.display()
        );
        fs::write(&config, text).unwrap();
        let (log, port) = (folder.join("log"), free_port());
        let mut child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        wait_for(&log, "Server is ready to receive web requests", &mut child);
        Some(Self { folder, port, child })
    }

    /// What its own checker says against a file of rules; `None`, and a warning, if the program is missing.
    #[must_use]
    pub fn check_rules(rules: &Path) -> Option<Result<(), String>> {
        promtool(&["check", "rules", "--lint=all", "--lint-fatal"], rules)
    }

    /// The same of a file of tests of rules.
    #[must_use]
    pub fn test_rules(tests: &Path) -> Option<Result<(), String>> {
        promtool(&["test", "rules"], tests)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn promtool(arguments: &[&str], file: &Path) -> Option<Result<(), String>> {
    let output = Command::new(program("promtool")?)
        .args(arguments)
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Some(if output.status.success() {
        Ok(())
    } else {
        Err(said.concat())
    })
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        end(&mut self.child, "-TERM");
        drop(fs::remove_dir_all(&self.folder));
    }
}

//! The binary: its help, its complaints, a script, and a clean stop.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use openrouter_simulator::Fault;

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_openrouter-simulator"))
}

#[test]
fn help_lists_every_fault() {
    let output = binary().arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for (example, meaning) in Fault::table() {
        assert!(text.contains(example) && text.contains(meaning), "{example}");
    }
}

#[test]
fn what_it_cannot_do_it_says() {
    for (arguments, complaint) in [
        (vec!["--nope"], "no such option"),
        (vec!["--port", "x"], "no port"),
        (vec!["--port"], "requires a value"),
        (vec!["--script", "/does/not/exist"], "/does/not/exist"),
    ] {
        let output = binary().args(&arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text.contains(complaint), "{arguments:?}: {text}");
    }
}

#[cfg(unix)]
#[test]
fn it_serves_a_script_until_interrupted() {
    let path = std::env::temp_dir().join(format!("openrouter-simulator-{}.json", std::process::id()));
    std::fs::write(&path, r#"{"models": {"/models": ["503", "ok"]}}"#).unwrap();
    let mut child = binary()
        .args(["--port", "0", "--script"])
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .unwrap();
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let mut socket = TcpStream::connect(address).unwrap();
        socket
            .write_all(b"GET /api/v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        statuses.push(text.lines().next().unwrap().to_owned());
    }
    assert_eq!(statuses, ["HTTP/1.1 503 Service Unavailable", "HTTP/1.1 200 OK"]);
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert!(child.wait().unwrap().success());
    let last = lines.last().unwrap().unwrap();
    assert_eq!(last, "2 requests, 0 USD billed");
    std::fs::remove_file(path).unwrap();
}

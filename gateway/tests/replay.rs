//! A recording of the real program, replayed by it against other settings.

use std::{fs, path::Path, process::Output};

use openrouter_gateway::settings::Config;
use openrouter_simulator::Simulator;
use serde_json::Value;
use tower_openrouter::recording::Recording;

use crate::support::{APIS, Binary, CLIENT_KEY, Folder, Said, client, command, key, post, settings, streamed};

const FIRST: &str = "anthropic/claude-sonnet-4.5";
const SECOND: &str = "openai/gpt-5";

fn replay(folder: &Folder, arguments: &[&str]) -> Output {
    let all: Vec<_> = ["replay"].iter().chain(arguments).copied().collect();
    command(&all, &folder.path(""))
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Calls of each API, some of which fail, against a gateway that records.
async fn recorded(folder: &Folder) {
    let simulator = Simulator::start().await.unwrap();
    simulator.plan_all("ok").unwrap();
    let rest = format!(
        "record = \"faults.jsonl\"\nrecord_max_bytes = 1000000\ncircuit_breaker = \"off\"\nfirst_token_timeout = \"1s\"\nlast_candidate_grace = \"0s\"\n\
         backoff = {{ base = \"1ms\", max = \"1ms\" }}\n{}",
        key("acme", CLIENT_KEY, "")
    );
    folder.write("gateway.toml", &settings(&simulator, folder, &rest));
    let gateway = Binary::serve(&[], &folder.path(""));
    let http = client();
    for (path, body) in APIS {
        assert_eq!(
            Said::of(post(&http, &gateway.url(path), CLIENT_KEY, body)).await.status,
            200
        );
    }
    for model in [SECOND, SECOND] {
        let body = streamed(model, 40);
        assert_eq!(
            Said::of(post(&http, &gateway.url(APIS[0].0), CLIENT_KEY, &body))
                .await
                .status,
            200
        );
    }
    for plan in ["500;no-hint", "429;retry-after=0", "hang", "cut@4"] {
        simulator.plan(FIRST, plan).unwrap();
        let body = streamed(FIRST, 40).replace("\"Hi\"", "\"PROMPTWORD\"");
        Said::of(post(&http, &gateway.url(APIS[0].0), CLIENT_KEY, &body)).await;
    }
    gateway.signal("-TERM");
    let (status, log) = gateway.ended();
    assert!(status.success() && log.contains("recording closed"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_run_is_replayed_as_it_was_and_rescued_by_a_fallback() {
    let folder = Folder::new();
    recorded(&folder).await;
    let file = folder.path("faults.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    for secret in [
        "PROMPTWORD",
        "CLIENTSECRET",
        "UPSTREAMSECRET",
        "acme",
        "Bearer",
        "\"Hi\"",
    ] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let recording = Recording::from_file(&file).unwrap();
    assert_eq!(
        (recording.calls.len(), recording.lost, recording.unreadable_lines),
        (10, 0, 0)
    );

    let same = json(&replay(
        &folder,
        &["faults.jsonl", "--config", "gateway.toml", "--json", "--calls"],
    ));
    assert_eq!(
        (&same["recorded"]["answered"], &same["recorded"]["failed"]),
        (&6.into(), &4.into())
    );
    assert_eq!(same["changed"]["calls"], 0, "{same:#}");
    for call in same["calls"].as_array().unwrap() {
        for member in ["outcome", "kind", "attempts", "cost"] {
            assert_eq!(call["recorded"][member], call["replayed"][member], "{call:#}");
        }
    }
    assert_eq!(same["unknown_models"], serde_json::json!({}));

    let base = fs::read_to_string(folder.path("gateway.toml")).unwrap();
    let both =
        format!("chain = [\"{FIRST}\", \"{SECOND}\"]\nrequested_model = \"first\"\ncanned_reply = \"Later.\"\n{base}");
    folder.write("both.toml", &both);
    let arguments = ["faults.jsonl", "--config", "both.toml", "--json"];
    let rescued = json(&replay(&folder, &arguments));
    // Of the stream that was cut a part had been shown.
    assert_eq!(
        (&rescued["changed"]["rescued"], &rescued["replayed"]["failed"]),
        (&3.into(), &1.into()),
        "{rescued:#}"
    );
    assert_eq!(rescued["changed"]["list"][0]["replayed"]["model"], SECOND);
    assert_eq!(rescued["set_aside"], serde_json::json!(["canned_reply"]));
    assert_eq!(rescued, json(&replay(&folder, &arguments)), "twice the same");

    let output = replay(&folder, &["faults.jsonl", "--config", "both.toml", "--changed", "1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "answered                      60.00 %        90.00 %",
        "outcome changed: 3 calls, 3 of them rescued, 0 newly failed",
        "failed (upstream)",
        "answered by openai/gpt-5",
        "and 2 more",
        "replayed against the settings of both.toml",
        "assumed",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    folder.write(
        "new.toml",
        &format!("chain = [\"new/model\"]\nrequested_model = \"ignored\"\n{base}"),
    );
    let output = replay(&folder, &["faults.jsonl", "--config", "new.toml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("openrouter/new/model: unknown model in this recording"),
        "{text}"
    );

    // What a killed process has left, and what is none of ours.
    let whole = fs::read(&file).unwrap();
    let mut torn = whole.clone();
    torn.extend_from_slice(b"garbled\n{\"call\":{\"at_ms\":5,");
    folder.write("torn.jsonl", &String::from_utf8(torn).unwrap());
    let output = replay(&folder, &["torn.jsonl", "--config", "gateway.toml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("the last line is cut"),
        "{text}"
    );
    assert!(text.contains("line 12: no line of a recording"), "{text}");
}

#[test]
fn bad_arguments_and_files_end_with_2() {
    let folder = Folder::new();
    folder.write(
        "good.toml",
        "[[upstream]]\nname = \"openrouter\"\nkey = \"env:NOT_SET\"\n",
    );
    folder.write("bad.toml", "lissen = 1\n");
    folder.write("foreign.jsonl", "{\"a\":1}\n");
    folder.write("new.jsonl", "{\"recording\":{\"version\":7,\"began_ms\":0}}\n");
    folder.write("empty.jsonl", "{\"recording\":{\"version\":1,\"began_ms\":0}}\n{}\n");
    for (arguments, part) in [
        (&["missing.jsonl", "--config", "good.toml"][..], "missing.jsonl: "),
        (
            &["foreign.jsonl", "--config", "good.toml"],
            "foreign.jsonl: line 1: not a recording",
        ),
        (&["new.jsonl", "--config", "good.toml"], "new.jsonl: line 1: version 7"),
        (
            &["empty.jsonl", "--config", "good.toml"],
            "line 2: no line of a recording",
        ),
        (
            &["foreign.jsonl", "--config", "bad.toml"],
            "bad.toml:1:1: unknown key `lissen`",
        ),
        (&["foreign.jsonl", "--config", "none.toml"], "none.toml"),
        (&[], "<FILE>"),
        (&["foreign.jsonl", "--changed", "many"], "--changed"),
    ] {
        let output = replay(&folder, arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(part), "{arguments:?}: {told}");
    }
}

#[test]
fn a_file_that_is_no_recording_stops_the_start() {
    let folder = Folder::new();
    folder.write("key", "sk-or-v1-0");
    let file = folder.write("notes.txt", "my notes\n");
    let text = "record = \"notes.txt\"\nlisten = \"127.0.0.1:0\"\nstorage = \"off\"\nrefresh_catalogue = false\n[[upstream]]\nname = \"openrouter\"\nkey = \"file:key\"\n";
    Config::from_toml(text).unwrap();
    folder.write("gateway.toml", text);
    let output = command(&["serve"], &folder.path(""));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && told.contains("`record`: this file is not a recording"),
        "{told}"
    );
    assert_eq!(fs::read_to_string(Path::new(&file)).unwrap(), "my notes\n");
}

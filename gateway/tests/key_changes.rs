//! `keys set`: what a key of the database may do changes while a gateway runs.

use openrouter_gateway::keys::KeyDatabase;
use openrouter_simulator::Simulator;
use serde_json::Value;
use sqlx::Connection;

use crate::support::{APIS, Binary, CLIENT_KEY, Folder, Said, client, command, key, post, settings, until};

/// The commands of the program in a folder: whether it succeeded, and what it printed.
fn run(folder: &Folder, arguments: &[&str]) -> (bool, String) {
    let output = command(arguments, &folder.path(""));
    let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), printed.concat())
}

/// A key of the database with these options.
fn new_key(folder: &Folder, name: &str, options: &[&str]) -> String {
    let arguments: Vec<_> = ["keys", "new", name].iter().chain(options).copied().collect();
    let (is_made, printed) = run(folder, &arguments);
    let key = printed.lines().find(|line| line.starts_with("sk-gw-"));
    key.filter(|_| is_made)
        .unwrap_or_else(|| panic!("{printed}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_key_is_in_force_like_a_new_one_and_keeps_the_rest() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let text = settings(&simulator, &folder, "storage.sqlite = \"gateway.db\"");
    folder.write("gateway.toml", &text);
    let options = ["--budget", "0.0000001/day", "--requests-per-minute", "600"];
    let key = new_key(&folder, "acme", &options);
    let gateway = Binary::serve(&[], &folder.path(""));
    let http = client();
    let status = async || {
        Said::of(post(&http, &gateway.url(APIS[0].0), &key, APIS[0].1))
            .await
            .status
    };
    let set = |options: &[&str]| {
        let arguments: Vec<_> = ["keys", "set", "acme"].iter().chain(options).copied().collect();
        let (is_done, printed) = run(&folder, &arguments);
        assert!(is_done, "{printed}");
        printed
    };
    assert_eq!(status().await, 402);

    let printed = set(&["--budget", "5.00/day", "--budget", "50/month", "--concurrency", "3"]);
    for part in [
        "$5.00/day $50.00/month",
        "600 requests/1m, 3 at once",
        "in force",
        "all",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    until("the larger budget", async || status().await == 200).await;
    let limits = async || -> Value {
        let said = Said::of(http.get(gateway.url("/v1/key")).bearer_auth(&key)).await;
        said.json()["data"].clone()
    };
    let own = limits().await;
    assert_eq!(own["limits"]["requests"]["amount"], 600, "{own}");
    assert_eq!(own["limits"]["concurrency"], 3, "{own}");
    assert_eq!(own["budgets"].as_array().map(Vec::len), Some(2), "{own}");
    let spent = own["budgets"][0]["spent"].clone();
    assert_ne!(spent, "0.00", "{own}");

    // The budget of a window ends, the other one keeps what it has spent.
    set(&["--budget", "off/month", "--budget", "4/day", "--concurrency", "off"]);
    until("one budget", async || {
        limits().await["budgets"].as_array().map(Vec::len) == Some(1)
    })
    .await;
    let own = limits().await;
    assert_eq!(own["budgets"][0]["spent"], spent, "{own}");
    assert!(own["limits"]["concurrency"].is_null(), "{own}");

    set(&["--model", "google/*"]);
    until("the model is not allowed", async || status().await == 404).await;
    set(&["--model", "all", "--expires", "2020-01-01"]);
    until("the key has expired", async || status().await == 401).await;
    set(&["--expires", "never", "--budget", "off"]);
    until("the key is in force again", async || status().await == 200).await;
    let (_, list) = run(&folder, &["keys", "list"]);
    assert!(list.contains("600 requests/1m") && list.contains("never"), "{list}");
    gateway.signal("-TERM");
    let (status, log) = gateway.ended();
    assert!(status.success(), "{log}");
}

#[test]
fn what_cannot_be_changed_is_refused_and_stays() {
    let folder = Folder::new();
    let old = new_key(&folder, "old", &[]);
    new_key(&folder, "acme", &["--budget", "5.00/day"]);
    assert!(run(&folder, &["keys", "revoke", "old"]).0, "{old}");
    folder.write("gateway.toml", &key("of-file", CLIENT_KEY, ""));
    for (arguments, part) in [
        (&["set", "acme"][..], "nothing to change: give `--model`"),
        (
            &["set", "unknown", "--concurrency", "1"],
            "no client key named `unknown`",
        ),
        (&["set", "old", "--concurrency", "1"], "`old` was revoked"),
        (
            &["set", "of-file", "--concurrency", "1"],
            "stands in gateway.toml: change its `[[key]]`",
        ),
        (
            &["set", "acme", "--budget", "five"],
            "`five` is not an amount of dollars: write e.g. `5.00/day`",
        ),
        (&["set", "acme", "--budget", "0/day"], "budget[0].usd: "),
        (&["set", "acme", "--concurrency", "0"], "concurrency"),
        (
            &["set", "acme", "--concurrency", "many"],
            "write a whole number, or `off`",
        ),
        (&["set", "acme", "--expires", "soon"], "expires: not a date"),
        (
            &["new", "late", "--expires", "2020-01-01"],
            "--expires: 2020-01-01T00:00:00",
        ),
    ] {
        let arguments: Vec<_> = ["keys"].iter().chain(arguments).copied().collect();
        let (is_done, printed) = run(&folder, &arguments);
        assert!(!is_done && printed.contains(part), "{arguments:?}: {printed}");
    }
    let (_, list) = run(&folder, &["keys", "list"]);
    assert!(list.contains("$5.00/day") && !list.contains("late"), "{list}");
}

#[tokio::test]
async fn keys_with_rules_of_another_version_are_not_changed_and_those_that_cannot_be_are_listed_as_left_out() {
    let folder = Folder::new();
    new_key(&folder, "newer", &["--concurrency", "2"]);
    new_key(&folder, "zero", &[]);
    new_key(&folder, "odd", &[]);
    let rules = [
        ("newer", r#"{"concurrency":2,"regions":["eu"]}"#),
        ("zero", r#"{"concurrency":0}"#),
        ("odd", r#"{"concurrency":"many"}"#),
    ];
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", folder.path("gateway.db").display());
    let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
    for (name, rules) in rules {
        sqlx::query("UPDATE gateway_keys SET rules = $1 WHERE name = $2")
            .bind(rules)
            .bind(name)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let (is_done, printed) = run(&folder, &["keys", "set", "newer", "--concurrency", "9"]);
    assert!(!is_done && printed.contains("unknown field `regions`"), "{printed}");
    let sql = "SELECT rules FROM gateway_keys WHERE name = 'newer'";
    let stored: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert_eq!(stored, rules[0].1);
    connection.close().await.unwrap();
    let (_, list) = run(&folder, &["keys", "list"]);
    let line = |name: &str| {
        list.lines()
            .find(|line| line.contains(name))
            .unwrap_or_else(|| panic!("{list}"))
    };
    assert!(line("newer").contains("in force"), "{list}");
    assert!(line("zero").contains("left out"), "{list}");
    assert!(line("`odd`").contains("left out"), "{list}");
    // What can be read can be corrected.
    assert!(run(&folder, &["keys", "set", "zero", "--concurrency", "1"]).0);
    let database = KeyDatabase::sqlite(&folder.path("gateway.db"));
    assert_eq!(database.all().await.unwrap().len(), 2, "the other one is left out");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = Folder::new();
    folder.write("gateway.toml", "storage.sqlite = \"missing/gateway.db\"\n");
    let (is_done, printed) = run(&folder, &["keys", "new", "acme"]);
    let missing = std::path::absolute(folder.path("missing")).unwrap();
    let part = format!("there is no folder {}: make it", missing.display());
    assert!(!is_done && printed.contains(&part), "{printed}");
    // A folder is there, and is no file.
    std::fs::create_dir_all(folder.path("missing/gateway.db")).unwrap();
    let (is_done, printed) = run(&folder, &["keys", "new", "acme"]);
    let part = format!(
        "the database of client keys at {}",
        missing.join("gateway.db").display()
    );
    assert!(!is_done && printed.contains(&part), "{printed}");
}

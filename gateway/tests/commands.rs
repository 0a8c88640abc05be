//! The commands of the real program.

use openrouter_gateway::{keys::KeyHash, settings::Config};
use openrouter_simulator::Simulator;

use crate::support::{APIS, Binary, CLIENT_KEY, Folder, Said, client, command, key, post, settings, until};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_version_names_the_commit_if_there_is_one() {
    let folder = Folder::new();
    let output = command(&["--version"], &folder.path(""));
    assert!(output.status.success());
    assert_eq!(
        text(&output.stdout).trim(),
        format!("openrouter-gateway {}", openrouter_gateway::VERSION)
    );
    assert!(openrouter_gateway::VERSION.starts_with(env!("CARGO_PKG_VERSION")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_prints_the_stack_or_everything_that_is_wrong() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let good = settings(
        &simulator,
        &folder,
        &("chain = [\"openai/gpt-5\"]\n".to_owned() + &key("acme", CLIENT_KEY, "")),
    );
    folder.write("good.toml", &good);
    folder.write("bad.toml", &good.replace("listen", "lissen"));
    let output = command(&["check", "--config", "good.toml"], &folder.path(""));
    let told = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        told.contains("keys     1 in the file") && told.contains("Fallback") && told.contains("openai/gpt-5"),
        "{told}"
    );
    let output = command(&["check", "--config", "bad.toml"], &folder.path(""));
    assert!(!output.status.success());
    assert_eq!(
        text(&output.stderr).trim(),
        "bad.toml:1:1: unknown key `lissen`; did you mean `listen`?"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_shown_once_listed_and_revoked_and_spend_is_summed_by_key() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    folder.write(
        "gateway.toml",
        &settings(&simulator, &folder, "storage.sqlite = \"gateway.db\""),
    );
    let run = |arguments: &[&str]| {
        let output = command(arguments, &folder.path(""));
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let (made, shown, _) = run(&[
        "keys",
        "new",
        "acme",
        "--budget",
        "5.00/day",
        "--model",
        "openai/*",
        "--requests-per-minute",
        "600",
    ]);
    let key = shown
        .lines()
        .find(|line| line.starts_with("sk-gw-"))
        .unwrap_or_default()
        .to_owned();
    assert!(made && key.len() == 70, "{shown}");
    let (_, list, _) = run(&["keys", "list"]);
    assert!(
        list.contains("acme") && list.contains("in force") && list.contains("/day") && list.contains("openai/*"),
        "{list}"
    );
    assert!(!list.contains(&key) && !list.contains("sha256"), "{list}");
    let (made, _, error) = run(&["keys", "new", "acme"]);
    assert!(
        !made && error.contains("there is or was a client key named `acme`"),
        "{error}"
    );
    for wrong in [
        &["keys", "new", "a b"][..],
        &["keys", "new", "a", "--budget", "5/year"],
        &["keys", "new", "a", "--expires", "soon"],
    ] {
        assert!(!run(wrong).0, "{wrong:?}");
    }
    let place = std::path::absolute(folder.path("gateway.db"))
        .unwrap()
        .display()
        .to_string();
    assert!(shown.contains(&place) && list.contains(&place), "{shown}\n{list}");

    let gateway = Binary::serve(&[], &folder.path(""));
    let status = async || {
        Said::of(post(&client(), &gateway.url(APIS[0].0), &key, APIS[0].1))
            .await
            .status
    };
    assert_eq!(status().await, 200);
    // The ledger is read while the gateway writes it.
    let mut spent = String::new();
    until("the ledger has the call", async || {
        let (done, told, error) = run(&["spend", "--by", "key", "--since", "1days"]);
        assert!(done, "{error}");
        spent = told;
        spent.contains("acme")
    })
    .await;
    assert!(spent.lines().any(|line| line.starts_with("total")), "{spent}");
    for by in ["model", "provider", "upstream", "day", "tag:key"] {
        assert!(run(&["spend", "--by", by]).0, "{by}");
    }
    assert!(run(&["keys", "revoke", "acme"]).0);
    until("the key is revoked", async || status().await == 401).await;
    assert!(!run(&["keys", "revoke", "unknown"]).0);
    gateway.signal("-TERM");
    let (status, log) = gateway.ended();
    assert!(status.success(), "{log}");
    assert!(!log.contains(&key), "{log}");
}

#[test]
fn it_does_not_listen_beyond_this_machine_without_a_key_nor_start_without_settings() {
    let folder = Folder::new();
    let output = command(&["serve"], &folder.path(""));
    let told = text(&output.stderr);
    assert!(
        !output.status.success() && told.contains("OPENROUTER_API_KEY") && told.contains("--demo"),
        "{told}"
    );
    folder.write("key", "sk-or-v1-0");
    folder.write(
        "gateway.toml",
        "listen = \"0.0.0.0:0\"\nrefresh_catalogue = false\n[[upstream]]\nname = \"openrouter\"\nkey = \"file:key\"\n",
    );
    let output = command(&["serve"], &folder.path(""));
    let told = text(&output.stderr);
    assert!(
        !output.status.success() && told.contains("other machines reach 0.0.0.0:0"),
        "{told}"
    );
    let output = command(&["check"], &folder.path(""));
    assert!(
        output.status.success() && text(&output.stdout).contains("admin    off"),
        "{}",
        text(&output.stdout)
    );
    // What answers 403 is not announced.
    let given = std::fs::read_to_string(folder.path("gateway.toml")).unwrap();
    folder.write(
        "gateway.toml",
        &("storage = \"off\"\n".to_owned() + &given + &key("acme", CLIENT_KEY, "")),
    );
    let gateway = Binary::serve(&[], &folder.path(""));
    let printed = gateway.printed();
    assert!(
        printed.contains("page and metrics off: set `admin.token` or `admin.listen`"),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_answers_without_key_and_network() {
    let folder = Folder::new();
    let gateway = Binary::serve(&["--demo", "--listen", "127.0.0.1:0"], &folder.path(""));
    assert!(gateway.printed().contains("curl "), "{}", gateway.printed());
    let said = Said::of(post(&client(), &gateway.url(APIS[0].0), "sk-gw-demo", APIS[0].1)).await;
    assert_eq!(said.status, 200, "{said:?}");
    // Its own traffic is rescued from models that fail.
    until("a fallback", async || {
        let metrics = Said::of(client().get(gateway.url("/metrics"))).await.text;
        metrics
            .lines()
            .any(|line| line.contains("fallback") && !line.starts_with('#'))
    })
    .await;
    gateway.signal("-INT");
    let (status, log) = gateway.ended();
    assert!(status.success(), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_that_other_machines_reach_prints_a_token_for_its_page() {
    let folder = Folder::new();
    let gateway = Binary::serve(&["--demo", "--listen", "0.0.0.0:0"], &folder.path(""));
    let printed = gateway.printed();
    let token = printed
        .split_whitespace()
        .find(|word| word.starts_with("admin-"))
        .unwrap_or_else(|| panic!("{printed}"));
    assert_eq!(token.len(), 70, "{token}");
    assert!(printed.contains("page and metrics at http://"), "{printed}");
    let url = format!("http://127.0.0.1:{}/", gateway.address.port());
    for (password, status) in [("", 401), ("admin-", 401), (token, 200)] {
        let request = client().get(&url).basic_auth("demo", Some(password));
        assert_eq!(Said::of(request).await.status, status, "{password}");
    }
    gateway.signal("-INT");
    let (status, log) = gateway.ended();
    assert!(status.success(), "{log}");
}

#[test]
fn a_printed_key_has_all_its_limits() {
    let folder = Folder::new();
    let output = command(
        &[
            "keys",
            "new",
            "acme",
            "--print-hash",
            "--model",
            "openai/*",
            "--model",
            "x/\"y\"",
            "--budget",
            "5.00/day",
            "--budget",
            "100",
            "--requests-per-minute",
            "600",
            "--tokens-per-minute",
            "70000",
            "--concurrency",
            "3",
            "--expires",
            "2099-01-31",
        ],
        &folder.path(""),
    );
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (entry, key) = shown.split_once("\n\n").unwrap();
    let upstream = "\n[[upstream]]\nname = \"openrouter\"\nkey = \"env:K\"\n";
    let config = Config::from_toml(&format!("{entry}{upstream}")).unwrap_or_else(|error| panic!("{error}\n{shown}"));
    let read = &config.own.key[0];
    let key = key.lines().find(|line| line.starts_with("sk-gw-")).unwrap();
    assert_eq!(read.hash, KeyHash::of(key.as_bytes()).written());
    assert_eq!(read.models, ["openai/*", "x/\"y\""]);
    assert_eq!(
        serde_json::to_string(&read.rules()).unwrap(),
        "{\"models\":[\"openai/*\",\"x/\\\"y\\\"\"],\"requests\":{\"amount\":600,\"per\":\"1m\"},\"tokens\":{\"amount\":70000,\"per\":\"1m\"},\
         \"concurrency\":3,\"budget\":[{\"usd\":\"$5.00\",\"per\":\"day\"},{\"usd\":\"$100.00\",\"per\":\"ever\"}],\"expires\":\"2099-01-31\"}"
    );
    let output = command(
        &["keys", "new", "acme", "--print-hash", "--concurrency", "0"],
        &folder.path(""),
    );
    let told = text(&output.stderr);
    assert!(!output.status.success() && !told.starts_with(':'), "{told}");
}

#[test]
fn listing_and_revoking_make_no_database_and_need_no_upstream() {
    let folder = Folder::new();
    let place = std::path::absolute(folder.path("gateway.db")).unwrap();
    for arguments in [&["keys", "list"][..], &["keys", "revoke", "acme"]] {
        let output = command(arguments, &folder.path(""));
        let told = text(&output.stderr);
        assert!(
            !output.status.success() && told.contains(&place.display().to_string()),
            "{told}"
        );
        assert!(!place.exists(), "{arguments:?}");
    }
    // As `serve` advises, without a settings file and a key of OpenRouter.
    let output = command(&["keys", "new", "acme"], &folder.path(""));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = command(&["keys", "revoke", "acme"], &folder.path(""));
    assert!(output.status.success(), "{}", text(&output.stderr));
    // Another program's database stays as it is.
    folder.write("gateway.toml", "storage.sqlite = \"other.db\"\n");
    folder.write("other.db", "");
    let output = command(&["keys", "list"], &folder.path(""));
    let told = text(&output.stderr);
    assert!(
        !output.status.success() && told.contains("other.db is not the database of a gateway"),
        "{told}"
    );
    assert_eq!(std::fs::metadata(folder.path("other.db")).unwrap().len(), 0);
}

#[test]
fn a_key_of_the_file_is_listed_and_is_not_revoked_by_the_command() {
    let folder = Folder::new();
    let run = |arguments: &[&str]| {
        let output = command(arguments, &folder.path(""));
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    assert!(run(&["keys", "new", "acme"]).0 && run(&["keys", "new", "other"]).0);
    folder.write("gateway.toml", &key("acme", CLIENT_KEY, "expires = \"2020-01-01\""));
    let (_, list, _) = run(&["keys", "list"]);
    for (name, state, place) in [
        ("acme", "expired", "file"),
        ("acme", "left out", "database"),
        ("other", "in force", "database"),
    ] {
        let is_it = |line: &&str| line.starts_with(name) && line.contains(state) && line.contains(place);
        assert_eq!(list.lines().filter(is_it).count(), 1, "{name} {state}: {list}");
    }
    let (is_done, told, error) = run(&["keys", "revoke", "acme"]);
    assert!(
        !is_done && error.contains("it stands in gateway.toml: remove its `[[key]]`"),
        "{told}{error}"
    );
    assert!(run(&["keys", "revoke", "other"]).0);
    let (_, list, _) = run(&["keys", "list"]);
    assert_eq!(
        list.matches("revoked").count(),
        2,
        "the one of the database does not come into force later: {list}"
    );
    assert!(!run(&["keys", "new", "acme"]).0, "its name is taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_refuses_what_serve_refuses() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    folder.write("redis", "redis//nonsense");
    folder.write("postgres", "mysql://u:s3cr3t@h/d");
    let budget = key("acme", CLIENT_KEY, "budget = [{ usd = \"5\" }]");
    for (rest, key) in [
        ("admin.token = \"env:NO_SUCH_VARIABLE_OF_OURS\"\n", "`admin.token`"),
        (
            "storage.postgres = \"env:NO_SUCH_VARIABLE_OF_OURS\"\n",
            "`storage.postgres`",
        ),
        (
            "storage.postgres = \"file:postgres\"\n",
            "`storage.postgres`: not the URL of a PostgreSQL database",
        ),
        ("shared.redis = \"file:redis\"\n", "`shared.redis`"),
        ("shared.redis = \"http://127.0.0.1\"\n", "`shared.redis`"),
        // A budget of a key without prices.
        (&*format!("refresh_catalogue = false\n{budget}"), "price"),
    ] {
        folder.write("gateway.toml", &settings(&simulator, &folder, rest));
        for command_name in ["check", "serve"] {
            let output = command(&[command_name, "--config", "gateway.toml"], &folder.path(""));
            let told = text(&output.stderr);
            assert!(
                !output.status.success() && told.contains(key),
                "{command_name} {rest}: {told}"
            );
            assert!(!told.contains("s3cr3t") && !told.contains("panicked"), "{told}");
        }
    }
    // Everything at once.
    let rest = "admin.token = \"env:NO_SUCH_VARIABLE_OF_OURS\"\nshared.redis = \"http://127.0.0.1\"\n";
    folder.write("gateway.toml", &settings(&simulator, &folder, rest));
    let told = text(&command(&["check"], &folder.path("")).stderr);
    assert!(
        told.contains("`admin.token`") && told.contains("`shared.redis`"),
        "{told}"
    );
    let open = settings(&simulator, &folder, "").replace("127.0.0.1:0", "0.0.0.0:0");
    folder.write("gateway.toml", &open);
    let output = command(&["check"], &folder.path(""));
    let told = text(&output.stdout);
    assert!(
        output.status.success() && told.contains("warning: ") && told.contains("other machines reach 0.0.0.0:0"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_strangers_do_not_fill_the_log() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    folder.write("token", "admin-token");
    let rest = format!("admin.token = \"file:token\"\n{}", key("acme", CLIENT_KEY, ""));
    folder.write("gateway.toml", &settings(&simulator, &folder, &rest));
    let gateway = Binary::serve(&["--config", "gateway.toml"], &folder.path(""));
    let (long, http) = ("x".repeat(20_000), client());
    for _ in 0..50 {
        assert_eq!(
            Said::of(post(&http, &gateway.url(&format!("/v1/{long}")), "sk-gw-0", "{}"))
                .await
                .status,
            401
        );
        assert_eq!(
            Said::of(http.get(gateway.url("/metrics")).bearer_auth("wrong"))
                .await
                .status,
            401
        );
    }
    gateway.signal("-TERM");
    let (_, log) = gateway.ended();
    assert!(log.len() < 20_000, "{} bytes", log.len());
    for word in ["invalid_api_key", "admin_token"] {
        assert!(
            log.lines()
                .any(|line| line.contains("caller refused") && line.contains(word)),
            "{log}"
        );
    }
}

//! No key is in any response, log, metric, error or database file.

use std::fs;

use openrouter_simulator::Simulator;

use crate::support::{
    ADMIN_TOKEN, APIS, Binary, CLIENT_KEY, Folder, OTHER_KEY, Said, UPSTREAM_KEY, client, key, post, raw, settings,
    streamed,
};

/// The part of each key that no text holds by chance.
const SECRETS: [&str; 4] = ["UPSTREAMSECRET", "CLIENTSECRET", "OTHERSECRET", "ADMINSECRET"];

fn check(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {what}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_in_any_response_log_metric_or_file() {
    assert!(
        SECRETS
            .iter()
            .zip([UPSTREAM_KEY, CLIENT_KEY, OTHER_KEY, ADMIN_TOKEN])
            .all(|(secret, key)| key.contains(secret))
    );
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let token = folder.write("token", ADMIN_TOKEN);
    let rest = format!(
        "storage.sqlite = \"gateway.db\"\nadmin.token = \"file:{}\"\nlog = {{ format = \"json\", filter = \"trace\" }}\ndeadline = \"5s\"\n{}{}",
        token.display(),
        key("acme", CLIENT_KEY, "budget = [{ usd = \"1\" }]"),
        key("old", OTHER_KEY, "expires = \"2020-01-01\"")
    );
    folder.write("gateway.toml", &settings(&simulator, &folder, &rest));
    let gateway = Binary::serve(&[], &folder.path(""));
    let http = client();
    for plan in [
        "ok",
        "401",
        "401-upstream",
        "402",
        "403",
        "429;retry-after=0",
        "503",
        "html",
        "cut@3",
        "error=502@3",
        "400",
        "reset",
    ] {
        simulator.plan_all(plan).unwrap();
        for (path, body) in APIS {
            for path in [path.to_owned(), format!("/api{path}")] {
                let said = Said::of(post(&http, &gateway.url(&path), CLIENT_KEY, body)).await;
                check(&path, format!("{said:?}").as_bytes());
            }
        }
        let said = Said::of(post(
            &http,
            &gateway.url(APIS[0].0),
            CLIENT_KEY,
            &streamed("demo/model", 30),
        ))
        .await;
        check("a stream", format!("{said:?}").as_bytes());
    }
    simulator.clear();
    for (path, _) in APIS.iter().chain(&[
        ("/v1/models", ""),
        ("/api/v1/models", ""),
        ("/v1/models/demo/model", ""),
        ("/v1/key", ""),
        ("/healthz", ""),
        ("/readyz", ""),
        ("/page.js", ""),
        ("/page.css", ""),
        ("/metrics", ""),
        ("/nowhere", ""),
        ("/", ""),
        ("/api/calls", ""),
        ("/api/spend", ""),
        ("/api/health", ""),
    ]) {
        for key in [CLIENT_KEY, OTHER_KEY, UPSTREAM_KEY, ADMIN_TOKEN] {
            for request in [
                http.get(gateway.url(path)).bearer_auth(key),
                post(&http, &gateway.url(path), key, "{"),
            ] {
                check(
                    path,
                    format!("{:?}", Said::of(request.header("x-api-key", key)).await).as_bytes(),
                );
            }
        }
    }
    let odd = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {CLIENT_KEY}\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"
    );
    check("a bad head", raw(gateway.address, odd.as_bytes()).await.as_bytes());
    gateway.signal("-HUP");
    folder.write(
        "gateway.toml",
        &format!("key = \"{CLIENT_KEY}\"\n[[key]]\nhash = \"{OTHER_KEY}\"\nname = 1\nlisten = \"{ADMIN_TOKEN}\""),
    );
    gateway.signal("-HUP");
    gateway
        .until_logged("settings refused: the old ones stay in force", 1)
        .await;
    let metrics = Said::of(http.get(gateway.url("/metrics")).bearer_auth(ADMIN_TOKEN)).await;
    assert_eq!(metrics.status, 200);
    check("the metrics", metrics.text.as_bytes());
    gateway.signal("-TERM");
    let (status, log) = gateway.ended();
    assert!(
        status.success() && log.contains("\"level\":\"TRACE\""),
        "it logs all there is"
    );
    let refusal = log.lines().find(|line| line.contains("settings refused")).unwrap();
    assert!(refusal.contains("gateway.toml:"), "it says where: {refusal}");
    check("the log", log.as_bytes());
    for entry in fs::read_dir(folder.path("")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("gateway.db") {
            check(&path.display().to_string(), &fs::read(&path).unwrap());
        }
    }
}

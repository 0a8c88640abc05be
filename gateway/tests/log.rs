//! What the log and the metrics say of callers.

use openrouter_simulator::Simulator;

use crate::support::{Binary, CLIENT_KEY, Folder, OTHER_KEY, Place, Said, client, key, post, settings, streamed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_of_a_call_has_the_name_of_its_key_and_the_id_of_its_request() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    simulator.plan("demo/model", "500;no-hint").unwrap();
    let rest = format!(
        "backoff = {{ base = \"1ms\", max = \"1ms\" }}\n{}{}",
        key("acme", CLIENT_KEY, ""),
        key("other", OTHER_KEY, "")
    );
    folder.write("gateway.toml", &settings(&simulator, &folder, &rest));
    let gateway = Binary::serve(&[], &folder.path(""));
    let (http, url) = (client(), gateway.url("/v1/chat/completions"));
    let call = async |model: &str, key: &str, id: &str| {
        let request = post(&http, &url, key, &streamed(model, 20));
        Said::of(request.header("x-request-id", id)).await
    };
    let (failed, answered) = tokio::join!(
        call("demo/model", CLIENT_KEY, "req-77"),
        call("demo/small", OTHER_KEY, "req \"78\"")
    );
    assert_eq!(failed.headers["x-request-id"], "req-77");
    assert!(answered.text.ends_with("data: [DONE]\n\n"), "{answered:?}");
    gateway.until_logged("operation ended", 2).await;
    gateway.signal("-TERM");
    let (_, log) = gateway.ended();
    let lines = |part: &str| log.lines().filter(|line| line.contains(part)).collect::<Vec<_>>();
    let attempts = lines("attempt failed");
    assert!(!attempts.is_empty(), "{log}");
    for line in attempts {
        assert!(line.contains("request{id=\"req-77\" key=\"acme\""), "{line}");
        // The message stands before the fields.
        assert!(line.find("attempt failed") < line.find("status=500"), "{line}");
    }
    for (outcome, span) in [
        ("failed", "request{id=\"req-77\" key=\"acme\""),
        // Its end is seen while the body is read.
        ("answered", "request{id=\"req \\\"78\\\"\" key=\"other\""),
    ] {
        let ended = lines(&format!("operation ended outcome=\"{outcome}\""));
        assert!(ended.len() == 1 && ended[0].contains(span), "{outcome}: {log}");
    }
    assert!(!log.contains("SECRET"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_callers_are_counted_by_reason() {
    let keys = key("acme", CLIENT_KEY, "") + &key("old", OTHER_KEY, "expires = \"2020-01-01\"");
    let place = Place::start(&keys).await;
    let counted = async |reason: &str| -> u64 {
        let text = place.get("/metrics", "").await.text;
        let line = format!("gateway_refusals{{reason=\"{reason}\"}} ");
        let count = text.lines().find_map(|text| text.strip_prefix(&line));
        count.unwrap_or_else(|| panic!("{reason}: {text}")).parse().unwrap()
    };
    for (key, reason) in [
        ("", "missing_api_key"),
        ("sk-gw-nobody", "invalid_api_key"),
        (OTHER_KEY, "api_key_expired"),
    ] {
        let before = counted(reason).await;
        for _ in 0..3 {
            assert_eq!(place.get("/v1/models", key).await.status, 401, "{reason}");
        }
        // Other gateways of this process count, too.
        assert!(counted(reason).await >= before + 3, "{reason}");
    }
    // Also of what never happened.
    counted("admin_off").await;
}

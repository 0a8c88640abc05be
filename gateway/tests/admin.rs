//! The admin side's JSON, and what an operator does by it.

use openrouter_simulator::Simulator;

use crate::support::{ADMIN_TOKEN, APIS, CLIENT_KEY, Folder, Place, Said, key};

async fn place(folder: &Folder) -> Place {
    let token = folder.write("token", ADMIN_TOKEN);
    let rest = format!(
        "admin.token = \"file:{}\"\n{}",
        token.display(),
        key("acme", CLIENT_KEY, "")
    );
    Place::over(Simulator::start().await.unwrap(), &rest).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_json_routes_refuse_in_json() {
    let folder = Folder::new();
    let place = place(&folder).await;
    for (path, key, status, part) in [
        ("/api/nothing", "", 404, "there are /api/calls"),
        ("/api/nothing", ADMIN_TOKEN, 404, "there are /api/calls"),
        ("/api/calls", "", 401, "the admin's token is needed"),
        ("/api/calls?limit=abc", ADMIN_TOKEN, 400, "limit"),
        ("/api/calls?since=soon", ADMIN_TOKEN, 400, "since"),
        ("/api/pauses/lift", ADMIN_TOKEN, 405, "Method Not Allowed"),
    ] {
        let said = place.get(path, key).await;
        assert_eq!(said.status, status, "{path}: {said:?}");
        let message = said.json()["error"]["message"].clone();
        assert!(
            message.as_str().is_some_and(|text| text.contains(part)),
            "{path}: {message}"
        );
        assert_eq!(said.headers["content-type"], "application/json", "{path}");
    }
    let said = place.get("/api/calls", "").await;
    assert!(said.headers.contains_key("www-authenticate"), "{said:?}");
    let said = place.get("/metrics", "").await;
    assert!(
        said.status == 401 && said.text.starts_with("the admin's token"),
        "{said:?}"
    );
    // Those of OpenRouter's API stay its own.
    for (path, status) in [("/api/v1/models", 200), ("/api/v1/nowhere", 404)] {
        assert_eq!(place.get(path, CLIENT_KEY).await.status, status, "{path}");
        assert_eq!(place.get(path, "").await.status, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pauses_are_lifted_by_an_operator_and_by_no_page() {
    let folder = Folder::new();
    let place = place(&folder).await;
    place
        .simulator
        .plan("openai/gpt-4o-mini", "429;retry-after=3000")
        .unwrap();
    assert_eq!(place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await.status, 429);
    let lift = || place.http.post(place.url("/api/pauses/lift"));
    for (key, status) in [("", 401), (CLIENT_KEY, 401)] {
        assert_eq!(Said::of(lift().bearer_auth(key)).await.status, status);
    }
    let of_page = lift()
        .basic_auth("me", Some(ADMIN_TOKEN))
        .header("origin", "https://evil.example");
    assert_eq!(Said::of(of_page).await.status, 403);
    let lifted = async || Said::of(lift().bearer_auth(ADMIN_TOKEN)).await.json()["lifted"].clone();
    assert_ne!(lifted().await, 0, "the model was paused");
    assert_eq!(lifted().await, 0);
    // The next attempt is sent.
    place.simulator.plan("openai/gpt-4o-mini", "ok").unwrap();
    assert_eq!(place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await.status, 200);
}

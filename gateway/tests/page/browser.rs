//! The page in headless Chromium: live without a reload, filtered, readable in both schemes and on a phone. Pictures are kept in
//! `target/page/`.

use std::{env, fs, path::PathBuf};

use serde_json::json;
use tokio::{net::TcpListener, runtime::Runtime};

use super::{
    cdp::{Browser, chromium},
    contrast::{LOW_CONTRAST, OVERFLOW},
    support::{FIRST, SECOND, World, chat, file, tagged},
};

/// Where pictures go: kept by continuous integration as artefacts.
fn picture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("page")
        .join(format!("{name}.png"))
}

const LINES: &str = "budget = [{ name = 'key-day', usd = '0.004', per = 'day', each = ['key'] }, \
    { name = 'company-month', usd = '250', per = 'month' }]\ncircuit_breaker = { min_calls = 3 }\ncache = { bytes = 1000000, tenant = 'global' }\nattempts_per_candidate = 1\nunknown_price = 'allow'";

/// A morning's traffic: answered, rescued, failed, refused, interrupted, left and cached calls.
async fn traffic(world: &World) {
    world.simulator.plan_all("words=30").unwrap();
    let models = [
        "anthropic/claude-sonnet-4.5",
        "google/gemini-2.5-flash",
        SECOND,
        "mistralai/mistral-large",
    ];
    let keys = ["checkout", "search-api", "batch-jobs"];
    for (place, model) in models.iter().cycle().take(14).enumerate() {
        let request = chat_about(model, place, place % 2 == 0);
        let team = if place % 3 == 0 { "web" } else { "data" };
        world
            .call(tagged(request, &[("key", keys[place % 3]), ("team", team)]))
            .await;
    }
    world
        .call(tagged(
            chat_about(SECOND, 2, true),
            &[("key", "search-api"), ("team", "data")],
        ))
        .await;
    world.simulator.plan(FIRST, "3x503;no-hint").unwrap();
    for place in 20..23 {
        world
            .call(tagged(
                chat_about(FIRST, place, true),
                &[("key", "checkout"), ("team", "web")],
            ))
            .await;
    }
    world.simulator.plan("x-ai/grok-4", "cut@4").unwrap();
    world
        .call(tagged(chat_about("x-ai/grok-4", 30, true), &[("key", "batch-jobs")]))
        .await;
    let broken = http::Request::post("/v1/messages").body("{".into()).unwrap();
    world.call(broken).await;
    drop(
        world
            .send(tagged(
                chat_about("anthropic/claude-opus-4.5", 31, true),
                &[("key", "search-api")],
            ))
            .await,
    );
}

fn chat_about(model: &str, number: usize, stream: bool) -> http::Request<axum::body::Body> {
    let mut request = chat(model, stream);
    let body = json!({"model": model, "stream": stream, "max_tokens": 60,
        "messages": [{"role": "user", "content": format!("Question {number}")}]});
    *request.body_mut() = axum::body::Body::from(body.to_string());
    request
}

#[test]
fn the_page_in_a_browser() {
    let Some(program) = chromium() else {
        assert!(env::var_os("REQUIRE_CHROMIUM").is_none(), "there is no Chromium");
        eprintln!("NOT TESTED: THE PAGE IN A BROWSER. There is no Chromium; install Debian's package `chromium`.");
        return;
    };
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::with_ledger("browser.sqlite", LINES));
    runtime.block_on(traffic(&world));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = world.app.clone();
    runtime.spawn(async move { axum::serve(listener, app).await });

    fs::create_dir_all(picture("page").parent().unwrap()).unwrap();
    let profile = file("profile");
    let mut browser = Browser::start(&program, &profile);
    browser.scheme("light");
    browser.size(1280, 1000);
    browser.open(&format!("{base}/?rows=100"));
    browser.until("document.getElementById('live-text').textContent === 'Live'");
    browser.until("document.querySelectorAll('#list .call').length > 10");

    // A call that is made now appears, without a reload.
    browser.value("window.isTheSamePage = true");
    let before = browser
        .value("document.querySelectorAll('#list .call').length")
        .as_u64()
        .unwrap();
    world.simulator.plan(FIRST, "503;no-hint").unwrap();
    runtime.block_on(world.call(tagged(
        chat_about(FIRST, 40, true),
        &[("key", "checkout"), ("team", "web")],
    )));
    let id = world.last().id;
    browser.until(&format!(
        "document.querySelector('#call-{id} .badge')?.textContent === 'rescued'"
    ));
    assert_eq!(browser.value("window.isTheSamePage"), true);
    assert_eq!(
        browser.value("document.querySelectorAll('#list .call').length"),
        before + 1
    );
    assert_eq!(
        browser.value("document.querySelector('#list .call').id"),
        format!("call-{id}"),
        "the latest first"
    );

    // Its attempts open by keyboard.
    browser.value(&format!("document.querySelector('#call-{id} summary').focus()"));
    for kind in ["keyDown", "keyUp"] {
        browser.ask(
            "Input.dispatchKeyEvent",
            json!({"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}),
        );
    }
    browser.until(&format!("document.querySelector('#call-{id}').open"));
    let attempts = browser.value(&format!("document.querySelectorAll('#call-{id} .attempts li').length"));
    assert!(attempts.as_u64().unwrap() >= 2);

    fs::write(
        picture("page").with_extension("html"),
        runtime.block_on(world.page("/")),
    )
    .unwrap();

    // Readable in both schemes, and on a phone.
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        for (device, width, height) in [("desk", 1280, 1000), ("tablet", 760, 1000), ("phone", 380, 800)] {
            browser.size(width, height);
            browser.until(&format!("innerWidth === {width}"));
            assert_eq!(browser.value(LOW_CONTRAST), json!([]), "{scheme}, {device}");
            assert_eq!(browser.value(OVERFLOW), json!([]), "{scheme}, {device}");
            browser.picture(&picture(&format!("{device}-{scheme}")));
        }
    }

    // The form filters.
    browser.size(1280, 1000);
    browser.value("document.querySelector('.filter select').value = 'rescued'");
    browser.value("document.querySelector('.filter button').click()");
    browser.until("location.search.includes('outcome=rescued') && document.readyState === 'complete'");
    browser.until("document.getElementById('live-text')?.textContent === 'Live'");
    let badges =
        browser.value("[...document.querySelectorAll('#list .line > .badge')].map(badge => badge.textContent)");
    assert!(!badges.as_array().unwrap().is_empty());
    assert!(
        badges.as_array().unwrap().iter().all(|badge| badge == "rescued"),
        "{badges}"
    );
    browser.picture(&picture("filtered"));

    // Without JavaScript it is the same page.
    browser.ask("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    browser.open(&format!("{base}/?by=key"));
    browser.picture(&picture("no-javascript"));
    let document = browser.ask("DOM.getDocument", json!({}));
    let calls = browser.ask(
        "DOM.querySelectorAll",
        json!({"nodeId": document["root"]["nodeId"], "selector": "#list .call"}),
    );
    assert!(calls["nodeIds"].as_array().unwrap().len() > 10);
    assert_eq!(browser.errors, [""; 0], "no error on the console");
    drop(browser);
    drop(fs::remove_dir_all(profile));
}

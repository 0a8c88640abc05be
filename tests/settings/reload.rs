//! Settings that are replaced while calls are in progress.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http_body_util::BodyExt;
use openrouter_simulator::Simulator;
use tower::{Service, ServiceExt, limit::ConcurrencyLimitLayer};
use tower_openrouter::{
    ChatServiceExt, FailureKind as K,
    layers::budget::{Budgets, InMemoryBudgetStore},
    settings::{Settings, SettingsHandle},
};

use super::{file, key};
use crate::support::{
    FIRST, SECOND, TEXT, World, ask, call,
    ledger::Kept,
    raw::{self, Raw},
};

/// Settings over this simulator, with these lines before its upstream.
fn over(simulator: &Simulator, lines: &str) -> String {
    format!(
        "{lines}\nbackoff = {{ base = '0s', max = '0s' }}\nupstream = [{{ name = 'openrouter', key = '{}', base_url = '{}' }}]\n",
        key(),
        simulator.base_url()
    )
}

fn settings(simulator: &Simulator, lines: &str) -> Settings {
    Settings::from_toml(&over(simulator, lines)).unwrap_or_else(|error| panic!("{error}"))
}

fn chain(models: &[&str]) -> String {
    format!("chain = {models:?}")
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_open_when_they_are_replaced_ends_whole() {
    let world = World::new("delay=2s;GOOD").await;
    let handle = SettingsHandle::builder(settings(&world.simulator, &chain(&[FIRST])))
        .build()
        .unwrap();
    let service = handle.service();
    let mut answer = service.stream(ask()).await.unwrap();
    let mut text = answer.next_text().await.unwrap().unwrap();
    handle.replace(settings(&world.simulator, &chain(&[SECOND]))).unwrap();
    assert_eq!(
        call(&service, true, ask()).await.asked(),
        [SECOND],
        "a call that is made after it"
    );
    while let Some(more) = answer.next_text().await {
        text.push_str(&more.unwrap());
    }
    assert_eq!(text, TEXT);
    let log = answer.attempts().unwrap();
    assert_eq!(log.answered_by().unwrap().model(), FIRST);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_ready_makes_one_call_with_the_old_ones() {
    let world = World::new("GOOD").await;
    let handle = SettingsHandle::builder(settings(&world.simulator, &chain(&[FIRST])))
        .build()
        .unwrap();
    let mut service = handle.service();
    service.ready().await.unwrap();
    handle.replace(settings(&world.simulator, &chain(&[SECOND]))).unwrap();
    for model in [FIRST, SECOND] {
        let request = http::Request::new(tower_openrouter::ApiRequest::from(ask().stream(true)));
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        let log = response.extensions().get::<tower_openrouter::AttemptLog>().cloned();
        drop(response.into_body().collect().await);
        assert_eq!(log.unwrap().answered_by().unwrap().model(), model);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_spent_and_reserved_is_remembered() {
    let world = World::new("delay=2s;GOOD").await;
    let budget = |usd: &str| {
        let prices = format!("prices = [{{ model = '{FIRST}', prompt = '0.00001', completion = '0.0001' }}]");
        let budget = format!("budget = [{{ name = 'all', usd = '{usd}', per = 'month' }}]");
        settings(
            &world.simulator,
            &format!("{}\n{prices}\n{budget}\ndefault_output_tokens = 100", chain(&[FIRST])),
        )
    };
    let store = InMemoryBudgetStore::new();
    let accounts = Budgets::in_store([], Arc::new(store.clone())).unwrap();
    let ledger = Kept::new();
    let kept = Arc::clone(&ledger);
    let handle = SettingsHandle::builder(budget("1"))
        .budgets(accounts)
        .extend(move |builder| builder.ledger(kept.clone()))
        .build()
        .unwrap();
    let service = handle.service();
    assert!(call(&service, true, ask()).await.error.is_none());
    let [spent] = &store.accounts()[..] else {
        panic!("one account")
    };
    assert!(spent.settled.pico() > 0 && spent.settled.pico() == ledger.total());

    // Replaced while money is reserved.
    let mut answer = service.stream(ask()).await.unwrap();
    let reserved = store.accounts()[0].reserved;
    assert!(reserved.pico() > 0);
    handle.replace(budget("0.000001")).unwrap();
    let [account] = &store.accounts()[..] else {
        panic!("one account")
    };
    assert_eq!((account.settled, account.reserved), (spent.settled, reserved));
    let refused = call(&service, true, ask()).await;
    assert_eq!(refused.kind(), Some(K::BudgetExceeded), "{refused:?}");
    assert_eq!(
        store.accounts()[0].budget.cap().to_string(),
        "$0.000001",
        "the new cap is reported"
    );
    while let Some(text) = answer.next_text().await {
        text.unwrap();
    }
    drop(answer);
    let [account] = &store.accounts()[..] else {
        panic!("one account")
    };
    assert_eq!(account.reserved.pico(), 0, "the open stream has settled");
    assert_eq!(account.settled.saturating_add(account.overrun).pico(), ledger.total());

    // Raised, there is room at once; taken out and put back, nothing is forgotten.
    handle.replace(settings(&world.simulator, &chain(&[FIRST]))).unwrap();
    handle.replace(budget("1")).unwrap();
    assert!(call(&service, true, ask()).await.error.is_none());
    let [account] = &store.accounts()[..] else {
        panic!("one account")
    };
    assert_eq!(account.settled.saturating_add(account.overrun).pico(), ledger.total());
    assert_eq!(ledger.entries().len(), 3, "the ledger outlives them");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_leaves_the_old_ones_in_force() {
    let world = World::new("GOOD").await;
    let path = file("bad.toml", &over(&world.simulator, &chain(&[FIRST])));
    let handle = SettingsHandle::builder(Settings::from_file(&path).unwrap())
        .build()
        .unwrap();
    let before = handle.settings();
    for (text, report) in [
        (
            over(&world.simulator, "chian = ['a/b']"),
            ":1:1: unknown key `chian`; did you mean `chain`?",
        ),
        (over(&world.simulator, "attempts = 0"), ":1:12: `attempts` is 0"),
        (over(&world.simulator, "chain = ["), ""),
        (
            over(&world.simulator, &chain(&[SECOND])).replace(&key(), "env:NO_SUCH_VARIABLE_OF_OURS"),
            "the environment variable `NO_SUCH_VARIABLE_OF_OURS`: it is not set",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let error = handle.replace_from_file(&path).unwrap_err().to_string();
        assert!(error.contains("bad.toml") && error.contains(report), "{error}");
        assert_eq!(handle.settings(), before);
        assert_eq!(call(&handle.service(), true, ask()).await.asked(), [FIRST]);
    }
    fs::remove_file(&path).unwrap();
    assert!(
        handle
            .replace_from_file(&path)
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
    assert_eq!(handle.settings(), before);
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_read_again() {
    let simulator = Simulator::builder().key("sk-or-v1-new").start().await.unwrap();
    let world = World::over(simulator, "GOOD");
    let rotated = file("rotated.key", "");
    for list in [false, true] {
        fs::write(&rotated, "sk-or-v1-old\n").unwrap();
        let secret = if list {
            format!("['file:{}']", rotated.display())
        } else {
            format!("'file:{}'", rotated.display())
        };
        let text = over(&world.simulator, &chain(&[FIRST])).replace(&format!("'{}'", key()), &secret);
        let read = || Settings::from_toml(&text).unwrap();
        let handle = SettingsHandle::builder(read()).build().unwrap();
        assert_eq!(call(&handle.service(), true, ask()).await.kind(), Some(K::Auth));
        fs::write(&rotated, "sk-or-v1-new\n").unwrap();
        handle.replace(read()).unwrap();
        let got = call(&handle.service(), true, ask()).await;
        assert!(got.error.is_none(), "{got:?}");
    }
    fs::remove_file(rotated).unwrap();
}

#[tokio::test(start_paused = true)]
async fn pauses_outlive_them() {
    let world = World::new("429;retry-after=600").await;
    let of = |attempts: u32| {
        settings(
            &world.simulator,
            &format!("{}\nattempts = {attempts}", chain(&[FIRST, SECOND])),
        )
    };
    let handle = SettingsHandle::builder(of(6)).build().unwrap();
    assert_eq!(call(&handle.service(), true, ask()).await.asked(), [FIRST, SECOND]);
    handle.replace(of(5)).unwrap();
    assert_eq!(
        call(&handle.service(), true, ask()).await.asked(),
        [SECOND],
        "the pause is remembered"
    );
}

#[tokio::test(start_paused = true)]
async fn pauses_end_with_the_keys_or_the_base_url_that_met_them() {
    let world = World::new("429;retry-after=600").await;
    let path = file("paused.key", "");
    let (one, other) = (
        "sk-or-v1-0123456789abcdef0123456789abtest\n",
        "sk-or-v1-1123456789abcdef0123456789abtest\n",
    );
    let text = over(&world.simulator, &chain(&[FIRST, SECOND])).replace(&key(), &format!("file:{}", path.display()));
    let with_slash = text.replace("' }]", "/' }]");
    assert_ne!(text, with_slash);
    for (key, again, asked) in [
        (one, &text, &[SECOND][..]),
        (other, &text, &[FIRST, SECOND]),
        (one, &with_slash, &[FIRST, SECOND]),
    ] {
        fs::write(&path, one).unwrap();
        let handle = SettingsHandle::builder(Settings::from_toml(&text).unwrap())
            .build()
            .unwrap();
        assert_eq!(call(&handle.service(), true, ask()).await.asked(), [FIRST, SECOND]);
        fs::write(&path, key).unwrap();
        handle.replace(Settings::from_toml(again).unwrap()).unwrap();
        assert_eq!(call(&handle.service(), true, ask()).await.asked(), asked, "{again}");
    }
    fs::remove_file(path).unwrap();
}

/// Also if the attempt that is refused begins after the change, as a retry.
#[tokio::test(start_paused = true)]
async fn a_call_with_the_key_before_pauses_nothing_for_the_next_one() {
    let after_5_s = |status: &str, code: u16| {
        vec![
            raw::Step::Wait(Duration::from_secs(5)),
            raw::send(format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
                 {{\"error\":{{\"code\":{code},\"message\":\"no\"}}}}"
            )),
        ]
    };
    for is_retried in [false, true] {
        let is_limited = AtomicBool::new(!is_retried);
        let raw = Raw::start(move |request| {
            if !request.contains("sk-or-v1-before") {
                vec![raw::events(), raw::chunk("Oslo.", "\"stop\""), raw::done()]
            } else if is_limited.swap(true, Ordering::Relaxed) {
                after_5_s("429 Too Many Requests\r\nretry-after: 600", 429)
            } else {
                after_5_s("500 Internal Server Error", 500)
            }
        })
        .await;
        let path = file("replaced-in-flight.key", "sk-or-v1-before\n");
        let text = format!(
            "{}\nupstream = [{{ name = 'openrouter', key = 'file:{}', base_url = '{}' }}]\n",
            chain(&[FIRST]),
            path.display(),
            raw.url()
        );
        let read = || Settings::from_toml(&text).unwrap();
        let handle = SettingsHandle::builder(read()).build().unwrap();
        let service = handle.service();
        let rotation = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            fs::write(&path, "sk-or-v1-after\n").unwrap();
            handle.replace(read()).unwrap();
        };
        let (of_before, ()) = tokio::join!(call(&service, true, ask()), rotation);
        assert_eq!(of_before.kind(), Some(K::RateLimited), "{of_before:?}");
        let got = call(&service, true, ask()).await;
        assert!(got.error.is_none(), "{got:?}");
        fs::remove_file(path).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_outlive_other_keys_of_another_upstream_and_settings_that_are_refused() {
    let world = World::new("429;retry-after=600").await;
    let path = file("rotated-of-one.key", "");
    let base_url = world.simulator.base_url();
    let upstream = |name: &str, key: &str| {
        format!("{{ name = '{name}', dialect = 'openrouter', base_url = '{base_url}', key = '{key}' }}")
    };
    let rotated = format!("file:{}", path.display());
    for (of_limited, of_other, asked) in [
        (key(), rotated.clone(), &[SECOND][..]),
        (rotated, key(), &[FIRST, SECOND]),
    ] {
        let (limited, other) = (upstream("limited", &of_limited), upstream("other", &of_other));
        let text = format!("chain = ['limited:{FIRST}', 'other:{SECOND}']\nupstream = [{limited}, {other}]\n");
        fs::write(&path, "sk-or-v1-0123456789abcdef0123456789abtest\n").unwrap();
        let handle = SettingsHandle::builder(Settings::from_toml(&text).unwrap())
            .build()
            .unwrap();
        assert_eq!(call(&handle.service(), true, ask()).await.asked(), [FIRST, SECOND]);
        fs::write(&path, "sk-or-v1-1123456789abcdef0123456789abtest\n").unwrap();
        let refused = Settings::from_toml(&format!("attempts = 0\n{text}")).unwrap();
        handle.replace(refused).unwrap_err();
        assert_eq!(call(&handle.service(), true, ask()).await.asked(), [SECOND]);
        handle.replace(Settings::from_toml(&text).unwrap()).unwrap();
        assert_eq!(call(&handle.service(), true, ask()).await.asked(), asked);
    }
    fs::remove_file(path).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_would_fail_now_is_not_kept_in_the_cache() {
    let world = World::new("GOOD").await;
    let of = |lines: &str| {
        let cache = "cache = { bytes = 100000, tenant = 'global' }";
        settings(&world.simulator, &format!("{}\n{cache}\n{lines}", chain(&[FIRST])))
    };
    let handle = SettingsHandle::builder(of("")).build().unwrap();
    let calls = async || call(&handle.service(), true, ask()).await.lines.len();
    assert_eq!((calls().await, calls().await), (1, 0));
    handle.replace(of("attempts = 5")).unwrap();
    assert_eq!(calls().await, 0);
    handle
        .replace(of(
            "fail_on_finish_reason = [{ reason = 'length', kind = 'malformed' }]",
        ))
        .unwrap();
    assert_eq!(calls().await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_has_the_same_settings_is_carried_over_and_the_rest_begins_again() {
    let world = World::new("503;no-hint").await;
    let of = |min_calls: u32, per: &str, bytes: u64, attempts: u32| {
        let lines = format!(
            "{}\ncircuit_breaker.min_calls = {min_calls}\nattempts = {attempts}\nadaptive_concurrency = {{}}\n\
             upstream_limits = {{ requests = {{ amount = 10, burst = 1, per = '{per}' }} }}\n\
             cache = {{ bytes = {bytes}, tenant = 'global' }}",
            chain(&[FIRST, SECOND])
        );
        settings(&world.simulator, &lines)
    };
    let handle = SettingsHandle::builder(of(5, "1h", 100_000, 6)).build().unwrap();
    let service = handle.service();
    let circuits = |of_all: bool| {
        let reports = service.stack().circuits().unwrap().reports();
        assert_eq!(!reports.is_empty(), of_all, "{reports:?}");
    };
    let concurrency = || service.stack().concurrency().unwrap().reports().len();
    let first = call(&service, true, ask()).await;
    assert!(first.error.is_none(), "{first:?}");
    assert_eq!(first.asked(), [FIRST, SECOND], "the limit of the first is used up");
    circuits(true);
    assert!(concurrency() > 0);
    // Only the attempts are changed: all else is as it was.
    handle.replace(of(5, "1h", 100_000, 7)).unwrap();
    circuits(true);
    assert!(concurrency() > 0);
    assert!(
        call(&service, true, ask()).await.lines.is_empty(),
        "the response is cached"
    );
    let limited = call(&service, true, tower_openrouter::ChatRequest::user("And at night?")).await;
    assert_eq!(limited.kind(), Some(K::RateLimited), "{limited:?}");
    // Each that is changed begins again.
    handle.replace(of(4, "2h", 200_000, 7)).unwrap();
    circuits(false);
    assert!(concurrency() > 0);
    let limited = call(&service, true, ask()).await;
    assert_eq!(
        limited.kind(),
        Some(K::RateLimited),
        "not cached any more, and what the limits have counted stays"
    );
}

#[tokio::test(start_paused = true)]
async fn a_raised_rate_limit_has_room_for_the_difference() {
    let world = World::new("GOOD").await;
    for (limits, end) in [
        ("upstream_limits = { requests = ", "}"),
        ("tenant_limits = { tenant = 'global', requests = ", "}"),
    ] {
        let of = |burst: u32| {
            let lines = format!(
                "{}\n{limits}{{ amount = 10, burst = {burst}, per = '1h' }} {end}",
                chain(&[FIRST])
            );
            settings(&world.simulator, &lines)
        };
        let handle = SettingsHandle::builder(of(2)).build().unwrap();
        let answered = async || {
            let mut answered = 0;
            while call(&handle.service(), true, ask()).await.error.is_none() {
                answered += 1;
            }
            answered
        };
        assert_eq!(answered().await, 2, "{limits}");
        for (burst, more) in [(5, 3), (4, 0)] {
            handle.replace(of(burst)).unwrap();
            assert_eq!(answered().await, more, "{limits}: {burst}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_mounted_follows() {
    let world = World::new("GOOD").await;
    let handle = SettingsHandle::builder(settings(&world.simulator, &chain(&[FIRST])))
        .build()
        .unwrap();
    let endpoints = handle.service().into_endpoints();
    let models = || async {
        let request = http::Request::get("/v1/models")
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .unwrap();
        let response = endpoints.clone().oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    };
    assert!(models().await.contains(FIRST));
    handle.replace(settings(&world.simulator, &chain(&[SECOND]))).unwrap();
    let listed = models().await;
    assert!(listed.contains(SECOND) && !listed.contains(FIRST), "{listed}");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_in_force_counts_for_the_wait_before_a_call() {
    let world = World::new("hang").await;
    let one_at_once = ConcurrencyLimitLayer::new(1);
    let handle = SettingsHandle::builder(settings(&world.simulator, &chain(&[FIRST])))
        .extend(move |builder| builder.around_call(one_at_once.clone()))
        .build()
        .unwrap();
    let short = format!("{}\ndeadline = '1s'", chain(&[FIRST]));
    handle.replace(settings(&world.simulator, &short)).unwrap();
    let service = handle.service();
    let (one, other) = tokio::join!(call(&service, true, ask()), call(&service, true, ask()));
    let second = Duration::from_secs(1);
    assert_eq!((one.took, other.took), (second, second), "{one:?} {other:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_are_kept_unless_their_settings_change() {
    let world = World::new("GOOD").await;
    let of = |lines: &str| settings(&world.simulator, &format!("{}\n{lines}", chain(&[FIRST])));
    let handle = SettingsHandle::builder(of("")).build().unwrap();
    for (lines, accepted) in [
        ("attempts = 5", 1),
        ("connections.pool_max_idle = 5", 2),
        ("attribution.title = 'a'", 3),
    ] {
        assert!(call(&handle.service(), true, ask()).await.error.is_none());
        handle.replace(of(lines)).unwrap();
        assert!(call(&handle.service(), true, ask()).await.error.is_none());
        assert_eq!(world.simulator.report().connections_accepted, accepted, "{lines}");
    }
}

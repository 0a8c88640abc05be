//! The JSON routes.

use serde_json::Value;

use super::support::{FIRST, SECOND, World, chat, tagged, whole};

fn ids(answer: &Value) -> Vec<u64> {
    let calls = answer["calls"].as_array().unwrap();
    calls.iter().map(|call| call["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn calls_are_filtered() {
    let world = World::new("503;no-hint").await;
    world
        .call(tagged(chat(FIRST, false), &[("key", "ci"), ("team", "search")]))
        .await;
    world
        .call(tagged(chat(SECOND, true), &[("key", "app"), ("team", "ads")]))
        .await;
    world.simulator.plan_all("500").unwrap();
    world.simulator.plan(SECOND, "500").unwrap();
    world.call(tagged(chat(SECOND, false), &[("key", "ci")])).await;
    for (query, expected) in [
        ("", vec![3, 2, 1]),
        ("?key=ci", vec![3, 1]),
        ("?tag=team%3Dads", vec![2]),
        ("?tag=team", vec![2, 1]),
        ("?model=gpt-5", vec![1]),
        ("?outcome=rescued", vec![1]),
        ("?outcome=bad", vec![3]),
        ("?outcome=ok&key=ci", vec![1]),
        ("?since=1h&limit=1", vec![3]),
        ("?since=2099-01-01T00:00:00Z", vec![]),
    ] {
        assert_eq!(
            ids(&world.json(&format!("/api/calls{query}")).await),
            expected,
            "{query}"
        );
    }
    let call = &world.json("/api/calls?outcome=rescued").await["calls"][0];
    assert_eq!(
        (&call["api"], &call["tags"]["team"]),
        (&"chat".into(), &"search".into())
    );
    let cost: f64 = call["cost"].as_str().unwrap().parse().unwrap();
    assert!(cost > 0.0, "a decimal number in a text");
    assert_eq!(call["attempts"][0]["status"], 503);
    assert!(call["first_token_ms"].is_null(), "a plain response comes whole");
    for wrong in [
        "/api/calls?outcome=lost",
        "/api/calls?since=soon",
        "/api/calls?limit=-1",
        "/api/spend?by=mood",
        "/api/spend?since=x",
    ] {
        let response = world.get(wrong).await;
        assert_eq!(response.status(), 400, "{wrong}");
        let body: Value = serde_json::from_slice(&whole(response).await).unwrap();
        assert!(body["error"]["message"].is_string(), "{wrong}");
    }
}

#[tokio::test]
async fn spend_comes_from_the_ledger_or_from_the_calls() {
    let with = World::with_ledger("spend.sqlite", "").await;
    let without = World::new("ok").await;
    for world in [&with, &without] {
        world
            .call(tagged(chat(FIRST, false), &[("key", "ci"), ("team", "search")]))
            .await;
        world.call(tagged(chat(SECOND, false), &[("key", "app")])).await;
        if world.ledger.is_some() {
            world.written(2).await;
        }
        let by_model = world.json("/api/spend?by=model").await;
        let rows = by_model["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 2, "{by_model}");
        assert_eq!(
            (&rows[0]["group"], &rows[0]["attempts"]),
            (&FIRST.into(), &1.into()),
            "the largest first"
        );
        let total: f64 = by_model["total"]["cost"].as_str().unwrap().parse().unwrap();
        let billed: f64 = world.simulator.billed_total().to_string().parse().unwrap();
        assert!((total - billed).abs() < 1e-12, "{total} {billed}");
        let keys = world.json("/api/spend?by=key&since=7d").await;
        assert_eq!(keys["rows"][1]["group"], "app");
        let providers = world.json("/api/spend?by=provider").await;
        assert!(!providers["rows"].as_array().unwrap().is_empty());
        assert_eq!(
            world.json("/api/spend?by=day").await["rows"].as_array().unwrap().len(),
            1
        );
    }
    assert_eq!(with.json("/api/spend").await["source"], "ledger");
    assert_eq!(without.json("/api/spend").await["source"], "recent_calls");
}

#[tokio::test]
async fn health_shows_circuits_pauses_and_budgets() {
    let lines = "budget = [{ name = 'each-key', usd = '0.002', per = 'day', each = ['key'] }, { name = 'all', usd = '9', per = 'month' }]\n\
                 circuit_breaker = { min_calls = 2 }";
    let world = World::with(lines, openrouter_gateway::calls::Calls::new(), None).await;
    let before = world.json("/api/health").await;
    assert_eq!(before["budgets"].as_array().unwrap().len(), 2, "{before}");
    assert_eq!(before["budgets"][0]["spent"], "0.00");
    world.simulator.plan(FIRST, "503;no-hint").unwrap();
    world.simulator.plan(SECOND, "2xok,429;retry-after=90").unwrap();
    for _ in 0..3 {
        world.call(tagged(chat(FIRST, false), &[("key", "ci")])).await;
    }
    let health = world.json("/api/health").await;
    let circuit = &health["circuits"][0];
    assert_eq!(
        (&circuit["model"], &circuit["state"]),
        (&FIRST.into(), &"open".into()),
        "{health}"
    );
    assert!(circuit["probes_in_ms"].as_u64().is_some());
    let pause = &health["pauses"][0];
    assert_eq!(
        (&pause["model"], &pause["kind"]),
        (&SECOND.into(), &"rate_limited".into())
    );
    assert!(pause["ends_in_ms"].as_u64().unwrap() > 15_000);
    let budgets = health["budgets"].as_array().unwrap();
    let own = budgets.iter().find(|budget| budget["name"] == "each-key").unwrap();
    assert_eq!(
        (&own["account"], &own["cap"], &own["reserved"]),
        (&"key=ci".into(), &"0.002".into(), &"0.00".into())
    );
    assert!(own["spent"].as_str().unwrap().parse::<f64>().unwrap() > 0.0);
    assert!(
        own["forecast"].is_null() && own["resets"].is_string(),
        "its pace is not known yet"
    );
    let page = world.page("/").await;
    for part in [
        "is skipped: its circuit is open",
        " attempts failed lately",
        "is paused",
        "<bdi>rate limited, next attempt in ",
        "each-key of key=ci",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

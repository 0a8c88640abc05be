//! Every query of the dashboard and of the rules, against a real Prometheus that scrapes a stack under load.

#[path = "../../examples/observability/load.rs"]
#[allow(dead_code, reason = "the example uses more of it")]
mod load;
#[path = "../../examples/observability/scrape.rs"]
mod scrape;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use test_servers::Prometheus;

/// How often a query may find nothing while the load continues: a scrape and the rules take less than a second each.
const TRIES: u32 = 150;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dashboards")
}

/// The queries of the dashboard by panel.
fn of_dashboard() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(folder().join("grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push((format!("panel {title:?}"), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    queries
}

/// What an alert compares, without the threshold: it fires on none of them after a short load.
fn operands(query: &str) -> Vec<String> {
    let mut query = query.to_owned();
    for operator in [" == ", " < ", " > "] {
        query = query.replace(operator, "\u{1f}");
    }
    let parts = query.split('\u{1f}').map(str::trim);
    let parts = parts.filter(|part| part.parse::<f64>().is_err());
    // What must be absent is there.
    let inner = |part: &str| match part.strip_prefix("absent(").and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => inner.to_owned(),
        None => part.to_owned(),
    };
    parts.map(inner).collect()
}

struct Asked {
    client: reqwest::Client,
    url: String,
}

impl Asked {
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.url), query).unwrap();
        let text = self.client.get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// How many series a query gives now.
    async fn series(&self, query: &str) -> usize {
        let answer = self.get("/api/v1/query", &[("query", query)]).await;
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().len()
    }

    async fn rules(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/rules", &[]).await;
        let groups = answer["data"]["groups"].as_array().unwrap();
        groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap().clone())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_gives_a_series_after_a_load() {
    let rules = folder().join("prometheus-rules.yml");
    let Some(checked) = Prometheus::check_rules(&rules) else {
        return;
    };
    checked.unwrap();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dashboards-{}.sqlite", std::process::id()));
    let metrics = scrape::recorder().unwrap();
    let service = Arc::new(load::Service::start(&file).await.unwrap());
    let (address, server) = scrape::serve("127.0.0.1:0", metrics, Arc::clone(&service))
        .await
        .unwrap();
    let Some(prometheus) = Prometheus::start(&address.to_string(), &rules) else {
        return;
    };
    service.load(Duration::from_secs(3)).await;
    let asked = Asked {
        client: reqwest::Client::new(),
        url: prometheus.url(),
    };
    let mut queries = of_dashboard();
    assert!(queries.len() > 40, "{}", queries.len());
    let rules = asked.rules().await;
    assert!(rules.len() > 15, "{}", rules.len());
    for rule in &rules {
        let name = rule["name"].as_str().unwrap();
        let query = rule["query"].as_str().unwrap();
        for part in operands(query) {
            queries.push((format!("rule {name}"), part));
        }
    }
    let mut empty: BTreeMap<String, String> = queries.into_iter().map(|(place, query)| (query, place)).collect();
    for _ in 0..TRIES {
        let mut still = BTreeMap::new();
        for (query, place) in empty {
            if asked.series(&query).await == 0 {
                still.insert(query, place);
            }
        }
        empty = still;
        if empty.is_empty() {
            break;
        }
        // On a busy machine few calls fit into some seconds.
        service.load(Duration::from_millis(100)).await;
    }
    server.abort();
    service.close().await;
    drop(std::fs::remove_file(file));
    assert!(empty.is_empty(), "without a series: {empty:#?}");
}

#[test]
fn alerts_fire_and_stay_silent_as_their_tests_say() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboards/alerts.yml");
    if let Some(passed) = Prometheus::test_rules(&tests) {
        passed.unwrap();
    }
}

/// The name of a heading's anchor.
fn anchors(page: &str) -> BTreeSet<String> {
    let titles = page.lines().filter_map(|line| line.strip_prefix("### "));
    titles
        .map(|title| title.trim().to_lowercase().replace(' ', "-"))
        .collect()
}

#[test]
fn each_alert_waits_and_has_a_place_in_the_runbook() {
    let text = std::fs::read_to_string(folder().join("prometheus-rules.yml")).unwrap();
    let page = include_str!("../../docs/runbook.md");
    let anchors = anchors(page);
    let mut alerts = BTreeSet::new();
    for alert in text.split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap().trim();
        let field = |key: &str| {
            let line = alert.lines().find_map(|line| line.trim().strip_prefix(key));
            line.unwrap_or_else(|| panic!("{name} has no `{key}`"))
                .trim()
                .to_owned()
        };
        assert!(field("for:").ends_with('m'), "{name}");
        assert!(["page", "ticket"].contains(&&*field("severity:")), "{name}");
        assert!(!field("summary:").is_empty(), "{name}");
        assert_eq!(
            field("runbook_url:"),
            format!("docs/runbook.md#{}", name.to_lowercase())
        );
        alerts.insert(name.to_lowercase());
    }
    assert_eq!(alerts, anchors, "the alerts, and their sections in the runbook");
}

/// The queries name only metrics that the code has: also without a Prometheus.
#[test]
fn each_metric_of_the_queries_exists() {
    let rules = std::fs::read_to_string(folder().join("prometheus-rules.yml")).unwrap();
    let texts: Vec<String> = of_dashboard()
        .into_iter()
        .map(|(_, query)| query)
        .chain([rules])
        .collect();
    let known: BTreeSet<String> = tower_openrouter::layers::observe::METRICS
        .iter()
        .map(|metric| metric.name.replace('.', "_"))
        .collect();
    let mut found = BTreeSet::new();
    for text in &texts {
        for (place, _) in text.match_indices('(').chain(text.match_indices(' ')) {
            let rest = text.get(place + 1..).unwrap();
            let end = rest.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
            let word = rest.get(..end.unwrap_or(rest.len())).unwrap();
            let next = rest.chars().nth(word.len());
            // Labels stand before a comma or a bracket that closes.
            if !(word.starts_with("llm_") || word.starts_with("gen_ai_")) || matches!(next, Some(',' | ')')) {
                continue;
            }
            let ends = ["_bucket", "_sum", "_count"];
            let name = ends.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
            assert!(known.contains(name), "{word}");
            found.insert(name.to_owned());
        }
    }
    assert!(found.len() > 20, "{found:?}");
}

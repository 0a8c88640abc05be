//! Every key has an effect: flipped, it changes what calls do, by their results and by what the upstream saw.

use std::collections::BTreeSet;

use tower_openrouter::{Stack, settings::Settings};

use super::{
    all_keys, attempts, elsewhere, file, key, limits, money,
    play::{document, play},
    scene::Scene,
    sent, time,
};
use crate::support::{FIRST, SECOND, World, ask, call};

/// A key, a document with a place for its value, two values, and the calls that show the difference. A blank value leaves the line out.
pub(super) type Row = (&'static str, &'static str, [&'static str; 2], Scene);

/// The same for a key of a candidate: the entry of the list, and further lines.
pub(super) type CandidateRow = (&'static str, &'static str, &'static str, [&'static str; 2], Scene);

/// What is wrong with a row; `None` if the documents differ in effect, and the same one does the same again.
async fn problem(key: &str, documents: [String; 2], scene: &Scene) -> Option<String> {
    let [one, other] = documents;
    let mut effects = Vec::new();
    for text in [&one, &one, &other] {
        match play(text, scene).await {
            Ok(effect) => effects.push(effect),
            Err(error) => return Some(format!("`{key}` {error}")),
        }
    }
    let [first, again, flipped] = &effects[..] else {
        return None;
    };
    if first != again {
        return Some(format!("`{key}` does not do the same twice:\n{first}\n\n{again}"));
    }
    (first == flipped).then(|| format!("`{key}` has no effect:\n{first}"))
}

async fn have_effects(rows: &[Row]) {
    let mut wrong = Vec::new();
    for (key, frame, values, scene) in rows {
        let documents = values.map(|value| document(frame, value));
        wrong.extend(problem(key, documents, scene).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test(start_paused = true)]
async fn each_key_of_time_has_an_effect() {
    have_effects(time::ROWS).await;
}

#[tokio::test(start_paused = true)]
async fn each_key_of_attempts_has_an_effect() {
    have_effects(attempts::ROWS).await;
}

#[tokio::test(start_paused = true)]
async fn each_key_of_what_is_sent_has_an_effect() {
    have_effects(sent::ROWS).await;
}

#[tokio::test(start_paused = true)]
async fn each_key_of_limits_and_caches_has_an_effect() {
    have_effects(limits::ROWS).await;
}

#[tokio::test(start_paused = true)]
async fn each_key_of_money_has_an_effect() {
    have_effects(money::ROWS).await;
}

#[tokio::test(start_paused = true)]
async fn each_key_of_a_candidate_has_an_effect_in_both_lists() {
    let mut wrong = Vec::new();
    for (name, entry, lines, values, scene) in sent::OF_CANDIDATES {
        let frame = format!("chain = [{{ {entry} }}]\n{lines}");
        let documents = values.map(|value| document(&frame, value));
        wrong.extend(problem(&format!("chain[].{name}"), documents, scene).await);

        let entry = entry.replace("MODEL", "SECOND");
        let frame = format!("cheaper = [{{ {entry} }}]\n{lines}");
        let documents = values.map(|value| document(&frame, &value.replace("MODEL", "SECOND")));
        wrong.extend(problem(&format!("cheaper[].{name}"), documents, &scene.behind_a_dead_first()).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn each_key_has_one_row() {
    let of_candidates = sent::OF_CANDIDATES
        .iter()
        .flat_map(|(name, ..)| ["chain", "cheaper"].map(|list| format!("{list}[].{name}")));
    let tables = [time::ROWS, attempts::ROWS, sent::ROWS, limits::ROWS, money::ROWS];
    let with_scenes = tables.into_iter().flatten().map(|(key, ..)| (*key).to_owned());
    let elsewhere = elsewhere::ROWS.iter().map(|(key, ..)| (*key).to_owned());
    let mut rows = BTreeSet::new();
    for key in with_scenes.chain(of_candidates).chain(elsewhere) {
        assert!(rows.insert(key.clone()), "`{key}` has two rows");
    }
    rows.insert("catalogue".to_owned()); // it needs a file: a test of its own, below
    rows.insert("idempotency.tenant".to_owned()); // it needs calls with a key: in `idempotency`
    let keys: BTreeSet<String> = all_keys()
        .into_iter()
        .filter(|key| key.is_value)
        .map(|key| key.path)
        .collect();
    let missing: Vec<_> = keys.difference(&rows).collect();
    let unknown: Vec<_> = rows.difference(&keys).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "without a row: {missing:?}; without a key: {unknown:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_saved_catalogue_skips_candidates_and_knows_prices() {
    let model = format!(
        r#"{{"id":"{FIRST}","context_length":1,"pricing":{{"prompt":"1","completion":"1"}},"top_provider":{{"context_length":1}}}}"#
    );
    let catalogue = tower_openrouter::Catalogue::new([serde_json::from_str(&model).unwrap()]);
    let path = file("catalogue.json", "");
    catalogue.save(&path).unwrap();
    let world = World::new("GOOD").await;
    let text = format!(
        "catalogue = '{}'\nchain = ['{FIRST}', '{SECOND}']\nupstream = [{{ name = 'openrouter', key = '{}', base_url = '{}' }}]",
        path.display(),
        key(),
        world.simulator.base_url()
    );
    let stack = Stack::from_settings(&Settings::from_toml(&text).unwrap()).unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.asked(), [SECOND], "its context is too short: {got:?}");
    // Prices of the file alone are enough for a budget.
    let priced = format!("{text}\nbudget = [{{ name = 'a', usd = '0.01' }}]\n")
        .replace(&format!("'{FIRST}', '{SECOND}'"), &format!("'{FIRST}'"));
    assert!(Stack::from_settings(&Settings::from_toml(&priced).unwrap()).is_ok());
    std::fs::remove_file(&path).unwrap();
    let error = Stack::from_settings(&Settings::from_toml(&text).unwrap())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("line 1, column 13: `catalogue`"), "{error}");
}

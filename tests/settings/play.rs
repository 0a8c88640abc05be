//! Makes the calls of a scene, and says what shows of them: how each ended, and each request that the upstream saw.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use tower_openrouter::{ChatServiceExt, Stack, layers::Replayed, settings::Settings};

use super::{key, scene::Scene};
use crate::support::{FIRST, GOOD, SECOND, World};

async fn world(scene: &Scene) -> World {
    let world = World::new(scene.first).await;
    let good = GOOD.replace(',', "%2C");
    world
        .simulator
        .plan(SECOND, &scene.second.replace("GOOD", &good))
        .unwrap();
    if !scene.openai.is_empty() {
        world.simulator.plan_provider("OpenAI", scene.openai).unwrap();
    }
    world
}

/// The document of a row with one of its values, and what each needs. The place of the upstream stays `BASE`.
pub(super) fn document(frame: &str, value: &str) -> String {
    let lines = frame.lines().filter(|line| !(value.is_empty() && line.contains('@')));
    let body: String = lines.map(|line| format!("{}\n", line.replace('@', value))).collect();
    let mut text = String::new();
    if !frame.starts_with("chain") {
        text.push_str("chain = ['MODEL']\n");
    }
    if !frame.contains("upstream = [{") && !frame.contains("[[upstream]]") {
        text.push_str("upstream = [{ name = 'openrouter', key = 'KEY', base_url = 'BASE' }]\n");
    }
    if !frame.contains("backoff") {
        text.push_str("backoff = { base = '0s', max = '0s' }\n");
    }
    text.push_str(&body);
    text.replace("BUDGET", "budget = [{ name = 'a', usd = '0.01' }]")
        .replace(
            "PRICED",
            "prices = [{ model = 'MODEL', prompt = '0', completion = '0.000001', request = '1' }]",
        )
        .replace("MODEL", FIRST)
        .replace("SECOND", SECOND)
        .replace("KEY", &key())
}

/// What shows, as text; or that the document makes no stack.
pub(super) async fn play(document: &str, scene: &Scene) -> Result<String, String> {
    // What is spread by chance is spread alike.
    fastrand::seed(7);
    let world = world(scene).await;
    let text = document.replace("BASE", &world.simulator.base_url());
    let settings = Settings::from_toml(&text).map_err(|error| format!("cannot be read: {error}\nin {text}"))?;
    let stack = match Stack::from_settings(&settings) {
        Ok(stack) => stack,
        Err(_) if scene.may_not_build => return Ok("it makes no stack".to_owned()),
        Err(error) => return Err(format!("cannot be built: {error}\nin {text}")),
    };
    let mut shown = calls(&stack, scene).await;
    let seen = world.simulator.report();
    let mut requests: Vec<String> = seen.attempts.iter().map(sent).collect();
    requests.sort();
    shown.extend(requests);
    if scene.counts_connections {
        shown.push(format!("{} connections", seen.connections_accepted));
    }
    Ok(shown.join("\n"))
}

async fn calls(stack: &Stack, scene: &Scene) -> Vec<String> {
    let mut shown = Vec::new();
    if scene.pause > 0 {
        shown.push(call(stack, scene, 0).await);
        sleep(Duration::from_secs(scene.pause)).await;
    }
    let rest = shown.len()..scene.calls;
    if scene.at_once {
        shown.extend(join_all(rest.map(|number| call(stack, scene, number))).await);
        return shown;
    }
    for number in rest {
        shown.push(call(stack, scene, number).await);
        sleep(Duration::from_secs(scene.apart)).await;
    }
    shown
}

/// One call to its end: how long its text is, its marks, its failure, and the virtual time that it took.
async fn call(stack: &Stack, scene: &Scene, number: usize) -> String {
    let begun = Instant::now();
    let (mut text, mut error, mut marks) = (String::new(), None, (false, false));
    if scene.is_streamed {
        match stack.stream(scene.request(number)).await {
            Ok(mut answer) => {
                marks = (
                    answer.degraded().is_some(),
                    answer.parts().extensions.get::<Replayed>().is_some(),
                );
                while let Some(part) = answer.next_text().await {
                    match part {
                        Ok(part) => text.push_str(&part),
                        Err(failed) => error = Some(failed),
                    }
                }
            }
            Err(failed) => error = Some(failed),
        }
    } else {
        match stack.complete(scene.request(number)).await {
            Ok(whole) => {
                marks = (
                    whole.degraded().is_some(),
                    whole.parts.extensions.get::<Replayed>().is_some(),
                );
                text.push_str(whole.response.text().unwrap_or_default());
            }
            Err(failed) => error = Some(failed),
        }
    }
    let why = error.as_ref().filter(|_| scene.says_why).map(ToString::to_string);
    format!(
        "call {number}: {} words, degraded and replayed {marks:?}, {:?}, {why:?}, {:.1} s",
        text.split_whitespace().count(),
        error.map(|error| error.kind()),
        begun.elapsed().as_secs_f64()
    )
}

/// The headers that settings change.
const HEADERS: [&str; 5] = [
    "authorization",
    "http-referer",
    "x-openrouter-title",
    "x-openrouter-categories",
    "x-openrouter-metadata",
];

fn sent(attempt: &openrouter_simulator::Attempt) -> String {
    let headers = HEADERS.map(|name| attempt.header(name).unwrap_or("-"));
    format!(
        "{:.1} s: {} {headers:?} {}",
        attempt.at.as_secs_f64(),
        attempt.path,
        String::from_utf8_lossy(&attempt.body)
    )
}

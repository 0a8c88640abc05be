//! All sixteen faults of the scorecard in one table, over the defaults, the standard set-up and the recommended settings, with one upstream and
//! with two, streamed and plain: with the recommended settings and two upstreams each is passed; otherwise no answer lies, and no call hangs.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use tokio::time::{Instant, advance};
use tower_openrouter::{
    ApiKey, Candidate, ChatServiceExt, FailureKind, Stack,
    layers::{ledger::Entry, resume::ResumeLayer},
    stack::StackBuilder,
    stream_upstream::StreamUpstreamLayer,
    transport::{Dialect, OPENROUTER, Upstream},
};

use crate::support::{
    FIRST, SECOND, TEXT, World, ask,
    ledger::{Kept, bill},
};

const THIRD: &str = "google/gemini-2.5-flash";
const SPARE: &str = "spare";
/// No call takes longer, with whatever settings.
const LONGEST: Duration = Duration::from_secs(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// No option at all.
    Defaults,
    /// Two retries, a first token within ten seconds: the scorecard's own set-up.
    Standard,
    /// The same, and what `docs/comparison.md` recommends.
    Recommended,
}

/// Where the fallback is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upstreams {
    One,
    Two,
}

/// What a caller got, and what the upstreams saw of it.
#[derive(Debug, Default)]
struct Played {
    text: String,
    kind: Option<FailureKind>,
    has_usage: bool,
    took: Duration,
    /// When the first model was called.
    first: Vec<Duration>,
    /// Requests at all upstreams.
    total: usize,
    entries: Vec<Entry>,
    billed: i128,
}

struct Scene {
    id: &'static str,
    /// What the first model does; `GOOD` is the good answer.
    plan: &'static str,
    /// The answer has sixty words, and the second model takes no begun message.
    is_long: bool,
    has_third: bool,
    /// Final: no other candidate may answer.
    is_refused: bool,
    /// In seconds.
    within: u64,
    check: fn(&Played) -> bool,
}

const fn scene(id: &'static str, plan: &'static str, within: u64, check: fn(&Played) -> bool) -> Scene {
    Scene {
        id,
        plan,
        is_long: false,
        has_third: false,
        is_refused: false,
        within,
        check,
    }
}

const fn long(id: &'static str, plan: &'static str, within: u64) -> Scene {
    Scene {
        is_long: true,
        ..scene(id, plan, within, |_| true)
    }
}

/// All but S15, which takes many calls.
const SCENES: [Scene; 20] = [
    scene("S01", "1x429;no-hint;retry-after=2,GOOD", 10, |played| {
        let [first, second] = played.first[..] else {
            return false;
        };
        second - first >= Duration::from_millis(1_800)
    }),
    scene("S02", "429;no-hint", 30, is_not_hammered),
    scene("S02", "429;no-hint;retry-after=1", 30, is_not_hammered),
    scene("S03", "1x500,GOOD", 10, |played| played.first.len() == 2),
    scene("S04", "503;no-hint", 20, |played| played.first.len() <= 3),
    scene("S05", "1xreset,GOOD", 10, |_| true),
    scene("S05", "reset", 10, |_| true),
    scene("S06", "hang", 100, |played| played.first.len() == 1),
    scene("S07", "first-token=20s;GOOD", 15, |_| true),
    long("S08", "1xwords=60;cut@40,words=60", 10),
    long("S08", "1xwords=60;cut@40;rst,words=60", 10),
    long("S09", "1xwords=60;stall=30s@40,words=60", 45),
    scene("S10", "1xbad-json,GOOD", 10, |_| true),
    long("S10", "1xwords=60;bad-json@40,words=60", 10),
    scene("S11", "no-done;GOOD", 8, |played| played.has_usage && played.total == 1),
    scene("S12", "400-context", 10, |played| {
        (played.first.len(), played.total) == (1, 2)
    }),
    Scene {
        is_refused: true,
        ..scene("S13", "400-policy", 10, |played| played.total == 1)
    },
    Scene {
        is_refused: true,
        ..scene("S13", "403-moderation", 10, |played| played.total == 1)
    },
    Scene {
        has_third: true,
        ..long("S14", "1xwords=60;cut@40,503;no-hint", 20)
    },
    scene("S16", "503;no-hint", 20, |played| {
        let mut paid = played.entries.iter().filter(|entry| entry.cost().pico() > 0);
        let total: i128 = played.entries.iter().map(|entry| entry.cost().pico()).sum();
        paid.next().is_some_and(|entry| &*entry.model == SECOND) && paid.next().is_none() && total == played.billed
    }),
];

/// Four calls within three seconds, and six in all.
fn is_not_hammered(played: &Played) -> bool {
    let begun = played.first.first().copied().unwrap_or_default();
    let early = played.first.iter().filter(|at| **at - begun < Duration::from_secs(3));
    early.count() <= 4 && played.total <= 6
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Pass,
    /// A whole answer that breaks another rule of its scene.
    Partial,
    /// A typed error, and no answer that looks whole.
    Safe(FailureKind),
    /// Something else than the answer, without an error; or an answer where only an error is honest.
    Lie,
    /// It took too long.
    Late,
}

impl Scene {
    fn verdict(&self, played: &Played, expected: &str) -> Verdict {
        let passes = played.took <= Duration::from_secs(self.within) && (self.check)(played);
        match played.kind {
            _ if played.took > LONGEST => Verdict::Late,
            None if self.is_refused || played.text != expected => Verdict::Lie,
            None if passes => Verdict::Pass,
            None => Verdict::Partial,
            Some(FailureKind::ContentFiltered) if self.is_refused && passes => Verdict::Pass,
            Some(_) if played.text == expected => Verdict::Lie,
            Some(kind) => Verdict::Safe(kind),
        }
    }
}

fn stack(given: Given, upstreams: Upstreams, world: &World, spare: &World, candidates: usize) -> StackBuilder {
    let key = || ApiKey::new("sk-or-v1-0123456789abcdef0123456789abtest").unwrap();
    let at = Upstream::new(SPARE, &spare.simulator.base_url(), Dialect::OpenRouter).unwrap();
    let (builder, other) = match upstreams {
        Upstreams::One => (Stack::builder().upstream(world.upstream(), key()), OPENROUTER),
        Upstreams::Two => {
            let builder = Stack::builder().upstream(world.upstream(), key()).upstream(at, key());
            (builder, SPARE)
        }
    };
    let chain = [(OPENROUTER, FIRST), (other, SECOND), (other, THIRD)];
    let chain = chain.map(|(at, model)| Candidate::new(at, model).unwrap());
    let builder = builder.chain(chain.into_iter().take(candidates));
    if given == Given::Defaults {
        return builder;
    }
    let builder = builder
        .attempts_per_candidate(3)
        .first_token_timeout(Duration::from_secs(10))
        .response_timeout(Duration::from_secs(60))
        .idle_timeout(Duration::from_secs(15));
    if given == Given::Standard {
        return builder;
    }
    builder
        .resume(ResumeLayer::new())
        .stream_upstream(StreamUpstreamLayer::new())
}

async fn play(stack: &Stack, streamed: bool) -> Played {
    let begun = Instant::now();
    let mut played = Played::default();
    if streamed {
        match stack.stream(ask()).await {
            Ok(mut answer) => {
                while let Some(piece) = answer.next_text().await {
                    match piece {
                        Ok(text) => played.text.push_str(&text),
                        Err(error) => played.kind = Some(error.kind()),
                    }
                }
                played.has_usage = answer.usage().is_some_and(|usage| usage.total_tokens > Some(0));
            }
            Err(error) => played.kind = Some(error.kind()),
        }
    } else {
        match stack.complete(ask()).await {
            Ok(completion) => {
                let response = completion.response;
                played.text = response.text().unwrap_or_default().to_owned();
                played.has_usage = response.usage.is_some_and(|usage| usage.total_tokens > Some(0));
            }
            Err(error) => played.kind = Some(error.kind()),
        }
    }
    played.took = begun.elapsed();
    played
}

fn calls(world: &World, model: &str) -> Vec<Duration> {
    world.simulator.report().of(model).map(|attempt| attempt.at).collect()
}

fn requests(worlds: [&World; 2]) -> usize {
    worlds.map(|world| world.simulator.report().attempts.len()).iter().sum()
}

/// The verdicts of all scenes but S15, in their order.
async fn table(given: Given, upstreams: Upstreams, streamed: bool) -> Vec<(&'static str, Verdict, String)> {
    let sixty = play(&World::new("words=60").await.alone(), true).await.text;
    assert_eq!(sixty.split(' ').count(), 60);
    let mut verdicts = Vec::new();
    for scene in &SCENES {
        let (world, spare) = (World::new(scene.plan).await, World::new("GOOD").await);
        if scene.is_long {
            for (model, plan) in [(SECOND, "no-prefill;words=60"), (THIRD, "words=60")] {
                for at in [&world, &spare] {
                    at.simulator.plan(model, plan).unwrap();
                }
            }
        }
        let candidates = if scene.has_third { 3 } else { 2 };
        let kept = Kept::new();
        let builder = stack(given, upstreams, &world, &spare, candidates).ledger(kept.clone());
        let mut played = play(&builder.build().unwrap(), streamed).await;
        (played.first, played.total) = (calls(&world, FIRST), requests([&world, &spare]));
        played.entries = kept.entries();
        played.billed = bill(&world.simulator) + bill(&spare.simulator);
        let expected = if scene.is_long { sixty.as_str() } else { TEXT };
        let verdict = scene.verdict(&played, expected);
        verdicts.push((scene.id, verdict, format!("{}: {played:?}", scene.plan)));
    }
    verdicts
}

/// S15: twenty calls, one in five seconds, of which the first minute is an outage. Returns the rules of it that are broken, a lie by that name.
async fn outage(given: Given, upstreams: Upstreams, streamed: bool) -> String {
    let (world, spare) = (World::new("down=60s").await, World::new("GOOD").await);
    let stack = stack(given, upstreams, &world, &spare, 2).build().unwrap();
    // What the first model says once it is back.
    let back_again = play(&World::new("ok").await.alone(), true).await.text;
    let (begun, mut back, mut wrong) = (Instant::now(), None, String::new());
    for call in 0..20 {
        let before = (calls(&world, FIRST).len(), requests([&world, &spare]));
        let played = play(&stack, streamed).await;
        match played.kind {
            None if played.text != TEXT && played.text != back_again => {
                write!(wrong, "a lie in call {call}: {played:?}; ").unwrap();
            }
            None => {}
            Some(kind) => write!(wrong, "call {call} failed: {kind}; ").unwrap(),
        }
        let after = (calls(&world, FIRST).len(), requests([&world, &spare]));
        let is_first_alone = (after.0 - before.0, after.1 - before.1) == (1, 1);
        if begun.elapsed() > Duration::from_secs(60) && is_first_alone && played.kind.is_none() {
            back.get_or_insert(begun.elapsed());
        }
        advance(Duration::from_secs(5)).await;
    }
    if back.is_none_or(|back| back > Duration::from_secs(90)) {
        write!(wrong, "back after {back:?}; ").unwrap();
    }
    let minute = Duration::from_secs(60);
    let probes = calls(&world, FIRST).iter().filter(|at| **at < minute).count();
    if probes > 10 {
        write!(wrong, "{probes} probes; ").unwrap();
    }
    wrong
}

#[tokio::test(start_paused = true)]
async fn with_the_recommended_settings_and_two_upstreams_all_sixteen_are_passed() {
    for streamed in [true, false] {
        let mut passed = BTreeSet::new();
        for (id, verdict, story) in table(Given::Recommended, Upstreams::Two, streamed).await {
            assert_eq!(verdict, Verdict::Pass, "{id}, streamed: {streamed}: {story}");
            passed.insert(id);
        }
        let wrong = outage(Given::Recommended, Upstreams::Two, streamed).await;
        assert_eq!(wrong, "", "S15, streamed: {streamed}");
        passed.insert("S15");
        let all: BTreeSet<_> = (1..=16).map(|number| format!("S{number:02}")).collect();
        assert!(passed.iter().copied().eq(all.iter().map(String::as_str)), "{passed:?}");
    }
}

/// Each is whole, or ends in a typed error without an answer that looks whole, within its time.
async fn no_lie(given: Given, upstreams: Upstreams) {
    for streamed in [true, false] {
        let what = format!("{given:?}, upstreams: {upstreams:?}, streamed: {streamed}");
        let verdicts = table(given, upstreams, streamed).await;
        for (id, verdict, story) in &verdicts {
            let is_honest = !matches!(verdict, Verdict::Lie | Verdict::Late);
            assert!(is_honest, "{id} with {what}: {verdict:?}: {story}");
        }
        let passed = verdicts
            .iter()
            .filter(|(_, verdict, _)| *verdict == Verdict::Pass)
            .count();
        assert!(passed > SCENES.len() / 2, "{what}: {passed} passed");
        let wrong = outage(given, upstreams, streamed).await;
        assert!(!wrong.contains("a lie"), "S15 with {what}: {wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_the_recommended_settings_and_one_upstream_none_lies_or_hangs() {
    no_lie(Given::Recommended, Upstreams::One).await;
}

#[tokio::test(start_paused = true)]
async fn with_the_standard_set_up_none_lies_or_hangs() {
    for upstreams in [Upstreams::One, Upstreams::Two] {
        no_lie(Given::Standard, upstreams).await;
    }
}

#[tokio::test(start_paused = true)]
async fn with_the_defaults_none_lies_or_hangs() {
    for upstreams in [Upstreams::One, Upstreams::Two] {
        no_lie(Given::Defaults, upstreams).await;
    }
}

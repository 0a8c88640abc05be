//! Resuming an interrupted stream, over the simulator's real sockets: no character lost, none twice, and all of it recorded.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use crate::support::{
    FIRST, SECOND, TEXT, World, ask, call,
    ledger::Kept,
    raw::{Raw, Step, chunk, done, events, json as json_head, send},
};
use openrouter_simulator::Outcome as Ended;
use serde_json::{Value, json};
use tower_openrouter::{
    Answer, ChatRequest, ChatServiceExt, Error, FailureKind, Phase, Stack,
    layers::{Frame, Resumption, TimeoutOverrides, ledger::EntryState, resume::ResumeLayer},
    stack::StackBuilder,
    stream_upstream::StreamUpstreamLayer,
};

const THIRD: &str = "google/gemini-2.5-flash";

/// Sixty words, with sentences that begin alike, and a word said twice.
const WHOLE: &str = "The sky is blue. It is blue since air scatters short waves very, very well. The sun is \
     yellow for the same reason, and red at dusk. Why? It is a long way through the air, so the blue is gone. \
     Is that all? It is not: some smoke makes it redder. The sky is blue, and that is that.";

/// The text in a plan.
fn text() -> String {
    let mut encoded = String::from("text=");
    for byte in WHOLE.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A world whose first two models follow these plans: `TEXT` is the whole answer.
async fn world(first: &str, second: &str) -> World {
    let world = World::new("ok").await;
    for (model, plan) in [(FIRST, first), (SECOND, second), (THIRD, "TEXT")] {
        world.simulator.plan(model, &plan.replace("TEXT", &text())).unwrap();
    }
    world
}

fn on(world: &World) -> StackBuilder {
    world.builder().chain([FIRST, SECOND]).resume(ResumeLayer::new())
}

/// What was shown, how it ended, and where it was interrupted.
struct Told {
    text: String,
    error: Option<Error>,
    places: Vec<Resumption>,
    answer: Answer,
}

async fn tell(stack: &Stack, request: ChatRequest) -> Told {
    let mut answer: Answer = stack.stream(request).await.unwrap();
    let (mut text, mut error) = (String::new(), None);
    while let Some(piece) = answer.next_text().await {
        match piece {
            Ok(piece) => text.push_str(&piece),
            Err(failed) => error = Some(failed),
        }
    }
    let places = answer.resumed();
    Told {
        text,
        error,
        places,
        answer,
    }
}

fn asked(world: &World) -> Vec<String> {
    world
        .simulator
        .report()
        .attempts
        .iter()
        .map(|attempt| attempt.model.clone())
        .collect()
}

/// A silence that is too long for this call alone says nothing of the upstream, and the answer is resumed all the same.
#[tokio::test(start_paused = true)]
async fn a_timeout_of_the_calls_own_is_resumed_too() {
    let world = world("1xTEXT;stall=10s@9,TEXT", "TEXT").await;
    let hasty = ask().timeouts(TimeoutOverrides::new().idle(Duration::from_secs(5)));
    let told = tell(&on(&world).build().unwrap(), hasty).await;
    assert_eq!((told.text.as_str(), told.error.is_none()), (WHOLE, true));
    let reasons: Vec<_> = told.places.iter().map(|place| place.reason).collect();
    assert_eq!(reasons, [FailureKind::Timeout(Phase::Idle)]);
}

#[tokio::test(start_paused = true)]
async fn whichever_word_it_breaks_after_the_text_is_whole() {
    assert_eq!(WHOLE.split_whitespace().count(), 60);
    for again in ["", ";say-again"] {
        for word in 1..60 {
            let world = world(&format!("1xTEXT;cut@{word},TEXT{again}"), "503").await;
            let kept = Kept::new();
            let told = tell(&on(&world).ledger(kept.clone()).build().unwrap(), ask()).await;
            assert_eq!(told.text, WHOLE, "cut after word {word}{again}");
            assert!(told.error.is_none());
            let [place] = &told.places[..] else {
                unreachable!("{:?}", told.places)
            };
            assert_eq!(place.reason, FailureKind::Truncated);
            assert_eq!(place.by.as_ref().unwrap().model(), FIRST);
            assert!(WHOLE.is_char_boundary(place.after) && place.after > 0);
            assert_eq!(asked(&world), [FIRST, FIRST]);
            // The interrupted part reported no bill.
            let entries = kept.entries();
            let states: Vec<_> = entries.iter().map(|entry| entry.state).collect();
            assert_eq!(states, [EntryState::Estimated, EntryState::Settled]);
            let billed = world.simulator.report().attempts[1].billed.pico();
            assert_eq!(entries[1].cost().pico(), i128::from(billed));
            assert!(told.answer.usage().unwrap().total_tokens > Some(0));
            assert!(
                told.answer
                    .attempts()
                    .unwrap()
                    .to_string()
                    .contains("resumes the interrupted answer")
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_interruption_is_resumed_by_a_candidate() {
    for (plan, reason) in [
        ("1xTEXT;cut@9,TEXT", FailureKind::Truncated),
        ("1xTEXT;cut@9;rst,TEXT", FailureKind::Truncated),
        ("1xTEXT;stall=60s@9,TEXT", FailureKind::Timeout(Phase::Idle)),
        ("1xTEXT;error=502@9,TEXT", FailureKind::Upstream),
        ("1xTEXT;error=429@9,503", FailureKind::RateLimited),
        ("1xTEXT;bad-json@9,hang", FailureKind::Truncated),
        ("1xTEXT;cut@9,1x500,TEXT", FailureKind::Truncated),
    ] {
        let world = world(plan, "TEXT").await;
        let told = tell(&on(&world).build().unwrap(), ask()).await;
        assert_eq!(
            (told.text.as_str(), told.error.map(|error| error.kind())),
            (WHOLE, None),
            "{plan}"
        );
        assert_eq!(told.places.len(), 1, "{plan}");
        assert_eq!(told.places[0].reason, reason, "{plan}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_refuses_a_begun_message_is_passed_over_and_hides_nothing() {
    let world = world("1xTEXT;cut@30,no-prefill", "no-prefill").await;
    let stack = on(&world).chain([FIRST, SECOND, THIRD]).build().unwrap();
    let told = tell(&stack, ask()).await;
    assert_eq!(told.text, WHOLE);
    assert_eq!(told.places[0].by.as_ref().unwrap().model(), THIRD);
    assert_eq!(asked(&world), [FIRST, FIRST, SECOND, THIRD]);

    let world = self::world("1xTEXT;cut@30,no-prefill", "no-prefill").await;
    let told = tell(&on(&world).build().unwrap(), ask()).await;
    assert_eq!(told.error.unwrap().kind(), FailureKind::Truncated, "the first failure");
    assert!(told.places.is_empty() && WHOLE.starts_with(&told.text));
    let log = told.answer.attempts().unwrap().to_string();
    assert_eq!(log.matches("400").count(), 2, "{log}");
}

/// If no other continues, one that takes no begun message is instructed to continue in words; the next call knows.
#[tokio::test(start_paused = true)]
async fn a_model_that_takes_no_begun_message_is_instructed() {
    for chain in [vec![FIRST], vec![FIRST, SECOND]] {
        let world = world("1xTEXT;cut@30,1xno-prefill,1xTEXT;obey,1xTEXT;cut@30,TEXT;obey", "503").await;
        let stack = on(&world).chain(chain.iter().copied()).build().unwrap();
        let mut before = 0;
        for _ in 0..2 {
            let told = tell(&stack, ask().max_tokens(70)).await;
            assert_eq!(
                (told.text.as_str(), told.error.map(|error| error.kind())),
                (WHOLE, None),
                "{chain:?}"
            );
            let seen = world.simulator.report();
            let last: Value = serde_json::from_slice(&seen.attempts.last().unwrap().body).unwrap();
            let messages = last["messages"].as_array().unwrap();
            let roles: Vec<_> = messages
                .iter()
                .map(|message| message["role"].as_str().unwrap())
                .collect();
            assert_eq!(roles, ["user", "assistant", "user"], "{chain:?}");
            let shown = WHOLE.get(..told.places[0].after).unwrap();
            let told_last = messages[2]["content"].as_str().unwrap().rsplit('\n').next().unwrap();
            assert!(
                shown.ends_with(told_last) && (38..=40).contains(&told_last.len()),
                "{told_last}"
            );
            let refusals = told.answer.attempts().unwrap().to_string().matches("400").count();
            assert_eq!(refusals, usize::from(before == 0), "it is learned");
            before = seen.attempts.len();
        }
    }
}

/// An answer from the start is not joined, in whichever way it was requested.
#[tokio::test(start_paused = true)]
async fn an_answer_from_the_start_is_never_joined() {
    let other = "text=The%20sky%20is%20an%20illusion%2E%20It%20has%20no%20colour%2E";
    for plan in [
        format!("1xTEXT;cut@30,{other}"),
        format!("1xTEXT;cut@30,1xno-prefill,{other}"),
        "1xTEXT;cut@30,1xno-prefill,TEXT".to_owned(),
    ] {
        let world = world(&plan, "TEXT").await;
        let told = tell(&on(&world).chain([FIRST]).build().unwrap(), ask()).await;
        assert_eq!(told.error.unwrap().kind(), FailureKind::Truncated, "{plan}");
        assert!(
            WHOLE.starts_with(&told.text) && told.places.is_empty(),
            "{plan}: {}",
            told.text
        );
        let log = told.answer.attempts().unwrap().to_string();
        assert!(log.contains("answered from the start, not joined"), "{log}");
    }
}

/// What is known of a model needs no refusal.
/// The same words in other typography are the beginning all the same.
#[tokio::test(start_paused = true)]
async fn a_beginning_in_other_marks_is_not_joined() {
    for (shown, again) in [
        ("It\u{2019}s blue because", "It's blue because air scatters it."),
        ("Blue \u{2013} since air", "Blue - since air scatters the short waves."),
        (
            "E\u{301}l es azul porque",
            "\u{c9}l es azul porque el aire dispersa la luz.",
        ),
    ] {
        let calls = AtomicUsize::new(0);
        let (shown_step, again_step) = (chunk(shown, "null"), chunk(again, "null"));
        let raw = Raw::start(move |_| {
            if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                vec![events(), shown_step.clone()]
            } else {
                vec![events(), again_step.clone(), chunk("", "\"stop\""), done()]
            }
        })
        .await;
        let builder = raw.builder().chain([FIRST, SECOND]);
        let stack = builder.resume(ResumeLayer::new()).build().unwrap();
        let got = call(&stack, true, ask()).await;
        assert!(got.text == shown && got.error.is_some(), "{shown}: {}", got.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_claude_is_instructed_and_a_research_model_not_at_all() {
    const NEW: &str = "anthropic/claude-sonnet-4.6";
    let world = world("1xTEXT;cut@30,503", "503").await;
    world.simulator.plan(NEW, &format!("{};obey", text())).unwrap();
    world.simulator.plan("openai/o3-deep-research", "ok").unwrap();
    let stack = on(&world)
        .chain([FIRST, "openai/o3-deep-research", NEW])
        .build()
        .unwrap();
    let told = tell(&stack, ask()).await;
    assert_eq!(told.text, WHOLE);
    let log = told.answer.attempts().unwrap().to_string();
    assert!(
        log.contains("passed over: it cannot continue an interrupted answer"),
        "{log}"
    );
    assert_eq!(asked(&world).last().unwrap(), NEW);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_interrupted_twice_is_left_for_the_next() {
    let world = world("TEXT;cut@20", "TEXT").await;
    let told = tell(&on(&world).build().unwrap(), ask()).await;
    assert_eq!(
        (told.text.as_str(), told.error.map(|error| error.kind())),
        (WHOLE, None)
    );
    assert_eq!(asked(&world), [FIRST, FIRST, SECOND]);
}

#[tokio::test(start_paused = true)]
async fn a_continuation_gets_the_conversation_and_the_tokens_that_are_left() {
    let world = world("1xTEXT;cut@10,TEXT", "503").await;
    let request = ask().max_tokens(70).end_user("u-1");
    let told = tell(&on(&world).build().unwrap(), request).await;
    assert_eq!(told.text, WHOLE);
    let seen = world.simulator.report();
    let [first, second]: [Value; 2] = [0, 1].map(|n| serde_json::from_slice(&seen.attempts[n].body).unwrap());
    let mut expected = first.clone();
    let begun = WHOLE.get(..told.places[0].after).unwrap().trim_end();
    let messages = expected["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": begun}));
    expected["max_tokens"] = json!(60);
    assert_eq!(second, expected);
}

#[tokio::test(start_paused = true)]
async fn what_the_caller_has_begun_stays_begun() {
    let world = world("1xTEXT;cut@10,TEXT", "503").await;
    let (begun, rest) = WHOLE.split_at(16);
    let request = ask().message(tower_openrouter::request::Message::assistant(begun));
    let told = tell(&on(&world).build().unwrap(), request).await;
    assert_eq!(told.text, rest);
    let second: Value = serde_json::from_slice(&world.simulator.report().attempts[1].body).unwrap();
    let messages = second["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    assert!(
        WHOLE.starts_with(messages[1]["content"].as_str().unwrap()),
        "{messages:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn thoughts_are_shown_once() {
    let world = world("1xTEXT;reasoning=5;cut@20,TEXT;reasoning=5", "503").await;
    let mut answer = on(&world).build().unwrap().stream(ask()).await.unwrap();
    let (mut text, mut thoughts) = (String::new(), 0);
    while let Some(frame) = answer.next_frame().await {
        let frame = frame.unwrap();
        text.push_str(&frame.text().unwrap_or_default());
        thoughts += frame
            .bytes()
            .windows(11)
            .filter(|part| part == b"\"reasoning\"")
            .count();
    }
    assert_eq!((text.as_str(), thoughts), (WHOLE, 5));
}

#[tokio::test(start_paused = true)]
async fn tool_calls_json_and_several_choices_are_never_resumed() {
    let tool =
        || tower_openrouter::request::Tool::function("weather", "What the sky is like", json!({"type": "object"}));
    for (name, plan, request) in [
        ("a tool call", "1xtool;cut@3,ok", ask().tools([tool()])),
        (
            "json",
            "1xTEXT;cut@3,TEXT",
            ask().extra("response_format", json!({"type": "json_object"})),
        ),
        ("two choices", "1xTEXT;cut@3,TEXT", ask().extra("n", 2)),
        ("log probabilities", "1xTEXT;cut@3,TEXT", ask().logprobs(true)),
    ] {
        let world = world(plan, "TEXT").await;
        let told = tell(&on(&world).build().unwrap(), request).await;
        assert_eq!(
            told.error.map(|error| error.kind()),
            Some(FailureKind::Truncated),
            "{name}"
        );
        assert_eq!(asked(&world), [FIRST], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn tools_that_are_not_called_do_not_hinder_it() {
    let tool = tower_openrouter::request::Tool::function("weather", "What the sky is like", json!({"type": "object"}));
    let world = world("1xno-tool;TEXT;cut@30,no-tool;TEXT", "503").await;
    let told = tell(&on(&world).build().unwrap(), ask().tools([tool])).await;
    assert_eq!(told.text, WHOLE);
}

#[tokio::test(start_paused = true)]
async fn it_keeps_to_its_times_and_to_the_attempts_of_the_call() {
    let twice = "1xTEXT;cut@10,1xTEXT;cut@10,TEXT";
    for (layer, attempts, calls) in [
        // The second one in between, which is down, and asked twice.
        (ResumeLayer::new(), 6, 5),
        (ResumeLayer::new().times(1), 6, 2),
        (ResumeLayer::new(), 2, 2),
        (ResumeLayer::new(), 1, 1),
        (ResumeLayer::off(), 6, 1),
    ] {
        let world = world(twice, "503").await;
        let stack = world
            .builder()
            .chain([FIRST, SECOND])
            .resume(layer)
            .attempts(attempts)
            .build()
            .unwrap();
        let told = tell(&stack, ask()).await;
        assert_eq!(asked(&world).len(), calls, "{layer} {attempts}");
        assert_eq!(told.error.is_none(), calls == 5, "{layer} {attempts}");
        assert_eq!(told.text == WHOLE, calls == 5);
        assert!(WHOLE.starts_with(&told.text));
        assert!(stack.describe().contains(&layer.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn off_by_default() {
    let world = world("1xTEXT;cut@10,TEXT", "TEXT").await;
    let told = tell(&world.pair(), ask()).await;
    assert_eq!(told.error.unwrap().kind(), FailureKind::Truncated);
    assert_eq!(asked(&world), [FIRST]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_that_of_the_whole_answer() {
    let world = world("1xTEXT;cut@10,hang", "hang").await;
    let stack = on(&world).deadline(Duration::from_secs(12)).build().unwrap();
    let begun = tokio::time::Instant::now();
    let told = tell(&stack, ask()).await;
    assert_eq!(told.error.unwrap().kind(), FailureKind::Timeout(Phase::Deadline));
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(12) && took < Duration::from_secs(13),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_during_a_resume_closes_the_connection() {
    let world = world("1xTEXT;cut@10,hang", "TEXT").await;
    let mut answer = on(&world).build().unwrap().stream(ask()).await.unwrap();
    let read = async { while let Some(Ok(_)) = answer.next_text().await {} };
    assert!(
        tokio::time::timeout(Duration::from_secs(3), read).await.is_err(),
        "it waits for the second"
    );
    assert_eq!(asked(&world), [FIRST, FIRST]);
    drop(answer);
    let closed = world.simulator.wait_until(|seen| seen.open_connections == 0);
    tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap();
    assert_eq!(world.simulator.report().attempts[1].outcome, Ended::ClosedByClient);
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_passes_as_it_is() {
    let world = world("TEXT", "TEXT").await;
    let answer = on(&world).build().unwrap().complete(ask()).await.unwrap();
    assert_eq!(answer.response.text(), Some(WHOLE));
}

#[cfg(feature = "cache")]
#[tokio::test(start_paused = true)]
async fn an_answer_of_several_pieces_is_not_kept() {
    use tower_openrouter::{
        layers::cache::Cache,
        stack::{ChatCache, TenantKey},
    };
    let world = world("1xTEXT;cut@10,TEXT", "TEXT").await;
    let cache = ChatCache::new(Cache::new(1 << 20), TenantKey::global());
    let stack = on(&world).cache(cache).build().unwrap();
    for (calls, places) in [(2, 1), (3, 0), (3, 0)] {
        let told = tell(&stack, ask()).await;
        assert_eq!((told.text.as_str(), told.places.len()), (WHOLE, places));
        assert_eq!(asked(&world).len(), calls);
    }
}

/// Whichever form the end has, a resumed stream shows why it ended.
#[tokio::test(start_paused = true)]
async fn a_resumed_stream_tells_why_it_ended() {
    let mut wrong = Vec::new();
    for usage in ["repeat", "empty", "null", "finish"] {
        for cut in ["", ";cut@3"] {
            let world = World::new(&format!("1xGOOD{cut};usage={usage},GOOD;usage={usage}")).await;
            let stack = world
                .builder()
                .chain([FIRST])
                .resume(ResumeLayer::new())
                .build()
                .unwrap();
            let mut answer: Answer = stack.stream(ask()).await.unwrap();
            let (mut text, mut reason) = (String::new(), None);
            while let Some(frame) = answer.next_frame().await {
                let frame = frame.unwrap();
                text.push_str(&frame.text().unwrap_or_default());
                reason = frame.finish_reason().map(Cow::into_owned).or(reason);
            }
            assert_eq!(text, TEXT);
            if reason.as_deref() != Some("stop") {
                wrong.push(format!("usage={usage}{cut}: {reason:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The same of a plain call that is gathered.
#[tokio::test(start_paused = true)]
async fn a_gathered_answer_that_was_resumed_tells_why_it_ended() {
    let mut wrong = Vec::new();
    for usage in ["repeat", "empty", "null", "finish"] {
        let world = World::new(&format!("1xGOOD;cut@3;usage={usage},GOOD;usage={usage}")).await;
        let stack = world
            .builder()
            .chain([FIRST])
            .resume(ResumeLayer::new())
            .stream_upstream(StreamUpstreamLayer::new())
            .build()
            .unwrap();
        let answer = stack.complete(ask()).await.unwrap().response;
        assert_eq!(answer.text(), Some(TEXT));
        if answer.choices[0].finish_reason.is_none() {
            wrong.push(usage);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// A first stream with this behind its text, and what the next one sends.
async fn two(tail: Step, next: Vec<Step>) -> (Raw, Told) {
    let turn = AtomicUsize::new(0);
    let raw = Raw::start(move |_| match turn.fetch_add(1, Ordering::Relaxed) {
        0 => vec![events(), chunk("The sky", "null"), tail.clone()],
        _ => next.clone(),
    })
    .await;
    let stack = raw.builder().resume(ResumeLayer::new()).build().unwrap();
    let told = tell(&stack, ask()).await;
    (raw, told)
}

#[tokio::test(start_paused = true)]
async fn an_error_that_brings_the_usage_is_resumed_all_the_same() {
    let error = r#"{"id":"g","error":{"code":502,"message":"no"},"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"cost":0.1}}"#;
    let next = vec![events(), chunk(" is blue.", "null"), chunk("", "\"stop\""), done()];
    let (raw, told) = two(send(format!("data: {error}\n\n")), next).await;
    assert_eq!((told.text.as_str(), told.error.is_none()), ("The sky is blue.", true));
    assert_eq!(raw.seen().len(), 2);
}

/// A server that ignores `stream` answers from the start, whatever it says.
#[tokio::test(start_paused = true)]
async fn a_whole_document_continues_nothing() {
    let answer = json!({"choices": [{"message": {"role": "assistant", "content": "The sky is blue."}, "finish_reason": "stop"}]});
    let (raw, told) = two(send(""), vec![json_head(), send(answer.to_string())]).await;
    assert_eq!(told.error.unwrap().kind(), FailureKind::Truncated);
    assert_eq!(
        (told.text.as_str(), told.places.len(), raw.seen().len()),
        ("The sky", 0, 2)
    );
}

/// A continuation that shows nothing, whatever it has spent, makes no cut text whole.
#[tokio::test(start_paused = true)]
async fn a_continuation_without_text_makes_no_cut_text_whole() {
    let usage = r#""usage":{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10}"#;
    for event in [
        format!(r#"{{"id":"g","choices":[{{"index":0,"delta":{{"content":""}},"finish_reason":"stop"}}],{usage}}}"#),
        format!(r#"{{"id":"g","choices":[],{usage}}}"#),
    ] {
        let next = vec![events(), send(format!("data: {event}\n\n")), done()];
        let (_, told) = two(send(""), next).await;
        assert!(told.error.is_some(), "{event}");
        assert_eq!((told.text.as_str(), told.places.len()), ("The sky", 0), "{event}");
    }
}

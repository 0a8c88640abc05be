//! Runs of tools: order, bounds, failures, panics, cancellation, and the conversation that comes back.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tower_openrouter::{
    ChatRequest, ChatServiceExt as _, FailureKind, Tags,
    request::{Message, ToolChoice},
    tools::{OnToolFailure, Tool, ToolOutcome, ToolRunProblem, Tools},
};

use crate::{
    scripted::{calls, says, stack},
    support::ledger::Kept,
};

#[derive(Deserialize, JsonSchema)]
struct City {
    name: String,
    /// Seconds until the result.
    after: Option<u64>,
}

#[derive(Serialize)]
struct Weather {
    of: String,
}

/// Answers after as many seconds as its arguments say.
fn weather() -> Tool {
    Tool::from_fn("weather", "The weather in a city, now.", |city: City| async move {
        sleep(Duration::from_secs(city.after.unwrap_or(0))).await;
        if city.name == "Atlantis" {
            return Err("no such city");
        }
        assert_ne!(city.name, "Panic", "it panics");
        Ok(Weather { of: city.name })
    })
}

fn ask() -> ChatRequest {
    ChatRequest::user("The weather?")
}

/// The contents of the last request's results, in order.
fn results(request: &Value) -> Vec<(String, String)> {
    let messages = request["messages"].as_array().unwrap().iter();
    let results = messages.filter(|message| message["role"] == "tool");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    results
        .map(|message| (text(&message["tool_call_id"]), text(&message["content"])))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_message_run_together_and_their_results_keep_the_order() {
    let (first, second) = (r#"{"name":"Oslo","after":30}"#, r#"{"name":"Bergen","after":20}"#);
    let (stack, sent) = stack(
        [calls(&[("weather", first), ("weather", second)]), says("Fine.")],
        |builder| builder,
    );
    let begun = Instant::now();
    let run = stack.run_tools(ask(), &Tools::new([weather()])).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 30, "together, and not one after the other");
    assert_eq!(run.text(), "Fine.");
    let sent = sent.all();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0]["tools"][0]["function"]["name"], "weather");
    assert_eq!(sent[0]["tools"][0]["function"]["strict"], true);
    let parameters = &sent[0]["tools"][0]["function"]["parameters"];
    assert_eq!(parameters["required"].as_array().map(Vec::len), Some(2), "{parameters}");
    let expected = [("call_0", r#"{"of":"Oslo"}"#), ("call_1", r#"{"of":"Bergen"}"#)];
    assert_eq!(
        results(&sent[1]),
        expected.map(|(id, text)| (id.to_owned(), text.to_owned()))
    );

    let roles: Vec<_> = run
        .messages()
        .unwrap()
        .iter()
        .map(|message| message.role.as_str().to_owned())
        .collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "assistant"]);
    assert_eq!(run.steps.len(), 2);
    assert!(run.steps.iter().all(|step| step.attempts.is_some()));
    assert_eq!(run.cost().to_string(), "$0.002", "of both calls");
    let took: Vec<_> = run.steps[0]
        .tools
        .iter()
        .map(|tool| (tool.outcome, tool.took.as_secs()))
        .collect();
    assert_eq!(took, [(ToolOutcome::Done, 30), (ToolOutcome::Done, 20)]);
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_in_a_tool_is_its_result() {
    let wrong = [
        ("made_up", "{}"),
        ("weather", r#"{"name":7}"#),
        ("weather", "no JSON"),
        ("weather", ""),
        ("weather", r#"{"name":"Atlantis"}"#),
        ("weather", r#"{"name":"Panic"}"#),
        ("weather", r#"{"name":"Oslo"}"#),
    ];
    let (stack, sent) = stack([calls(&wrong), says("Sorry.")], |builder| builder);
    let run = stack.run_tools(ask(), &Tools::new([weather()])).await.unwrap();
    let outcomes: Vec<_> = run.steps[0].tools.iter().map(|tool| tool.outcome).collect();
    use ToolOutcome::{Done, Failed, InvalidArguments, Panicked, Unknown};
    assert_eq!(
        outcomes,
        [
            Unknown,
            InvalidArguments,
            InvalidArguments,
            InvalidArguments,
            Failed,
            Panicked,
            Done
        ]
    );
    let results = results(&sent.all()[1]);
    let parts = [
        "no tool of this name",
        "`name`",
        "expected",
        "missing field",
        "no such city",
        "panicked",
        "Oslo",
    ];
    for ((_, content), part) in results.iter().zip(parts) {
        assert!(content.contains(part), "{part} in {content}");
    }
    assert!(
        !results[5].1.contains("it panics"),
        "the words of a panic are not the model's"
    );
}

#[tokio::test(start_paused = true)]
async fn or_it_ends_the_run() {
    let (stack, sent) = stack(
        [calls(&[("weather", r#"{"name":"Atlantis"}"#)]), says("Sorry.")],
        |builder| builder,
    );
    let tools = Tools::new([weather()]).on_failure(OnToolFailure::Stop);
    let error = stack.run_tools(ask(), &tools).await.unwrap_err();
    assert!(
        matches!(error.problem(), ToolRunProblem::Tool { name, outcome: ToolOutcome::Failed, message } if name == "weather" && message == "no such city"),
        "{error}"
    );
    assert_eq!(sent.all().len(), 1);
    assert_eq!(
        error.request().messages().unwrap().len(),
        3,
        "the conversation comes back"
    );
}

#[tokio::test(start_paused = true)]
async fn steps_and_money_are_bounded() {
    let again = || calls(&[("weather", r#"{"name":"Oslo"}"#)]);
    let (limited, sent) = stack((0..9).map(|_| again()), |builder| builder);
    let error = limited
        .run_tools(ask(), &Tools::new([weather()]).max_steps(3))
        .await
        .unwrap_err();
    assert!(
        matches!(error.problem(), ToolRunProblem::StepsSpent { limit: 3 }),
        "{error}"
    );
    assert_eq!((sent.all().len(), error.steps().len()), (3, 3));
    assert_eq!(error.request().messages().unwrap().len(), 7);

    let (limited, sent) = stack((0..9).map(|_| again()), |builder| builder);
    let tools = Tools::new([weather()]).max_cost("0.002".parse().unwrap());
    let error = limited.run_tools(ask(), &tools).await.unwrap_err();
    assert!(matches!(error.problem(), ToolRunProblem::CostSpent { .. }), "{error}");
    assert_eq!((sent.all().len(), error.cost().to_string()), (2, "$0.002".to_owned()));

    let many: Vec<_> = (0..5).map(|_| ("weather", r#"{"name":"Oslo"}"#)).collect();
    let (limited, _) = stack([calls(&many), says("Fine.")], |builder| builder);
    let tools = Tools::new([weather()]).max_calls_per_message(3);
    let run = limited.run_tools(ask(), &tools).await.unwrap();
    let not_run = run.steps[0]
        .tools
        .iter()
        .filter(|tool| tool.outcome == ToolOutcome::NotRun);
    assert_eq!(not_run.count(), 2);
}

/// One answer in two choices: its text, and its calls.
#[tokio::test(start_paused = true)]
async fn calls_in_a_choice_of_their_own_are_run() {
    let answer = || {
        let mut answer = calls(&[("weather", r#"{"name":"Oslo"}"#)]);
        let text = json!({"message": {"role": "assistant", "content": "Let me look."}, "finish_reason": "tool_calls"});
        answer["choices"].as_array_mut().unwrap().insert(0, text);
        answer
    };
    let (once, sent) = stack([answer(), says("Fine.")], |builder| builder);
    let run = once.run_tools(ask(), &Tools::new([weather()])).await.unwrap();
    assert_eq!(run.text(), "Fine.");
    let sent = sent.all();
    let message = &sent[1]["messages"][1];
    assert_eq!(message["content"], "Let me look.", "{message}");
    assert_eq!(message["tool_calls"].as_array().map(Vec::len), Some(1), "{message}");
    assert_eq!(
        results(&sent[1]),
        [("call_0".to_owned(), r#"{"of":"Oslo"}"#.to_owned())]
    );
    // Several that were requested are several answers.
    let (several, sent) = stack([answer()], |builder| builder);
    let request =
        ChatRequest::from_json(json!({"messages": [{"role": "user", "content": "The weather?"}], "n": 2}).to_string());
    let run = several
        .run_tools(request.unwrap(), &Tools::new([weather()]))
        .await
        .unwrap();
    assert_eq!((run.text(), sent.all().len()), ("Let me look.", 1));
}

/// Counts the tools that run: one that is dropped leaves the count.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn endless(running: &Arc<AtomicUsize>) -> Tool {
    let running = Arc::clone(running);
    Tool::from_fn("weather", "Never ends.", move |_: City| {
        running.fetch_add(1, SeqCst);
        let guard = Running(Arc::clone(&running));
        async move {
            let _guard = guard;
            std::future::pending::<Result<String, String>>().await
        }
    })
}

#[tokio::test(start_paused = true)]
async fn one_deadline_covers_all_of_a_run() {
    let running = Arc::new(AtomicUsize::new(0));
    let call = ("weather", r#"{"name":"Oslo"}"#);
    let (stack, _) = stack([calls(&[call, call])], |builder| builder);
    let tools = Tools::new([endless(&running)]).deadline(Duration::from_secs(20));
    let begun = Instant::now();
    let error = stack.run_tools(ask(), &tools).await.unwrap_err();
    assert!(matches!(error.problem(), ToolRunProblem::Deadline), "{error}");
    assert_eq!((begun.elapsed().as_secs(), running.load(SeqCst)), (20, 0));
    assert_eq!(error.steps().len(), 1, "what was paid for is recorded");
    assert_eq!(
        tower_openrouter::Error::from(error).kind(),
        FailureKind::Timeout(tower_openrouter::Phase::Deadline)
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_the_run_drops_its_tools() {
    let running = Arc::new(AtomicUsize::new(0));
    let (stack, _) = stack([calls(&[("weather", r#"{"name":"Oslo"}"#)])], |builder| builder);
    let tools = Tools::new([endless(&running)]);
    let run = stack.run_tools(ask(), &tools);
    assert!(tokio::time::timeout(Duration::from_secs(1), run).await.is_err());
    assert_eq!(running.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn tags_and_the_ledger_see_each_call() {
    let kept = Kept::new();
    let answers = [calls(&[("weather", r#"{"name":"Oslo"}"#)]), says("Fine.")];
    let (stack, _) = stack(answers, |builder| builder.ledger(kept.clone()));
    let request = ask().tags(Tags::new([("team", "search")]).unwrap());
    let run = stack.run_tools(request, &Tools::new([weather()])).await.unwrap();
    let entries = kept.entries();
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|entry| entry.tags.get("team") == Some("search")));
    assert_eq!(run.cost().pico(), kept.total());
}

#[tokio::test(start_paused = true)]
async fn a_forced_call_is_forced_once() {
    let (stack, sent) = stack(
        [calls(&[("weather", r#"{"name":"Oslo"}"#)]), says("Fine.")],
        |builder| builder,
    );
    let request = ask().tool_choice(ToolChoice::Required);
    stack.run_tools(request, &Tools::new([weather()])).await.unwrap();
    let sent = sent.all();
    assert_eq!(
        (&sent[0]["tool_choice"], &sent[1]["tool_choice"]),
        (&json!("required"), &json!("auto"))
    );
}

#[tokio::test(start_paused = true)]
async fn text_is_shown_as_it_comes() {
    let (stack, sent) = stack(
        [calls(&[("weather", r#"{"name":"Oslo"}"#)]), says("Fine and clear.")],
        |builder| builder,
    );
    let shown = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&shown);
    let tools = Tools::new([weather()]).on_text(move |text| seen.lock().unwrap().push(text.to_owned()));
    let run = stack.run_tools(ask(), &tools).await.unwrap();
    assert_eq!(shown.lock().unwrap().concat(), "Fine and clear.");
    assert!(shown.lock().unwrap().len() > 1);
    assert_eq!(run.text(), "Fine and clear.");
    assert_eq!(sent.all()[0]["stream"], true);
    assert_eq!(
        results(&sent.all()[1]),
        [("call_0".to_owned(), r#"{"of":"Oslo"}"#.to_owned())]
    );
}

#[tokio::test(start_paused = true)]
async fn two_tools_of_one_name_send_nothing() {
    let (stack, sent) = stack([says("Fine.")], |builder| builder);
    let error = stack
        .run_tools(ask(), &Tools::new([weather(), weather()]))
        .await
        .unwrap_err();
    assert_eq!(tower_openrouter::Error::from(error).kind(), FailureKind::BadRequest);
    assert!(sent.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_request_that_comes_back_can_be_run_again() {
    let answers = [
        calls(&[("weather", r#"{"name":"Oslo"}"#)]),
        says("Fine."),
        says("Still fine."),
    ];
    let (stack, sent) = stack(answers, |builder| builder);
    let tools = Tools::new([weather()]).deadline(Duration::from_secs(60));
    let mut request = stack.run_tools(ask(), &tools).await.unwrap().request;
    sleep(Duration::from_secs(3_600)).await;
    request.push_message(&Message::user("And now?"));
    let run = stack.run_tools(request, &tools).await.unwrap();
    assert_eq!(run.text(), "Still fine.");
    let last = sent.all().pop().unwrap();
    assert_eq!(last["tools"].as_array().map(Vec::len), Some(1));
    assert_eq!(last["messages"].as_array().map(Vec::len), Some(5));
}

#[test]
fn arguments_of_any_type_are_taken() {
    let list = Tool::from_fn("list", "A list.", |names: Vec<String>| async move {
        Ok::<_, String>(names.join("+"))
    });
    let parameters = list.definition().function.as_ref().unwrap().parameters.clone().unwrap();
    assert_eq!(parameters["properties"]["value"]["type"], "array");
    let map = Tool::from_fn("map", "A map.", |_: std::collections::BTreeMap<String, u8>| async {
        Ok::<_, String>(())
    });
    let function = map.definition().function.clone().unwrap();
    assert_eq!(function.strict, None, "strict mode has no maps");
    assert!(function.parameters.unwrap()["additionalProperties"].is_object());
}

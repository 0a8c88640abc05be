//! The loop: the model, its tools, the model again.

use std::collections::HashSet;

use http::Request;
use tokio::time::{Duration, Instant, timeout_at};
use tower_llm_layers::{AttemptLog, Call, LayerError, LlmRequest as _, Phase, UsdAmount};

use super::{
    OnToolFailure, ToolOutcome, ToolRun, ToolRunError, ToolRunProblem, ToolStep, ToolUse, Tools,
    outcome::cost_of,
    together::Together,
    tool::{Failed, Running},
};
use crate::{
    Answer, ApiRequest, ChatRequest, ChatService, Completion, Error, FailureKind,
    request::{self, Message, ToolCall, ToolChoice},
    response::UsageExt as _,
    stack::respond,
};

/// So much later than the deadline a call of the model is dropped: one that sees it has failed by itself then.
const GRACE: Duration = Duration::from_millis(10);

/// Stands for no deadline: 30 years.
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// A run that is under way.
struct Run<'a> {
    request: Request<ApiRequest>,
    tools: &'a Tools,
    deadline: Instant,
    /// What the caller set on the request: it comes back without the deadline of this run.
    call: Call,
    steps: Vec<ToolStep>,
}

/// Runs a request until the model answers without calling a tool.
pub(crate) async fn run<S: ChatService>(
    service: S,
    mut request: Request<ApiRequest>,
    tools: &Tools,
) -> Result<ToolRun, ToolRunError> {
    let now = Instant::now();
    let latest = now.checked_add(tools.deadline).unwrap_or(now + FAR);
    let call = request.body().call().clone();
    request.body_mut().call_mut().limit_deadline(latest);
    let deadline = request.body().call().deadline().unwrap_or(latest);
    let prepared = prepare(&mut request, tools);
    let mut run = Run {
        request,
        tools,
        deadline,
        call,
        steps: Vec::new(),
    };
    if let Err(error) = prepared {
        return Err(run.ended(ToolRunProblem::Call(error)));
    }
    loop {
        if let Some(problem) = run.spent() {
            return Err(run.ended(problem));
        }
        let completion = match run.ask(service.clone()).await {
            Ok(completion) => completion,
            Err(error) => return Err(run.ended(ToolRunProblem::Call(error))),
        };
        let calls = run.take(&completion);
        if calls.is_empty() {
            run.step(&completion, Vec::new());
            let (request, steps) = run.into_parts();
            return Ok(ToolRun {
                completion,
                request,
                steps,
            });
        }
        let problem = run.call(&completion, calls).await;
        if let Some(problem) = problem {
            return Err(run.ended(problem));
        }
    }
}

/// The calls of one answer that came in several choices, each call once. What a choice repeats of those before it is looked up: their number is the upstream's.
struct AllCalls {
    calls: Vec<ToolCall>,
    /// Id, name and arguments of the first so many of them.
    known: HashSet<(String, String, String)>,
    noted: usize,
}

impl AllCalls {
    fn of(calls: Vec<ToolCall>) -> Self {
        Self {
            calls,
            known: HashSet::new(),
            noted: 0,
        }
    }

    /// Adds those of the next choice.
    fn add(&mut self, more: Vec<ToolCall>) {
        if more.is_empty() {
            return;
        }
        let of = |call: &ToolCall| {
            let function = &call.function;
            (call.id.clone(), function.name.clone(), function.arguments.clone())
        };
        self.known.extend(self.calls.iter().skip(self.noted).map(of));
        self.noted = self.calls.len();
        let known = &self.known;
        self.calls
            .extend(more.into_iter().filter(|call| !known.contains(&of(call))));
    }
}

/// Adds the tools to the request.
fn prepare(call: &mut Request<ApiRequest>, tools: &Tools) -> Result<(), Error> {
    let api = call.body().api();
    let wrong = |message: String| Error::new(FailureKind::BadRequest, message);
    let Some(chat) = call.body_mut().as_chat_mut() else {
        return Err(wrong(format!(
            "this is a request of the {api} API: only a chat can run tools"
        )));
    };
    let mut all = chat.read_tools().map_err(|error| wrong(error.to_string()))?;
    let given = all.len();
    for tool in &tools.tools {
        // The request of a run that ended has them already.
        let known = all.get(..given).unwrap_or_default();
        if known.contains(tool.definition()) {
            continue;
        }
        let named = |known: &request::Tool| known.function.as_ref().is_some_and(|known| known.name == tool.name());
        if all.iter().any(named) {
            return Err(wrong(format!(
                "two tools are named `{}`: the model could not choose",
                tool.name()
            )));
        }
        all.push(tool.definition().clone());
    }
    *chat = chat.clone().tools(all).stream(tools.on_text.is_some());
    Ok(())
}

impl Run<'_> {
    /// What no further step is made for.
    fn spent(&self) -> Option<ToolRunProblem> {
        let limit = self.tools.max_steps;
        if u32::try_from(self.steps.len()).is_ok_and(|steps| steps >= limit) {
            return Some(ToolRunProblem::StepsSpent { limit });
        }
        let limit = self.tools.max_cost?;
        (cost_of(&self.steps) >= limit && !self.steps.is_empty()).then_some(ToolRunProblem::CostSpent { limit })
    }

    /// Calls the model.
    async fn ask<S: ChatService>(&self, service: S) -> Result<Completion, Error> {
        let request = self.request.clone();
        let asked = async {
            let answer = Answer::read_at_once(respond(service, request).await?);
            match &self.tools.on_text {
                Some(show) => answer.assembled(|text| show(text)).await,
                None => answer.whole().await,
            }
        };
        // A service without a deadline layer does not see the deadline on the request.
        let limit = self.tools.deadline;
        let phase = Phase::Deadline;
        let late = || Error::from(LayerError::Elapsed { phase, limit });
        timeout_at(self.deadline + GRACE, asked)
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    /// Takes the model's message into the conversation; the tools that it calls.
    fn take(&mut self, completion: &Completion) -> Vec<ToolCall> {
        let choices = completion.response.choices.iter();
        let mut messages = choices.map(|choice| choice.message.to_message()).peekable();
        let Some(mut message) = messages.next() else {
            return Vec::new();
        };
        let asks_for_several = |chat: &ChatRequest| chat.facts().choices > 1;
        if messages.peek().is_some() && !self.request.body().as_chat().is_some_and(asks_for_several) {
            // Some servers put the text of one answer and its calls into a choice each.
            let mut calls = AllCalls::of(message.tool_calls.take().unwrap_or_default());
            for other in messages {
                calls.add(other.tool_calls.unwrap_or_default());
                if message.text().is_empty() && other.content.is_some() {
                    message.content = other.content;
                }
                message.reasoning = message.reasoning.or(other.reasoning);
                message.reasoning_details = message.reasoning_details.or(other.reasoning_details);
            }
            message.tool_calls = (!calls.calls.is_empty()).then_some(calls.calls);
        }
        let calls = message.tool_calls.clone().unwrap_or_default();
        if let Some(chat) = self.request.body_mut().as_chat_mut() {
            chat.push_message(&message);
            // A model that must call a tool each time would never answer.
            let is_forced = !calls.is_empty() && chat.facts().forced_tool_choice;
            if is_forced {
                *chat = chat.clone().tool_choice(ToolChoice::Auto);
            }
        }
        calls
    }

    /// Runs the tools of one message, and takes their results into the conversation.
    async fn call(&mut self, completion: &Completion, calls: Vec<ToolCall>) -> Option<ToolRunProblem> {
        let running = calls.iter().enumerate().map(|(at, call)| self.start(at, call));
        let together = Together::new(running.collect::<Vec<_>>());
        let Ok(ended) = timeout_at(self.deadline, together).await else {
            self.step(completion, Vec::new());
            return Some(ToolRunProblem::Deadline);
        };
        let (mut uses, mut results, mut problem) = (Vec::with_capacity(calls.len()), Vec::new(), None);
        for (call, (result, took)) in calls.into_iter().zip(ended) {
            let (id, name) = (call.id, call.function.name);
            let outcome = result.as_ref().err().map_or(ToolOutcome::Done, |failed| failed.outcome);
            let known = self.tools.find(&name).map_or("(unknown)", |tool| tool.name());
            tracing::info!(
                step = self.steps.len() + 1,
                tool = known,
                outcome = outcome.as_str(),
                ?took,
                "tool called"
            );
            let content = match result {
                Ok(text) => text,
                Err(failed) => {
                    let content = serde_json::json!({ "error": failed.message }).to_string();
                    if self.tools.on_failure == OnToolFailure::Stop && problem.is_none() {
                        problem = Some(ToolRunProblem::Tool {
                            name: name.clone(),
                            outcome,
                            message: failed.message,
                        });
                    }
                    content
                }
            };
            results.push(Message::tool(&*id, content));
            uses.push(ToolUse {
                id,
                name,
                outcome,
                took,
            });
        }
        if let Some(chat) = self.request.body_mut().as_chat_mut() {
            chat.push_messages(&results);
        }
        self.step(completion, uses);
        problem
    }

    fn start(&self, at: usize, call: &ToolCall) -> Running {
        let failed =
            |outcome, message: String| -> Running { Box::pin(std::future::ready(Err(Failed { outcome, message }))) };
        let limit = self.tools.max_calls;
        if at >= limit {
            return failed(
                ToolOutcome::NotRun,
                format!("not run: a message may call at most {limit} tools"),
            );
        }
        match self.tools.find(&call.function.name) {
            Some(tool) => tool.call(&call.function.arguments),
            None => failed(ToolOutcome::Unknown, "there is no tool of this name".to_owned()),
        }
    }

    /// Writes down a step.
    fn step(&mut self, completion: &Completion, tools: Vec<ToolUse>) {
        let attempts = completion.attempts.clone();
        let billed = || completion.response.usage.as_ref()?.total_cost().ok()?;
        let cost: Option<UsdAmount> = attempts.as_ref().and_then(AttemptLog::cost).or_else(billed);
        tracing::info!(
            step = self.steps.len() + 1,
            tools = tools.len(),
            cost = cost.map(tracing::field::display),
            "step ended"
        );
        self.steps.push(ToolStep { attempts, cost, tools });
    }

    fn into_parts(self) -> (ChatRequest, Vec<ToolStep>) {
        let chat = self.request.body().as_chat().cloned();
        let mut chat = chat.unwrap_or_else(|| ChatRequest::new([]));
        *chat.call_mut() = self.call;
        (chat, self.steps)
    }

    fn ended(self, problem: ToolRunProblem) -> ToolRunError {
        let (request, steps) = self.into_parts();
        ToolRunError::new(problem, request, steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(letter: char, count: usize) -> Vec<ToolCall> {
        let ids = (0..count).map(|number| format!("{letter}{number}"));
        ids.map(|id| ToolCall::new(id, "f", "{}")).collect()
    }

    fn ids(all: &AllCalls) -> Vec<&str> {
        all.calls.iter().map(|call| &*call.id).collect()
    }

    #[test]
    fn a_call_that_a_later_choice_repeats_is_run_once() {
        let mut all = AllCalls::of(calls('a', 2));
        all.add(calls('a', 3));
        all.add([calls('b', 1), calls('b', 1)].concat());
        all.add([calls('a', 1), calls('b', 1), calls('c', 1)].concat());
        assert_eq!(ids(&all), ["a0", "a1", "a2", "b0", "b0", "c0"]);
        let mut without = AllCalls::of(Vec::new());
        without.add(vec![ToolCall::new("", "f", "{}")]);
        without.add(vec![
            ToolCall::new("", "f", "{}"),
            ToolCall::new("", "f", "[]"),
            ToolCall::new("", "g", "{}"),
        ]);
        assert_eq!(without.calls.len(), 3, "without ids the rest decides");
    }

    /// Each compared with each would take minutes here, and so would a copy of all of them for each choice.
    #[test]
    fn many_calls_in_many_choices_take_linear_time() {
        let mut all = AllCalls::of(calls('a', 100_000));
        all.add(calls('b', 100_000));
        for number in 0..100_000 {
            all.add(vec![ToolCall::new(format!("c{number}"), "f", "{}")]);
        }
        assert_eq!(all.calls.len(), 300_000);
    }
}

//! Each decision is an event with typed fields, and no event says a key, a prompt or an answer.

use std::{cell::RefCell, collections::BTreeMap, fmt, sync::Once};

use tower_llm_layers::{FailureKind, Stage};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::Stack;
use crate::support::{Beat, Leaf, Step, ask, candidate, fails, millis, read, secs, streamed};

type Fields = BTreeMap<&'static str, String>;

thread_local! {
    /// What this thread listens to, while it does.
    static HEARD: RefCell<Option<Vec<Fields>>> = const { RefCell::new(None) };
}

/// Keeps the events of each thread that listens: the message, and the fields by name.
struct Listener;

struct Reader<'a>(&'a mut Fields);

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name(), format!("{value} u64"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name(), format!("{value} bool"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        if HEARD.with_borrow(Option::is_none) {
            return;
        }
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        fields.insert("level", event.metadata().level().to_string());
        if event.metadata().target().starts_with("tower_llm_layers") {
            HEARD.with_borrow_mut(|heard| heard.get_or_insert_default().push(fields));
        }
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

/// The events of this thread, so far.
fn heard() -> Vec<Fields> {
    HEARD.with_borrow(|heard| heard.clone().unwrap_or_default())
}

/// Listens from now on. One subscriber serves the whole process: a scoped one would race with the other tests for the cache
/// of who wants which event.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(Listener).unwrap();
        tracing::callsite::rebuild_interest_cache();
    });
    HEARD.set(Some(Vec::new()));
}

fn messages() -> Vec<String> {
    let events = heard().into_iter();
    events.map(|fields| fields["message"].clone()).collect()
}

/// The first event with this message.
fn one(message: &str) -> Fields {
    let mut events = heard().into_iter();
    let found = events.find(|fields| fields["message"] == message);
    found.unwrap_or_else(|| panic!("no event {message:?}"))
}

#[tokio::test(start_paused = true)]
async fn every_decision_is_told_and_no_secret() {
    listen();
    let broken = Beat::Fail(fails(FailureKind::Truncated));
    let leaf = Leaf::new([])
        .on(
            "a",
            [
                Step::fail(fails(FailureKind::Throttled).says(429, "slow down").hint(secs(5))),
                Step::Hang,
            ],
        )
        .on("b", [Step::fail(fails(FailureKind::QuotaGone))])
        .on("d", [Step::body([Beat::Frame(Stage::Content), broken])])
        .on("e", [Step::ok()]);
    let pooled = |name: &str| candidate(name).with_pool("free");
    let chain = [candidate("a"), pooled("b"), pooled("c"), candidate("d")];
    let chain = tower_llm_layers::fallback::Chain::new(chain).unwrap();
    let stack = Stack::of(chain).over(leaf.clone());
    let request = streamed();
    assert_eq!(request.body().prompt, "the secret prompt");
    let response = ask(&stack, request).await.unwrap();
    read(response.into_body()).await.error.unwrap();
    assert_eq!(
        messages(),
        [
            "attempt started",
            "attempt failed",
            "retrying",
            "attempt started",
            "attempt timed out",
            "attempt failed",
            "not retrying",
            "next candidate",
            "attempt started",
            "attempt failed",
            "not retrying",
            "candidate passed over",
            "next candidate",
            "attempt started",
            "answer began",
            "answer broke off",
        ]
    );
    let started = one("attempt started");
    let expected = [
        ("attempt", "1 u64"),
        ("level", "DEBUG"),
        ("message", "attempt started"),
        ("model", "a"),
        ("stream", "true bool"),
        ("upstream", "router"),
    ];
    assert_eq!(
        started.into_iter().collect::<Vec<_>>(),
        expected.map(|(name, value)| (name, value.to_owned()))
    );
    let failed = one("attempt failed");
    assert_eq!((&*failed["kind"], &*failed["status"]), ("throttled", "429 u64"));
    assert_eq!(&failed["level"], "WARN");
    assert_eq!(&one("retrying")["wait"], "5.5s");
    assert_eq!(&one("attempt timed out")["phase"], "first_token");
    assert_eq!(&one("next candidate")["model"], "b");
    let passed = one("candidate passed over");
    assert_eq!(
        (&*passed["model"], &*passed["reason"]),
        ("c", "paid from the same pool as b")
    );
    assert_eq!(&one("answer broke off")["kind"], "truncated");

    let chain = tower_llm_layers::fallback::Chain::new([candidate("e")]).unwrap();
    let stack = Stack::of(chain).over(leaf);
    read(ask(&stack, streamed()).await.unwrap().into_body()).await;
    assert_eq!(&one("answer ended")["attempt"], "1 u64");
    let mut request = streamed();
    request
        .headers_mut()
        .insert("x-request-timeout-ms", "0".parse().unwrap());
    ask(&stack, request).await.unwrap_err();
    assert_eq!(&one("deadline passed")["phase"], "total");
    ask(&stack, streamed()).await.map(drop).unwrap();
    let wrong = Leaf::new([Step::fail(fails(FailureKind::BadRequest))]);
    let stack = Stack::of(crate::support::chain(["a"])).over(wrong);
    ask(&stack, streamed()).await.unwrap_err();
    assert_eq!(&one("no next candidate")["kind"], "bad_request");

    let all = format!("{:?}", heard());
    assert!(!all.contains("secret"), "{all}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_left_is_told_too() {
    listen();
    let stack = Stack::of(crate::support::chain(["a"])).over(Leaf::new([Step::Hang]));
    let _left = tokio::time::timeout(millis(700), ask(&stack, streamed())).await;
    assert_eq!(messages(), ["attempt started", "attempt dropped"]);
    assert_eq!(&one("attempt dropped")["duration"], "700ms");
}

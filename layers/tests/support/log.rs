//! What is said while a test listens.

use std::{cell::RefCell, collections::BTreeMap, fmt, sync::Once};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

pub(crate) type Fields = BTreeMap<&'static str, String>;

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
        let target = event.metadata().target();
        if target.starts_with("tower_llm_layers") || target.starts_with("llm::") {
            HEARD.with_borrow_mut(|heard| heard.get_or_insert_default().push(fields));
        }
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

/// The events of this thread, so far.
pub(crate) fn heard() -> Vec<Fields> {
    HEARD.with_borrow(|heard| heard.clone().unwrap_or_default())
}

/// Listens from now on. One subscriber serves the whole process: a scoped one would race with the other tests for the cache
/// of who wants which event.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(Listener).unwrap();
        tracing::callsite::rebuild_interest_cache();
    });
    HEARD.set(Some(Vec::new()));
}

pub(crate) fn messages() -> Vec<String> {
    let events = heard().into_iter();
    events.map(|fields| fields["message"].clone()).collect()
}

/// The first event with this message.
pub(crate) fn one(message: &str) -> Fields {
    let mut events = heard().into_iter();
    let found = events.find(|fields| fields["message"] == message);
    found.unwrap_or_else(|| panic!("no event {message:?}"))
}

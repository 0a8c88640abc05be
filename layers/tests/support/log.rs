//! What is logged while a test listens: events, and the spans they belong to.

use std::{cell::RefCell, collections::BTreeMap, fmt, sync::Once};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

pub(crate) type Fields = BTreeMap<&'static str, String>;

thread_local! {
    /// What this thread listens to, while it does.
    static HEARD: RefCell<Option<Heard>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Heard {
    events: Vec<(Fields, Option<usize>)>,
    spans: Vec<SpanHeard>,
    /// Those that are entered.
    inside: Vec<usize>,
}

/// A span with all its fields, by number in the order in which they were made.
#[derive(Debug, Clone)]
pub(crate) struct SpanHeard {
    pub(crate) name: &'static str,
    pub(crate) fields: Fields,
    pub(crate) parent: Option<usize>,
    /// How often each field was written.
    pub(crate) writes: BTreeMap<&'static str, usize>,
    /// How many handles there are.
    pub(crate) handles: usize,
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

fn ours(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target.starts_with("tower_llm_layers") || target.starts_with("llm::")
}

/// What a thread hears, where it listens.
fn hear<T>(change: impl FnOnce(&mut Heard) -> T) -> Option<T> {
    HEARD.with_borrow_mut(|heard| heard.as_mut().map(change))
}

/// The number of a span; a disabled span does not occur.
fn number(id: &span::Id) -> usize {
    usize::try_from(id.into_u64()).unwrap() - 1
}

impl Subscriber for Listener {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let made = hear(|heard| {
            let mut fields = Fields::new();
            span.record(&mut Reader(&mut fields));
            let writes = fields.keys().map(|name| (*name, 1)).collect();
            heard.spans.push(SpanHeard {
                name: span.metadata().name(),
                fields,
                parent: heard.inside.last().copied(),
                writes,
                handles: 1,
            });
            heard.spans.len()
        });
        span::Id::from_u64(made.map_or(u64::from(u32::MAX), |number| number as u64))
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        hear(|heard| {
            let Some(span) = heard.spans.get_mut(number(span)) else {
                return;
            };
            let mut fields = Fields::new();
            values.record(&mut Reader(&mut fields));
            for name in fields.keys() {
                *span.writes.entry(name).or_default() += 1;
            }
            span.fields.append(&mut fields);
        });
    }

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        hear(|heard| {
            let mut fields = Fields::new();
            event.record(&mut Reader(&mut fields));
            fields.insert("level", event.metadata().level().to_string());
            if ours(event.metadata()) {
                heard.events.push((fields, heard.inside.last().copied()));
            }
        });
    }

    fn enter(&self, span: &span::Id) {
        hear(|heard| heard.inside.push(number(span)));
    }

    fn exit(&self, span: &span::Id) {
        hear(|heard| assert_eq!(heard.inside.pop(), Some(number(span)), "left as entered"));
    }

    fn clone_span(&self, span: &span::Id) -> span::Id {
        hear(|heard| heard.spans.get_mut(number(span)).map(|span| span.handles += 1));
        span.clone()
    }

    fn try_close(&self, span: span::Id) -> bool {
        let left = hear(|heard| {
            let span = heard.spans.get_mut(number(&span))?;
            span.handles -= 1;
            Some(span.handles)
        });
        left.flatten() == Some(0)
    }
}

/// The events of this thread, so far.
pub(crate) fn heard() -> Vec<Fields> {
    placed().into_iter().map(|(fields, _)| fields).collect()
}

/// The events of this thread, each with the number of the span it hangs on.
pub(crate) fn placed() -> Vec<(Fields, Option<usize>)> {
    hear(|heard| heard.events.clone()).unwrap_or_default()
}

/// The spans of this thread, so far.
pub(crate) fn spans() -> Vec<SpanHeard> {
    hear(|heard| heard.spans.clone()).unwrap_or_default()
}

/// Listens from now on. One subscriber serves the whole process: a scoped one would race with the other tests for the cache
/// of who wants which event.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(Listener).unwrap();
        tracing::callsite::rebuild_interest_cache();
    });
    HEARD.set(Some(Heard::default()));
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

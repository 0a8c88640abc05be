//! The spans of a test, with their fields and what hangs on them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// One span: its name, its parent's, its fields, its events, and whether it has ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) name: &'static str,
    pub(crate) parent: Option<&'static str>,
    pub(crate) fields: BTreeMap<&'static str, String>,
    pub(crate) events: Vec<String>,
    /// The fields of the last of them.
    pub(crate) last_event: BTreeMap<&'static str, String>,
    pub(crate) ended: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Spans(Arc<Mutex<BTreeMap<u64, Told>>>);

struct Reader<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let told = self.0.insert(field.name(), format!("{value:?}"));
        assert!(told.is_none(), "{} is recorded twice", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl Spans {
    /// Listens to the layers' own spans, until the guard goes.
    pub(crate) fn listen() -> (Self, DefaultGuard) {
        let spans = Self::default();
        let subscriber = tracing_subscriber::registry().with(spans.clone());
        (spans, tracing::subscriber::set_default(subscriber))
    }

    /// All spans of this name, in order.
    pub(crate) fn of(&self, name: &str) -> Vec<Told> {
        let spans = self.0.lock().unwrap();
        spans.values().filter(|told| told.name == name).cloned().collect()
    }
}

impl<S> Layer<S> for Spans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut told = Told {
            name: attributes.metadata().name(),
            parent: context.span(id).and_then(|span| Some(span.parent()?.name())),
            ..Told::default()
        };
        attributes.record(&mut Reader(&mut told.fields));
        let mut spans = self.0.lock().unwrap();
        let ended = spans.insert(id.into_u64(), told);
        // The registry reuses numbers.
        if let Some(ended) = ended {
            let key = u64::MAX / 2 + spans.len() as u64;
            spans.insert(key, ended);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(told) = self.0.lock().unwrap().get_mut(&id.into_u64()) {
            values.record(&mut Reader(&mut told.fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else { return };
        let mut fields = BTreeMap::new();
        event.record(&mut Reader(&mut fields));
        if let Some(told) = self.0.lock().unwrap().get_mut(&span.id().into_u64()) {
            told.events.extend(fields.remove("message"));
            told.last_event = fields;
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        if let Some(told) = self.0.lock().unwrap().get_mut(&id.into_u64()) {
            told.ended = true;
        }
    }
}

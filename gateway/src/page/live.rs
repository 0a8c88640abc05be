//! What the page shows, as it changes: server-sent events with the parts of the page that are new, rendered and escaped by the server.

use std::{
    collections::{BTreeMap, HashMap, hash_map::DefaultHasher},
    convert::Infallible,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use askama::Template;
use axum::{
    extract::{Query, State},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::stream;
use http::StatusCode;
use serde::Serialize;
use tokio::{
    sync::{
        OwnedSemaphorePermit,
        broadcast::{Receiver, error::TryRecvError},
    },
    time::{Instant, Interval, MissedTickBehavior, interval},
};
use tower_openrouter::endpoint::set_event_stream_headers;

use super::{
    App,
    call_view::{CallView, elapsed, state},
    overview::overview,
    render::{Choice, calls, spend},
};
use crate::calls::{CallRecord, Filter};

/// New calls are sent together, this often at most.
const TICK: Duration = Duration::from_millis(250);
/// The summary is looked at this often.
const SUMMARY: Duration = Duration::from_secs(2);
/// The calls in progress are looked at this often.
const RUNNING: Duration = Duration::from_secs(2);
/// The spend is looked at this often.
const SPEND: Duration = Duration::from_secs(15);

/// One viewer. All of it is dropped with the connection.
struct Viewer {
    app: Arc<App>,
    choice: Choice,
    filter: Filter,
    is_greeted: bool,
    /// Whether the viewer may have missed a call's end: at first, and after a gap.
    is_behind: bool,
    /// Whether the last event was one of calls: the rest has the next turn.
    is_after_calls: bool,
    updates: Receiver<Arc<CallRecord>>,
    tick: Interval,
    /// When the calls in progress were looked at, and what was shown of each.
    running: (Option<Instant>, HashMap<u64, u64>),
    /// When each part was looked at, and what it was then.
    summary: (Option<Instant>, u64),
    spend: (Option<Instant>, u64),
    _place: OwnedSemaphorePermit,
}

/// The first event: a page of another run is out of date.
#[derive(Serialize)]
struct Hello<'a> {
    run: &'a str,
}

#[derive(Serialize)]
struct NewCall {
    id: u64,
    html: String,
}

/// The calls in progress: those of which there is more to show than before, and how long each has taken.
#[derive(Serialize)]
struct Running {
    changed: Vec<NewCall>,
    elapsed: Vec<(u64, String)>,
}

#[derive(Serialize)]
struct Parts {
    summary: String,
    health: String,
}

pub(super) async fn events(State(app): State<Arc<App>>, Query(choice): Query<Choice>) -> Response {
    let Ok(place) = Arc::clone(&app.viewers).try_acquire_owned() else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "as many follow the page as may: reload it by hand",
        )
            .into_response();
    };
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let viewer = Viewer {
        updates: app.view.calls.subscribe(),
        filter: choice.filter(),
        is_greeted: false,
        is_behind: true,
        is_after_calls: false,
        choice,
        tick,
        running: (Some(Instant::now()), HashMap::new()),
        summary: (None, 0),
        spend: (Some(Instant::now()), 0),
        _place: place,
        app,
    };
    let events = stream::unfold(viewer, |mut viewer| async move {
        let event = viewer.next().await;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::default()).into_response();
    set_event_stream_headers(response.headers_mut());
    response
}

impl Viewer {
    /// The next event. Dropped at an await, what was not sent is dropped with the viewer.
    async fn next(&mut self) -> Event {
        if !std::mem::replace(&mut self.is_greeted, true)
            && let Some(event) = event(
                "hello",
                &Hello {
                    run: self.app.view.calls.run(),
                },
            )
        {
            return event;
        }
        loop {
            self.tick.tick().await;
            // Calls that come all the time do not keep the rest back.
            let is_after_calls = std::mem::take(&mut self.is_after_calls);
            if is_after_calls && let Some(event) = self.rest().await {
                return event;
            }
            if let Some(event) = self.calls() {
                self.is_after_calls = true;
                return event;
            }
            if !is_after_calls && let Some(event) = self.rest().await {
                return event;
            }
        }
    }

    /// What is due beside new calls.
    async fn rest(&mut self) -> Option<Event> {
        if is_due(self.running.0, RUNNING)
            && let Some(event) = self.running()
        {
            return Some(event);
        }
        if is_due(self.summary.0, SUMMARY)
            && let Some(event) = self.summary().await
        {
            return Some(event);
        }
        if is_due(self.spend.0, SPEND) {
            return self.spend().await;
        }
        None
    }

    /// The calls that came since the last tick, each as it is by now; all that the page shows, if there may be a gap or there are more than it shows.
    fn calls(&mut self) -> Option<Event> {
        let mut new = BTreeMap::new();
        loop {
            match self.updates.try_recv() {
                // Its end may be why the filter does not take it any more.
                Ok(call) if self.is_behind || !self.filter.takes(&call) => {
                    new.remove(&call.id);
                }
                Ok(call) => {
                    new.insert(call.id, call);
                    self.is_behind = new.len() > self.choice.most_calls();
                }
                Err(TryRecvError::Lagged(_)) => self.is_behind = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if self.is_behind {
            // What ends from here on is among the updates.
            self.is_behind = false;
            return self.list();
        }
        self.note_shown(new.keys().copied());
        let new = rendered(new.values().map(|call| CallView::new(call)));
        (!new.is_empty()).then(|| event("calls", &new)).flatten()
    }

    /// All that the list shows.
    fn list(&mut self) -> Option<Event> {
        let calls = calls(&self.app, &self.filter, self.choice.most_calls());
        self.note_shown(calls.iter().map(CallView::id));
        event("list", &rendered(calls))
    }

    /// Notes calls that the list of those in progress shows from now on: they leave it, even if they end before the next look.
    fn note_shown(&mut self, ids: impl Iterator<Item = u64>) {
        if self.filter.outcome == "running" {
            for id in ids {
                self.running.1.entry(id).or_insert(0);
            }
        }
    }

    /// The calls in progress. Their times are sent as texts, not as rows: a row is replaced only if there is more to show in it.
    fn running(&mut self) -> Option<Event> {
        let running = self.app.view.calls.in_progress(&self.filter, self.choice.most_calls());
        let states = running.iter().map(|call| (call.id, state(call))).collect();
        let before = std::mem::replace(&mut self.running, (Some(Instant::now()), states)).1;
        // The list is that of the calls in progress: what has ended leaves it.
        if self.filter.outcome == "running" && before.keys().any(|id| !self.running.1.contains_key(id)) {
            return self.list();
        }
        if running.is_empty() {
            return None;
        }
        let changed = running
            .iter()
            .filter(|call| before.get(&call.id) != self.running.1.get(&call.id));
        let running = Running {
            changed: rendered(changed.map(CallView::new)),
            elapsed: running.iter().map(|call| (call.id, elapsed(call))).collect(),
        };
        event("running", &running)
    }

    async fn summary(&mut self) -> Option<Event> {
        let (summary, health) = overview(&self.app, self.choice.span()).await;
        let parts = Parts {
            summary: summary.render().ok()?,
            health: health.render().ok()?,
        };
        let hash = hash(&(&parts.summary, &parts.health));
        let before = std::mem::replace(&mut self.summary, (Some(Instant::now()), hash));
        (before.1 != hash).then(|| event("parts", &parts)).flatten()
    }

    async fn spend(&mut self) -> Option<Event> {
        let html = spend(&self.app, &self.choice).await.render().ok()?;
        let hash = hash(&html);
        let before = std::mem::replace(&mut self.spend, (Some(Instant::now()), hash));
        (before.1 != hash).then(|| event("spend", &html)).flatten()
    }
}

fn rendered(views: impl IntoIterator<Item = CallView>) -> Vec<NewCall> {
    let views = views.into_iter();
    let rendered = views.filter_map(|view| {
        Some(NewCall {
            id: view.id(),
            html: view.render().ok()?,
        })
    });
    rendered.collect()
}

fn is_due(last: Option<Instant>, every: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= every)
}

fn hash<T: Hash>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// JSON has no line breaks: the data is one line, whatever is in it.
fn event<T: Serialize>(name: &str, data: &T) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}

//! What the page shows, as it changes: server-sent events with the parts of the page that are new, rendered and escaped by the server.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
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
    call_view::CallView,
    overview::overview,
    render::{Choice, MOST_CALLS, calls, spend},
};
use crate::calls::{CallRecord, Filter};

/// New calls are sent together, this often at most.
const TICK: Duration = Duration::from_millis(250);
/// The summary is looked at this often.
const SUMMARY: Duration = Duration::from_secs(2);
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
    updates: Receiver<Arc<CallRecord>>,
    tick: Interval,
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
        choice,
        tick,
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
            if let Some(event) = self.calls() {
                return event;
            }
            if is_due(self.summary.0, SUMMARY)
                && let Some(event) = self.summary().await
            {
                return event;
            }
            if is_due(self.spend.0, SPEND)
                && let Some(event) = self.spend().await
            {
                return event;
            }
        }
    }

    /// The calls that came since the last tick, each as it is by now; all that the page shows, if there may be a gap or there are more than it shows.
    fn calls(&mut self) -> Option<Event> {
        let mut new = BTreeMap::new();
        loop {
            match self.updates.try_recv() {
                Ok(call) if self.is_behind || !self.filter.takes(&call) => {}
                Ok(call) => {
                    new.insert(call.id, call);
                    self.is_behind = new.len() > MOST_CALLS;
                }
                Err(TryRecvError::Lagged(_)) => self.is_behind = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if self.is_behind {
            // What ends from here on is among the updates.
            self.is_behind = false;
            return event("list", &rendered(calls(&self.app, &self.filter)));
        }
        let new = rendered(new.values().map(|call| CallView::new(call)));
        (!new.is_empty()).then(|| event("calls", &new)).flatten()
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

//! A call that limits in the store have let pass, from the question on: dropped at any moment, it is given back.

use std::sync::Arc;

use tower_llm_layers::rate_limit::{LimitUse, Limits, Rate, RateLimitPermit};

use crate::{command::StoreCommand, delivery::Delivery, lease::OnWhat, server::Server};

/// More tokens than any call takes, and few enough for the scripts to count exactly, whatever `max_tokens` a caller writes.
pub(crate) const MOST_TOKENS: u64 = 1_000_000_000;

/// A call in the store, or one that may be there.
#[derive(Debug)]
pub(crate) struct SharedPlace {
    server: Arc<Server>,
    delivery: Arc<Delivery>,
    id: String,
    /// As `lua/admit.lua` takes them.
    keys: [String; 5],
    /// As `lua/deliver.lua` takes them.
    rates: [String; 6],
    thought: u64,
    state: State,
    /// How far the limits were used when it passed.
    used: Option<LimitUse>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Asked for; the store may not even have heard of it yet.
    Asked,
    /// It passed without an answer of the store.
    Blind,
    /// The store has let it pass.
    Passed,
    /// Nothing is to be sent to the store any more.
    Ended,
}

/// Microseconds, units in them, and the burst; 0 each if there is no limit.
pub(crate) fn rate(rate: Option<Rate>) -> [String; 3] {
    rate.map_or_else(
        || ["0", "0", "0"].map(str::to_owned),
        |rate| {
            [
                rate.per().as_micros().to_string(),
                rate.amount().to_string(),
                rate.most_at_once().to_string(),
            ]
        },
    )
}

impl SharedPlace {
    pub(crate) fn new(server: &Arc<Server>, delivery: &Arc<Delivery>, key: &str, of: &Limits, thought: u64) -> Self {
        let id = format!("{:032x}", fastrand::u128(..));
        let [mark, taken] = ["ended", "taken"].map(|kind| server.key(kind, &id));
        let [requests, tokens, places] = ["requests", "tokens", "places"].map(|kind| server.key(kind, key));
        let [request_micros, request_units, request_burst] = rate(of.requests);
        let [token_micros, token_units, token_burst] = rate(of.tokens);
        Self {
            id,
            keys: [mark, taken, requests, tokens, places],
            rates: [
                request_micros,
                request_units,
                request_burst,
                token_micros,
                token_units,
                token_burst,
            ],
            thought,
            state: State::Asked,
            used: None,
            server: Arc::clone(server),
            delivery: Arc::clone(delivery),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) const fn keys(&self) -> &[String; 5] {
        &self.keys
    }

    /// The store has let it pass: from now on its lease is renewed.
    pub(crate) fn alive(mut self, has_place: bool, used: LimitUse) -> Box<Self> {
        self.state = State::Passed;
        self.used = Some(used);
        if has_place {
            let [.., places] = &self.keys;
            let on = [(places.clone(), OnWhat::Places)];
            self.server.live.add(self.id.clone(), on.into());
        }
        Box::new(self)
    }

    pub(crate) fn blind(mut self) -> Box<Self> {
        self.state = State::Blind;
        Box::new(self)
    }

    /// The store has said no: there is nothing to take back.
    pub(crate) fn nothing_taken(mut self) {
        self.state = State::Ended;
    }

    /// Ends it; `goes_back` if its request was never sent.
    fn end(&mut self, used: u64, goes_back: bool) {
        let was = std::mem::replace(&mut self.state, State::Ended);
        if was == State::Ended {
            return;
        }
        self.server.live.remove(&self.id);
        let unheard = was != State::Passed;
        // What never passed takes its request back, too.
        let requests = if was == State::Asked || goes_back { "-1" } else { "0" };
        let tokens = i128::from(used.min(MOST_TOKENS)) - i128::from(self.thought);
        let head = [
            self.id.clone(),
            u8::from(unheard).to_string(),
            requests.to_owned(),
            tokens.to_string(),
        ];
        let arguments = head.into_iter().chain(std::mem::take(&mut self.rates)).collect();
        let command = StoreCommand::new("true_up", self.keys.to_vec(), arguments).courtesy(true);
        self.delivery.send(command);
    }
}

impl RateLimitPermit for SharedPlace {
    fn used(mut self: Box<Self>, tokens: u64) {
        self.end(tokens, false);
    }

    fn limits_used(&self) -> Option<LimitUse> {
        self.used
    }

    fn not_sent(mut self: Box<Self>) {
        self.end(0, true);
    }
}

impl Drop for SharedPlace {
    fn drop(&mut self) {
        let used = if self.state == State::Asked { 0 } else { self.thought };
        self.end(used, false);
    }
}

//! A hold on budgets in the store, from the question on: dropped at any moment, it is given back.

use std::{iter, sync::Arc};

use tokio::time::Instant;
use tower_llm_layers::{
    UsdAmount,
    budget::{AccountRef, ReservationHandle},
};

use crate::{
    command::StoreCommand,
    delivery::Delivery,
    lease::OnWhat,
    money::{line_arguments, parts},
    server::Server,
};

/// A hold in the store, or one that may be there.
#[derive(Debug)]
pub(crate) struct SharedHold {
    server: Arc<Server>,
    delivery: Arc<Delivery>,
    id: String,
    lines: Vec<AccountRef>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Asked for; the store may not even have heard of it yet.
    Asked,
    /// The store has said that it holds.
    Held,
    /// Nothing is to be sent to the store any more.
    Ended,
}

impl SharedHold {
    pub(crate) fn new(server: &Arc<Server>, delivery: &Arc<Delivery>, lines: Vec<AccountRef>) -> Self {
        Self {
            server: Arc::clone(server),
            delivery: Arc::clone(delivery),
            id: format!("{:032x}", fastrand::u128(..)),
            lines,
            state: State::Asked,
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The mark of its end, then its accounts.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mark = self.server.key("ended", &self.id);
        let accounts = self.lines.iter().map(|line| self.server.account_key(line));
        iter::once(mark).chain(accounts).collect()
    }

    /// The store holds it: from now on its lease is renewed.
    pub(crate) fn alive(mut self) -> Box<Self> {
        self.state = State::Held;
        let keys = self.lines.iter().map(|line| self.server.account_key(line));
        let on = keys.map(|key| (key, OnWhat::Account)).collect();
        self.server.live.add(self.id.clone(), on);
        Box::new(self)
    }

    /// It is unknown whether the store has the reservation.
    pub(crate) fn blind(self) -> Box<Self> {
        Box::new(self)
    }

    /// The store has said no: there is nothing to end.
    pub(crate) fn nothing_held(mut self) {
        self.state = State::Ended;
    }

    fn end(&mut self, spent: UsdAmount) {
        let was = std::mem::replace(&mut self.state, State::Ended);
        if was == State::Ended {
            return;
        }
        self.server.live.remove(&self.id);
        self.lines.iter_mut().for_each(AccountRef::use_budget_in_force);
        let unheard = was == State::Asked;
        let [dollars, pico] = parts(spent);
        let head = [self.id.clone(), u8::from(unheard).to_string(), dollars, pico];
        let arguments = head.into_iter().chain(self.lines.iter().flat_map(line_arguments));
        let command = StoreCommand::new("settle", self.keys(), arguments.collect())
            .about(std::mem::take(&mut self.lines))
            .of(Instant::now())
            .courtesy(spent <= UsdAmount::ZERO);
        self.delivery.send(command);
    }
}

impl ReservationHandle for SharedHold {
    fn settle(mut self: Box<Self>, spent: UsdAmount) {
        self.end(spent);
    }
}

impl Drop for SharedHold {
    fn drop(&mut self) {
        self.end(UsdAmount::ZERO);
    }
}

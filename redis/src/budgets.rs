use std::{sync::Arc, time::Duration};

use redis::{RedisError, Value};
use tower_llm_layers::{
    UsdAmount, UtcTime,
    budget::{Ask, BudgetStore, Decision, Hold, Line, Refusal, RefusalReason, Reservation},
};

use crate::{
    Store, WhenDown,
    delivery::{Delivery, Kind, OnWhat, Word},
    money::{amount, parts},
    store::reason,
};

/// Accounts of budgets that several processes share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RedisBudgets {
    store: Store,
    delivery: Arc<Delivery>,
    when_down: WhenDown,
}

/// How an account stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountState {
    /// What has been spent in its last window.
    pub settled: UsdAmount,
    /// What is held for attempts in flight, in all processes.
    pub reserved: UsdAmount,
    /// What was charged beyond all that was held, and beyond the cap.
    pub overrun: UsdAmount,
}

impl RedisBudgets {
    pub(crate) const fn new(store: Store, delivery: Arc<Delivery>) -> Self {
        Self {
            store,
            delivery,
            when_down: WhenDown::Refuse,
        }
    }

    /// What happens while the store does not answer: it refuses by default.
    #[must_use]
    pub const fn when_down(mut self, policy: WhenDown) -> Self {
        self.when_down = policy;
        self
    }

    /// Waits until all that was spent so far is in the store.
    pub async fn flush(&self) {
        self.delivery.flush().await;
    }

    /// Amounts that could not be delivered, because the store was away for too long.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.delivery.lost()
    }

    /// How the account of a line stands; nothing where nobody has asked for it yet.
    ///
    /// # Errors
    ///
    /// What happened, where the store does not answer.
    pub async fn account(&self, line: &Line) -> Result<Option<AccountState>, String> {
        let mut connection = self.store.0.connection.clone();
        let fields: Result<Vec<Option<String>>, RedisError> = redis::cmd("HMGET")
            .arg(self.store.key("budget", &line.account))
            .arg(&["sd", "sp", "rd", "rp", "od", "op"])
            .query_async(&mut connection)
            .await;
        let fields = fields.map_err(|error| reason(&error))?;
        let mut fields = fields.iter().map(Option::as_deref);
        let mut next = || amount(fields.next()??, fields.next()??);
        let state = (next(), next(), next());
        let (Some(settled), Some(reserved), Some(overrun)) = state else {
            return Ok(None);
        };
        Ok(Some(AccountState {
            settled,
            reserved,
            overrun,
        }))
    }

    /// The keys that a script is told: the mark of what has ended, then the accounts.
    fn keys(&self, mark: &str, lines: &[Line]) -> Vec<String> {
        let accounts = lines.iter().map(|line| self.store.key("budget", &line.account));
        std::iter::once(self.store.key("ended", mark)).chain(accounts).collect()
    }

    fn word(&self, kind: Kind, mark: &str, lines: &[Line], head: Vec<String>) -> Word {
        Word {
            kind,
            keys: self.keys(mark, lines),
            arguments: head.into_iter().chain(lines.iter().flat_map(line_arguments)).collect(),
        }
    }
}

/// What a script must know of each account.
fn line_arguments(line: &Line) -> [String; 4] {
    let [dollars, pico] = parts(line.budget.cap());
    let window = line.budget.window().as_str().to_owned();
    [dollars, pico, window, u8::from(line.budget.is_soft()).to_string()]
}

fn millis(span: Duration) -> String {
    span.as_millis().to_string()
}

/// A name that no other process makes.
fn new_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}

impl BudgetStore for RedisBudgets {
    fn reserve(&self, ask: Ask) -> Decision {
        let this = self.clone();
        Decision::Later(Box::pin(async move {
            // Dropped from here on, whatever was held is given back.
            let hold = SharedHold::new(this, ask.lines.clone());
            let keys = hold.budgets.keys(&hold.id, &ask.lines);
            let mut call = hold.budgets.store.0.scripts.reserve.prepare_invoke();
            for key in &keys {
                call.key(key);
            }
            call.arg(&hold.id).arg(millis(hold.budgets.store.0.lease));
            for part in parts(ask.want).into_iter().chain(parts(ask.at_least)) {
                call.arg(part);
            }
            for argument in ask.lines.iter().flat_map(line_arguments) {
                call.arg(argument);
            }
            let mut connection = hold.budgets.store.0.connection.clone();
            let answer = hold.budgets.store.decide(call.invoke_async(&mut connection)).await;
            let refused = |index: usize, reason| {
                let line = ask.lines.get(index).or(ask.lines.first());
                line.map(|line| Box::new(Refusal::new(&line.budget, &line.account, reason, ask.at_least, ask.at)))
            };
            let refusal = match answer.map(Answer::read) {
                Ok(Some(Answer::Held(amount))) => return Ok(Reservation::new(amount, hold.alive())),
                Ok(Some(Answer::Full(index, settled, reserved))) => {
                    hold.nothing_held();
                    refused(index, RefusalReason::Spent { settled, reserved })
                }
                Ok(None) => refused(0, down("the store's answer makes no sense")),
                Err(cause) if hold.budgets.when_down == WhenDown::Refuse => refused(0, down(&cause)),
                // It passes blind; should the store have heard it after all, the hold ends with the attempt.
                Err(_) => return Ok(Reservation::new(ask.want, hold.alive())),
            };
            refusal.map_or_else(|| Ok(Reservation::new(UsdAmount::ZERO, Box::new(Nothing))), Err)
        }))
    }

    fn adjust(&self, lines: &[Line], by: UsdAmount, at: UtcTime) {
        let sign = if by.is_negative() { "-" } else { "+" };
        let size = UsdAmount::from_pico(by.pico().saturating_abs());
        let [dollars, pico] = parts(size);
        let lease = millis(self.store.0.lease);
        let head = vec![sign.to_owned(), lease, dollars, pico, at.millis().to_string()];
        self.delivery.send(self.word(Kind::Adjust, &new_id(), lines, head));
    }
}

fn down(cause: &str) -> RefusalReason {
    RefusalReason::StoreDown {
        cause: cause.to_owned(),
    }
}

/// What the script said.
enum Answer {
    Held(UsdAmount),
    /// Which account, what is spent and what is held there.
    Full(usize, UsdAmount, UsdAmount),
}

impl Answer {
    fn read(value: Value) -> Option<Self> {
        let Value::Array(items) = value else { return None };
        let mut items = items.into_iter();
        let verdict: i64 = redis::from_redis_value(items.next()?).ok()?;
        let mut next = || redis::from_redis_value::<String>(items.next()?).ok();
        match verdict {
            1 => Some(Self::Held(amount(&next()?, &next()?)?)),
            0 => {
                let index = next()?.parse().ok()?;
                let settled = amount(&next()?, &next()?)?;
                Some(Self::Full(index, settled, amount(&next()?, &next()?)?))
            }
            _ => None,
        }
    }
}

/// A hold in the store, or one that may be there.
#[derive(Debug)]
struct SharedHold {
    budgets: RedisBudgets,
    id: String,
    lines: Vec<Line>,
    /// Whether the store must be told of its end.
    open: bool,
}

impl SharedHold {
    fn new(budgets: RedisBudgets, lines: Vec<Line>) -> Self {
        Self {
            budgets,
            id: new_id(),
            lines,
            open: true,
        }
    }

    /// From now on its lease is renewed.
    fn alive(self) -> Box<Self> {
        let accounts = self
            .lines
            .iter()
            .map(|line| (self.budgets.store.key("budget", &line.account), OnWhat::Account));
        self.budgets.store.0.live.add(self.id.clone(), accounts.collect());
        Box::new(self)
    }

    /// The store has said no: there is nothing to end.
    fn nothing_held(mut self) {
        self.open = false;
    }

    fn end(&mut self, spent: UsdAmount) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        self.budgets.store.0.live.remove(&self.id);
        let [dollars, pico] = parts(spent);
        let head = vec![self.id.clone(), millis(self.budgets.store.0.lease), dollars, pico];
        let word = self.budgets.word(Kind::Settle, &self.id, &self.lines, head);
        self.budgets.delivery.send(word);
    }
}

impl Hold for SharedHold {
    fn settle(mut self: Box<Self>, spent: UsdAmount) {
        self.end(spent);
    }
}

impl Drop for SharedHold {
    fn drop(&mut self) {
        self.end(UsdAmount::ZERO);
    }
}

/// The hold of an attempt that no budget is for.
#[derive(Debug)]
struct Nothing;

impl Hold for Nothing {
    fn settle(self: Box<Self>, _: UsdAmount) {}
}

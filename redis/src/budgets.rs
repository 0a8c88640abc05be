use std::{collections::HashSet, sync::Arc};

use redis::Value;
use tower_llm_layers::{
    UsdAmount, UtcTime,
    budget::{
        AccountRef, AccountState, BudgetStore, Budgets, Decision, Hold, Refusal, RefusalReason, Reservation,
        ReserveRequest,
    },
};

use crate::{
    OnStoreFailure, Store, StoreError,
    delivery::Delivery,
    hold::SharedHold,
    money::{amount, line_arguments, parts},
    word::Word,
};

/// Accounts that are read by one call at most.
const READ_AT_ONCE: usize = 100;

/// Accounts of budgets that several processes share. Cheap to clone.
///
/// What was held when a process was killed is free once its lease has ended. What was spent stays as long as the server keeps it:
/// see the crate's notes on how it should be set up.
///
/// # Cancellation
///
/// A decision that is dropped gives back what it may have held. What ends is told by a task: [`flush`](Self::flush) waits for it,
/// e.g. before the process ends.
#[derive(Debug, Clone)]
pub struct RedisBudgets {
    pub(crate) store: Store,
    pub(crate) delivery: Arc<Delivery>,
    when_down: OnStoreFailure,
}

impl RedisBudgets {
    pub(crate) const fn new(store: Store, delivery: Arc<Delivery>) -> Self {
        Self {
            store,
            delivery,
            when_down: OnStoreFailure::FailClosed,
        }
    }

    /// What happens while the store does not answer: it refuses by default. What passes blind is counted
    /// ([`Store::blind_decisions`]), and what it spends is booked once the store is back.
    #[must_use]
    pub const fn when_down(mut self, policy: OnStoreFailure) -> Self {
        self.when_down = policy;
        self
    }

    /// Waits until all that was spent so far is in the store.
    pub async fn flush(&self) {
        self.delivery.flush().await;
    }

    /// Amounts that could not be delivered: the store was away for too long, or refused them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.delivery.lost()
    }

    /// How every account of these budgets stands, in all processes, the fullest first. Looks through all keys of the server: it is
    /// meant for a page, not for a call.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the store does not answer.
    pub async fn accounts(&self, budgets: &Budgets) -> Result<Vec<AccountState>, StoreError> {
        let inner = &self.store.0;
        let all = inner.key("budget", "");
        let pattern: String = all.chars().flat_map(literal).chain(['*']).collect();
        // A scan may show a key twice.
        let (mut cursor, mut seen) = (0_u64, HashSet::new());
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1_000);
            let (next, keys): (u64, Vec<String>) = inner.link.ask(&scan).await?;
            // Beside an account stand its holds.
            seen.extend(keys.into_iter().filter(|key| !key.contains('\u{1e}')));
            if next == 0 {
                break;
            }
            cursor = next;
        }
        let lines = seen.iter().filter_map(|key| budgets.line(key.strip_prefix(&all)?));
        let lines: Vec<_> = lines.collect();
        let mut states = Vec::with_capacity(lines.len());
        for some in lines.chunks(READ_AT_ONCE) {
            states.extend(self.read(some).await?.into_iter().flatten());
        }
        states.sort_by_cached_key(|state| (state.left(), state.account.clone()));
        Ok(states)
    }

    /// How the account of a line stands; nothing where nobody has asked for it yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where the store does not answer.
    pub async fn account(&self, line: &AccountRef) -> Result<Option<AccountState>, StoreError> {
        let mut states = self.read(std::slice::from_ref(line)).await?;
        Ok(states.pop().flatten())
    }

    async fn read(&self, lines: &[AccountRef]) -> Result<Vec<Option<AccountState>>, StoreError> {
        let mut call = self.store.0.scripts.read.prepare_invoke();
        call.arg(self.store.0.lease.as_millis().to_string());
        for line in lines {
            call.key(self.account_key(line)).arg(line.budget.window().as_str());
        }
        let all: Vec<Vec<String>> = self.store.0.link.ask_script(&call).await?;
        let state = |(line, parts): (&AccountRef, &Vec<String>)| {
            let [settled, settled_pico, reserved, reserved_pico, over, over_pico, now] = &parts[..] else {
                return None;
            };
            let mut state = AccountState::new(line, UtcTime::from_millis(now.parse().ok()?));
            state.settled = amount(settled, settled_pico)?;
            state.reserved = amount(reserved, reserved_pico)?;
            state.overrun = amount(over, over_pico)?;
            Some(state)
        };
        Ok(lines.iter().zip(&all).map(state).collect())
    }

    pub(crate) fn account_key(&self, line: &AccountRef) -> String {
        self.store.0.key("budget", &line.account)
    }
}

/// A letter as a pattern means it.
fn literal(letter: char) -> impl Iterator<Item = char> {
    let special = matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^' | '-');
    special.then_some('\\').into_iter().chain([letter])
}

impl BudgetStore for RedisBudgets {
    fn reserve(&self, ask: ReserveRequest) -> Decision {
        let Some(first) = ask.lines.first().cloned() else {
            return Decision::Now(Ok(Reservation::new(ask.want, Box::new(Nothing))));
        };
        let this = self.clone();
        Decision::Later(Box::pin(async move {
            // Dropped from here on, whatever was held is given back.
            let hold = SharedHold::new(this, ask.lines.clone());
            let store = Arc::clone(&hold.budgets.store.0);
            let mut call = store.scripts.reserve.prepare_invoke();
            for key in hold.keys() {
                call.key(key);
            }
            call.arg(hold.id()).arg(store.lease.as_millis().to_string());
            for part in parts(ask.want).into_iter().chain(parts(ask.at_least)) {
                call.arg(part);
            }
            for argument in ask.lines.iter().flat_map(line_arguments) {
                call.arg(argument);
            }
            let answer: Result<Value, String> = store.link.decide(&call).await;
            let cause = match answer.map(Answer::read) {
                Ok(Some(Answer::Held(amount))) => return Ok(Reservation::new(amount, hold.alive())),
                Ok(Some(Answer::Full { index, reason, at })) => {
                    hold.nothing_held();
                    let line = ask.lines.get(index).unwrap_or(&first);
                    return Err(refusal(line, reason, ask.at_least, at));
                }
                Ok(None) => "its answer makes no sense".to_owned(),
                Err(cause) => cause,
            };
            if hold.budgets.when_down == OnStoreFailure::FailOpen {
                // Should the store have heard it after all, the hold ends with the attempt.
                return Ok(Reservation::new(ask.want, hold.blind()));
            }
            Err(refusal(
                &first,
                RefusalReason::StoreDown { cause },
                ask.at_least,
                ask.at,
            ))
        }))
    }

    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime) {
        if lines.is_empty() {
            return;
        }
        let sign = if by.is_negative() { "-" } else { "+" };
        let [dollars, pico] = parts(UsdAmount::from_pico(by.pico().saturating_abs()));
        let head = [sign.to_owned(), dollars, pico, at.millis().to_string()];
        let keys = lines.iter().map(|line| self.account_key(line)).collect();
        let arguments = head.into_iter().chain(lines.iter().flat_map(line_arguments)).collect();
        self.delivery.send(Word::new("adjust", keys, arguments));
    }
}

fn refusal(line: &AccountRef, reason: RefusalReason, needed: UsdAmount, at: UtcTime) -> Box<Refusal> {
    Box::new(Refusal::new(&line.budget, &line.account, reason, needed, at))
}

/// What the script said.
enum Answer {
    Held(UsdAmount),
    /// Which account, what stands there, and the server's time.
    Full {
        index: usize,
        reason: RefusalReason,
        at: UtcTime,
    },
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
                let reserved = amount(&next()?, &next()?)?;
                let reason = RefusalReason::Spent { settled, reserved };
                let at = UtcTime::from_millis(next()?.parse().ok()?);
                Some(Self::Full { index, reason, at })
            }
            _ => None,
        }
    }
}

/// The hold of an attempt that no budget is for.
#[derive(Debug)]
struct Nothing;

impl Hold for Nothing {
    fn settle(self: Box<Self>, _: UsdAmount) {}
}

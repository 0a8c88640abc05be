//! Budgets whose accounts several processes share.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use redis::Value;
use tokio::time::Instant;
use tower_llm_layers::{
    UsdAmount, UtcTime,
    budget::{
        AccountRef, AccountState, BudgetStore, Budgets, Decision, Refusal, RefusalReason, Reservation,
        ReservationHandle, ReserveRequest, Window,
    },
};

use crate::{
    command::StoreCommand,
    delivery::Delivery,
    error::RedisError,
    hold::SharedHold,
    money::{amount, line_arguments, parts, rule_of},
    policy::OnStoreFailure,
    server::Server,
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
/// A decision that is dropped releases what it may have reserved. The end of a reservation is sent by a task: [`flush`](Self::flush) waits for it,
/// e.g. before the process ends.
#[derive(Debug, Clone)]
pub struct RedisBudgets {
    server: Arc<Server>,
    delivery: Arc<Delivery>,
    on_store_failure: OnStoreFailure,
}

impl RedisBudgets {
    pub(crate) const fn new(server: Arc<Server>, delivery: Arc<Delivery>) -> Self {
        Self {
            server,
            delivery,
            on_store_failure: OnStoreFailure::FailClosed,
        }
    }

    /// What happens while the store does not answer: it refuses by default, unless all budgets of the attempt only warn. What passes blind is
    /// counted ([`Store::blind_decisions`](crate::Store::blind_decisions)), and what it spends is recorded once the store is back.
    #[must_use]
    pub const fn on_store_failure(mut self, policy: OnStoreFailure) -> Self {
        self.on_store_failure = policy;
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

    /// How often the server had lost what was spent on an account, e.g. after a `FLUSHALL`, and what this process had seen of it was counted again.
    /// Each time something is missing: what no process has seen, and what was reserved.
    #[must_use]
    pub fn restored(&self) -> u64 {
        self.server.snapshots.restored()
    }

    /// Makes what was spent on an account at least what a ledger says: amounts, by the times at which they count. For a process that starts, and for a
    /// budget whose window or scope has changed. It counts once, by however many processes; what another process still has to deliver, e.g. after an
    /// outage, is added to it. An account that was [reset](BudgetStore::reset) in its present window stays as it is. Returns at once:
    /// [`flush`](Self::flush) waits for it.
    pub fn refill_to(&self, line: &AccountRef, spent: impl IntoIterator<Item = (UtcTime, UsdAmount)>) {
        let now = UtcTime::now();
        let (begins, part) = (line.budget.window_start(now), part_of(line.budget.window()));
        let mut sums = BTreeMap::<u64, (UtcTime, UsdAmount)>::new();
        for (at, amount) in spent.into_iter().filter(|(at, _)| *at >= begins) {
            let (last, sum) = sums.entry(at.millis() / part).or_default();
            (*last, *sum) = (at.max(*last), sum.saturating_add(amount));
        }
        let amounts = sums.into_values().flat_map(|(at, amount)| {
            let [dollars, pico] = parts(amount);
            [at.millis().to_string(), dollars, pico]
        });
        let arguments = line_arguments(line).into_iter().chain(amounts).collect();
        let command = StoreCommand::new("refill", vec![self.server.account_key(line)], arguments);
        self.delivery.send(command.about(vec![line.clone()]));
    }

    /// How every account of these budgets stands, in all processes, the fullest first. Looks through all keys of the server, and writes nothing: it is
    /// meant for a page, not for a call.
    ///
    /// # Errors
    ///
    /// [`RedisError`] if the store does not answer.
    pub async fn accounts(&self, budgets: &Budgets) -> Result<Vec<AccountState>, RedisError> {
        let server = &self.server;
        let all = server.key("budget", "");
        let pattern: String = all.chars().flat_map(literal).chain(['*']).collect();
        // A scan may show a key twice.
        let (mut cursor, mut seen) = (0_u64, HashSet::new());
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1_000);
            let (next, keys): (u64, Vec<String>) = server.link.ask(&scan).await?;
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
        states.sort_by_cached_key(|state| (state.free(), state.account.clone()));
        Ok(states)
    }

    /// The state of the account of a line; `None` if it was not used yet.
    ///
    /// # Errors
    ///
    /// [`RedisError`] if the store does not answer.
    pub async fn account(&self, line: &AccountRef) -> Result<Option<AccountState>, RedisError> {
        let mut states = self.read(std::slice::from_ref(line)).await?;
        Ok(states.pop().flatten())
    }

    async fn read(&self, lines: &[AccountRef]) -> Result<Vec<Option<AccountState>>, RedisError> {
        let mut call = self.server.scripts.read.prepare_invoke();
        for line in lines {
            call.key(self.server.account_key(line))
                .arg(rule_of(&line.budget, UtcTime::now()));
        }
        let all: Vec<Vec<String>> = self.server.link.ask_script(&call).await?;
        let state = |(line, parts): (&AccountRef, &Vec<String>)| {
            let [
                settled,
                settled_pico,
                reserved,
                reserved_pico,
                over,
                over_pico,
                now,
                full,
            ] = &parts[..]
            else {
                return None;
            };
            let mut state = AccountState::new(line, UtcTime::from_millis(now.parse().ok()?));
            state.settled = amount(settled, settled_pico)?;
            state.reserved = amount(reserved, reserved_pico)?;
            state.overrun = amount(over, over_pico)?;
            if matches!(line.budget.window(), Window::Rolling(_)) {
                state.resets = time(full);
            }
            Some(state)
        };
        Ok(lines.iter().zip(&all).map(state).collect())
    }
}

/// How exactly a script keeps the times of what was spent, in milliseconds: of a window that rolls, by a thirtieth of it; of any other, not at all.
fn part_of(window: Window) -> u64 {
    let Window::Rolling(span) = window else { return u64::MAX };
    u64::try_from(span.as_millis()).map_or(1, |millis| (millis / 30).max(1))
}

/// A time that a script says; `None` if it says 0.
fn time(millis: &str) -> Option<UtcTime> {
    let millis = millis.parse().ok().filter(|millis| *millis > 0)?;
    Some(UtcTime::from_millis(millis))
}

/// A letter as a pattern means it.
fn literal(letter: char) -> impl Iterator<Item = char> {
    let special = matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^' | '-');
    special.then_some('\\').into_iter().chain([letter])
}

impl BudgetStore for RedisBudgets {
    fn reserve(&self, mut ask: ReserveRequest) -> Decision {
        ask.lines.iter_mut().for_each(AccountRef::use_budget_in_force);
        let Some(first) = ask.lines.first().cloned() else {
            return Decision::Now(Ok(Reservation::new(ask.want, Box::new(Nothing))));
        };
        let this = self.clone();
        Decision::Later(Box::pin(async move {
            let deadline = this.server.link.deadline();
            // After an outage, what was spent goes first: it was held, and that must not be granted twice, nor stand in the way.
            this.delivery.recover(deadline).await;
            let mut is_second = false;
            loop {
                let done = this.delivery.done();
                // Dropped from here on, whatever was held is given back.
                let hold = SharedHold::new(&this.server, &this.delivery, ask.lines.clone());
                let cause = match this.decide(&hold, &ask, deadline).await {
                    Ok(Answer::Held(amount)) => return Ok(Reservation::new(amount, hold.alive())),
                    Ok(Answer::Full {
                        index,
                        reason,
                        at,
                        free,
                    }) => {
                        hold.nothing_held();
                        // What has ended here, and the store had not heard of yet, is free.
                        if !is_second && this.delivery.catches_up(done, deadline).await {
                            is_second = true;
                            continue;
                        }
                        let line = ask.lines.get(index).unwrap_or(&first);
                        let refusal = refusal(line, reason, ask.at_least, at);
                        let rolls = matches!(line.budget.window(), Window::Rolling(_));
                        return Err(if rolls {
                            Box::new(refusal.free_at(free))
                        } else {
                            refusal
                        });
                    }
                    Err(cause) => cause,
                };
                let closed = this.on_store_failure == OnStoreFailure::FailClosed;
                let Some(line) = ask.first_hard_line().filter(|_| closed) else {
                    // If the store received it after all, the reservation ends with the attempt.
                    return Ok(Reservation::new(ask.want, hold.blind()));
                };
                let reason = RefusalReason::StoreDown { cause };
                return Err(refusal(line, reason, ask.at_least, ask.at));
            }
        }))
    }

    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime) {
        if lines.is_empty() {
            return;
        }
        let sign = if by.is_negative() { "-" } else { "+" };
        let [dollars, pico] = parts(UsdAmount::from_pico(by.pico().saturating_abs()));
        let head = [sign.to_owned(), dollars, pico, at.millis().to_string()];
        let keys = lines.iter().map(|line| self.server.account_key(line)).collect();
        let arguments = head.into_iter().chain(lines.iter().flat_map(line_arguments)).collect();
        let command = StoreCommand::new("adjust", keys, arguments).about(lines.to_vec());
        self.delivery.send(command);
    }

    fn reset(&self, lines: &[AccountRef]) -> bool {
        let keys = lines.iter().map(|line| self.server.account_key(line)).collect();
        let arguments = lines.iter().flat_map(line_arguments).collect();
        let command = StoreCommand::new("reset", keys, arguments).about(lines.to_vec());
        self.delivery.send(command);
        true
    }
}

impl RedisBudgets {
    /// Asks the store; says why there is no answer.
    async fn decide(&self, hold: &SharedHold, ask: &ReserveRequest, deadline: Instant) -> Result<Answer, String> {
        let mut call = self.server.scripts.reserve.prepare_invoke();
        for key in hold.keys() {
            call.key(key);
        }
        call.arg(hold.id()).arg(self.server.lease_millis());
        for part in parts(ask.want).into_iter().chain(parts(ask.at_least)) {
            call.arg(part);
        }
        for argument in ask.lines.iter().flat_map(line_arguments) {
            call.arg(argument);
        }
        // If the server has lost what was spent, it counts again what was seen of it before it decides.
        for line in &ask.lines {
            call.arg(self.server.snapshots.argument(line));
        }
        let answer: Value = self.server.link.decide(&call, deadline).await?;
        let (answer, seen) = Answer::read(answer).ok_or_else(|| "its answer is invalid".to_owned())?;
        for (line, said) in ask.lines.iter().zip(&seen) {
            self.server.snapshots.note_decision(line, said);
        }
        Ok(answer)
    }
}

fn refusal(line: &AccountRef, reason: RefusalReason, needed: UsdAmount, at: UtcTime) -> Box<Refusal> {
    Box::new(Refusal::new(&line.budget, &line.account, reason, needed, at))
}

/// What the script said.
enum Answer {
    Held(UsdAmount),
    /// Which account, what stands there, the server's time, and when enough of a rolling window is free again.
    Full {
        index: usize,
        reason: RefusalReason,
        at: UtcTime,
        free: Option<UtcTime>,
    },
}

impl Answer {
    /// Also what is to be remembered of each account that was looked at.
    fn read(value: Value) -> Option<(Self, Vec<Vec<String>>)> {
        let Value::Array(items) = value else { return None };
        let mut items = items.into_iter();
        let verdict: i64 = redis::from_redis_value(items.next()?).ok()?;
        let mut next = || redis::from_redis_value::<String>(items.next()?).ok();
        let answer = match verdict {
            1 => Self::Held(amount(&next()?, &next()?)?),
            0 => {
                let index = next()?.parse().ok()?;
                let settled = amount(&next()?, &next()?)?;
                let reserved = amount(&next()?, &next()?)?;
                let reason = RefusalReason::Spent { settled, reserved };
                let at = UtcTime::from_millis(next()?.parse().ok()?);
                let free = time(&next()?);
                Self::Full {
                    index,
                    reason,
                    at,
                    free,
                }
            }
            _ => return None,
        };
        let seen = items.next().and_then(|seen| redis::from_redis_value(seen).ok());
        Some((answer, seen.unwrap_or_default()))
    }
}

/// The hold of an attempt that no budget is for.
#[derive(Debug)]
struct Nothing;

impl ReservationHandle for Nothing {
    fn settle(self: Box<Self>, _: UsdAmount) {}
}

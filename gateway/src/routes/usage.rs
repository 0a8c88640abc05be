//! What was spent with a client key, in the windows that OpenRouter's SDKs read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedMutexGuard, Semaphore},
    time::{Instant, timeout},
};
use tower_openrouter::{
    UsdAmount,
    layers::{UtcTime, budget::Window, ledger::Spend},
    ledger::{DatabaseLedger, Filter, LedgerError},
};

use crate::{accounts::BudgetState, keys};

/// How long an answer of the ledger is good for, and a failure: a client that calls again and again costs the database nothing.
const FRESH: Duration = Duration::from_secs(5);
/// An answer that took long is good for so many times as long as it took, so that the ledger has time for other questions.
const REST: u32 = 4;
/// But no longer than this.
const LONGEST: Duration = Duration::from_secs(60);
/// Keys whose answers are kept.
const MOST_KEPT: usize = 1_000;
/// Keys that are summed at once.
const AT_ONCE: usize = 2;
/// How long a caller waits for the ledger. The question continues, and its answer is kept for the next caller: if it were dropped, the next caller would
/// begin it again.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was spent with a key: ever, and in the current day, week and month of UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) ever: UsdAmount,
    pub(super) day: UsdAmount,
    pub(super) week: UsdAmount,
    pub(super) month: UsdAmount,
}

impl Usage {
    /// With what budgets say that the ledger has not written yet, or that no ledger keeps.
    pub(super) fn with(mut self, budgets: &[BudgetState]) -> Self {
        for budget in budgets {
            let spent = budget.spent.parse().unwrap_or(UsdAmount::ZERO);
            let window = match budget.per {
                "day" => &mut self.day,
                "week" => &mut self.week,
                "month" => &mut self.month,
                _ => &mut self.ever,
            };
            *window = spent.max(*window);
        }
        let parts = [self.day, self.week, self.month];
        self.ever = parts.into_iter().fold(self.ever, Ord::max);
        self
    }
}

/// The sums of the ledger by key, kept for some seconds.
#[derive(Debug, Clone)]
pub(super) struct Usages(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kept: StdMutex<HashMap<Box<str>, Arc<Slot>>>,
    places: Arc<Semaphore>,
}

/// The last answer of one key. It is locked while the next one is sought: of each key there is one question at a time.
type Slot = Mutex<Option<Answer>>;

/// What the ledger has of a key, or why that is not known.
type Found = Result<Usage, Arc<str>>;

#[derive(Debug)]
struct Answer {
    until: Instant,
    found: Found,
}

impl Usages {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            kept: StdMutex::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }))
    }

    /// What the ledger has of the key of this name.
    ///
    /// # Errors
    ///
    /// If it does not answer in time.
    pub(super) async fn of(&self, ledger: &DatabaseLedger, name: &str) -> Found {
        let (ledger, key) = (ledger.clone(), name.to_owned());
        let question = async move { summed(&ledger, &key).await.map_err(|error| error.to_string()) };
        self.found(name, question).await
    }

    async fn found(&self, name: &str, question: impl Future<Output = Result<Usage, String>> + Send + 'static) -> Found {
        let slot = self.slot(name);
        let found = match Arc::clone(&slot).try_lock_owned() {
            Ok(last) => {
                if let Some(found) = fresh(&last) {
                    return found;
                }
                let task = tokio::spawn(answer(last, Arc::clone(&self.0.places), question));
                timeout(PATIENCE, task).await.ok().and_then(Result::ok)
            }
            // The answer to the question in progress is this caller's, too.
            Err(_) => timeout(PATIENCE, slot.lock()).await.ok().and_then(|last| fresh(&last)),
        };
        found.unwrap_or_else(|| Err(format!("no answer within {PATIENCE:?}").into()))
    }

    fn slot(&self, name: &str) -> Arc<Slot> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = kept.get(name) {
            return Arc::clone(slot);
        }
        if kept.len() >= MOST_KEPT {
            // Those whose question is in progress stay.
            kept.retain(|_, slot| slot.try_lock().is_err());
        }
        let slot = Arc::<Slot>::default();
        kept.insert(name.into(), Arc::clone(&slot));
        slot
    }
}

/// The last answer, while it is good.
fn fresh(last: &Option<Answer>) -> Option<Found> {
    let answer = last.as_ref().filter(|answer| Instant::now() < answer.until)?;
    Some(answer.found.clone())
}

/// Waits for a place and for the answer, and keeps it.
async fn answer(
    mut last: OwnedMutexGuard<Option<Answer>>,
    places: Arc<Semaphore>,
    question: impl Future<Output = Result<Usage, String>>,
) -> Found {
    // It is never closed.
    let _place = places.acquire().await;
    let begun = Instant::now();
    let found: Found = question.await.map_err(Into::into);
    if let Err(error) = &found {
        tracing::warn!(target: "gateway", %error, "what was spent is not known: the ledger does not answer");
    }
    let good = (begun.elapsed() * REST).clamp(FRESH, LONGEST);
    *last = Some(Answer {
        until: Instant::now() + good,
        found: found.clone(),
    });
    found
}

async fn summed(ledger: &DatabaseLedger, name: &str) -> Result<Usage, LedgerError> {
    let now = UtcTime::now();
    let own = || Filter::new().tag(keys::TAG, name);
    let cost = |spend: Spend| spend.cost;
    Ok(Usage {
        ever: ledger.total(&own()).await.map(cost)?,
        month: ledger.total(&own().from(Window::Month.start(now))).await.map(cost)?,
        week: ledger.total(&own().from(Window::Week.start(now))).await.map(cost)?,
        day: ledger.total(&own().from(Window::Day.start(now))).await.map(cost)?,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicU32, Ordering},
    };

    use futures_util::{FutureExt, future::join_all};
    use tokio::time::{advance, sleep};

    use super::*;

    /// A question that takes so long, and is counted.
    fn question(
        count: &Arc<AtomicU32>,
        takes: Duration,
        answer: Result<Usage, String>,
    ) -> impl Future<Output = Result<Usage, String>> + Send + 'static {
        let count = Arc::clone(count);
        async move {
            count.fetch_add(1, Ordering::Relaxed);
            sleep(takes).await;
            answer
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_kept_as_an_answer_is() {
        let (usages, count) = (Usages::new(), Arc::<AtomicU32>::default());
        for answer in [Ok(Usage::default()), Err("no such table".to_owned())] {
            let before = count.load(Ordering::Relaxed);
            for _ in 0..10 {
                let found = usages
                    .found("acme", question(&count, Duration::ZERO, answer.clone()))
                    .await;
                assert_eq!(found.is_ok(), answer.is_ok());
                advance(FRESH / 11).await;
            }
            assert_eq!(count.load(Ordering::Relaxed) - before, 1);
            advance(FRESH).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_ledger_has_one_question_of_a_key_and_its_answer_is_for_the_next_caller() {
        let (usages, count) = (Usages::new(), Arc::<AtomicU32>::default());
        let slow = || question(&count, 3 * PATIENCE, Ok(Usage::default()));
        let callers = join_all((0..20).map(|_| usages.found("acme", slow())));
        assert!(
            callers.await.iter().all(Result::is_err),
            "it takes longer than they wait"
        );
        sleep(3 * PATIENCE).await;
        assert!(usages.found("acme", slow()).await.is_ok());
        // Good for longer than a quick one.
        advance(2 * FRESH).await;
        assert!(usages.found("acme", slow()).await.is_ok());
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_leaves_ends_no_question_and_other_keys_have_theirs() {
        let (usages, count) = (Usages::new(), Arc::<AtomicU32>::default());
        let mut gone = Box::pin(usages.found("acme", question(&count, PATIENCE / 2, Ok(Usage::default()))));
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        let stuck = usages.found("other", pending());
        let found = usages.found("acme", pending());
        let (stuck, found) = tokio::join!(stuck, found);
        assert!(stuck.is_err() && found.is_ok());
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_budget_knows_what_no_ledger_has_written() {
        let usd = |text: &str| text.parse::<UsdAmount>().unwrap();
        let budget = |per, spent: &str| BudgetState {
            name: "key/acme".to_owned(),
            usd: "5.00".to_owned(),
            per,
            spent: spent.to_owned(),
            reserved: "0.00".to_owned(),
            free: "1.00".to_owned(),
            resets: None,
        };
        let ledger = Usage {
            ever: usd("3"),
            day: usd("1"),
            ..Usage::default()
        };
        let usage = ledger.with(&[budget("day", "0.50"), budget("month", "4.00")]);
        assert_eq!(
            (usage.ever, usage.day, usage.week, usage.month),
            (usd("4"), usd("1"), usd("0"), usd("4"))
        );
    }
}

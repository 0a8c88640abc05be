//! The bills of answers, looked up at the accounts they are charged to.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use tower_llm_layers::{
    FailureKind, TokenUsage, UsdAmount,
    ledger::Entry,
    reconcile::{Bill, BillError, BillFuture, BillSource},
};

use super::Account;
use crate::response::ToUsd as _;
use crate::{Error, transport::OPENROUTER};
use openrouter_wire::{Decimal, account::Generation};

/// More than any answer costs, as for a charge in the usage of an answer: an absurd bill would fill a budget until it is reset.
const MOST_BILL: UsdAmount = UsdAmount::from_pico(100_000_000_000_000_000);

/// The bills of answers, from the accounts they are charged to: for a [`Reconciler`](tower_llm_layers::reconcile::Reconciler).
///
/// If the account of an upstream is not here, its answers have no bill: their estimates stay. Cheap to clone; clones are the same, also when an
/// account is [replaced](Self::replace).
///
/// ```
/// use std::sync::Arc;
/// use tower_openrouter::{
///     Account, ApiKey, Transport, Upstream,
///     account::Bills,
///     layers::reconcile::Reconciler,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = ApiKey::new("sk-or-v1-…".replace('…', "x"))?;
/// let account = Account::new(Transport::openrouter()?, Upstream::openrouter()?, Some(key));
/// let reconciler = Reconciler::builder(Arc::new(Bills::openrouter(account)))
///     .spawn_on(tokio::runtime::Handle::current())?;
/// assert_eq!(reconciler.pending(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Bills {
    accounts: Arc<RwLock<HashMap<Box<str>, Account>>>,
}

impl Bills {
    /// OpenRouter's.
    #[must_use]
    pub fn openrouter(account: Account) -> Self {
        Self::default().upstream(OPENROUTER, account)
    }

    /// The same with those of another upstream that speaks OpenRouter's dialect.
    #[must_use]
    pub fn upstream(self, name: &str, account: Account) -> Self {
        self.replace(name, account);
        self
    }

    /// Puts this account in the place of the one of this upstream, or adds it: all bills that are requested from now on are requested there,
    /// also those of answers that came before. For a key that was rotated, or another base URL.
    ///
    /// ```
    /// use tower_openrouter::{Account, ApiKey, Transport, Upstream, account::Bills, transport::OPENROUTER};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let account = |key: &str| -> Result<Account, Box<dyn std::error::Error>> {
    ///     Ok(Account::new(Transport::openrouter()?, Upstream::openrouter()?, Some(ApiKey::new(key)?)))
    /// };
    /// let bills = Bills::openrouter(account("sk-or-v1-old")?);
    /// // A reconciler that has a clone requests its next bill with the new key.
    /// bills.replace(OPENROUTER, account("sk-or-v1-new")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace(&self, name: &str, account: Account) {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        accounts.insert(name.into(), account);
    }

    fn account(&self, upstream: &str) -> Option<Account> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.get(upstream).cloned()
    }
}

impl BillSource for Bills {
    fn has_bills(&self, upstream: &str) -> bool {
        self.account(upstream).is_some()
    }

    fn bill(&self, entry: &Entry) -> BillFuture {
        let account = self.account(&entry.upstream);
        let (id, upstream, known) = (entry.generation_id.clone(), entry.upstream.clone(), entry.usage);
        Box::pin(async move {
            let never = |reason: &dyn fmt::Display| BillError::Never {
                reason: reason.to_string(),
            };
            let (Some(account), Some(id)) = (account, id) else {
                return Err(never(&format_args!(
                    "`{upstream}` reports no bills, or its account is not known here"
                )));
            };
            match account.generation(&id).await {
                Ok(generation) => generation
                    .map(|generation| bill(&generation, known))
                    .transpose()
                    .map(Option::flatten),
                Err(error) if hopeless(&error) => Err(never(&error)),
                Err(error) => {
                    let reason = error.to_string();
                    // A rejected key says nothing of the bill.
                    Err(match error.kind() {
                        FailureKind::Auth => BillError::Refused { reason },
                        _ => BillError::Later { reason },
                    })
                }
            }
        })
    }
}

/// A bill without an amount is none yet. `known` is the usage of its entry.
fn bill(generation: &Generation, known: TokenUsage) -> Result<Option<Bill>, BillError> {
    let Some(charged) = amount(generation.total_cost.as_ref())? else {
        return Ok(None);
    };
    let upstream = amount(generation.upstream_inference_cost.as_ref())?;
    let byok = generation.is_byok == Some(true);
    if byok && upstream.is_none() {
        // The fee alone is not the bill.
        return Ok(None);
    }
    let on_top = upstream.filter(|_| byok).unwrap_or(UsdAmount::ZERO);
    let mut usage = counts(generation, known);
    usage.charged = Some(charged);
    usage.charged_upstream = upstream.filter(|_| byok);
    Ok(Some(Bill::new(charged.saturating_add(on_top), Some(usage))))
}

/// The counts of a bill. One that it does not have, or not as a number, stays as it was known, and is no more than the whole that it is a part of.
fn counts(generation: &Generation, known: TokenUsage) -> TokenUsage {
    let mut usage = known;
    usage.prompt = generation.native_tokens_prompt.unwrap_or(known.prompt);
    usage.answer = generation.native_tokens_completion.unwrap_or(known.answer);
    usage.cached = generation.native_tokens_cached.unwrap_or(known.cached);
    usage.reasoning = generation.native_tokens_reasoning.unwrap_or(known.reasoning);
    for (part, whole) in [
        (&mut usage.cached, usage.prompt),
        (&mut usage.cache_written, usage.prompt),
        (&mut usage.audio, usage.prompt),
        (&mut usage.images, usage.prompt),
        (&mut usage.reasoning, usage.answer),
        (&mut usage.answer_audio, usage.answer),
        (&mut usage.answer_images, usage.answer),
    ] {
        *part = (*part).min(whole);
    }
    usage.cache_written_1h = usage.cache_written_1h.min(usage.cache_written);
    if generation.native_tokens_prompt.is_some() {
        usage.image_count = 0;
    }
    usage
}

fn amount(written: Option<&Decimal>) -> Result<Option<UsdAmount>, BillError> {
    let Some(written) = written else { return Ok(None) };
    match written.to_usd() {
        Ok(amount) if !amount.is_negative() && amount <= MOST_BILL => Ok(Some(amount)),
        Ok(amount) => Err(BillError::Never {
            reason: format!("the bill of {amount} is no amount that an answer can cost: its estimate stays"),
        }),
        Err(_) => Err(BillError::Never {
            reason: "the bill is not an amount of money".to_owned(),
        }),
    }
}

/// Requested again, it would fail the same way. A key that is refused now may be replaced, or accepted again, before the bill is given up.
fn hopeless(error: &Error) -> bool {
    error.kind() == FailureKind::BadRequest
}

#[cfg(test)]
mod tests {
    use openrouter_simulator::Simulator;
    use tower_llm_layers::{
        Tags, UtcTime,
        auth::ApiKey,
        ledger::{CallId, EntryId, EntryOutcome, EntryState},
    };

    use super::*;
    use crate::transport::{Dialect, Transport, Upstream};

    fn account(simulator: &Simulator, key: &str) -> Account {
        let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter).unwrap();
        let transport = Transport::builder().upstream(upstream.clone()).build().unwrap();
        Account::new(transport, upstream, Some(ApiKey::new(key).unwrap()))
    }

    fn estimated() -> Entry {
        let at = UtcTime::now();
        Entry {
            id: EntryId::new(at),
            call: CallId::new(at),
            attempt: 1,
            began: at,
            ended: at,
            upstream: OPENROUTER.into(),
            provider: None,
            model: "a/b".into(),
            served_model: None,
            tags: Tags::default(),
            state: EntryState::Estimated,
            outcome: EntryOutcome::Dropped,
            streamed: true,
            reserved: UsdAmount::ZERO,
            estimate: Some(UsdAmount::ZERO),
            bill: None,
            recorded: UsdAmount::ZERO,
            usage: TokenUsage::default(),
            generation_id: Some("gen-1".into()),
            first_token: None,
            clamped_to: None,
            affordable_tokens: None,
        }
    }

    #[test]
    fn a_count_that_a_bill_does_not_have_stays_as_it_was_known() {
        let mut known = TokenUsage::new(12_000, 700);
        (known.cache_written, known.cache_written_1h, known.searches) = (500, 400, 2);
        let read = |counts: &str| {
            let json = format!(r#"{{"id":"gen-1","total_cost":0.5{counts}}}"#);
            let bill = bill(&serde_json::from_str(&json).unwrap(), known).unwrap().unwrap();
            bill.usage.unwrap()
        };
        let all = |usage: TokenUsage| {
            (
                (usage.prompt, usage.answer, usage.searches),
                (usage.cache_written, usage.cache_written_1h, usage.reasoning),
            )
        };
        for counts in [
            "",
            r#","native_tokens_prompt":null,"native_tokens_completion":null"#,
            r#","native_tokens_prompt":"12000","native_tokens_completion":"700""#,
            r#","native_tokens_prompt":12000,"native_tokens_completion":700"#,
        ] {
            let usage = read(counts);
            assert_eq!(all(usage), ((12_000, 700, 2), (500, 400, 0)), "{counts}");
            assert_eq!(usage.charged, Some("0.5".parse().unwrap()));
        }
        let fewer = read(r#","native_tokens_prompt":300,"native_tokens_completion":9,"native_tokens_reasoning":7"#);
        assert_eq!(
            all(fewer),
            ((300, 9, 2), (300, 300, 7)),
            "a part is no more than its whole"
        );
        let more = read(r#","native_tokens_completion":9,"native_tokens_reasoning":70,"native_tokens_cached":90000"#);
        assert_eq!(
            (more.answer, more.reasoning, more.cached),
            (9, 9, 12_000),
            "nor are the bill's"
        );
        let none = read(r#","native_tokens_prompt":0,"native_tokens_completion":0"#);
        assert_eq!(all(none), ((0, 0, 2), (0, 0, 0)), "zero is a count");
    }

    #[test]
    fn an_absurd_bill_is_none() {
        let read = |costs: &str| {
            let generation: Generation = serde_json::from_str(&format!(r#"{{"id":"gen-1",{costs}}}"#)).unwrap();
            bill(&generation, TokenUsage::default())
        };
        assert!(read(r#""total_cost":100000"#).unwrap().is_some());
        for absurd in [
            r#""total_cost":100000.01"#,
            r#""total_cost":100000000000000000000000000"#,
            r#""total_cost":-1"#,
            r#""total_cost":1e99"#,
            r#""total_cost":1,"is_byok":true,"upstream_inference_cost":1e20"#,
        ] {
            assert!(matches!(read(absurd), Err(BillError::Never { .. })), "{absurd}");
        }
    }

    #[tokio::test]
    async fn a_rejected_key_is_a_refusal_until_it_is_replaced_for_all_clones() {
        let simulator = Simulator::builder().key("sk-or-v1-new").start().await.unwrap();
        let bills = Bills::openrouter(account(&simulator, "sk-or-v1-old"));
        let (held, entry) = (bills.clone(), estimated());
        let refused = held.bill(&entry).await.unwrap_err();
        assert!(matches!(refused, BillError::Refused { .. }), "{refused:?}");
        bills.replace(OPENROUTER, account(&simulator, "sk-or-v1-new"));
        assert_eq!(held.bill(&entry).await, Ok(None), "it is only not known yet");
    }
}

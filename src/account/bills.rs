//! The bills of answers, looked up at the accounts they are charged to.

use std::{collections::HashMap, fmt};

use tower_llm_layers::{
    FailureKind, TokenUsage, UsdAmount,
    ledger::Entry,
    reconcile::{Bill, BillError, BillFuture, BillSource},
};

use super::Account;
use crate::response::ToUsd as _;
use crate::{Error, transport::OPENROUTER};
use openrouter_wire::{Decimal, account::Generation};

/// The bills of answers, from the accounts they are charged to: for a [`Reconciler`](tower_llm_layers::reconcile::Reconciler).
///
/// If the account of an upstream is not here, its answers have no bill: their estimates stay.
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
    accounts: HashMap<Box<str>, Account>,
}

impl Bills {
    /// OpenRouter's.
    #[must_use]
    pub fn openrouter(account: Account) -> Self {
        Self::default().upstream(OPENROUTER, account)
    }

    /// The same with those of another upstream that speaks OpenRouter's dialect.
    #[must_use]
    pub fn upstream(mut self, name: &str, account: Account) -> Self {
        self.accounts.insert(name.into(), account);
        self
    }
}

impl BillSource for Bills {
    fn has_bills(&self, upstream: &str) -> bool {
        self.accounts.contains_key(upstream)
    }

    fn bill(&self, entry: &Entry) -> BillFuture {
        let account = self.accounts.get(&entry.upstream).cloned();
        let (id, upstream) = (entry.generation_id.clone(), entry.upstream.clone());
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
                    .map(|generation| bill(&generation))
                    .transpose()
                    .map(Option::flatten),
                Err(error) if hopeless(&error) => Err(never(&error)),
                Err(error) => Err(BillError::Later {
                    reason: error.to_string(),
                }),
            }
        })
    }
}

/// A bill without an amount is none yet.
fn bill(generation: &Generation) -> Result<Option<Bill>, BillError> {
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
    let mut usage = TokenUsage::default();
    usage.prompt = generation.native_tokens_prompt.unwrap_or(0);
    usage.answer = generation.native_tokens_completion.unwrap_or(0);
    usage.cached = generation.native_tokens_cached.unwrap_or(0);
    usage.reasoning = generation.native_tokens_reasoning.unwrap_or(0);
    usage.charged = Some(charged);
    usage.charged_upstream = upstream.filter(|_| byok);
    Ok(Some(Bill::new(charged.saturating_add(on_top), Some(usage))))
}

fn amount(written: Option<&Decimal>) -> Result<Option<UsdAmount>, BillError> {
    let Some(written) = written else { return Ok(None) };
    match written.to_usd() {
        Ok(amount) if !amount.is_negative() => Ok(Some(amount)),
        _ => Err(BillError::Never {
            reason: "the bill is not an amount of money".to_owned(),
        }),
    }
}

/// Requested again, it would fail the same way. A key that is refused now may be replaced, or accepted again, before the bill is given up.
fn hopeless(error: &Error) -> bool {
    error.kind() == FailureKind::BadRequest
}

//! The keys of an account: which of them a read is sent with, and what follows if one is refused.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::StatusCode;
use tower_llm_layers::auth::ApiKey;

use super::Account;
use crate::Error;

/// Keys of one upstream. Clones are the same.
///
/// Not the pool of the calls: a key that is rate limited or out of quota may be read with, and one that may not see a balance may make calls.
#[derive(Debug, Clone)]
pub(super) struct AccountKeys {
    keys: Arc<[ApiKey]>,
    /// The place of the one that is tried first: it changes only if that key is rejected and another one is accepted.
    first: Arc<AtomicUsize>,
}

/// What a read is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Of models and their endpoints, which need no key.
    Public,
    /// Of a key, or of its account.
    Own,
    /// Of an answer that one of the keys has paid for: another account does not have it.
    Generation,
}

impl Access {
    /// Whether another key may get what this one did not.
    fn tries_next(self, error: &Error) -> bool {
        match error.status() {
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => true,
            Some(StatusCode::NOT_FOUND) => self == Self::Generation,
            _ => false,
        }
    }
}

/// Which of two refusals is the answer if every key is refused: that an account does not have it, then that its key may not read it, and last that the
/// key is rejected.
fn rank(refusal: &Error) -> u8 {
    match refusal.status() {
        Some(StatusCode::NOT_FOUND) => 2,
        Some(StatusCode::FORBIDDEN) => 1,
        _ => 0,
    }
}

impl AccountKeys {
    /// These keys; without any, nothing is sent as a key.
    pub(super) fn new(keys: impl IntoIterator<Item = ApiKey>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            first: Arc::default(),
        }
    }

    /// The same with more of them behind.
    pub(super) fn with(&self, more: impl IntoIterator<Item = ApiKey>) -> Self {
        Self::new(self.keys.iter().cloned().chain(more))
    }

    /// Each key once, with its place, from the one on that is tried first.
    fn in_turn(&self) -> impl Iterator<Item = (usize, &ApiKey)> {
        let first = self.first.load(Ordering::Relaxed);
        self.keys.iter().enumerate().cycle().skip(first).take(self.keys.len())
    }

    /// Whether another key was tried first until now.
    fn accepted(&self, place: usize) -> bool {
        self.first.swap(place, Ordering::Relaxed) != place
    }
}

impl Account {
    /// The answer to a read with the first key that gets one. What needs no key is read without one if every key is refused.
    pub(super) async fn read_with_keys(&self, path: &str, access: Access) -> Result<Bytes, Error> {
        let (mut refusal, mut is_first_rejected) = (None::<Error>, false);
        for (place, key) in self.keys.in_turn() {
            match self.exchange(path, Some(key)).await {
                Ok(answer) => {
                    // A key that is valid, and only may not read this, stays the first: the others may be of other accounts.
                    if is_first_rejected && self.keys.accepted(place) {
                        tracing::warn!(
                            upstream = self.upstream(),
                            place,
                            "a key of the account is rejected: another one is tried first from now on"
                        );
                    }
                    return Ok(answer);
                }
                // That one account does not have it, and not that a key is refused, is the answer.
                Err(error) if access.tries_next(&error) => {
                    if refusal.is_none() {
                        is_first_rejected = error.status() == Some(StatusCode::UNAUTHORIZED);
                    }
                    if refusal.as_ref().is_none_or(|known| rank(&error) > rank(known)) {
                        refusal = Some(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let Some(refusal) = refusal else {
            return self.exchange(path, None).await;
        };
        if access == Access::Public
            && let Ok(answer) = self.exchange(path, None).await
        {
            return Ok(answer);
        }
        Err(refusal)
    }
}

#[cfg(test)]
mod tests {
    use openrouter_simulator::Simulator;
    use tower_llm_layers::FailureKind;

    use super::*;
    use crate::transport::{Dialect, OPENROUTER, Transport, Upstream};

    const MODEL: &str = "openai/gpt-4o-mini";

    fn account(simulator: &Simulator, keys: &[&str]) -> Account {
        let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter).unwrap();
        let transport = Transport::builder().upstream(upstream.clone()).build().unwrap();
        let mut keys = keys.iter().map(|key| ApiKey::new(*key).unwrap());
        Account::new(transport, upstream, keys.next()).further_keys(keys)
    }

    async fn accepts_b_alone() -> Simulator {
        Simulator::builder().key("sk-or-v1-b").start().await.unwrap()
    }

    #[tokio::test]
    async fn a_key_that_is_refused_gives_way_to_the_next_which_is_tried_first_from_then_on() {
        let simulator = accepts_b_alone().await;
        let account = account(&simulator, &["sk-or-v1-a", "sk-or-v1-b"]);
        account.key().await.unwrap();
        assert_eq!(simulator.report().attempts.len(), 2);
        assert!(account.clone().credits().await.unwrap().is_some());
        assert_eq!(simulator.report().attempts.len(), 3, "clones are the same");
    }

    #[tokio::test]
    async fn the_failure_of_all_keys_is_the_keys() {
        let simulator = accepts_b_alone().await;
        let account = account(&simulator, &["sk-or-v1-a", "sk-or-v1-c"]);
        assert_eq!(account.key().await.unwrap_err().kind(), FailureKind::Auth);
        assert_eq!(simulator.report().attempts.len(), 2);
    }

    #[tokio::test]
    async fn what_is_not_of_the_key_is_not_tried_with_another() {
        let simulator = Simulator::start().await.unwrap();
        let account = account(&simulator, &["sk-or-v1-a", "sk-or-v1-b"]);
        simulator.plan("/key", "503").unwrap();
        assert_eq!(account.key().await.unwrap_err().kind(), FailureKind::Overloaded);
        assert_eq!(simulator.report().attempts.len(), 1);
    }

    #[tokio::test]
    async fn a_generation_that_one_account_does_not_have_is_looked_up_at_the_next() {
        let simulator = accepts_b_alone().await;
        for keys in [["sk-or-v1-a", "sk-or-v1-b"], ["sk-or-v1-b", "sk-or-v1-a"]] {
            let before = simulator.report().attempts.len();
            let generation = account(&simulator, &keys).generation("gen-unknown").await;
            assert!(generation.unwrap().is_none(), "it is not known, and no key is to blame");
            assert_eq!(simulator.report().attempts.len(), before + 2);
        }
    }

    #[tokio::test]
    async fn a_balance_that_one_key_may_not_see_is_unknown_whatever_becomes_of_the_others() {
        let simulator = Simulator::start().await.unwrap();
        for plan in ["403,401", "401,403"] {
            let account = account(&simulator, &["sk-or-v1-a", "sk-or-v1-b"]);
            simulator.plan("/credits", plan).unwrap();
            assert!(account.credits().await.unwrap().is_none(), "{plan}");
        }
    }

    #[tokio::test]
    async fn only_a_key_that_is_rejected_stops_being_the_first() {
        let simulator = Simulator::start().await.unwrap();
        for (plan, first) in [("403,ok", 0), ("401,ok", 1)] {
            let account = account(&simulator, &["sk-or-v1-a", "sk-or-v1-b"]);
            simulator.plan("/credits", plan).unwrap();
            assert!(account.credits().await.unwrap().is_some(), "{plan}");
            assert_eq!(account.keys.first.load(Ordering::Relaxed), first, "{plan}");
        }
    }

    #[tokio::test]
    async fn models_are_read_without_a_key_if_all_are_refused() {
        let simulator = Simulator::start().await.unwrap();
        let account = account(&simulator, &["sk-or-v1-a", "sk-or-v1-b"]);
        simulator.plan("/models", "2x401").unwrap();
        assert!(!account.models().await.unwrap().is_empty());
        simulator.plan("/endpoints", "2x401").unwrap();
        assert!(!account.model_endpoints(MODEL).await.unwrap().endpoints.is_empty());
        simulator.plan("/models", "401").unwrap();
        assert_eq!(account.models().await.unwrap_err().kind(), FailureKind::Auth);
    }
}

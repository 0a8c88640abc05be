//! Idempotency keys that several processes share.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use redis::ScriptInvocation;
use tokio::task::JoinHandle;
use tower_llm_layers::{
    MAX_DURATION, StorableFrame,
    cache::{
        AnswerKey, CachedResponse,
        idempotency::{Claim, Claiming, IdempotencyClaim, IdempotencyStore, Keeping},
    },
};

use crate::{policy::OnStoreFailure, server::Server};

/// Answers by their idempotency keys, shared by several processes. Cheap to clone.
///
/// A call in flight has a [lease](crate::StoreBuilder::lease), which its process renews: the key of a process that is killed is free once the lease
/// has ended, and one of those that wait makes the call. Each process needs the same
/// [secret](tower_llm_layers::cache::idempotency::IdempotencyLayer::key_secret), such as the server's
/// [own](crate::Store::shared_secret). Each answer has an end, and the server needs room for those of
/// a day: one that is full keeps no more of them, which is logged.
///
/// ```no_run
/// use tower_llm_layers::{GlobalKey, cache::{KeySecret, idempotency::IdempotencyLayer}};
/// use tower_llm_redis::Store;
/// # use tower_llm_layers::{Failure, LayerError, StorableFrame};
///
/// # async fn run<F: StorableFrame + Clone + Send + Sync + 'static, E>(secret: [u8; 32]) -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::builder("redis://127.0.0.1:6379").connect().await?;
/// let layer: IdempotencyLayer<F, E, GlobalKey> =
///     IdempotencyLayer::new(store.idempotency(), GlobalKey).key_secret(KeySecret::new(secret));
/// # Ok(())
/// # }
/// ```
///
/// An answer whose model was [degraded](tower_llm_layers::Degraded) has no form in bytes: its key is kept, and its repetitions are refused.
pub struct RedisIdempotency<D> {
    server: Arc<Server>,
    on_store_failure: OnStoreFailure,
    frame: PhantomData<fn() -> D>,
}

impl<D> RedisIdempotency<D> {
    pub(crate) const fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            on_store_failure: OnStoreFailure::FailClosed,
            frame: PhantomData,
        }
    }

    /// What happens to calls with a key while the store does not answer. They are refused by default, since they might be made twice;
    /// [`FailOpen`](OnStoreFailure::FailOpen) makes them, once a process, and does not keep their answers.
    #[must_use]
    pub const fn on_store_failure(mut self, policy: OnStoreFailure) -> Self {
        self.on_store_failure = policy;
        self
    }
}

impl<D> IdempotencyStore<D> for RedisIdempotency<D>
where
    D: StorableFrame + Clone + Send + Sync + 'static,
{
    fn claim(&self, key: &AnswerKey, request: &AnswerKey) -> Claiming<D> {
        let (server, on_store_failure) = (Arc::clone(&self.server), self.on_store_failure);
        let name = server.key("once", &hex(*key));
        let request = hex(*request);
        Box::pin(async move {
            // Dropped from here on, it gives up what it may have claimed.
            let mut held = Held::new(server, name, request);
            let server = Arc::clone(&held.server);
            let mut call = server.scripts.once_claim.prepare_invoke();
            call.key(&held.name)
                .arg(&held.request)
                .arg(&held.id)
                .arg(server.lease_millis());
            match server.link.decide::<(u8, Vec<u8>)>(&call, server.link.deadline()).await {
                Ok((0, _)) => {
                    held.renew();
                    Ok(Claim::Taken(Box::new(held)))
                }
                Ok((number, bytes)) => {
                    held.is_held = false;
                    match number {
                        1 => Ok(Claim::InFlight),
                        // One that is over by now, or that another version wrote.
                        2 => Ok(CachedResponse::from_bytes(&bytes).map_or(Claim::TooLarge, Claim::Kept)),
                        3 => Ok(Claim::TooLarge),
                        4 => Ok(Claim::OtherRequest),
                        _ => Err("its answer is invalid".into()),
                    }
                }
                Err(_) if on_store_failure == OnStoreFailure::FailOpen => Ok(Claim::Taken(Box::new(held))),
                Err(cause) => Err(cause.into()),
            }
        })
    }
}

fn hex(key: AnswerKey) -> String {
    format!("{:032x}", u128::from_be_bytes(key.to_bytes()))
}

/// A claim, or one that may be there.
struct Held {
    server: Arc<Server>,
    name: String,
    request: String,
    id: String,
    is_held: bool,
    renewal: Option<JoinHandle<()>>,
}

impl Held {
    fn new(server: Arc<Server>, name: String, request: String) -> Self {
        Self {
            server,
            name,
            request,
            id: format!("{:032x}", fastrand::u128(..)),
            is_held: true,
            renewal: None,
        }
    }

    /// Renews the lease three times as often as it ends, until it is dropped or the key is another one's.
    fn renew(&mut self) {
        let (server, name, id) = (Arc::clone(&self.server), self.name.clone(), self.id.clone());
        self.renewal = Some(self.server.runtime.spawn(async move {
            let lease = server.lease_millis();
            loop {
                tokio::time::sleep(server.lease / 3).await;
                let mut call = server.scripts.once_hold.prepare_invoke();
                call.key(&name).arg(&id).arg(&lease);
                if matches!(server.link.tell::<u8>(&call).await, Ok(0)) {
                    tracing::warn!(target: "llm::store", "the lease of a call with an idempotency key ended before the call");
                    return;
                }
            }
        }));
    }

    fn ends(&mut self) {
        self.is_held = false;
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
        }
    }
}

impl<D> IdempotencyClaim<D> for Held
where
    D: StorableFrame + Clone + Send + Sync + 'static,
{
    fn keep(mut self: Box<Self>, response: Option<CachedResponse<D>>, keep_for: Duration) -> Keeping {
        let bytes = response.and_then(|response| response.to_bytes());
        Box::pin(async move {
            let server = Arc::clone(&self.server);
            let mut call: ScriptInvocation<'_> = server.scripts.once_keep.prepare_invoke();
            call.key(&self.name)
                .arg(&self.request)
                .arg(&self.id)
                .arg(keep_for.min(MAX_DURATION).as_millis().max(1).to_string())
                .arg(u8::from(bytes.is_some()))
                .arg(bytes.unwrap_or_default());
            let kept = server.link.tell::<u8>(&call).await;
            // Also if it was not kept: then the key is free at the end of its lease, and not before, since the server may have kept it.
            self.ends();
            match kept {
                Ok(1) => Ok(()),
                Ok(_) => Err("its lease ended before the call, and another call has the key since".into()),
                Err(error) => Err(error.to_string().into()),
            }
        })
    }
}

impl Drop for Held {
    /// Gives the key up. Until that arrives, or if the server is away, until the end of the lease, it is in flight for all others.
    fn drop(&mut self) {
        if !self.is_held {
            return;
        }
        self.ends();
        let (server, name, id) = (
            Arc::clone(&self.server),
            std::mem::take(&mut self.name),
            std::mem::take(&mut self.id),
        );
        self.server.runtime.spawn(async move {
            let mut call = server.scripts.once_hold.prepare_invoke();
            call.key(&name).arg(&id).arg("0");
            if let Err(error) = server.link.tell::<u8>(&call).await {
                tracing::debug!(target: "llm::store", %error, "an idempotency key could not be given up: its lease ends by itself");
            }
        });
    }
}

impl<D> Clone for RedisIdempotency<D> {
    fn clone(&self) -> Self {
        Self {
            server: Arc::clone(&self.server),
            ..*self
        }
    }
}

impl<D> fmt::Debug for RedisIdempotency<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisIdempotency")
            .field("server", &self.server)
            .field("on_store_failure", &self.on_store_failure)
            .finish_non_exhaustive()
    }
}

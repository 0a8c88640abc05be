//! Idempotency keys in a real Redis, started for each test.

use std::time::Duration;

use test_servers::Redis;
use tokio::time::{sleep, timeout};
use tower_llm_layers::{
    CacheKey, Frame, KeyWriter, Stage, StorableFrame, UtcTime,
    cache::{
        AnswerKey, CachedResponse,
        idempotency::{Claim, IdempotencyClaim, IdempotencyStore},
    },
};
use tower_llm_redis::{OnStoreFailure, RedisIdempotency, Store};

/// A frame that is its byte.
#[derive(Debug, Clone, PartialEq)]
struct Letter(u8);

impl Frame for Letter {
    fn stage(&self) -> Stage {
        Stage::Content
    }
}

impl StorableFrame for Letter {
    fn write_bytes(&self, out: &mut Vec<u8>) {
        out.push(self.0);
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.first().copied().map(Self)
    }
}

struct Text(&'static str);

impl CacheKey for Text {
    fn write_key(&self, key: &mut KeyWriter<'_>) {
        key.part(self.0.as_bytes());
    }
}

fn key(text: &'static str) -> AnswerKey {
    AnswerKey::new("", &Text(text))
}

/// A response of these letters, as its byte form has it.
fn response(letters: &[u8]) -> CachedResponse<Letter> {
    let mut bytes = vec![1, 0, 200, 2];
    bytes.extend(UtcTime::now().millis().to_be_bytes());
    bytes.extend(86_400_000_u64.to_be_bytes());
    bytes.extend([0; 5]);
    for letter in letters {
        bytes.extend([0, 0, 0, 1, *letter]);
    }
    CachedResponse::from_bytes(&bytes).unwrap()
}

async fn connect(server: &Redis, lease: Duration) -> RedisIdempotency<Letter> {
    let builder = Store::builder(&server.url()).lease(lease);
    let store = builder
        .decision_timeout(Duration::from_secs(30))
        .connect()
        .await
        .unwrap();
    store.idempotency()
}

async fn claim(store: &RedisIdempotency<Letter>, of: &'static str, request: &'static str) -> Claim<Letter> {
    store.claim(&key(of), &key(request)).await.unwrap()
}

async fn taken(store: &RedisIdempotency<Letter>, of: &'static str) -> Box<dyn IdempotencyClaim<Letter>> {
    match claim(store, of, "body").await {
        Claim::Taken(claim) => claim,
        other => unreachable!("{other:?}"),
    }
}

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn one_of_two_processes_makes_the_call_and_both_get_its_answer() {
    let Some(server) = Redis::start() else { return };
    let (one, other) = (connect(&server, DAY).await, connect(&server, DAY).await);
    let own = taken(&one, "a").await;
    assert!(matches!(claim(&other, "a", "body").await, Claim::InFlight));
    assert!(matches!(claim(&other, "a", "another").await, Claim::OtherRequest));
    own.keep(Some(response(b"hi")), DAY).await.unwrap();
    for store in [&one, &other] {
        let Claim::Kept(kept) = claim(store, "a", "body").await else {
            unreachable!()
        };
        assert_eq!(kept.frames(), [Letter(b'h'), Letter(b'i')]);
        assert!(matches!(claim(store, "a", "another").await, Claim::OtherRequest));
    }
    taken(&one, "b").await.keep(None, DAY).await.unwrap();
    assert!(matches!(claim(&other, "b", "body").await, Claim::TooLarge));
    taken(&one, "c")
        .await
        .keep(Some(response(b"x")), Duration::from_millis(1))
        .await
        .unwrap();
    sleep(Duration::from_millis(20)).await;
    assert!(
        matches!(claim(&other, "c", "body").await, Claim::Taken(_)),
        "its time is over"
    );
}

#[tokio::test]
async fn a_claim_that_is_dropped_or_lost_frees_its_key_and_one_that_is_held_does_not() {
    let Some(server) = Redis::start() else { return };
    let lease = Duration::from_millis(300);
    let (one, other) = (connect(&server, lease).await, connect(&server, lease).await);
    let held = taken(&one, "a").await;
    sleep(lease * 3).await;
    assert!(
        matches!(claim(&other, "a", "body").await, Claim::InFlight),
        "it is renewed"
    );
    drop(held);
    let again = async {
        while !matches!(claim(&other, "a", "body").await, Claim::Taken(_)) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(30), again).await.unwrap();
    // A process that was cut off for longer than its lease does not replace what another one has made since.
    let late = taken(&one, "b").await;
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    taken(&other, "b")
        .await
        .keep(Some(response(b"new")), DAY)
        .await
        .unwrap();
    assert!(late.keep(Some(response(b"old")), DAY).await.is_err());
    let Claim::Kept(kept) = claim(&one, "b", "body").await else {
        unreachable!()
    };
    assert_eq!(kept.frames().len(), 3);
}

/// The milliseconds that each key of the server has left; below zero if one has no end.
fn times_left(server: &Redis) -> Vec<i64> {
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    let left = |key: String| -> i64 { redis::cmd("PTTL").arg(key).query(&mut connection).unwrap() };
    keys.into_iter().map(left).collect()
}

#[tokio::test]
async fn a_time_without_end_is_kept_and_has_an_end_in_the_store() {
    let Some(server) = Redis::start() else { return };
    let store = connect(&server, Duration::MAX).await;
    let held = taken(&store, "a").await;
    let own = taken(&store, "b").await;
    let left = times_left(&server);
    assert!(left.len() >= 2 && left.iter().all(|left| *left > 0), "{left:?}");
    own.keep(Some(response(b"x")), Duration::MAX).await.unwrap();
    assert!(matches!(claim(&store, "b", "body").await, Claim::Kept(_)));
    held.keep(None, Duration::MAX).await.unwrap();
    assert!(matches!(claim(&store, "a", "body").await, Claim::TooLarge));
    let left = times_left(&server);
    assert!(left.len() >= 2 && left.iter().all(|left| *left > 0), "{left:?}");
}

#[tokio::test]
async fn a_store_that_is_away_refuses_unless_it_is_set_to_let_pass() {
    let Some(server) = Redis::start() else { return };
    let builder = Store::builder(&server.url()).decision_timeout(Duration::from_millis(250));
    let store: RedisIdempotency<Letter> = builder.connect().await.unwrap().idempotency();
    drop(server);
    assert!(store.claim(&key("a"), &key("body")).await.is_err());
    let open = store.on_store_failure(OnStoreFailure::FailOpen);
    let Claim::Taken(claim) = open.claim(&key("a"), &key("body")).await.unwrap() else {
        unreachable!()
    };
    assert!(claim.keep(Some(response(b"x")), DAY).await.is_err());
}

#[tokio::test]
async fn all_processes_have_one_secret_and_a_server_that_has_lost_it_gets_it_back() {
    let Some(server) = Redis::start() else { return };
    let store = async |prefix: &str| Store::builder(&server.url()).prefix(prefix).connect().await.unwrap();
    let (one, other, apart) = (store("{llm}").await, store("{llm}").await, store("{apart}").await);
    let drawn = one.shared_secret("a", &[1; 32]).await.unwrap();
    assert_eq!(drawn, [1; 32], "the first one draws it");
    assert_eq!(other.shared_secret("a", &[2; 32]).await.unwrap(), drawn);
    assert_eq!(
        other.shared_secret("b", &[3; 32]).await.unwrap(),
        [3; 32],
        "of another name"
    );
    assert_eq!(
        apart.shared_secret("a", &[4; 32]).await.unwrap(),
        [4; 32],
        "of another prefix"
    );
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    assert_eq!(other.shared_secret("a", &drawn).await.unwrap(), drawn);
    let late = store("{llm}").await;
    assert_eq!(
        late.shared_secret("a", &[5; 32]).await.unwrap(),
        drawn,
        "a later process has the same"
    );
    redis::cmd("SET")
        .arg("{llm}:1:secret:a")
        .arg("short")
        .exec(&mut connection)
        .unwrap();
    assert!(late.shared_secret("a", &[5; 32]).await.is_err());
}

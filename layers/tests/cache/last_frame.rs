//! A reader that leaves behind the last frame has the whole answer: it is kept, whether the connection has ended or not.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Body, Frame as BodyFrame};
use http_body_util::BodyExt;
use tower::{Layer, Service};
use tower_llm_layers::{
    FailureKind, Frame, GlobalKey, Stage,
    cache::{
        Cache, CacheLayer,
        idempotency::{IdempotencyKey, IdempotencyLayer, InMemoryIdempotency},
    },
};

use super::MIB;
use crate::support::{TestError, TestRequest, ask, fails, streamed};

/// A frame of an answer, or what its connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letter {
    Text,
    Finish,
    Last,
    /// Nothing more, and no end.
    Hang,
    Reset,
}

impl bytes::Buf for Letter {
    fn remaining(&self) -> usize {
        0
    }

    fn chunk(&self) -> &[u8] {
        &[]
    }

    fn advance(&mut self, _: usize) {}
}

impl Frame for Letter {
    fn stage(&self) -> Stage {
        match self {
            Self::Text => Stage::Content,
            Self::Finish => Stage::Finish,
            Self::Last | Self::Hang | Self::Reset => Stage::Preamble,
        }
    }

    fn is_last(&self) -> bool {
        *self == Self::Last
    }
}

/// How many calls were made, and how many of their connections were read to the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    calls: usize,
    read: usize,
}

/// Answers each call with the same letters.
#[derive(Clone)]
struct Post {
    letters: &'static [Letter],
    seen: Arc<Mutex<Seen>>,
}

impl Post {
    fn of(letters: &'static [Letter]) -> Self {
        Self {
            letters,
            seen: Arc::default(),
        }
    }

    fn seen(&self) -> Seen {
        *self.seen.lock().unwrap()
    }
}

struct Letters {
    letters: VecDeque<Letter>,
    seen: Arc<Mutex<Seen>>,
}

impl Body for Letters {
    type Data = Letter;
    type Error = TestError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Letter>, TestError>>> {
        Poll::Ready(match self.letters.pop_front() {
            Some(Letter::Hang) => {
                self.letters.push_front(Letter::Hang);
                return Poll::Pending;
            }
            Some(Letter::Reset) => Some(Err(fails(FailureKind::Truncated))),
            Some(letter) => Some(Ok(BodyFrame::data(letter))),
            None => {
                self.seen.lock().unwrap().read += 1;
                None
            }
        })
    }
}

impl Service<Request<TestRequest>> for Post {
    type Response = Response<Letters>;
    type Error = TestError;
    type Future = std::future::Ready<Result<Response<Letters>, TestError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<TestRequest>) -> Self::Future {
        self.seen.lock().unwrap().calls += 1;
        std::future::ready(Ok(Response::new(Letters {
            letters: self.letters.iter().copied().collect(),
            seen: Arc::clone(&self.seen),
        })))
    }
}

/// What a reader sees that leaves behind this letter, or reads to the end.
async fn read_until<B>(body: B, letter: Option<Letter>) -> Vec<Letter>
where
    B: Body<Data = Letter, Error = TestError>,
{
    let mut body = Box::pin(body);
    let mut read = Vec::new();
    while read.last().copied() != letter || letter.is_none() {
        let Some(frame) = body.frame().await else { break };
        let Ok(frame) = frame else { break };
        read.extend(frame.into_data().ok());
    }
    read
}

type Kept = (Vec<Letter>, Vec<Letter>, Seen);

/// Two calls by the same key, with what each has read: the first leaves behind this letter.
async fn twice_keyed(post: &Post, letter: Option<Letter>) -> Kept {
    let store = InMemoryIdempotency::<Letter>::new(MIB);
    let layer: IdempotencyLayer<Letter, TestError, GlobalKey> = IdempotencyLayer::new(store, GlobalKey);
    let service = layer.layer(post.clone());
    let keyed = || {
        let mut request = streamed();
        request.extensions_mut().insert(IdempotencyKey::new("a").unwrap());
        request
    };
    let first = read_until(ask(&service, keyed()).await.unwrap().into_body(), letter).await;
    let second = read_until(ask(&service, keyed()).await.unwrap().into_body(), letter).await;
    assert_eq!(service.calls_in_flight(), 0);
    (first, second, post.seen())
}

/// The same of a call that is cached.
async fn twice_cached(post: &Post, letter: Option<Letter>) -> Kept {
    let layer: CacheLayer<Letter, TestError, GlobalKey> = CacheLayer::new(Cache::new(MIB), GlobalKey);
    let service = layer.layer(post.clone());
    let first = read_until(ask(&service, streamed()).await.unwrap().into_body(), letter).await;
    let second = read_until(ask(&service, streamed()).await.unwrap().into_body(), letter).await;
    assert_eq!(service.coalescable_calls(), 0);
    (first, second, post.seen())
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_if_its_reader_leaves_behind_the_last_frame() {
    use Letter::{Finish, Hang, Last, Reset, Text};
    let letters: [&'static [Letter]; 3] = [
        &[Text, Finish, Last],
        &[Text, Finish, Last, Hang],
        &[Text, Finish, Last, Reset],
    ];
    for letters in letters {
        let whole = vec![Text, Finish, Last];
        let expected = (whole.clone(), whole, Seen { calls: 1, read: 0 });
        assert_eq!(
            twice_keyed(&Post::of(letters), Some(Last)).await,
            expected,
            "{letters:?}"
        );
        assert_eq!(
            twice_cached(&Post::of(letters), Some(Last)).await,
            expected,
            "{letters:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stays_reads_the_connection_to_its_end() {
    use Letter::{Finish, Last, Text};
    let whole = vec![Text, Finish, Last];
    let expected = (whole.clone(), whole, Seen { calls: 1, read: 1 });
    let post = || Post::of(&[Text, Finish, Last]);
    assert_eq!(twice_keyed(&post(), None).await, expected);
    assert_eq!(twice_cached(&post(), None).await, expected);
}

/// One that leaves earlier has a part of it, and a frame that says to be the last is believed behind the end alone.
#[tokio::test(start_paused = true)]
async fn an_answer_is_not_kept_if_its_reader_leaves_earlier() {
    use Letter::{Finish, Hang, Last, Text};
    let cases: [(&'static [Letter], Letter); 2] = [(&[Text, Finish, Last, Hang], Finish), (&[Text, Last, Hang], Last)];
    for (letters, until) in cases {
        for (.., seen) in [
            twice_keyed(&Post::of(letters), Some(until)).await,
            twice_cached(&Post::of(letters), Some(until)).await,
        ] {
            assert_eq!(seen, Seen { calls: 2, read: 0 }, "{letters:?}");
        }
    }
}

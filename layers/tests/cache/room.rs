//! Which answers stay, for how long, and how many bytes they take.

use std::time::Duration;

use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_llm_layers::{
    CacheMode, GlobalKey, Stage,
    cache::{Cache, CacheLayer},
};

use super::{MIB, TestService, is_hit, numbered};
use crate::support::{Beat, Leaf, Step, TestFrame, secs};

const DAY: Duration = secs(24 * 60 * 60);

/// Over an inner service whose answers have so many bytes.
fn sized(cache: &Cache<TestFrame>, bytes: usize) -> TestService {
    let answer = Step::body([Beat::Sized(bytes), Beat::Frame(Stage::Finish)]);
    CacheLayer::new(cache.clone(), GlobalKey).layer(Leaf::new((0..4000).map(|_| answer.clone())))
}

/// Whether this one was kept; it is now.
async fn was_hit(service: &TestService, number: usize) -> bool {
    let response = service.clone().oneshot(numbered(number)).await.unwrap();
    let hit = is_hit(&response);
    response.into_body().collect().await.unwrap();
    hit
}

async fn hits(service: &TestService, numbers: impl Iterator<Item = usize>) -> usize {
    let mut hits = 0;
    for number in numbers {
        hits += usize::from(was_hit(service, number).await);
    }
    hits
}

#[tokio::test(start_paused = true)]
async fn responses_requested_again_outlive_a_flood_of_new_ones() {
    let service = sized(&Cache::new(100_000), 1000);
    assert_eq!(hits(&service, 0..200).await, 0);
    assert_eq!(hits(&service, [1000, 1000].into_iter()).await, 1);
    for number in 200..800 {
        assert!(!was_hit(&service, number).await);
        assert!(number % 50 != 0 || was_hit(&service, 1000).await, "after {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_callers_turn_to_something_else_it_comes_to_stay() {
    let service = sized(&Cache::new(MIB).time_to_live(DAY), 1000);
    // Nearly all that there is room for is wanted, for now.
    hits(&service, 0..700).await;
    assert_eq!(hits(&service, 0..700).await, 700);
    // These take a quarter of the room.
    assert_eq!(hits(&service, 2000..2150).await, 0);
    for _ in 0..9 {
        assert_eq!(hits(&service, 2000..2150).await, 150);
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_fits_is_kept() {
    let service = sized(&Cache::new(100_000), 98_000);
    assert_eq!(hits(&service, [1, 1].into_iter()).await, 1);
    let large = Cache::new(1 << 30).largest(200 << 20);
    let service = sized(&large, 150 << 20);
    for _ in 0..3 {
        hits(&service, 0..6).await;
    }
    assert_eq!(hits(&service, 0..6).await, 6);
}

#[tokio::test(start_paused = true)]
async fn stale_responses_make_room() {
    let cache = Cache::new(MIB).time_to_live(secs(60)).stale_if_error(secs(60));
    let service = sized(&cache, 1000);
    hits(&service, 0..100).await;
    let full = cache.bytes();
    tokio::time::sleep(secs(119)).await;
    was_hit(&service, 1000).await;
    assert!(cache.bytes() > full, "the old ones may still serve as stale");
    tokio::time::sleep(secs(1)).await;
    was_hit(&service, 1001).await;
    assert!(cache.bytes() < full / 20, "two are left");
}

#[tokio::test(start_paused = true)]
async fn what_serves_for_no_time_takes_no_room() {
    let cache = Cache::new(100_000);
    let [some, none] = [&cache, &cache.clone().time_to_live(Duration::ZERO)].map(|cache| sized(cache, 1000));
    hits(&some, 0..50).await;
    let full = cache.bytes();
    assert_eq!(hits(&none, 100..300).await, 0);
    assert_eq!(cache.bytes(), full);
    assert_eq!(hits(&some, 0..50).await, 50);
}

#[tokio::test(start_paused = true)]
async fn an_answer_serves_no_longer_than_it_was_kept_for_nor_than_the_asking_handle_would_keep_it() {
    let cache = Cache::new(MIB).time_to_live(secs(600));
    let [long, short] = [&cache, &cache.clone().time_to_live(secs(10))].map(|cache| sized(cache, 1000));
    let if_kept = |service: &TestService, number| {
        let mut request = numbered(number);
        request.body_mut().call.set_cache_mode(CacheMode::OnlyIfCached);
        let kept = service.clone().oneshot(request);
        async { kept.await.is_ok() }
    };
    was_hit(&long, 1).await;
    was_hit(&short, 2).await;
    assert!(if_kept(&short, 1).await && if_kept(&long, 2).await);
    tokio::time::sleep(secs(20)).await;
    assert!(!if_kept(&short, 1).await, "kept by the long one");
    assert!(if_kept(&long, 1).await, "and the short one took nothing away");
    assert!(!if_kept(&long, 2).await, "kept by the short one");
}

#[tokio::test(start_paused = true)]
async fn every_odd_time_is_survived() {
    let times = [
        Duration::ZERO,
        Duration::from_nanos(1),
        secs(1),
        secs(1 << 40),
        Duration::MAX,
    ];
    for (one, stale) in times.iter().flat_map(|one| times.map(|stale| (*one, stale))) {
        for other in times {
            let cache = Cache::new(MIB).time_to_live(one).stale_if_error(stale);
            let [first, second] = [&cache, &cache.clone().time_to_live(other)].map(|cache| sized(cache, 1000));
            for number in 0..6 {
                was_hit(&first, number).await;
                was_hit(&second, number + 3).await;
                tokio::time::sleep(secs(2)).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_odd_size_is_survived_and_within_the_bound() {
    for bytes in [0, 1, 255, 1000, 8192, MIB, 1 << 40, u64::MAX - 1, u64::MAX] {
        for largest in [0, 1, 1 << 20, usize::MAX] {
            let cache = Cache::new(bytes).largest(largest);
            for size in [0, 1, 5000, 1 << 25, 1 << 45, usize::MAX] {
                let service = sized(&cache, size);
                for number in [0, 1, 1, 2, 0] {
                    was_hit(&service, number).await;
                    assert!(cache.bytes() <= bytes, "{} of {bytes}", cache.bytes());
                }
            }
            assert!(cache.to_string().starts_with(&bytes.to_string()));
            cache.clear();
            assert_eq!(cache.bytes(), 0);
        }
    }
}

//! The catalogue's arithmetic against the simulator's own bill, which it shares no code with.

use std::{sync::Arc, time::Duration};

use crate::support::{
    World, call,
    ledger::{Kept, bill},
    prices::account,
};
use tokio::time::sleep;
use tower_openrouter::{
    Catalogue, ChatRequest,
    layers::{budget::Budget, ledger::Entry},
    request::{CacheControl, Modalities, Part, Reasoning},
    response::Model,
};

const CLAUDE: &str = "anthropic/claude-sonnet-4.5";

/// A world whose catalogue is known, and everything it recorded.
struct Shop {
    world: World,
    catalogue: Arc<Catalogue>,
}

impl Shop {
    async fn open() -> Self {
        let world = World::new("GOOD").await;
        let catalogue = Arc::new(Catalogue::new(account(&world.simulator).models().await.unwrap()));
        Self { world, catalogue }
    }

    /// One call: its entry, and by how much the simulator's bill grew.
    async fn buy(&self, model: &str, streamed: bool, request: ChatRequest) -> (Entry, i128) {
        let kept = Kept::new();
        let stack = self
            .world
            .builder()
            .chain([model])
            .budget(Budget::usd("all", "1000").unwrap())
            .prices(self.catalogue.clone())
            .ledger(kept.clone())
            .build()
            .unwrap();
        let before = bill(&self.world.simulator);
        let got = call(&stack, streamed, request).await;
        assert!(got.error.is_none(), "{model}: {:?}", got.error);
        let entry = kept.entries().remove(0);
        (entry, bill(&self.world.simulator) - before)
    }
}

/// Bill, estimate and simulator agree, and what was held was enough.
fn agree(what: &str, (entry, billed): &(Entry, i128)) {
    assert_eq!(entry.bill.unwrap().pico(), *billed, "{what}: bill");
    assert_eq!(entry.estimate.unwrap().pico(), *billed, "{what}: estimate");
    assert!(entry.bill.unwrap() <= entry.reserved, "{what}: {entry:?}");
}

#[tokio::test(start_paused = true)]
async fn the_estimate_is_the_bill_and_never_above_the_reservation() {
    let shop = Shop::open().await;
    let models = account(&shop.world.simulator).models().await.unwrap();
    let long = "word ".repeat(250_000);
    let mut asked = 0;
    let answers = |model: &&Model| !model.pricing.varies() && model.architecture.output().contains(Modalities::TEXT);
    for model in models.iter().filter(answers) {
        for prompt in ["Hi", &long] {
            if prompt.len() > 400_000 && model.context_length.is_none_or(|context| context < 600_000) {
                continue;
            }
            agree(&model.id, &shop.buy(&model.id, true, ChatRequest::user(prompt)).await);
            asked += 1;
        }
    }
    assert!(asked > 10, "{asked}");
}

#[tokio::test(start_paused = true)]
async fn reasoning_is_paid_once_at_its_own_price() {
    let shop = Shop::open().await;
    for model in ["demo/thinker", "openai/gpt-5"] {
        for streamed in [false, true] {
            let request = ChatRequest::user("Why?").reasoning(Reasoning::effort("low"));
            let bought = shop.buy(model, streamed, request).await;
            let usage = bought.0.usage;
            assert!(usage.reasoning > 0 && usage.answer > usage.reasoning, "{usage:?}");
            agree(model, &bought);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cached_tokens_are_paid_once_at_their_own_price() {
    let shop = Shop::open().await;
    let long = "word ".repeat(1000);
    let marked = |control: CacheControl| {
        let text = Part::cached_text(&*long, control);
        ChatRequest::user([text, Part::text("Why?")])
    };
    for model in [CLAUDE, "openai/gpt-4o-mini", "google/gemini-2.5-flash"] {
        let first = shop.buy(model, true, marked(CacheControl::ephemeral())).await;
        agree(model, &first);
        sleep(Duration::from_secs(200)).await;
        let second = shop.buy(model, false, marked(CacheControl::ephemeral())).await;
        agree(model, &second);
        assert_eq!((first.0.usage.cached, second.0.usage.cached), (0, 1250), "{model}");
        assert!(second.1 < first.1, "{model}");
        assert_eq!(second.0.usage.cache_written, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn writing_for_an_hour_is_held_for_though_no_answer_tells_it_apart() {
    let shop = Shop::open().await;
    let long = "word ".repeat(20_000);
    let text = Part::cached_text(&*long, CacheControl::one_hour());
    let (entry, billed) = shop.buy(CLAUDE, true, ChatRequest::user([text])).await;
    assert_eq!(
        (entry.bill.unwrap().pico(), entry.usage.cache_written),
        (billed, 25_000)
    );
    assert!(entry.estimate.unwrap() < entry.bill.unwrap());
    assert!(entry.bill.unwrap() <= entry.reserved);
    // Each of the hundred thousand bytes might have been a token, written for an hour.
    assert!(entry.reserved.pico() >= 100_000 * 6_000_000);
}

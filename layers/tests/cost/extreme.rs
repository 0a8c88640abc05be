//! Numbers that no answer can have are never settled, overflow nothing, and are logged once.

use tower::Layer;
use tower_llm_layers::{Stage, TokenUsage, UsdAmount, ledger::EntryState};

use super::{budgeted, up_to};
use crate::support::{
    Beat, Leaf, Step, ask,
    log::{listen, messages},
    read, usd,
};

fn usage(prompt: u64, answer: u64, charged: Option<i128>) -> TokenUsage {
    let mut usage = TokenUsage::new(prompt, answer);
    usage.charged = charged.map(UsdAmount::from_pico);
    usage
}

#[tokio::test(start_paused = true)]
async fn what_no_answer_can_have_is_not_settled() {
    for (number, extreme) in [
        usage(u64::MAX, 5, None),
        usage(100, u64::MAX, None),
        usage(1 << 63, 1 << 63, Some(150_000_000)),
        usage(100, 5, Some(i128::MAX)),
        usage(100, 5, Some(-1)),
        usage(100, 5, Some(10_i128.pow(26))),
    ]
    .into_iter()
    .enumerate()
    {
        for trailers in [1, 3] {
            listen();
            let (layer, book, kept) = budgeted("1.00");
            let mut beats = vec![Beat::Frame(Stage::Content)];
            beats.extend(vec![Beat::Charged(Stage::Trailer, extreme); trailers]);
            let service = layer.layer(Leaf::new([Step::body(beats)]));
            read(ask(&service, up_to("a", 50)).await.unwrap().into_body()).await;
            let (entry, state) = (kept.only(), book.accounts().remove(0));
            let cost = entry.cost();
            assert!(
                cost >= UsdAmount::ZERO && cost <= entry.reserved,
                "{number}: {entry:#?}"
            );
            assert_eq!(
                (state.settled, state.overrun, state.reserved),
                (entry.recorded, usd("0"), usd("0"))
            );
            assert!(entry.usage.total() < 1 << 33, "{number}: {:?}", entry.usage);
            let told = messages();
            let told = told
                .iter()
                .filter(|message| message.contains("that no answer can have"))
                .count();
            assert_eq!(told, 1, "{number}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_honest_charge_beside_extreme_counts_is_taken() {
    let (layer, book, kept) = budgeted("1.00");
    let extreme = usage(1 << 63, 5, Some(150_000_000));
    let body = [Beat::Frame(Stage::Content), Beat::Charged(Stage::Trailer, extreme)];
    let service = layer.layer(Leaf::new([Step::body(body)]));
    read(ask(&service, up_to("a", 50)).await.unwrap().into_body()).await;
    assert_eq!(
        (kept.only().cost(), kept.only().state),
        (usd("0.00015"), EntryState::Settled)
    );
    assert_eq!(book.accounts()[0].settled, usd("0.00015"));
}

#[tokio::test(start_paused = true)]
async fn a_report_before_an_extreme_one_stands() {
    let (layer, _, kept) = budgeted("1.00");
    let body = [
        Beat::Frame(Stage::Content),
        Beat::Charged(Stage::Finish, usage(100, 5, Some(150_000_000))),
        Beat::Charged(Stage::Trailer, usage(u64::MAX, u64::MAX, Some(-5))),
    ];
    read(
        ask(&layer.layer(Leaf::new([Step::body(body)])), up_to("a", 50))
            .await
            .unwrap()
            .into_body(),
    )
    .await;
    assert_eq!(kept.only().bill, Some(usd("0.00015")));
}

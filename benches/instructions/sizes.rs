//! The sizes of the types that a call moves about.

use http::Request;
use tower::Service;
use tower_openrouter::layers::Call;
use tower_openrouter::{ApiRequest, ChatBody, ChatFrame, Error, Stack};

use crate::leaf::Leaf;
use crate::ours;

fn future_of<S: Service<R>, R>(_: &S) -> usize {
    size_of::<S::Future>()
}

pub(super) fn print() {
    let stack = ours::ready_stack(1);
    let leaf = Leaf::new(1);
    let chain = [ours::MODEL, ours::NEXT_MODEL];
    for (name, bytes) in [
        ("stack", size_of::<Stack>()),
        ("stack's future", future_of::<_, Request<ApiRequest>>(&stack)),
        ("stack's body", size_of::<tower_openrouter::stack::StackBody>()),
        ("frame", size_of::<ChatFrame>()),
        ("body from the wire", size_of::<ChatBody>()),
        ("request", size_of::<Request<ApiRequest>>()),
        ("ApiRequest", size_of::<ApiRequest>()),
        ("Call", size_of::<Call>()),
        ("error", size_of::<Error>()),
        (
            "attempt's future",
            future_of::<_, Request<ApiRequest>>(&ours::attempt(leaf.clone())),
        ),
        (
            "cost's future",
            future_of::<_, Request<ApiRequest>>(&ours::cost(leaf.clone())),
        ),
        (
            "retry's future",
            future_of::<_, Request<ApiRequest>>(&ours::retry(leaf.clone())),
        ),
        (
            "fallback's future",
            future_of::<_, Request<ApiRequest>>(&ours::fallback(&chain, leaf)),
        ),
    ] {
        println!("{name}\t{bytes}");
    }
}

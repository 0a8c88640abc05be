//! A stack with two combinators of tower.

use std::future::{Ready, ready};

use http::Response;
use tower::ServiceExt;
use tower_openrouter::Error;
use tower_openrouter::stack::StackBody;
use tower_openrouter_subjects::{drive, leaf, ours};

fn pass(response: Response<StackBody>) -> Ready<Result<Response<StackBody>, Error>> {
    ready(Ok(response))
}

fn main() {
    let mut service = ours::ready_stack(1).and_then(pass).then(ready);
    drop(drive::call(&mut service, leaf::request()));
}

//! A stack whose type is erased once more.

use http::{Request, Response};
use tower::util::BoxCloneService;
use tower_openrouter::stack::StackBody;
use tower_openrouter::{ApiRequest, Error};
use tower_openrouter_subjects::ours;

type Boxed = BoxCloneService<Request<ApiRequest>, Response<StackBody>, Error>;

fn main() {
    drop(Boxed::new(ours::ready_stack(1)));
}

//! A stack behind tower's buffer.

use http::Request;
use tower::buffer::Buffer;
use tower_openrouter::ApiRequest;
use tower_openrouter_subjects::ours;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    drop(Buffer::<Request<ApiRequest>, _>::new(ours::ready_stack(1), 8));
}

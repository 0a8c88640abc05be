//! A stack by itself: what the others are compared with by `benches/instructions/run compile`.

use tower_openrouter_subjects::ours;

fn main() {
    drop(ours::ready_stack(1));
}

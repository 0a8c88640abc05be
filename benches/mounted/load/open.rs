//! Streams that stay open.

use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use crate::Fallible;
use crate::client::{Client, Kind};
use crate::target::Target;

/// Streams that are opened at once: more than the kernel's queue of a listener would be refused.
const AT_ONCE: usize = 64;

/// Opens so many streams, each on a connection of its own, says so, and holds them until standard input ends.
pub(crate) async fn hold(target: &Target, streams: usize) -> Fallible {
    let mut held = Vec::with_capacity(streams);
    let mut opening = JoinSet::new();
    for number in 0..streams {
        if opening.len() == AT_ONCE
            && let Some(opened) = opening.join_next().await
        {
            held.push(opened??);
        }
        let target = target.clone();
        opening.spawn(async move {
            let mut client = Client::connect(&target, Kind::Stream).await?;
            let body = client
                .open()
                .await
                .map_err(|error| format!("stream {number}: {error}"))?;
            Fallible::Ok((client, body))
        });
    }
    while let Some(opened) = opening.join_next().await {
        held.push(opened??);
    }
    println!("open");
    let _ended = tokio::io::stdin().read(&mut [0; 1]).await?;
    drop(held);
    Ok(())
}

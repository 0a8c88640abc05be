//! The accounts of the upstreams: their keys, and their bills.

use std::{sync::Arc, time::Duration};

use openrouter_simulator::Simulator;
use tokio::{runtime::Handle, time::sleep};
use tower_openrouter::{
    ChatServiceExt,
    account::Bills,
    layers::reconcile::Reconciler,
    settings::{Settings, SettingsHandle},
};

use super::file;
use crate::support::{
    FIRST, World, ask,
    ledger::{Kept, bill},
};

/// The bill of an answer whose client leaves, from a second upstream with a list of keys of which the first was revoked.
#[tokio::test(start_paused = true)]
async fn the_bills_of_a_second_upstream_come_by_the_key_that_is_accepted() {
    let simulator = Simulator::builder().key("sk-or-v1-b").start().await.unwrap();
    let world = World::over(simulator, "delay=1s;words=10");
    let (revoked, good) = (file("revoked.key", "sk-or-v1-a\n"), file("good.key", "sk-or-v1-b\n"));
    let base_url = world.simulator.base_url();
    let keys = format!("['file:{}', 'file:{}']", revoked.display(), good.display());
    let text = format!(
        "chain = ['second:{FIRST}']\nupstream = [{{ name = 'openrouter' }}, \
         {{ name = 'second', dialect = 'openrouter', base_url = '{base_url}', key = {keys} }}]\n"
    );
    let settings = Settings::from_toml(&text).unwrap();
    let accounts = settings.accounts().unwrap();
    let names: Vec<_> = accounts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["openrouter", "second"]);
    assert_eq!(settings.account().unwrap().unwrap().0, "openrouter");
    let bills = accounts.into_iter().fold(Bills::default(), |bills, (name, account)| {
        bills.upstream(&name, account)
    });
    let kept = Kept::new();
    let reconciler = Reconciler::builder(Arc::new(bills))
        .ledger(kept.clone())
        .spawn_on(Handle::current())
        .unwrap();
    let ledger = Arc::clone(&kept);
    let handle = SettingsHandle::builder(settings)
        .extend(move |builder| builder.ledger(ledger.clone()).reconciler(reconciler.clone()))
        .build()
        .unwrap();
    let mut answer = handle.service().stream(ask()).await.unwrap();
    for _ in 0..3 {
        answer.next_text().await.unwrap().unwrap();
    }
    drop(answer);
    sleep(Duration::from_secs(20 * 60)).await;
    let entries = kept.entries();
    assert!(entries.iter().any(|entry| entry.bill.is_some()), "{entries:?}");
    assert_eq!(kept.total(), bill(&world.simulator));
    for path in [revoked, good] {
        std::fs::remove_file(path).unwrap();
    }
}

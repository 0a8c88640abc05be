//! The page in headless Chromium while the gateway is away: restarted, cut off, and refused by a proxy in front.

use std::{
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::watch,
};

use super::{
    cdp::{Browser, chromium},
    support::{FIRST, SECOND, World, chat, file},
};

/// A proxy in front of gateways: to the one that is set, else 502.
struct Proxy {
    address: std::net::SocketAddr,
    to: Arc<Mutex<Option<std::net::SocketAddr>>>,
    cuts: watch::Sender<()>,
    refused: Arc<AtomicU32>,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            to: Arc::default(),
            cuts: watch::channel(()).0,
            refused: Arc::default(),
        };
        let (to, cuts, refused) = (Arc::clone(&proxy.to), proxy.cuts.clone(), Arc::clone(&proxy.refused));
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (to, mut cut, refused) = (*to.lock().unwrap(), cuts.subscribe(), Arc::clone(&refused));
                tokio::spawn(async move {
                    let Some(to) = to else {
                        let mut head = [0; 4096];
                        drop(client.read(&mut head).await);
                        let answer = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                        drop(client.write_all(answer).await);
                        refused.fetch_add(1, Ordering::Relaxed);
                        return;
                    };
                    let mut server = TcpStream::connect(to).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        proxy
    }

    /// Leads to this gateway from now on, and cuts all connections.
    fn lead(&self, to: Option<std::net::SocketAddr>) {
        *self.to.lock().unwrap() = to;
        self.cuts.send_replace(());
    }
}

async fn served(world: &World) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, app) = (listener.local_addr().unwrap(), world.app.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

const LIVE: &str = "document.getElementById('live-text').textContent === 'Live'";

#[test]
fn the_page_follows_a_gateway_that_was_away() {
    let Some(program) = chromium() else {
        assert!(env::var_os("REQUIRE_CHROMIUM").is_none(), "there is no Chromium");
        eprintln!("NOT TESTED: THE PAGE AFTER A RESTART. There is no Chromium; install Debian's package `chromium`.");
        return;
    };
    let runtime = Runtime::new().unwrap();
    let (first, second) = (runtime.block_on(World::new("ok")), runtime.block_on(World::new("ok")));
    let proxy = runtime.block_on(Proxy::start());
    for _ in 0..50 {
        runtime.block_on(first.call(chat(FIRST, false)));
    }
    first.simulator.plan(SECOND, "stall=600s@3").unwrap();
    let running = runtime.block_on(first.send(chat(SECOND, true)));
    proxy.lead(Some(runtime.block_on(served(&first))));
    let profile = file("restart-profile");
    let mut browser = Browser::start(&program, &profile);
    browser.open(&format!("http://{}/", proxy.address));
    browser.until(LIVE);
    let badge = "document.querySelector('#call-51 .badge')?.textContent";
    browser.until(&format!("{badge} === 'running'"));
    browser.value("window.isTheSamePage = true");

    // A part that has the focus is new as soon as the focus leaves it.
    browser.value("document.querySelector('#spend a').focus()");
    browser.value("replace('spend', '<p id=\"pending\">new</p>')");
    assert!(browser.value("document.querySelector('#pending')").is_null());
    browser.value("document.activeElement.blur()");
    browser.until("document.querySelector('#pending')");

    // Cut off while a call ends: its end is shown afterwards, on the same page.
    proxy.lead(None);
    browser.until("document.getElementById('live-text').textContent === 'Reconnecting…'");
    drop(running);
    // A minute at most.
    for _ in 0..3_000 {
        if proxy.refused.load(Ordering::Relaxed) > 0 {
            break;
        }
        browser.value("new Promise(done => setTimeout(done, 20))");
    }
    assert!(proxy.refused.load(Ordering::Relaxed) > 0, "the page asks again");
    // A refusal closes the source for good: the page opens another one.
    proxy.lead(Some(runtime.block_on(served(&first))));
    browser.until(LIVE);
    browser.until(&format!("{badge} && {badge} !== 'running'"));
    assert_eq!(browser.value("window.isTheSamePage"), true);

    // Started again: numbers begin again, so the page is loaded again and shows them.
    proxy.lead(Some(runtime.block_on(served(&second))));
    browser.until(&format!("!window.isTheSamePage && {LIVE}"));
    runtime.block_on(second.call(chat(FIRST, false)));
    browser.until("document.querySelectorAll('#list .call').length === 1 && document.querySelector('#call-1')");
    drop(browser);
    drop(std::fs::remove_dir_all(profile));
}

//! A gateway in this process over a simulator, and its clients.

mod binary;
mod ledger;
mod raw;
mod waiting;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

pub(crate) use binary::{Binary, command};
pub(crate) use ledger::{ESTIMATE, estimated};
use openrouter_gateway::{
    commands::{Running, start},
    keys::KeyHash,
    settings::Config,
};
use openrouter_simulator::Simulator;
pub(crate) use raw::raw;
use serde_json::Value;
pub(crate) use waiting::{until, within};

/// Keys that no text holds by chance.
pub(crate) const UPSTREAM_KEY: &str = "sk-or-v1-7c2fUPSTREAMSECRET91d4";
pub(crate) const CLIENT_KEY: &str = "sk-gw-5e1aCLIENTSECRET33b8";
pub(crate) const OTHER_KEY: &str = "sk-gw-90f7OTHERSECRET21aa";
pub(crate) const ADMIN_TOKEN: &str = "admin-d41dADMINSECRET8cd9";

/// The paths of the APIs, with a small body each.
pub(crate) const APIS: [(&str, &str); 4] = [
    (
        "/v1/chat/completions",
        r#"{"model":"openai/gpt-4o-mini","messages":[{"role":"user","content":"Hi"}]}"#,
    ),
    ("/v1/responses", r#"{"model":"openai/gpt-4o-mini","input":"Hi"}"#),
    (
        "/v1/messages",
        r#"{"model":"openai/gpt-4o-mini","max_tokens":64,"messages":[{"role":"user","content":"Hi"}]}"#,
    ),
    (
        "/v1/embeddings",
        r#"{"model":"openai/text-embedding-3-small","input":"Hi"}"#,
    ),
];

/// A folder of its own, which goes with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gateway-{}-{number}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The settings of a gateway over this simulator: no storage and no delay at its end unless the rest says so.
pub(crate) fn settings(simulator: &Simulator, folder: &Folder, rest: &str) -> String {
    let key = folder.write("upstream-key", UPSTREAM_KEY);
    let storage = if rest.contains("storage") {
        ""
    } else {
        "storage = \"off\"\n"
    };
    let leave = if rest.contains("server.leave_delay") {
        ""
    } else {
        "server.leave_delay = \"0s\"\n"
    };
    let listen = if rest.starts_with("listen") {
        ""
    } else {
        "listen = \"127.0.0.1:0\"\n"
    };
    format!(
        "{listen}{storage}{leave}{rest}\n[[upstream]]\nname = \"openrouter\"\nbase_url = \"{}\"\nkey = \"file:{}\"\n",
        simulator.base_url(),
        key.display()
    )
}

/// A `[[key]]`: the rest is what it may do.
pub(crate) fn key(name: &str, key: &str, rest: &str) -> String {
    format!(
        "\n[[key]]\nname = \"{name}\"\nhash = \"{}\"\n{rest}\n",
        KeyHash::of(key.as_bytes()).written()
    )
}

/// A gateway in this process.
pub(crate) struct Place {
    pub(crate) simulator: Simulator,
    _folder: Folder,
    pub(crate) running: Running,
    pub(crate) http: reqwest::Client,
}

impl Place {
    pub(crate) async fn start(rest: &str) -> Self {
        let simulator = Simulator::start().await.unwrap();
        Self::over(simulator, rest).await
    }

    pub(crate) async fn over(simulator: Simulator, rest: &str) -> Self {
        let folder = Folder::new();
        let text = settings(&simulator, &folder, rest);
        let config = Config::from_toml(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let running = start(config).await.unwrap_or_else(|error| panic!("{error}"));
        Self {
            simulator,
            _folder: folder,
            running,
            http: client(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address)
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &str) -> Said {
        Said::of(post(&self.http, &self.url(path), key, body)).await
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> Said {
        Said::of(
            self.http
                .get(self.url(path))
                .header("authorization", format!("Bearer {key}")),
        )
        .await
    }
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap()
}

pub(crate) fn post(http: &reqwest::Client, url: &str, key: &str, body: &str) -> reqwest::RequestBuilder {
    let request = http
        .post(url)
        .header("content-type", "application/json")
        .body(body.to_owned());
    if key.is_empty() {
        return request;
    }
    request.header("authorization", format!("Bearer {key}"))
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Said {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self {
            status,
            headers,
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A chat's body that is streamed.
pub(crate) fn streamed(model: &str, max_tokens: u32) -> String {
    format!(
        "{{\"model\":\"{model}\",\"stream\":true,\"max_tokens\":{max_tokens},\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}]}}"
    )
}

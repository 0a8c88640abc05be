//! `--demo`: a simulator in this process, with models that fail and some traffic. No key, no network.

use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use openrouter_simulator::Simulator;
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};
use tower_openrouter::settings::Secret;

use super::print::{Failed, say};
use crate::{
    keys::{KeyHash, new_key},
    settings::{AdminSide, Config},
};

/// What happens to the calls of each model.
const PLANS: [(&str, &str); 3] = [
    ("anthropic/claude-sonnet-4.5", "40%503;retry-after=0"),
    ("openai/gpt-5", "25%cut@12"),
    ("google/gemini-2.5-flash", "20%429;retry-after=1"),
];

/// The client keys, and what may be spent with each in a day.
const KEYS: [(&str, &str, &str); 3] = [
    ("web", "sk-gw-demo-web", "5.00"),
    ("batch", "sk-gw-demo-batch", "0.02"),
    ("you", "sk-gw-demo", "1.00"),
];

/// The time between two calls.
const PACE: Duration = Duration::from_millis(600);

/// A simulator, and a folder for the storage of the gateway, which goes with it.
#[derive(Debug)]
pub(super) struct Demo {
    simulator: Simulator,
    folder: PathBuf,
}

impl Demo {
    pub(super) async fn start() -> Result<Self, Failed> {
        let simulator = Simulator::builder()
            .seed(7)
            .piece_delay(Duration::from_millis(20))
            .start()
            .await?;
        for (model, plan) in PLANS {
            simulator.plan(model, plan).map_err(Failed::new)?;
        }
        let folder = std::env::temp_dir().join(format!("openrouter-gateway-demo-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let demo = Self { simulator, folder };
        // The simulator takes every key of this form.
        fs::write(demo.folder.join("upstream-key"), "sk-or-v1-demo")?;
        Ok(demo)
    }

    /// The settings of the demo's gateway.
    pub(super) fn config(&self) -> Result<Config, Failed> {
        // A text of JSON is one of TOML.
        let text = |path: &Path| serde_json::Value::from(path.display().to_string()).to_string();
        let mut settings = format!(
            r#"
            chain = ["anthropic/claude-sonnet-4.5", "openai/gpt-5", "google/gemini-2.5-flash"]
            first_token_timeout = "3s"
            resume.times = 2
            storage.sqlite = {storage}
            log.filter = "warn"

            [[upstream]]
            name = "openrouter"
            base_url = "{url}"
            key = {key}
            "#,
            storage = text(&self.folder.join("gateway.db")),
            url = self.simulator.base_url(),
            key = text(Path::new(&format!(
                "file:{}",
                self.folder.join("upstream-key").display()
            ))),
        );
        for (name, key, usd) in KEYS {
            let hash = KeyHash::of(key.as_bytes()).written();
            settings.push_str(&format!(
                "\n[[key]]\nname = \"{name}\"\nhash = \"{hash}\"\nbudget = [{{ usd = \"{usd}\", per = \"day\" }}]\n"
            ));
        }
        Config::from_toml(&settings).map_err(Failed::new)
    }

    /// Beyond this machine the page gets a token of its own, which is printed: without one it would be off, and the page is what a demo shows.
    pub(super) fn guard(&self, config: &mut Config) -> Result<(), Failed> {
        if config.admin_side() != AdminSide::Off {
            return Ok(());
        }
        let token = new_key().map_err(Failed::new)?;
        let token = token.expose_secret().replacen("sk-gw-", "admin-", 1);
        let file = self.folder.join("admin-token");
        write_secret(&file, &token)?;
        config.own.admin.token = Some(Secret::File(file));
        say(format!(
            "other machines reach {}: the page requires a password, which is {token}",
            config.listen
        ))
    }
}

/// A file that no other user reads.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

/// Says how the demo's gateway at this address is called.
pub(super) fn introduce(address: SocketAddr) -> Result<(), Failed> {
    say(format!(
        "a demo: models of a simulator fail, and the gateway answers all the same. Call it yourself:\n\n  curl http://{address}/v1/chat/completions \
         -H 'authorization: Bearer {}' -H 'content-type: application/json' \\\n    -d '{{\"model\":\"openai/gpt-5\",\"messages\":[{{\"role\":\"user\",\
         \"content\":\"Why is the sky blue?\"}}]}}'\n",
        KEYS[2].1
    ))
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Calls the gateway from time to time, until it is dropped.
pub(super) async fn traffic(address: SocketAddr) {
    let mut models = PLANS.iter().map(|(model, _)| *model).cycle();
    for number in 0_u64.. {
        let Some(model) = models.next() else { return };
        let key = if number % 3 == 1 { KEYS[1].1 } else { KEYS[0].1 };
        let is_streaming = number % 2 == 0;
        tokio::spawn(async move {
            if let Err(error) = call(address, key, model, is_streaming).await {
                tracing::debug!(target: "gateway::demo", %error, "a call of the demo ended");
            }
        });
        sleep(PACE).await;
    }
}

/// One call, over a connection of its own.
async fn call(address: SocketAddr, key: &str, model: &str, is_streaming: bool) -> io::Result<()> {
    let body = format!(
        "{{\"model\":\"{model}\",\"stream\":{is_streaming},\"max_tokens\":200,\"messages\":[{{\"role\":\"user\",\"content\":\"Why is the sky blue?\"}}]}}"
    );
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut block = [0; 8192];
    while stream.read(&mut block).await? > 0 {}
    Ok(())
}

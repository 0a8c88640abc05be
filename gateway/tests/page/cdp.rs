//! A headless Chromium, driven over its `DevTools` protocol on a pair of pipes: no port, no driver, no crate.

use std::{
    collections::VecDeque,
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// A browser that is silent for so long hangs.
const HANGS: Duration = Duration::from_secs(60);

pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    events: VecDeque<Value>,
    last: u64,
    session: String,
    /// Errors on the console, exceptions, and what could not be loaded.
    pub(crate) errors: Vec<String>,
}

/// The program, if there is one.
pub(crate) fn chromium() -> Option<String> {
    let names = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    let path = env::var_os("PATH")?;
    let is_there = |name: &String| env::split_paths(&path).any(|folder| folder.join(name).is_file());
    env::var("CHROMIUM").ok().into_iter().chain(names).find(is_there)
}

impl Browser {
    pub(crate) fn start(program: &str, profile: &Path) -> Self {
        // The protocol is spoken on the descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null",
                program,
            ])
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-extensions",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--remote-debugging-pipe",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, pipe) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, from) = channel();
        thread::spawn(move || {
            for message in BufReader::new(pipe).split(0) {
                let Ok(message) = message else { return };
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            to,
            from,
            events: VecDeque::new(),
            last: 0,
            session: String::new(),
            errors: Vec::new(),
        };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attached = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.ask("Target.attachToTarget", attached);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    fn receive(&mut self) -> Value {
        let message = self.from.recv_timeout(HANGS).expect("the browser answers");
        let params = &message["params"];
        let error = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => Some(params["exceptionDetails"].to_string()),
            Some("Runtime.consoleAPICalled") if params["type"] == "error" => Some(params["args"].to_string()),
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => Some(params["entry"].to_string()),
            _ => None,
        };
        self.errors.extend(error);
        message
    }

    /// Sends a command; its result.
    #[expect(clippy::needless_pass_by_value, reason = "each caller makes the parameters for it")]
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let result = self.try_ask(method, &params);
        result.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_ask(&mut self, method: &str, params: &Value) -> Result<Value, Value> {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let mut message = self.receive();
            if message["id"] == self.last {
                let error = message["error"].take();
                return if error.is_null() {
                    Ok(message["result"].take())
                } else {
                    Err(error)
                };
            }
            if message["method"].is_string() {
                self.events.push_back(message);
            }
        }
    }

    fn wait_for(&mut self, event: &str) {
        while self
            .events
            .pop_front()
            .is_some_and(|message| message["method"] != event)
        {}
        while self.receive()["method"] != event {}
    }

    /// Opens an address, and waits until it has loaded.
    pub(crate) fn open(&mut self, address: &str) {
        self.events.clear();
        let went = self.ask("Page.navigate", json!({"url": address}));
        assert!(went["errorText"].is_null(), "{went}");
        if !self
            .events
            .iter()
            .any(|message| message["method"] == "Page.loadEventFired")
        {
            self.wait_for("Page.loadEventFired");
        }
    }

    /// The value of an expression, awaited.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut result = self.ask("Runtime.evaluate", params);
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression}: {}",
            result["exceptionDetails"]
        );
        result["result"]["value"].take()
    }

    /// Waits until a condition holds in the page, also across a navigation.
    pub(crate) fn until(&mut self, condition: &str) {
        let look = format!(
            "new Promise(done => setTimeout(() => {{ let holds = false; try {{ holds = !!({condition}); }} catch {{}} done(holds); }}, 20))"
        );
        for _ in 0..1_000 {
            let params = json!({"expression": look, "awaitPromise": true, "returnByValue": true});
            // A page that is left gives no value.
            let looked = self.try_ask("Runtime.evaluate", &params);
            if looked.is_ok_and(|looked| looked["result"]["value"] == true) {
                return;
            }
        }
        panic!("it never holds: {condition}");
    }

    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
    }

    pub(crate) fn scheme(&mut self, scheme: &str) {
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}
        ]);
        self.ask("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// A picture of the whole page, as PNG.
    pub(crate) fn picture(&mut self, file: &Path) {
        let shot = self.ask(
            "Page.captureScreenshot",
            json!({"format": "png", "captureBeyondViewport": true}),
        );
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, decoded(shot["data"].as_str().unwrap())).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Base 64, as the protocol writes it.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| bits << 6 | u32::from(digit(*byte)));
        let bits = bits << (6 * (4 - group.len()));
        bytes.extend(bits.to_be_bytes().into_iter().skip(1).take(group.len() - 1));
    }
    bytes
}

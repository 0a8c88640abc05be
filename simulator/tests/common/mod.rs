//! A tiny raw HTTP/1.1 client: it sees every byte, and how a connection ends.

use std::io::ErrorKind;
use std::net::SocketAddr;

use openrouter_simulator::Simulator;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const KEY: &str = "sk-or-v1-0123456789abcdef";

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The body was whole.
    Whole,
    /// End of file before the body's end.
    Eof,
    /// A TCP reset.
    Reset,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The sizes of the body's chunks, if it was chunked.
    pub(crate) chunks: Vec<usize>,
    pub(crate) end: End,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The data events of a stream, `[DONE]` left out.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = self.text();
        let data = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter(|data| data.trim_matches(['"', ' ']) != "[DONE]");
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// The names of the events that have one.
    pub(crate) fn names(&self) -> Vec<&str> {
        let text = std::str::from_utf8(&self.body).unwrap();
        text.lines().filter_map(|line| line.strip_prefix("event: ")).collect()
    }

    pub(crate) fn done(&self) -> bool {
        self.text().contains("data: [DONE]")
    }

    /// The content of all events, joined.
    pub(crate) fn said(&self) -> String {
        self.events()
            .iter()
            .filter_map(|e| e.pointer("/choices/0/delta/content")?.as_str().map(str::to_owned))
            .collect()
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nhost: sim.test\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) async fn open(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    socket
}

/// Sends bytes, reads one reply. `Err` if there was not even a status.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Result<Reply, End> {
    let mut socket = open(address, bytes).await;
    let mut raw = Vec::new();
    let mut part = vec![0; 16 * 1024];
    loop {
        let end = match socket.read(&mut part).await {
            Ok(0) => End::Eof,
            Ok(n) => {
                raw.extend_from_slice(&part[..n]);
                match parse(&raw) {
                    Some(reply) if reply.end == End::Whole => return Ok(reply),
                    _ => continue,
                }
            }
            Err(e) if e.kind() == ErrorKind::ConnectionReset => End::Reset,
            Err(e) => panic!("{e}"),
        };
        return parse(&raw).map(|reply| Reply { end, ..reply }).ok_or(end);
    }
}

/// Reads what is there of a reply; `end` is `Whole` or `Eof`.
fn parse(raw: &[u8]) -> Option<Reply> {
    let split = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&raw[..split]).unwrap();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|l| l.split_once(": "))
        .map(|(n, v)| (n.to_lowercase(), v.to_owned()))
        .collect();
    let mut rest = &raw[split + 4..];
    let get = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let (mut body, mut chunks, mut whole) = (Vec::new(), Vec::new(), false);
    if let Some(length) = get("content-length") {
        body = rest.to_vec();
        whole = body.len() == length.parse::<usize>().unwrap();
    } else {
        while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
            rest = &rest[end + 2..];
            if size == 0 {
                whole = true;
                break;
            }
            let here = size.min(rest.len());
            body.extend_from_slice(&rest[..here]);
            chunks.push(here);
            rest = &rest[(size + 2).min(rest.len())..];
        }
    }
    Some(Reply {
        status,
        headers,
        body,
        chunks,
        end: if whole { End::Whole } else { End::Eof },
    })
}

pub(crate) fn ask(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Why is the sky blue?"}]})
}

pub(crate) fn chat_bytes(body: &Value) -> Vec<u8> {
    let key = format!("Bearer {KEY}");
    request(
        "POST",
        "/api/v1/chat/completions",
        &[("authorization", &key)],
        body.to_string().as_bytes(),
    )
}

/// Posts to any path.
pub(crate) async fn try_post(simulator: &Simulator, path: &str, body: &Value) -> Result<Reply, End> {
    let key = format!("Bearer {KEY}");
    let bytes = request("POST", path, &[("authorization", &key)], body.to_string().as_bytes());
    exchange(simulator.addr(), &bytes).await
}

pub(crate) async fn post(simulator: &Simulator, path: &str, body: &Value) -> Reply {
    try_post(simulator, path, body).await.unwrap()
}

/// The text of a stream of any API.
pub(crate) fn streams(reply: &Reply) -> String {
    let places = ["/choices/0/delta/content", "/delta/text"];
    let text = |event: &Value| {
        let delta = (event["type"] == "response.output_text.delta").then(|| &event["delta"]);
        let found = delta.or_else(|| places.iter().find_map(|place| event.pointer(place)));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    reply.events().iter().filter_map(text).collect()
}

/// The text of a plain answer of any API.
pub(crate) fn said_by(answer: &Value) -> String {
    let blocks = answer["content"].as_array().into_iter().flatten();
    let items = answer["output"].as_array().into_iter().flatten();
    let parts = items.filter_map(|item| item["content"].as_array()).flatten();
    let texts = blocks.chain(parts).filter_map(|part| part["text"].as_str());
    let message = answer.pointer("/choices/0/message/content").and_then(Value::as_str);
    message.into_iter().chain(texts).collect()
}

pub(crate) async fn try_chat(simulator: &Simulator, body: &Value) -> Result<Reply, End> {
    exchange(simulator.addr(), &chat_bytes(body)).await
}

pub(crate) async fn chat(simulator: &Simulator, body: &Value) -> Reply {
    try_chat(simulator, body).await.unwrap()
}

/// Adds a message to a request.
pub(crate) fn push(body: &mut Value, message: Value) {
    body["messages"].as_array_mut().unwrap().push(message);
}

/// Asks `sim/<fault>`.
pub(crate) async fn sim(simulator: &Simulator, fault: &str, stream: bool) -> Reply {
    chat(simulator, &ask(&format!("sim/{fault}"), stream)).await
}

pub(crate) async fn get(simulator: &Simulator, path: &str) -> Reply {
    let key = format!("Bearer {KEY}");
    exchange(simulator.addr(), &request("GET", path, &[("authorization", &key)], b""))
        .await
        .unwrap()
}

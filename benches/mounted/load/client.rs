//! One connection.

use std::str::FromStr;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::Fallible;

/// The kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole answer.
    Plain,
    /// A stream.
    Stream,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(kind: &str) -> Result<Self, String> {
        match kind {
            "plain" => Ok(Self::Plain),
            "stream" => Ok(Self::Stream),
            _ => Err(format!("`{kind}` is neither `plain` nor `stream`")),
        }
    }
}

impl Kind {
    fn request(self) -> &'static str {
        match self {
            Self::Plain => r#"{"model":"openai/gpt-5","messages":[{"role":"user","content":"Why is the sky blue?"}]}"#,
            Self::Stream => {
                r#"{"model":"openai/gpt-5","stream":true,"messages":[{"role":"user","content":"Why is the sky blue?"}]}"#
            }
        }
    }

    /// What a whole answer ends with.
    fn end(self) -> &'static [u8] {
        match self {
            Self::Plain => b"}}",
            Self::Stream => b"[DONE]\n\n",
        }
    }
}

/// A connection that is kept.
pub(crate) struct Client {
    connection: SendRequest<Full<Bytes>>,
    host: String,
    kind: Kind,
}

impl Client {
    pub(crate) async fn connect(address: &str, kind: Kind) -> Fallible<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self {
            connection,
            host: address.to_owned(),
            kind,
        })
    }

    /// Makes one call, and returns when its first token came: text in a stream, or the plain answer itself.
    pub(crate) async fn call(&mut self) -> Fallible<Instant> {
        let request = Request::post("/v1/chat/completions")
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from_static(self.kind.request().as_bytes())))?;
        self.connection.ready().await?;
        let response = self.connection.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("an answer with status {}", response.status()).into());
        }
        let (mut first, mut last) = (None, Bytes::new());
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                // A comment is no token.
                if first.is_none() && data.windows(CONTENT.len()).any(|window| window == CONTENT) {
                    first = Some(Instant::now());
                }
                last = data;
            }
        }
        if !last.ends_with(self.kind.end()) {
            return Err("an answer that is not whole".into());
        }
        first.ok_or_else(|| "an answer without text".into())
    }
}

const CONTENT: &[u8] = br#""content":"#;

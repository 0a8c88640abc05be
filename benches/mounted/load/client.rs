//! One connection.

use std::str::FromStr;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::Fallible;
use crate::target::Target;

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
    /// What a whole answer ends with, but for blanks. Whether a body has the length that its head says is hyper's to check.
    fn end(self) -> &'static [u8] {
        match self {
            Self::Plain => b"}",
            Self::Stream => b"[DONE]",
        }
    }
}

/// A connection that is kept.
pub(crate) struct Client {
    connection: SendRequest<Full<Bytes>>,
    target: Target,
    body: Bytes,
    kind: Kind,
}

impl Client {
    pub(crate) async fn connect(target: &Target, kind: Kind) -> Fallible<Self> {
        let stream = TcpStream::connect(&target.address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self {
            connection,
            target: target.clone(),
            body: target.body(kind),
            kind,
        })
    }

    async fn begin(&mut self) -> Fallible<Incoming> {
        let mut request = Request::post("/v1/chat/completions")
            .header(header::HOST, &self.target.address)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(self.body.clone()))?;
        request.headers_mut().extend(self.target.headers.clone());
        self.connection.ready().await?;
        let response = self.connection.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("an answer with status {}", response.status()).into());
        }
        Ok(response.into_body())
    }

    /// Makes one call, and returns when its first token came: text in a stream, or the plain answer itself.
    pub(crate) async fn call(&mut self) -> Fallible<Instant> {
        let (mut first, mut last) = (None, Bytes::new());
        let mut body = self.begin().await?;
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                if first.is_none() && has_content(&data) {
                    first = Some(Instant::now());
                }
                // The end may come in pieces.
                last = if data.len() < END {
                    [&last[..], &data].concat().into()
                } else {
                    data
                };
            }
        }
        if !last.trim_ascii_end().ends_with(self.kind.end()) {
            return Err("an answer that is not whole".into());
        }
        first.ok_or_else(|| "an answer without text".into())
    }

    /// Makes one call, and returns its stream when the first text came.
    pub(crate) async fn open(&mut self) -> Fallible<Incoming> {
        let mut body = self.begin().await?;
        while let Some(frame) = body.frame().await {
            if frame?.data_ref().is_some_and(|data| has_content(data)) {
                return Ok(body);
            }
        }
        Err("a stream without text".into())
    }
}

/// A comment is no content.
fn has_content(data: &[u8]) -> bool {
    data.windows(CONTENT.len()).any(|window| window == CONTENT)
}

/// No end is longer, with the blanks around it.
const END: usize = 32;

const CONTENT: &[u8] = br#""content":"#;

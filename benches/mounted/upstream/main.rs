//! The upstream of the mounted measurement: answers every call at once, in OpenRouter's form.
//!
//! `upstream [CHUNKS|open] [CERTIFICATE]`: 8 chunks with text in a streamed answer by default; with `open` each stream stays open after three. With a
//! file for its certificate it speaks TLS, HTTP/2 or HTTP/1.1 as the client prefers, and writes there what a client must trust. Prints the address that
//! it listens on, loopback only.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the script that starts it reads the address, people the errors"
)]

mod tls;

use std::convert::Infallible;
use std::error::Error;
use std::path::Path;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Request, Response, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tower_openrouter_subjects::leaf;
use tower_openrouter_subjects::pieces::Pieces;

/// A short whole answer.
const ANSWER: &str = concat!(
    r#"{"id":"gen-1762300000-x","provider":"OpenAI","model":"openai/gpt-5","object":"chat.completion","#,
    r#""created":1762300000,"choices":[{"logprobs":null,"finish_reason":"stop","native_finish_reason":"stop","index":0,"#,
    r#""message":{"role":"assistant","content":"Rayleigh scattering.","refusal":null,"reasoning":null}}],"#,
    r#""usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17,"cost":0.000065}}"#
);

/// The end of a streamed one.
const LAST: &str = concat!(
    r#"data: {"id":"gen-1762300000-x","provider":"OpenAI","model":"openai/gpt-5","object":"chat.completion.chunk","#,
    r#""created":1762300000,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"#,
    r#""finish_reason":"stop","native_finish_reason":"stop","logprobs":null}],"#,
    r#""usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17,"cost":0.000065}}"#,
    "\n\n"
);

/// How a streamed answer continues.
#[derive(Debug, Clone, Copy)]
enum Course {
    /// So many chunks with text, then its end.
    Ends(usize),
    /// A few chunks, then nothing.
    StaysOpen,
}

/// Chunks with text in a streamed answer, unless an argument says otherwise.
const CHUNKS: usize = 8;
/// Chunks of a stream that stays open.
const BEGUN: usize = 3;

impl Course {
    fn parse(argument: Option<&str>) -> Result<Self, std::num::ParseIntError> {
        match argument {
            None => Ok(Self::Ends(CHUNKS)),
            Some("open") => Ok(Self::StaysOpen),
            Some(chunks) => chunks.parse().map(Self::Ends),
        }
    }

    fn body(self) -> BoxBody<Bytes, Infallible> {
        let begun =
            |chunks| std::iter::once(": OPENROUTER PROCESSING\n\n").chain(std::iter::repeat_n(leaf::event(), chunks));
        let bytes = |piece: &'static str| Bytes::from_static(piece.as_bytes());
        match self {
            Self::Ends(chunks) => {
                let all = begun(chunks).chain([LAST, "data: [DONE]\n\n"]);
                Pieces::new(all.map(bytes).collect()).boxed()
            }
            Self::StaysOpen => {
                let frames = begun(BEGUN).map(move |piece| Ok(Frame::data(bytes(piece))));
                BodyExt::boxed(StreamBody::new(stream::iter(frames).chain(stream::pending())))
            }
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    course: Course,
) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
    let asked = request.into_body().collect().await?.to_bytes();
    let streams = asked.windows(STREAM.len()).any(|window| window == STREAM);
    let (body, content_type) = if streams {
        (course.body(), "text/event-stream")
    } else {
        (
            Full::new(Bytes::from_static(ANSWER.as_bytes())).boxed(),
            "application/json",
        )
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
        .headers_mut()
        .insert("x-generation-id", HeaderValue::from_static("gen-1762300000-x"));
    Ok(response)
}

const STREAM: &[u8] = br#""stream":true"#;

/// A connection, until it closes.
async fn serve(connection: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, course: Course) {
    let server = auto::Builder::new(TokioExecutor::new());
    let answer = service_fn(move |request| answer(request, course));
    if let Err(error) = server.serve_connection(TokioIo::new(connection), answer).await {
        eprintln!("a connection failed: {error}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<Infallible, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let course = Course::parse(arguments.first().map(String::as_str))?;
    let tls = arguments
        .get(1)
        .map(|file| tls::acceptor(Path::new(file)))
        .transpose()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    println!("{scheme}://{}", listener.local_addr()?);
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let tls = tls.clone();
        tokio::spawn(async move {
            match tls {
                None => serve(connection, course).await,
                Some(tls) => match tls.accept(connection).await {
                    Ok(connection) => serve(connection, course).await,
                    Err(error) => eprintln!("no TLS: {error}"),
                },
            }
        });
    }
}

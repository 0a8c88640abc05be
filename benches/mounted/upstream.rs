//! The upstream of the mounted measurement: answers every call at once, in OpenRouter's form.
//!
//! `upstream [CHUNKS]`, 8 chunks with text in a streamed answer by default. Prints the address it listens on, loopback only.
#![expect(clippy::print_stdout, reason = "the script that starts it reads the address")]

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
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

/// Chunks with text in a streamed answer, unless an argument says otherwise.
const CHUNKS: usize = 8;

fn stream(chunks: usize) -> Pieces {
    let text = std::iter::repeat_n(leaf::event(), chunks);
    let all = std::iter::once(": OPENROUTER PROCESSING\n\n")
        .chain(text)
        .chain([LAST, "data: [DONE]\n\n"]);
    Pieces::new(all.map(|piece| Bytes::from_static(piece.as_bytes())).collect())
}

async fn answer(
    request: Request<Incoming>,
    chunks: usize,
) -> Result<Response<Either<Full<Bytes>, Pieces>>, hyper::Error> {
    let asked = request.into_body().collect().await?.to_bytes();
    let streams = asked.windows(STREAM.len()).any(|window| window == STREAM);
    let (body, content_type) = if streams {
        (Either::Right(stream(chunks)), "text/event-stream")
    } else {
        (
            Either::Left(Full::new(Bytes::from_static(ANSWER.as_bytes()))),
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<Infallible, Box<dyn Error>> {
    let chunks = std::env::args().nth(1).map_or(Ok(CHUNKS), |chunks| chunks.parse())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(
            TokioIo::new(connection),
            service_fn(move |request| answer(request, chunks)),
        ));
    }
}

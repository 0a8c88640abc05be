//! The HTTP clients that the pass-through can use: reqwest, and the one that reqwest is made of.

use std::error::Error;

use axum::body::{Body, Bytes};
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio_rustls::rustls::crypto::aws_lc_rs;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Connections that are kept for each host.
const KEPT: usize = 128;
const KEY: HeaderValue = HeaderValue::from_static("Bearer sk-or-v1-0000");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A client, and where it calls.
#[derive(Clone)]
pub(crate) enum Client {
    Reqwest(reqwest::Client, reqwest::Url),
    HyperUtil(Box<legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>>, Uri),
}

impl Client {
    pub(crate) fn reqwest(url: &str) -> Fallible<Self> {
        let client = reqwest::Client::builder()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(KEPT)
            .build()?;
        Ok(Self::Reqwest(client, url.parse()?))
    }

    pub(crate) fn hyper_util(url: &str) -> Fallible<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(aws_lc_rs::default_provider())?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(KEPT)
            .build(connector);
        Ok(Self::HyperUtil(Box::new(client), url.parse()?))
    }

    pub(crate) async fn post(&self, body: Bytes) -> Fallible<Response<Body>> {
        match self {
            Self::Reqwest(client, url) => {
                let call = client
                    .post(url.clone())
                    .header(header::CONTENT_TYPE, JSON)
                    .header(header::AUTHORIZATION, KEY)
                    .body(body);
                Ok(Response::<reqwest::Body>::from(call.send().await?).map(Body::new))
            }
            Self::HyperUtil(client, uri) => {
                let call = Request::post(uri.clone())
                    .header(header::CONTENT_TYPE, JSON)
                    .header(header::AUTHORIZATION, KEY)
                    .body(Full::new(body))?;
                Ok(client.request(call).await?.map(Body::new))
            }
        }
    }
}

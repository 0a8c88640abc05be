//! The list of models.

use std::{
    collections::HashSet,
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use serde_json::{Value, json};
use tower_service::Service;

use super::{
    EndpointBody, Envelope,
    envelope::{Shape, json as written},
    exchange::for_method,
    model_path::ModelPath,
    model_row::{endpoints, row},
    page::Page,
    problem::Problem,
    router::not_found,
};
use crate::{Api, Catalogue, stack::ModelsOf, transport::OPENROUTER};

/// `GET /v1/models`: the models of a stack's chain, and those of its catalogue, if it takes any model that a client requests.
///
/// A path with a model's id behind `/models/` gets that row alone, and 404 if the model is not listed; OpenRouter's `/models/{id}/endpoints` gets what
/// the catalogue says of the provider that is tried first. Any other path gets the list.
///
/// Under [`Envelope::OpenAi`] a row has what OpenAI's clients read, under [`Envelope::OpenRouter`] it is OpenRouter's own, as far as the
/// catalogue has it, and `offset` and `limit` in the query request a page of the list. A stack that is built without a chain and without a
/// [`Catalogue`] has no models, and its list is empty. Nothing is requested of an upstream.
#[derive(Debug, Clone)]
pub struct ModelsEndpoint {
    known: ModelsOf,
    /// Given by hand, in the place of the stack's.
    catalogue: Option<Catalogue>,
    envelope: Envelope,
    filter: Option<Filter>,
}

/// Which models are listed.
#[derive(Clone)]
struct Filter(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter")
    }
}

impl ModelsEndpoint {
    pub(crate) const fn new(known: ModelsOf) -> Self {
        Self {
            known,
            catalogue: None,
            envelope: Envelope::OpenAi,
            filter: None,
        }
    }

    /// In whose form it answers; OpenAI's by default.
    #[must_use]
    pub const fn envelope(mut self, envelope: Envelope) -> Self {
        self.envelope = envelope;
        self
    }

    /// Lists the models of this catalogue too.
    #[must_use]
    pub fn catalogue(mut self, catalogue: Catalogue) -> Self {
        self.catalogue = Some(catalogue);
        self
    }

    /// Lists only the models whose names this accepts, such as those that a client's key allows.
    #[must_use]
    pub fn filter(mut self, accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Filter(Arc::new(accepts)));
        self
    }

    /// The list, or what is wanted of one model.
    pub(super) fn respond(&self, method: &Method, uri: &Uri, asked: Option<&ModelPath>) -> Response<EndpointBody> {
        let (api, envelope) = (Api::Chat, self.envelope);
        if *method != Method::GET && *method != Method::HEAD {
            return Problem::wrong_method(method, "GET, HEAD").into_response(Shape { api, envelope });
        }
        let rows = self.rows();
        let shown = match asked {
            None => match (envelope, Page::of(uri.query())) {
                (Envelope::OpenAi, _) => json!({ "object": "list", "data": rows }),
                (Envelope::OpenRouter, Ok(page)) => {
                    let total = rows.len();
                    let rows: Vec<_> = rows.into_iter().skip(page.offset).take(page.limit).collect();
                    json!({ "total_count": total, "data": rows, "links": { "next": null } })
                }
                (Envelope::OpenRouter, Err(problem)) => return problem.into_response(Shape { api, envelope }),
            },
            Some(asked) => {
                let Some(row) = rows.into_iter().find(|row| row["id"] == asked.id.as_str()) else {
                    let message = format!("the model `{}` is not available: see /v1/models", asked.id);
                    let problem = Problem::new(StatusCode::NOT_FOUND, "model_not_found", message);
                    return problem.into_response(Shape { api, envelope });
                };
                match envelope {
                    _ if asked.wants_endpoints => json!({ "data": endpoints(&row) }),
                    Envelope::OpenAi => row,
                    Envelope::OpenRouter => json!({ "data": row }),
                }
            }
        };
        let mut response = Response::new(EndpointBody::whole(written(&shown).into()));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    /// The candidates in their order, then the rest of the catalogue.
    fn rows(&self) -> Vec<Value> {
        let known = self.known.now();
        let catalogue = self.catalogue.as_ref().or(known.catalogue.as_ref());
        let accepts = |model: &str| self.filter.as_ref().is_none_or(|filter| (filter.0)(model));
        let mut listed = HashSet::new();
        let mut rows = Vec::new();
        for candidate in &known.candidates {
            if accepts(candidate.model()) && listed.insert(candidate.model().to_owned()) {
                let model = catalogue
                    .filter(|_| candidate.upstream() == OPENROUTER)
                    .and_then(|catalogue| catalogue.model(candidate.model()));
                rows.push(row(self.envelope, candidate.model(), model.as_deref()));
            }
        }
        for model in catalogue.map(Catalogue::models).unwrap_or_default() {
            if accepts(&model.id) && !listed.contains(&model.id) {
                rows.push(row(self.envelope, &model.id, Some(&model)));
            }
        }
        rows
    }
}

impl<B> Service<Request<B>> for ModelsEndpoint {
    type Response = Response<EndpointBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<EndpointBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let response = match path.split_once("/models/").map(|(_, rest)| ModelPath::of(rest)) {
            None => self.respond(request.method(), request.uri(), None),
            Some(Some(asked)) => self.respond(request.method(), request.uri(), Some(&asked)),
            Some(None) => not_found().into_response(Shape {
                api: Api::Chat,
                envelope: self.envelope,
            }),
        };
        ready(Ok(for_method(response, request.method())))
    }
}

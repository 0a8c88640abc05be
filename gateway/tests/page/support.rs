//! A gateway without its server: the endpoints of a stack over the simulator, with the page beside them.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use openrouter_gateway::{
    accounts::Accounts,
    calls::{CallRecord, Calls, Filter},
    page::{Condition, ConditionSource, View, router},
};
use openrouter_simulator::Simulator;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_layer::Layer;
use tower_openrouter::{
    ChatServiceExt, Tags,
    layers::budget::{Budgets, InMemoryBudgetStore},
    ledger::{DatabaseLedger, LedgerOptions},
    settings::{Settings, SettingsHandle},
};

pub(crate) const FIRST: &str = "openai/gpt-5";
pub(crate) const SECOND: &str = "openai/gpt-4o-mini";
/// In the file of the upstream's key: on no page.
pub(crate) const KEY: &str = "sk-or-v1-0123456789abcdef0123456789abpage";

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) calls: Calls,
    pub(crate) ledger: Option<DatabaseLedger>,
    /// What the gateway reports of itself.
    pub(crate) condition: Arc<Mutex<Condition>>,
    /// The page, and everything else to the endpoints.
    pub(crate) app: Router,
}

/// A file of this test program, for one test.
pub(crate) fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("page-{}-{name}", std::process::id()))
}

impl World {
    /// With these settings beside the upstream, and calls kept in this room.
    pub(crate) async fn with(lines: &str, calls: Calls, ledger: Option<DatabaseLedger>) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let key = file(&format!("{}-key", simulator.addr().port()));
        fs::write(&key, KEY).unwrap();
        let text = format!(
            "{lines}\nchain = ['{FIRST}', '{SECOND}']\nbackoff = {{ base = '0s', max = '0s' }}\n\
             prices = [{{ model = '{FIRST}', prompt = '0.00000125', completion = '0.00001' }}, \
             {{ model = '{SECOND}', prompt = '0.00000015', completion = '0.0000006' }}]\n\
             upstream = [{{ name = 'openrouter', key = 'file:{}', base_url = '{}' }}]\n",
            key.display(),
            simulator.base_url()
        );
        let settings = Settings::from_toml(&text).unwrap_or_else(|error| panic!("{error}"));
        let store = InMemoryBudgetStore::new();
        let budgets = Budgets::in_store(settings.budgets().unwrap(), Arc::new(store.clone())).unwrap();
        if let Some(ledger) = &ledger {
            ledger.restore(&budgets).await.unwrap();
        }
        let (attached, recording) = (calls.clone(), ledger.clone());
        let handle = SettingsHandle::builder(settings)
            .budgets(budgets)
            .extend(move |builder| {
                let builder = attached.attach(builder);
                match recording.clone() {
                    Some(ledger) => builder.ledger(Arc::new(ledger)),
                    None => builder,
                }
            })
            .build()
            .unwrap();
        let endpoints = calls.layer().layer(handle.service().into_endpoints());
        let condition = Arc::<Mutex<Condition>>::default();
        let shown = Arc::clone(&condition);
        let view = View {
            calls: calls.clone(),
            ledger: ledger.clone(),
            settings: handle,
            accounts: Accounts::InMemory(store),
            condition: ConditionSource::new(move || shown.lock().unwrap().clone()),
        };
        let app = router(view).fallback_service(endpoints);
        Self {
            simulator,
            calls,
            ledger,
            condition,
            app,
        }
    }

    pub(crate) async fn new(plan: &str) -> Self {
        let world = Self::with("", Calls::new(), None).await;
        world.simulator.plan(FIRST, plan).unwrap();
        world
    }

    pub(crate) async fn with_ledger(name: &str, lines: &str) -> Self {
        let path = file(name);
        let ledger = LedgerOptions::sqlite(path).open().await.unwrap();
        Self::with(lines, Calls::new(), Some(ledger)).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.app.clone().oneshot(request).await.unwrap()
    }

    /// Makes a call, and reads its answer to the end.
    pub(crate) async fn call(&self, request: Request<Body>) -> (StatusCode, Bytes) {
        let response = self.send(request).await;
        (response.status(), whole(response).await)
    }

    /// The record of the last call that ended.
    pub(crate) fn last(&self) -> Arc<CallRecord> {
        self.calls
            .recent(&Filter::default(), 1)
            .pop()
            .expect("a call has ended")
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Body> {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        String::from_utf8(whole(response).await.to_vec()).unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.page(path).await).unwrap()
    }

    /// Waits until the ledger has written so many entries.
    pub(crate) async fn written(&self, entries: u64) {
        let ledger = self.ledger.as_ref().unwrap();
        while ledger.written() < entries {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) async fn whole(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// A chat for this model.
pub(crate) fn chat(model: &str, stream: bool) -> Request<Body> {
    let body =
        json!({"model": model, "stream": stream, "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]});
    Request::post("/v1/chat/completions")
        .body(Body::from(body.to_string()))
        .unwrap()
}

pub(crate) fn tagged(mut request: Request<Body>, tags: &[(&str, &str)]) -> Request<Body> {
    let tags = Tags::new(tags.iter().copied()).unwrap();
    request.extensions_mut().insert(tags);
    request
}

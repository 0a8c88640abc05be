//! What bad input gets: an error that names the field, the value's shape and the fix; never a panic, never the key.
#![expect(clippy::unwrap_used, reason = "a test that fails here should say so")]

use std::time::Duration;

use tower_openrouter::{
    ApiKey, Candidate, ChatRequest, KeyPool, Stack, Transport, Upstream,
    layers::rate_limit::{Limits, Rate},
    stack::{BuildError, StackBuilder, TenantKey},
};

const SECRET: &str = "sk-or-v1-s3cr3t";

fn builder() -> StackBuilder {
    Stack::openrouter(ApiKey::new(SECRET).unwrap())
}

/// The error's words; no word of the key may be in them, nor in its debug form.
fn words(error: &(impl std::fmt::Display + std::fmt::Debug)) -> String {
    let words = error.to_string();
    assert!(!format!("{words}{error:?}").contains("s3cr3t"), "{error:?}");
    words
}

#[test]
fn keys() {
    assert!(words(&ApiKey::new("").unwrap_err()).contains("empty"));
    let newline = words(&ApiKey::new("sk-or-v1-s3cr3t\n").unwrap_err());
    assert!(newline.contains("byte 15") && newline.contains("trim"), "{newline}");
    let unset = words(&ApiKey::from_variable("TOWER_OPENROUTER_NO_SUCH_KEY").unwrap_err());
    assert!(unset.contains("TOWER_OPENROUTER_NO_SUCH_KEY"), "{unset}");
    assert!(words(&KeyPool::new([]).unwrap_err()).contains("pool is empty"));
    assert!(!format!("{:?}", builder()).contains("s3cr3t"));
    assert!(!format!("{:?}", builder().build().unwrap()).contains("s3cr3t"));
}

#[test]
fn base_urls() {
    for (url, problem) in [
        ("openrouter.ai/api/v1", "scheme"),
        ("ftp://openrouter.ai", "scheme"),
        ("https://", "host"),
        ("https://user:s3cr3t@host/v1", "credentials"),
        ("https://host/v1?key=s3cr3t", "query"),
        ("", "scheme"),
    ] {
        let said = words(&Upstream::openai_compatible("direct", url).unwrap_err());
        assert!(
            said.contains("`base_url` of upstream `direct`") && said.contains(problem),
            "{url}: {said}"
        );
    }
    let bad = Stack::builder().upstream(Upstream::openai_compatible("x", "nowhere"), ApiKey::new("k").unwrap());
    assert!(matches!(bad.build(), Err(BuildError::Transport(_))));
}

#[test]
fn chains_attempts_and_clocks() {
    let said = |builder: StackBuilder| words(&builder.build().unwrap_err());
    assert!(said(builder().chain(Vec::<Candidate>::new())).contains("`chain` is an empty list"));
    assert!(said(builder().chain(["  "])).contains("`model` of a candidate is blank"));
    assert!(said(builder().chain([Candidate::new("nobody", "m").unwrap()])).contains("`nobody`"));
    assert!(said(builder().chain([Candidate::new("nobody", "m").unwrap()])).contains("name one that is"));
    assert!(said(builder().cheaper(["m"])).contains("`cheaper` is given without `chain`"));
    let twice = said(builder().chain(["m", "n"]).cheaper(["o", "n"]));
    assert!(twice.contains("`n` is given in `chain` and in `cheaper`"), "{twice}");
    assert!(said(builder().attempts(0)).contains("`attempts` is 0"));
    assert!(said(builder().attempts_per_candidate(0)).contains("`attempts_per_candidate` is 0"));
    assert!(said(builder().first_token_timeout(Duration::ZERO)).contains("`first_token_timeout` is 0"));
    // What nobody has set stands in nobody's way.
    assert!(builder().deadline(Duration::from_secs(10)).build().is_ok());
    let above = said(
        builder()
            .first_token_timeout(Duration::from_secs(20))
            .deadline(Duration::from_secs(10)),
    );
    assert!(
        above.contains("`first_token_timeout` of 20s is above `deadline` of 10s"),
        "{above}"
    );
    assert!(said(builder().connections(|connections| connections.shards(0))).contains("`shards`"));
    assert!(said(Stack::builder()).contains("no upstream"));
    let twice = builder().upstream(Upstream::openrouter(), ApiKey::new("k").unwrap());
    assert!(said(twice).contains("two upstreams are named `openrouter`"));
    assert!(Transport::builder().build().is_err());
}

#[test]
fn quotas() {
    let minute = Duration::from_secs(60);
    assert!(words(&Rate::new(0, minute).unwrap_err()).contains("`amount` of a rate is 0"));
    assert!(words(&Rate::new(1, Duration::ZERO).unwrap_err()).contains("`per` of a rate is zero"));
    assert!(words(&Limits::new().concurrency(0).unwrap_err()).contains("`concurrency` is 0"));
    let empty = builder()
        .admit(Limits::new(), TenantKey::everyone(), minute)
        .build()
        .unwrap_err();
    assert!(words(&empty).contains("the limits are empty"));
}

#[test]
fn requests() {
    for (body, field) in [
        ("", ""),
        ("{", ""),
        ("[]", ""),
        ("{\"model\":\"m\"}", "messages"),
        ("{\"messages\":[]}", "messages"),
        ("{\"messages\":\"hi\"}", "messages"),
        ("{\"messages\":[{}],\"model\":7}", "model"),
        ("{\"messages\":[{}],\"stream\":\"yes\"}", "stream"),
        ("{\"messages\":[{}],\"max_tokens\":0}", "max_tokens"),
        ("{\"messages\":[{}],\"max_tokens\":-5}", "max_tokens"),
        ("{\"messages\":[{}],\"models\":\"m\"}", "models"),
    ] {
        let error = ChatRequest::from_json(body.as_bytes().to_vec()).unwrap_err();
        assert!(words(&error).contains(field), "{body}: {error}");
        assert_eq!(error.field().unwrap_or_default(), field, "{body}");
    }
}

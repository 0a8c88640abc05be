//! What bad input gets: an error that names the field, the value's shape and the fix; never a panic, never the key.

use std::time::Duration;

use tower_openrouter::{
    ApiKey, ApiRequest, Candidate, ChatRequest, KeyPool, Stack, Transport, Upstream,
    layers::{
        budget::{Budget, Budgets},
        circuit_breaker::CircuitPolicy,
        rate_limit::{Limits, Rate},
    },
    stack::{BuildProblem, StackBuilder, TenantKey},
    transport::{Attribution, Dialect, OPENROUTER_URL, TransportProblem},
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
    let bad = Stack::builder().upstream(("x", "nowhere"), ApiKey::new("k").unwrap());
    let error = bad.build().unwrap_err();
    assert!(matches!(
        error.problems(),
        [BuildProblem::Transport(TransportProblem::BaseUrl { .. })]
    ));
}

#[test]
fn chains_attempts_and_timeouts() {
    let said = |builder: StackBuilder| words(&builder.build().unwrap_err());
    assert!(said(builder().chain(Vec::<Candidate>::new())).contains("`chain` is an empty list"));
    assert!(said(builder().chain(["  "])).contains("`model` of a candidate is blank"));
    assert!(said(builder().chain([Candidate::new("nobody", "m").unwrap()])).contains("`nobody`"));
    assert!(said(builder().chain([Candidate::new("nobody", "m").unwrap()])).contains("name one that is"));
    assert!(said(builder().cheaper(["m"])).contains("`cheaper` is given without `chain`"));
    let twice = said(builder().chain(["m", "n"]).cheaper(["o", "n"]));
    assert!(twice.contains("`n` is given in `chain` and in `cheaper`"), "{twice}");
    let doubles = builder().chain(["m", "n", "m", "m", "n"]).cheaper(["o", "o"]);
    let doubles = lines(&doubles.build().unwrap_err(), 3);
    for expected in [
        "m at openrouter is in the chain twice",
        "n at openrouter is in the chain twice",
        "o at openrouter is given in `cheaper` twice",
    ] {
        assert!(doubles.iter().any(|line| line.contains(expected)), "{doubles:?}");
    }
    let appended = said(
        builder()
            .candidate("m")
            .candidate(Candidate::new("openrouter", "m").unwrap()),
    );
    assert!(appended.contains("m at openrouter is in the chain twice"), "{appended}");
    assert!(said(builder().attempts(0)).contains("`attempts` is 0"));
    assert!(said(builder().attempts_per_candidate(0)).contains("`attempts_per_candidate` is 0"));
    assert!(said(builder().first_token_timeout(Duration::ZERO)).contains("`first_token_timeout` is 0"));
    // What is not set has no effect.
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
    let twice = builder().upstream(OPENROUTER_URL, ApiKey::new("k").unwrap());
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
        .tenant_limits(Limits::new(), TenantKey::global(), minute)
        .build()
        .unwrap_err();
    assert!(words(&empty).contains("the limits are empty"));
}

/// One line a problem, and none twice.
fn lines(error: &(impl std::fmt::Display + std::fmt::Debug), problems: usize) -> Vec<String> {
    let lines: Vec<_> = words(error).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), problems, "{error}");
    let distinct: std::collections::HashSet<_> = lines.iter().collect();
    assert_eq!(distinct.len(), problems, "{error}");
    lines
}

#[test]
fn every_wrong_setting_of_a_stack_is_named_at_once() {
    let minute = Duration::from_secs(60);
    let budget = |name: &str| Budget::usd(name, "1").unwrap();
    let unbuilt = builder()
        .upstream(("direct", "nowhere"), ApiKey::new("k").unwrap())
        .upstream(OPENROUTER_URL, ApiKey::new("k").unwrap())
        .connections(|connections| connections.shards(0).connect_timeout(Duration::ZERO))
        .attribution(Attribution::titled("a\nb").url("c\nd"))
        .chain(["m", " ", "n", "\t"])
        .cheaper(["o", "m", "", "n"])
        .circuit_breaker(CircuitPolicy::new().min_calls(0))
        .tenant_limits(Limits::new(), TenantKey::global(), minute)
        .upstream_limits(Limits::new(), minute)
        .budget(budget("day"))
        .budget(budget("day"))
        .budgets(Budgets::new([budget("team")]).unwrap())
        .attempts(0)
        .attempts_per_candidate(0)
        .first_token_timeout(Duration::from_secs(200))
        .response_timeout(Duration::ZERO)
        .idle_timeout(Duration::ZERO);
    let error = unbuilt.build().unwrap_err();
    let lines = lines(&error, error.problems().len());
    let expected = [
        "`base_url` of upstream `direct`",
        "two upstreams are named `openrouter`",
        "`shards` must be from 1 to 256",
        "`connect_timeout` must be longer than zero",
        "`title` of the app's attribution",
        "`url` of the app's attribution",
        "(entry 2 of `chain`)",
        "(entry 4 of `chain`)",
        "(entry 3 of `cheaper`)",
        "`m` is given in `chain` and in `cheaper`",
        "`n` is given in `chain` and in `cheaper`",
        "`min_calls` of the circuit breaker is 0",
        "`tenant_limits`: the limits are empty",
        "`upstream_limits`: the limits are empty",
        "`budgets` is set, and also `budget` or `budget_store`",
        "`day`",
        "there are budgets and no prices",
        "`attempts` is 0",
        "`attempts_per_candidate` is 0",
        "`first_token_timeout` of 200s is above `deadline` of 180s",
        "`response_timeout` is 0",
        "`idle_timeout` is 0",
    ];
    for expected in expected {
        let named = lines.iter().filter(|line| line.contains(expected)).count();
        assert_eq!(named, 1, "{expected}\n{error}");
    }
    assert_eq!(lines.len(), expected.len(), "{error}");
    // An error of several problems has no single source: its lines contain them all.
    assert!(std::error::Error::source(&error).is_none());
    let one = builder().chain([" "]).build().unwrap_err();
    assert!(std::error::Error::source(&one).is_some());
}

#[test]
fn a_stack_over_another_inner_service_names_them_all_as_well() {
    let leaf = tower::service_fn(|_: http::Request<ApiRequest>| async {
        Err::<http::Response<tower_openrouter::ChatBody>, _>(tower_openrouter::Error::new(
            tower_openrouter::FailureKind::Internal,
            "unused",
        ))
    });
    let error = builder()
        .chain([" "])
        .attempts(0)
        .deadline(Duration::ZERO)
        .build_over(leaf);
    lines(&error.map(drop).unwrap_err(), 3);
}

/// What only follows from another problem is none of its own.
#[test]
fn a_problem_is_named_once_and_not_what_follows_from_it() {
    let key = || ApiKey::new("k").unwrap();
    let bad = || ("direct", "nowhere");
    let at = |upstream: &str| Candidate::new(upstream, "m").unwrap();
    // The upstream is there, though it is wrong.
    lines(
        &Stack::builder()
            .upstream(bad(), key())
            .chain([at("direct")])
            .build()
            .unwrap_err(),
        1,
    );
    lines(
        &builder()
            .upstream(bad(), key())
            .chain([at("direct")])
            .build()
            .unwrap_err(),
        1,
    );
    // Without any upstream each candidate would be unknown.
    lines(&Stack::builder().chain(["m", "n"]).build().unwrap_err(), 1);
    // The chain is not empty as it was given, and there is one.
    lines(&builder().chain([" "]).cheaper(["m"]).build().unwrap_err(), 1);
    // Three of one name are one problem; that there are no prices is another.
    let twice = [(); 3].map(|()| Budget::usd("day", "1").unwrap());
    let twice = twice.into_iter().fold(builder(), StackBuilder::budget);
    lines(&twice.build().unwrap_err(), 2);
    // A limit of zero is above nothing.
    lines(
        &builder()
            .first_token_timeout(Duration::from_secs(1))
            .deadline(Duration::ZERO)
            .build()
            .unwrap_err(),
        1,
    );
}

#[test]
fn every_candidate_at_an_unknown_upstream_is_named() {
    let at = |upstream: &str| Candidate::new(upstream, "m").unwrap();
    let error = builder()
        .chain([at("here"), at("openrouter"), at("there")])
        .build()
        .unwrap_err();
    let lines = lines(&error, 2);
    assert!(lines[0].contains("`here`") && lines[1].contains("`there`"), "{error}");
    assert!(lines.iter().all(|line| line.contains(": openrouter.")), "{error}");
}

#[test]
fn every_wrong_setting_of_a_transport_is_named_at_once() {
    let error = Upstream::new(" ", "https://user:s3cr3t@host/v1?key=s3cr3t", Dialect::OpenAi).unwrap_err();
    let said = lines(&error, 3);
    assert!(said[0].contains("`name` of an upstream is blank"), "{error}");
    assert!(said[1].contains("credentials") && said[2].contains("query"), "{error}");
    let error = Transport::builder()
        .shards(0)
        .connect_timeout(Duration::ZERO)
        .attribution(Attribution::titled("a\n").categories("b\n"))
        .build()
        .unwrap_err();
    assert!(error.problems().contains(&TransportProblem::NoUpstream));
    lines(&error, 5);
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

use http::{Extensions, Request, Response};
use tokio::time::Instant;
use tracing::{Span, field::Empty, info_span};

use super::record::{End, Record, seconds};
#[cfg(feature = "metrics")]
use crate::Outcome;
use crate::{AttemptLog, Candidate, Degraded, Failure, LlmRequest, Resumed, TokenUsage, UsdAmount, call::Opened};

/// What is told of one operation.
#[derive(Debug)]
pub struct OperationRecord {
    span: Span,
    begun: Instant,
    operation: &'static str,
    asked: Option<Box<str>>,
    log: Option<AttemptLog>,
    opened: Opened,
    first: Option<Instant>,
    last: Option<Instant>,
    chunks: u32,
    usage: Option<TokenUsage>,
    rung: Option<&'static str>,
    resumed: Option<Resumed>,
}

impl OperationRecord {
    /// Nothing where nobody listens.
    pub(super) fn of<R: LlmRequest>(request: &mut Request<R>) -> Option<Self> {
        let body = request.body();
        let operation = body.operation();
        let model = body.model();
        let span = info_span!(
            target: "llm::operation",
            "llm operation",
            otel.name = Empty,
            otel.kind = "client",
            otel.status_code = Empty,
            gen_ai.operation.name = operation,
            gen_ai.provider.name = Empty,
            gen_ai.request.model = model,
            gen_ai.request.stream = body.is_streaming(),
            gen_ai.request.max_tokens = body.max_tokens(),
            gen_ai.response.model = Empty,
            gen_ai.response.time_to_first_chunk = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            gen_ai.usage.cache_read.input_tokens = Empty,
            gen_ai.usage.cache_creation.input_tokens = Empty,
            gen_ai.usage.reasoning.output_tokens = Empty,
            error.type = Empty,
            llm.attempts = Empty,
            llm.cost.usd = Empty,
            llm.degraded.rung = Empty,
            llm.resumed = Empty,
        );
        if span.is_disabled() && !cfg!(feature = "metrics") {
            return None;
        }
        if !span.is_disabled() {
            span.record(
                "otel.name",
                format!("{operation} {}", model.unwrap_or_default()).trim_end(),
            );
        }
        let asked = model.map(Box::from);
        let call = request.body_mut().call_mut();
        let opened = call.open();
        Some(Self {
            span,
            begun: Instant::now(),
            operation,
            asked,
            log: call.attempts(),
            opened,
            first: None,
            last: None,
            chunks: 0,
            usage: None,
            rung: None,
            resumed: None,
        })
    }

    /// Whose answer it is, or who was asked last.
    fn candidate(&self) -> Option<Candidate> {
        let log = self.log.as_ref()?;
        let last = || log.attempts().into_iter().rev().find_map(|line| line.candidate);
        log.answered_by().or_else(last)
    }

    /// What all attempts cost.
    fn cost(&self) -> Option<UsdAmount> {
        let lines = self.log.as_ref()?.attempts();
        let costs = lines.iter().filter_map(|line| line.cost);
        costs.reduce(UsdAmount::saturating_add)
    }
}

impl Record for OperationRecord {
    fn span(&self) -> &Span {
        &self.span
    }

    fn publish<B, E: Failure>(&mut self, result: Result<Response<B>, E>) -> Result<Response<B>, E> {
        self.opened.publish(result)
    }

    fn began(&mut self, extensions: &Extensions) {
        self.first = Some(Instant::now());
        self.rung = extensions.get::<Degraded>().map(|mark| mark.rung.as_str());
        self.resumed = extensions.get::<Resumed>().cloned();
    }

    fn chunk(&mut self, usage: Option<TokenUsage>) {
        self.chunks += 1;
        self.last = Some(Instant::now());
        self.usage = usage.or(self.usage);
    }

    fn end(&mut self, how: &End<'_>) {
        let candidate = self.candidate();
        let (attempts, cost) = (self.log.as_ref().map_or(0, AttemptLog::sent), self.cost());
        let span = &self.span;
        if let Some(candidate) = &candidate {
            span.record("gen_ai.provider.name", candidate.upstream());
            span.record("gen_ai.response.model", candidate.model());
        }
        if let Some(first) = self.first {
            span.record("gen_ai.response.time_to_first_chunk", seconds(first - self.begun));
        }
        if let Some(usage) = &self.usage {
            span.record("gen_ai.usage.input_tokens", usage.prompt);
            span.record("gen_ai.usage.output_tokens", usage.answer);
            span.record("gen_ai.usage.cache_read.input_tokens", usage.cached);
            span.record("gen_ai.usage.cache_creation.input_tokens", usage.cache_written);
            span.record("gen_ai.usage.reasoning.output_tokens", usage.reasoning);
        }
        span.record("llm.attempts", attempts);
        if let Some(cost) = cost {
            span.record("llm.cost.usd", tracing::field::display(cost));
        }
        if let Some(rung) = self.rung {
            span.record("llm.degraded.rung", rung);
        }
        let resumed = self.resumed.as_ref().map_or(0, |resumed| resumed.places().len());
        if resumed > 0 {
            span.record("llm.resumed", resumed);
        }
        if let Some(kind) = how.error_type() {
            span.record("error.type", kind);
            span.record("otel.status_code", "ERROR");
        }
        let summary = match how {
            End::Failed(_, summary) => Some(*summary),
            End::Whole | End::Dropped => None,
        };
        span.in_scope(|| {
            tracing::info!(
                target: "llm::operation",
                operation = self.operation,
                asked = self.asked.as_deref(),
                model = candidate.as_ref().map(Candidate::model),
                error = how.error_type(),
                summary,
                attempts,
                cost = cost.map(tracing::field::display),
                duration = ?self.begun.elapsed(),
                "operation ended"
            );
        });
        #[cfg(feature = "metrics")]
        self.count(how, candidate.as_ref(), (attempts, cost, resumed));
    }
}

#[cfg(feature = "metrics")]
impl OperationRecord {
    fn count(&self, how: &End<'_>, candidate: Option<&Candidate>, told: (usize, Option<UsdAmount>, usize)) {
        use super::names;
        use crate::metering::bounded;

        let (attempts, cost, resumed) = told;
        let asked = self.asked.as_deref().or_else(|| candidate.map(Candidate::model));
        let labels = [
            metrics::Label::new(names::OPERATION, self.operation),
            metrics::Label::new(
                names::PROVIDER,
                candidate.map_or("none", Candidate::upstream).to_owned(),
            ),
            metrics::Label::new(names::REQUEST_MODEL, bounded(asked.unwrap_or("none"))),
            metrics::Label::new(
                names::RESPONSE_MODEL,
                bounded(candidate.map_or("none", Candidate::model)),
            ),
        ];
        let error = metrics::Label::new(names::ERROR_TYPE, how.error_type().unwrap_or(""));
        let with_error = labels.iter().chain([&error]).cloned().collect::<Vec<_>>();
        metrics::histogram!(names::OPERATION_DURATION, with_error.iter()).record(seconds(self.begun.elapsed()));
        if let Some(first) = self.first {
            metrics::histogram!(names::TIME_TO_FIRST_CHUNK, labels.iter()).record(seconds(first - self.begun));
            if let Some(last) = self.last.filter(|_| self.chunks > 1) {
                let each = seconds(last - first) / f64::from(self.chunks - 1);
                metrics::histogram!(names::TIME_PER_OUTPUT_CHUNK, labels.iter()).record(each);
            }
        }
        for (kind, tokens) in self
            .usage
            .iter()
            .flat_map(|usage| [("input", usage.prompt), ("output", usage.answer)])
        {
            let kind = metrics::Label::new(names::TOKEN_TYPE, kind);
            let labels = labels.iter().chain([&kind]).cloned().collect::<Vec<_>>();
            metrics::histogram!(names::TOKEN_USAGE, labels.iter())
                .record(f64::from(u32::try_from(tokens).unwrap_or(u32::MAX)));
        }
        let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        metrics::histogram!(names::OPERATION_ATTEMPTS, labels.iter()).record(count(attempts));
        if let Some(cost) = cost {
            #[expect(clippy::cast_precision_loss, reason = "a metric is no bill")]
            let dollars = cost.pico() as f64 / 1e12;
            metrics::histogram!(names::OPERATION_COST, labels.iter()).record(dollars);
        }
        let lines = self.log.as_ref().map(AttemptLog::attempts).unwrap_or_default();
        let sent: Vec<_> = lines.iter().filter(|line| line.outcome != Outcome::Skipped).collect();
        let pairs = || sent.iter().zip(sent.iter().skip(1));
        let retries = pairs().filter(|(one, next)| one.candidate == next.candidate).count();
        let fallbacks = pairs().filter(|(one, next)| one.candidate != next.candidate).count();
        for (name, number) in [
            (names::RETRIES, retries),
            (names::FALLBACKS, fallbacks),
            (names::RESUMED, resumed),
        ] {
            if number > 0 {
                metrics::counter!(name, labels.iter()).increment(number as u64);
            }
        }
        if let Some(rung) = self.rung {
            let rung = metrics::Label::new(names::RUNG, rung);
            let labels = labels.iter().chain([&rung]).cloned().collect::<Vec<_>>();
            metrics::counter!(names::DEGRADED, labels.iter()).increment(1);
        }
    }
}

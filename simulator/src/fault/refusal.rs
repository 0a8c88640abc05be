//! The errors that come with an HTTP status, before anything has been generated.

use std::fmt;

/// One error answer of the wire, named by its status and kind (`429-upstream`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// `400`: a parameter out of range.
    Validation,
    /// `400-zod`: the validation library's own form.
    Zod,
    /// `400-context`: longer than the context.
    Context,
    /// `400-upstream`: the provider's own 400, passed on.
    Upstream400,
    /// `400-model`: no such model, with `availability`.
    Model,
    /// `400-models`: more than three fallbacks.
    Models,
    /// `400-policy`: content policy.
    Policy,
    /// `400-prefill`: the model takes no trailing assistant message.
    Prefill,
    /// `401`: unknown key.
    Unauthorized,
    /// `401-missing`: no key.
    NoKey,
    /// `401-upstream`: the provider rejected OpenRouter's key.
    Upstream401,
    /// `402`: the balance is empty.
    Balance,
    /// `402-afford=N`: can only afford N tokens.
    Afford(u32),
    /// `402-inflight`: too many requests in flight; comes with `Retry-After: 3`.
    InFlight,
    /// `402-weight`: one request larger than the whole in-flight budget.
    Weight,
    /// `403`: permission denied.
    Forbidden,
    /// `403-key`: key cap reached.
    KeyLimit,
    /// `403-workspace`: workspace budget.
    Workspace,
    /// `403-budget`: guardrail budget.
    GuardrailBudget,
    /// `403-guardrail`: guardrail block.
    Guardrail,
    /// `403-moderation`: moderation.
    Moderation,
    /// `403-management`: wrong kind of key.
    Management,
    /// `403-region`: region restricted.
    Region,
    /// `403-html`: the edge blocks, in HTML.
    Cloudflare403,
    /// `404`: no endpoints.
    NoEndpoints,
    /// `404-tools`: no endpoint takes tools.
    NoTools,
    /// `404-image`: no endpoint takes images.
    NoImages,
    /// `404-privacy`: none fits the data policy.
    Privacy,
    /// `404-constraint`: filtered by `max_price`, with `availability`.
    Constraint,
    /// `408`: timed out.
    Timeout408,
    /// `413`: body too large.
    TooLarge,
    /// `422`: semantic validation.
    Unprocessable,
    /// `429`: bare.
    Limited,
    /// `429-day`: free tier, per day.
    FreeDay,
    /// `429-minute`: free tier, per minute.
    FreeMinute,
    /// `429-rpm`: shared cap of one model.
    SharedRpm,
    /// `429-upstream`: the provider's shared pool.
    UpstreamPool,
    /// `429-capacity`: all providers full, with `availability`.
    Capacity,
    /// `429-html`: the edge's abuse page.
    Cloudflare429,
    /// `500`: masked.
    Internal,
    /// `502`: provider unavailable.
    BadGateway,
    /// `503`: with `availability` and `Retry-After: 5`.
    Unavailable,
    /// `504`: upstream timeout.
    GatewayTimeout,
    /// `524`: edge timeout, in JSON.
    EdgeTimeout,
    /// `529`: overloaded.
    Overloaded,
    /// `520`…`523`, `525`, `526`, `530` and any `NNN-html`: an HTML page of the edge.
    Html(u16),
    /// Any other status from 400 to 599, in the plain envelope.
    Other(u16),
}

/// Names, statuses and variants of those without an argument.
const NAMED: &[(&str, u16, Refusal)] = &[
    ("400", 400, Refusal::Validation),
    ("400-zod", 400, Refusal::Zod),
    ("400-context", 400, Refusal::Context),
    ("400-upstream", 400, Refusal::Upstream400),
    ("400-model", 400, Refusal::Model),
    ("400-models", 400, Refusal::Models),
    ("400-policy", 400, Refusal::Policy),
    ("400-prefill", 400, Refusal::Prefill),
    ("401", 401, Refusal::Unauthorized),
    ("401-missing", 401, Refusal::NoKey),
    ("401-upstream", 401, Refusal::Upstream401),
    ("402", 402, Refusal::Balance),
    ("402-inflight", 402, Refusal::InFlight),
    ("402-weight", 402, Refusal::Weight),
    ("403", 403, Refusal::Forbidden),
    ("403-key", 403, Refusal::KeyLimit),
    ("403-workspace", 403, Refusal::Workspace),
    ("403-budget", 403, Refusal::GuardrailBudget),
    ("403-guardrail", 403, Refusal::Guardrail),
    ("403-moderation", 403, Refusal::Moderation),
    ("403-management", 403, Refusal::Management),
    ("403-region", 403, Refusal::Region),
    ("403-html", 403, Refusal::Cloudflare403),
    ("404", 404, Refusal::NoEndpoints),
    ("404-tools", 404, Refusal::NoTools),
    ("404-image", 404, Refusal::NoImages),
    ("404-privacy", 404, Refusal::Privacy),
    ("404-constraint", 404, Refusal::Constraint),
    ("408", 408, Refusal::Timeout408),
    ("413", 413, Refusal::TooLarge),
    ("422", 422, Refusal::Unprocessable),
    ("429", 429, Refusal::Limited),
    ("429-day", 429, Refusal::FreeDay),
    ("429-minute", 429, Refusal::FreeMinute),
    ("429-rpm", 429, Refusal::SharedRpm),
    ("429-upstream", 429, Refusal::UpstreamPool),
    ("429-capacity", 429, Refusal::Capacity),
    ("429-html", 429, Refusal::Cloudflare429),
    ("500", 500, Refusal::Internal),
    ("502", 502, Refusal::BadGateway),
    ("503", 503, Refusal::Unavailable),
    ("504", 504, Refusal::GatewayTimeout),
    ("524", 524, Refusal::EdgeTimeout),
    ("529", 529, Refusal::Overloaded),
];

/// What `402-afford` says if no number is given.
const AFFORD: u32 = 1480;

impl Refusal {
    /// Every refusal that has a name of its own, with an example of those that take an argument.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let with_argument = [Self::Afford(AFFORD), Self::Html(520), Self::Html(502), Self::Other(418)];
        NAMED
            .iter()
            .map(|(_, _, refusal)| *refusal)
            .chain(with_argument)
            .collect()
    }

    /// The HTTP status it comes with.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Afford(_) => 402,
            Self::Html(status) | Self::Other(status) => status,
            named => NAMED
                .iter()
                .find(|(_, _, r)| *r == named)
                .map_or(500, |(_, status, _)| *status),
        }
    }

    /// Whether the body is an HTML page.
    #[must_use]
    pub fn is_html(self) -> bool {
        matches!(self, Self::Html(_) | Self::Cloudflare403 | Self::Cloudflare429)
    }

    /// Reads the name; `None` if it is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some((_, _, refusal)) = NAMED.iter().find(|(name, _, _)| *name == text) {
            return Some(*refusal);
        }
        if let Some(rest) = text.strip_prefix("402-afford") {
            return match rest.strip_prefix('=') {
                Some(tokens) => tokens.parse().ok().map(Self::Afford),
                None if rest.is_empty() => Some(Self::Afford(AFFORD)),
                None => None,
            };
        }
        let (number, html) = match text.strip_suffix("-html") {
            Some(number) => (number, true),
            None => (text, false),
        };
        let status: u16 = number
            .parse()
            .ok()
            .filter(|n| (400..600).contains(n) && number.len() == 3)?;
        let page = html || matches!(status, 520..=523 | 525 | 526 | 530);
        Some(if page { Self::Html(status) } else { Self::Other(status) })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Afford(tokens) => write!(f, "402-afford={tokens}"),
            Self::Html(status @ (520..=523 | 525 | 526 | 530)) => write!(f, "{status}"),
            Self::Html(status) => write!(f, "{status}-html"),
            Self::Other(status) => write!(f, "{status}"),
            named => f.write_str(
                NAMED
                    .iter()
                    .find(|(_, _, r)| r == named)
                    .map_or("500", |(name, _, _)| name),
            ),
        }
    }
}

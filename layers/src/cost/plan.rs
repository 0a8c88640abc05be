//! What an attempt may cost, and how long its answer may be for that.

use super::{
    settings::{Settings, UNBOUNDED_ANSWER},
    tools::{ENDLESS, Tools},
};
use crate::{
    Candidate, Failure, LayerError, LlmRequest, Quote, UsdAmount, UtcTime, WorstCasePrice,
    budget::{AccountRef, Budgets, Refusal, Reservation},
    events::{EventKind, emit},
    metering,
    protocol::with_candidate,
};

/// How a request gets its limits; each returns whether the request has it now.
pub(super) struct Limits<R> {
    pub(super) max_tokens: fn(&mut R, u64) -> bool,
    pub(super) max_tool_cost: fn(&mut R, UsdAmount) -> bool,
}

/// What is reserved for one attempt.
#[derive(Debug)]
pub(super) struct Plan {
    worst_case: WorstCasePrice,
    /// Tokens of the prompt, at most.
    prompt: u64,
    /// Tokens of the answer, at most.
    answer: u64,
    /// The shortest answer that is worth asking for, in tokens.
    shortest: u64,
    /// Whether the request must be changed, although nothing is lowered.
    tell: bool,
    /// Whether all budgets only warn: then the request stays as it is.
    only_warns: bool,
    /// Whether the call has tags: then others share a budget that counts by none of them.
    is_tagged: bool,
    /// What the whole answer can cost.
    pub(super) want: UsdAmount,
    /// What the shortest answer can cost; of an unknown price, what must be free although nothing is reserved.
    least: UsdAmount,
    /// The price that is assumed, since the price list has none.
    pub(super) assumed: Option<WorstCasePrice>,
    /// The accounts that the attempt is recorded on, until the reservation is requested.
    lines: Vec<AccountRef>,
    /// The models that the upstream may try by itself, if budgets count by model.
    pub(super) alternatives: Vec<String>,
    /// What the upstream's loop of tools may cost, if it runs one.
    tools: Option<Tools>,
}

/// What must be free for an attempt of an unknown price: anything.
const ANYTHING: UsdAmount = UsdAmount::from_pico(1);

/// How the answer was limited to fit what is reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limited {
    No,
    /// The request names no `max_tokens`, and was given these.
    ByDefault(u64),
    /// Its `max_tokens` were lowered to these.
    Shortened(u64),
    /// The upstream stops its loop of tools after this cost, which is less than it would by default.
    Tools(UsdAmount),
}

/// The layers' error as the service's, with the mark of a budget that counts by no tag.
pub(super) fn marked<E: Failure + From<LayerError>>(error: LayerError) -> E {
    let is_shared = matches!(&error, LayerError::BudgetExceeded(refusal) if !refusal.budget.is_by_tag());
    let mut error = E::from(error);
    if is_shared {
        error.marks_mut().set_shared_budget();
    }
    error
}

impl Plan {
    /// What to ask the budgets for; `None` if no budget is for this attempt.
    pub(super) fn of<R: LlmRequest>(
        settings: &Settings,
        request: &R,
        candidate: Option<&Candidate>,
        at: UtcTime,
    ) -> Result<Option<Self>, LayerError> {
        let Some(budgets) = &settings.budgets else {
            return Ok(None);
        };
        let model = candidate.map_or("", Candidate::model);
        let mut alternatives = Vec::new();
        if budgets.count_models() {
            alternatives = request.alternatives();
        }
        let tags = request.call().tags();
        let lines = match candidate {
            Some(candidate) => budgets.lines_of_all(tags, candidate, &alternatives),
            None => budgets.lines(tags, "", ""),
        };
        if lines.is_empty() {
            return Ok(None);
        }
        let only_warns = lines.iter().all(|line| line.budget.is_soft());
        let refuses = !settings.allow_unreserved_tools && !only_warns;
        if let Some(tool) = refuses.then(|| request.unbounded_tool()).flatten() {
            return Err(LayerError::UnboundedTool { tool });
        }
        let quote = quote(settings, request, candidate, at);
        let worst_case = match settings.unknown_price.resolve(quote) {
            Ok(worst_case) => worst_case,
            Err(()) if only_warns => None,
            Err(()) => {
                return Err(LayerError::UnknownPrice {
                    model: model.to_owned(),
                    varies: quote == Quote::Varies,
                });
            }
        };
        // The default is written into no request that no budget limits: its answer may be as long as the model's longest.
        let default_output = settings.default_output_tokens.filter(|_| !only_warns);
        let mut plan = match worst_case {
            Some(worst_case) => Self::by(worst_case, default_output, settings.min_output_tokens, request),
            None => Self::without_reservation(),
        };
        plan.only_warns = only_warns;
        plan.is_tagged = !tags.is_empty();
        if !matches!(quote, Quote::Known(_)) {
            plan.assumed = worst_case;
        }
        plan.lines = lines;
        plan.alternatives = alternatives;
        Ok(Some(plan))
    }

    fn by<R: LlmRequest>(
        worst_case: WorstCasePrice,
        default_output: Option<u64>,
        min_output: u64,
        request: &R,
    ) -> Self {
        let needs = request.needs();
        let prompt = needs.most_prompt_tokens.max(needs.prompt_tokens);
        let asked = request.max_tokens();
        let answer = match (asked.or(default_output), worst_case.max_answer) {
            // A model gives no longer answer than it can, whatever the request says.
            (Some(asked), Some(longest)) => asked.min(longest),
            (Some(asked), None) => asked,
            (None, Some(longest)) => longest,
            (None, None) => UNBOUNDED_ANSWER,
        };
        // Each choice has an answer of its own.
        let answer_token = worst_case
            .answer_token
            .checked_mul(needs.choices.max(1))
            .unwrap_or(ENDLESS);
        let worst_case = WorstCasePrice {
            answer_token,
            ..worst_case
        };
        let tell = asked.is_none() && (default_output.is_some() || worst_case.max_answer.is_none());
        let shortest = answer.min(min_output);
        if let Some(tool_loop) = needs.tool_loop.filter(|tool_loop| tool_loop.steps > 0) {
            let tools = Tools::of(&tool_loop, worst_case, prompt, answer);
            return Self {
                worst_case: tools.worst_case,
                prompt,
                answer,
                // Its tools are limited, and not its answer.
                shortest: answer,
                tell,
                only_warns: false,
                is_tagged: false,
                want: tools.want,
                least: tools.base,
                assumed: None,
                lines: Vec::new(),
                alternatives: Vec::new(),
                tools: Some(tools),
            };
        }
        let cost = |answer| worst_case.cost(prompt, answer).unwrap_or(ENDLESS);
        Self {
            worst_case,
            prompt,
            answer,
            shortest,
            tell,
            only_warns: false,
            is_tagged: false,
            want: cost(answer),
            least: cost(shortest),
            assumed: None,
            lines: Vec::new(),
            alternatives: Vec::new(),
            tools: None,
        }
    }

    const fn without_reservation() -> Self {
        let worst_case = WorstCasePrice {
            fixed: UsdAmount::ZERO,
            prompt_token: UsdAmount::ZERO,
            answer_token: UsdAmount::ZERO,
            max_answer: None,
        };
        Self {
            worst_case,
            prompt: 0,
            answer: u64::MAX,
            shortest: u64::MAX,
            tell: false,
            only_warns: false,
            is_tagged: false,
            want: UsdAmount::ZERO,
            least: ANYTHING,
            assumed: None,
            lines: Vec::new(),
            alternatives: Vec::new(),
            tools: None,
        }
    }

    /// The least that must be free: for the shortest answer, or for the whole.
    pub(super) fn at_least(&self, takes_less: bool) -> UsdAmount {
        if takes_less {
            self.least
        } else {
            self.want.max(self.least)
        }
    }

    /// Whether it is known what the attempt can cost.
    fn is_priced(&self) -> bool {
        self.least <= self.want
    }

    /// The accounts that the attempt is recorded on.
    pub(super) fn lines<R: LlmRequest>(&mut self, budgets: &Budgets, request: &R) -> Vec<AccountRef> {
        let lines = std::mem::take(&mut self.lines);
        if !lines.is_empty() {
            return lines;
        }
        // The reservation is requested again, which is rare.
        let tags = request.call().tags();
        let lines = |candidate: &Candidate| Some(budgets.lines_of_all(tags, candidate, &self.alternatives));
        with_candidate(request, lines).unwrap_or_else(|| budgets.lines(tags, "", ""))
    }

    /// A refusal of the whole as the layers' error: with the tokens that the budget could carry instead, `waits` saying whether an attempt may
    /// wait for reservations to end.
    pub(super) fn over_budget(&self, refusal: Box<Refusal>, is_hedge: bool, waits: bool) -> LayerError {
        let counts_reserved = waits && refusal.is_reserved();
        let fits = refusal
            .free(counts_reserved)
            .and_then(|free| self.worst_case.answer_within(free, self.prompt))
            .filter(|tokens| *tokens >= self.shortest && !is_hedge && self.is_priced());
        let mut refusal = if is_hedge {
            refusal
        } else {
            refusal.for_less(self.least)
        };
        refusal.affordable_tokens = fits.map(|tokens| tokens.min(self.answer));
        refusal.is_shared = self.is_tagged && !refusal.budget.is_by_tag();
        metering::budget_refused(refusal.budget.name(), refusal.reason.as_str());
        tracing::info!(
            target: "llm::budget",
            budget = refusal.budget.name(),
            account = refusal.account,
            needed = %refusal.needed,
            reason = refusal.reason.as_str(),
            sums = refusal.sums(),
            affordable_tokens = refusal.affordable_tokens,
            "over budget"
        );
        emit(|| EventKind::BudgetRefused {
            budget: refusal.budget.name().to_owned(),
            account: refusal.account.clone(),
        });
        LayerError::BudgetExceeded(refusal)
    }

    /// Lowers `max_tokens` to what the reservation carries, if that is less than wanted. Fails if the request cannot say so, since the
    /// reservation would not hold then. Budgets that only warn change nothing.
    pub(super) fn fit<R>(
        &self,
        request: &mut R,
        held: &Reservation,
        limits: &Limits<R>,
    ) -> Result<Limited, LayerError> {
        if self.only_warns {
            return Ok(Limited::No);
        }
        let check = |is_lowered: bool, tokens| {
            if is_lowered {
                Ok(())
            } else {
                Err(LayerError::CannotShorten { tokens })
            }
        };
        if self.tell && (self.tools.is_some() || held.amount() >= self.want) {
            check((limits.max_tokens)(request, self.answer), self.answer)?;
        }
        if let Some(tools) = &self.tools {
            let is_cut = held.amount() < self.want;
            let most = tools.limit_within(held.amount());
            if let Some(most) = most
                && !(limits.max_tool_cost)(request, most)
            {
                return Err(LayerError::CannotLimitTools);
            }
            return Ok(match most {
                Some(most) if is_cut => Limited::Tools(most),
                _ if self.tell => Limited::ByDefault(self.answer),
                _ => Limited::No,
            });
        }
        if held.amount() >= self.want {
            return Ok(if self.tell {
                Limited::ByDefault(self.answer)
            } else {
                Limited::No
            });
        }
        let fits = self.worst_case.answer_within(held.amount(), self.prompt).unwrap_or(0);
        let fits = fits.min(self.answer);
        check((limits.max_tokens)(request, fits), fits)?;
        Ok(Limited::Shortened(fits))
    }
}

/// The most that this request can cost: if the router may try others by itself, the most expensive of all.
pub(super) fn quote<R: LlmRequest>(
    settings: &Settings,
    request: &R,
    candidate: Option<&Candidate>,
    at: UtcTime,
) -> Quote {
    let (Some(prices), Some(candidate)) = (&settings.prices, candidate) else {
        return Quote::Unknown;
    };
    let mut needs = request.needs();
    if needs.tool_loop.is_some() {
        // The prompt grows with each step: a price that rises with its length counts as if it had.
        needs.most_prompt_tokens = u64::MAX;
    }
    let alternatives = request.alternatives();
    let others = alternatives
        .iter()
        .filter(|model| *model != candidate.model())
        .map(|model| {
            Candidate::new(candidate.upstream(), model).map_or(Quote::Unknown, |other| prices.quote(&other, &needs, at))
        });
    match others.fold(prices.quote(candidate, &needs, at), dearer) {
        // No reservation could be computed by it.
        Quote::Known(price) if !price.can_be() => Quote::Unknown,
        quote => quote,
    }
}

fn dearer(one: Quote, other: Quote) -> Quote {
    match (one, other) {
        (Quote::Known(one), Quote::Known(other)) => Quote::Known(WorstCasePrice {
            fixed: one.fixed.max(other.fixed),
            prompt_token: one.prompt_token.max(other.prompt_token),
            answer_token: one.answer_token.max(other.answer_token),
            max_answer: one.max_answer.zip(other.max_answer).map(|(one, other)| one.max(other)),
        }),
        (Quote::Known(_), unknown) | (unknown, _) => unknown,
    }
}

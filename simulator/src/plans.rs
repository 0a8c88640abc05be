//! The plans in force, and how far each has come.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::fault::{Fault, Refusal};
use crate::plan::{Plan, Step};

/// What befalls one request.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    /// The clauses in force; none if all is well.
    pub(crate) faults: Vec<Fault>,
    /// The step as text.
    pub(crate) text: String,
}

impl Fate {
    /// All is well.
    pub(crate) fn well() -> Self {
        Self {
            faults: Vec::new(),
            text: "ok".to_owned(),
        }
    }

    /// The fate a single step deals, with these dice.
    pub(crate) fn of(step: &Step, dice: &mut fastrand::Rng) -> Self {
        if step.chance() < 100 && dice.u8(0..100) >= step.chance() {
            return Self::well();
        }
        Self {
            faults: step.faults().to_vec(),
            text: step.to_string(),
        }
    }

    /// The clauses beside `down`, while it holds; alone it is a 503.
    pub(crate) fn without_down(mut self) -> Self {
        let before = self.faults.len();
        self.faults.retain(|fault| !matches!(fault, Fault::Down(_)));
        if self.faults.is_empty() && before > 0 {
            self.faults.push(Fault::Refuse(Refusal::Unavailable));
        }
        self
    }

    /// The error it deals before anything is generated.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::Refuse(refusal) => Some(*refusal),
            _ => None,
        })
    }
}

#[derive(Debug)]
struct Course {
    plan: Plan,
    before: u64,
    first: Option<Instant>,
}

impl Course {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            before: 0,
            first: None,
        }
    }

    fn next(&mut self, dice: &mut fastrand::Rng) -> Fate {
        let first = *self.first.get_or_insert_with(Instant::now);
        let step = self.plan.step(self.before);
        self.before += 1;
        let Some(step) = step else {
            return Fate::well();
        };
        let fate = Fate::of(step, dice);
        let down = fate.faults.iter().find_map(|fault| match fault {
            Fault::Down(length) => Some(*length),
            _ => None,
        });
        match down {
            Some(length) if first.elapsed() >= length => Fate::well(),
            _ => fate.without_down(),
        }
    }
}

/// Plans by model, and the one for all others.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    given: HashMap<String, Course>,
    all: Option<Plan>,
    /// Courses of `all` and of models named `sim/…`, by model.
    implied: HashMap<String, Course>,
}

impl Plans {
    /// Sets the plan of one model, from its start.
    pub(crate) fn set(&mut self, model: String, plan: Plan) {
        self.given.insert(model, Course::new(plan));
    }

    /// Sets the plan of every model that has none of its own.
    pub(crate) fn set_all(&mut self, plan: Option<Plan>) {
        self.all = plan;
        self.implied.clear();
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// By which name the plan of a provider is set: no model has a blank.
    pub(crate) fn of_provider(provider: &str) -> String {
        format!("provider {provider}")
    }

    /// Whether a model has a plan of its own.
    pub(crate) fn has(&self, model: &str) -> bool {
        self.given.contains_key(model)
    }

    /// What befalls the next request to this model, or path.
    pub(crate) fn next(&mut self, model: &str, dice: &mut fastrand::Rng) -> Fate {
        if let Some(course) = self.given.get_mut(model) {
            return course.next(dice);
        }
        if let Some(course) = self.implied.get_mut(model) {
            return course.next(dice);
        }
        let named = model.strip_prefix("sim/").and_then(|text| text.parse().ok());
        let everyone = self.all.clone().filter(|_| !model.starts_with('/'));
        match named.or(everyone) {
            Some(plan) => self
                .implied
                .entry(model.to_owned())
                .or_insert_with(|| Course::new(plan))
                .next(dice),
            None => Fate::well(),
        }
    }
}

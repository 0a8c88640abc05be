//! Budgets of one service, and which of them may apply to a call: found by its tags, so that those of other client keys cost nothing.

use std::{collections::HashMap, slice, sync::Arc};

use super::{Budget, BudgetError, limit::budget_of};
use crate::Tags;

/// So many are walked one by one: fewer than that need no index.
const INDEX_FROM: usize = 16;

/// Budgets of different names, in their order.
#[derive(Debug)]
pub(super) struct BudgetSet {
    all: Box<[Arc<Budget>]>,
    by_name: HashMap<Box<str>, usize>,
    counts_models: bool,
    /// If there are many, and some are for one value of a tag alone.
    index: Option<Index>,
}

/// Places in the list of all.
#[derive(Debug, Default)]
struct Index {
    /// Of those for one value of a tag alone, by the tag and its value.
    by_tag: HashMap<Box<str>, HashMap<Box<str>, Vec<usize>>>,
    /// Of all others.
    others: Vec<usize>,
}

impl BudgetSet {
    /// These.
    ///
    /// # Errors
    ///
    /// If two have the same name, or the window of one is invalid.
    pub(super) fn new(budgets: impl IntoIterator<Item = Budget>) -> Result<Self, BudgetError> {
        let all: Box<[_]> = budgets.into_iter().map(Arc::new).collect();
        let mut by_name = HashMap::<Box<str>, usize>::with_capacity(all.len());
        for (number, budget) in all.iter().enumerate() {
            if by_name.insert(budget.name().into(), number).is_some() {
                let name = budget.name().to_owned();
                return Err(BudgetError::Twice { name });
            }
        }
        all.iter().try_for_each(|budget| budget.check())?;
        Ok(Self {
            counts_models: all.iter().any(|budget| budget.asks_for_model()),
            index: (all.len() >= INDEX_FROM)
                .then(|| Index::of(&all))
                .filter(Index::is_of_use),
            by_name,
            all,
        })
    }

    pub(super) fn iter(&self) -> slice::Iter<'_, Arc<Budget>> {
        self.all.iter()
    }

    /// Whether one of them counts by the model.
    pub(super) const fn counts_models(&self) -> bool {
        self.counts_models
    }

    /// The place of the budget of this name.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(super) fn named(&self, name: &str) -> Option<&Arc<Budget>> {
        self.all.get(self.number(name)?)
    }

    /// The budget that an account's key is of.
    pub(super) fn owner_of(&self, account: &str) -> Option<&Arc<Budget>> {
        self.named(budget_of(account)).filter(|budget| budget.owns(account))
    }

    /// Looks at those that may apply to a call with these tags, in their order: at all, or without those for another value of one of its tags.
    pub(super) fn for_each_that_may_apply(&self, tags: &Tags, mut look: impl FnMut(&Arc<Budget>)) {
        let look = |budget: &Arc<Budget>| {
            #[cfg(test)]
            tests::LOOKED_AT.set(tests::LOOKED_AT.get() + 1);
            look(budget);
        };
        let Some(index) = &self.index else {
            return self.all.iter().for_each(look);
        };
        let by_tag = tags.iter().filter_map(|(tag, value)| index.by_tag.get(tag)?.get(value));
        let mut places: Vec<usize> = by_tag.flatten().copied().collect();
        places.extend(&index.others);
        places.sort_unstable();
        places.iter().filter_map(|place| self.all.get(*place)).for_each(look);
    }
}

impl Index {
    fn of(all: &[Arc<Budget>]) -> Self {
        let mut index = Self::default();
        for (place, budget) in all.iter().enumerate() {
            let places = match budget.only_tag() {
                Some((tag, value)) => index
                    .by_tag
                    .entry(tag.into())
                    .or_default()
                    .entry(value.into())
                    .or_default(),
                None => &mut index.others,
            };
            places.push(place);
        }
        index
    }

    /// Whether a walk over all would look at more.
    fn is_of_use(&self) -> bool {
        !self.by_tag.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{
        Candidate,
        budget::{AccountRef, Budgets, MODEL, UPSTREAM},
    };

    thread_local! {
        /// How many budgets were looked at.
        pub(super) static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
    }

    fn budget(name: &str) -> Budget {
        Budget::usd(name, "1").unwrap()
    }

    fn of_key(number: usize) -> Budget {
        budget(&format!("key/{number}")).only("key", &number.to_string())
    }

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        Tags::new(pairs.iter().copied()).unwrap()
    }

    /// How many budgets are looked at meanwhile.
    fn looks(act: impl FnOnce()) -> usize {
        LOOKED_AT.set(0);
        act();
        LOOKED_AT.get()
    }

    #[test]
    fn budgets_of_other_keys_are_not_looked_at() {
        let own = tags(&[("key", "7"), ("team", "search")]);
        for keys in [100, 10_000] {
            let all = (0..keys).map(of_key);
            let budgets = Budgets::new(all.chain([budget("all"), budget("model").each(MODEL)])).unwrap();
            let names = |tags: &Tags| {
                let lines = budgets.lines(tags, "router", "a/b");
                lines
                    .iter()
                    .map(|line| line.budget.name().to_owned())
                    .collect::<Vec<_>>()
            };
            assert_eq!(looks(|| assert_eq!(names(&own), ["key/7", "all", "model"])), 3);
            assert_eq!(looks(|| assert_eq!(names(&Tags::default()), ["all", "model"])), 2);
            let candidate = Candidate::new("router", "a/b").unwrap();
            let others = ["c", "d", "a/b"];
            let lines = || budgets.lines_of_all(&own, &candidate, &others);
            assert_eq!(looks(|| assert_eq!(lines().len(), 5)), 3 * 4);
            budgets.activate();
            assert_eq!(looks(|| assert!(budgets.count_models())), 0);
            assert_eq!(budgets.line("key/9999\u{1f}9999").is_some(), keys == 10_000);
            assert!(budgets.reset("key/7", &own));
        }
    }

    /// An index would only add a list to each call.
    #[test]
    fn budgets_that_may_apply_to_any_call_need_no_index() {
        let each = |number: usize| budget(&format!("b{number}")).each("team").only(MODEL, "a/b");
        let set = |all: Vec<Budget>| BudgetSet::new(all).unwrap();
        let all: Vec<_> = (0..2 * INDEX_FROM).map(each).collect();
        assert!(set(all.clone()).index.is_none());
        assert!(set(all.into_iter().chain([of_key(7)]).collect()).index.is_some());
    }

    /// The index finds what a walk over all finds, in the same order.
    #[test]
    fn an_index_changes_no_answer() {
        let scopes: [fn(Budget) -> Budget; 9] = [
            |budget| budget,
            |budget| budget.each("team"),
            |budget| budget.only("team", "x"),
            |budget| budget.only("team", "y"),
            |budget| budget.each("user").only("team", "x"),
            |budget| budget.only("team", "x").only("user", "u"),
            |budget| budget.only(MODEL, "a/b"),
            |budget| budget.only(UPSTREAM, "router").only("user", "u"),
            |budget| budget.each(MODEL).only(UPSTREAM, "other"),
        ];
        let all: Vec<_> = (0..4 * scopes.len())
            .map(|number| scopes[number % scopes.len()](budget(&format!("b{number}"))))
            .collect();
        let many = Budgets::new(all.clone()).unwrap();
        for tags in [
            tags(&[]),
            tags(&[("team", "x")]),
            tags(&[("team", "y"), ("user", "u")]),
            tags(&[("team", "x"), ("user", "u")]),
            tags(&[("team", "z"), ("model", "a/b"), ("upstream", "router")]),
        ] {
            let single = all.iter().flat_map(|budget| {
                let one = Budgets::new([budget.clone()]).unwrap();
                one.lines(&tags, "router", "a/b")
            });
            let accounts =
                |lines: Vec<AccountRef>| -> Vec<Box<str>> { lines.into_iter().map(|line| line.account).collect() };
            let expected = accounts(single.collect());
            assert_eq!(accounts(many.lines(&tags, "router", "a/b")), expected, "{tags}");
        }
    }
}

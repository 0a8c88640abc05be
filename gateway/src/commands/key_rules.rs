//! What a client key may do, as the command line says it.

use std::time::Duration;

use tower_openrouter::{
    layers::UtcTime,
    settings::{RateSettings, WindowSettings},
};

use super::{
    cli::{MostOrOff, NewKey, SetKey},
    print::Failed,
};
use crate::{
    keys::problem_of,
    settings::{KeyBudget, KeyRules, utc_time},
};

const MINUTE: Duration = Duration::from_secs(60);

/// What a new key may do.
pub(super) fn of_new(new: &NewKey) -> Result<KeyRules, Failed> {
    let limit = |most: Option<u32>| most.map(|amount| RateSettings::new(amount, MINUTE));
    let budget = new.budget.iter().map(|text| budget(text));
    let rules = KeyRules {
        models: named(&new.model),
        requests: limit(new.requests_per_minute),
        tokens: limit(new.tokens_per_minute),
        concurrency: new.concurrency,
        budget: budget.collect::<Result<_, _>>()?,
        expires: new.expires.clone(),
    };
    if let Some(problem) = problem_of(&new.name, &rules) {
        return Err(Failed::new(problem));
    }
    let expires = rules.expires.as_deref().and_then(utc_time);
    match expires.filter(|at| *at <= UtcTime::now()) {
        Some(at) => Err(Failed::new(format!(
            "--expires: {at} is over, so the key would be refused from the start"
        ))),
        None => Ok(rules),
    }
}

/// What `keys set` changes.
#[derive(Debug)]
pub(super) struct Changes<'a> {
    set: &'a SetKey,
    budgets: Vec<BudgetChange>,
}

/// What becomes of the budgets of a key.
#[derive(Debug, PartialEq, Eq)]
enum BudgetChange {
    /// All of them end.
    Off,
    /// The one of a window ends.
    OffIn(WindowSettings),
    /// This one is in the place of the one of its window.
    To(KeyBudget),
}

impl<'a> Changes<'a> {
    /// Those that the command line names.
    ///
    /// # Errors
    ///
    /// If it names none, or what it says is not a budget.
    pub(super) fn of(set: &'a SetKey) -> Result<Self, Failed> {
        let is_empty = set.model.is_empty()
            && set.budget.is_empty()
            && set.requests_per_minute.is_none()
            && set.tokens_per_minute.is_none()
            && set.concurrency.is_none()
            && set.expires.is_none();
        if is_empty {
            return Err(Failed::new(
                "nothing to change: give `--model`, `--budget`, `--requests-per-minute`, `--tokens-per-minute`, `--concurrency` or `--expires`",
            ));
        }
        let budgets = set.budget.iter().map(|text| BudgetChange::of(text));
        Ok(Self {
            set,
            budgets: budgets.collect::<Result<_, _>>()?,
        })
    }

    /// Makes them.
    pub(super) fn apply(&self, rules: &mut KeyRules) {
        let limit = |most: MostOrOff| most.0.map(|amount| RateSettings::new(amount, MINUTE));
        let set = self.set;
        if !set.model.is_empty() {
            rules.models = named(&set.model);
        }
        if let Some(most) = set.requests_per_minute {
            rules.requests = limit(most);
        }
        if let Some(most) = set.tokens_per_minute {
            rules.tokens = limit(most);
        }
        if let Some(most) = set.concurrency {
            rules.concurrency = most.0;
        }
        if let Some(expires) = &set.expires {
            rules.expires = Some(expires.clone()).filter(|expires| expires != "never");
        }
        for change in &self.budgets {
            change.apply(&mut rules.budget);
        }
    }
}

impl BudgetChange {
    fn of(text: &str) -> Result<Self, Failed> {
        if text == "off" {
            return Ok(Self::Off);
        }
        match parts(text)? {
            ("off", window) => Ok(Self::OffIn(window)),
            _ => budget(text).map(Self::To),
        }
    }

    fn apply(&self, budgets: &mut Vec<KeyBudget>) {
        match self {
            Self::Off => budgets.clear(),
            Self::OffIn(window) => budgets.retain(|budget| budget.per != *window),
            Self::To(budget) => match budgets.iter_mut().find(|other| other.per == budget.per) {
                Some(other) => *other = budget.clone(),
                None => budgets.push(budget.clone()),
            },
        }
    }
}

/// The models of the command line: `all` of them are allowed if none is named.
fn named(models: &[String]) -> Vec<String> {
    models.iter().filter(|model| *model != "all").cloned().collect()
}

/// An amount and a window: `5.00/day`.
fn budget(text: &str) -> Result<KeyBudget, Failed> {
    let (amount, per) = parts(text)?;
    match amount.parse() {
        Ok(usd) => Ok(KeyBudget { usd, per }),
        Err(_) => Err(Failed::new(format!(
            "--budget: `{amount}` is not an amount of dollars: write e.g. `5.00/day`, without a dollar sign, which a shell may replace"
        ))),
    }
}

/// The amount, and the window behind it.
fn parts(text: &str) -> Result<(&str, WindowSettings), Failed> {
    let (amount, window) = text.split_once('/').unwrap_or((text, "ever"));
    let window = match window {
        "hour" => WindowSettings::Hour,
        "day" => WindowSettings::Day,
        "week" => WindowSettings::Week,
        "month" => WindowSettings::Month,
        "ever" => WindowSettings::Ever,
        _ => {
            return Err(Failed::new(
                "--budget: the window is `hour`, `day`, `week`, `month` or `ever`, e.g. `5.00/day`",
            ));
        }
    };
    Ok((amount, window))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> SetKey {
        SetKey {
            name: "acme".to_owned(),
            config: None,
            model: Vec::new(),
            budget: Vec::new(),
            requests_per_minute: None,
            tokens_per_minute: None,
            concurrency: None,
            expires: None,
        }
    }

    /// What these rules become, as JSON.
    fn changed(rules: &str, set: &SetKey) -> String {
        let mut rules = serde_json::from_str(rules).unwrap();
        Changes::of(set).unwrap().apply(&mut rules);
        serde_json::to_string(&rules).unwrap()
    }

    #[test]
    fn what_is_not_named_stays() {
        let rules = r#"{"models":["openai/*"],"requests":{"amount":60,"per":"1m","burst":3},"concurrency":2,"budget":[{"usd":"$5.00","per":"day"},{"usd":"$50.00","per":"month"}],"expires":"2099-01-01"}"#;
        let with_budget = |budget: &[&str]| SetKey {
            budget: budget.iter().map(|text| (*text).to_owned()).collect(),
            ..set()
        };
        assert_eq!(
            changed(rules, &with_budget(&["9/day"])),
            rules.replace("$5.00", "$9.00")
        );
        assert_eq!(
            changed(rules, &with_budget(&["off/day"])),
            rules.replace(r#"{"usd":"$5.00","per":"day"},"#, "")
        );
        let one = changed(rules, &with_budget(&["off", "3"]));
        assert!(one.contains(r#""budget":[{"usd":"$3.00","per":"ever"}]"#), "{one}");
        let bare = SetKey {
            model: vec!["all".to_owned()],
            budget: vec!["off".to_owned()],
            requests_per_minute: Some(MostOrOff(None)),
            tokens_per_minute: Some(MostOrOff(Some(7))),
            concurrency: Some(MostOrOff(None)),
            expires: Some("never".to_owned()),
            ..set()
        };
        assert_eq!(changed(rules, &bare), r#"{"tokens":{"amount":7,"per":"1m"}}"#);
    }

    #[test]
    fn a_new_key_for_all_models_is_not_for_one_of_that_name() {
        let models = |model: &[&str]| {
            let new = NewKey {
                name: "acme".to_owned(),
                config: None,
                model: model.iter().map(|model| (*model).to_owned()).collect(),
                budget: Vec::new(),
                requests_per_minute: None,
                tokens_per_minute: None,
                concurrency: None,
                expires: None,
                print_hash: false,
            };
            of_new(&new).unwrap().models
        };
        assert!(models(&["all"]).is_empty());
        assert_eq!(models(&["openai/*"]), ["openai/*"]);
    }

    #[test]
    fn what_says_nothing_or_no_amount_is_refused() {
        assert!(Changes::of(&set()).is_err());
        for (text, part) in [
            ("five", "`five` is not an amount"),
            (".00.1/day", "without a dollar sign"),
            ("5/year", "the window is"),
            ("off/year", "the window is"),
        ] {
            let set = SetKey {
                budget: vec![text.to_owned()],
                ..set()
            };
            let error = Changes::of(&set).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}

//! The metrics of the process, as Prometheus reads them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::OnceLock,
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tower_openrouter::{
    UsdAmount,
    layers::{
        budget::AccountState,
        observe::{self, METRICS, names},
    },
};

/// What the names of the budgets of client keys begin with.
const OF_KEY: &str = "key/";
/// How many budgets of client keys are shown: those that have the smallest part of their cap left.
const MOST_KEY_BUDGETS: usize = 1_000;

/// The recorder of this process, installed with the first gateway. `None` if another one is installed.
pub(super) fn recorder() -> Option<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER.get_or_init(install).clone()
}

fn install() -> Option<PrometheusHandle> {
    let mut with_buckets = METRICS.iter().filter(|metric| !metric.buckets.is_empty());
    let builder = with_buckets.try_fold(PrometheusBuilder::new(), |builder, metric| {
        builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), metric.buckets)
    });
    let handle = builder.unwrap_or_default().install_recorder();
    match handle {
        Ok(handle) => {
            observe::describe();
            observe::keep_handles();
            Some(handle)
        }
        Err(error) => {
            tracing::warn!(target: "gateway", %error, "there are no metrics");
            None
        }
    }
}

/// What a gauge shows of an account.
type Amount = fn(&AccountState) -> UsdAmount;

/// How budgets stand, as Prometheus reads it: of each the account that has the least left. It is written for each scrape, since a gauge of the
/// recorder has no end, and budgets end with their client keys.
pub(super) fn of_budgets(accounts: &[AccountState]) -> String {
    let mut fullest = BTreeMap::<&str, &AccountState>::new();
    // The fullest come first.
    for account in accounts {
        fullest.entry(account.budget.name()).or_insert(account);
    }
    let of_keys = fullest.iter().filter(|(name, _)| name.starts_with(OF_KEY));
    let mut of_keys: Vec<_> = of_keys.map(|(name, account)| (part_left(account), *name)).collect();
    of_keys.sort_unstable_by(|(part, name), (other, than)| part.total_cmp(other).then(name.cmp(than)));
    let hidden: HashSet<&str> = of_keys.iter().skip(MOST_KEY_BUDGETS).map(|(_, name)| *name).collect();
    fullest.retain(|name, _| !hidden.contains(name));
    let mut text = String::new();
    let gauges: [(&str, Amount); 4] = [
        (names::BUDGET_CAP, |account| account.budget.cap()),
        (names::BUDGET_SPENT, AccountState::spent),
        (names::BUDGET_RESERVED, |account| account.reserved),
        (names::BUDGET_LEFT, AccountState::free),
    ];
    for (gauge, amount) in gauges {
        let help = METRICS
            .iter()
            .find(|metric| metric.name == gauge)
            .map_or("", |metric| metric.help);
        let (gauge, label) = (prometheus(gauge), prometheus(names::BUDGET));
        text.push_str(&format!("# HELP {gauge} {help}\n# TYPE {gauge} gauge\n"));
        for (name, account) in &fullest {
            let amount = amount(account).decimal();
            text.push_str(&format!("{gauge}{{{label}=\"{name}\"}} {amount}\n"));
        }
    }
    text
}

/// Whether the settings file was refused that was read last, as Prometheus reads it.
pub(super) fn of_settings(are_refused: bool) -> String {
    let (gauge, value) = ("gateway_settings_refused", u8::from(are_refused));
    let help = "1 if the settings file was refused that was read last, and the settings before stay in force.";
    format!("# HELP {gauge} {help}\n# TYPE {gauge} gauge\n{gauge} {value}\n")
}

/// Which part of its cap an account has left; none of a cap of zero.
fn part_left(account: &AccountState) -> f64 {
    let (free, cap) = (account.free().pico(), account.budget.cap().pico());
    #[expect(clippy::cast_precision_loss, reason = "to compare, not to add up")]
    let part = free as f64 / cap.max(1) as f64;
    part
}

/// A name as Prometheus has it.
fn prometheus(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tower_openrouter::{
        Tags,
        layers::{
            UtcTime,
            budget::{Budget, BudgetStore, Budgets, InMemoryBudgetStore},
        },
    };

    use super::*;

    #[test]
    fn budgets_of_keys_are_bounded_and_the_fullest_are_shown() {
        let store = InMemoryBudgetStore::new();
        let names = (0..MOST_KEY_BUDGETS + 500).map(|number| format!("key/{number}/day"));
        let names: Vec<String> = names.chain(["all".to_owned()]).collect();
        // The fullest by its part has more dollars left than any other.
        let cap = |name: &str| if name == "key/1400/day" { "900" } else { "9" };
        let budgets = names.iter().map(|name| Budget::usd(name, cap(name)).unwrap());
        let budgets = Budgets::in_store(budgets, Arc::new(store.clone())).unwrap();
        let lines = budgets.lines(&Tags::default(), "", "");
        store.adjust(&lines, "1.25".parse().unwrap(), UtcTime::now());
        let spent: Vec<_> = lines
            .into_iter()
            .filter(|line| line.budget.name() == "key/1400/day")
            .collect();
        store.adjust(&spent, "890.5".parse().unwrap(), UtcTime::now());
        let text = of_budgets(&store.accounts());
        let left: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("llm_budget_left{"))
            .collect();
        assert_eq!(left.len(), MOST_KEY_BUDGETS + 1);
        assert!(
            left.contains(&"llm_budget_left{llm_budget=\"key/1400/day\"} 8.25"),
            "{left:?}"
        );
        assert!(text.contains("\nllm_budget_spent{llm_budget=\"all\"} 1.25\n"), "{text}");
        assert_eq!(text.matches("# TYPE llm_budget_").count(), 4);
    }
}

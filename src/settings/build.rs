//! From settings to a builder.

use tower_llm_layers::budget::Budget;

use super::{
    MaxPerHourSettings, Settings, SettingsError, SettingsProblem, WrongSetting, apply::apply, carried::Carried,
};
use crate::{
    Stack,
    stack::{BuildProblem, StackBuilder, Wired},
};

impl Stack {
    /// A stack with these settings. To add what no file can hold, such as a ledger or a layer of your own, begin with
    /// [`StackBuilder::from_settings`]; to change settings at run time, with [`SettingsHandle`](super::SettingsHandle).
    ///
    /// Reads the secrets and the catalogue: it waits for the disk if they are in files.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with file, line and column if the settings were read from a text.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingsError> {
        let mut wrong = Vec::new();
        let mut carried = Carried::new(settings, None, &mut wrong);
        let builder = with_budgets(apply(settings, &mut carried, &mut wrong), settings, &mut wrong);
        build(builder, None, wrong, settings).map(|(stack, _)| stack)
    }
}

impl Settings {
    /// The budgets, for [`Budgets`](tower_llm_layers::budget::Budgets) over accounts of your own: see
    /// [`SettingsHandleBuilder::budgets`](super::SettingsHandleBuilder::budgets).
    ///
    /// # Errors
    ///
    /// If a name or an amount cannot be.
    pub fn budgets(&self) -> Result<Vec<Budget>, SettingsError> {
        let mut wrong = Vec::new();
        let budgets = budgets(self, &mut wrong);
        SettingsError::unless_empty(wrong)?;
        Ok(budgets)
    }
}

impl StackBuilder {
    /// Begins with these settings; every setter can follow, and replaces what the settings say.
    ///
    /// The accounts of the budgets are in this process, unless [`budget_store`](Self::budget_store) says otherwise. Beside a durable ledger they
    /// must be refilled: see [`SettingsHandle::builder`](super::SettingsHandle::builder).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tower_openrouter::{layers::ledger::MemoryLedger, settings::Settings, stack::StackBuilder};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let settings = Settings::from_toml(
    ///     r#"
    ///     chain = ["anthropic/claude-sonnet-4.5", "openai/gpt-5"]
    ///     deadline = "90s"
    ///
    ///     [[upstream]]
    ///     name = "openrouter"
    ///     "#, // with `key = "env:OPENROUTER_API_KEY"`
    /// )?;
    /// let stack = StackBuilder::from_settings(&settings)?
    ///     .ledger(Arc::new(MemoryLedger::new()))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If a secret or the catalogue cannot be read, or a value makes no sense by itself. What does not fit together,
    /// [`build`](Self::build) reports.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingsError> {
        let mut wrong = Vec::new();
        let mut carried = Carried::new(settings, None, &mut wrong);
        let builder = with_budgets(apply(settings, &mut carried, &mut wrong), settings, &mut wrong);
        SettingsError::unless_empty(wrong)?;
        Ok(builder)
    }
}

/// Builds it with the connections before, if they are the same, unless something is wrong; everything that is wrong is reported together.
pub(super) fn build(
    builder: StackBuilder,
    before: Option<&Wired>,
    wrong: Vec<SettingsProblem>,
    settings: &Settings,
) -> Result<(Stack, Wired), SettingsError> {
    match builder.build_wired(before) {
        Ok(built) => {
            SettingsError::unless_empty(wrong)?;
            Ok(built)
        }
        Err(error) => Err(SettingsError::of(wrong, &error, settings)),
    }
}

/// The budgets; those that cannot be are problems.
pub(super) fn budgets(settings: &Settings, wrong: &mut Vec<SettingsProblem>) -> Vec<Budget> {
    let mut budgets = Vec::new();
    let mut problem = |key: &str, what| wrong.push(SettingsProblem::new(&settings.source, key, what));
    for (place, entry) in settings.budget.iter().enumerate() {
        if let Some((key, message)) = entry.wrong() {
            let message = WrongSetting::Value(message.to_owned());
            problem(&format!("budget[{place}].{key}"), message);
        }
        match entry.budget() {
            Ok(budget) => budgets.push(budget),
            Err(error) => problem(
                &format!("budget[{place}]"),
                WrongSetting::Build(BuildProblem::Budget(error)),
            ),
        }
    }
    match settings.max_per_hour.map(MaxPerHourSettings::budget) {
        Some(Ok(budget)) => budgets.push(budget),
        Some(Err(error)) => problem("max_per_hour.usd", WrongSetting::Build(BuildProblem::Budget(error))),
        None => {}
    }
    budgets
}

fn with_budgets(builder: StackBuilder, settings: &Settings, wrong: &mut Vec<SettingsProblem>) -> StackBuilder {
    budgets(settings, wrong).into_iter().fold(builder, StackBuilder::budget)
}

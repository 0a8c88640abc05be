//! `check`: what is wrong with a settings file, and the stack that it makes.

use super::{
    cli::Check,
    config,
    print::{Failed, say},
};
use crate::{OpenError, gateway};

/// Prints the stack in force, or fails with everything that is wrong.
pub(super) fn run(check: &Check) -> Result<(), Failed> {
    let config = config(check.config.as_deref())?;
    let stack = gateway::check(&config).map_err(Failed::new)?;
    let side = config.admin_side();
    let admin = match &config.admin {
        Some(address) => format!("at {address}, {side}"),
        None => side.to_string(),
    };
    let storage = match (&config.own.storage.on(), config.sqlite()) {
        (None, _) => "off".to_owned(),
        (_, Some(file)) => format!("SQLite, {}", file.display()),
        (_, None) => "PostgreSQL".to_owned(),
    };
    let shared = if config.own.shared.is_some() { "Redis" } else { "off" };
    say(format!("listen   {}", config.listen))?;
    say(format!("admin    {admin}"))?;
    say(format!("storage  {storage}"))?;
    say(format!("shared   {shared}"))?;
    if let Some(file) = &config.own.record {
        say(format!("record   {}", file.display()))?;
    }
    say(format!("keys     {} in the file", config.own.key.len()))?;
    if !config.listen.is_loopback() && config.own.key.is_empty() {
        say(format!(
            "  warning: without one in the database it does not start: {}",
            OpenError::NoKeys(config.listen)
        ))?;
    }
    for key in &config.own.key {
        for budget in key.rules().budgets(&key.name) {
            say(format!("  budget `{}`: {} US dollars", budget.name, budget.usd))?;
        }
    }
    say(format!("\n{}", stack.describe()))
}

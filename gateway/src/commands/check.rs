//! `check`: what is wrong with a settings file, and the stack that it makes.

use tower_openrouter::Stack;

use super::{
    cli::Check,
    config,
    print::{Failed, say},
};

/// Prints the stack in force, or fails with everything that is wrong.
pub(super) fn run(check: &Check) -> Result<(), Failed> {
    let config = config(check.config.as_deref())?;
    // A ledger refills the budgets of a gateway; here no call is made.
    let stack = Stack::from_settings(&config.stack).map_err(Failed::new)?;
    let admin = match (&config.admin, &config.own.admin.token, config.listen.is_loopback()) {
        (Some(address), ..) => format!("at {address}"),
        (None, Some(_), _) => "with its token".to_owned(),
        (None, None, true) => "open on this machine".to_owned(),
        (None, None, false) => "off: set `admin.token` or `admin.listen`".to_owned(),
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
    for key in &config.own.key {
        for budget in key.rules().budgets(&key.name) {
            say(format!("  budget `{}`: {} US dollars", budget.name, budget.usd))?;
        }
    }
    say(format!("\n{}", stack.describe()))
}

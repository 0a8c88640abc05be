//! The command line.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand};

/// A gateway to OpenRouter: fallback, exact budgets for client keys, a ledger, and a page that shows calls being rescued.
#[derive(Debug, Parser)]
#[command(name = "openrouter-gateway", version = crate::VERSION)]
pub struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Answers calls.
    Serve(Serve),
    /// Checks a settings file, and prints the stack that it makes.
    Check(Check),
    /// Makes, changes, lists and revokes client keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Shows what was spent.
    Spend(Spend),
    /// Replays a recording against other settings, in virtual time: who would have been answered, when, by which model, at what cost.
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The settings file, TOML or JSON; by default `gateway.toml` if it is there, else the key in `OPENROUTER_API_KEY`.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The address to listen on, instead of that of the settings.
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
    /// Runs against a simulator in this process, with models that fail and some traffic: no key, no network.
    #[arg(long, conflicts_with = "config")]
    pub(super) demo: bool,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The settings file, TOML or JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Makes a key, and prints it: it is shown this once.
    New(NewKey),
    /// Changes what a key of the database may do: what is given is in force within a second, and the rest stays as it was.
    Set(SetKey),
    /// Lists the keys of the settings file and of the database.
    List(Check),
    /// Revokes a key of the database: all gateways over the database refuse it within a second.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct NewKey {
    /// Its name: letters, digits and `_-.`.
    pub(super) name: String,
    /// The settings file, which names the database.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// A model that its requests may name, such as `openai/gpt-5` or `openai/*`; may be given several times. All by default,
    /// and with `all`.
    #[arg(long, value_name = "MODEL")]
    pub(super) model: Vec<String>,
    /// The most that may be spent: an amount and a window, such as `5.00/day`, `20/month`, or `100` without one; may be given several times.
    #[arg(long, value_name = "USD[/WINDOW]")]
    pub(super) budget: Vec<String>,
    /// The most requests in a minute.
    #[arg(long, value_name = "N")]
    pub(super) requests_per_minute: Option<u32>,
    /// The most tokens in a minute, of prompts and answers together.
    #[arg(long, value_name = "N")]
    pub(super) tokens_per_minute: Option<u32>,
    /// The most calls at once.
    #[arg(long, value_name = "N")]
    pub(super) concurrency: Option<u32>,
    /// When it expires: a date such as `2027-01-31`, or a time in UTC.
    #[arg(long, value_name = "DATE")]
    pub(super) expires: Option<String>,
    /// Prints a `[[key]]` for a settings file as well, and stores nothing.
    #[arg(long)]
    pub(super) print_hash: bool,
}

#[derive(Debug, Args)]
pub(super) struct SetKey {
    /// Its name.
    pub(super) name: String,
    /// The settings file, which names the database.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The models that its requests may name from now on, as for `keys new`; may be given several times. `all` for all.
    #[arg(long, value_name = "MODEL")]
    pub(super) model: Vec<String>,
    /// The budget of a window, such as `5.00/day`, in the place of the one of this window; may be given several times. What was spent stays
    /// counted. `off/day` takes the one of a window away, `off` all of them.
    #[arg(long, value_name = "USD[/WINDOW]")]
    pub(super) budget: Vec<String>,
    /// The most requests in a minute, or `off`.
    #[arg(long, value_name = "N")]
    pub(super) requests_per_minute: Option<MostOrOff>,
    /// The most tokens in a minute, of prompts and answers together, or `off`.
    #[arg(long, value_name = "N")]
    pub(super) tokens_per_minute: Option<MostOrOff>,
    /// The most calls at once, or `off`.
    #[arg(long, value_name = "N")]
    pub(super) concurrency: Option<MostOrOff>,
    /// When it expires: a date such as `2027-01-31`, a time in UTC, or `never`.
    #[arg(long, value_name = "DATE")]
    pub(super) expires: Option<String>,
}

/// A limit, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MostOrOff(pub(super) Option<u32>);

impl FromStr for MostOrOff {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let most = text.parse().map_err(|_| "write a whole number, or `off`".to_owned())?;
        Ok(Self(Some(most)))
    }
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// Its name.
    pub(super) name: String,
    /// The settings file, which names the database.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Spend {
    /// The settings file, which names the database.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The groups: `key`, `model`, `provider`, `upstream`, `day`, or `tag:NAME`.
    #[arg(long, value_name = "GROUP", default_value = "model")]
    pub(super) by: String,
    /// From when: a date, a time in UTC such as `2026-11-01T19:00:00Z`, or a length of time before now, such as `7days`.
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The recording, as the setting `record` makes it.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// The settings to replay it against. Keys, storage and addresses do not count.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// The most calls with another outcome that are listed.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) changed: usize,
    /// Lists every call as well.
    #[arg(long)]
    pub(super) calls: bool,
}

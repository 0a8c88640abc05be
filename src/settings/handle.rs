//! Replaces the settings of a stack at run time.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tower_llm_layers::budget::Budgets;

use super::{
    ReloadableStack, Settings, SettingsError, SettingsProblem, WrongSetting,
    apply::apply,
    build::{budgets, build},
    carried::Carried,
};
use crate::{
    Stack,
    stack::{StackBuilder, Wired},
};

/// What code adds to the settings.
type Extend = dyn Fn(StackBuilder) -> StackBuilder + Send + Sync;

/// Replaces the settings of a stack while calls are in progress. Cheap to clone; clones are the same handle.
///
/// [`service`](Self::service) is what an application calls and mounts. New settings are a new stack, which takes the calls that are made from then on; a
/// call keeps the stack that it was made with, so that no stream is dropped.
///
/// # What is carried over
///
/// * What the **budgets** have spent and reserved, under their names and tags: a cap that is lowered below what is spent refuses at once, one that is
///   raised has room at once. A budget whose tags have changed begins empty; so does one whose new window began later than its old one.
/// * What an upstream asked for in **pauses**, if it is still there with the same keys and base URL.
/// * What **rate limits** have counted, as a number of requests and tokens, also if they are changed: a raised limit has room for the difference. A
///   tenant's, if `tenant` is the same.
/// * **Circuits**, learned **concurrency limits**, **idempotency keys** and their answers, the **health of providers**, the **retry ratio**, what a **hedge** has measured, **cached responses** and the state of
///   **key pools**: each if its own settings are the same. If they are not, it begins again. Cached responses are kept only if the chain, the
///   upstreams and the finish reasons that fail are the same, too.
/// * **Connections**, if the upstreams and the settings of connections are the same.
/// * Whatever [`extend`](SettingsHandleBuilder::extend) adds, such as a ledger, or a reconciler: a bill that comes later counts on the budgets that are in
///   force then.
///
/// ```
/// use tower_openrouter::settings::{Settings, SettingsHandle};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = |chain| format!("chain = [{chain:?}]\nupstream = [{{ name = \"openrouter\" }}]");
/// let handle = SettingsHandle::builder(Settings::from_toml(&settings("openai/gpt-5"))?).build()?;
/// let service = handle.service(); // mount it, or call it
///
/// handle.replace(Settings::from_toml(&settings("anthropic/claude-sonnet-4.5"))?)?;
/// assert!(service.stack().describe().contains("claude-sonnet-4.5"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SettingsHandle {
    service: ReloadableStack,
    shared: Arc<Reload>,
}

struct Reload {
    extend: Box<Extend>,
    /// Locked while settings are replaced: one at a time.
    in_force: Mutex<InForce>,
}

struct InForce {
    settings: Settings,
    carried: Carried,
    wired: Wired,
    /// Over the accounts that all settings share.
    budgets: Budgets,
}

/// Sets up a [`SettingsHandle`].
pub struct SettingsHandleBuilder {
    settings: Settings,
    budgets: Option<Budgets>,
    extend: Box<Extend>,
}

impl SettingsHandleBuilder {
    /// Adds in code what no file can hold: called with the builder of each settings, the first ones included. Share in it what is to outlive a
    /// replacement: clone a ledger's handle, and do not open it again.
    ///
    /// Budgets are not added here, since those of the settings would be refused beside them: see [`budgets`](Self::budgets).
    #[must_use]
    pub fn extend(mut self, extend: impl Fn(StackBuilder) -> StackBuilder + Send + Sync + 'static) -> Self {
        let before = self.extend;
        self.extend = Box::new(move |builder| extend(before(builder)));
        self
    }

    /// The accounts of the budgets: those of these. Their own budgets do not count; the settings' do. In this process and empty by default.
    ///
    /// The settings' budgets are [put in force](Budgets::activate) over them: a [reconciler](tower_llm_layers::reconcile) that has these counts
    /// late bills on the budgets of the settings in force. Two handles over one store need budgets of their own, each made by
    /// [`in_store`](Budgets::in_store).
    ///
    /// For accounts in a store that several processes share, or refilled from a durable ledger:
    ///
    /// ```
    /// use tower_openrouter::{layers::{budget::Budgets, ledger::MemoryLedger}, settings::{Settings, SettingsHandle}};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let settings = Settings::from_toml("chain = [\"a/b\"]\nupstream = [{ name = \"openrouter\" }]")?;
    /// # let ledger = MemoryLedger::new();
    /// let budgets = Budgets::new(settings.budgets()?)?;
    /// budgets.refill(&ledger.recent(10_000)); // or `ledger.restore(&budgets).await` of a durable one
    /// let handle = SettingsHandle::builder(settings).budgets(budgets).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.budgets = Some(budgets);
        self
    }

    /// Builds the first stack.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the settings.
    pub fn build(self) -> Result<SettingsHandle, SettingsError> {
        let accounts = match self.budgets {
            Some(budgets) => budgets,
            None => Budgets::new([]).map_err(|error| {
                let wrong = WrongSetting::Value(error.to_string());
                SettingsProblem::new(&self.settings.source, "budget", wrong)
            })?,
        };
        let (stack, in_force) = next(self.settings, None, &accounts, &self.extend)?;
        in_force.budgets.activate();
        Ok(SettingsHandle {
            service: ReloadableStack::new(stack),
            shared: Arc::new(Reload {
                extend: self.extend,
                in_force: Mutex::new(in_force),
            }),
        })
    }
}

impl SettingsHandle {
    /// Begins with these settings.
    #[must_use]
    pub fn builder(settings: Settings) -> SettingsHandleBuilder {
        SettingsHandleBuilder {
            settings,
            budgets: None,
            extend: Box::new(|builder| builder),
        }
    }

    /// The service that follows the settings.
    #[must_use]
    pub fn service(&self) -> ReloadableStack {
        self.service.clone()
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.in_force().settings.clone()
    }

    /// The budgets in force, with their accounts: to look at, or for a reconciler, which follows those that replace them.
    #[must_use]
    pub fn budgets(&self) -> Budgets {
        self.in_force().budgets.clone()
    }

    /// Puts other settings in force, for all calls that are made from now on. Secrets are read again.
    ///
    /// Waits for the disk if secrets or the catalogue are in files: call it from a thread that may.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them; then the old ones stay in force.
    pub fn replace(&self, settings: Settings) -> Result<(), SettingsError> {
        let mut in_force = self.in_force();
        let replaced = next(settings, Some(&in_force), &in_force.budgets, &self.shared.extend);
        let (stack, new) = replaced.inspect_err(|error| {
            tracing::error!(target: "llm::settings", %error, "settings refused: the old ones stay in force");
        })?;
        let before = std::mem::replace(&mut *in_force, new);
        // Before the first call is counted on them, so that its late bill is, too.
        in_force.budgets.activate();
        // Before the first call with the new keys. Calls of the stacks before still have the old keys, and what those meet pauses nothing any more.
        in_force.carried.end_pauses();
        // Under the lock, so that the stack in force is that of the settings in force.
        self.service.replace(stack);
        before.carried.hide_circuits(&before.settings, &in_force.settings);
        tracing::info!(target: "llm::settings", settings = ?in_force.settings.source, "settings replaced");
        Ok(())
    }

    /// Reads a file, and puts its settings in force: see [`Settings::from_file`] and [`replace`](Self::replace).
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file; then the old settings stay in force.
    pub fn replace_from_file(&self, path: impl AsRef<Path>) -> Result<(), SettingsError> {
        let settings = Settings::from_file(path).inspect_err(|error| {
            tracing::error!(target: "llm::settings", %error, "settings refused: the old ones stay in force");
        })?;
        self.replace(settings)
    }

    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.shared.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stack of these settings, and what is in force with it.
fn next(
    settings: Settings,
    before: Option<&InForce>,
    accounts: &Budgets,
    extend: &Extend,
) -> Result<(Stack, InForce), SettingsError> {
    let mut wrong = Vec::new();
    let known = before.map(|before| (&before.settings, &before.carried));
    let mut carried = Carried::new(&settings, known, &mut wrong);
    let mut builder = apply(&settings, &mut carried, &mut wrong);
    let budgets = match accounts.with(budgets(&settings, &mut wrong)) {
        Ok(budgets) => budgets,
        Err(error) => {
            wrong.push(SettingsProblem::new(
                &settings.source,
                "budget",
                WrongSetting::Value(error.to_string()),
            ));
            accounts.clone()
        }
    };
    if budgets.iter().next().is_some() {
        builder = builder.budgets(budgets.clone());
    }
    let (stack, wired) = build(extend(builder), before.map(|before| &before.wired), wrong, &settings)?;
    let in_force = InForce {
        settings,
        carried,
        wired,
        budgets,
    };
    Ok((stack, in_force))
}

impl fmt::Debug for SettingsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SettingsHandle").field(&self.service).finish()
    }
}

impl fmt::Debug for SettingsHandleBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingsHandleBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

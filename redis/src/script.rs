//! The scripts: each decision is one of them. A changed script is a new version, under a new name.

use redis::Script;

/// All scripts, known to the server by their hash.
pub(crate) struct Scripts {
    pub(crate) reserve: Script,
    pub(crate) settle: Script,
    pub(crate) adjust: Script,
    pub(crate) renew: Script,
    pub(crate) admit: Script,
    pub(crate) true_up: Script,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("common.lua"), "\n", include_str!($file)))
    };
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            reserve: script!("reserve.lua"),
            settle: script!("settle.lua"),
            adjust: script!("adjust.lua"),
            renew: script!("renew.lua"),
            admit: script!("admit.lua"),
            true_up: script!("true_up.lua"),
        }
    }
}

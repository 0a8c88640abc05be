//! The scripts: each decision is one of them, known to the server by its hash, and sent again if the server has forgotten it.
//! What a script keeps has its version in its keys' names, so that two versions never read each other's.

use redis::Script;

pub(crate) struct Scripts {
    pub(crate) reserve: Script,
    pub(crate) read: Script,
    pub(crate) admit: Script,
    pub(crate) renew: Script,
    pub(crate) deliver: Script,
    #[cfg(feature = "cache")]
    pub(crate) once_claim: Script,
    #[cfg(feature = "cache")]
    pub(crate) once_keep: Script,
    #[cfg(feature = "cache")]
    pub(crate) once_hold: Script,
}

macro_rules! script {
    ($($file:literal)*) => {
        Script::new(concat!($(include_str!(concat!("lua/", $file)), "\n",)*))
    };
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            reserve: script!("money.lua" "window.lua" "account.lua" "reserve.lua"),
            read: script!("money.lua" "window.lua" "account.lua" "read.lua"),
            admit: script!("money.lua" "rate.lua" "admit.lua"),
            renew: script!("money.lua" "window.lua" "account.lua" "renew.lua"),
            deliver: script!("money.lua" "window.lua" "account.lua" "rate.lua" "deliver.lua"),
            #[cfg(feature = "cache")]
            once_claim: script!("once_claim.lua"),
            #[cfg(feature = "cache")]
            once_keep: script!("once_keep.lua"),
            #[cfg(feature = "cache")]
            once_hold: script!("once_hold.lua"),
        }
    }
}

//! Tiers of service.

use crate::view::open_enum;

open_enum! {
    /// How fast, and at what price, a call is served.
    ServiceTier {
        /// The provider decides.
        Auto = "auto",
        /// The ordinary tier.
        Default = "default",
        /// Another name for priority.
        Fast = "fast",
        /// Cheaper and slower. A model with this tier does not fall back to another.
        Flex = "flex",
        /// Faster and more expensive, falling back to the ordinary tier.
        Priority = "priority",
        /// Capacity that was bought beforehand.
        Scale = "scale",
    }
}

open_enum! {
    /// How much a model says.
    Verbosity {
        /// Little.
        Low = "low",
        /// As usual.
        Medium = "medium",
        /// Much.
        High = "high",
        /// More.
        XHigh = "xhigh",
        /// Most.
        Max = "max",
    }
}

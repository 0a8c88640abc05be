//! The tier of service that served an answer, as far as its price is concerned.

/// At what prices an answer was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum ServedTier {
    /// Below the listed prices: flex, batch.
    Cheaper,
    /// At the listed prices.
    #[default]
    Standard,
    /// Above the listed prices: priority, fast.
    Priority,
}

impl ServedTier {
    /// The tier of a name in an answer or in a catalogue. A name that is not known is the standard tier: servers call it by many names.
    ///
    /// ```
    /// use openrouter_wire::usage::ServedTier;
    ///
    /// assert_eq!(ServedTier::of("priority"), ServedTier::Priority);
    /// assert_eq!(ServedTier::of("on_demand"), ServedTier::Standard);
    /// ```
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "priority" | "fast" | "ultrafast" | "turbo" | "performance" => Self::Priority,
            "flex" | "batch" => Self::Cheaper,
            _ => Self::Standard,
        }
    }

    /// The one of both at which more is charged.
    #[must_use]
    pub fn costlier(self, other: Self) -> Self {
        self.max(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::usage_counts;

    #[test]
    fn the_tier_in_a_usage_object_is_read_under_both_names() {
        use ServedTier::{Cheaper, Priority, Standard};
        for (members, tier) in [
            ("", None),
            (r#","service_tier":"standard""#, Some(Standard)),
            (r#","service_tier":"priority""#, Some(Priority)),
            (r#","service_tier":"batch""#, Some(Cheaper)),
            (r#","service_tier":"standard","speed":"fast""#, Some(Priority)),
            (r#","service_tier":null,"speed":5"#, None),
        ] {
            let raw = format!(r#"{{"input_tokens":3,"output_tokens":4{members}}}"#);
            let counts = usage_counts(raw.as_bytes()).unwrap();
            assert_eq!(counts.tier, tier, "{members}");
        }
    }
}

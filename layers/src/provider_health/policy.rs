//! When a provider is left out, and for how long.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::MAX_DURATION;

/// Providers whose slug at OpenRouter is not made of their name.
const SLUGS: [(&str, &str); 3] = [
    ("AtlasCloud", "atlas-cloud"),
    ("Google", "google-vertex"),
    ("NovitaAI", "novita"),
];

/// When a provider is left out, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderPolicy {
    pub(super) window_calls: usize,
    pub(super) window_time: Duration,
    pub(super) min_calls: u32,
    pub(super) error_ratio: f64,
    pub(super) ignore_for: Duration,
    pub(super) ignore_at_most: Duration,
    pub(super) prefer_fast: bool,
    slugs: BTreeMap<String, String>,
}

/// What makes no sense in a policy, and the fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProviderPolicyError {
    /// No attempt would count.
    NoWindow,
    /// Fewer attempts are kept than are needed for a verdict.
    MinCalls,
    /// The ratio is not above 0 and at most 1.
    Ratio,
    /// A provider would be left out for no time, for longer at first than at most, or for longer than [`MAX_DURATION`].
    IgnoreFor,
}

impl Default for ProviderPolicy {
    fn default() -> Self {
        Self {
            window_calls: 50,
            window_time: Duration::from_secs(300),
            min_calls: 5,
            error_ratio: 0.5,
            ignore_for: Duration::from_secs(30),
            ignore_at_most: Duration::from_secs(600),
            prefer_fast: false,
            slugs: SLUGS.map(|(name, slug)| (name.to_owned(), slug.to_owned())).into(),
        }
    }
}

impl ProviderPolicy {
    /// Leaves a provider out for 30 s, at most 10 min, once half of its last attempts have failed: 5 of 50 within 5 min at least.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many of the last attempts of a provider count, and for how long each of them; 50 attempts and 5 minutes by default.
    #[must_use]
    pub const fn window(mut self, calls: usize, time: Duration) -> Self {
        (self.window_calls, self.window_time) = (calls, time);
        self
    }

    /// The fewest attempts in the window before the ratio counts; 5 by default.
    #[must_use]
    pub const fn min_calls(mut self, calls: u32) -> Self {
        self.min_calls = calls;
        self
    }

    /// The share of failures at which a provider is left out, more than 0 and at most 1; 0.5 by default.
    #[must_use]
    pub const fn error_ratio(mut self, ratio: f64) -> Self {
        self.error_ratio = ratio;
        self
    }

    /// How long a provider is left out at first, and at most: twice as long after each probe that fails. 30 s and 10 minutes by default.
    #[must_use]
    pub const fn ignore_for(mut self, first: Duration, at_most: Duration) -> Self {
        (self.ignore_for, self.ignore_at_most) = (first, at_most);
        self
    }

    /// Asks for the providers in the order of their mean times to the first token, once two of them are known by `min_calls` streamed answers
    /// each. Off by default: an order switches the router's balancing by price off.
    #[must_use]
    pub const fn prefer_fast(mut self, on: bool) -> Self {
        self.prefer_fast = on;
        self
    }

    /// The slug of a provider with this name, if it is not the name in lower case with `-` between its words.
    #[must_use]
    pub fn slug(mut self, name: &str, slug: &str) -> Self {
        self.slugs.insert(name.to_owned(), slug.to_owned());
        self
    }

    /// What a request names this provider by.
    pub(super) fn slug_of(&self, name: &str) -> Box<str> {
        if let Some(slug) = self.slugs.get(name) {
            return slug.as_str().into();
        }
        let mut slug = String::with_capacity(name.len());
        for character in name.chars() {
            if character.is_alphanumeric() {
                slug.extend(character.to_lowercase());
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.trim_end_matches('-').into()
    }

    pub(super) fn check(&self) -> Result<(), ProviderPolicyError> {
        if self.window_calls == 0 || self.window_time.is_zero() {
            return Err(ProviderPolicyError::NoWindow);
        }
        if self.min_calls == 0 || usize::try_from(self.min_calls).is_ok_and(|calls| calls > self.window_calls) {
            return Err(ProviderPolicyError::MinCalls);
        }
        if !(self.error_ratio > 0.0 && self.error_ratio <= 1.0) {
            return Err(ProviderPolicyError::Ratio);
        }
        let is_in_range = self.ignore_for <= self.ignore_at_most && self.ignore_at_most <= MAX_DURATION;
        if self.ignore_for.is_zero() || !is_in_range {
            return Err(ProviderPolicyError::IgnoreFor);
        }
        Ok(())
    }
}

impl fmt::Display for ProviderPolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoWindow => "`window` keeps no attempt: give it at least one, and some time",
            Self::MinCalls => "`min_calls` is 0, or more than the window keeps: give it from 1 to the window's calls",
            Self::Ratio => "`error_ratio` is not a share of failures: give it more than 0, and 1 at most",
            Self::IgnoreFor => {
                "`ignore_for` is zero, longer than the time at most, or longer than 30 years: give it e.g. 30 s and 10 min"
            }
        })
    }
}

impl std::error::Error for ProviderPolicyError {}

impl fmt::Display for ProviderPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a provider is left out for {:?} to {:?} once {:.0} % of its last {} attempts have failed, then probed",
            self.ignore_for,
            self.ignore_at_most,
            self.error_ratio * 100.0,
            self.window_calls
        )?;
        if self.prefer_fast {
            f.write_str("; the fastest go first")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_of_the_name() {
        let policy = ProviderPolicy::new().slug("Odd One", "odd/one");
        for (name, slug) in [
            ("Together", "together"),
            ("Google AI Studio", "google-ai-studio"),
            ("Amazon Bedrock", "amazon-bedrock"),
            ("Z.AI", "z-ai"),
            ("Google", "google-vertex"),
            ("NovitaAI", "novita"),
            ("Odd One", "odd/one"),
            (" - ", ""),
        ] {
            assert_eq!(&*policy.slug_of(name), slug);
        }
    }

    #[test]
    fn what_decides_nothing_is_refused() {
        use ProviderPolicyError as Wrong;
        let secs = Duration::from_secs;
        let new = ProviderPolicy::new;
        assert_eq!(new().check(), Ok(()));
        for (policy, wrong) in [
            (new().window(0, secs(1)), Wrong::NoWindow),
            (new().window(10, secs(0)), Wrong::NoWindow),
            (new().min_calls(0), Wrong::MinCalls),
            (new().min_calls(51), Wrong::MinCalls),
            (new().error_ratio(0.0), Wrong::Ratio),
            (new().error_ratio(f64::NAN), Wrong::Ratio),
            (new().ignore_for(secs(0), secs(9)), Wrong::IgnoreFor),
            (new().ignore_for(secs(10), secs(9)), Wrong::IgnoreFor),
            (new().ignore_for(secs(10), Duration::MAX), Wrong::IgnoreFor),
            (new().ignore_for(Duration::MAX, Duration::MAX), Wrong::IgnoreFor),
        ] {
            assert_eq!(policy.check(), Err(wrong), "{policy:?}");
            assert!(wrong.to_string().contains('`'));
        }
    }
}

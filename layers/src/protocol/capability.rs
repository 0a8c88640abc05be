//! What a model can do, and what of a request it cannot.

use std::fmt;

use crate::{MediaKinds, Needs};

/// A set of APIs, by their names: eight at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Apis([Option<&'static str>; 8]);

impl Apis {
    /// These APIs; those past the eighth are left out.
    #[must_use]
    pub fn of(names: impl IntoIterator<Item = &'static str>) -> Self {
        let mut set = Self::default();
        for (place, name) in set.0.iter_mut().zip(names) {
            *place = Some(name);
        }
        set
    }

    /// Whether the set has this API.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().flatten().any(|known| *known == name)
    }
}

impl fmt::Display for Apis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().flatten().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

/// What a candidate can do, from a catalogue. `None` means unknown, which never excludes a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capability {
    /// Prompt and answer together, in tokens.
    pub context_length: Option<u64>,
    /// The longest answer, in tokens.
    pub max_output: Option<u64>,
    /// Takes tools.
    pub tools: Option<bool>,
    /// Takes a forced tool.
    pub tool_choice: Option<bool>,
    /// Answers by JSON schema.
    pub structured_outputs: Option<bool>,
    /// Answers in JSON.
    pub json_mode: Option<bool>,
    /// Continues a message that was begun for it.
    pub prefill: Option<bool>,
    /// What it takes, beside text.
    pub input: Option<MediaKinds>,
    /// What it gives, beside text.
    pub output: Option<MediaKinds>,
    /// The APIs that its upstream supports.
    pub apis: Option<Apis>,
    /// Price of the answer's tokens, in any unit that is the same for all candidates; only compared.
    pub price: Option<u64>,
}

impl Capability {
    /// Why this candidate cannot take the request, or `None` if it can or its capabilities are unknown.
    #[must_use]
    pub fn lacks(&self, needs: &Needs) -> Option<String> {
        self.lack(needs, needs.max_tokens).map(|lack| lack.reason)
    }

    /// The longest answer that this candidate gives, in tokens, if the request allows a longer one. That excludes no candidate: the limit in
    /// the request is lowered to it.
    #[must_use]
    pub fn limits(&self, needs: &Needs) -> Option<u64> {
        self.max_output.filter(|most| needs.max_tokens > *most)
    }

    /// The same, if the context is to hold an answer of so many tokens.
    pub(crate) fn lack(&self, needs: &Needs, answer: u64) -> Option<Lack> {
        let other = |reason: String| Lack {
            reason,
            is_context: false,
        };
        if let (Some(api), Some(apis)) = (needs.api, &self.apis)
            && !apis.contains(api)
        {
            return Some(other(format!("its upstream does not support {api}, only {apis}")));
        }
        let answer = self.max_output.map_or(answer, |most| answer.min(most));
        let wanted = needs.prompt_tokens.saturating_add(answer);
        if let Some(context) = self.context_length.filter(|context| wanted > *context) {
            return Some(Lack {
                reason: format!("about {wanted} tokens do not fit its context of {context}"),
                is_context: true,
            });
        }
        let flags = [
            (needs.tools, self.tools, "tools"),
            (needs.tool_choice, self.tool_choice, "a forced tool_choice"),
            (needs.structured_outputs, self.structured_outputs, "structured outputs"),
            (needs.json_mode, self.json_mode, "JSON mode"),
            (needs.prefill, self.prefill, "a message begun for it"),
        ];
        if let Some((_, _, name)) = flags.iter().find(|(needed, able, _)| *needed && *able == Some(false)) {
            return Some(other(format!("it does not take {name}")));
        }
        let sides = [(needs.input, self.input, "take"), (needs.output, self.output, "give")];
        sides.iter().find_map(|(needed, able, verb)| {
            let missing = needed.without((*able)?);
            (!missing.is_empty()).then(|| other(format!("it does not {verb} {missing}")))
        })
    }
}

/// What a candidate lacks for a request.
pub(crate) struct Lack {
    pub(crate) reason: String,
    /// Whether it is a context that is too small.
    pub(crate) is_context: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_never_excludes() {
        let needs = Needs {
            prompt_tokens: 1_000_000,
            tools: true,
            input: MediaKinds::IMAGE,
            ..Needs::default()
        };
        assert_eq!(Capability::default().lacks(&needs), None);
    }

    #[test]
    fn an_api_that_the_upstream_does_not_speak_excludes() {
        let direct = Capability {
            apis: Some(Apis::of(["chat", "embeddings"])),
            ..Capability::default()
        };
        let needs = |api| Needs {
            api,
            ..Needs::default()
        };
        assert_eq!(
            direct.lacks(&needs(Some("messages"))).as_deref(),
            Some("its upstream does not support messages, only chat, embeddings")
        );
        for able in [needs(Some("chat")), needs(None)] {
            assert_eq!(direct.lacks(&able), None);
        }
        assert_eq!(Capability::default().lacks(&needs(Some("messages"))), None);
    }

    #[test]
    fn says_what_is_missing() {
        let small = Capability {
            context_length: Some(100),
            tools: Some(false),
            input: Some(MediaKinds::default()),
            ..Capability::default()
        };
        let long = Needs {
            prompt_tokens: 90,
            max_tokens: 20,
            ..Needs::default()
        };
        assert!(small.lacks(&long).unwrap().contains("context of 100"));
        let tools = Needs {
            tools: true,
            ..Needs::default()
        };
        assert!(small.lacks(&tools).unwrap().contains("tools"));
        let image = Needs {
            input: MediaKinds::IMAGE,
            ..Needs::default()
        };
        assert!(small.lacks(&image).unwrap().contains("take image"));
    }
}

//! What a request needs of a model, and what a model can do.

use std::fmt;

use crate::{PriceCeiling, UsdAmount};

/// A set of kinds of input or output.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Modalities(u8);

impl Modalities {
    /// Nothing but text.
    pub const TEXT: Self = Self(0);
    /// Images.
    pub const IMAGE: Self = Self(1);
    /// Sound.
    pub const AUDIO: Self = Self(1 << 1);
    /// Documents.
    pub const FILE: Self = Self(1 << 2);
    /// Video.
    pub const VIDEO: Self = Self(1 << 3);

    const NAMED: [(Self, &'static str); 4] = [
        (Self::IMAGE, "image"),
        (Self::AUDIO, "audio"),
        (Self::FILE, "file"),
        (Self::VIDEO, "video"),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether everything in `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether this is text alone.
    #[must_use]
    pub const fn is_text(self) -> bool {
        self.0 == 0
    }

    /// Reads a list of names as catalogues give them; unknown names and `text` add nothing.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().fold(Self::TEXT, |set, name| {
            Self::NAMED
                .iter()
                .find(|(_, known)| *known == name)
                .map_or(set, |(flag, _)| set.with(*flag))
        })
    }
}

impl fmt::Display for Modalities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")?;
        for (flag, name) in Self::NAMED {
            if self.contains(flag) {
                write!(f, "+{name}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Modalities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Modalities({self})")
    }
}

/// A loop in which an upstream calls the model, runs the tools that it names, and calls it again with their results.
///
/// Each step is a turn of the model, with the whole prompt and the answers before it; one more turn ends the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolLoop {
    /// The most steps.
    pub steps: u64,
    /// Whether the request itself holds the loop to these steps; otherwise the cost layer sets a limit.
    pub is_bounded: bool,
    /// The cost after which the request itself stops the loop.
    pub max_cost: Option<UsdAmount>,
}

impl ToolLoop {
    /// A loop that the request holds to so many steps.
    #[must_use]
    pub const fn of_steps(steps: u64) -> Self {
        Self {
            steps,
            is_bounded: true,
            max_cost: None,
        }
    }
}

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

/// What a request needs of the model that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Needs {
    /// Tokens of the prompt, roughly (about four bytes each).
    pub prompt_tokens: u64,
    /// The most tokens the prompt can have with any tokenizer: for reserving money. 0 if that is unknown.
    pub most_prompt_tokens: u64,
    /// The largest requested answer, in tokens; 0 if the request does not say.
    pub max_tokens: u64,
    /// Pictures it sends.
    pub images: u64,
    /// Searches of the web that it may run.
    pub searches: u64,
    /// How many answers it requests at once; 0 is one.
    pub choices: u64,
    /// The loop in which the upstream runs tools by itself; `None` if it runs none.
    pub tool_loop: Option<ToolLoop>,
    /// It wants its prompt cached for longer than usual, which costs more to write.
    pub long_cache: bool,
    /// It may be served on a faster and more expensive tier.
    pub priority: bool,
    /// The highest price at which it may be served: the upstream skips endpoints above it.
    pub ceiling: PriceCeiling,
    /// It offers tools.
    pub tools: bool,
    /// It forces a tool.
    pub tool_choice: bool,
    /// It requests an answer by JSON schema.
    pub structured_outputs: bool,
    /// It requests JSON.
    pub json_mode: bool,
    /// It begins the model's own message, to be continued.
    pub prefill: bool,
    /// What it puts in, beside text.
    pub input: Modalities,
    /// What it wants out, beside text.
    pub output: Modalities,
    /// The API that it is for, by a name that the request and the [`Capability`] agree on; `None` excludes no candidate.
    pub api: Option<&'static str>,
}

impl Needs {
    /// Needs of a prompt of about so many tokens, and of at most so many.
    #[must_use]
    pub fn of_prompt(tokens: u64, at_most: u64) -> Self {
        Self {
            prompt_tokens: tokens,
            most_prompt_tokens: at_most,
            ..Self::default()
        }
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
    pub input: Option<Modalities>,
    /// What it gives, beside text.
    pub output: Option<Modalities>,
    /// The APIs that its upstream speaks.
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

    /// The same, if the context is to hold an answer of so many tokens.
    pub(crate) fn lack(&self, needs: &Needs, answer: u64) -> Option<Lack> {
        let other = |reason: String| Lack {
            reason,
            is_context: false,
        };
        if let (Some(api), Some(apis)) = (needs.api, &self.apis)
            && !apis.contains(api)
        {
            return Some(other(format!("its upstream does not speak {api}, only {apis}")));
        }
        let wanted = needs.prompt_tokens.saturating_add(answer);
        if let Some(context) = self.context_length.filter(|context| wanted > *context) {
            return Some(Lack {
                reason: format!("about {wanted} tokens do not fit its context of {context}"),
                is_context: true,
            });
        }
        if let Some(most) = self.max_output.filter(|most| needs.max_tokens > *most) {
            let reason = format!("max_tokens {} is over its limit of {most}", needs.max_tokens);
            return Some(other(reason));
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
            (!missing.is_text()).then(|| other(format!("it does not {verb} {missing}")))
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
            input: Modalities::IMAGE,
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
            Some("its upstream does not speak messages, only chat, embeddings")
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
            input: Some(Modalities::TEXT),
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
            input: Modalities::IMAGE,
            ..Needs::default()
        };
        assert!(small.lacks(&image).unwrap().contains("text+image"));
    }
}

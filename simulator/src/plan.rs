//! A plan: what happens to the first request, the second, and so on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fault::{Fault, FaultError};

/// What happens to one request: clauses that work together, perhaps only now and then, perhaps a counted number of times.
///
/// As text: `[Nx][P%]clause{;clause}`, e.g. `2x503`, `20%reset`, `stall=10s@5;words=40`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    times: Option<u32>,
    percent: u8,
    faults: Vec<Fault>,
}

impl Step {
    /// A step of these clauses.
    #[must_use]
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self {
            times: None,
            percent: 100,
            faults: faults.into_iter().collect(),
        }
    }

    /// The same for exactly so many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same for about so many requests in a hundred; the others are well.
    #[must_use]
    pub fn percent(mut self, percent: u8) -> Self {
        self.percent = percent.min(100);
        self
    }

    /// Its clauses.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// How many requests it takes, if counted.
    #[must_use]
    pub fn count(&self) -> Option<u32> {
        self.times
    }

    /// How many requests in a hundred it befalls.
    #[must_use]
    pub fn chance(&self) -> u8 {
        self.percent
    }
}

impl From<Fault> for Step {
    fn from(fault: Fault) -> Self {
        Self::new([fault])
    }
}

impl FromStr for Step {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let text = text.trim();
        let mut rest = text;
        let mut step = Self::new([]);
        if let Some((times, after)) = number_before(rest, 'x') {
            step = step.times(times);
            rest = after;
        }
        if let Some((percent, after)) = number_before(rest, '%') {
            let percent = u8::try_from(percent).ok().filter(|p| *p <= 100);
            step = step.percent(percent.ok_or_else(|| FaultError::new(text))?);
            rest = after;
        }
        step.faults = rest.split(';').map(str::parse).collect::<Result<_, _>>()?;
        let statuses = step
            .faults
            .iter()
            .filter(|fault| matches!(fault, Fault::Refuse(_)))
            .count();
        if statuses > 1 {
            // Only one of them could be answered.
            return Err(FaultError::new(text));
        }
        Ok(step)
    }
}

/// `3x503` and `x` are `(3, "503")`.
fn number_before(text: &str, mark: char) -> Option<(u32, &str)> {
    let (number, rest) = text.split_once(mark)?;
    Some((number.parse().ok()?, rest))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(times) = self.times {
            write!(f, "{times}x")?;
        }
        if self.percent < 100 {
            write!(f, "{}%", self.percent)?;
        }
        if self.faults.is_empty() {
            return f.write_str("ok");
        }
        for (n, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if n == 0 { "" } else { ";" })?;
        }
        Ok(())
    }
}

/// A sequence of steps: each request takes the next, the last one stays.
///
/// After a *counted* last step all is well: `3x503` is `3x503,ok`. No steps at all is `ok`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    steps: Vec<Step>,
}

impl Plan {
    /// A plan of these steps.
    #[must_use]
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
        }
    }

    /// Its steps.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The step of the request that `before` others came before.
    #[must_use]
    pub fn step(&self, before: u64) -> Option<&Step> {
        let mut passed = 0u64;
        for step in &self.steps {
            passed += u64::from(step.times.unwrap_or(1));
            if before < passed {
                return Some(step);
            }
        }
        self.steps.last().filter(|last| last.times.is_none())
    }
}

impl From<Step> for Plan {
    fn from(step: Step) -> Self {
        Self::new([step])
    }
}

impl From<Fault> for Plan {
    fn from(fault: Fault) -> Self {
        Step::from(fault).into()
    }
}

impl FromStr for Plan {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        text.split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(|steps| Self { steps })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("ok");
        }
        for (n, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Plan {
    /// Takes the text of a plan, or a list of texts.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            List(Vec<String>),
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Text(text) => text,
            Form::List(list) if list.is_empty() => return Ok(Self::default()),
            Form::List(list) => list.join(","),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

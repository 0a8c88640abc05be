//! A replay as people read it.

use std::{
    fmt::{self, Write as _},
    path::Path,
};

use tower_openrouter::{UsdAmount, recording::RecordedOutcome};

use super::{
    compare::{Changed, Comparison, Side},
    figures::Figures,
};
// Names of a recording move no cursor of a terminal, and begin no line.
use crate::calls::name as plain;

/// What is assumed: one line each.
pub(super) const ASSUMPTIONS: [&str; 8] = [
    "a call's attempts on a model go as its own recorded attempts on that model went, in their order",
    "any other attempt goes as the recorded attempt nearest in time on that model of that upstream, of another call if there is one",
    "a model without a recorded attempt fails every attempt with no_endpoint",
    "a recorded silence lasts: what would have come after an attempt was given up is not known",
    "load changes nothing: a model answers more calls than were recorded as it answered those",
    "an answer costs what the recorded one did, also if it stands for that of another call",
    "callers that left leave again after the same time, unless they have their answer by then",
    "circuits, pauses and budgets begin empty; contents, keys and tags are not recorded, so what needs them is set aside",
];

impl Comparison {
    /// As people read it, with so many of the changed calls, and with every call if that is wanted.
    #[must_use]
    pub fn text(&self, most_changed: usize, lists_calls: bool) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        self.write(&mut text, most_changed, lists_calls).unwrap_or_default();
        text
    }

    fn write(&self, to: &mut String, most_changed: usize, lists_calls: bool) -> fmt::Result {
        self.write_figures(to)?;
        let (changed, rescued, failed) = (self.changed().count(), self.rescued(), self.newly_failed());
        writeln!(
            to,
            "\noutcome changed: {changed} calls, {rescued} of them rescued, {failed} newly failed"
        )?;
        for call in self.changed().take(most_changed) {
            writeln!(to, "  {call}")?;
        }
        if changed > most_changed {
            writeln!(
                to,
                "  and {} more: `--changed N` lists more of them",
                changed - most_changed
            )?;
        }
        if lists_calls {
            writeln!(to, "\nall calls")?;
            for call in self.calls() {
                writeln!(to, "  {call}")?;
            }
        }
        self.write_notes(to)?;
        writeln!(to, "\nassumed")?;
        for line in ASSUMPTIONS {
            writeln!(to, "  {line}")?;
        }
        Ok(())
    }

    fn write_figures(&self, to: &mut String) -> fmt::Result {
        let (before, after) = (&self.before, &self.after);
        writeln!(to, "recording from {}, {} calls", self.recording.began, before.calls)?;
        match self.settings.as_deref().map(Path::display) {
            Some(file) => writeln!(to, "replayed against the settings of {file}\n")?,
            None => writeln!(to, "replayed against the settings of the environment\n")?,
        }
        writeln!(to, "{:<22} {:>14} {:>14}", "", "recorded", "replayed")?;
        let mut row = |name: &str, value: &dyn Fn(&Figures) -> String| {
            writeln!(to, "{name:<22} {:>14} {:>14}", value(before), value(after))
        };
        row("answered", &|side| format!("{:.2} %", side.answered_percent))?;
        row("failed", &|side| side.failed.to_string())?;
        row("callers that left", &|side| side.left.to_string())?;
        row("first content, p50", &|side| seconds(side.first_p50_ms))?;
        row("first content, p99", &|side| seconds(side.first_p99_ms))?;
        row("whole answer, p50", &|side| seconds(side.whole_p50_ms))?;
        row("whole answer, p99", &|side| seconds(side.whole_p99_ms))?;
        row("attempts per call", &|side| format!("{:.2}", side.attempts_per_call))?;
        row("cost", &|side| side.cost.map_or_else(none, shown))?;
        let mut models: Vec<_> = before.answered_by.keys().chain(after.answered_by.keys()).collect();
        models.sort_unstable();
        models.dedup();
        writeln!(to, "\nanswered by")?;
        for model in models {
            let count = |side: &Figures| side.answered_by.get(model).copied().unwrap_or(0);
            writeln!(to, "  {:<42} {:>8} {:>8}", plain(model), count(before), count(after))?;
        }
        Ok(())
    }

    /// What limits the result.
    fn write_notes(&self, to: &mut String) -> fmt::Result {
        let (replayed, recording) = (&self.replayed, &self.recording);
        writeln!(to, "\nattempts on models (recorded, replayed)")?;
        for (name, load) in &replayed.load {
            writeln!(to, "  {:<42} {:>8} {:>8}", plain(name), load.recorded, load.replayed)?;
        }
        for (name, attempts) in &replayed.unknown {
            writeln!(
                to,
                "  {}: unknown model in this recording, {attempts} attempts failed for that",
                plain(name)
            )?;
        }
        let sent: u64 = replayed.load.values().map(|load| load.replayed).sum();
        if replayed.estimated > 0 {
            writeln!(
                to,
                "{} of {sent} attempts went as one of another call or time",
                replayed.estimated
            )?;
        }
        if replayed.outlasted_silences > 0 {
            writeln!(
                to,
                "{} attempts waited as long as the recorded silence, or longer",
                replayed.outlasted_silences
            )?;
        }
        if replayed.shortened_prompts > 0 {
            writeln!(to, "{} prompts were shortened", replayed.shortened_prompts)?;
        }
        if !self.set_aside.is_empty() {
            writeln!(to, "settings that a replay cannot apply: {}", self.set_aside.join(", "))?;
        }
        if recording.lost > 0 {
            writeln!(
                to,
                "{} calls are missing in the recording: the writer was behind or had failed",
                recording.lost
            )?;
        }
        for named in &recording.unreadable {
            writeln!(to, "line {}: {}; it is left out", named.line, named.problem)?;
        }
        let more = recording
            .unreadable_lines
            .saturating_sub(recording.unreadable.len() as u64);
        if more > 0 {
            writeln!(to, "and {more} further lines that cannot be read")?;
        }
        if recording.is_truncated {
            writeln!(to, "the last line is cut, and left out")?;
        }
        Ok(())
    }
}

impl fmt::Display for Changed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.at_ms / 1_000, self.at_ms % 1_000);
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let requested = plain(self.requested.unwrap_or("(the chain's)"));
        write!(
            f,
            "{hours:02}:{minutes:02}:{seconds:02}.{millis:03}  {} {requested}: ",
            self.api
        )?;
        write!(f, "{} -> {}", self.recorded, self.replayed)
    }
}

impl fmt::Display for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.outcome, self.kind) {
            (RecordedOutcome::Answered, _) => write!(f, "answered by {}", plain(self.model.unwrap_or("(not named)")))?,
            (RecordedOutcome::Left, _) => f.write_str("left")?,
            (_, Some(kind)) => write!(f, "failed ({kind})")?,
            (_, None) => f.write_str("failed")?,
        }
        write!(f, " after {}", seconds(Some(self.whole_ms)))?;
        match self.cost {
            Some(cost) => write!(f, ", {}", shown(cost)),
            None => Ok(()),
        }
    }
}

fn none() -> String {
    "-".to_owned()
}

fn shown(cost: UsdAmount) -> String {
    cost.to_string()
}

fn seconds(millis: Option<u64>) -> String {
    millis.map_or_else(none, |millis| format!("{}.{:03} s", millis / 1_000, millis % 1_000))
}

#[cfg(test)]
mod tests {
    use tower_openrouter::recording::{Recording, ReplayReport};

    use super::*;

    #[test]
    fn a_name_of_a_recording_reaches_no_terminal_as_a_command() {
        let name = "\u{1b}]0;owned\u{7}\nanswered 100 %\u{202e}";
        let escaped = serde_json::to_string(name).unwrap();
        let text = format!(
            "{{\"recording\":{{\"version\":1,\"began_ms\":0}}}}\n{{\"call\":{{\"at_ms\":0,\"api\":\"chat\",\"models\":[{escaped}],\
             \"prompt_bytes\":1,\"outcome\":\"answered\",\"whole_ms\":2,\"model\":{escaped}}}}}\n"
        );
        let recording = Recording::read(text.as_bytes()).unwrap();
        let mut replayed = ReplayReport::default();
        replayed.unknown.insert(name.to_owned(), 1);
        let text = Comparison::new(recording, replayed, None, Vec::new()).text(9, true);
        let is_hidden = |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
        assert!(!text.contains(is_hidden), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("answered 100 %")), "{text}");
        assert!(text.contains("settings of the environment"), "{text}");
    }
}

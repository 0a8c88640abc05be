//! A replay as programs read it.

use serde_json::{Value, json};

use super::{Changed, Comparison, text::ASSUMPTIONS};

impl Comparison {
    /// As JSON, with so many of the changed calls, and with every call if that is wanted. Amounts are decimal texts of US dollars.
    #[must_use]
    pub fn json(&self, most_changed: usize, lists_calls: bool) -> Value {
        let (replayed, recording) = (&self.replayed, &self.recording);
        let list = |calls: Vec<Changed<'_>>| serde_json::to_value(calls).unwrap_or_default();
        let load = replayed.load.iter().map(|(name, load)| {
            let counts = json!({ "recorded": load.recorded, "replayed": load.replayed });
            (name.clone(), counts)
        });
        let unreadable = recording.unreadable.iter();
        let unreadable = unreadable.map(|named| json!({ "line": named.line, "problem": named.problem }));
        let mut all = json!({
            "began": recording.began.to_string(),
            "recorded": self.before,
            "replayed": self.after,
            "changed": {
                "calls": self.changed().count(),
                "rescued": self.rescued(),
                "newly_failed": self.newly_failed(),
                "list": list(self.changed().take(most_changed).collect()),
            },
            "attempts": load.collect::<serde_json::Map<_, _>>(),
            "unknown_models": replayed.unknown,
            "estimated_attempts": replayed.estimated,
            "outlived_attempts": replayed.outlasted_silences,
            "shortened_prompts": replayed.shortened_prompts,
            "settings": self.settings.as_deref().map(|file| file.display().to_string()),
            "set_aside": self.set_aside,
            "recording": {
                "lost_calls": recording.lost,
                "unreadable_lines": recording.unreadable_lines,
                "unreadable": unreadable.collect::<Vec<_>>(),
                "is_torn": recording.is_truncated,
            },
            "assumptions": ASSUMPTIONS,
        });
        if let (true, Some(members)) = (lists_calls, all.as_object_mut()) {
            members.insert("calls".to_owned(), list(self.calls().collect()));
        }
        all
    }
}

//! What a plain body tells of an answer, under the clauses that change it.

use super::{Answer, Piece, Tally};
use crate::fault::Fault;

/// An error inside a 200.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    /// A status or a word.
    pub(crate) code: String,
    /// Nothing of the answer comes with it.
    pub(crate) alone: bool,
}

/// The parts of a plain answer.
#[derive(Clone, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) finish: Option<&'a str>,
    pub(crate) native: Option<&'a str>,
    pub(crate) text: String,
    pub(crate) reasoning: Option<String>,
    /// Id, name and arguments.
    pub(crate) call: Option<(&'a str, &'a str, String)>,
    pub(crate) usage: Option<Tally>,
    pub(crate) failed: Option<Failed>,
    /// There is a choice: an answer that may be empty.
    pub(crate) is_there: bool,
    /// The choice is null.
    pub(crate) is_null: bool,
    /// What is to pay.
    pub(crate) billed: Option<Tally>,
}

impl<'a> Shown<'a> {
    /// What is shown of `answer` under these clauses.
    pub(crate) fn new(answer: &'a Answer, faults: &'a [Fault]) -> Self {
        let mut shown = Self {
            finish: Some(&answer.finish),
            native: Some(&answer.native),
            text: answer.text(usize::MAX),
            reasoning: answer.reasoning(),
            call: answer.call(),
            usage: Some(answer.tally.clone()),
            failed: None,
            is_there: true,
            is_null: false,
            billed: Some(answer.tally.clone()),
        };
        let pays = faults.contains(&Fault::Billed);
        for fault in faults {
            match fault {
                Fault::Error(code) => {
                    shown.fail(code, pays.then(|| answer.tally.first(0)));
                    shown.failed = shown.failed.map(|failed| Failed { alone: true, ..failed });
                    return shown;
                }
                Fault::ErrorAt(code, at) => {
                    let pieces = answer.pieces.iter();
                    let thoughts = pieces.take_while(|p| matches!(p, Piece::Reasoning(_))).count();
                    let at = thoughts.saturating_add(usize::try_from(*at).unwrap_or(usize::MAX));
                    shown.text = answer.text(at);
                    shown.fail(code, pays.then(|| answer.tally.first(at as u64)));
                }
                Fault::FinishError => {
                    shown.empty(answer, Some("error"), Some("MALFORMED_FUNCTION_CALL"));
                }
                Fault::EmptyContent | Fault::RoleOnly | Fault::EmptyChoices | Fault::NullChoice => {
                    shown.empty(answer, None, None);
                    shown.is_there = !matches!(fault, Fault::EmptyChoices);
                    shown.is_null = matches!(fault, Fault::NullChoice);
                    if pays && (shown.is_null || !shown.is_there) {
                        (shown.usage, shown.billed) = (Some(answer.tally.clone()), Some(answer.tally.clone()));
                    }
                }
                Fault::NoFinish | Fault::NoFinishReason => (shown.finish, shown.native) = (None, None),
                Fault::NoUsage => shown.usage = None,
                _ => {}
            }
        }
        if shown.failed.is_some() && faults.contains(&Fault::NoChoices) {
            shown.is_there = false;
        }
        shown
    }

    fn fail(&mut self, code: &str, usage: Option<Tally>) {
        (self.finish, self.native, self.call) = (Some("error"), None, None);
        (self.usage, self.billed) = (usage.clone(), usage);
        self.failed = Some(Failed {
            code: code.to_owned(),
            alone: false,
        });
    }

    fn empty(&mut self, answer: &Answer, finish: Option<&'a str>, native: Option<&'a str>) {
        (self.finish, self.native) = (finish, native);
        (self.call, self.reasoning, self.billed) = (None, None, None);
        self.usage = Some(answer.tally.nothing());
        self.text.clear();
    }
}

//! The clauses that are one word.

use super::Fault;

/// The code of an error inside a 200 if none is given.
pub(super) const ERROR_CODE: &str = "502";

/// The words, and what each stands for.
const BARE: &[(&str, Fault)] = &[
    ("ok", Fault::Ok),
    ("no-hint", Fault::NoHint),
    ("hang", Fault::Hang),
    ("comments", Fault::Comments),
    ("reset", Fault::Reset),
    ("close", Fault::Close),
    ("rst", Fault::Rst),
    ("bad-json", Fault::BadJson(0)),
    ("html", Fault::Html),
    ("done", Fault::Done),
    ("no-choices", Fault::NoChoices),
    ("finish-error", Fault::FinishError),
    ("empty-choices", Fault::EmptyChoices),
    ("empty-content", Fault::EmptyContent),
    ("reasoning-only", Fault::ReasoningOnly),
    ("no-done", Fault::NoDone),
    ("no-usage", Fault::NoUsage),
    ("no-finish", Fault::NoFinish),
    ("empty-stream", Fault::EmptyStream),
    ("role-only", Fault::RoleOnly),
    ("no-prefill", Fault::NoPrefill),
    ("say-again", Fault::SayAgain),
    ("obey", Fault::Obey),
    ("crlf", Fault::Crlf),
    ("blank-lines", Fault::BlankLines),
    ("bom", Fault::Bom),
    ("tool", Fault::Tool),
    ("no-tool", Fault::NoTool),
    ("dated", Fault::Dated),
    ("billed", Fault::Billed),
    ("null-choice", Fault::NullChoice),
    ("as-plain", Fault::AsPlain),
    ("as-stream", Fault::AsStream),
    ("content-length", Fault::ContentLength),
    ("gzip", Fault::Gzip),
    ("nan", Fault::Nan),
    ("one-lf", Fault::OneLf),
    ("one-lf-end", Fault::OneLfEnd),
    ("no-event-names", Fault::NoEventNames),
    ("no-deltas", Fault::NoDeltas),
    ("no-finish-reason", Fault::NoFinishReason),
    ("duplicate-key", Fault::DuplicateKey),
    ("function-call", Fault::FunctionCall),
    ("content-parts", Fault::ContentParts),
];

/// Reads the word; `None` if it is none of them.
pub(super) fn read(text: &str) -> Option<Fault> {
    if text == "error" {
        return Some(Fault::Error(ERROR_CODE.to_owned()));
    }
    BARE.iter()
        .find(|(word, _)| *word == text)
        .map(|(_, fault)| fault.clone())
}

/// The word of a clause that is one.
pub(super) fn name(fault: &Fault) -> &'static str {
    BARE.iter()
        .find(|(_, known)| known == fault)
        .map_or("ok", |(word, _)| *word)
}

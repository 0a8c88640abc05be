//! The one right answer to each question: no word is in it twice, so a lost or repeated piece is seen.

use super::draw::Draw;

/// What a budget's canned reply says.
pub(crate) const CANNED: &str = "No model can answer now.";

/// How many questions there are in one run.
pub(crate) const QUESTIONS: u64 = 40;

/// The prompt of a question.
pub(crate) fn prompt(question: u64) -> String {
    format!("question {question} please")
}

/// Which question a prompt asks.
pub(crate) fn question(prompt: &str) -> Option<u64> {
    prompt.strip_prefix("question ")?.split(' ').next()?.parse().ok()
}

/// The answer, in words; each but the first begins with its white space.
pub(crate) fn words(seed: u64, question: u64) -> Vec<String> {
    const STEMS: [&str; 10] = [
        "ra",
        "lo\u{f6}",
        "mi\u{4e2d}",
        "ken",
        "so\"",
        "te\\",
        "va\u{1f600}",
        "ux",
        "{pi",
        "da:",
    ];
    let mut draw = Draw::of(seed, &[1, question]);
    let count = draw.weighed(&[(1, 1), (2, 3), (5, 12), (2, 40)]);
    (0..count)
        .map(|place: u64| {
            let stem = draw.pick(&STEMS);
            let space = match place {
                0 => "",
                _ => draw.weighed(&[(16, " "), (1, "\n"), (1, "\n\n"), (1, "  ")]),
            };
            let end = draw.weighed(&[(8, ""), (1, ","), (1, ".")]);
            format!("{space}{stem}{question}q{place}{end}")
        })
        .collect()
}

/// The whole answer.
pub(crate) fn text(seed: u64, question: u64) -> String {
    words(seed, question).concat()
}

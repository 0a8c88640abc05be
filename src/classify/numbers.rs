//! What an error's words say in numbers: how much was requested, and how much there may be.

use super::words::Words;

/// No model takes fewer tokens: a smaller limit is one of something else.
const SMALLEST_CONTEXT: u64 = 512;

impl Words {
    /// The request alone is larger than a limit in time as a whole, so that no wait helps: "tokens per minute: Limit 6000, Requested 9000".
    pub(super) fn is_above_rate_limit(&self) -> bool {
        let limit = number_after(self.text(), " limit ");
        let requested = number_after(self.text(), " requested ");
        let is_above = limit.zip(requested).is_some_and(|(limit, requested)| requested > limit);
        is_above && self.is_rate_limit()
    }

    /// More tokens than the model takes, in numbers alone: "Model context window is 128k tokens, you requested 256k tokens".
    pub(super) fn is_larger_in_numbers(&self) -> bool {
        const GIVEN: &str = concat!(
            " requested | you passed | you sent | prompt has | prompt contains | request has | request contains | input has |",
            " input contains | messages resulted in "
        );
        const TAKEN: &str = concat!(
            " supports | supports up to | supports at most | context window is | context window of | context size is |",
            " context size of | context length is | context length of | context limit is | context limit of "
        );
        const SOMETHING_ELSE: &str = " thinking | reasoning | budget | completion | answer | dimensions ";
        let largest = |phrases: &str| {
            let numbers = phrases.split('|');
            numbers.filter_map(|before| number_after(self.text(), before)).max()
        };
        let is_larger = || {
            let taken = largest(TAKEN).filter(|taken| *taken >= SMALLEST_CONTEXT);
            largest(GIVEN).zip(taken).is_some_and(|(given, taken)| given > taken)
        };
        self.has("token") && !self.has(SOMETHING_ELSE) && is_larger()
    }
}

/// The first number that follows these words at once, also with `k` or `m` behind it. Its groups of digits are words of their own: `30,000` has
/// become `30 000`.
fn number_after(text: &str, before: &str) -> Option<u64> {
    let digits = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    text.match_indices(before).find_map(|(at, before)| {
        let mut words = text.get(at + before.len()..)?.split(' ');
        let first = words.next().filter(|word| !word.is_empty())?;
        if let Some(number) = shortened_number(first) {
            return Some(number);
        }
        let first = Some(first).filter(digits)?;
        let groups = words.take_while(|word| word.len() == 3 && digits(word));
        let number: String = std::iter::once(first).chain(groups).collect();
        number.parse().ok()
    })
}

/// `128k`, `1m`.
fn shortened_number(word: &str) -> Option<u64> {
    let (digits, times) = match word.strip_suffix('k') {
        Some(digits) => (digits, 1_000),
        None => (word.strip_suffix('m')?, 1_000_000),
    };
    digits.parse::<u64>().ok()?.checked_mul(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_however_it_is_written() {
        for (text, number) in [
            (" limit 30 000 tokens ", Some(30_000)),
            (" limit 30000 ", Some(30_000)),
            (" limit 128k tokens ", Some(128_000)),
            (" limit 1m ", Some(1_000_000)),
            (" limit k ", None),
            (" limit of 5 ", None),
            (" limit ", None),
            (" limit 99999999999999999999m ", None),
        ] {
            assert_eq!(number_after(text, " limit "), number, "{text}");
        }
    }
}

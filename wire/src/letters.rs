//! How long a text is to a tokenizer: an estimate that says rather too little than too much.

use crate::json::Text;

/// English text has about 4.3 letters a token with the tokenizers of 2026, code a little fewer: 5 counts rather too few tokens.
const LETTERS_PER_TOKEN: usize = 5;

/// As how many letters a generated picture counts: Gemini and others spend about so many tokens on one.
pub(crate) const LETTERS_PER_PICTURE: usize = 1_290 * LETTERS_PER_TOKEN;

/// From here on a byte is the first one of a letter beyond ASCII; the others of it count nothing.
const FIRST_OF_A_LETTER: u8 = 0xC0;

/// How many letters of English take as many tokens as this text; at least one if it is not empty.
///
/// A letter beyond ASCII takes a third of a token, whatever the number of its bytes and however it is written. A run of spaces is one token
/// to most tokenizers, so only its first counts.
#[inline]
pub(crate) fn measure(text: Text<'_>) -> usize {
    text.plain().map_or_else(|| measure_json(text.raw()), measure_plain)
}

/// Roughly how many tokens an English text of so many letters has.
#[inline]
#[must_use]
pub(crate) fn tokens_of(letters: usize) -> u32 {
    u32::try_from(letters / LETTERS_PER_TOKEN).unwrap_or(u32::MAX)
}

/// Roughly how many tokens a text without escapes has; rather too few than too many.
#[inline]
#[must_use]
pub fn estimate_tokens(text: &[u8]) -> u32 {
    tokens_of(measure_plain(text))
}

/// A word byte by byte, and a long text in passes without a state, of which each looks at many bytes at once.
fn measure_plain(text: &[u8]) -> usize {
    /// From here on the passes are cheaper.
    const LONG: usize = 32;
    if text.len() < LONG {
        let mut count = Count::default();
        text.iter().for_each(|byte| count.byte(*byte));
        return count.letters();
    }
    let behind = text.get(1..).unwrap_or_default();
    let beyond_ascii = count(text, text, |byte, _| !byte.is_ascii());
    let spaces_behind_spaces = count(text, behind, |byte, next| byte == b' ' && next == b' ');
    let count = Count {
        ascii: text.len() - beyond_ascii - spaces_behind_spaces,
        others: count(text, text, |byte, _| byte >= FIRST_OF_A_LETTER),
        ..Count::default()
    };
    count.letters()
}

/// For how many places of both texts it is so. A byte holds the count of one piece, so that the compiler adds up many of them at once.
fn count(text: &[u8], other: &[u8], is_so: impl Fn(u8, u8) -> bool) -> usize {
    /// What a byte can count, in whole vectors.
    const PIECE: usize = 224;
    let pieces = text.chunks(PIECE).zip(other.chunks(PIECE));
    let in_piece = |(text, other): (&[u8], &[u8])| -> u8 {
        let places = text.iter().zip(other);
        places.map(|(byte, other)| u8::from(is_so(*byte, *other))).sum()
    };
    pieces.map(|piece| usize::from(in_piece(piece))).sum()
}

/// The same of any JSON text, in which letters may be written as escapes.
pub(crate) fn measure_json(raw: &[u8]) -> usize {
    let mut count = Count::default();
    let mut rest = raw;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'\\' {
            count.byte(*byte);
            continue;
        }
        let Some((escaped, behind)) = rest.split_first() else {
            break;
        };
        rest = behind;
        match (escaped, rest.split_first_chunk::<4>()) {
            (b'u', Some((digits, behind))) => {
                rest = behind;
                count.unit(*digits);
            }
            _ => count.byte(*escaped),
        }
    }
    count.letters()
}

/// The letters of a text so far.
#[derive(Default)]
struct Count {
    ascii: usize,
    others: usize,
    last: u8,
    /// The last letter is the first half of a pair.
    is_half: bool,
}

impl Count {
    #[inline]
    fn byte(&mut self, byte: u8) {
        self.ascii += usize::from(byte.is_ascii() && (byte != b' ' || self.last != b' '));
        self.others += usize::from(byte >= FIRST_OF_A_LETTER);
        self.last = byte;
    }

    /// Half of a letter of UTF-16, or all of it, in hexadecimal digits.
    fn unit(&mut self, digits: [u8; 4]) {
        let unit = digits.into_iter().fold(0_u32, |unit, digit| {
            unit * 16 + char::from(digit).to_digit(16).unwrap_or_default()
        });
        match unit {
            0..0x80 => self.byte(b'.'),
            // The second half of a pair; without a first one it is a letter by itself.
            0xDC00..0xE000 if self.is_half => self.is_half = false,
            _ => {
                self.others += 1;
                self.last = 0;
                self.is_half = (0xD800..0xDC00).contains(&unit);
            }
        }
    }

    const fn letters(&self) -> usize {
        self.ascii + self.others + self.others * 2 / 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::text;

    fn tokens(json: &str) -> u32 {
        tokens_of(text(json.as_bytes()).map_or(0, measure))
    }

    /// Sentences and what the tokenizers of 2026 make of them, at the least.
    #[test]
    fn no_language_counts_more_tokens_than_it_has() {
        for (sentence, least) in [
            (
                "Hello, my name is GPT-4o. I'm a new type of language model, it's nice to meet you!",
                24,
            ),
            (
                "Привет, меня зовут GPT-4o. Я — новая языковая модель, приятно познакомиться!",
                23,
            ),
            (
                "नमस्ते, मेरा नाम जीपीटी-4o है। मैं एक नए प्रकार का भाषा मॉडल हूँ। आपसे मिलकर अच्छा लगा!",
                31,
            ),
            ("你好，我的名字是GPT-4o。我是一种新型的语言模型，很高兴见到你!", 24),
            ("مرحبًا، اسمي جي بي تي-4o. أنا نوع جديد من نموذج اللغة، سررت بلقائك!", 26),
        ] {
            let counted = estimate_tokens(sentence.as_bytes());
            assert!(counted <= least, "{sentence}: {counted}");
            assert!(counted * 3 >= least, "{sentence}: {counted} of {least}");
        }
    }

    #[test]
    fn a_letter_counts_the_same_however_it_is_written() {
        let plain = "п".repeat(300);
        let escaped = r"\u043f".repeat(300);
        assert_eq!(tokens(&format!("\"{plain}\"")), 100);
        assert_eq!(tokens(&format!("\"{escaped}\"")), 100);
        // A pair is one letter; the half of one is something.
        assert_eq!(tokens(&format!("\"{}\"", r"\ud83d\ude00".repeat(30))), 10);
        assert_eq!(text(br#""\ude00""#).map(measure), Some(1));
        assert_eq!(tokens(&format!("\"{}\"", r"\n\u003c\\".repeat(50))), 30);
    }

    #[test]
    fn a_text_without_escapes_counts_the_same_either_way() {
        let long = ["a  bcé ".repeat(200), " ".repeat(1_000)];
        let short = ["", " ", "  a  b ", "Привет,  мир", "a\u{1F600}  \u{1F600} ", "\n \n  x"];
        for text in short.into_iter().chain(long.iter().map(String::as_str)) {
            assert_eq!(measure_plain(text.as_bytes()), measure_json(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn spaces_in_a_row_are_one() {
        let code = format!("{}return{}x", " ".repeat(40), " ".repeat(40));
        assert_eq!(estimate_tokens(code.as_bytes()), 1);
        assert_eq!(text(b"\"\"").map(measure), Some(0));
    }
}

//! Words.

const SKY: &[&str] = &[
    "The sky is blue because air scatters short waves of light far more than long ones.",
    "Sunlight looks white, yet it is a mixture of every colour from red to violet.",
    "As it enters the atmosphere it meets molecules of nitrogen and oxygen, which are much smaller than its waves.",
    "Such small particles scatter light in proportion to the inverse fourth power of its wavelength, a law found by Lord \
     Rayleigh.",
    "Blue light, at about 450 nanometres, is therefore scattered more than four times as strongly as red light at 650.",
    "What is scattered reaches our eyes from every direction, and so the whole dome appears blue.",
    "Violet is scattered more strongly still, but the sun sends less of it and our eyes see it less well.",
    "At sunset the light crosses far more air, most of the blue is lost on the way, and what is left is orange and red.",
];

const TIDES: &[&str] = &[
    "Tides come from the difference in the pull of the moon across the Earth.",
    "The water nearest to the moon is drawn a little more than the Earth itself, and the water behind it a little less.",
    "So the sea bulges on both sides, and the Earth turns beneath the two bulges once a day.",
    "Most coasts therefore have two high waters and two low ones in a little under twenty-five hours.",
    "The sun does the same at about half the strength.",
    "At new and full moon both pull along one line and give spring tides; at the quarters they work against each other \
     and give neaps.",
    "If a bay resonates with that rhythm, the range can pass ten metres.",
];

const BREAD: &[&str] = &[
    "Bread rises because yeast turns sugar into carbon dioxide and a little alcohol.",
    "Flour and water form gluten, an elastic net that holds the gas in small bubbles.",
    "Kneading lines up the strands of that net and makes it strong.",
    "A slow, cool rise gives the enzymes time to free sugars from the starch, and flavour with them.",
    "In the oven the bubbles expand once more, the starch sets, and the crust browns.",
    "A loaf sounds hollow when tapped, for most of it is air.",
];

const FILLER: &[&str] = &[
    "light", "passes", "through", "the", "quiet", "air", "and", "each", "small", "particle", "sends", "a", "part",
    "of", "it", "aside", "so", "that", "blue", "fills", "our", "view",
];

/// A readable paragraph: about the sky if the question mentions it, otherwise by seed and question.
pub(super) fn paragraph(question: &str, seed: u64) -> String {
    let hash = question.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut dice = fastrand::Rng::with_seed(hash);
    let asked = question.to_lowercase();
    let topic = match () {
        () if asked.contains("sky") || asked.contains("blue") => SKY,
        () if asked.contains("tide") => TIDES,
        () if asked.contains("bread") => BREAD,
        () => dice.choice([SKY, TIDES, BREAD]).unwrap_or(SKY),
    };
    let sentences = dice.usize(5..=topic.len());
    topic.iter().take(sentences).copied().collect::<Vec<_>>().join(" ")
}

/// A text of exactly so many words.
pub(super) fn of_words(count: usize) -> String {
    let words: Vec<&str> = FILLER.iter().copied().cycle().take(count).collect();
    words.join(" ")
}

/// The last sentence of a text, whole or begun.
pub(super) fn last_sentence(text: &str) -> &str {
    let body = text.trim_end_matches(['.', '!', '?']);
    let from = body.rfind(['.', '!', '?']).map_or(0, |at| at + 1);
    text.get(from..).unwrap_or(text).trim_start()
}

/// Reasoning of exactly so many words.
pub(super) fn thinking(count: usize) -> String {
    const THOUGHT: &str =
        "Let me think about what is asked here and weigh the parts of it one by one before I answer. "; // words-ok: sample text
    let words: Vec<&str> = THOUGHT.split_whitespace().cycle().take(count).collect();
    words.join(" ")
}

/// The words of a text, each with the space before it, so that they join to the text again.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in text.chars() {
        let space = c.is_whitespace();
        match out.last_mut() {
            Some(last) if !(space && in_word) => last.push(c),
            _ => out.push(c.to_string()),
        }
        in_word = !space;
    }
    out
}

/// A text in parts of so many characters.
pub(super) fn chop(text: &str, size: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    all.chunks(size.max(1)).map(|part| part.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_join_to_the_text_again() {
        for text in ["", " ", "a", " a  b\n c ", "one two", "Grüße aus Zürich"] {
            assert_eq!(words(text).concat(), text);
        }
        assert_eq!(words("one two  three"), ["one", " two", "  three"]);
        assert_eq!(words(&of_words(50)).len(), 50);
        assert_eq!(words(&thinking(7)).len(), 7);
    }

    #[test]
    fn one_question_one_paragraph() {
        assert_eq!(
            paragraph("Why is the sky blue?", 1),
            paragraph("Why is the sky blue?", 1)
        );
        assert!(paragraph("Why is the sky blue?", 1).contains("Rayleigh"));
        let many: std::collections::BTreeSet<String> = (0..20).map(|n| paragraph(&n.to_string(), 1)).collect();
        assert!(many.len() > 3);
    }
}

//! What a character is, whatever form a model writes it in: its case, its accents, its typography.

/// The letters of Latin, Greek and Cyrillic that are written as one character or as a letter and its accents, in lower case, by the letter.
const ACCENTED: [(char, &str); 47] = [
    ('a', "àáâãäåāăąǎǟǡǻȁȃȧḁạảấầẩẫậắằẳẵặ"),
    ('b', "ḃḅḇ"),
    ('c', "çćĉċčḉ"),
    ('d', "ďḋḍḏḑḓ"),
    ('e', "èéêëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệ"),
    ('f', "ḟ"),
    ('g', "ĝğġģǧǵḡ"),
    ('h', "ĥȟḣḥḧḩḫẖ"),
    ('i', "ìíîïĩīĭįǐȉȋḭḯỉị"),
    ('j', "ĵǰ"),
    ('k', "ķǩḱḳḵ"),
    ('l', "ĺļľḷḹḻḽ"),
    ('m', "ḿṁṃ"),
    ('n', "ñńņňǹṅṇṉṋ"),
    ('o', "òóôõöōŏőơǒǫǭȍȏȫȭȯȱṍṏṑṓọỏốồổỗộớờởỡợ"),
    ('p', "ṕṗ"),
    ('r', "ŕŗřȑȓṙṛṝṟ"),
    ('s', "śŝşšșṡṣṥṧṩ"),
    ('t', "ţťțṫṭṯṱẗ"),
    ('u', "ùúûüũūŭůűųưǔǖǘǚǜȕȗṳṵṷṹṻụủứừửữự"),
    ('v', "ṽṿ"),
    ('w', "ŵẁẃẅẇẉẘ"),
    ('x', "ẋẍ"),
    ('y', "ýÿŷȳẏẙỳỵỷỹ"),
    ('z', "źżžẑẓẕ"),
    ('æ', "ǣǽ"),
    ('ø', "ǿ"),
    ('α', "ά"),
    ('ε', "έ"),
    ('η', "ή"),
    ('ι', "ΐίϊ"),
    ('ο', "ό"),
    ('υ', "ΰϋύ"),
    ('ω', "ώ"),
    ('а', "ӑӓ"),
    ('г', "ѓ"),
    ('е', "ѐёӗ"),
    ('ж', "ӂӝ"),
    ('з', "ӟ"),
    ('и', "йѝӣӥ"),
    ('к', "ќ"),
    ('о', "ӧ"),
    ('у', "ўӯӱӳ"),
    ('ч', "ӵ"),
    ('ы', "ӹ"),
    ('э', "ӭ"),
    ('і', "ї"),
];

/// The white space that a hyphen is folded to: unlike any other, it ends no word.
pub(super) const HYPHEN: char = '\u{85}';

/// Hands on what a character is in every form: a letter without its case and its accents, a blank for a dash, [`HYPHEN`] for a hyphen, and nothing for a
/// quote or an apostrophe, which has many forms, or is left out.
pub(super) fn fold(sign: char, mut text: impl FnMut(char)) {
    match sign {
        '\'' | '"' | '´' | '‘' | '’' | '‚' | '‛' | '“' | '”' | '„' | '‟' | '′' | '″' | 'ʼ' | '«' | '»' | '‹' | '›'
        | '「' | '」' | '『' | '』' => {}
        _ if is_accent(sign) || is_unseen(sign) => {}
        // Many write it for a dash, but `state-of-the-art` is one word.
        '-' | '‐' | '\u{2011}' => text(HYPHEN),
        '\u{2012}'..='―' | '−' => text(' '),
        '…' => (0..3).for_each(|_| text('.')),
        // The wide forms of ASCII.
        '！'..='～' => fold(narrow(sign), text),
        _ if sign.is_ascii() => text(sign.to_ascii_lowercase()),
        _ => text(without_accent(sign.to_lowercase().next().unwrap_or(sign))),
    }
}

/// Whether it is an accent of the letter before it.
const fn is_accent(sign: char) -> bool {
    matches!(sign, '\u{300}'..='\u{36f}')
}

/// Whether it only says where a line may break, or how its neighbour is drawn.
const fn is_unseen(sign: char) -> bool {
    matches!(sign, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

/// The character of ASCII with this wide form.
fn narrow(wide: char) -> char {
    let ascii = u32::from(wide).checked_sub(0xfee0).and_then(char::from_u32);
    ascii.filter(char::is_ascii).unwrap_or(' ')
}

/// The letter without its accents.
fn without_accent(letter: char) -> char {
    let row = ACCENTED.iter().find(|(_, accented)| accented.contains(letter));
    row.map_or(letter, |(plain, _)| *plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut out = String::new();
        text.chars().for_each(|sign| fold(sign, |sign| out.push(sign)));
        out.replace(HYPHEN, " ")
    }

    #[test]
    fn forms_of_the_same_text_are_one() {
        for (forms, text) in [
            (
                vec!["It’s “Blue”", "IT'S \"BLUE\"", "its blue", "itʼs «blue»"],
                "its blue",
            ),
            (
                vec!["blue—since air", "blue-since air", "Blue–since Air"],
                "blue since air",
            ),
            (vec!["Él está", "E\u{301}l esta\u{301}", "el esta"], "el esta"),
            (vec!["wait…", "wait...", "WA\u{ad}IT…"], "wait..."),
            (vec!["Ёлка", "Е\u{308}лка", "елка"], "елка"),
            (vec!["ａ＂！", "a!"], "a!"),
            (vec!["天空"], "天空"),
        ] {
            for form in forms {
                assert_eq!(folded(form), text, "{form}");
            }
        }
    }
}

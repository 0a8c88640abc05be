//! What an upstream said in the place of an answer, for the message of an error.

/// How much of it is shown, in bytes.
const TOLD: usize = 200;

/// The first words of a text that is no answer: on one line, and of an HTML page its title.
#[must_use]
pub fn summary(text: &[u8]) -> String {
    let start = text.get(..TOLD * 16).unwrap_or(text);
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}').trim();
    let words = if is_markup(text.as_bytes()) {
        title(text).unwrap_or_default()
    } else {
        text
    };
    let mut told = String::new();
    for word in words.split(|mark: char| mark.is_whitespace() || mark.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !told.is_empty() {
            told.push(' ');
        }
        told.push_str(word);
        if told.len() > TOLD {
            let cut = (0..=TOLD).rev().find(|at| told.is_char_boundary(*at)).unwrap_or(0);
            told.truncate(cut);
            told.push('…');
            break;
        }
    }
    told
}

/// Whether a text is an HTML page, or XML.
#[must_use]
pub fn is_markup(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"<")
}

fn title(page: &str) -> Option<&str> {
    let lower = page.to_ascii_lowercase();
    let of = |open: &str, close: &str| {
        let from = lower.find(open)?;
        let from = from + lower.get(from..)?.find('>')? + 1;
        let length = lower.get(from..)?.find(close)?;
        let text = page.get(from..from + length)?.trim();
        (!text.is_empty()).then_some(text)
    };
    of("<title", "</title")
        .or_else(|| of("<h1", "</h1"))
        .or_else(|| of("<message", "</message"))
}

/// The lines of data in a text that is written as events, joined; `None` if it is not.
#[must_use]
pub fn event_data(text: &[u8]) -> Option<Vec<u8>> {
    let start = text.trim_ascii_start();
    if !start.starts_with(b"data:") && !start.starts_with(b"event:") && !start.starts_with(b":") {
        return None;
    }
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    let mut data = lines
        .filter_map(|line| line.strip_prefix(b"data:"))
        .map(<[u8]>::trim_ascii);
    data.find(|line| !line.is_empty()).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_titles_and_first_words() {
        for (text, words) in [
            ("upstream\n connect  error", "upstream connect error"),
            ("<html><head><TITLE>Just a moment...</TITLE></head>", "Just a moment..."),
            ("<html><h1 class=\"x\">502 Bad Gateway</h1>", "502 Bad Gateway"),
            (
                "<?xml?><Error><Code>X</Code><Message>Slow down</Message></Error>",
                "Slow down",
            ),
            ("<html>", ""),
            ("", ""),
            ("\u{feff}no", "no"),
        ] {
            assert_eq!(summary(text.as_bytes()), words, "{text}");
        }
        let long = summary("é".repeat(500).as_bytes());
        assert!(long.len() <= TOLD + 3 && long.ends_with('…'), "{long}");
        assert_eq!(
            event_data(b"event: error\ndata: {\"a\":1}\n\n").as_deref(),
            Some(&b"{\"a\":1}"[..])
        );
        assert_eq!(event_data(b"{\"data\":1}"), None);
    }
}

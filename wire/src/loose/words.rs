//! What an upstream said in the place of an answer, for the message of an error.

/// How much of it is shown, in bytes.
const TOLD: usize = 200;
/// How much of a page is read for it, in bytes: styles and scripts may stand before the words.
const PAGE: usize = TOLD * 80;

/// The first words of a text that is no answer: on one line, and of an HTML page its title, and its text if the title only names a status.
#[must_use]
pub fn summary(text: &[u8]) -> String {
    let most = if is_markup(text) { PAGE } else { TOLD * 16 };
    let start = text.get(..most).unwrap_or(text);
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}').trim();
    if is_markup(text.as_bytes()) {
        first_words(&words_of_page(text))
    } else {
        first_words(text)
    }
}

/// The title of a page; its text behind that if the title is missing or only names a status.
fn words_of_page(page: &str) -> String {
    let title = one_line(&unescaped(title(page).unwrap_or_default()));
    if says_more_than_a_status(&title) {
        return title;
    }
    let text = one_line(&unescaped(&shown(page)));
    // The heading is the title once more.
    let mut rest = text.as_str();
    while let Some(behind) = rest.strip_prefix(title.as_str()).filter(|_| !title.is_empty()) {
        rest = behind.trim_start();
    }
    match (title.is_empty(), rest.is_empty()) {
        (true, _) => rest.to_owned(),
        (_, true) => title,
        _ => format!("{title}: {rest}"),
    }
}

/// Whether a title says more than a status does: "502 Bad Gateway", "Error" and "HTTP Status 400 – Bad Request" do not.
fn says_more_than_a_status(title: &str) -> bool {
    const OF_A_STATUS: &str = "\
        a|an|and|bad|client|denied|access|error|exception|fault|forbidden|found|gateway|http|https|internal|is|large|many|\
        message|method|allowed|not|oops|out|entity|payload|request|requests|server|service|status|temporarily|time|timeout|\
        too|unauthorized|unavailable|required";
    let mut words = title
        .split(|mark: char| !mark.is_alphanumeric())
        .filter(|word| !word.is_empty() && !word.bytes().all(|byte| byte.is_ascii_digit()));
    words.any(|word| !OF_A_STATUS.split('|').any(|known| known.eq_ignore_ascii_case(word)))
}

/// A text with one blank for each run of blanks and control characters.
fn one_line(text: &str) -> String {
    let words = text.split(|mark: char| mark.is_whitespace() || mark.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// The first [`TOLD`] bytes of a text on one line.
fn first_words(text: &str) -> String {
    let mut told = one_line(text);
    if told.len() > TOLD {
        let cut = (0..=TOLD).rev().find(|at| told.is_char_boundary(*at)).unwrap_or(0);
        told.truncate(cut);
        told.push('…');
    }
    told
}

/// The text of a page without its tags, its title and what no browser shows.
fn shown(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        rest = behind_tag(tag);
    }
    text.push_str(rest);
    text.replace("]]>", " ")
}

/// What follows a tag, which begins behind its `<`: a comment, a style or a script is left out as a whole.
fn behind_tag(tag: &str) -> &str {
    const HIDDEN: [&str; 4] = ["title", "style", "script", "svg"];
    let behind = |end: &str| tag.split_once(end).map_or("", |(_, behind)| behind);
    if tag.starts_with("!--") {
        return behind("-->");
    }
    if let Some(text) = tag.strip_prefix("![CDATA[") {
        return text;
    }
    let end_of_name = tag.find(|mark: char| !mark.is_ascii_alphanumeric());
    let name = tag.get(..end_of_name.unwrap_or(tag.len())).unwrap_or_default();
    if !HIDDEN.iter().any(|hidden| hidden.eq_ignore_ascii_case(name)) {
        return behind(">");
    }
    let is_closing = |at: &usize| {
        let closing = tag.get(at + 2..at + 2 + name.len());
        closing.is_some_and(|closing| closing.eq_ignore_ascii_case(name))
    };
    let closing = tag.match_indices("</").map(|(at, _)| at).find(is_closing);
    closing.and_then(|at| tag.get(at..)).unwrap_or_default()
}

/// A text with its character references read: those of marks and those by number.
fn unescaped(text: &str) -> String {
    const LONGEST: usize = 8;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        out.push_str(before);
        let end = reference.bytes().take(LONGEST).position(|byte| byte == b';');
        let read = end.and_then(|end| Some((reference.get(..end)?, reference.get(end + 1..)?)));
        match read.and_then(|(name, behind)| Some((mark(name)?, behind))) {
            Some((mark, behind)) => {
                out.push(mark);
                rest = behind;
            }
            None => {
                out.push('&');
                rest = reference;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The mark that a character reference stands for.
fn mark(name: &str) -> Option<char> {
    let by_number = || {
        let number = name.strip_prefix('#')?;
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
            None => number.parse(),
        };
        char::from_u32(code.ok()?)
    };
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "rsquo" => '’',
        _ => return by_number(),
    })
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
        .or_else(|| of("<faultstring", "</faultstring"))
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
    fn a_page_without_a_telling_title_is_reported_by_its_text() {
        for (page, words) in [
            (
                "<!DOCTYPE html><html><body><h2>Our services aren't available right now</h2><p>We&#39;re working &amp; testing.</p></body></html>",
                "Our services aren't available right now We're working & testing.",
            ),
            (
                "<html><body><p>The upstream pool has no member that is alive</p></body></html>",
                "The upstream pool has no member that is alive",
            ),
            (
                r#"<html><head></head><body><pre style="word-wrap: break-word">{"error":{"message":"Too many requests, limit 5"}}</pre></body></html>"#,
                r#"{"error":{"message":"Too many requests, limit 5"}}"#,
            ),
            (
                r#"<?xml version="1.0"?><soap:Envelope xmlns:soap="x"><soap:Body><soap:Fault><faultcode>Server</faultcode><faultstring>Policy Falsified</faultstring></soap:Fault></soap:Body></soap:Envelope>"#,
                "Policy Falsified",
            ),
            (
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n<pre>Cannot POST /v1/chat/completions</pre>\n</body>\n</html>\n",
                "Error: Cannot POST /v1/chat/completions",
            ),
            (
                "<html><head><title>HTTP Status 400 &#8211; Bad Request</title><STYLE>h1 {color:red}</STYLE></head><body><h1>HTTP Status 400 – Bad Request</h1><p><b>Message</b> Request header is too large</p></body></html>",
                "HTTP Status 400 – Bad Request: Message Request header is too large",
            ),
            (
                "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body></html>",
                "502 Bad Gateway: nginx",
            ),
            (
                "<html><title>503</title><script>if (a < b) { x() }</script><!-- <p>not this</p> --><p>No capacity</p><svg><text>logo</text></svg>",
                "503: No capacity",
            ),
            ("<r><a><![CDATA[Quota exceeded]]></a></r>", "Quota exceeded"),
            (
                "<html><title>403 Forbidden</title><p>&bogus; &#xZZ; &",
                "403 Forbidden: &bogus; &#xZZ; &",
            ),
            ("<html><script>x()", ""),
            ("<p", ""),
        ] {
            assert_eq!(summary(page.as_bytes()), words, "{page}");
        }
        // A title that says something is enough.
        let telling = "<html><title>openrouter.ai | 502: Bad gateway</title><p>Ray ID: 1</p>";
        assert_eq!(summary(telling.as_bytes()), "openrouter.ai | 502: Bad gateway");
        let styled = format!("<html><style>{}</style><p>No capacity</p>", "a{b:c}".repeat(1_000));
        assert_eq!(summary(styled.as_bytes()), "No capacity");
    }

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

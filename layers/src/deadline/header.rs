//! The header in which a caller says how much time is left.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Request};

use crate::LayerError;

/// Longest time that a header may set; a larger number is a mistake.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The shortest time that a layer's own limit and the caller's header leave.
pub(super) fn limit<R>(
    total: Option<Duration>,
    header: Option<&HeaderName>,
    request: &Request<R>,
) -> Result<Option<Duration>, LayerError> {
    let Some((name, value)) = header.and_then(|name| Some((name, request.headers().get(name)?))) else {
        return Ok(total);
    };
    let asked = parse(value).ok_or_else(|| LayerError::BadDeadline {
        header: name.to_string(),
    })?;
    Ok(Some(total.map_or(asked, |total| total.min(asked))))
}

/// Reads the time left: `30000`, `30000ms`, `30s`, `1.5s`.
pub(super) fn parse(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => text.strip_suffix('s').map_or((text, 0.001), |number| (number, 1.0)),
    };
    let number = number.trim();
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let seconds = number.parse::<f64>().ok()? * unit;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|left| *left <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_form_and_refuses_the_rest() {
        let read = |text: &str| parse(&HeaderValue::from_str(text).unwrap());
        assert_eq!(read("30000"), Some(Duration::from_secs(30)));
        assert_eq!(read(" 250ms "), Some(Duration::from_millis(250)));
        assert_eq!(read("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(read("0"), Some(Duration::ZERO));
        for bad in [
            "",
            "soon",
            "-1",
            "1e9s",
            "NaN",
            "inf",
            "99999999999999999999",
            "1h",
            "s",
            ".",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

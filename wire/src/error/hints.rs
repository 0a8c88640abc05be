//! What can be read from the words of an error, in addition to its fields.

use std::time::Duration;

use serde_json::Value;

/// A number of seconds as a span of time; `None` if it is negative, not a number, or overflows.
pub(super) fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// Google's `details`: `{"@type": "…RetryInfo", "retryDelay": "34s"}`, in seconds.
pub(super) fn retry_delay(error: &Value) -> Option<f64> {
    let details = error.get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay"))?;
    match delay {
        Value::String(text) => text.trim().strip_suffix('s')?.trim().parse().ok(),
        Value::Object(parts) => parts.get("seconds")?.as_f64(),
        other => other.as_f64(),
    }
}

/// The wait that words ask for, in seconds: "Please try again in 7.66s", "Try again in 26 seconds", "Your quota will reset after 8h44m7s",
/// "请在 30 秒后重试".
pub(super) fn reported_wait(message: &str) -> Option<f64> {
    const BEFORE: [&str; 12] = [
        "try again in",
        "retry in",
        "retry after",
        "try again after",
        "wait",
        "wait for",
        "replenished in",
        "available in",
        "reset after",
        "reset in",
        "resets after",
        "resets in",
    ];
    let start = start_of(message);
    let behind = |before: &&str| {
        let mut found = start.match_indices(*before);
        found.find_map(|(at, before)| {
            let behind = start.get(at + before.len()..)?.strip_prefix([' ', ':'])?;
            // Behind "after" it is a time of day.
            let clock = before.ends_with("in").then(|| hours_minutes_seconds(behind));
            clock.flatten().or_else(|| amount(behind))
        })
    };
    BEFORE.iter().find_map(behind).or_else(|| chinese_wait(&start))
}

/// The words that may hold a time: later ones are another matter.
fn start_of(message: &str) -> String {
    let start = message.get(..message.len().min(1024)).unwrap_or(message);
    start.to_ascii_lowercase()
}

/// The date at which words say that a limit resets, as RFC 3339 has it: "Your limit will reset at 2026-09-09 03:30:06", "将在 2026-08-25 07:41:44 重置".
///
/// One without a zone is that of China, where the servers are that write it so. Of the zones that may be meant it is an early one: a wait that
/// ends too soon costs an attempt, and one that ends too late costs hours.
pub(super) fn reported_reset(message: &str) -> Option<String> {
    const BEFORE: [&str; 6] = [
        "reset at ",
        "resets at ",
        "reset on ",
        "resets on ",
        "try again at ",
        "try again after ",
    ];
    let start = start_of(message);
    start.match_indices("20").find_map(|(at, _)| {
        let (before, behind) = start.split_at_checked(at)?;
        let (date, behind) = behind.split_at_checked(19).filter(|(date, _)| is_date(date))?;
        let is_reset = BEFORE.iter().any(|words| before.ends_with(words)) || behind.trim_start().starts_with("重置");
        is_reset.then(|| format!("{date}{}", zone(behind)))
    })
}

/// `2026-09-09 03:30:06`, also with a `t`.
fn is_date(text: &str) -> bool {
    let mut signs = text.bytes().zip(*b"0000-00-00t00:00:00");
    signs.all(|(sign, form)| match form {
        b'0' => sign.is_ascii_digit(),
        b't' => sign == b't' || sign == b' ',
        form => sign == form,
    })
}

/// The zone behind a date, as RFC 3339 has it: `Z`, or hours and minutes.
fn zone(behind: &str) -> String {
    let is_digit = |mark: char| mark.is_ascii_digit();
    let fraction = behind
        .strip_prefix('.')
        .map(|fraction| fraction.trim_start_matches(is_digit));
    let behind = fraction.unwrap_or(behind).trim_start();
    let behind = behind.strip_prefix('(').unwrap_or(behind);
    match ["z", "utc", "gmt"].iter().find_map(|word| behind.strip_prefix(word)) {
        Some(behind) => offset(behind).unwrap_or_else(|| "Z".to_owned()),
        None => offset(behind).unwrap_or_else(|| "+08:00".to_owned()),
    }
}

/// `+08:00` at the start of a text, also as `+0800` and `+8`.
fn offset(text: &str) -> Option<String> {
    let sign = text.chars().next().filter(|sign| matches!(sign, '+' | '-'))?;
    let is_digit = |mark: char| mark.is_ascii_digit();
    let rest = text.get(1..)?;
    let end = rest.find(|mark: char| !is_digit(mark)).unwrap_or(rest.len());
    let (digits, behind) = rest.split_at_checked(end)?;
    let (hours, minutes) = match digits.len() {
        1 | 2 => {
            let minutes = behind.strip_prefix(':').and_then(|behind| behind.get(..2));
            (
                digits,
                minutes.filter(|minutes| minutes.chars().all(is_digit)).unwrap_or("00"),
            )
        }
        4 => digits.split_at_checked(2)?,
        _ => return None,
    };
    Some(format!("{sign}{hours:0>2}:{minutes}"))
}

/// `02:13:45` at the start of a text.
fn hours_minutes_seconds(text: &str) -> Option<f64> {
    let end = text.find(|mark: char| !mark.is_ascii_digit() && mark != ':');
    let mut parts = text.get(..end.unwrap_or(text.len()))?.split(':');
    let mut next = |most: u32| parts.next()?.parse::<u32>().ok().filter(|part| *part <= most);
    let (hours, minutes, seconds) = (next(9_999)?, next(59)?, next(59)?);
    parts
        .next()
        .is_none()
        .then(|| f64::from(hours * 3_600 + minutes * 60 + seconds))
}

/// The wait in "30 秒后重试", in seconds: the amount stands before the word for "after".
fn chinese_wait(text: &str) -> Option<f64> {
    const AFTER: char = '后';
    const AGAIN: [&str; 6] = ["重试", "再", "请重试", "请再", "重新", "尝试"];
    text.match_indices(AFTER).find_map(|(at, after)| {
        let behind = text.get(at + after.len()..)?.trim_start();
        if !AGAIN.iter().any(|again| behind.starts_with(again)) {
            return None;
        }
        let before = text.get(..at)?.trim_end_matches(['之', '以']);
        let is_of_amount =
            |mark: char| mark.is_ascii_digit() || mark.is_whitespace() || "毫秒分钟小时天.".contains(mark);
        amount(before.get(before.trim_end_matches(is_of_amount).len()..)?)
    })
}

/// An amount of time at the start of a text, in seconds: `7.66s`, `1m30s`, `1 hour and 2 minutes`, `30 秒`.
pub(super) fn amount(text: &str) -> Option<f64> {
    let mut rest = behind_filler(text);
    let mut total = None;
    loop {
        let digits = rest
            .find(|mark: char| !mark.is_ascii_digit() && mark != '.')
            .unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let Ok(number) = number.trim_end_matches('.').parse::<f64>() else {
            break;
        };
        let Some((seconds, behind)) = unit(behind.trim_start()) else {
            break;
        };
        total = Some(total.unwrap_or(0.0) + number * seconds);
        rest = behind.trim_start_matches([' ', ',']).trim_start_matches("and ");
    }
    total
}

/// What follows the marks and words that may stand before an amount: "about 30 seconds", ": ~30s".
fn behind_filler(text: &str) -> &str {
    const WORDS: [&str; 7] = [
        "about ",
        "around ",
        "approximately ",
        "approx. ",
        "roughly ",
        "another ",
        "at least ",
    ];
    let is_mark = |mark: char| mark.is_whitespace() || matches!(mark, '~' | '"' | '\'' | '`' | ':');
    let mut rest = text.trim_start_matches(is_mark);
    while let Some(behind) = WORDS.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = behind.trim_start_matches(is_mark);
    }
    rest
}

/// How many seconds a unit of time has, in small letters: `ms`, `second`, `mins`, `hours`.
#[must_use]
pub fn seconds_of_unit(word: &str) -> Option<f64> {
    Some(match word {
        "ms" | "milliseconds" | "millisecond" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

/// How many seconds the unit at the start of a text has, and what follows it.
fn unit(text: &str) -> Option<(f64, &str)> {
    const CHINESE: [(&str, f64); 6] = [
        ("毫秒", 0.001),
        ("秒", 1.0),
        ("分钟", 60.0),
        ("分", 60.0),
        ("小时", 3600.0),
        ("天", 86_400.0),
    ];
    let end = text
        .find(|mark: char| !mark.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (word, behind) = text.split_at(end);
    let chinese = || {
        let mut units = CHINESE.iter();
        units.find_map(|(unit, seconds)| Some((*seconds, text.strip_prefix(unit)?)))
    };
    seconds_of_unit(word).map(|seconds| (seconds, behind)).or_else(chinese)
}

/// The number in "can only afford 1480": how many tokens the balance would pay for. Thousands may be set off with commas.
#[must_use]
pub fn affordable_tokens(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("can only afford ")?;
    let digits: String = rest
        .chars()
        .take_while(|mark| mark.is_ascii_digit() || *mark == ',')
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// At most `limit` bytes of a text, cut between two characters.
pub(super) fn truncate(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let cut = (0..=limit)
            .rev()
            .find(|index| text.is_char_boundary(*index))
            .unwrap_or(0);
        text.truncate(cut);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_until_a_reset_is_read_like_one_before_a_retry() {
        for (message, seconds) in [
            (
                "You have exhausted your capacity on this model. Your quota will reset after 8h44m7s.",
                Some(31_447.0),
            ),
            ("The limit resets in 2 minutes", Some(120.0)),
            ("try again in a while: the limit resets in 5s", Some(5.0)),
            ("请求过于频繁，请在 30 秒后重试", Some(30.0)),
            ("请1分钟30秒之后再试", Some(90.0)),
            ("请稍后重试", None),
            ("内容超长，请缩短后重试", None),
            ("30 秒后失败", None),
            ("the plan resets in May", None),
            // Words and marks before the amount.
            ("Try again in about 30 seconds.", Some(30.0)),
            ("Please try again in approximately ~45 seconds", Some(45.0)),
            ("Please wait another 2 minutes", Some(120.0)),
            ("Rate limit exceeded. Retry after: 30 seconds", Some(30.0)),
            ("Retry into 30 seconds", None),
            ("awaiting 30 seconds", None),
            ("try again in about a minute", None),
        ] {
            assert_eq!(reported_wait(message), seconds, "{message}");
        }
    }

    #[test]
    fn a_date_of_a_reset_is_read_in_words() {
        for (message, date) in [
            (
                "Usage limit reached for 5 hour. Your limit will reset at 2026-09-09 03:30:06",
                Some("2026-09-09 03:30:06+08:00"),
            ),
            (
                "已达到 5 小时的使用上限。您的限额将在 2026-08-25 07:41:44 重置。",
                Some("2026-08-25 07:41:44+08:00"),
            ),
            (
                "[1316][Resets at 2026-08-07T05:00:00.250Z][2026]",
                Some("2026-08-07t05:00:00Z"),
            ),
            (
                "Your plan resets on 2026-08-07 05:00:00 UTC.",
                Some("2026-08-07 05:00:00Z"),
            ),
            (
                "try again at 2026-08-07T05:00:00-02:30",
                Some("2026-08-07t05:00:00-02:30"),
            ),
            (
                "resets at 2026-08-07 05:00:00 +0000 UTC",
                Some("2026-08-07 05:00:00+00:00"),
            ),
            (
                "resets at 2026-08-07T05:00:00.5-0700.",
                Some("2026-08-07t05:00:00-07:00"),
            ),
            ("resets at 2026-08-07 05:00:00 (UTC)", Some("2026-08-07 05:00:00Z")),
            (
                "resets at 2026-08-07 05:00:00 (UTC+8)",
                Some("2026-08-07 05:00:00+08:00"),
            ),
            (
                "resets at 2026-08-07 05:00:00 - 3 left",
                Some("2026-08-07 05:00:00+08:00"),
            ),
            ("the model of 2026-08-07 05:00:00 is gone", None),
            ("resets at 2026-08-07", None),
            ("resets at 20重置重置重置重置重置重置", None),
        ] {
            assert_eq!(reported_reset(message).as_deref(), date, "{message}");
        }
    }
}

//! Whether what looks like an error tells of one.

use serde_json::Value;

/// Fields in which an error says what it is, under the names of many servers.
pub(super) const MESSAGES: [&str; 20] = [
    "message",
    "msg",
    "Message",
    "error_message",
    "errorMessage",
    "error_msg",
    "errmsg",
    "err_msg",
    "status_msg",
    "statusMessage",
    "retmsg",
    "Msg",
    "faultstring",
    "error_description",
    "description",
    "detail",
    "title",
    "reason",
    "text",
    "details",
];
/// Fields in which it says so in a word or a number.
pub(super) const CODES: [&str; 14] = [
    "code",
    "Code",
    "error_code",
    "errorCode",
    "status_code",
    "statusCode",
    "http_code",
    "errno",
    "retcode",
    "ret",
    "status",
    "type",
    "__type",
    "error_type",
];

/// Whether a value that stands where an error would tells of a failure: nothing that is blank or says success does.
#[must_use]
pub fn means_failure(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => {
            !matches!(number.as_f64(), Some(code) if code.abs() < 0.5 || (code - 200.0).abs() < 0.5)
        }
        Value::String(text) => !is_success(text),
        Value::Array(items) => items.iter().any(means_failure),
        Value::Object(object) => {
            let told: Vec<&Value> = MESSAGES
                .iter()
                .chain(&CODES)
                .filter_map(|name| object.get(*name))
                .collect();
            if told.is_empty() {
                object.values().any(means_failure)
            } else if MESSAGES
                .iter()
                .filter_map(|name| object.get(*name)?.as_str())
                .any(is_success_text)
            {
                // Its words say that all is well, whatever its code.
                object.get("error").is_some_and(means_failure)
            } else {
                // A nested error is one, however blank what is around it.
                told.into_iter().chain(object.get("error")).any(means_failure)
            }
        }
    }
}

/// A word that says that all is well.
fn is_success_text(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    is_success(&text) && ["success", "succeed", "成功"].iter().any(|word| text.contains(word))
}

/// Whether a member of this name holds an error.
pub(super) fn names_error(name: &str) -> bool {
    if MESSAGES.contains(&name) || CODES.contains(&name) {
        return false;
    }
    let name = name.to_ascii_lowercase();
    let telling = ["error", "exception", "fault", "failure"];
    name == "err"
        || telling
            .iter()
            .any(|word| name.contains(word) && !name.contains("default"))
}

/// Nothing, or a word that says that all is well.
pub(super) fn is_success(text: &str) -> bool {
    const WELL: [&str; 19] = [
        "",
        "success",
        "successful",
        "succeeded",
        "ok",
        "none",
        "null",
        "nil",
        "no error",
        "no_error",
        "noerror",
        "0",
        "200",
        "false",
        "normal",
        "completed",
        "成功",
        "请求成功",
        "操作成功",
    ];
    let text = text.trim().trim_end_matches(['.', '!']);
    WELL.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether words that stand in the place of an answer read like those of an error, and not like a sign of life.
#[must_use]
pub fn is_failure_text(words: &str) -> bool {
    const TELLING: [&str; 22] = [
        "error",
        "exception",
        "overload",
        "unavailable",
        "timed out",
        "timeout",
        "failed",
        "failure",
        "too many requests",
        "rate limit",
        "quota",
        "unauthorized",
        "forbidden",
        "bad gateway",
        "exceeded",
        "exhausted",
        "aborted",
        "refused",
        "not found",
        "invalid",
        "crashed",
        "out of memory",
    ];
    let words = words.to_ascii_lowercase();
    TELLING.iter().any(|word| words.contains(word))
}

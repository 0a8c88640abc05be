//! What a server's error means, by its code.

use redis::RedisError;

/// The code of an error; `None` if it did not come from a server.
///
/// Servers before version 7 wrap what goes wrong inside a script: `ERR Error running script (call to f_…): @user_script:50: @user_script: 50:
/// -READONLY You can't write against a read only replica.` Its code is `READONLY`.
pub(crate) fn code(error: &RedisError) -> Option<&str> {
    let code = error.code()?;
    Some(inner(code, error.detail().unwrap_or_default()))
}

/// The code within this detail of an error, if that of the error itself says nothing.
fn inner<'a>(code: &'a str, detail: &'a str) -> &'a str {
    const SHORTEST: usize = 3;
    if code != "ERR" {
        return code;
    }
    let is_code = |word: &str| word.len() >= SHORTEST && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let mut words = detail.split_ascii_whitespace();
    // Of a command that a script called, this one has no dash.
    let found = words.find_map(|word| match word.strip_prefix('-') {
        Some(wrapped) => is_code(wrapped).then_some(wrapped),
        None => (word == "WRONGTYPE").then_some(word),
    });
    found.unwrap_or(code)
}

/// Whether something else stands under a key: the server is well, and no repetition helps.
pub(crate) fn is_of_the_key(error: &RedisError) -> bool {
    code(error) == Some("WRONGTYPE")
}

/// Whether the server is healthy, but does not support this.
pub(crate) fn is_final(error: &RedisError) -> bool {
    matches!(code(error), Some("ERR" | "WRONGTYPE"))
}

/// Why a server that answers takes no writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteRefusal {
    /// It is a replica, perhaps of a primary that it was itself until now.
    Replica,
    /// It has no memory left, cannot save to its disk, or has too few replicas.
    Unable,
}

/// Whether the server takes no writes, and why.
pub(crate) fn write_refusal(error: &RedisError) -> Option<WriteRefusal> {
    match code(error)? {
        "READONLY" => Some(WriteRefusal::Replica),
        "OOM" | "MISCONF" | "NOREPLICAS" => Some(WriteRefusal::Unable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_inside_a_script_has_the_code_of_what_went_wrong() {
        for (detail, real) in [
            (
                "Error running script (call to f_6b1b): @user_script:50: @user_script: 50: -READONLY You can't write against a read only replica.",
                "READONLY",
            ),
            (
                "Error running script (call to f_6b1b): @user_script:9: @user_script: 9: -OOM command not allowed when used memory > 'maxmemory'.",
                "OOM",
            ),
            (
                "Error running script (call to f_6b1b): @user_script:9: @user_script: 9: -MISCONF Redis is configured to save RDB snapshots",
                "MISCONF",
            ),
            (
                "Error running script (call to f_6b1b): @user_script:9: @user_script: 9: -NOREPLICAS Not enough good replicas to write.",
                "NOREPLICAS",
            ),
            (
                "user_script:50: -READONLY You can't write against a read only replica.",
                "READONLY",
            ),
            (
                "Error running script (call to f_6b1b): @user_script:9: WRONGTYPE Operation against a key holding the wrong kind of value",
                "WRONGTYPE",
            ),
            (
                "Error running script (call to f_6b1b): @user_script:9: attempt to index a nil value",
                "ERR",
            ),
            ("unknown command 'EVALSHA', with args beginning with: -x -1 -A", "ERR"),
            ("", "ERR"),
        ] {
            assert_eq!(inner("ERR", detail), real, "{detail}");
        }
        assert_eq!(inner("READONLY", "You can't write -OOM"), "READONLY");
    }
}

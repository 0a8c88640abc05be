//! Whose fault an error is: the row's, which no repetition mends, or the database's, which may pass.

use crate::LedgerError;

/// Classes of SQLSTATE that are about what is written: features, cardinality, data, integrity, routines and checks of the database's
/// owner, limits of a row, and exceptions that a trigger raises.
const ROW_CLASSES: [&str; 9] = ["0A", "21", "22", "23", "38", "39", "44", "54", "P0"];
/// States of other classes that are: a value of the wrong type.
const ROW_STATES: [&str; 2] = ["42804", "42846"];
/// SQLite's primary result codes that are: too big, constraint, mismatch, range.
const ROW_CODES: [u32; 4] = [18, 19, 20, 25];

impl LedgerError {
    /// Whether the statement failed for what it writes: the same rows fail again, and others may pass.
    pub(crate) fn is_of_the_row(&self) -> bool {
        let Self::Query(cause) = self else { return false };
        match cause {
            sqlx::Error::Encode(_) => true,
            sqlx::Error::Database(error) => error.code().is_some_and(|code| is_of_the_row(&code)),
            _ => false,
        }
    }
}

fn is_of_the_row(code: &str) -> bool {
    // A SQLSTATE has five characters. SQLite's extended codes are shorter; their lowest byte is the primary one.
    if code.len() == 5 {
        let class = code.get(..2).unwrap_or_default();
        return ROW_CLASSES.contains(&class) || ROW_STATES.contains(&code);
    }
    code.parse::<u32>().is_ok_and(|code| ROW_CODES.contains(&(code & 0xff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_of_the_row_or_of_the_database() {
        // NUL in a text, numeric overflow, a check, an index row that is too long, a trigger; constraint of SQLite's, too big.
        for code in ["22021", "22003", "23514", "54000", "P0001", "1299", "19", "18"] {
            assert!(is_of_the_row(code), "{code}");
        }
        // Shutdown, too many connections, disk full, no table, no right, cancelled; busy, disk full, I/O, no table.
        for code in [
            "57P01", "53300", "53100", "42P01", "42501", "57014", "5", "13", "778", "1", "",
        ] {
            assert!(!is_of_the_row(code), "{code}");
        }
    }
}

//! Statements: those that leave nothing behind in a session, and those that a file's own session keeps.

use sqlx::{Any, query::Query};

/// A statement with its values.
pub(crate) type Statement<'q> = Query<'q, Any, <Any as sqlx::Database>::Arguments<'q>>;

/// A statement that is parsed for one use, without a name. Batches differ in size, so a server would keep one for each size in each session;
/// and behind a pool such as `PgBouncer` the names of one session meet those of another (SQLSTATE 42P05).
pub(crate) fn statement(sql: &str) -> Statement<'_> {
    sqlx::query(sql).persistent(false)
}

/// The most rows of a statement that is kept.
const MOST_KEPT: usize = 64;

/// One of a few statements that are parsed once, if the session is this process's own: a file's. Parsing takes as long as writing.
pub(crate) fn kept_statement(sql: &str, is_shared: bool) -> Statement<'_> {
    sqlx::query(sql).persistent(!is_shared)
}

/// The rows in parts, each for one statement: the largest ones that a server takes, or of a few sizes, so that the statements for them can be kept.
pub(crate) fn parts<T>(mut rows: &[T], most: usize, is_shared: bool) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = if is_shared {
            rows.len().min(most)
        } else {
            rows.len().min(MOST_KEPT).checked_ilog2().map_or(0, |power| 1 << power)
        };
        let (part, rest) = rows.split_at_checked(size)?;
        rows = rest;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_in_parts_of_few_sizes_or_as_large_as_a_server_takes() {
        let rows: Vec<usize> = (0..203).collect();
        for is_shared in [true, false] {
            let all: Vec<usize> = parts(&rows, 100, is_shared).flatten().copied().collect();
            assert_eq!(all, rows);
        }
        let sizes = |is_shared| parts(&rows, 100, is_shared).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(true), [100, 100, 3]);
        assert_eq!(sizes(false), [64, 64, 64, 8, 2, 1]);
        assert_eq!(
            parts::<u8>(&[], 100, true).count() + parts::<u8>(&[], 100, false).count(),
            0
        );
    }
}

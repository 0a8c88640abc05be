//! Statements that leave nothing behind in a session.

use sqlx::{Any, query::Query};

/// A statement with its values.
pub(crate) type Statement<'q> = Query<'q, Any, <Any as sqlx::Database>::Arguments<'q>>;

/// A statement that is parsed for one use, without a name. Batches differ in size, so a server would keep one for each size in each session;
/// and behind a pool such as `PgBouncer` the names of one session meet those of another (SQLSTATE 42P05).
pub(crate) fn statement(sql: &str) -> Statement<'_> {
    sqlx::query(sql).persistent(false)
}

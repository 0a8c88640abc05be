//! How an error that holds several problems prints: one line each.

use std::fmt::{self, Display};

/// One problem as it is; several on a line each.
pub(crate) fn write_lines<P: Display>(f: &mut fmt::Formatter<'_>, problems: &[P]) -> fmt::Result {
    for (index, problem) in problems.iter().enumerate() {
        if index > 0 {
            f.write_str("\n")?;
        }
        problem.fmt(f)?;
    }
    Ok(())
}

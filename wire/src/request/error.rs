//! A request that cannot be sent.

use std::fmt;

use crate::{
    Api,
    json::{Found, JsonError},
};

/// Why a request was not accepted. Says which field, what stands there and what should; never what the field says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The body is not a JSON object.
    Json(JsonError),
    /// A field that must be there is not.
    Missing {
        /// The field.
        field: &'static str,
        /// What to do about it.
        fix: &'static str,
    },
    /// A field is of another shape than it must be.
    Shape {
        /// The field.
        field: &'static str,
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What to do about it.
        fix: &'static str,
    },
    /// A field could not be read as the type asked for.
    Field {
        /// The field.
        field: &'static str,
        /// The position in the field's value at which reading stopped, as line and column.
        line: usize,
        /// The column of that place.
        column: usize,
    },
    /// A value given for a field has no JSON form.
    Encode {
        /// The field.
        field: String,
    },
    /// There are no requests of this API yet.
    UnsupportedApi {
        /// The API.
        api: Api,
    },
}

impl RequestError {
    /// The field at fault, if it is one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Json(_) | Self::UnsupportedApi { .. } => None,
            Self::Missing { field, .. } | Self::Shape { field, .. } | Self::Field { field, .. } => Some(field),
            Self::Encode { field } => Some(field),
        }
    }

    /// A field that is of another shape: what it is, what it should be, and what to do about it.
    #[must_use]
    pub fn shape(field: &'static str, found: Found, expected: &'static str, fix: &'static str) -> Self {
        Self::Shape {
            field,
            found: found.name(),
            expected,
            fix,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the request body cannot be read: {error}"),
            Self::Missing { field, fix } => write!(f, "`{field}` is missing: {fix}"),
            Self::Shape {
                field,
                found,
                expected,
                fix,
            } => write!(f, "`{field}` is {found}, expected {expected}: {fix}"),
            Self::Field { field, line, column } => {
                write!(
                    f,
                    "`{field}` has an unexpected shape at line {line}, column {column} of its value"
                )
            }
            Self::Encode { field } => write!(
                f,
                "the value given for `{field}` has no JSON form: its map keys must be strings or numbers"
            ),
            Self::UnsupportedApi { api } => write!(f, "requests of the API `{api}` are not supported"),
        }
    }
}

impl std::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            _ => None,
        }
    }
}

impl From<JsonError> for RequestError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

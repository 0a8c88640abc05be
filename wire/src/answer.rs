//! The typed answers, one type for each API.

use serde::de::Error as _;

use super::Api;
use crate::{chat::ChatResponse, view::try_read_whole};
use crate::{embeddings::EmbeddingResponse, messages::MessageDocument, responses::ResponseDocument};

/// Keeps other crates from implementing the trait below.
mod sealed {
    /// A type of this crate.
    pub trait Sealed {}
}

/// A whole answer of one API: what a client gives for a plain request of that API.
///
/// Sealed: implemented here for all types that fit; nothing to implement.
pub trait ApiAnswer: sealed::Sealed + Sized + Send + 'static {
    /// The API.
    const API: Api;

    /// Reads it. Unknown fields are kept.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object.
    fn from_json(body: &[u8]) -> Result<Self, serde_json::Error>;
}

macro_rules! answers {
    ($( $name:ty: $api:ident; )+) => { $(
        impl sealed::Sealed for $name {}

        impl ApiAnswer for $name {
            const API: Api = Api::$api;

            fn from_json(body: &[u8]) -> Result<Self, serde_json::Error> {
                try_read_whole(body)
                    .map_err(serde_json::Error::custom)?
                    .ok_or_else(|| serde_json::Error::custom("expected an object"))
            }
        }
    )+ };
}

answers! {
    ChatResponse: Chat;
    ResponseDocument: Responses;
    MessageDocument: Messages;
    EmbeddingResponse: Embeddings;
}

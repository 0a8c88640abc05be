//! The typed answers, one type for each API.

use serde::de::Error as _;

use super::Api;
use crate::{chat::ChatResponse, view::try_read_whole};
use crate::{embeddings::EmbeddingResponse, messages::MessageDocument, responses::ResponseDocument};

/// A whole answer of one API: what a client gives for a plain request of that API.
pub trait ApiAnswer: Sized + Send + 'static {
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

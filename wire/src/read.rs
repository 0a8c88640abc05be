//! Which reader takes an event or a document, by its API.

use crate::{
    Api,
    error::UpstreamError,
    events::EventProbe,
    json::{JsonError, check_utf8},
    messages, responses,
};

impl<'a> EventProbe<'a> {
    /// Looks at a JSON object of this API: an event of its streams, or a whole document.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8, not JSON, or not an object.
    pub fn read(api: Api, body: &'a [u8]) -> Result<Self, JsonError> {
        check_utf8(body)?;
        let mut piece = Self::new(api, body);
        let is_known = match api {
            Api::Messages => messages::read(&mut piece, body)?,
            _ => responses::read(&mut piece, body)?,
        };
        // An error that stands by itself, in whatever shape.
        if !is_known && !piece.failed {
            piece.failed = UpstreamError::parse(body).is_some();
        }
        Ok(piece)
    }
}

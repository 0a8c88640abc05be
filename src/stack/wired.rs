//! The transport of a stack: made, or that of another stack if it was made of the same.

use crate::transport::{Transport, TransportBuilder, TransportError};

/// A transport, and what it was made of.
#[derive(Clone)]
pub(crate) struct Wired {
    made_of: TransportBuilder,
    pub(super) transport: Transport,
}

impl Wired {
    /// The one before with its connections, if it was made of the same; otherwise a new one.
    pub(super) fn new(of: TransportBuilder, before: Option<&Self>) -> Result<Self, TransportError> {
        if let Some(before) = before.filter(|before| before.made_of == of) {
            return Ok(before.clone());
        }
        let transport = of.clone().build()?;
        Ok(Self { made_of: of, transport })
    }
}

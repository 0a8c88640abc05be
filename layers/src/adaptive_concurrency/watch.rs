//! When the place of an attempt is free again.

use super::{gate::Permit, is_overload};
use crate::{
    Failure,
    watch::{InSpan, Watch},
};

/// Holds a place until the end of the answer.
#[derive(Debug)]
pub struct PermitWatch(pub(super) Option<Permit>);

impl InSpan for PermitWatch {}

impl<D, E: Failure> Watch<D, E> for PermitWatch {
    fn failed(&mut self, error: &E) {
        let permit = self.0.take();
        if let Some(permit) = permit.filter(|_| is_overload(error)) {
            permit.overloaded();
        }
    }

    fn ended(&mut self) {
        self.0 = None;
    }
}

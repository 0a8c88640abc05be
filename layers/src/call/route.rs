//! What a request pins beside its model: state that one caller's own choice has caused is kept apart by it.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::OnceLock,
};

/// What a request pins beside its model: providers, an endpoint, an account of its caller's own. The health of a candidate is kept for each
/// route apart, so that a caller who pins a broken provider does not count against the others.
///
/// A keyed hash: equal within one process only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Route(u64);

impl Route {
    /// Nothing is pinned.
    pub const FREE: Self = Self(0);

    /// The route that these parts pin, in this order; [`FREE`](Self::FREE) if there are none.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        static KEYED: OnceLock<RandomState> = OnceLock::new();
        let mut parts = parts.into_iter().peekable();
        if parts.peek().is_none() {
            return Self::FREE;
        }
        let mut hasher = KEYED.get_or_init(RandomState::new).build_hasher();
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        Self(hasher.finish().max(1))
    }

    /// Whether nothing is pinned.
    #[must_use]
    pub const fn is_free(self) -> bool {
        self.0 == 0
    }

    /// What both pin.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 ^ other.0.rotate_left(32))
    }

    /// To be mixed into another keyed hash.
    pub(crate) const fn hash(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_parts_are_different_routes() {
        let of = |parts: &[&'static str]| Route::of(parts.iter().map(|part| part.as_bytes()));
        assert!(of(&[]).is_free() && !of(&[""]).is_free());
        assert_eq!(of(&["only", "acme"]), of(&["only", "acme"]));
        assert_ne!(of(&["only", "acme"]), of(&["onlya", "cme"]));
        let (one, other) = (of(&["a"]), of(&["b"]));
        assert_eq!(one.and(Route::FREE), one);
        assert!(!Route::FREE.and(one).is_free());
        assert_ne!(one.and(other), one);
        assert_ne!(one.and(one), Route::FREE);
    }
}

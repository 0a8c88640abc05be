//! The names under which ledgers know a call and its entries.

use std::{fmt, str::FromStr};

use crate::UtcTime;

/// The name of an entry: its time to the millisecond, then 80 random bits. Sorts by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u128);

/// The name of a call, which its attempts share. Made like an [`EntryId`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u128);

fn random(at: UtcTime) -> u128 {
    (u128::from(at.millis()) << 80) | (fastrand::u128(..) >> 48)
}

macro_rules! id {
    ($($name:ident)*) => {$(
        impl $name {
            /// A new one.
            #[must_use]
            pub fn new(at: UtcTime) -> Self {
                Self(random(at))
            }

            /// As a number.
            #[must_use]
            pub const fn to_u128(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                u128::from_str_radix(text, 16).map(Self)
            }
        }
    )*};
}

id! { EntryId CallId }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let [early, late] = [1, 2].map(|millis| EntryId::new(UtcTime::from_millis(millis)));
        assert!(early < late);
        assert_ne!(early, EntryId::new(UtcTime::from_millis(1)));
        assert_eq!(late.to_string().parse(), Ok(late));
    }
}

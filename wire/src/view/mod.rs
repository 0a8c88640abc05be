//! Objects on the wire, read for what they hold and not for what they should hold.

mod extra;
mod open_enum;
mod read;
mod said;

pub use extra::Extra;
pub(crate) use extra::written;
pub(crate) use open_enum::open_enum;
pub(crate) use read::{Field, Wire, field, read_by_serde, read_whole, try_read_whole};
pub(crate) use said::{json_text, said_text};

/// A struct for an object on the wire.
///
/// Reading never fails for what is inside: a field that is absent or null is the default of its type, and unknown fields stay in `extra` as the
/// text they came as. A known field that cannot be read as its type, or not in full (half of a surrogate pair, a list with one element of
/// another shape), is read as far as it can be, and its text is kept in `extra` under its own name. A key that stands twice counts the last
/// time. Numbers in between keep every digit.
///
/// Writing leaves out what is `None` or an empty list, unless the field says `always`. A field whose text is kept is written as that text, unless the
/// field was changed since.
///
/// A field may be read by a function of its own (`=>`), or from another name if its own says nothing (`|`).
macro_rules! wire_struct {
    (
        $(#[$about:meta])*
        $name:ident { $(
            $(#[$doc:meta])*
            $field:ident : $type:ty = $wire:literal $($always:ident)? $(| $alias:literal)? $(=> $read:path)?,
        )+ }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Default)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[$doc])* pub $field: $type, )+
            /// Fields this version does not know, and the text of known ones that cannot be read in full as their type.
            pub extra: $crate::view::Extra,
        }

        impl $crate::view::Absent for $name {}

        impl $crate::view::Wire for $name {
            fn read(
                cursor: &mut $crate::json::Cursor<'_>,
            ) -> Result<$crate::view::Field<Self>, $crate::json::JsonError> {
                use $crate::view::{Field, field};

                if cursor.peek()? != $crate::json::Found::Object {
                    cursor.skip()?;
                    return Ok(Field::Unread);
                }
                let mut read = Self::default();
                cursor.object(|key, value| {
                    match &*key.to_str() {
                        $( $wire => {
                            let how = $crate::view::reader!($($read)?);
                            read.$field = field(how, value, $wire, &mut read.extra)?;
                        } )+
                        name => read.extra.keep(name, value)?,
                    }
                    Ok(())
                })?;
                $( $(
                    if read.$field == Default::default()
                        && let Some(raw) = read.extra.raw($alias)
                        && let Some(value) = $crate::view::read_whole(raw.as_bytes())
                    {
                        read.$field = value;
                    }
                )? )+
                // What a member could not be read as is in `extra`: nothing is lost.
                Ok(Field::Read(read))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
                $crate::view::read_whole(raw.get().as_bytes())
                    .ok_or_else(|| serde::de::Error::custom("expected an object"))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                use $crate::view::{Absent as _, written};

                let mut map = serializer.serialize_map(None)?;
                $(
                    let always = false $( || stringify!($always) == "always" )?;
                    let how = $crate::view::reader!($($read)?);
                    if let Some(raw) = self.extra.unchanged($wire, &self.$field, how) {
                        map.serialize_entry($wire, &written(raw))?;
                    } else if always || !self.$field.is_absent() {
                        map.serialize_entry($wire, &self.$field)?;
                    }
                )+
                self.extra.write(&mut map, &[$($wire),+])?;
                map.end()
            }
        }
    };
}

/// How a field is read: by a function of its own, or as its type is.
macro_rules! reader {
    () => {
        $crate::view::Wire::read
    };
    ($read:path) => {
        $read
    };
}

pub(crate) use {reader, wire_struct};

/// Whether a field need not be written.
pub(crate) trait Absent {
    fn is_absent(&self) -> bool {
        false
    }
}

impl<T> Absent for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T> Absent for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Absent for String {}
impl Absent for u64 {}
impl Absent for bool {}

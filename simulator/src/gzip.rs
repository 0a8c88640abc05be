//! The gzip format with stored blocks: compressed in name only, and read by every decoder.

use bytes::{Bytes, BytesMut};

/// Method deflate, no flags, no time, unknown system.
const HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// The most that one stored block holds.
const MOST: usize = 0xffff;

/// Writes the blocks of one body.
#[derive(Debug)]
pub(crate) struct Gzip {
    begun: bool,
    sum: u32,
    length: u32,
}

impl Default for Gzip {
    fn default() -> Self {
        Self {
            begun: false,
            sum: u32::MAX,
            length: 0,
        }
    }
}

impl Gzip {
    /// These bytes as blocks that a decoder can read at once.
    pub(crate) fn block(&mut self, bytes: &[u8]) -> Bytes {
        let mut out = BytesMut::new();
        self.head(&mut out);
        for part in bytes.chunks(MOST) {
            stored(&mut out, part, false);
        }
        for byte in bytes {
            self.sum = (0..8).fold(self.sum ^ u32::from(*byte), |sum, _| {
                (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
            });
        }
        self.length = self.length.wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        out.freeze()
    }

    /// The last block, which is empty, and the sums.
    pub(crate) fn end(mut self) -> Bytes {
        let mut out = BytesMut::new();
        self.head(&mut out);
        stored(&mut out, &[], true);
        out.extend_from_slice(&(!self.sum).to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.freeze()
    }

    fn head(&mut self, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(HEAD);
        }
    }
}

fn stored(out: &mut BytesMut, part: &[u8], last: bool) {
    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&[u8::from(last)]);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::Gzip;

    #[test]
    fn the_sums_are_those_of_the_format() {
        let mut gzip = Gzip::default();
        assert!(gzip.block(b"1234").starts_with(&[0x1f, 0x8b, 8]));
        assert_eq!(gzip.block(b"56789")[..], *b"\x00\x05\x00\xfa\xff56789");
        // The check value of this polynomial.
        let mut end = vec![1, 0, 0, 0xff, 0xff];
        end.extend(0xcbf4_3926_u32.to_le_bytes());
        end.extend(9_u32.to_le_bytes());
        assert_eq!(gzip.end()[..], end);
    }
}

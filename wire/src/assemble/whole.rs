//! Whether arguments that come in pieces are whole.

/// Follows the brackets of JSON text, and looks at each byte once.
#[derive(Debug, Clone, Default)]
pub struct JsonCompleteness {
    depth: usize,
    in_string: bool,
    escaped: bool,
    any: bool,
    /// How many bytes were looked at.
    #[cfg(test)]
    pub(super) seen: usize,
}

impl JsonCompleteness {
    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        #[cfg(test)]
        {
            self.seen += piece.len();
        }
        for byte in piece {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            self.any |= !byte.is_ascii_whitespace();
        }
    }

    /// Whether nothing has come.
    pub(super) const fn is_empty(&self) -> bool {
        !self.any
    }

    /// Whether something has come, and all that it opens is closed.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.any && self.depth == 0 && !self.in_string
    }
}

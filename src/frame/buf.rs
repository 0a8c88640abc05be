//! A frame as the bytes that it came as.

use bytes::{Buf, Bytes};

use super::ChatFrame;

impl Buf for ChatFrame {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        Buf::chunk(&self.bytes)
    }

    fn advance(&mut self, count: usize) {
        // What is left is no longer what was read.
        self.known = None;
        self.bytes.advance(count);
    }
}

impl From<ChatFrame> for Bytes {
    fn from(frame: ChatFrame) -> Self {
        frame.bytes
    }
}

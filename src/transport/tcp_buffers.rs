//! The buffers between a socket and the TLS or proxy above it.

use std::mem;

use ureq::unversioned::transport::Buffers;

use super::input::Input;

/// The buffers between a socket and the TLS or proxy above it. ureq's own keep both directions at
/// their full size for as long as the connection is open.
pub(super) struct TcpBuffers {
    input: Input,
    /// Empty until something is written.
    output: Vec<u8>,
    output_size: usize,
    /// Whether there was no wait since the output was last used.
    written: bool,
    /// Whether the last look at the input consumed some of it.
    progress: bool,
}

impl TcpBuffers {
    /// Buffers that take no memory yet.
    pub(super) fn new(output_size: usize) -> Self {
        Self {
            input: Input::default(),
            output: Vec::new(),
            output_size,
            written: false,
            progress: false,
        }
    }

    /// Called before a wait that may be long. Frees what only a write needs, unless this is the
    /// first wait after it: most answers need no other, and the next request writes again.
    pub(super) fn begin_wait(&mut self) {
        if !mem::take(&mut self.written) {
            self.output = Vec::new();
        }
    }

    fn allocate_output(&mut self) {
        self.written = true;
        if self.output.is_empty() {
            self.output = vec![0; self.output_size];
        }
    }

    /// How many bytes they take.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.input.size() + self.output.capacity()
    }
}

impl Buffers for TcpBuffers {
    fn output(&mut self) -> &mut [u8] {
        self.allocate_output();
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input.unread()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.input.room()
    }

    fn input_appended(&mut self, amount: usize) {
        self.input.add(amount);
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.input.consume(amount);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.allocate_output();
        (self.input.room(), &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        !self.input.unread().is_empty() && self.progress
    }
}

//! Raw deflate (RFC 1951) that tells where a block ends, and can begin there again. flate2 does neither, so that this
//! speaks to zlib-rs through zlib's own interface. All unsafe code of decoding is here.

#![expect(unsafe_code, reason = "zlib's interface is one of pointers")]

use std::ffi::c_int;
use std::mem::size_of;

use libz_rs_sys::{
    Z_BLOCK, Z_BUF_ERROR, Z_OK, Z_STREAM_END, Z_SYNC_FLUSH, inflate, inflateEnd, inflateGetDictionary,
    inflateInit2_, inflatePrime, inflateReset, inflateSetDictionary, z_stream, zlibVersion,
};

/// How far back deflate refers.
pub(super) const WINDOW_BYTES: usize = 32 << 10;
/// Raw deflate with the largest window.
const RAW: c_int = -15;

/// A decompressor.
pub(super) struct Inflate {
    stream: Box<z_stream>,
}

/// What a step did.
pub(super) struct Step {
    /// Stored bytes used up.
    pub(super) read: usize,
    /// Decoded bytes made.
    pub(super) made: usize,
    pub(super) status: Status,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// There may be more. A step that neither read nor made anything wants more input.
    More,
    /// The stream has ended.
    Ended,
    /// The input is not a valid deflate stream.
    Broken,
}

// SAFETY: the stream's memory is its own and nothing in it belongs to a thread.
unsafe impl Send for Inflate {}

impl Inflate {
    pub(super) fn new() -> Self {
        let mut stream = Box::new(z_stream::default());
        // SAFETY: the stream is zlib-rs' own default, and stays where it is in its box.
        let code =
            unsafe { inflateInit2_(&raw mut *stream, RAW, zlibVersion(), size_of::<z_stream>() as c_int) };
        assert_eq!(code, Z_OK, "zlib cannot start: out of memory");
        Self { stream }
    }

    /// Begins another stream.
    pub(super) fn reset(&mut self) {
        // SAFETY: the stream was initialized by `new`.
        unsafe { inflateReset(&raw mut *self.stream) };
    }

    /// Decodes until `out` is full, `input` is used up or, where it is to stop at these, a block has ended.
    pub(super) fn step(&mut self, input: &[u8], out: &mut [u8], stops_at_blocks: bool) -> Step {
        let flush = if stops_at_blocks { Z_BLOCK } else { Z_SYNC_FLUSH };
        let step = self.step_once(input, out, flush);
        // The end of a block that stood in bits read before.
        if step.read == 0 && step.made == 0 && step.status == Status::More && self.between_blocks() {
            return self.step_once(input, out, flush);
        }
        step
    }

    fn step_once(&mut self, input: &[u8], out: &mut [u8], flush: c_int) -> Step {
        let (in_bytes, out_bytes) = (clamped(input.len()), clamped(out.len()));
        let stream = &mut *self.stream;
        (stream.next_in, stream.avail_in) = (input.as_ptr(), in_bytes);
        (stream.next_out, stream.avail_out) = (out.as_mut_ptr(), out_bytes);
        // SAFETY: the stream was initialized by `new`; it may read `in_bytes` and write `out_bytes`, which lie in
        // `input` and `out`, and keeps no pointer to them that it uses later.
        let code = unsafe { inflate(&raw mut *stream, flush) };
        let status = match code {
            Z_OK | Z_BUF_ERROR => Status::More,
            Z_STREAM_END => Status::Ended,
            _ => Status::Broken,
        };
        Step {
            read: (in_bytes - stream.avail_in) as usize,
            made: (out_bytes - stream.avail_out) as usize,
            status,
        }
    }

    /// Whether the last step ended where a block does.
    fn between_blocks(&self) -> bool {
        self.stream.data_type & 128 != 0
    }

    /// Returns how many bits of the last byte read belong to what follows, when the last step ended where a block
    /// does that is not the last.
    pub(super) fn boundary(&self) -> Option<u8> {
        let is_last = self.stream.data_type & 64 != 0;
        let bits = (self.stream.data_type & 63) as u8;
        (self.between_blocks() && !is_last && bits < 8).then_some(bits)
    }

    /// Returns the last decoded bytes, as far as what follows may refer to them.
    pub(super) fn window(&self) -> Vec<u8> {
        let mut window = vec![0; WINDOW_BYTES];
        let mut length = 0;
        // SAFETY: the stream was initialized by `new`, and 32 KiB are room enough for any window.
        unsafe { inflateGetDictionary(&raw const *self.stream, window.as_mut_ptr(), &raw mut length) };
        window.truncate(length as usize);
        window
    }

    /// Begins within a stream, at a boundary: `bits` of `byte` belong to what follows, which may refer to `window`.
    /// Returns whether zlib agrees.
    pub(super) fn resume(&mut self, bits: u8, byte: u8, window: &[u8]) -> bool {
        self.reset();
        let (bits, value) = (c_int::from(bits.min(7)), c_int::from(byte) >> (8 - bits.min(7)));
        // SAFETY: the stream was initialized by `new`; the window is read while the call lasts.
        unsafe {
            inflatePrime(&raw mut *self.stream, bits, value) == Z_OK
                && inflateSetDictionary(&raw mut *self.stream, window.as_ptr(), clamped(window.len())) == Z_OK
        }
    }
}

impl Drop for Inflate {
    fn drop(&mut self) {
        // SAFETY: the stream was initialized by `new` and is not used again.
        unsafe { inflateEnd(&raw mut *self.stream) };
    }
}

fn clamped(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

//! A sequence of Zstandard (RFC 8878) frames.

use std::io::{self, Read};

use zstd::stream::raw::{DParameter, Decoder, Operation};

use super::input::Input;
use super::{Budget, DamageLog, MAGIC_BYTES, TOO_DENSE, TOO_LONG, TOO_MANY};

/// The largest window that is accepted, 128 MiB: what `zstd --ultra -22` writes and `zstd -d` reads unasked.
const WINDOW_LOG: u32 = 27;

/// Returns whether `head` starts a frame: data, or one to be skipped. A head that is cut off counts from two
/// bytes on, a lone `(` is text.
pub(super) fn starts_frame(head: &[u8]) -> bool {
    match head {
        [0x28, 0xb5, rest @ ..] => [0x2f, 0xfd].starts_with(&rest[..rest.len().min(2)]),
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => true,
        _ => false,
    }
}

/// A reader of the decoded bytes of zstd frames.
pub(super) struct Zstd<R> {
    input: Input<R>,
    decoder: Decoder<'static>,
    state: State,
    budget: Budget,
    log: DamageLog,
    frames: u64,
    /// How many bytes the decoder wants next: up to the end of a block. It is given no more at a time, since what it
    /// made of earlier blocks is lost when a call meets a broken one.
    hint: usize,
}

/// The bytes that a decoder wants first.
const FIRST_HINT: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Boundary,
    Frame,
    Done,
}

impl<R: Read> Zstd<R> {
    pub(super) fn new(input: Input<R>, budget: Budget) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
        Ok(Self {
            input,
            decoder,
            state: State::Boundary,
            budget,
            log: DamageLog::default(),
            frames: 0,
            hint: FIRST_HINT,
        })
    }

    pub(super) fn input(&self) -> &Input<R> {
        &self.input
    }

    pub(super) fn log(&self) -> &DamageLog {
        &self.log
    }

    pub(super) fn members(&self) -> u64 {
        self.frames
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !out.is_empty() && self.state != State::Done {
            if self.state == State::Boundary {
                self.begin_frame()?;
                continue;
            }
            let Some(made) = self.decode(out) else {
                if !self.input.fill(self.input.offset())? {
                    self.stop("ends within a frame");
                }
                continue;
            };
            if made > 0 {
                return Ok(made);
            }
        }
        Ok(0)
    }

    fn begin_frame(&mut self) -> io::Result<()> {
        while self.input.unread().len() < MAGIC_BYTES && self.input.fill(self.input.offset())? {}
        let unread = self.input.unread();
        if unread.is_empty() {
            self.state = State::Done;
        } else if !starts_frame(unread) {
            self.stop("no zstd frame starts here");
        } else if self.frames == self.budget.limits.max_members {
            self.stop(TOO_MANY);
        } else {
            self.frames += 1;
            self.hint = FIRST_HINT;
            self.state = State::Frame;
        }
        Ok(())
    }

    /// Decodes into `out` and returns the bytes made; `None` when more input is needed for any.
    fn decode(&mut self, out: &mut [u8]) -> Option<usize> {
        // Without room, one more byte is decoded all the same: only so does an object of exactly the limit
        // differ from one beyond it.
        let mut spare = [0];
        let room = self.budget.room().min(out.len());
        let target = if room == 0 { &mut spare[..] } else { &mut out[..room] };
        let unread = self.input.unread();
        let stored = &unread[..unread.len().min(self.hint)];
        let step = match self.decoder.run_on_buffers(stored, target) {
            Ok(step) => step,
            Err(error) => {
                self.stop(&format!("broken compressed data: {error}"));
                return Some(0);
            }
        };
        self.input.consume(step.bytes_read);
        self.hint = step.remaining;
        if room == 0 && step.bytes_written > 0 {
            self.stop(TOO_LONG);
            return Some(0);
        }
        self.budget.made += step.bytes_written as u64;
        if step.remaining == 0 {
            self.state = State::Boundary;
        } else if step.bytes_read == 0 && step.bytes_written == 0 {
            return None;
        }
        if self.budget.too_dense(self.input.offset()) {
            self.stop(TOO_DENSE);
        }
        Some(step.bytes_written)
    }

    fn stop(&mut self, reason: &str) {
        self.log.add(self.input.offset(), self.frames, reason, true);
        self.state = State::Done;
    }
}

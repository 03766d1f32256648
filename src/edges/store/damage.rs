//! Whether the bytes of an object are damaged: asked where nothing else says that they are the stored ones.

use std::io;

use gzette_core::decode::{Decoder, Limits};

/// The bytes of an object after a look through them.
pub(super) struct Looked {
    pub(super) bytes: Vec<u8>,
    pub(super) is_damaged: bool,
}

/// Decodes a body to see whether it is damaged, off the threads that wait for the network.
pub(super) async fn looked_through(bytes: Vec<u8>) -> Looked {
    let look = move || {
        let mut decoder = Decoder::new(bytes.as_slice(), &Limits::default());
        let read = io::copy(&mut decoder, &mut io::sink());
        let is_damaged = read.is_err() || decoder.damage().is_some();
        Looked { bytes, is_damaged }
    };
    match tokio::task::spawn_blocking(look).await {
        Ok(looked) => looked,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

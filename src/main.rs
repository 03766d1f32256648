//! Parses the command line, runs the command, returns its exit code.

use std::process::ExitCode;

/// A buffer of fewer bytes comes from the heap; a larger one is the system's again as soon as it is freed.
#[cfg(target_env = "gnu")]
const HEAP_BUFFER_BYTES: i32 = 1 << 20;
/// The heap gives back what lies free at its end when it is more than this.
#[cfg(target_env = "gnu")]
const HEAP_KEPT_BYTES: i32 = 4 << 20;

/// Has glibc keep one heap for all threads. With one for each, as it does by itself, what a thread freed stays taken: a
/// first run over 100,000 objects took four times the memory, and no less time.
///
/// And has that heap keep the memory of buffers for the next ones: pages that were given back are cleared when they are
/// taken again, which was a tenth of a short search.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "a call of the C library")]
fn keep_one_heap() {
    let set = |parameter, value| {
        // SAFETY: it only sets a parameter of the allocator, before there is a second thread.
        unsafe { libc::mallopt(parameter, value) };
    };
    set(libc::M_ARENA_MAX, 1);
    set(libc::M_MMAP_THRESHOLD, HEAP_BUFFER_BYTES);
    set(libc::M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
}

#[cfg(not(target_env = "gnu"))]
fn keep_one_heap() {}

fn main() -> ExitCode {
    keep_one_heap();
    ExitCode::from(gzette::shell::cli::main(std::env::args_os()) as u8)
}

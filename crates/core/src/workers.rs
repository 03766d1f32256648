//! Threads that share out work between the processors.

use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;

/// Returns how many threads work side by side, where there is enough to do.
pub fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Calls `work` on this many threads, one of them the current one, and returns the results.
///
/// If there is a thread for every CPU, each is pinned to its own. Otherwise Linux often starts or wakes
/// a thread on the CPU of the one that did so, although another is idle, and corrects this at the next tick, up to 4 ms later:
/// on a virtual machine with two CPUs, this slowed half of all short searches from 10 to 13 ms.
pub fn each<T: Send>(workers: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    let seats = Seats::for_all(workers);
    let seats = seats.as_ref();
    let _seat = seats.map(|seats| seats.take(0));
    let (seated, all_seated) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let work = &work;
        let start = |number| {
            let seated = seated.clone();
            scope.spawn(move || {
                let _seat = seats.map(|seats| seats.take(number));
                drop(seated);
                work()
            })
        };
        let others: Vec<_> = (1..workers).map(start).collect();
        drop(seated);
        if seats.is_some() {
            // Who waits lets the others run, if only to go elsewhere.
            let _ = all_seated.recv();
        }
        let mut all = vec![work()];
        all.extend(others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic))));
        all
    })
}

#[cfg(target_os = "linux")]
use linux::Seats;

#[cfg(target_os = "linux")]
mod linux {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

    /// A processor for each of some threads.
    pub(super) struct Seats {
        /// All that this process may use.
        all: CpuSet,
        processors: Vec<usize>,
    }

    impl Seats {
        /// Returns the CPUs for this many threads, the current thread's first, if these are all that the
        /// process may use: if there are more, only the kernel knows which are idle.
        pub(super) fn for_all(workers: usize) -> Option<Self> {
            let all =
                sched_getaffinity(None).ok().filter(|all| workers > 1 && all.count() as usize == workers)?;
            let mut processors: Vec<_> = (0..CpuSet::MAX_CPU).filter(|&number| all.is_set(number)).collect();
            let own = sched_getcpu();
            // The current thread stays where it is: moving it would cost what pinning is to save.
            processors.sort_by_key(|&number| number != own);
            Some(Self { all, processors })
        }

        /// Pins this thread to the CPU of that number until the returned value is dropped. If the kernel
        /// refuses, the thread runs unpinned.
        pub(super) fn take(&self, number: usize) -> Seat {
            let mut one = CpuSet::new();
            one.set(self.processors[number]);
            let _ = sched_setaffinity(None, &one);
            Seat(self.all)
        }
    }

    /// A thread's use of one processor only.
    pub(super) struct Seat(CpuSet);

    impl Drop for Seat {
        fn drop(&mut self) {
            let _ = sched_setaffinity(None, &self.0);
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Seats;

#[cfg(not(target_os = "linux"))]
impl Seats {
    fn for_all(_workers: usize) -> Option<Self> {
        None
    }

    fn take(&self, _number: usize) {}
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_call_is_made_once_and_its_result_comes_back() {
        for workers in [1, 2, 3, count(), 2 * count()] {
            let next = AtomicUsize::new(0);
            let mut all = each(workers, || next.fetch_add(1, Ordering::Relaxed));
            all.sort_unstable();
            assert_eq!(all, (0..workers).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_of_any_thread_comes_through() {
        let next = AtomicUsize::new(0);
        let work = || assert!(next.fetch_add(1, Ordering::Relaxed) == 0, "not the first");
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| each(count().max(2), work)));
        assert!(caught.is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn each_thread_has_a_processor_of_its_own_and_leaves_it() {
        use rustix::thread::{sched_getaffinity, sched_getcpu};

        let before = sched_getaffinity(None).unwrap();
        let processors = each(before.count() as usize, sched_getcpu);
        assert_eq!(processors.iter().collect::<HashSet<_>>().len(), processors.len(), "{processors:?}");
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}

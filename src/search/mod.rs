//! Candidate blocks from the index, the exact lines from the mirror.

//! The whole pipeline under one lock, with its summary.

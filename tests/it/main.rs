//! The integration tests: one binary, a module a feature.

mod decode;

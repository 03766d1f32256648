//! Kinds of failure, their hints and exit codes.

//! The local gz files: safe names, temporary file, fsync, rename.

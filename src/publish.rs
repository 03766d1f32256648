//! The rendered site to an object store: changed files only, index last.

//! Mirror to partials to ledger and index, one batch at a time.

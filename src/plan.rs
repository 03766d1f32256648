//! Listing and ledger to what to get, keep and replace. Pure.

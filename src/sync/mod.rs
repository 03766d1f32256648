//! Sources to mirror: discover, list, plan, get, record.

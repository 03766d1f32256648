//! Line to event, one file per format; time stamps and zones.

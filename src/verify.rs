//! Recounts everything from the mirror and names what differs.

//! Bytes of an object to members to lines, streaming and bounded; damage is data.

//! The search expression: what it says of a line, and which words it requires.

//! The house as a whole, read as text: every public item is used by more than tests, no files import one another, and
//! functions are short. Who may import whom is in tidy.rs.

mod circles;
mod dead;
mod functions;
pub(crate) mod source;

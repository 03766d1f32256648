//! The house as a whole, read as text: every public item is used by more than tests, no files import one another,
//! functions are short, and every public item is documented. Who may import whom is in tidy.rs.

mod circles;
mod dead;
mod documented;
mod functions;
pub(crate) mod source;

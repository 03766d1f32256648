//! Which state a part of it belongs to.

use std::fmt;

/// The identity of a state: a random number, written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateId(pub u128);

impl StateId {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }

    /// Returns the line of a file that holds the identity; it ends with a checksum, for files rot.
    pub fn line(self) -> String {
        format!("{self} {}\n", &blake3::hash(self.to_string().as_bytes()).to_hex()[..8])
    }

    /// Parses such a file; `None` if its content is invalid.
    pub fn of_line(line: &[u8]) -> Option<Self> {
        let id = Self::parse(std::str::from_utf8(line.get(..32)?).ok()?)?;
        (line == id.line().as_bytes()).then_some(id)
    }
}

impl fmt::Display for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_line_is_no_identity() {
        let id = StateId(7);
        let line = id.line().into_bytes();
        assert_eq!(StateId::of_line(&line), Some(id));
        for at in 0..line.len() {
            let mut other = line.clone();
            other[at] ^= 1;
            assert_eq!(StateId::of_line(&other), None, "byte {at}");
            assert_eq!(StateId::of_line(&line[..at]), None, "cut at {at}");
        }
    }
}

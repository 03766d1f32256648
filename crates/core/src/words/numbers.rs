//! The words of a block that are numbers of up to three digits: parts of times, durations, ports, statuses. Half of the
//! distinct words of a usual block are such numbers, and nearly each of them is in nearly each block. So a block keeps a bit
//! for each: cheaper than a lookup, and smaller than a posting.
//!
//! Format: how many there are (u8) and the place of each (u16 little endian), or 255 and the bits of all places.

/// The most digits.
pub const MAX_DIGITS: usize = 3;
/// How many numbers there are. `0` and `00` are different words.
const ALL: usize = 10 + 100 + 1000;
/// The bytes of all bits.
const BYTES: usize = ALL.div_ceil(8);
/// More numbers than this take fewer bytes as bits.
const MAX_LISTED: usize = BYTES / size_of::<u16>();
/// What stands before the bits.
const BITS: u8 = 255;

/// Returns whether a word is a number of up to three digits.
#[inline]
pub fn is_short_number(word: &[u8]) -> bool {
    (1..=MAX_DIGITS).contains(&word.len()) && word.iter().all(u8::is_ascii_digit)
}

/// The place of a short number among all.
#[inline]
fn place(digits: &[u8]) -> usize {
    // Bijective numeration: digits that count from 1 to 10 give `0`, `00` and `000` places of their own.
    digits.iter().fold(0, |place, &digit| place * 10 + usize::from(digit - b'0') + 1) - 1
}

/// Returns the number at a place.
fn number(place: usize) -> String {
    match place {
        0..10 => format!("{place}"),
        10..110 => format!("{:02}", place - 10),
        _ => format!("{:03}", place - 110),
    }
}

/// A set of short numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortNumbers([u8; BYTES]);

impl Default for ShortNumbers {
    fn default() -> Self {
        Self([0; BYTES])
    }
}

impl ShortNumbers {
    /// Adds a word that [`is_short_number`].
    #[inline]
    pub(super) fn add(&mut self, word: &[u8]) {
        self.add_place(place(word));
    }

    #[inline]
    fn add_place(&mut self, place: usize) {
        self.0[place / 8] |= 1 << (place % 8);
    }

    /// Adds the numbers of another set.
    pub fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(bits, others)| *bits |= others);
    }

    /// Returns whether a word is among them.
    pub fn holds(&self, word: &[u8]) -> bool {
        is_short_number(word) && self.has(place(word))
    }

    fn has(&self, place: usize) -> bool {
        self.0[place / 8] & 1 << (place % 8) != 0
    }

    /// Returns the numbers.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        self.places().map(number)
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        (0..ALL).filter(|&place| self.has(place))
    }

    /// Adds them to what is stored.
    pub fn write(&self, out: &mut Vec<u8>) {
        let number: u32 = self.0.iter().map(|bits| bits.count_ones()).sum();
        if number as usize > MAX_LISTED {
            out.push(BITS);
            out.extend_from_slice(&self.0);
        } else {
            out.push(number as u8);
            self.places().for_each(|place| out.extend_from_slice(&(place as u16).to_le_bytes()));
        }
    }

    /// Reads what was stored, and returns it and what follows; `None` when the bytes make no sense.
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&first, rest) = bytes.split_first()?;
        if first == BITS {
            let (bits, rest) = rest.split_first_chunk()?;
            return Some((Self(*bits), rest));
        }
        let (places, rest) = rest.split_at_checked(usize::from(first) * size_of::<u16>())?;
        let mut numbers = Self::default();
        for place in places.as_chunks().0 {
            let place = usize::from(u16::from_le_bytes(*place));
            (place < ALL).then(|| numbers.add_place(place))?;
        }
        Some((numbers, rest))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_number_has_a_place_of_its_own() {
        let numbers: BTreeSet<String> = (0..ALL).map(number).collect();
        assert_eq!(numbers.len(), ALL);
        assert!(
            (0..ALL).all(|at| is_short_number(number(at).as_bytes()) && place(number(at).as_bytes()) == at)
        );
        assert!(["", "1000", "1a", "１"].iter().all(|word| !is_short_number(word.as_bytes())));
    }

    #[test]
    fn wrecks_are_no_numbers() {
        for wreck in [&[][..], &[BITS, 1, 2], &[2, 0, 0, 1], &[1, 0xff, 0xff]] {
            assert_eq!(ShortNumbers::read(wreck), None);
        }
    }

    proptest! {
        #[test]
        fn they_come_back_as_they_were(words in prop::collection::btree_set("[0-9]{1,3}", 0..150)) {
            let mut numbers = ShortNumbers::default();
            for word in &words { numbers.add(word.as_bytes()); }
            let mut stored = Vec::new();
            numbers.write(&mut stored);
            prop_assert!(stored.len() <= 1 + BYTES);
            stored.push(7);
            prop_assert_eq!(ShortNumbers::read(&stored), Some((numbers.clone(), &[7_u8][..])));
            prop_assert!(words.iter().all(|word| numbers.holds(word.as_bytes())));
            prop_assert_eq!(numbers.iter().collect::<BTreeSet<_>>(), words);
        }
    }
}

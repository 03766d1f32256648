//! Where in many lines an expression may hold, if it requires certain bytes.

use memchr::memmem::Finder;

use super::Expr;

/// Places of which every line that an expression holds for has one.
pub struct Places<'p> {
    lines: &'p [u8],
    finders: Vec<(&'p Finder<'static>, Option<usize>)>,
}

impl Expr {
    /// Returns the places in some lines where the expression may hold; `None`: anywhere.
    pub fn places<'p>(&'p self, lines: &'p [u8]) -> Option<Places<'p>> {
        let finders = self.required()?;
        let finders = finders.into_iter().map(|finder| (finder, finder.find(lines)));
        Some(Places { lines, finders: finders.collect() })
    }

    /// Returns finders of which one finds something in each line that the expression holds for; of several such choices the
    /// one with the longest bytes.
    fn required(&self) -> Option<Vec<&Finder<'static>>> {
        match self {
            Self::Substring(finder) => Some(vec![finder]),
            Self::Phrase(phrase) => Some(phrase.required().to_vec()),
            Self::And(terms) => {
                terms.iter().filter_map(Self::required).max_by_key(|finders| finders[0].needle().len())
            }
            _ => None,
        }
    }
}

impl Places<'_> {
    /// Returns the first place that is not before `from`. Each is asked for once, in order.
    pub fn next_from(&mut self, from: usize) -> Option<usize> {
        for (finder, place) in &mut self.finders {
            if place.is_some_and(|place| place < from) {
                *place = finder.find(&self.lines[from..]).map(|at| from + at);
            }
        }
        self.finders.iter().filter_map(|(_, place)| *place).min()
    }
}

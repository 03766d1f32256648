//! The word lists of the template rules. Changing one changes group ids: raise [`super::VERSION`].

use std::sync::LazyLock;

/// No word of the lists is longer.
const MAX_WORD_BYTES: usize = 16;

/// Lower-case words, each with the set of roles it has, for look-ups that ignore ASCII case.
struct Table {
    /// The lengths of the words that begin with a letter, as bits; most words of a message end here.
    lengths: [u32; 32],
    /// By hash; an empty slot has no role. Always a power of two, and at most half full.
    slots: Vec<(u128, u8)>,
}

impl Table {
    fn new(lists: &[(&str, u8)]) -> Self {
        let count: usize = lists.iter().map(|(list, _)| list.split(' ').count()).sum();
        let mut table = Self { lengths: [0; 32], slots: vec![(0, 0); (2 * count).next_power_of_two()] };
        for (list, role) in lists {
            for word in list.split(' ').map(str::as_bytes) {
                table.lengths[letter(word[0])] |= 1 << word.len();
                let slot = table.slot(packed(word));
                table.slots[slot] = (packed(word), table.slots[slot].1 | role);
            }
        }
        table
    }

    /// Returns the roles of a word, 0 if it has none.
    #[inline]
    fn roles(&self, word: &[u8]) -> u8 {
        let may_be = word.len() <= MAX_WORD_BYTES
            && word.first().is_some_and(|&first| self.lengths[letter(first)] & 1 << word.len() != 0);
        if may_be { self.slots[self.slot(packed(word))].1 } else { 0 }
    }

    /// The slot that holds a word, or the empty one where it would be.
    fn slot(&self, word: u128) -> usize {
        let mixed = (word as u64 ^ (word >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut at = (mixed >> 32) as usize & (self.slots.len() - 1);
        while self.slots[at].1 != 0 && self.slots[at].0 != word {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }
}

fn letter(byte: u8) -> usize {
    usize::from((byte | 0x20) & 31)
}

/// A short word in lower case as a number.
fn packed(word: &[u8]) -> u128 {
    let mut lower = [0; MAX_WORD_BYTES];
    lower[..word.len()].copy_from_slice(word);
    lower.make_ascii_lowercase();
    u128::from_le_bytes(lower)
}

/// A list of lower-case words, written with spaces between them.
struct Words(LazyLock<Table>);

impl Words {
    /// Returns whether the list holds `word`, ignoring ASCII case.
    fn holds(&self, word: &[u8]) -> bool {
        self.0.roles(word) != 0
    }
}

macro_rules! words {
    ($list:literal) => {
        Words(LazyLock::new(|| Table::new(&[($list, 1)])))
    };
}

/// A month, whole or short.
pub(super) const MONTH: u8 = 1;
/// A day of the week, whole or short.
pub(super) const DAY: u8 = 2;
/// A unit of measure, a time zone or a half of the day; it says nothing behind a variable.
pub(super) const UNIT: u8 = 4;
/// A noun that the name of somebody or something follows.
pub(super) const NAMING_NOUN: u8 = 8;
/// The word `for`.
pub(super) const FOR: u8 = 16;
/// A noun or a verb that what somebody entered follows in quotes.
pub(super) const QUOTING: u8 = 32;

/// What a word is to the rules; every word of a message is looked up here once.
pub(super) fn roles(word: &[u8]) -> u8 {
    ROLES.roles(word)
}

static ROLES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        (MONTHS, MONTH),
        (DAYS, DAY),
        (UNITS, UNIT),
        (NAMING_NOUNS, NAMING_NOUN),
        ("for", FOR),
        (QUOTING_WORDS, QUOTING),
    ])
});

const MONTHS: &str = "jan feb mar apr may jun jul aug sep sept oct nov dec january february march april june july august september october november december";
const DAYS: &str = "mon tue wed thu fri sat sun monday tuesday wednesday thursday friday saturday sunday";
const UNITS: &str = "b kb mb gb tb pb kib mib gib tib byte bytes bit bits kbytes mbytes ns us µs ms s sec secs second seconds min mins minute minutes h hr hrs hour hours day days msec msecs usec usecs millis millisecond milliseconds microsecond microseconds nanosecond nanoseconds % percent hz khz mhz ghz bps kbps mbps am pm utc gmt pst pdt est edt cst cdt mst mdt cet cest";
static NAMES_WITH_DIGITS: Words = words!(
    "ipv4 ipv6 utf8 utf-8 utf-16 utf16 md5 sha1 sha-1 sha256 sha-256 sha512 sha-512 base64 oauth2 s3 ec2 x509 log4j log4j2 http2 h2 k8s x86 x64 x86_64 amd64 arm64 i18n l10n int32 int64 uint32 uint64 float32 float64 iso8601 rfc3339 p2p b2b socks5 socks4"
);
static TELLING_KEYS: Words = words!(
    "reason error err errmsg status state cause type exception class method action op operation event result stat msg message code level severity kind"
);
static CODE_KEYS: Words = words!("code errorcode error_code exitcode exit_code errno sqlstate");
static STATUS_KEYS: Words = words!("statuscode status_code httpstatus http_status");
const NAMING_NOUNS: &str = "user username login account domain";
const QUOTING_WORDS: &str = "entry value string input literal token parsing";
static NO_NAMES: Words = words!(
    "from by on at in with to for is was has had does did not of and or as because due using via during after before failed cannot could unknown request requests agent error input data name id session authentication login not"
);
static TOP_LEVEL_DOMAINS: Words = words!(
    "com net org edu gov mil int io co ai app dev cloud info biz local internal lan home corp intranet svc cluster localdomain localhost arpa de uk fr jp cn ru br au ca us nl eu ch se no fi es pl kr tw hk sg il za mx ar cl cz be dk gr hu ie nz pt ro tr ua vn th my ph om"
);

/// Names that hold digits and vary no more than other names do.
pub(super) fn is_name_with_digits(word: &[u8]) -> bool {
    NAMES_WITH_DIGITS.holds(word)
}

/// Keys whose value tells errors apart.
pub(super) fn is_telling_key(word: &[u8]) -> bool {
    TELLING_KEYS.holds(word)
}

/// Keys of a code, a number that tells errors apart.
pub(super) fn is_code_key(word: &[u8]) -> bool {
    CODE_KEYS.holds(word)
}

/// Keys of the status of an HTTP response.
pub(super) fn is_status_key(word: &[u8]) -> bool {
    STATUS_KEYS.holds(word)
}

/// Words that are not a name, even behind such a noun.
pub(super) fn is_no_name(word: &[u8]) -> bool {
    NO_NAMES.holds(word)
}

/// Last labels of host names, in lower case.
pub(super) fn is_top_level_domain(label: &[u8]) -> bool {
    !label.iter().any(u8::is_ascii_uppercase) && TOP_LEVEL_DOMAINS.holds(label)
}

/// Separators between the items of a list of variables.
pub(super) fn is_separator(token: &[u8]) -> bool {
    match token {
        [byte] => b",:;/|-.#&+*~_@".contains(byte),
        _ => matches!(token, b"::" | b".." | b"..." | b"->" | b"--" | b"##"),
    }
}

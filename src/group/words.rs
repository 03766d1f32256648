//! The word lists of the template rules. Changing one changes group ids: raise [`super::VERSION`].

use std::collections::HashSet;
use std::sync::LazyLock;

/// No word of the lists is longer.
const MAX_WORD_BYTES: usize = 16;

/// A list of lower-case words, written with spaces between them.
struct Words(LazyLock<HashSet<&'static [u8]>>);

impl Words {
    /// Returns whether the list holds `word`, ignoring ASCII case.
    fn holds(&self, word: &[u8]) -> bool {
        let mut lower = [0; MAX_WORD_BYTES];
        lower.get_mut(..word.len()).is_some_and(|lower| {
            lower.copy_from_slice(word);
            lower.make_ascii_lowercase();
            self.0.contains(&*lower)
        })
    }
}

macro_rules! words {
    ($list:literal) => {
        Words(LazyLock::new(|| $list.split(' ').map(str::as_bytes).collect()))
    };
}

static MONTHS: Words = words!(
    "jan feb mar apr may jun jul aug sep sept oct nov dec january february march april june july august september october november december"
);
static DAYS: Words =
    words!("mon tue wed thu fri sat sun monday tuesday wednesday thursday friday saturday sunday");
static UNITS: Words = words!(
    "b kb mb gb tb pb kib mib gib tib byte bytes bit bits kbytes mbytes ns us µs ms s sec secs second seconds min mins minute minutes h hr hrs hour hours day days msec msecs usec usecs millis millisecond milliseconds microsecond microseconds nanosecond nanoseconds % percent hz khz mhz ghz bps kbps mbps am pm utc gmt pst pdt est edt cst cdt mst mdt cet cest"
);
static NAMES_WITH_DIGITS: Words = words!(
    "ipv4 ipv6 utf8 utf-8 utf-16 utf16 md5 sha1 sha-1 sha256 sha-256 sha512 sha-512 base64 oauth2 s3 ec2 x509 log4j log4j2 http2 h2 k8s x86 x64 x86_64 amd64 arm64 i18n l10n int32 int64 uint32 uint64 float32 float64 iso8601 rfc3339 p2p b2b socks5 socks4"
);
static TELLING_KEYS: Words = words!(
    "reason error err errmsg status state cause type exception class method action op operation event result stat msg message code level severity kind"
);
static CODE_KEYS: Words = words!("code errorcode error_code exitcode exit_code errno sqlstate");
static STATUS_KEYS: Words = words!("statuscode status_code httpstatus http_status");
static NAMING_NOUNS: Words = words!("user username login account domain");
static NO_NAMES: Words = words!(
    "from by on at in with to for is was has had does did not of and or as because due using via during after before failed cannot could unknown request requests agent error input data name id session authentication login not"
);
static TOP_LEVEL_DOMAINS: Words = words!(
    "com net org edu gov mil int io co ai app dev cloud info biz local internal lan home corp intranet svc cluster localdomain localhost arpa de uk fr jp cn ru br au ca us nl eu ch se no fi es pl kr tw hk sg il za mx ar cl cz be dk gr hu ie nz pt ro tr ua vn th my ph om"
);

pub(super) fn is_month(word: &[u8]) -> bool {
    (3..=9).contains(&word.len()) && MONTHS.holds(word)
}

pub(super) fn is_day(word: &[u8]) -> bool {
    (3..=9).contains(&word.len()) && DAYS.holds(word)
}

/// Units of measure, time zones and halves of the day; they say nothing behind a variable.
pub(super) fn is_unit(word: &[u8]) -> bool {
    UNITS.holds(word)
}

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

/// Nouns that the name of somebody or something follows.
pub(super) fn is_naming_noun(word: &[u8]) -> bool {
    NAMING_NOUNS.holds(word)
}

/// Words that are no name even behind such a noun.
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

//! Requests to stores, counted.

/// The requests that a store has sent, retries included, and the bytes received and sent in bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Requests {
    /// Listing requests.
    pub list: u64,
    /// Object reads.
    pub get: u64,
    /// Object writes and deletes.
    pub put: u64,
    /// Bytes received in bodies.
    pub received_bytes: u64,
    /// Bytes sent in bodies.
    pub sent_bytes: u64,
}

impl Requests {
    /// Adds those of another store.
    pub fn add(&mut self, other: &Self) {
        self.list += other.list;
        self.get += other.get;
        self.put += other.put;
        self.received_bytes += other.received_bytes;
        self.sent_bytes += other.sent_bytes;
    }
}

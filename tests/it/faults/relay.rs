//! A relay in front of an S3 server that spoils a part of what passes. Which requests, a hash decides: of the seed, the
//! request line and how often it came, so that a run can be repeated; or without the last, so that a request that is
//! hit stays hit however often it is tried.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How continuation tokens of the relay's own begin.
pub(crate) const OWN_TOKEN: &str = "relay-page-";

/// An answer, read whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What goes to the client: pieces of bytes with waits between them; then the connection ends.
pub(crate) struct Sent {
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) wait: Duration,
    /// Send nothing more, but keep the connection.
    pub(crate) hold: bool,
}

/// A request as a fault sees it.
pub(crate) struct Asked<'a> {
    pub(crate) target: &'a str,
    /// The request line and the headers.
    pub(crate) head: &'a str,
    /// A number that depends on the seed and the request alone.
    pub(crate) random: u64,
}

/// What spoils an answer.
pub(crate) type Spoil = dyn Fn(&Asked<'_>, Answer) -> Sent + Send + Sync;

/// Which requests are hit.
#[derive(Clone, Copy)]
pub(crate) struct Aim {
    pub(crate) percent: u64,
    pub(crate) seed: u64,
    /// Whether a request that is hit stays hit.
    pub(crate) sticks: bool,
    pub(crate) lists: bool,
    pub(crate) gets: bool,
}

/// A running relay.
pub(crate) struct Relay {
    pub(crate) endpoint: String,
    calm: Arc<AtomicBool>,
    hits: Arc<AtomicU64>,
}

struct Inner {
    server: SocketAddr,
    aim: Aim,
    /// Which requests may be hit at all, by their target.
    only: Box<dyn Fn(&str) -> bool + Send + Sync>,
    spoil: Arc<Spoil>,
    seen: Mutex<HashMap<String, u64>>,
    calm: Arc<AtomicBool>,
    hits: Arc<AtomicU64>,
}

impl Relay {
    pub(crate) fn start(server: &str, aim: Aim, spoil: Arc<Spoil>) -> Self {
        Self::start_for(server, aim, |_| true, spoil)
    }

    /// Hits every request whose target fits.
    pub(crate) fn start_where(
        server: &str,
        only: impl Fn(&str) -> bool + Send + Sync + 'static,
        spoil: Arc<Spoil>,
    ) -> Self {
        let aim = Aim { percent: 100, seed: 0, sticks: true, lists: true, gets: true };
        Self::start_for(server, aim, only, spoil)
    }

    fn start_for(
        server: &str,
        aim: Aim,
        only: impl Fn(&str) -> bool + Send + Sync + 'static,
        spoil: Arc<Spoil>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let relay = Self { endpoint, calm: Arc::default(), hits: Arc::default() };
        let inner = Arc::new(Inner {
            server: server.trim_start_matches("http://").parse().unwrap(),
            aim,
            only: Box::new(only),
            spoil,
            seen: Mutex::default(),
            calm: Arc::clone(&relay.calm),
            hits: Arc::clone(&relay.hits),
        });
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let inner = Arc::clone(&inner);
                thread::spawn(move || inner.serve(client));
            }
        });
        relay
    }

    /// Lets everything pass as it is from now on.
    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    /// Returns how many requests were hit.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }
}

impl Inner {
    fn serve(&self, client: TcpStream) -> Option<()> {
        let mut requests = BufReader::new(client.try_clone().ok()?);
        let mut client = client;
        loop {
            let head = head_of(&mut requests).ok().filter(|head| !head.is_empty())?;
            let target = head.split(' ').nth(1)?.to_owned();
            let answer = self.ask(&head).ok()?;
            let Some(random) = self.is_hit(&target) else {
                client.write_all(&answer.bytes()).ok()?;
                continue;
            };
            self.hits.fetch_add(1, Ordering::SeqCst);
            let asked = Asked { target: &target, head: &head, random };
            let sent = (self.spoil)(&asked, answer);
            for piece in sent.pieces {
                client.write_all(&piece).ok()?;
                thread::sleep(sent.wait);
            }
            if sent.hold {
                // Until the client leaves.
                io::copy(&mut requests, &mut io::sink()).ok();
            }
            return None;
        }
    }

    /// Asks the server; none of the requests that pass has a body.
    fn ask(&self, head: &str) -> io::Result<Answer> {
        let mut upstream = TcpStream::connect(self.server)?;
        upstream.write_all(head.as_bytes())?;
        Answer::read(&mut BufReader::new(upstream))
    }

    /// Returns a random number for a request that is hit.
    fn is_hit(&self, target: &str) -> Option<u64> {
        let aim = self.aim;
        // What goes on with a page that the fault began.
        if target.contains(OWN_TOKEN) {
            return Some(0);
        }
        let is_aimed = if is_list(target) { aim.lists } else { aim.gets };
        if !is_aimed || !(self.only)(target) || self.calm.load(Ordering::SeqCst) {
            return None;
        }
        let mut seen = self.seen.lock().unwrap();
        let times = seen.entry(target.to_owned()).or_default();
        *times += 1;
        let times = if aim.sticks { 0 } else { *times };
        let hash = blake3::hash(format!("{} {times} {target}", aim.seed).as_bytes());
        let number = |at: usize| u64::from_le_bytes(hash.as_bytes()[at..at + 8].try_into().unwrap());
        (number(0) % 100 < aim.percent).then(|| number(8))
    }
}

/// Returns whether a request is for a listing.
pub(crate) fn is_list(target: &str) -> bool {
    target.contains("list-type=2")
}

/// Reads up to and including the empty line; empty at the end.
fn head_of(from: &mut impl io::BufRead) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head)? == 0 {
            return Ok(String::new());
        }
    }
    Ok(head)
}

impl Answer {
    pub(crate) fn new(status: &str, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self { status: status.to_owned(), headers, body: body.as_ref().to_vec() }
    }

    fn read(from: &mut BufReader<TcpStream>) -> io::Result<Self> {
        let head = head_of(from)?;
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default().trim_start_matches("HTTP/1.1 ").to_owned();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut answer = Self { status, headers, body: Vec::new() };
        if let Some(length) = answer.header("content-length") {
            answer.body = vec![0; length.parse().map_err(io::Error::other)?];
            from.read_exact(&mut answer.body)?;
        } else if answer.header("transfer-encoding").is_some() {
            answer.read_chunks(from)?;
        }
        answer.headers.retain(|(name, _)| {
            !["content-length", "transfer-encoding"].contains(&name.to_lowercase().as_str())
        });
        Ok(answer)
    }

    fn read_chunks(&mut self, from: &mut BufReader<TcpStream>) -> io::Result<()> {
        loop {
            let mut size = String::new();
            from.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            from.read_exact(&mut chunk)?;
            if size == 0 {
                return Ok(());
            }
            self.body.extend_from_slice(&chunk[..size]);
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns status and headers as they go over the wire.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        (head + "\r\n").into_bytes()
    }

    /// Returns the answer with its right length.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = self.body.len().to_string();
        let mut bytes = self.clone().with("Content-Length", &length).head();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

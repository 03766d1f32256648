//! A real SMTP server in this process: sockets, TLS and threads around mailin's protocol, on 127.0.0.1.
//! It takes mails, or misbehaves as its script says.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use mailin::response::{INVALID_CREDENTIALS, OK};
use mailin::{Action, AuthMechanism, Handler, Response, Session, SessionBuilder};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The user and password that the server knows.
pub(crate) const USER: &str = "ops@example.com";
pub(crate) const PASSWORD: &str = "p@ss:word/ü";

/// How connections are secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Security {
    #[default]
    Plain,
    Starttls,
    Tls,
}

/// What the server does.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) security: Security,
    /// Asks for [`USER`] and [`PASSWORD`] by this mechanism.
    pub(crate) auth: Option<AuthMechanism>,
    /// Answers to recipients that are not taken.
    pub(crate) refuse: Vec<(&'static str, u16, &'static str)>,
    /// Answers to contents, one a mail; 250 after the last.
    pub(crate) content_answers: Vec<(u16, &'static str)>,
    /// Breaks off after this many contents instead of answering.
    pub(crate) drops: usize,
    /// Takes the mails whose contents it does not answer.
    pub(crate) takes_before_dropping: bool,
    /// Takes connections and never says a word.
    pub(crate) silent: bool,
}

/// A mail that the server took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) eml: Vec<u8>,
    pub(crate) encrypted: bool,
    pub(crate) user: Option<String>,
}

/// A running server; stops when dropped.
pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    folder: tempfile::TempDir,
}

struct Shared {
    script: Script,
    tls: Arc<ServerConfig>,
    mails: Mutex<Vec<Received>>,
    contents: AtomicUsize,
    connections: AtomicUsize,
    stopping: AtomicBool,
}

impl SmtpServer {
    pub(crate) fn start(script: Script) -> Self {
        Self::start_at(0, script)
    }

    /// Starts a server on a port that [`closed_port`] named: one that was down until now.
    pub(crate) fn start_at(port: u16, script: Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (tls, ca_pem) = certificates();
        std::fs::write(folder.path().join("ca.pem"), ca_pem).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            script,
            tls,
            mails: Mutex::default(),
            contents: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { port, shared, acceptor: Some(acceptor), folder }
    }

    /// Returns the authority that signed the server's certificate, as a PEM file.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Returns the mails taken so far.
    pub(crate) fn mails(&self) -> Vec<Received> {
        self.shared.mails.lock().unwrap().clone()
    }

    /// Returns how often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Makes an authority and a certificate of it for `localhost` (rustls takes no authority as a server's own).
fn certificates() -> (Arc<ServerConfig>, String) {
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = rcgen::CertifiedIssuer::self_signed(ca, rcgen::KeyPair::generate().unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &ca).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (Arc::new(config), ca.pem())
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut silenced = Vec::new();
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let stream = stream.unwrap();
        if shared.script.silent {
            silenced.push(stream);
            continue;
        }
        let shared = Arc::clone(shared);
        // A client that breaks off ends its own conversation only.
        thread::spawn(move || drop(converse(stream, &shared)));
    }
}

/// One conversation.
fn converse(stream: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let script = &shared.script;
    let mut builder = SessionBuilder::new("mail.test");
    if script.security == Security::Starttls {
        builder.enable_start_tls();
    }
    if let Some(mechanism) = &script.auth {
        builder.enable_auth(mechanism.clone());
        if script.security == Security::Plain {
            builder.insecure_enable_plaintext_auth();
        }
    }
    let desk = Desk {
        shared: Arc::clone(shared),
        current: Received::default(),
        dropping: Arc::default(),
        closing: Arc::default(),
    };
    let (dropping, closing) = (Arc::clone(&desk.dropping), Arc::clone(&desk.closing));
    let mut session = builder.build(IpAddr::V4(Ipv4Addr::LOCALHOST), desk);
    let mut wire = if script.security == Security::Tls {
        session.tls_active();
        Wire::tls(stream, shared)?
    } else {
        Wire::Plain(stream)
    };
    session.greeting().write_to(&mut wire)?;
    wire.flush()?;
    loop {
        match talk(&mut wire, &mut session, &dropping, &closing)? {
            Action::UpgradeTls => {
                let Wire::Plain(stream) = wire else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                wire = Wire::tls(stream, shared)?;
                session.tls_active();
            }
            _ => return Ok(()),
        }
    }
}

/// Talks until TLS is asked for or the end, and returns which.
fn talk(
    wire: &mut Wire,
    session: &mut Session<Desk>,
    dropping: &AtomicBool,
    closing: &AtomicBool,
) -> io::Result<Action> {
    let mut reader = BufReader::new(wire);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(Action::Close);
        }
        let response = session.process(&line);
        if dropping.load(Ordering::SeqCst) {
            return Ok(Action::Close);
        }
        if response.action != Action::NoReply {
            response.write_to(reader.get_mut())?;
            reader.get_mut().flush()?;
        }
        match response.action {
            _ if closing.load(Ordering::SeqCst) => return Ok(Action::Close),
            Action::UpgradeTls | Action::Close => return Ok(response.action),
            Action::NoReply | Action::Reply => {}
        }
    }
}

/// A connection, encrypted or not.
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    fn tls(stream: TcpStream, shared: &Shared) -> io::Result<Self> {
        let connection = ServerConnection::new(Arc::clone(&shared.tls)).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, stream))))
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// Decides as the script says.
struct Desk {
    shared: Arc<Shared>,
    current: Received,
    dropping: Arc<AtomicBool>,
    closing: Arc<AtomicBool>,
}

impl Desk {
    fn sign_in(&mut self, user: &str, password: &str) -> Response {
        if (user, password) == (USER, PASSWORD) {
            self.current.user = Some(user.to_owned());
            Response::custom(235, "Authentication succeeded".to_owned())
        } else {
            INVALID_CREDENTIALS
        }
    }
}

impl Handler for Desk {
    fn auth_plain(&mut self, _authorization: &str, user: &str, password: &str) -> Response {
        self.sign_in(user, password)
    }

    fn auth_login(&mut self, user: &str, password: &str) -> Response {
        self.sign_in(user, password)
    }

    fn mail(&mut self, _ip: IpAddr, _domain: &str, from: &str) -> Response {
        from.clone_into(&mut self.current.from);
        OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        let mut refusals = self.shared.script.refuse.iter();
        if let Some(&(_, code, text)) = refusals.find(|(address, _, _)| *address == to) {
            return Response::custom(code, text.to_owned());
        }
        self.current.to.push(to.to_owned());
        OK
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.current.eml.extend_from_slice(bytes);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let script = &self.shared.script;
        let number = self.shared.contents.fetch_add(1, Ordering::SeqCst);
        if number < script.drops {
            self.dropping.store(true, Ordering::SeqCst);
            if !script.takes_before_dropping {
                return OK;
            }
        }
        if let Some(&(code, text)) = script.content_answers.get(number) {
            // After an error mailin would go on reading content.
            self.closing.store(true, Ordering::SeqCst);
            return Response::custom(code, text.to_owned());
        }
        self.current.encrypted = script.security != Security::Plain;
        self.shared.mails.lock().unwrap().push(self.current.clone());
        OK
    }
}

/// Returns a port on which nothing listens.
pub(crate) fn closed_port() -> u16 {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    listener.local_addr().unwrap().port()
}

//! Real servers for the tests, each started once a test process, on 127.0.0.1 with free ports:
//! SeaweedFS (S3, checks signatures) and moto (AWS as its SDKs know it: S3, SES v2 and more).
//! `tests/run` installs them; without them a test fails and says so, it is never skipped.
//!
//! No server outlives the tests, not even after `kill -9`: each runs under a small wrapper whose
//! standard input is a pipe from this process. When the pipe closes, the wrapper kills the server by
//! its process id and removes its folder.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// The access key that SeaweedFS knows; moto takes any.
pub(crate) const ACCESS_KEY: &str = "gzette-test";
/// Its secret.
pub(crate) const SECRET_KEY: &str = "gzette-test-secret";

/// How long a server may take until it answers, on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(90);
/// How often a start is tried: another process may take a free port before the server does.
const START_TRIES: usize = 3;

const WRAPPER: &str = r"
import glob, os, re, shutil, subprocess, sys, threading
folder, command = sys.argv[1], sys.argv[2:]
log = open(os.path.join(folder, 'log'), 'wb')
server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
def watch():
    server.wait()
    os.close(1)
threading.Thread(target=watch, daemon=True).start()
sys.stdin.buffer.read()
server.kill()
server.wait()
shutil.rmtree(folder, ignore_errors=True)
# SeaweedFS makes sockets outside its folder, named by port.
for port in re.findall(r'port[.a-z0-9]*=(\d+)', ' '.join(command)):
    for socket in glob.glob(f'/tmp/seaweedfs-*-{port}.sock'):
        os.remove(socket)
os._exit(0)
";

/// A running server.
pub(crate) struct Server {
    /// Where it listens: `http://127.0.0.1:port`.
    pub(crate) endpoint: String,
    /// Holds the pipe that keeps the server alive.
    _wrapper: Child,
}

/// Returns SeaweedFS' S3 gateway; it accepts [`ACCESS_KEY`] with [`SECRET_KEY`] only.
pub(crate) fn seaweedfs() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start_with_tries("weed", seaweedfs_command, "/healthz"))
}

/// Returns moto, which takes any credentials and answers for every AWS service.
pub(crate) fn moto() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start_with_tries("moto_server", moto_command, "/moto-api/data.json"))
}

/// Returns the folder that `tests/run` fills with what the tests need.
pub(crate) fn tools_dir() -> PathBuf {
    let named = |name: &str| env_var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("GZETTE_TEST_TOOLS")
        .or_else(|| named("HOME").map(|home| home.join(".cache/gzette-tests")))
        .expect("neither GZETTE_TEST_TOOLS nor HOME is set")
}

/// Returns the path of a program in the tools' Python environment.
pub(crate) fn tool(name: &str) -> PathBuf {
    let path = tools_dir().join("venv/bin").join(name);
    assert!(
        path.exists(),
        "`{}` is not there: run `tests/run` once, it installs what the tests need",
        path.display()
    );
    path
}

#[expect(clippy::disallowed_methods, reason = "tests find their tools by the environment")]
fn env_var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The command line of a server that is to use `folder` and listen on the given port.
type CommandFor = fn(program: &Path, folder: &Path, port: u16) -> Command;

fn seaweedfs_command(program: &Path, folder: &Path, port: u16) -> Command {
    let identities = format!(
        r#"{{"identities":[{{"name":"test","credentials":[{{"accessKey":"{ACCESS_KEY}","secretKey":"{SECRET_KEY}"}}],"actions":["Admin","Read","List","Tagging","Write"]}}]}}"#
    );
    fs::write(folder.join("s3.json"), identities).unwrap();
    // A bucket is a collection with volumes of its own: one each, and room for those of all tests.
    fs::write(folder.join("master.toml"), "[master.volume_growth]\ncopy_1 = 1\n").unwrap();
    fs::create_dir(folder.join("data")).unwrap();
    let mut command = Command::new(program);
    command.args("server -ip=127.0.0.1 -ip.bind=127.0.0.1 -dir=data -volume.max=1000 -filer -s3".split(' '));
    command
        .args("-master.telemetry=false -master.volumeSizeLimitMB=64 -s3.autoCreateBucket=false".split(' '));
    command.args("-s3.config=s3.json -s3.port.iceberg=0 -s3.port.lance=0".split(' '));
    command.arg(format!("-s3.port={port}"));
    let flags =
        "master.port master.port.grpc volume.port volume.port.grpc filer.port filer.port.grpc s3.port.grpc";
    for (flag, port) in flags.split(' ').zip(free_ports::<7>()) {
        command.arg(format!("-{flag}={port}"));
    }
    command
}

fn moto_command(program: &Path, _folder: &Path, port: u16) -> Command {
    let mut command = Command::new(program);
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    command
}

fn start_with_tries(program: &str, command_for: CommandFor, ready_path: &str) -> Server {
    let program = tool(program);
    let mut failures = String::new();
    for _ in 0..START_TRIES {
        match start(&program, command_for, ready_path) {
            Ok(server) => return server,
            Err(failure) => writeln!(failures, "{failure}").unwrap(),
        }
    }
    panic!("`{}` does not start:\n{failures}", program.display());
}

fn start(program: &Path, command_for: CommandFor, ready_path: &str) -> Result<Server, String> {
    let folder = tempfile::Builder::new().prefix("gzette-server-").tempdir().unwrap().keep();
    let [port] = free_ports();
    let command = command_for(program, &folder, port);
    let mut wrapper = Command::new(tool("python3"))
        .args(["-c", WRAPPER])
        .arg(&folder)
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C at the terminal must end the tests, not the wrapper before it has cleaned up.
        .process_group(0)
        .spawn()
        .map_err(|error| error.to_string())?;
    let ended = when_it_ends(&mut wrapper);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let begun = Instant::now();
    while !answers(address, ready_path) {
        if ended.is_finished() || begun.elapsed() > START_LIMIT {
            return Err(last_lines(&folder.join("log")));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(Server { endpoint: format!("http://{address}"), _wrapper: wrapper })
}

/// Returns a thread that ends when the server does.
fn when_it_ends(wrapper: &mut Child) -> thread::JoinHandle<()> {
    let mut reports = wrapper.stdout.take().unwrap();
    thread::spawn(move || {
        reports.read_to_end(&mut Vec::new()).ok();
    })
}

/// Returns whether the server answers `path` with 200.
fn answers(address: SocketAddr, path: &str) -> bool {
    status_of(address, path).is_ok_and(|status| status.starts_with("HTTP/1.1 200"))
}

fn status_of(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Returns ports that are free at this moment, all different.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

#[test]
fn both_servers_answer() {
    for server in [seaweedfs(), moto()] {
        let address = server.endpoint.trim_start_matches("http://").parse().unwrap();
        let status = status_of(address, "/").unwrap();
        assert!(status.starts_with("HTTP/1.1 "), "{}: {status}", server.endpoint);
    }
}

//! The pipeline from a real bucket to a real bucket, with what went over the wire beside what gzette says of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use gzette::edges::store::{ObjectStore as _, PutOptions, S3Store};
use gzette_core::model::{HOUR_MS, MINUTE_MS};
use serde_json::{Value, json};

use super::NEEDLES;
use crate::servers::{ACCESS_KEY, SECRET_KEY, seaweedfs, tool};
use crate::store::options_for;
use crate::support::{NOON_MS, Project, decoded, files_below, text_of};

/// A project whose objects are in a bucket below `logs/`.
pub(crate) struct Cloud {
    pub(crate) project: Project,
    bucket: S3Store,
    runtime: tokio::runtime::Runtime,
}

impl Cloud {
    /// Returns a project with a new, empty bucket of that name.
    pub(crate) fn new(name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bucket = runtime.block_on(S3Store::connect(name, &options_for(seaweedfs())));
        runtime.block_on(bucket.create_bucket()).unwrap();
        Self { project: Self::client(name, &seaweedfs().endpoint), bucket, runtime }
    }

    /// Returns an empty project that reads a bucket through an endpoint.
    pub(crate) fn client(bucket: &str, endpoint: &str) -> Project {
        let mut project = Project::new();
        project.reconfigure("url = \"logs/\"", &format!("url = \"s3://{bucket}/logs/\""));
        project.set_env("AWS_ENDPOINT_URL", endpoint);
        project.set_env("AWS_ACCESS_KEY_ID", ACCESS_KEY);
        project.set_env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        project.set_env("AWS_REGION", "us-east-1");
        project
    }

    /// Puts the objects of the folder into the bucket.
    pub(crate) fn upload(&mut self) {
        let options = PutOptions { content_encoding: Some("gzip".to_owned()), ..PutOptions::default() };
        for (key, stored) in files_below(&self.project.path("logs")) {
            self.runtime.block_on(self.bucket.put(&format!("logs/{key}"), stored, &options)).unwrap();
        }
    }

    /// Deletes an object from the bucket and the folder.
    pub(crate) fn delete(&mut self, key: &str) {
        self.runtime.block_on(self.bucket.delete(&format!("logs/{key}"))).unwrap();
        fs::remove_file(self.project.path("logs").join(key)).unwrap();
    }
}

/// A relay in front of a server that notes the request lines.
struct Wire {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    fn to(endpoint: &str) -> Self {
        let server: SocketAddr = endpoint.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::default();
        let noted = Arc::clone(&requests);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(server) else { return };
                let (back, forth) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                let noted = Arc::clone(&noted);
                thread::spawn(move || relay(client, upstream, |bytes| note(bytes, &noted)));
                thread::spawn(move || relay(forth, back, |_| ()));
            }
        });
        Self { endpoint, requests }
    }

    /// Returns the requests since the last time, as `GET /bucket/key?...`.
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, see: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        see(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Each read begins with a request: the client waits for an answer before it sends the next.
fn note(bytes: &[u8], requests: &Mutex<Vec<String>>) {
    let line = bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
    if let Some(request) = line.strip_suffix(b" HTTP/1.1") {
        requests.lock().unwrap().push(String::from_utf8_lossy(request).into_owned());
    }
}

/// Returns how many requests of the wire list, get and put.
fn counted(requests: &[String]) -> Value {
    let of = |is: &dyn Fn(&str) -> bool| requests.iter().filter(|request| is(request)).count();
    json!({
        "list": of(&|request| request.starts_with("GET ") && request.contains("list-type=2")),
        "get": of(&|request| request.starts_with("GET ") && !request.contains("list-type=2")),
        "put": of(&|request| request.starts_with("PUT ") || request.starts_with("DELETE ")),
    })
}

fn of_summary(summary: &Value) -> Value {
    let requests = &summary["requests"];
    json!({ "list": requests["list"], "get": requests["get"], "put": requests["put"] })
}

/// What the bucket says of a published file, through another client than gzette's.
fn heads_and_bodies(bucket: &str) -> BTreeMap<String, Value> {
    const SCRIPT: &str = r"
import base64, boto3, json, sys
s3 = boto3.client('s3', endpoint_url=sys.argv[1], aws_access_key_id=sys.argv[2],
                  aws_secret_access_key=sys.argv[3], region_name='us-east-1')
found = {}
for page in s3.get_paginator('list_objects_v2').paginate(Bucket=sys.argv[4]):
    for entry in page.get('Contents', []):
        answer = s3.get_object(Bucket=sys.argv[4], Key=entry['Key'])
        found[entry['Key']] = {'type': answer['ContentType'], 'cache': answer.get('CacheControl'),
                               'encoding': answer.get('ContentEncoding'), 'body': list(answer['Body'].read())}
print(json.dumps(found))
";
    let mut command = Command::new(tool("python3"));
    command.args(["-c", SCRIPT, &seaweedfs().endpoint, ACCESS_KEY, SECRET_KEY, bucket]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_bucket_is_read_and_the_site_published_to_another() {
    let mut cloud = Cloud::new("e2e-logs");
    let target = Cloud::new("e2e-site");
    let wire = Wire::to(&seaweedfs().endpoint);
    cloud.project.set_env("AWS_ENDPOINT_URL", &wire.endpoint);
    cloud.project.reconfigure("[site]", "[site]\npublish = \"s3://e2e-site/errors/\"");
    cloud.project.put_week();
    cloud.upload();

    let summary = cloud.project.gzette("run --json").exits(0).json();
    let requests = wire.taken();
    assert_eq!(of_summary(&summary), counted(&requests));
    let site = site_of(&cloud.project);
    assert_eq!(counted(&requests), json!({ "list": 1 + 3 + 21, "get": 42, "put": site.len() }));
    let puts: Vec<&String> = requests.iter().filter(|request| request.starts_with("PUT ")).collect();
    assert!(puts.last().unwrap().starts_with("PUT /e2e-site/errors/index.html"), "{puts:?}");
    cloud.project.counts_what_is_there();
    cloud.project.verifies();
    cloud.project.finds_what_is_there(NEEDLES);
    assert_eq!(cloud.project.gzette("status --json").json()["requests"], counted(&requests));
    is_published(&site, &target);

    // Idle: listings, and what the pages say of the run itself.
    cloud.project.now_ms += 10 * MINUTE_MS;
    let summary = cloud.project.gzette("run --json").exits(0).json();
    let requests = wire.taken();
    assert_eq!(of_summary(&summary), counted(&requests));
    let after = site_of(&cloud.project);
    let changed = after.iter().filter(|(name, bytes)| site.get(*name) != Some(bytes)).count();
    assert_eq!(counted(&requests), json!({ "list": 1 + 3 + 15, "get": 0, "put": changed }));
    assert!(changed < after.len() / 2, "{changed} of {} files changed", after.len());
    is_published(&after, &target);

    // News: one object more, its listing and its pages.
    cloud.project.put("api/20260301/more.gz", text_of("more", NOON_MS - HOUR_MS, 30));
    cloud.upload();
    let summary = cloud.project.gzette("run --json").exits(0).json();
    assert_eq!(of_summary(&summary), counted(&wire.taken()));
    assert_eq!(summary["objects"]["new"], 1);
    is_published(&site_of(&cloud.project), &target);
    cloud.project.counts_what_is_there();
    cloud.project.verifies();
}

/// Returns the site's files without the list of them that is kept beside them.
fn site_of(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let mut files = files_below(&project.path("site"));
    files.retain(|name, _| !name.starts_with('.'));
    files
}

/// Requires that the bucket holds the site, byte for byte, and tells browsers how to take it.
fn is_published(site: &BTreeMap<String, Vec<u8>>, target: &Cloud) {
    let published = heads_and_bodies("e2e-site");
    let names: Vec<_> = site.keys().map(|name| format!("errors/{name}")).collect();
    assert_eq!(published.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    for (name, bytes) in site {
        let file = &published[&format!("errors/{name}")];
        let stored: Vec<u8> = serde_json::from_value(file["body"].clone()).unwrap();
        assert_eq!(file["encoding"], "gzip", "{name}");
        assert!(decoded(&stored) == *bytes, "{name} is another");
        let content_type = match name.rsplit('.').next().unwrap() {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("what is a .{other}?"),
        };
        assert_eq!(file["type"], content_type, "{name}");
        let hashed = name.starts_with("assets/")
            && name
                .split(['.', '-'])
                .any(|part| part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let cache = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        assert_eq!(file["cache"], cache, "{name}");
    }
    assert!(!target.project.path("site").exists());
}

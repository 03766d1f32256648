//! Each refusal of a server comes with a hint, in the words of the command.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use jiff::Timestamp;

use crate::support::Project;

/// A page that lists one object.
const PAGE: &str = "<?xml version=\"1.0\"?><ListBucketResult><Name>b</Name><Prefix>logs/</Prefix><KeyCount>1</KeyCount>\
    <IsTruncated>false</IsTruncated><EncodingType>url</EncodingType><Contents><Key>logs/api_1.gz</Key>\
    <LastModified>2026-03-01T11:00:00.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>\
    <Size>31</Size></Contents></ListBucketResult>";

/// What a server answers: status, header lines, body.
type Answer = (u16, String, String);

/// Starts a server that answers each request, `GET /b?list-type=2...`, by a function; returns its address.
fn server(answer: impl Fn(&str) -> Answer + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(client.try_clone().unwrap());
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) <= 2 {
                    break;
                }
                lines.push(line);
            }
            let length = lines.iter().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
            });
            std::io::copy(&mut reader.by_ref().take(length.unwrap_or(0)), &mut std::io::sink()).unwrap();
            let (status, headers, body) = answer(lines.first().map_or("", String::as_str));
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} Said\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let mut client = client;
            // A client may have heard enough.
            let _ = client.write_all((head + &body).as_bytes());
        }
    });
    format!("http://{address}")
}

fn refused(code: &str, message: &str) -> Answer {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    (403, "Content-Type: application/xml\r\n".to_owned(), body)
}

/// Returns a project that reads a bucket of a server.
fn reads(endpoint: &str) -> Project {
    let mut project = Project::new();
    project.reconfigure("url = \"logs/\"", "url = \"s3://b/logs/\"\nlayout = \"{app}_{*}.gz\"");
    project.set_env("AWS_ENDPOINT_URL", endpoint);
    for (name, value) in [("ACCESS_KEY_ID", "any"), ("SECRET_ACCESS_KEY", "any"), ("REGION", "eu-central-1")]
    {
        project.set_env(&format!("AWS_{name}"), value);
    }
    project
}

fn hints(stderr: &str) -> Vec<&str> {
    stderr.lines().filter_map(|line| line.strip_prefix("hint      ")).collect()
}

/// It was reported as wrong credentials.
#[test]
fn a_clock_that_is_off_is_no_matter_of_credentials() {
    let endpoint = server(|_| {
        let hour = 3 * 3_600;
        #[expect(clippy::disallowed_methods, reason = "a server has a clock of its own")]
        let date = Timestamp::now().as_second() - hour - 60;
        let date = Timestamp::from_second(date).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT");
        let (status, headers, body) = refused("RequestTimeTooSkewed", "The difference is too large.");
        (status, format!("{headers}Date: {date}\r\n"), body)
    });
    for command in ["run", "sync"] {
        let outcome = reads(&endpoint).gzette(command).exits(2);
        outcome.says(&["RequestTimeTooSkewed"], "clock is 3 hours ahead of the server's; set it");
    }
}

#[test]
fn a_denied_listing_names_the_permission() {
    let endpoint = server(|_| refused("AccessDenied", "Access Denied"));
    let run = reads(&endpoint).gzette("run").exits(1);
    run.says(&["list `s3://b/logs/`", "AccessDenied"], "s3:ListBucket on the bucket");
}

#[test]
fn a_denied_object_names_the_permission_and_that_of_its_key() {
    for (message, expected) in [
        ("Access Denied", "s3:GetObject on the objects"),
        ("User is not authorized to perform: kms:Decrypt", "kms:Decrypt on the KMS key"),
    ] {
        let endpoint = server(move |request| {
            if request.contains("list-type=2") {
                (200, "Content-Type: application/xml\r\n".to_owned(), PAGE.to_owned())
            } else {
                refused("AccessDenied", message)
            }
        });
        let run = reads(&endpoint).gzette("run").exits(3);
        let hints = hints(&run.stderr);
        assert!(hints.len() == 1 && hints[0].contains(expected), "{}", run.stderr);
    }
}

#[test]
fn a_denied_site_and_a_denied_mail_name_the_permissions() {
    let endpoint = server(|request| {
        if request.starts_with("POST ") {
            let headers = "Content-Type: application/json\r\nx-amzn-errortype: AccessDeniedException\r\n";
            (403, headers.to_owned(), r#"{"message":"not authorized"}"#.to_owned())
        } else {
            refused("AccessDenied", "Access Denied")
        }
    });
    let mut project = Project::new();
    project.put_week();
    project.reconfigure("[site]\n", "[site]\npublish = \"s3://b/errors/\"\n");
    project.reconfigure("from =", "transport = \"ses\"\nfrom =");
    project.set_env("AWS_ENDPOINT_URL", &endpoint);
    for (name, value) in [("ACCESS_KEY_ID", "any"), ("SECRET_ACCESS_KEY", "any"), ("REGION", "eu-central-1")]
    {
        project.set_env(&format!("AWS_{name}"), value);
    }
    let run = project.gzette("run").exits(3);
    let hints = hints(&run.stderr).join("\n");
    assert!(hints.contains("s3:PutObject on the objects"), "{}", run.stderr);
    assert!(hints.contains("ses:SendRawEmail"), "{}", run.stderr);
}

/// It was reported as "IMDS is disabled".
#[test]
fn a_misspelt_profile_is_named_with_the_one_that_was_meant() {
    let mut project = reads("http://127.0.0.1:9");
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        project.unset_env(name);
    }
    fs::create_dir(project.path(".aws")).unwrap();
    fs::write(project.path(".aws/config"), "[profile prod]\nregion = eu-west-1\n[profile test]\n").unwrap();
    let expected =
        ["found no AWS profile `prdo` in `~/.aws/config` and `~/.aws/credentials`", "did you mean `prod`?"];
    project.set_env("AWS_PROFILE", "prdo");
    project.gzette("run").exits(2).says(&expected, "AWS_PROFILE");
    project.unset_env("AWS_PROFILE");
    project.reconfigure("layout =", "profile = \"prdo\"\nlayout =");
    project.gzette("run").exits(2).says(&expected, "AWS_PROFILE");
}

//! `recant report RUN --serve`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::common::study::Desk;
use crate::{copy, finished};

/// A server that ends with the test.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn of(desk: &Desk, run: &str) -> Self {
        let mut command = desk.recant(&["report", run, "--serve=0"]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("an address");
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{line}");
        Self { child, address }
    }

    /// Sends a request as it stands; returns the head and the body.
    fn ask(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("answered");
        let all = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = all.split_once("\r\n\r\n").expect("a head");
        (head.to_owned(), body.to_owned())
    }

    fn get(&self, path: &str) -> (String, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn progress(served: &Served) -> Value {
    let (head, body) = served.get("/progress.json");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    serde_json::from_str(&body).expect("JSON")
}

#[test]
fn a_finished_run_is_served_and_nothing_beside_it() {
    let (desk, run) = finished();
    let served = Served::of(desk, "run");
    let (head, body) = served.get("/");
    assert!(head.contains("text/html") && body.contains("/progress.json"), "{head}");
    let shown = progress(&served);
    assert_eq!(shown["progress"]["report"], true);
    assert_eq!(shown["progress"]["asked"][0]["shards"], 3);
    let measures = shown["measures"].as_array().expect("measures");
    assert!(
        measures.iter().any(|own| own["measure"] == "accuracy_ambig" && own["n"].as_u64() > Some(0)),
        "{measures:?}"
    );
    assert_eq!(served.get("/report.html").1, crate::text(&run.join("report.html")));
    assert_eq!(served.get("/tables/behaviour.csv").1, crate::text(&run.join("tables/behaviour.csv")));
    for path in [
        "/manifest.json",
        "/../run/report.html",
        "/tables/..%2fmanifest.json",
        "/%2e%2e/study.toml",
        "//etc/passwd",
        "/etc/passwd",
        "/tables/%2e%2e/%2e%2e/study.toml",
    ] {
        let (head, body) = served.get(path);
        assert!(head.starts_with("HTTP/1.1 404") && body == "404 Not Found\n", "{path}: {head}");
    }
    let address = &served.address;
    let asked = |request: String| served.ask(&request).0;
    assert!(
        asked(format!("POST /report.html HTTP/1.1\r\nHost: {address}\r\n\r\n")).starts_with("HTTP/1.1 405")
    );
    assert!(asked("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".into()).starts_with("HTTP/1.1 403"));
    assert!(asked("GET / HTTP/1.1\r\n\r\n".into()).starts_with("HTTP/1.1 403"));
    assert!(asked("nonsense\r\n\r\n".into()).starts_with("HTTP/1.1 400"));
    let (head, body) = served.ask(&format!("HEAD /report.html HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    let length = crate::text(&run.join("report.html")).len();
    assert!(head.contains(&format!("Content-Length: {length}")) && body.is_empty(), "{head}");
}

#[test]
fn a_run_that_has_just_begun_is_served_and_shown_as_it_grows() {
    let (_, run) = finished();
    let desk = Desk::new();
    let part = desk.at("part");
    fs::create_dir(&part).expect("made");
    fs::copy(run.join("manifest.json"), part.join("manifest.json")).expect("copied");
    let served = Served::of(&desk, "part");
    let shown = progress(&served);
    assert_eq!(
        (&shown["progress"]["report"], &shown["progress"]["asked"][0]["shards"]),
        (&Value::Bool(false), &0.into())
    );
    assert!(shown["measures"].as_array().is_some_and(Vec::is_empty), "{shown}");
    assert!(served.get("/report.html").0.starts_with("HTTP/1.1 404"));

    copy(&run.join("tiny/bbq"), &part.join("tiny/bbq"));
    let shown = progress(&served);
    assert_eq!(shown["progress"]["asked"][0]["shards"], 3);
    assert_eq!(shown["progress"]["asked"][1]["shards"], 0);
    assert!(!shown["measures"].as_array().expect("measures").is_empty(), "{shown}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_without_an_error() {
    let (desk, _) = finished();
    let mut served = Served::of(desk, "run");
    let id = i32::try_from(served.child.id()).expect("a process id");
    // SAFETY: a signal to a process that this test has started and not yet waited for.
    assert_eq!(unsafe { libc::kill(id, libc::SIGINT) }, 0);
    assert!(served.child.wait().expect("it ends").success());
}

//! `recant report RUN --serve`: how far a run is, on a page of this machine alone, and its report once that is there.
//!
//! Nothing but files below the run directory's `figures/` and `tables/`, and its `report.html`, can be read; nothing can be
//! written.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::interrupt;
use super::sofar::SoFar;
use crate::printer::Printer;
use crate::store::RunDir;
use crate::store::progress::Progress;
use crate::{Error, Result};

/// The page, which asks for its numbers by itself.
const PAGE: &str = include_str!("serve.html");

/// The most that is read of a request's head, in bytes.
const HEAD: u64 = 16 * 1024;

/// How long a connection may say nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves until Ctrl-C.
///
/// # Errors
/// No run directory, a port that is taken.
pub fn serve(run: &Path, port: u16, printer: Printer) -> Result<()> {
    RunDir::manifest(run)?;
    let at_port = |error: std::io::Error| {
        Error::input(format!("port {port}"), error.to_string()).hint("--serve=0 takes a port that is free")
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(at_port)?;
    let address = listener.local_addr().map_err(at_port)?;
    // Waiting must end at Ctrl-C, so it is done in short naps.
    listener.set_nonblocking(true).map_err(at_port)?;
    interrupt::listen();
    printer.data(format!("http://{address}/"));
    printer.say("Ctrl-C ends it");
    let site = Arc::new(Site { root: run.to_owned(), so_far: SoFar::default() });
    while interrupt::check().is_ok() {
        match listener.accept() {
            Ok((stream, _)) => {
                let site = Arc::clone(&site);
                // A browser that went away is no error of ours.
                std::thread::spawn(move || site.answer(&stream).ok());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(50))
            }
            Err(_) => {}
        }
    }
    interrupt::release();
    Ok(())
}

/// What is served.
struct Site {
    root: PathBuf,
    so_far: SoFar,
}

/// The answer to a request.
struct Reply {
    status: &'static str,
    kind: &'static str,
    body: Vec<u8>,
}

impl Reply {
    fn new(kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: "200 OK", kind, body: body.into() }
    }

    fn refused(status: &'static str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: format!("{status}\n").into_bytes() }
    }
}

impl Site {
    fn answer(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut lines = BufReader::new(stream.take(HEAD)).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let mut hosts = Vec::new();
        for line in lines {
            let line = line?;
            if line.is_empty() {
                break;
            }
            if let Some((_, host)) =
                line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("host"))
            {
                hosts.push(host.trim().to_owned());
            }
        }
        let (method, target) = first.split_once(' ').unwrap_or_default();
        let reply = match target.rsplit_once(' ') {
            // A page elsewhere whose name points here would be another host: it must not read what is served.
            Some(_) if !matches!(&hosts[..], [host] if is_local(host)) => Reply::refused("403 Forbidden"),
            Some((target, _)) if ["GET", "HEAD"].contains(&method) => self.reply(target),
            Some(_) => Reply::refused("405 Method Not Allowed"),
            None => Reply::refused("400 Bad Request"),
        };
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
             Allow: GET, HEAD\r\nConnection: close\r\n\r\n",
            reply.status,
            reply.kind,
            reply.body.len()
        );
        let mut to = stream;
        to.write_all(head.as_bytes())?;
        if method != "HEAD" {
            to.write_all(&reply.body)?;
        }
        to.flush()
    }

    fn reply(&self, target: &str) -> Reply {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        match path {
            "/" => Reply::new("text/html; charset=utf-8", PAGE),
            "/progress.json" => Reply::new("application/json", self.progress().to_string()),
            _ => self.file(path).unwrap_or_else(|| Reply::refused("404 Not Found")),
        }
    }

    /// What the page shows; an error in words where there is one, so that it can be shown too.
    fn progress(&self) -> Value {
        let found = RunDir::manifest(&self.root).and_then(|manifest| {
            let progress = Progress::of(&self.root, &manifest)?;
            let measures = self.so_far.measures(&self.root, &manifest, &progress);
            Ok(json!({ "progress": progress, "measures": measures.unwrap_or_default() }))
        });
        found.unwrap_or_else(|error| json!({ "error": error.to_string() }))
    }

    /// A file that may be read.
    fn file(&self, path: &str) -> Option<Reply> {
        let path = decoded(path)?;
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let is_plain = |name: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
            !name.starts_with('.') && !name.is_empty() && name.chars().all(plain)
        };
        let may = match parts[..] {
            ["report.html"] => true,
            ["figures" | "tables", name] => is_plain(name),
            _ => false,
        };
        // Links are followed before it is asked where they lead.
        let root = self.root.canonicalize().ok()?;
        let found = root.join(path.strip_prefix('/')?).canonicalize().ok().filter(|_| may)?;
        let folder = if parts.len() == 1 { root } else { root.join(parts[0]) };
        let kind = match found.extension()?.to_str()? {
            "html" => "text/html; charset=utf-8",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "pdf" => "application/pdf",
            "csv" | "tex" => "text/plain; charset=utf-8",
            _ => return None,
        };
        let inside = found.parent() == Some(folder.as_path()) && found.is_file();
        inside.then(|| std::fs::read(&found).ok()).flatten().map(|body| Reply::new(kind, body))
    }
}

/// Whether a Host header names this machine.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost")
}

/// A path with its `%` codes resolved, once; none where they are no text.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(c) = rest.next() {
        bytes.push(match c {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(16 * digit()? + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_hosts() {
        let local = ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "LocalHost"];
        assert!(local.into_iter().all(is_local));
        let other = [
            "",
            "evil.example",
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "localhost.",
            "[::1]:80",
            "127.0.0.1:x",
        ];
        assert!(!other.into_iter().any(is_local));
    }

    #[test]
    fn codes_are_resolved_once() {
        assert_eq!(decoded("/a%20b").as_deref(), Some("/a b"));
        assert_eq!(decoded("/%252e").as_deref(), Some("/%2e"));
        assert_eq!([decoded("/%f"), decoded("/%zz"), decoded("/%ff")], [None, None, None]);
        assert_eq!(decoded("/%+1"), None, "a sign is no digit");
    }

    #[cfg(unix)]
    #[test]
    fn only_files_of_the_run_can_be_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("run");
        std::fs::create_dir_all(root.join("figures/deep")).expect("folders");
        for (name, text) in [
            ("run/report.html", "page"),
            ("run/manifest.json", "{}"),
            ("run/figures/a..b.svg", "svg"),
            ("out.svg", "secret"),
        ] {
            std::fs::write(dir.path().join(name), text).expect("a file");
        }
        std::os::unix::fs::symlink(dir.path().join("out.svg"), root.join("figures/link.svg"))
            .expect("a link out");
        std::os::unix::fs::symlink(dir.path(), root.join("tables")).expect("a folder out");
        let site = Site { root, so_far: SoFar::default() };
        let text = |path: &str| site.file(path).map(|reply| String::from_utf8(reply.body).expect("text"));
        assert_eq!(text("/report.html").as_deref(), Some("page"));
        assert_eq!(text("/figures/a..b.svg").as_deref(), Some("svg"));
        for path in [
            "/manifest.json",
            "/figures/link.svg",
            "/tables/out.svg",
            "/figures/../report.html",
            "/figures/%2e%2e/report.html",
            "/figures/..%2f..%2fout.svg",
            "/../out.svg",
            "//report.html",
            "/figures/deep",
            "/figures//a..b.svg",
            "/figures/",
            "/figures/a\\b.svg",
            "out.svg",
        ] {
            assert_eq!(text(path), None, "{path}");
        }
        assert_eq!(text(&dir.path().join("out.svg").display().to_string()), None);
    }
}

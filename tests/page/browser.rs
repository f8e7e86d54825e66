//! A headless Chromium that opens a page, runs a script in it and tells what came of it.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// What a busy machine may take for one step.
const PATIENCE: Duration = Duration::from_secs(120);

/// Watches for whatever a page must not do, from before its own code runs.
const WATCH: &str = r#"<script>
const faults = [];
const say = console.error;
console.error = (...words) => { faults.push(words.join(" ")); say(...words); };
addEventListener("error", (event) => faults.push("error: " + (event.message ?? event.target.src)), true);
addEventListener("unhandledrejection", (event) => faults.push("rejected: " + event.reason));
addEventListener("securitypolicyviolation", (event) => faults.push("policy: " + event.blockedURI));
const pause = () => new Promise((go) => setTimeout(go, 50));
const until = async (holds) => {
  for (let tries = 0; tries < 1200; tries += 1) {
    if (holds()) return;
    await pause();
  }
  throw new Error("never: " + holds);
};
</script>
"#;

/// A browser with a profile of its own.
pub struct Browser {
    program: PathBuf,
    dir: TempDir,
}

impl Browser {
    /// The browser of this machine; says that the test is skipped where there is none.
    #[allow(clippy::print_stderr, reason = "whoever runs the tests should know")]
    pub fn new() -> Option<Self> {
        let named = env::var_os("RECANT_CHROMIUM").map(PathBuf::from);
        let Some(program) = named.or_else(installed) else {
            eprintln!("skipped: needs Chromium (Debian: chromium)");
            return None;
        };
        Some(Self { program, dir: TempDir::new().expect("a directory") })
    }

    /// Opens a page, runs the body of an async function in it, and returns what that returns.
    ///
    /// # Panics
    /// The page reports an error or asks for anything.
    pub fn run(&self, html: &str, script: &str) -> Value {
        let address = self.written(&html.replacen("<title>", &format!("{WATCH}<title>"), 1));
        let mut tab = Tab::open(self.command(&["--remote-debugging-pipe"]), &address);
        let told = tab.evaluate(&format!(
            "(async () => {{\n\
             let value = null;\n\
             try {{ value = await (async () => {{ {script} }})(); }} catch (error) {{ faults.push(\"script: \" + error.message); }}\n\
             const asked = performance.getEntriesByType(\"resource\").map((entry) => entry.name);\n\
             return {{ value, faults, asked }};\n}})()"
        ));
        assert_eq!(told["faults"], json!([]), "faults");
        assert_eq!(told["asked"], json!([]), "requests");
        told["value"].clone()
    }

    /// Prints a page and returns the PDF.
    pub fn print(&self, html: &str) -> Vec<u8> {
        let pdf = self.dir.path().join("page.pdf");
        let to = format!("--print-to-pdf={}", pdf.display());
        let mut command = self.command(&["--virtual-time-budget=20000", "--no-pdf-header-footer", &to]);
        let done =
            command.arg(self.written(html)).stdout(Stdio::null()).status().expect("the browser starts");
        assert!(done.success(), "{done}");
        fs::read(pdf).expect("a PDF")
    }

    /// Writes a page and returns its address.
    fn written(&self, html: &str) -> String {
        let path = self.dir.path().join("page.html");
        fs::write(&path, html).expect("the page is written");
        format!("file://{}", path.display())
    }

    /// The browser, which is spoken to through file descriptors 3 and 4.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"]).arg(&self.program);
        let fixed = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"];
        let profile = format!("--user-data-dir={}", self.dir.path().join("profile").display());
        command.args(fixed).arg(profile).args(arguments).stderr(Stdio::null());
        command
    }
}

/// A page that is open, spoken to in the DevTools protocol.
struct Tab {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Value,
    sent: u64,
}

impl Tab {
    /// Starts the browser and opens the page until all of it is there.
    fn open(mut command: Command, address: &str) -> Self {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = pipes.spawn().expect("the browser starts");
        let (to, out) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (say, from) = channel();
        spawn(move || {
            for message in BufReader::new(out).split(0).map_while(Result::ok) {
                let read = serde_json::from_slice(&message).expect("JSON");
                if say.send(read).is_err() {
                    return;
                }
            }
        });
        let mut tab = Self { child, to, from, session: Value::Null, sent: 0 };
        let target = tab.ask("Target.createTarget", &json!({ "url": address }))["targetId"].clone();
        let attached = tab.ask("Target.attachToTarget", &json!({ "targetId": target, "flatten": true }));
        tab.session = attached["sessionId"].clone();
        let begun = Instant::now();
        while tab.evaluate("document.readyState === \"complete\" && typeof faults !== \"undefined\"") != true
        {
            assert!(begun.elapsed() < PATIENCE, "the page is not there");
            sleep(Duration::from_millis(50));
        }
        tab
    }

    /// The value of an expression, of a promise what comes of it.
    fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        self.ask("Runtime.evaluate", &asked)["result"]["value"].clone()
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": params });
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("the browser listens");
        loop {
            let answer = self.from.recv_timeout(PATIENCE).expect("the browser answers");
            if answer["id"] == self.sent {
                return answer["result"].clone();
            }
        }
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.child.kill().expect("the browser ends");
        self.child.wait().expect("the browser ended");
    }
}

fn installed() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let places = names.iter().flat_map(|name| folders.iter().map(move |folder: &PathBuf| folder.join(name)));
    places.into_iter().find(|place: &PathBuf| Path::is_file(place))
}

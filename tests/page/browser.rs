//! A headless Chromium that opens a page, runs a script in it and tells what came of it.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// What a busy machine may take for one page.
const PATIENCE: Duration = Duration::from_secs(180);

/// Watches for whatever a page must not do, from before its own code runs.
const WATCH: &str = r#"<script>
const faults = [];
const say = console.error;
console.error = (...words) => { faults.push(words.join(" ")); say(...words); };
addEventListener("error", (event) => faults.push("error: " + (event.message ?? event.target.src)), true);
addEventListener("unhandledrejection", (event) => faults.push("rejected: " + event.reason));
addEventListener("securitypolicyviolation", (event) => faults.push("policy: " + event.blockedURI));
// Time is virtual and runs ahead of a busy machine: every wait is for a drawn frame too.
const pause = () => new Promise((go) => requestAnimationFrame(() => setTimeout(go, 50)));
const until = async (holds) => {
  for (let tries = 0; tries < 400; tries += 1) {
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
        let end = format!(
            "<script>addEventListener(\"load\", async () => {{\n\
             let value = null;\n\
             try {{ value = await (async () => {{ {script} }})(); }} catch (error) {{ faults.push(\"script: \" + error.message); }}\n\
             const asked = performance.getEntriesByType(\"resource\").map((entry) => entry.name);\n\
             const result = document.createElement(\"pre\");\n\
             result.id = \"result\";\n\
             result.textContent = JSON.stringify({{ value, faults, asked }});\n\
             document.body.replaceChildren(result);\n\
             }});</script>\n</body>"
        );
        let html = html.replacen("<title>", &format!("{WATCH}<title>"), 1).replacen("</body>", &end, 1);
        let dom = self.open(&html, &["--virtual-time-budget=60000", "--dump-dom"]);
        let told = dom.split_once("<pre id=\"result\">").and_then(|(_, rest)| rest.split_once("</pre>"));
        let (told, _) = told.unwrap_or_else(|| panic!("no result in {:.600}", dom));
        let told =
            told.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&");
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(told["faults"], Value::Array(Vec::new()), "faults");
        assert_eq!(told["asked"], Value::Array(Vec::new()), "requests");
        told["value"].clone()
    }

    /// Prints a page and returns the PDF.
    pub fn print(&self, html: &str) -> Vec<u8> {
        let pdf = self.dir.path().join("page.pdf");
        let to = format!("--print-to-pdf={}", pdf.display());
        self.open(html, &["--virtual-time-budget=20000", "--no-pdf-header-footer", &to]);
        fs::read(pdf).expect("a PDF")
    }

    /// Opens a page with more arguments and returns what the browser writes on stdout.
    fn open(&self, html: &str, arguments: &[&str]) -> String {
        let at = |name: &str| self.dir.path().join(name);
        fs::write(at("page.html"), html).expect("the page is written");
        let out = File::create(at("out")).expect("a file");
        let profile = format!("--user-data-dir={}", at("profile").display());
        let fixed = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900", &profile];
        let mut child = Command::new(&self.program)
            .args(fixed)
            .args(arguments)
            .arg(format!("file://{}", at("page.html").display()))
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let begun = Instant::now();
        while child.try_wait().expect("a process").is_none() {
            if begun.elapsed() > PATIENCE {
                child.kill().expect("the browser ends");
                panic!("the browser did not end");
            }
            sleep(Duration::from_millis(50));
        }
        fs::read_to_string(at("out")).expect("text")
    }
}

fn installed() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let places = names.iter().flat_map(|name| folders.iter().map(move |folder: &PathBuf| folder.join(name)));
    places.into_iter().find(|place: &PathBuf| Path::is_file(place))
}

//! `recant report RUN --bundle DIR`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::study::{Desk, has_extension};
use crate::common::{files, succeed};
use crate::{copy, text};

/// Everything that a document reads is there, and every number of the methods is the run's own.
#[test]
fn a_bundle_is_whole_and_is_refused_where_files_are_not_its_own() {
    let desk = Desk::new();
    desk.run("run");
    let report = |dir: &str| desk.recant(&["report", "run", "--bundle", dir]);
    succeed(&mut report("paper"));
    let paper = desk.at("paper");
    let main = text(&paper.join("main.tex"));
    let captions = text(&paper.join("captions.tex"));
    let commands = ["\\paperfigure", "\\appendixfigure", "\\papertable", "\\appendixtable"];
    let mut named = Vec::new();
    for line in main.lines().filter(|line| !line.starts_with("\\newcommand")) {
        let found = commands.iter().find_map(|command| line.strip_prefix(&format!("{command}{{")));
        named.extend(
            found.and_then(|rest| rest.strip_suffix('}')).map(|name| (line.contains("figure"), name)),
        );
    }
    for (is_figure, name) in &named {
        let file = if *is_figure { format!("figures/{name}.pdf") } else { format!("tables/{name}.tex") };
        assert!(paper.join(&file).is_file(), "{file}");
        let kind = if *is_figure { "fig" } else { "tab" };
        let caption = format!("\\recantcaption{{{kind}:{name}}}{{");
        assert_eq!(captions.matches(&caption).count(), 1, "one caption of {kind}:{name}");
    }
    let drawn = files(&paper).into_keys().filter(|path| has_extension(path, "pdf")).count();
    assert_eq!(
        named.iter().filter(|(is_figure, _)| *is_figure).count(),
        drawn,
        "every figure stands in it once"
    );
    for name in ["paper_behaviour", "paper_probes", "paper_concepts"] {
        assert!(main.contains(&format!("\\papertable{{{name}}}")), "{name}");
    }

    let (methods, works) = (text(&paper.join("methods.tex")), text(&paper.join("references.bib")));
    for said in [
        "2 rounds under 2 conditions",
        "tiny is model",
        "C = 0.001",
        "3 folds",
        "40 bootstrap draws",
        "seed 3",
        "up to 4 tokens",
    ] {
        assert!(methods.contains(said), "{said} is not in {methods}");
    }
    let keys: Vec<&str> = methods
        .split("\\citep{")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .flat_map(|(keys, _)| keys.split(','))
        .collect();
    assert!(keys.contains(&"parrish2022bbq") && keys.contains(&"rudinger2018gender"), "{keys:?}");
    for key in &keys {
        assert!(works.contains(&format!("{{{key},")), "{key} is cited and not listed");
    }
    for work in works.lines().filter_map(|line| line.strip_prefix('@')) {
        let key = work.split_once('{').map_or("", |(_, key)| key.trim_end_matches(','));
        assert!(keys.contains(&key), "{key} is listed and not cited");
    }
    compiles(&paper);

    let edited = format!("{main}% mine\n");
    fs::write(paper.join("main.tex"), &edited).expect("an edit");
    let refused = report("paper").output().expect("the binary starts");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("main.tex was changed"), "{said}");
    assert_eq!(text(&paper.join("main.tex")), edited, "and left as it is");
    let refused = report("run").output().expect("the binary starts");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not empty"), "a run is no bundle");
}

/// Where there is a LaTeX, the document compiles, with every reference and citation found.
#[allow(clippy::print_stderr, reason = "what was not tried is said")]
fn compiles(paper: &Path) {
    let build = tempfile::tempdir().expect("a directory");
    copy(paper, build.path());
    let run = |program: &str, argument: &str| {
        let mut command = Command::new(program);
        if program == "pdflatex" {
            command.args(["-interaction=nonstopmode", "-halt-on-error"]);
        }
        command.arg(argument).current_dir(build.path()).output()
    };
    for (program, argument) in
        [("pdflatex", "main.tex"), ("bibtex", "main"), ("pdflatex", "main.tex"), ("pdflatex", "main.tex")]
    {
        match run(program, argument) {
            Err(_) => return eprintln!("skipped: needs {program}"),
            Ok(done) => {
                let said = String::from_utf8_lossy(&done.stdout).into_owned();
                let missing = said.contains(".sty' not found");
                if missing {
                    return eprintln!("skipped: needs more of LaTeX");
                }
                assert!(done.status.success(), "{program}: {said}");
            }
        }
    }
    let log = String::from_utf8_lossy(&fs::read(build.path().join("main.log")).expect("a log")).into_owned();
    assert!(!log.contains("undefined"), "a reference or a citation is not found");
}

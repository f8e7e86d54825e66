//! `recant figures` and the `[[figure]]` tables of a study, through the binary.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::study::{Desk, has_extension};
use common::{files, succeed};

const OWN: &str = r#"
[[figure]]
name = "one-line"
of = "behaviour"
panels = ["Winogender*"]
lines = ["negation"]
titles = { "negation" = "Told the opposite", "Round" = "Correction" }

[run]
"#;

/// A desk whose study has a figure of its own.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.study(&[("\n[run]\n", OWN)]);
    desk
}

/// What the command prints.
fn said(command: &mut Command) -> String {
    String::from_utf8_lossy(&succeed(command).stdout).into_owned()
}

/// What it prints where it refuses.
fn refused(command: &mut Command) -> String {
    let output = command.output().expect("the binary starts");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_run_draws_the_figures_of_its_study_and_draws_them_again_byte_by_byte() {
    let desk = desk();
    let (run, _) = desk.run("run");
    let csv = text(&run.join("figures/one-line.csv"));
    assert!(csv.lines().count() > 1, "{csv}");
    assert!(
        csv.lines().skip(1).all(|line| line.starts_with("Winogender") && line.contains("Told the opposite")),
        "{csv}"
    );
    assert!(text(&run.join("figures/one-line.svg")).contains(">Correction</text>"));
    assert!(text(&run.join("report.html")).contains("one-line"));

    let before = files(&run);
    let listed = said(&mut desk.recant(&["--quiet", "figures", "run", "--list"]));
    let names: Vec<&str> = listed.lines().collect();
    assert_eq!(names[0], "one-line", "a study's own come first");
    for name in &names {
        assert!(run.join("figures").join(format!("{name}.svg")).is_file(), "{name}");
    }
    let shown = said(&mut desk.recant(&["--quiet", "figures", "run"]));
    assert_eq!(shown, "run/figures\n");
    assert_eq!(before, files(&run), "the same input gives the same bytes");

    fs::remove_dir_all(run.join("figures")).expect("the figures go");
    succeed(&mut desk.recant(&["--quiet", "report", "run"]));
    assert_eq!(before, files(&run), "a report has the study's figures as well");
}

#[test]
fn figures_are_chosen_by_name_and_format() {
    let desk = desk();
    let (run, _) = desk.run("run");
    let draw =
        ["--quiet", "figures", "run", "--only", "concept-*,behaviour", "--format", "pdf,csv", "-o", "paper"];
    succeed(&mut desk.recant(&draw));
    let names: Vec<String> = files(&desk.at("paper")).keys().map(|path| path.display().to_string()).collect();
    assert!(
        names.contains(&"behaviour.pdf".to_owned()) && names.contains(&"concept-rounds.csv".to_owned()),
        "{names:?}"
    );
    let wanted = |name: &String| name.starts_with("concept-") || name.starts_with("behaviour.");
    assert!(
        names.iter().all(|name| wanted(name) && !name.ends_with(".svg") && !name.ends_with(".png")),
        "{names:?}"
    );
    for (path, bytes) in files(&desk.at("paper")) {
        assert_eq!(bytes.starts_with(b"%PDF"), has_extension(&path, "pdf"), "{}", path.display());
    }
    let wrong = refused(&mut desk.recant(&["figures", "run", "--only", "behavior"]));
    assert!(wrong.contains("error: figure behavior: the run has none of that name"), "{wrong}");
    assert!(wrong.contains("hint: it has") && wrong.contains("behaviour"), "{wrong}");
    drop(run);
}

#[test]
fn another_study_file_gives_other_figures_and_a_bad_table_is_refused() {
    let desk = Desk::new();
    let (run, _) = desk.run("run");
    let own = |table: &str| desk.study(&[("\n[run]\n", &format!("\n[[figure]]\n{table}\n[run]\n"))]);
    let draw = || {
        desk.recant(&["--quiet", "figures", "run", "--study", "study.toml", "--only", "mine", "-o", "out"])
    };
    own("name = \"mine\"\nof = \"probe-auroc\"\nlayers = [1, 2]\n");
    succeed(&mut draw());
    let csv = text(&desk.at("out/mine.csv"));
    for (layer, there) in [(0, false), (1, true), (2, true)] {
        assert_eq!(csv.contains(&format!(",linear probe,{layer},")), there, "{csv}");
    }
    for (table, why) in [
        ("name = \"mine\"\nof = \"nothing\"\n", "figure nothing: the run has none of that name"),
        ("name = \"mine\"\nof = \"\"\n", "names no figure"),
        (
            "name = \"mine\"\nof = \"behaviour\"\nlines = [\"basel\"]\n",
            "no line is \"basel\"; there are: \"baseline\", \"negation\"",
        ),
        ("name = \"mine\"\nof = \"behaviour\"\nmodels = [\"large\"]\n", "\"large\" is no model of the study"),
        ("name = \"behaviour\"\nof = \"behaviour\"\n", "every run has a figure of that name"),
        ("name = \"mine\"\nof = \"probe-auroc\"\nlayers = [0, 40]\n", "has no layers 0 to 40"),
        ("name = \"a/b\"\nof = \"behaviour\"\n", "cannot name"),
        ("name = \"mine\"\nof = \"behaviour\"\nlayer = 3\n", "unknown field `layer`"),
    ] {
        own(table);
        let said = refused(&mut draw());
        assert!(said.contains(why), "{table}: {said}");
    }
    // A run is not lost for a figure that cannot be made or drawn.
    for table in ["name = \"mine\"\nof = \"nothing\"\n", "name = \"mine\"\nof = \"behaviour\"\nheight = 1\n"]
    {
        own(table);
        succeed(&mut desk.recant(&["--quiet", "run", "study.toml", "-o", "run"]));
        let page = text(&run.join("report.html"));
        assert!(page.contains("figure mine cannot be made"), "the page says so of {table}");
        let listed = said(&mut desk.recant(&["figures", "run", "--list"]));
        assert!(listed.contains("behaviour\n") && !listed.contains("mine"), "{listed}");
    }
}

#[test]
fn two_runs_stand_in_one_figure() {
    let desk = Desk::new();
    desk.run("one");
    desk.study(&[("seed = 3", "seed = 4")]);
    desk.run("two");
    let both = [
        "--quiet",
        "figures",
        "one",
        "two",
        "--only",
        "probe-auroc,behaviour",
        "--format",
        "csv",
        "-o",
        "both",
    ];
    succeed(&mut desk.recant(&both));
    let csv = text(&desk.at("both/probe-auroc.csv"));
    assert!(csv.contains("\n\"one: kind") && csv.contains("\n\"two: kind"), "{csv}");
    succeed(&mut desk.recant(&[&both[..], &["--together", "lines"]].concat()));
    let csv = text(&desk.at("both/probe-auroc.csv"));
    assert!(csv.contains("one: linear probe") && csv.contains("two: linear probe"), "{csv}");
    let unnamed = refused(&mut desk.recant(&["figures", "one", "two"]));
    assert!(unnamed.contains("figures of several runs belong to none of them"), "{unnamed}");
}

#[test]
fn a_figure_takes_the_width_theme_font_and_numbers_that_are_asked_for() {
    let desk = Desk::new();
    desk.run("run");
    let svg = |options: &[&str]| {
        let draw = ["--quiet", "figures", "run", "--only", "probe-auroc", "--format", "svg,tex", "-o", "out"];
        succeed(&mut desk.recant(&[&draw[..], options].concat()));
        text(&desk.at("out/probe-auroc.svg"))
    };
    assert!(svg(&[]).contains("width=\"453.6pt\"") && svg(&[]).contains("Libertinus Serif"));
    assert!(svg(&["--width", "acl-column"]).contains("width=\"218.16pt\""));
    assert!(svg(&["--width", "12cm"]).contains("width=\"340.16pt\""));
    assert!(svg(&["--font", "computer-modern"]).contains("NewComputerModern"));
    assert!(svg(&["--lang", "de"]).contains(">0,6<"));
    assert!(svg(&["--theme", "slides"]).contains("width=\"720pt\""));
    assert_ne!(svg(&["--theme", "dark"]), svg(&[]));
    assert_eq!(
        svg(&[]),
        text(&desk.at("run/figures/probe-auroc.svg")),
        "the report's own look is the default"
    );
    assert!(text(&desk.at("out/probe-auroc.tex")).contains("AUROC"));
    let look = refused(&mut desk.recant(&["figures", "run", "--theme", "dark"]));
    assert!(look.contains("would take the place of the report's own figures"), "{look}");
    for (option, value, why) in [
        ("--width", "wide", "no width \"wide\": known are"),
        ("--theme", "pink", "no theme \"pink\": known are"),
        ("--font", "no/such.ttf", "no/such.ttf"),
        ("--lang", "xx", "xx"),
        ("--font-size", "900", "font_size"),
    ] {
        let said = refused(&mut desk.recant(&["figures", "run", "-o", "out", option, value]));
        assert!(said.contains(why), "{option}: {said}");
    }
}

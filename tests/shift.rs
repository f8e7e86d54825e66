//! What lies between two models: planted changes are found where they were planted and of the size that they have.

mod common;

use std::fs;
use std::path::Path;

use common::study::Desk;
use common::{copy, files, plant, succeed, tensors, tiny};
use recant::analysis::directions::{Directions, Pick};

/// The study with a second model, `twin`, and the sites that show where a change enters.
fn desk() -> Desk {
    let desk = Desk::new();
    copy(&tiny(), &desk.at("twin"));
    desk.study(&[
        ("path = \"model\"\n", "path = \"model\"\nrole = \"base\"\n\n[[models]]\nname = \"twin\"\npath = \"twin\"\n"),
        (
            "dtype = \"f32\"\n",
            "dtype = \"f32\"\nsites = [\"head_out\", \"resid_mid\", \"resid_post\", \"final_norm\"]\n\n[shift]\n",
        ),
        ("folds = 3\n", "folds = 3\nsites = [\"resid_post\"]\n"),
    ]);
    desk
}

/// A table by its columns.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(run: &Path, name: &str) -> Self {
        let path = run.join(format!("tables/{name}.csv"));
        let mut reader = csv::Reader::from_path(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let header = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        let rows = reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect());
        Self { header, rows: rows.collect() }
    }

    fn column(&self, name: &str) -> usize {
        self.header.iter().position(|head| head == name).unwrap_or_else(|| panic!("no column {name}"))
    }

    /// The rows in which these columns have these values, of which there must be some.
    fn of(&self, wanted: &[(&str, &str)]) -> Vec<Row<'_>> {
        let fits = |row: &&Vec<String>| wanted.iter().all(|(name, value)| row[self.column(name)] == *value);
        let found: Vec<Row> = self.rows.iter().filter(fits).map(|row| Row { table: self, row }).collect();
        assert!(!found.is_empty(), "no row with {wanted:?}");
        found
    }
}

struct Row<'a> {
    table: &'a Table,
    row: &'a [String],
}

impl Row<'_> {
    fn text(&self, name: &str) -> &str {
        &self.row[self.table.column(name)]
    }

    fn number(&self, name: &str) -> f64 {
        self.text(name)
            .parse()
            .unwrap_or_else(|_| panic!("{name} is {:?} in {:?}", self.text(name), self.row))
    }
}

#[test]
fn a_checkpoint_against_itself_has_not_moved() {
    let desk = desk();
    let (run, _) = desk.run("out");
    let shift = Table::read(&run, "shift");
    for row in shift.of(&[("text", "own")]) {
        assert_eq!(row.number("norm"), 0.0, "{:?}", row.row);
        assert_eq!(row.number("p_max"), 1.0);
        assert_eq!(row.text("participation"), "", "a shift of nothing has no directions");
    }
    // Read again in other passes, last bits may differ.
    for row in shift.of(&[]) {
        assert!(row.number("in_units") < 1e-4, "{:?}", row.row);
        if row.text("site") == "resid_post" {
            assert_eq!(row.number("cka"), 1.0);
            assert_eq!(row.number("procrustes"), 0.0);
        }
    }
    let concepts = Table::read(&run, "shift_concepts");
    for row in concepts.of(&[("text", "own")]) {
        assert_eq!(row.text("cosine"), "", "no shift, no direction");
    }
    for row in concepts.of(&[("direction", "probe")]) {
        assert!(row.number("change").abs() < 1e-3, "{:?}", row.row);
        assert!((row.number("overlap") - 1.0).abs() < 1e-3);
        assert!(row.number("d").abs() < 1e-3);
    }
    for row in Table::read(&run, "shift_separation").of(&[("pair", "tiny..twin")]) {
        assert_eq!(row.number("auroc_before"), row.number("auroc_after"));
        assert_eq!(row.number("there"), row.number("back"));
        assert_eq!(row.number("auroc_change"), 0.0);
        assert_eq!(row.number("cosine"), 1.0);
    }
    for row in Table::read(&run, "shift_answers").of(&[("pair", "tiny..twin")]) {
        assert_eq!(row.number("change"), 0.0);
    }
    let page = fs::read_to_string(run.join("report.html")).expect("a report");
    for claim in
        ["the states have moved at", "the answers change:", "it is hidden", "lies along it beyond chance by"]
    {
        assert!(!page.contains(claim), "nothing happened: {claim}");
    }
    // What is there is not measured again, and a second run says the same.
    let before = files(&run);
    desk.run("out");
    assert_eq!(before, files(&run));
}

#[test]
fn a_vector_added_at_one_layer_is_found_there() {
    let desk = desk();
    let vector = |i: usize| 0.3 * (i as f32 + 1.0).sin();
    plant(&desk.at("twin"), "model.layers.1.mlp.down_proj.bias", |i, x| x + vector(i));
    let (run, _) = desk.run("out");
    let shift = Table::read(&run, "shift");
    let place = [("text", "same"), ("task", "bbq"), ("condition", "baseline"), ("round", "1")];
    let rows = |site, layer| shift.of(&[&place[..], &[("site", site), ("layer", layer)]].concat());
    for (site, layer) in [("resid_mid", "0"), ("resid_post", "0"), ("resid_mid", "1")] {
        assert_eq!(rows(site, layer)[0].number("norm"), 0.0, "before the vector enters");
    }
    let length = (0..16).map(|i| f64::from(vector(i)).powi(2)).sum::<f64>().sqrt();
    let there = &rows("resid_post", "1")[0];
    assert!((there.number("norm") - length).abs() < 1e-4, "{} is not {length}", there.number("norm"));
    assert!((there.number("low") - length).abs() < 1e-4, "every item moved by the same");
    assert!((there.number("mean_share") - 1.0).abs() < 1e-4);
    assert!((there.number("participation") - 1.0).abs() < 1e-4);
    assert!((there.number("cka") - 1.0).abs() < 1e-4, "a translation changes no distances");
    assert!(rows("resid_mid", "2")[0].number("norm") > 0.0, "what follows sees it");
    // The direction, through the files that the tables were made from.
    let own = tensors(&run.join("tiny/bbq/baseline/states-00000.safetensors"));
    let same = tensors(&run.join("shift/tiny..twin/bbq/baseline/states-00000.safetensors"));
    let (a, b) = (&own["resid_post"], &same["resid_post"]);
    assert_eq!(a.shape, b.shape);
    for (row, (a, b)) in a.rows().zip(b.rows()).enumerate().filter(|(row, _)| row % 3 == 1) {
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            assert!((b - a - vector(i)).abs() < 1e-5, "row {row}, unit {i}");
        }
    }
    // And its cosine with a concept's direction is the one that can be computed by hand.
    let pick = Pick { tensor: None, row: Some(1) };
    let probe = Directions::read(&run.join("probes/tiny/kind.safetensors"), &pick).expect("a probe");
    let direction = probe.probes[0].direction();
    let dot: f64 = (0..16).map(|i| direction[i] * f64::from(vector(i))).sum();
    let cosine = dot / (length * direction.dot(&direction).sqrt());
    let concepts = Table::read(&run, "shift_concepts");
    let found = concepts.of(&[&place[..], &[("layer", "1"), ("direction", "probe")]].concat());
    assert!(
        (found[0].number("cosine") - cosine).abs() < 1e-3,
        "{} is not {cosine}",
        found[0].number("cosine")
    );
}

#[test]
fn a_head_that_was_zeroed_is_found() {
    let desk = desk();
    // Head 2 of layer 1 reads what key-value head 1 writes; its part of the output projection is columns 12 to 17.
    plant(&desk.at("twin"), "model.layers.1.self_attn.o_proj.weight", |i, x| {
        if (12..18).contains(&(i % 24)) { 0.0 } else { x }
    });
    let (run, _) = desk.run("out");
    let shift = Table::read(&run, "shift");
    let place = [("text", "same"), ("task", "bbq"), ("condition", "baseline"), ("round", "0")];
    let norm =
        |site, layer| shift.of(&[&place[..], &[("site", site), ("layer", layer)]].concat())[0].number("norm");
    assert_eq!(norm("resid_post", "0"), 0.0);
    assert!(norm("resid_mid", "1") > 0.0);
    for row in shift.of(&[&place[..], &[("site", "head_out"), ("layer", "1")]].concat()) {
        assert_eq!(row.number("norm"), 0.0, "heads are read before what was cut");
    }
    // Its values gone, the head itself has moved, and so has the one that shares them; no other has.
    let desk = self::desk();
    for part in ["weight", "bias"] {
        let name = format!("model.layers.1.self_attn.v_proj.{part}");
        let width = if part == "weight" { 16 } else { 1 };
        plant(&desk.at("twin"), &name, |i, x| if i / width >= 6 { 0.0 } else { x });
    }
    let (run, _) = desk.run("out");
    let shift = Table::read(&run, "shift");
    for row in shift.of(&[&place[..], &[("site", "head_out"), ("layer", "1")]].concat()) {
        let moved = row.number("norm") > 0.0;
        assert_eq!(moved, matches!(row.text("head"), "2" | "3"), "{:?}", row.row);
    }
    for row in shift.of(&[&place[..], &[("site", "head_out"), ("layer", "0")]].concat()) {
        assert_eq!(row.number("norm"), 0.0);
    }
}

/// Rotates the plane of units 0 and 1 of the stream in everything that reads it or writes it.
fn rotate(dir: &Path, angle: f32) {
    let (sin, cos) = angle.sin_cos();
    let weights = tensors(&dir.join("model.safetensors"));
    for (name, tensor) in &weights {
        let writes = ["o_proj", "down_proj"].iter().any(|part| name.contains(part));
        let norm = name.contains("norm");
        let values = &tensor.values;
        if norm {
            // A norm's weights must not tell the two units apart.
            plant(dir, name, |_, _| 1.0);
        } else if writes && tensor.shape.len() == 2 {
            let width = tensor.shape[1];
            plant(dir, name, |i, x| match i / width {
                0 => cos * x - sin * values[i + width],
                1 => sin * values[i - width] + cos * x,
                _ => x,
            });
        } else if writes {
            plant(dir, name, |i, x| match i {
                0 => cos * x - sin * values[1],
                1 => sin * values[0] + cos * x,
                _ => x,
            });
        } else if tensor.shape.len() == 2 {
            plant(dir, name, |i, x| match i % 16 {
                0 => cos * x - sin * values[i + 1],
                1 => sin * values[i - 1] + cos * x,
                _ => x,
            });
        }
    }
}

#[test]
fn a_rotated_stream_is_the_same_to_what_needs_no_axes() {
    let desk = desk();
    // The first model too must have norms that tell no units apart.
    rotate(&desk.at("model"), 0.0);
    rotate(&desk.at("twin"), 0.7);
    let (run, _) = desk.run("out");
    for row in Table::read(&run, "shift_answers").of(&[("pair", "tiny..twin")]) {
        assert!(row.number("change").abs() < 1e-4, "the same function: {:?}", row.row);
    }
    let shift = Table::read(&run, "shift");
    for row in shift.of(&[("site", "resid_post")]) {
        assert!(row.number("norm") > 1e-3, "its axes did turn: {:?}", row.row);
        assert!((row.number("cka") - 1.0).abs() < 1e-3, "{:?}", row.row);
        assert!(row.number("procrustes") < 1e-3, "{:?}", row.row);
    }
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_reason() {
    let desk = desk();
    let config = fs::read_to_string(desk.at("twin/config.json")).expect("a config");
    let fewer = config.replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
    assert_ne!(config, fewer);
    fs::write(desk.at("twin/config.json"), fewer).expect("written");
    let (run, _) = desk.run("out");
    let shift = Table::read(&run, "shift");
    for row in shift.of(&[("site", "resid_post"), ("layer", "2")]) {
        assert_eq!(row.text("layer_after"), "1", "the last beside the last");
        assert_eq!(row.text("norm"), "", "no mean shift between layers that are not the same");
        assert!(row.number("cka").is_finite());
    }
    let page = fs::read_to_string(run.join("report.html")).expect("a report");
    assert!(page.contains("they have 3 and 2 layers"), "the reason stands in the report");
}

#[test]
fn the_models_of_a_run_are_compared_afterwards_too() {
    let desk = desk();
    let study = fs::read_to_string(desk.at("study.toml")).expect("a study");
    fs::write(desk.at("study.toml"), study.replace("\n[shift]\n", "\n")).expect("written");
    let (run, _) = desk.run("out");
    assert!(!run.join("shift").exists(), "nobody asked");
    assert!(!run.join("tables/shift.csv").exists());
    succeed(&mut desk.recant(&["shift", "out"]));
    assert!(run.join("tables/shift.csv").is_file());
    let before = files(&run);
    succeed(&mut desk.recant(&["report", "out"]));
    assert_eq!(before, files(&run), "the report knows what was measured");
}

#[test]
fn what_cannot_be_asked_is_refused_with_the_place() {
    let desk = desk();
    let refused = |arguments: &[&str]| {
        let output = desk.recant(arguments).output().expect("the binary starts");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let of_study = |old: &str, new: &str| {
        let study = fs::read_to_string(desk.at("study.toml")).expect("a study");
        assert!(study.contains(old));
        fs::write(desk.at("wrong.toml"), study.replacen(old, new, 1)).expect("written");
        refused(&["run", "wrong.toml", "-o", "wrong"])
    };
    let shift = "[shift]\n";
    for (keys, why) in [
        ("pairs = [[\"tiny\", \"other\"]]\n", "is no model of the study"),
        ("pairs = [[\"tiny\", \"tiny\"]]\n", "stands on both sides"),
        ("conditions = [\"neutral\"]\n", "is not among dialogue.conditions"),
        ("limit = 0\n", "must be at least 1"),
        ("neurons = 0\n", "must be at least 1"),
        ("neuron = 3\n", "unknown field"),
    ] {
        let error = of_study(shift, &format!("{shift}{keys}"));
        assert!(error.contains(why) && error.contains("wrong.toml"), "{error}");
    }
    let checkpoint = refused(&["shift", "model"]);
    assert!(checkpoint.contains("is a checkpoint") && checkpoint.contains("hint: "), "{checkpoint}");
    assert!(refused(&["shift", "bbq"]).contains("is not a run directory"));
}

//! What a run says of behaviour and representation together, through the binary.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::study::Desk;

type Row = BTreeMap<String, String>;

/// The rows of a table by the names of their columns.
fn table(run: &Path, name: &str) -> Vec<Row> {
    let text = fs::read_to_string(run.join("tables").join(format!("{name}.csv"))).expect(name);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let heads = reader.headers().expect("heads").clone();
    let row =
        |record: csv::StringRecord| heads.iter().zip(&record).map(|(h, c)| (h.into(), c.into())).collect();
    reader.records().map(|record| row(record.expect("a row"))).collect()
}

fn values<'a>(rows: &'a [Row], column: &str) -> Vec<&'a str> {
    let mut found: Vec<&str> = rows.iter().map(|row| row[column].as_str()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn a_run_relates_answers_and_states() {
    let desk = Desk::new();
    desk.study(&[
        ("rounds = 2", "rounds = 3"),
        ("dtype = \"f32\"", "dtype = \"f32\"\nsites = [\"resid_post\", \"attn_out\"]"),
    ]);
    let (run, _) = desk.run("run");

    let mut probes = table(&run, "probes");
    probes.retain(|row| row["site"] == "resid_post");
    let transfer = table(&run, "transfer");
    let layers: Vec<&Row> = transfer.iter().filter(|row| row["matrix"] == "layers").collect();
    assert_eq!(layers.len(), probes.len() * probes.len());
    for probe in &probes {
        let same = |row: &&&Row| row["train"] == probe["layer"] && row["test"] == probe["layer"];
        let own = layers.iter().find(same).expect("the diagonal");
        assert_eq!(
            (&own["auroc"], &own["n"], &own["groups"]),
            (&probe["auroc"], &probe["n"], &probe["groups"])
        );
        assert_eq!((own["cosine"].as_str(), &own["shared"]), ("1.0000", &probe["groups"]));
    }
    assert!(values(&transfer, "matrix").contains(&"condition"), "{:?}", values(&transfer, "matrix"));

    let cosines = table(&run, "cosines");
    assert_eq!(values(&cosines, "site"), ["attn_out", "resid_post"]);
    assert_eq!(values(&cosines, "vector"), ["direction", "statements", "statements_last_layer"]);
    assert!(cosines.iter().all(|row| row["value"].parse::<f64>().is_ok_and(|value| value.abs() <= 1.0)));

    let linked = table(&run, "concept_uncertainty");
    assert_eq!(values(&linked, "over"), ["items", "rounds"]);
    assert!(linked.iter().filter(|row| row["over"] == "rounds").all(|row| row["n"] == "3"));

    for name in ["superficial", "behaviour_concept"] {
        let rows = table(&run, name);
        assert_eq!(values(&rows, "condition"), ["baseline", "negation"], "{name}");
        assert!(rows.iter().all(|row| row["n"].parse::<usize>().is_ok_and(|n| n > 0)), "{name}");
    }
    for row in table(&run, "superficial") {
        assert_eq!(row["flips"] == "0", row["of_flips"].is_empty(), "undefined where nothing turns: {row:?}");
    }
    for figure in ["transfer-layers-kind.svg", "cosine-rounds-bbq-attn_out.svg", "cosine-layers-bbq.svg"] {
        assert!(run.join("figures").join(figure).is_file(), "{figure}");
    }
}

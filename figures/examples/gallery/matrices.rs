//! Transfer.

use recant_figures::{HeatColours, Matrix, MatrixCell};

use crate::made::{LAYERS, ROUNDS};

pub fn matrix(
    name: &str,
    title: &str,
    names: Vec<String>,
    score: impl Fn(usize, usize) -> Option<f64>,
) -> Matrix {
    let cell = |row: usize, column: usize| {
        let value = score(row, column);
        MatrixCell { value, interval: value.map(|v| (v - 0.09, (v + 0.09).min(1.0))) }
    };
    let size = names.len();
    Matrix {
        name: name.into(),
        title: title.into(),
        cells: (0..size).map(|row| (0..size).map(|column| cell(row, column)).collect()).collect(),
        columns: names.clone(),
        rows: names,
        x_label: "Tested on".into(),
        y_label: "Trained on".into(),
        value_label: "AUROC".into(),
        colours: HeatColours::Diverging { null: 0.5, reach: Some(0.5) },
        note: "Diagonal: out of fold.".into(),
        interval: "95 % bootstrap intervals over item groups".into(),
    }
}

pub fn transfer_of_rounds() -> Matrix {
    let names = ["baseline", "negation", "neutral"]
        .iter()
        .flat_map(|condition| (0..ROUNDS).map(move |round| format!("{condition}, round {round}")))
        .collect();
    matrix("transfer-rounds", "stereotyped answer, bbq (n = 96)", names, |row, column| {
        let far = (row as f64 - column as f64).abs();
        (row != 7).then_some(0.88 - 0.06 * far - 0.02 * row as f64)
    })
}

pub fn transfer_of_layers() -> Matrix {
    let names = (0..LAYERS).map(|layer| layer.to_string()).collect();
    matrix("transfer-layers", "stereotype (n = 240, 60 groups)", names, |row, column| {
        let far = (row as f64 - column as f64).abs();
        Some(
            0.5 + 0.4 * (-far / 8.0).exp() * (row as f64 / 6.0).min(1.0) - if far > 20.0 { 0.1 } else { 0.0 },
        )
    })
}

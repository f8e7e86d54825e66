//! Places of options, calibration, pronouns.

use recant_figures::{
    PlacePanel, PositionBias, Reliability, ReliabilityBin, ReliabilityPanel, Scatter, ScatterPanel,
    ScatterPoint,
};

use crate::made::{noise, series};

pub fn places() -> PositionBias {
    let panel = |title: &str, shares: &[[f64; 3]]| PlacePanel {
        title: title.into(),
        places: ["a", "b", "c", "d", "e"].iter().take(shares.len()).map(|p| (*p).into()).collect(),
        series: ["round 0", "round 1", "round 2"]
            .iter()
            .enumerate()
            .map(|(r, label)| series(label, &shares.iter().map(|s| s[r]).collect::<Vec<_>>(), 0.03))
            .collect(),
    };
    PositionBias {
        name: "position-bias".into(),
        panels: vec![
            panel("BBQ, ambiguous", &[[0.52, 0.44, 0.38], [0.27, 0.31, 0.33], [0.21, 0.25, 0.29]]),
            panel("Winogender", &[[0.61, 0.55, 0.5], [0.39, 0.45, 0.5]]),
            panel(
                "Moral choices",
                &[[0.35, 0.3, 0.27], [0.28, 0.27, 0.26], [0.21, 0.23, 0.24], [0.16, 0.2, 0.23]],
            ),
        ],
        x_label: "Place of the option".into(),
        y_label: "Share of items".into(),
        uniform: "uniform".into(),
        interval: "95 % bootstrap intervals over question groups".into(),
        columns: None,
    }
}

pub fn places_of_one_task() -> PositionBias {
    PositionBias {
        name: "position-bias-one".into(),
        panels: places().panels.into_iter().take(1).collect(),
        ..places()
    }
}

pub fn reliability() -> Reliability {
    let panel = |title: &str, over: f64| ReliabilityPanel {
        title: title.into(),
        bins: (0..10)
            .map(|b| {
                let confidence = 0.05 + 0.1 * b as f64;
                let n = if b < 2 { 0 } else { 6 + 9 * b * b };
                let accuracy = (confidence - over * confidence * (1.1 - confidence) * 2.0).clamp(0.0, 1.0);
                let half = 1.96 * (accuracy * (1.0 - accuracy) / (n as f64).max(1.0)).sqrt();
                let interval = Some(((accuracy - half).max(0.0), (accuracy + half).min(1.0)));
                ReliabilityBin { confidence, accuracy, interval, n }
            })
            .collect(),
        ece_interval: Some((0.3 * over.abs(), 0.6 * over.abs())),
    };
    Reliability {
        name: "reliability".into(),
        panels: vec![panel("baseline", 0.7), panel("specificity-1", 0.4), panel("negation", -0.2)],
        x_label: "Confidence".into(),
        y_label: "Accuracy".into(),
        diagonal: "calibrated".into(),
        range: None,
        interval: "95 % Wilson intervals".into(),
        columns: None,
    }
}

pub fn labour_market() -> Scatter {
    const OCCUPATIONS: [&str; 6] = ["nurse", "carpenter", "secretary", "engineer", "teacher", "pharmacist"];
    let panel = |title: &str, slope: f64, r: f64| ScatterPanel {
        title: title.into(),
        points: (0..60)
            .map(|i| {
                let x = 0.5 + 0.48 * noise(i * 3 + 1);
                let y = (0.5 + slope * (x - 0.5) + 0.16 * noise(i * 5 + 2)).clamp(0.0, 1.0);
                let label = OCCUPATIONS.get(i).map_or(format!("occupation {i}"), |o| (*o).into());
                ScatterPoint { label, x: Some(x), y: Some(y), labelled: i < OCCUPATIONS.len() }
            })
            .collect(),
        correlation: Some(r),
        correlation_interval: Some((r - 0.12, r + 0.07)),
    };
    Scatter {
        name: "labour-market".into(),
        panels: vec![
            panel("baseline", 1.1, 0.88),
            panel("specificity-1", 0.5, 0.7),
            panel("negation", 0.2, 0.41),
        ],
        x_label: "Recorded share of women".into(),
        y_label: "Model's share of she".into(),
        range: Some((0.0, 1.0)),
        diagonal: "as recorded".into(),
        statistic: "r".into(),
        interval: "95 % bootstrap interval over occupations".into(),
        columns: None,
    }
}

pub fn one_scatter() -> Scatter {
    let mut panels: Vec<_> = labour_market().panels.into_iter().take(1).collect();
    let more = (60..300).map(|i| {
        let x = 0.5 + 0.48 * noise(i * 3 + 1);
        let y = (x + 0.2 * noise(i * 5 + 2)).clamp(0.0, 1.0);
        ScatterPoint { label: format!("occupation {i}"), x: Some(x), y: Some(y), labelled: false }
    });
    panels[0].points.extend(more);
    Scatter { name: "labour-market-one".into(), panels, ..labour_market() }
}

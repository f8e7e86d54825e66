//! The curves of an alignment run.

use recant_figures::{Curve, CurvePanel, CurvePoint, Curves, Reference};

use super::Planned;
use crate::align::trainer::Step;
use crate::report::alignment::{Alignment, Saved};
use crate::study::Method;

/// Title and axis of each number of held-out pairs, the same number of a step of training, and a level to compare with.
type Panel = (&'static str, &'static str, fn(&Step) -> Option<f64>, (&'static str, f64));

const PANELS: [Panel; 4] = [
    ("Loss", "DPO loss (nats)", |step| Some(step.loss), ("before training", std::f64::consts::LN_2)),
    ("Reward margin", "Reward margin", |step| step.margin, ("before training", 0.0)),
    ("Pairs ranked right", "Share of pairs", |step| step.preferred, ("chance", 0.5)),
    ("Lead of the chosen answer", "Log-probability (nats)", |_| None, ("equal", 0.0)),
];

/// The figure `alignment`.
#[must_use]
pub fn figure(alignment: &Alignment<'_>) -> Planned {
    let mut panels: Vec<CurvePanel> = alignment.parts().map(|part| panel(alignment, part)).collect();
    // Supervised training has a loss of the chosen answers alone, which is measured in training only.
    if alignment.entry.method == Method::Sft {
        panels.extend(of_training(alignment, |step| Some(step.loss)).map(|line| CurvePanel {
            title: "Training loss".into(),
            y_label: "Loss (nats a token)".into(),
            lines: vec![line],
            ..CurvePanel::default()
        }));
    }
    let perplexity = |saved: &Saved| CurvePoint { x: saved.step as f64, y: saved.perplexity, interval: None };
    panels.push(CurvePanel {
        title: "Cost".into(),
        y_label: "Perplexity of prose".into(),
        lines: vec![Curve {
            label: "neutral prose".into(),
            points: alignment.saved.iter().map(perplexity).collect(),
            marked: true,
        }],
        ..CurvePanel::default()
    });
    let curves = Curves {
        name: "alignment".into(),
        panels,
        x_label: "Alignment step".into(),
        interval: "95 % bootstrap intervals over groups of pairs".into(),
        columns: None,
    };
    Planned::new(curves)
}

const HELD_OUT: &str = "held out";

/// A number of every step; nothing where the steps have none.
fn of_training(alignment: &Alignment<'_>, of: fn(&Step) -> Option<f64>) -> Option<Curve> {
    // A step's numbers are those before it.
    let point = |step: &Step| CurvePoint { x: step.step as f64 - 1.0, y: of(step), interval: None };
    let points: Vec<CurvePoint> = alignment.log.iter().map(point).collect();
    let there = points.len() > 1 && points.iter().all(|point| point.y.is_some());
    there.then(|| Curve { label: "training batch".into(), points, marked: false })
}

fn panel(alignment: &Alignment<'_>, part: usize) -> CurvePanel {
    let (title, y_label, of_step, (label, value)) = PANELS[part];
    let held = |saved: &Saved| CurvePoint {
        x: saved.step as f64,
        y: saved.held[part].value,
        interval: saved.held[part].interval.map(|interval| (interval.low, interval.high)),
    };
    let mut lines = vec![Curve {
        label: HELD_OUT.into(),
        points: alignment.saved.iter().map(held).collect(),
        marked: true,
    }];
    lines.extend(of_training(alignment, of_step));
    CurvePanel {
        title: title.into(),
        y_label: y_label.into(),
        lines,
        references: vec![Reference { label: label.into(), value, interval: None }],
        ..CurvePanel::default()
    }
}

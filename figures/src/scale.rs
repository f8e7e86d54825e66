//! Ranges, ticks and how numbers are written.

use crate::numbers::written;

/// Round tick positions inside [lo, hi]: multiples of 1, 2 or 5 times a power of ten, about `wanted` of them.
pub(crate) fn ticks(lo: f64, hi: f64, wanted: usize) -> Vec<f64> {
    multiples(lo, hi, nice_step((hi - lo) / wanted.max(1) as f64), 0.0)
}

/// Integer ticks inside [lo, hi], about `wanted` of them.
pub(crate) fn integer_ticks(lo: f64, hi: f64, wanted: usize) -> Vec<f64> {
    multiples(lo, hi, nice_step((hi - lo) / wanted.max(1) as f64).max(1.0), 0.0)
}

/// `anchor` plus multiples of `step` inside [lo, hi].
pub(crate) fn multiples(lo: f64, hi: f64, step: f64, anchor: f64) -> Vec<f64> {
    let slack = 1e-9;
    let first = ((lo - anchor) / step - slack).ceil() as i64;
    let last = ((hi - anchor) / step + slack).floor() as i64;
    (first..=last).take(1000).map(|k| anchor + k as f64 * step).collect()
}

/// The least of 1, 2, 5 times a power of ten that is no smaller than `raw`.
pub(crate) fn nice_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.max(f64::MIN_POSITIVE).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|&s| s >= raw * (1.0 - 1e-9)).unwrap_or(raw)
}

/// A range with room around the numbers; a single number gets a range of its own size.
pub(crate) fn padded(lo: f64, hi: f64) -> (f64, f64) {
    let span = hi - lo;
    let pad = if span > 0.0 { span * 0.06 } else { (lo.abs() * 0.1).max(0.05) };
    (lo - pad, hi + pad)
}

/// Tick labels with as many decimals as the ticks need, alike for all, and a true minus sign.
pub(crate) fn tick_labels(ticks: &[f64]) -> Vec<String> {
    let needs = |v: f64| {
        (0..=9).find(|&d| {
            let scale = 10f64.powi(d);
            (v * scale - (v * scale).round()).abs() < 1e-6 * (v * scale).abs().max(1.0)
        })
    };
    let largest = ticks.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest >= 1e6 || (largest > 0.0 && largest < 1e-4) {
        return ticks.iter().map(|v| written(&format!("{v:.1e}"))).collect();
    }
    let decimals = ticks.iter().filter_map(|&v| needs(v)).max().unwrap_or(0) as usize;
    ticks.iter().map(|&v| written(&format!("{:.decimals$}", if v == 0.0 { 0.0 } else { v }))).collect()
}

/// Ticks of a logarithmic axis from 10^lo to 10^hi, about `wanted` of them, with labels: places are logarithms.
/// Less than a factor of five is ticked as a linear axis is; more at 1, 2, 5 or at powers of ten.
pub(crate) fn log_ticks(lo: f64, hi: f64, wanted: usize) -> Vec<(f64, String)> {
    let least = 0.75 * (hi - lo) / wanted.max(1) as f64;
    let clear = |t: &Vec<f64>| t.len() > 1 && t.windows(2).all(|w| w[1].log10() - w[0].log10() >= least);
    let (from, to) = (10f64.powf(lo), 10f64.powf(hi));
    let linear = (1..=wanted).rev().map(|n| ticks(from, to, n)).filter(|_| hi - lo < 0.7).find(clear);
    if let Some(linear) = linear {
        let labels = tick_labels(&linear);
        return linear.iter().map(|t| t.log10()).zip(labels).collect();
    }
    let decades = |step: i32, of: &[f64]| -> Vec<f64> {
        let (first, last) = (lo.floor() as i32 - 1, hi.ceil() as i32 + 1);
        let powers = (first..=last).filter(|p| p.rem_euclid(step) == 0);
        let all = powers.flat_map(|p| of.iter().map(move |m| m * 10f64.powi(p)));
        all.filter(|t| (lo - 1e-9..=hi + 1e-9).contains(&t.log10())).collect()
    };
    let fine = [&[1.0, 2.0, 5.0][..], &[1.0, 3.0]].map(|of| decades(1, of));
    let coarse = (1..400).map(|step| decades(step, &[1.0]));
    let found = fine.into_iter().chain(coarse).find(clear).unwrap_or_else(|| decades(1, &[1.0, 2.0, 5.0]));
    found.into_iter().map(|t| (t.log10(), log_label(t))).collect()
}

/// A tick of a logarithmic axis; far from 1 as a power of ten.
fn log_label(tick: f64) -> String {
    let power = (tick.log10() + 1e-9).floor();
    if (-4.0..6.0).contains(&power) {
        return tick_labels(&[tick]).concat();
    }
    let (factor, power) = (tick / 10f64.powf(power), written(&format!("{power}")));
    let factor = if (factor - 1.0).abs() < 1e-6 { String::new() } else { format!("{factor:.0}·") };
    format!("{factor}10^{{{power}}}")
}

/// The number with two decimals, or with what a very small one needs.
pub(crate) fn short(value: f64) -> String {
    let decimals = if value != 0.0 && value.abs() < 0.05 {
        3
    } else if value.abs() >= 100.0 {
        0
    } else {
        2
    };
    written(&format!("{value:.decimals$}"))
}

/// A count with a unit prefix, three digits at most: 135M, 1.7B, 70B.
pub(crate) fn count(value: f64) -> String {
    const UNITS: [(f64, &str); 5] = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, "")];
    // What would be rounded up to 1000 of a unit is 1 of the next.
    let (scale, unit) = UNITS.into_iter().find(|u| value >= 0.9995 * u.0).unwrap_or((1.0, ""));
    let scaled = value / scale;
    let decimals = if scaled >= 99.95 { 0 } else { 1 };
    let text = format!("{scaled:.decimals$}");
    written(text.strip_suffix(".0").unwrap_or(&text)) + unit
}

/// Which of these extents, in ascending order, to keep so that any two are `gap` apart: the first, the last,
/// then from left to right.
pub(crate) fn apart(extents: &[(f64, f64)], gap: f64) -> Vec<bool> {
    let mut keep = vec![false; extents.len()];
    let [first, .., last] = extents else {
        return vec![true; extents.len()];
    };
    keep[0] = true;
    let last_kept = last.0 >= first.1 + gap;
    keep[extents.len() - 1] = last_kept;
    let limit = if last_kept { last.0 } else { f64::INFINITY };
    let mut end = first.1;
    for (i, extent) in extents.iter().enumerate().skip(1).take(extents.len() - 2) {
        if extent.0 >= end + gap && extent.1 + gap <= limit {
            (keep[i], end) = (true, extent.1);
        }
    }
    keep
}

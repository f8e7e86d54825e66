//! How far alignment shifted the tokens of an answer, position by position.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{lines, parts};
use crate::canvas::Drawing;
use crate::colour::Rgb;
use crate::data::{Csv, Series, check_share, check_some, entry, known, lettered, listed, plain};
use crate::error::{Error, Result};
use crate::grid::{self, Plot, Ticks};
use crate::legend::{Key, Named};
use crate::panel::Mark;
use crate::scale;
use crate::style::{Dash, Style};

/// How far shares may be from a whole, for rounding.
const SLACK: f64 = 1e-6;
/// Where the x axis begins: a little before the first column.
const BEFORE: f64 = 0.05;
/// Unshifted, marginal and shifted: the more shifted the darker, so that they read in grey as well.
const SHADES: [Rgb; 3] = [Rgb(221, 225, 230), Rgb(236, 168, 64), Rgb(158, 44, 38)];
const GREY_SHADES: [Rgb; 3] = [Rgb(224, 224, 224), Rgb(150, 150, 150), Rgb(50, 50, 50)];
const NAMES: [&str; 3] = ["unshifted", "marginal", "shifted"];

/// Small multiples, one panel a condition and round: for each position of the answer the shares of tokens that the
/// base model would have chosen as well (unshifted), ranks second or third (marginal) or ranks lower (shifted), stacked,
/// and beneath them the mean divergence of the two models. After Lin et al. 2023, "The Unlocking Spell on Base LLMs".
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TokenShift {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a condition and round.
    pub panels: Vec<ShiftPanel>,
    /// The label of the x axis, usually "Position in the answer".
    pub x_label: String,
    /// What the intervals of the divergence are, for the caption: "95 % bootstrap intervals over answers".
    pub interval: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One condition and round. All lists have one entry a position, the answer's first token first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ShiftPanel {
    /// The condition: "baseline, round 0".
    pub title: String,
    /// Shares of unshifted, marginal and shifted tokens, between 0 and 1, that add up to 1; None or a NaN is a
    /// position without tokens, drawn as a gap.
    pub shares: Vec<Option<[f64; 3]>>,
    /// The mean Kullback-Leibler divergence of the models' next-token distributions in nats; its label is not drawn.
    pub kl: Series,
    /// How many tokens each position has; empty when that is not known.
    pub n: Vec<usize>,
}

impl ShiftPanel {
    /// The shares at each position, unless one of them is missing.
    fn known(&self) -> impl Iterator<Item = Option<[f64; 3]>> {
        self.shares.iter().map(|s| s.filter(|s| s.iter().all(|v| !v.is_nan())))
    }

    fn check(&self) -> Result<()> {
        let what = format!("panel \"{}\"", self.title);
        check_some(&self.shares, &what, "position")?;
        let positions = self.shares.len();
        for (at, shares) in self.known().enumerate() {
            let what = format!("{what}, shares at position {}", at + 1);
            let Some(shares) = shares else { continue };
            shares.iter().try_for_each(|&share| check_share(&what, share))?;
            let value: f64 = shares.iter().sum();
            if (value - 1.0).abs() > SLACK {
                return Err(Error::OutOfRange { what: format!("{what}, their sum"), value, must: "be 1" });
            }
        }
        let kl = format!("{what}, kl");
        self.kl.check(&kl, positions)?;
        for &value in [&self.kl.value, &self.kl.lo, &self.kl.hi].into_iter().flatten().flatten() {
            if value < -SLACK {
                return Err(Error::OutOfRange { what: kl, value, must: "not lie below 0" });
            }
        }
        if !self.n.is_empty() && self.n.len() != positions {
            let (expected, found) = (positions, self.n.len());
            return Err(Error::Ragged { what: format!("{what}, n"), expected, found });
        }
        if self.known().all(|s| s.is_none()) && self.kl.is_blank() {
            return Err(Error::NoValues { what });
        }
        Ok(())
    }
}

impl TokenShift {
    fn check(&self) -> Result<()> {
        check_some(&self.panels, &format!("figure \"{}\"", self.name), "panel")?;
        self.panels.iter().try_for_each(ShiftPanel::check)
    }

    /// The same places of x for every panel.
    fn positions(&self) -> f64 {
        self.panels.iter().map(|p| p.shares.len()).max().unwrap_or(1) as f64
    }

    /// The largest divergence drawn: panels share their scale.
    fn highest(&self) -> f64 {
        let lists = self.panels.iter().flat_map(|p| [&p.kl.value, &p.kl.hi]);
        let highest = lists.flatten().filter_map(|v| known(*v)).fold(0.0, f64::max);
        if highest > 0.0 { 1.05 * highest } else { 1.0 }
    }

    fn plot(&self, panel: &ShiftPanel, style: &Style) -> Plot {
        let shades = if style.theme.is_grey() { GREY_SHADES } else { SHADES };
        let positions = self.positions();
        let x = (BEFORE, positions + 0.5);
        let places: Vec<f64> = (1..=panel.shares.len()).map(|p| p as f64).collect();
        let mut plot = Plot {
            title: panel.title.clone(),
            y_label: "Tokens (%)".into(),
            x,
            y_range: Some((0.0, 100.0)),
            ticks: ticks(positions),
            beneath: Some(Box::new(self.divergence(panel, style, x))),
            ..Plot::default()
        };
        let up_to = |parts: usize| -> Vec<_> {
            let sum = |s: [f64; 3]| 100.0 * s[..parts].iter().sum::<f64>().min(1.0);
            panel.known().map(|s| s.map(sum)).collect()
        };
        for part in (0..3).rev() {
            let (lo, hi) = (up_to(part), up_to(part + 1));
            plot.marks.push(Mark::Columns { x: places.clone(), lo, hi, colour: shades[part] });
        }
        plot.named = std::iter::zip(NAMES, shades)
            .map(|(name, colour)| {
                let key = Key::Swatch { colour, alpha: 1.0, dash: Dash::Solid };
                Named { label: name.into(), key, end: None }
            })
            .collect();
        plot
    }

    fn divergence(&self, panel: &ShiftPanel, style: &Style, x: (f64, f64)) -> Plot {
        let kl = panel.kl.cleaned();
        let look = style.look(0);
        let places: Vec<f64> = (1..=kl.value.len()).map(|p| p as f64).collect();
        let points: Vec<_> = places.iter().copied().zip(kl.value).collect();
        let alone = crate::panel::alone(&points);
        let colour = look.colour;
        Plot {
            x_label: self.x_label.clone(),
            y_label: "KL (nats)".into(),
            x,
            y_range: Some((0.0, self.highest())),
            ticks: ticks(self.positions()),
            lower: true,
            marks: vec![
                Mark::Band { x: places, lo: kl.lo, hi: kl.hi, colour, alpha: 0.22 },
                Mark::Line { points, colour, dash: Dash::Solid, width: 0.9 },
                Mark::Points { points: alone, look, radius: 1.0 },
            ],
            ..Plot::default()
        }
    }
}

/// The first position, and round ones.
fn ticks(positions: f64) -> Ticks {
    let step = scale::nice_step((positions - 1.0) / 7.0).max(1.0);
    let round = if step > 2.0 {
        std::iter::once(1.0).chain(scale::multiples(step, positions, step, 0.0)).collect()
    } else {
        scale::multiples(1.0, positions, step, 1.0)
    };
    Ticks::At(round.into_iter().map(|p| (p, p.to_string())).collect())
}

parts!(TokenShift, ShiftPanel, [x_label], [interval]);
lines!(ShiftPanel);

impl Figure for TokenShift {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, self.columns, style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let [unshifted, marginal, shifted] = NAMES;
        let mut csv =
            Csv::new(&["panel", "position", unshifted, marginal, shifted, "kl", "kl_lo", "kl_hi", "n"]);
        for panel in &self.panels {
            for (at, shares) in panel.known().enumerate() {
                let [unshifted, marginal, shifted] = shares.map_or([None; 3], |s| s.map(Some));
                let numbers = [
                    Some((at + 1) as f64),
                    unshifted,
                    marginal,
                    shifted,
                    entry(&panel.kl.value, at),
                    entry(&panel.kl.lo, at),
                    entry(&panel.kl.hi, at),
                    panel.n.get(at).map(|&n| n as f64),
                ];
                csv.row(&[&panel.title], &numbers);
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let mut out = vec![
            format!(
                "Shift of the aligned model's tokens by {} for {}.",
                crate::data::inside(&plain(&self.x_label)),
                listed(&titles)
            ),
            "Above: shares of tokens that are the base model's first choice in the same context (unshifted), its \
             second or third (marginal) or rank lower (shifted; Lin et al. 2023)."
                .into(),
            "Below: mean KL divergence of the aligned from the base model's next-token distribution.".into(),
        ];
        let has = |list: &[Option<f64>]| list.iter().any(|v| known(*v).is_some());
        if self.panels.iter().any(|p| has(&p.kl.lo) && has(&p.kl.hi)) {
            out.push(format!("Bands: {}.", self.interval));
        }
        let counts = || self.panels.iter().flat_map(|p| p.n.iter().copied()).filter(|n| *n > 0);
        if let (Some(least), Some(most)) = (counts().min(), counts().max()) {
            let n = if least == most { format!("{most}") } else { format!("{least} to {most}") };
            out.push(format!("n = {n} tokens a position."));
        }
        let gap = |p: &ShiftPanel| {
            p.known().any(|s| s.is_none()) || !p.kl.value.iter().all(|v| known(*v).is_some())
        };
        if self.panels.iter().any(gap) {
            out.push("Gaps: not defined.".into());
        }
        out.join(" ")
    }
}

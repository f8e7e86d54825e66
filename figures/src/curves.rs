//! Lines with intervals over a number: effects of steering over its strength, losses over training steps.

use serde::{Deserialize, Serialize};

use crate::Figure;
use crate::arrange::{lines, parts};
use crate::canvas::Drawing;
use crate::colour::{MUTED, WHITE};
use crate::data::{
    Csv, Reference, check_number, check_order, check_range, check_some, distinct, inside, known, lettered,
    listed, plain,
};
use crate::error::{Error, Result};
use crate::grid::{self, Plot, Ticks};
use crate::legend::{Key, Named};
use crate::panel::{Mark, alone};
use crate::references;
use crate::style::{Dash, Look, Style};

/// Small multiples, one panel a measure, over one numeric x: the strength of steering, the step of training.
/// A line is either marked (a marker and an interval bar a point) or thin (for hundreds of points). Where x
/// spans 0, a vertical line shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Curves {
    /// The figure's name, used for file names.
    pub name: String,
    /// One panel a measure, in reading order; all share the range of x.
    pub panels: Vec<CurvePanel>,
    /// The label of the x axis: "Strength (residual norms)", "Step".
    pub x_label: String,
    /// What the intervals are, for the caption: "95 % bootstrap intervals over items".
    pub interval: String,
    /// Panels side by side, or None for as many as fit well.
    pub columns: Option<usize>,
}

/// One measure.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CurvePanel {
    /// What is measured: "Effect", "Perplexity of neutral text".
    pub title: String,
    /// The label of the y axis with its unit. `_{..}` and `^{..}` set sub- and superscripts.
    pub y_label: String,
    /// The least range of the y axis; it grows to hold every number drawn. None chooses it.
    #[serde(with = "crate::nan")]
    pub y_range: Option<(f64, f64)>,
    /// Whether the y axis is logarithmic; all its numbers must then lie above 0.
    pub log_y: bool,
    /// Whether the x axis is logarithmic; all numbers of x in the figure must then lie above 0.
    pub log_x: bool,
    /// Whether the lines are steps of an order (layers, steps of alignment): they are coloured from dark to light, in
    /// the order in which their labels first appear in the figure.
    pub ordered: bool,
    /// The lines. They keep their colour across panels by label.
    pub lines: Vec<Curve>,
    /// A range to compare with at each x, drawn in grey.
    pub band: Option<CurveBand>,
    /// Levels to compare with: no effect, chance.
    pub references: Vec<Reference>,
}

/// One line. Smoothing, where wanted, is the caller's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Curve {
    /// The name shown at the line's end or in the legend.
    pub label: String,
    /// Its points, by x from left to right.
    pub points: Vec<CurvePoint>,
    /// Whether points have markers, and intervals are bars. Else the line is thin and solid, and intervals are
    /// a shaded band.
    pub marked: bool,
}

/// One point of a [`Curve`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Its place on the x axis.
    pub x: f64,
    /// Its value; None or NaN where it is not defined, which is drawn as a gap.
    pub y: Option<f64>,
    /// The interval of the value, in its units; None or NaN where there is none.
    #[serde(with = "crate::nan")]
    pub interval: Option<(f64, f64)>,
}

/// A range at each x that is no line's interval: what 20 random directions did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CurveBand {
    /// Its name: "20 random directions, range".
    pub label: String,
    /// x, lower end and upper end, by x from left to right; a NaN end is a gap.
    #[serde(with = "crate::nan")]
    pub points: Vec<(f64, f64, f64)>,
}

impl CurvePoint {
    fn ends(&self) -> Option<(f64, f64)> {
        self.interval.filter(|(lo, hi)| !lo.is_nan() && !hi.is_nan())
    }
}

impl Curve {
    fn is_blank(&self) -> bool {
        !self.points.iter().any(|p| known(p.y).is_some())
    }

    fn check(&self, what: &str, log: bool) -> Result<()> {
        check_some(&self.points, what, "point")?;
        check_places(self.points.iter().map(|p| p.x), what)?;
        for (i, point) in self.points.iter().enumerate() {
            let what = || format!("{what}, point {i}");
            if let Some(y) = known(point.y) {
                check_height(&what(), y, log)?;
            }
            if let Some((lo, hi)) = point.ends() {
                check_order(&format!("{}, interval", what()), (lo, hi))?;
                check_height(&format!("{}, interval", what()), lo, log)?;
            }
        }
        Ok(())
    }
}

impl CurveBand {
    /// The points whose ends are there.
    fn there(&self) -> impl DoubleEndedIterator<Item = (f64, f64, f64)> {
        self.points.iter().copied().filter(|(_, lo, hi)| !lo.is_nan() && !hi.is_nan())
    }

    fn check(&self, what: &str, log: bool) -> Result<()> {
        let what = format!("{what}, band \"{}\"", self.label);
        check_some(&self.points, &what, "point")?;
        check_places(self.points.iter().map(|p| p.0), &what)?;
        for (x, lo, hi) in self.there() {
            check_order(&format!("{what}, at {x}"), (lo, hi))?;
            check_height(&format!("{what}, at {x}"), lo, log)?;
        }
        Ok(())
    }
}

/// x must be finite and ascend.
fn check_places(places: impl Iterator<Item = f64>, what: &str) -> Result<()> {
    let mut before = None;
    for x in places {
        check_number(&format!("{what}, x"), x)?;
        match before {
            Some(before) if x <= before => {
                return Err(Error::OutOfOrder { what: what.into(), before, after: x });
            }
            _ => before = Some(x),
        }
    }
    Ok(())
}

fn check_height(what: &str, value: f64, log: bool) -> Result<()> {
    check_number(what, value)?;
    if log && value <= 0.0 {
        Err(Error::OutOfRange { what: what.into(), value, must: "lie above 0 on a log axis" })
    } else {
        Ok(())
    }
}

impl CurvePanel {
    fn check(&self) -> Result<()> {
        let what = format!("panel \"{}\"", self.title);
        check_some(&self.lines, &what, "line")?;
        for line in &self.lines {
            line.check(&format!("{what}, line \"{}\"", line.label), self.log_y)?;
        }
        if self.lines.iter().all(Curve::is_blank) {
            return Err(Error::NoValues { what });
        }
        self.band.as_ref().map_or(Ok(()), |b| b.check(&what, self.log_y))?;
        for r in &self.references {
            r.check(&what)?;
            let lowest = r.interval.map_or(r.value, |i| i.0.min(r.value));
            check_height(&format!("{what}, reference \"{}\"", r.label), lowest, self.log_y)?;
        }
        if let Some(range) = self.y_range {
            let what = format!("{what}, y_range");
            check_range(&what, range)?;
            check_height(&what, range.0, self.log_y)?;
        }
        Ok(())
    }

    /// Every x, in no order.
    fn places(&self) -> impl Iterator<Item = f64> {
        let lines = self.lines.iter().flat_map(|l| l.points.iter().map(|p| p.x));
        lines.chain(self.band.iter().flat_map(|b| b.points.iter().map(|p| p.0)))
    }

    /// A place in the units of the axis.
    fn place(&self, x: f64) -> f64 {
        if self.log_x { x.log10() } else { x }
    }

    /// A height in the units of the axis.
    fn height(&self, y: f64) -> f64 {
        if self.log_y { y.log10() } else { y }
    }

    fn heights(&self, (lo, hi): (f64, f64)) -> (f64, f64) {
        (self.height(lo), self.height(hi))
    }

    fn band_marks(&self, plot: &mut Plot) {
        let Some(band) = &self.band else { return };
        let (colour, alpha) = (MUTED, 0.22);
        let ends = |end: fn(&(f64, f64, f64)) -> f64| {
            band.points.iter().map(|p| known(Some(self.height(end(p))))).collect::<Vec<_>>()
        };
        let end = band
            .there()
            .next_back()
            .map(|(x, lo, hi)| (self.place(x), (self.height(lo) + self.height(hi)) / 2.0));
        plot.named.push(Named { label: band.label.clone(), key: Key::Area { colour, alpha }, end });
        plot.marks.push(Mark::Band {
            x: band.points.iter().map(|p| self.place(p.0)).collect(),
            lo: ends(|p| p.1),
            hi: ends(|p| p.2),
            colour,
            alpha,
        });
    }
}

impl Curves {
    fn lines(&self) -> impl Iterator<Item = &Curve> {
        self.panels.iter().flat_map(|p| &p.lines)
    }

    /// Labels of the lines for which `of` holds, in order of first appearance.
    fn labels(&self, of: impl Fn(&Curve) -> bool) -> Vec<&str> {
        distinct(self.lines().filter(|l| of(l)).map(|line| line.label.as_str()))
    }

    fn check(&self) -> Result<()> {
        let what = format!("figure \"{}\"", self.name);
        check_some(&self.panels, &what, "panel")?;
        self.panels.iter().try_for_each(CurvePanel::check)?;
        let (lo, hi) = self.extent();
        if let Some(panel) = self.panels.iter().find(|p| p.log_x) {
            check_height(&format!("{what}, x in panel \"{}\"", panel.title), lo, true)?;
        }
        if lo < hi {
            Ok(())
        } else {
            let needs = "a curve needs points at two places of x at least";
            Err(Error::TooFew { what, found: 1, of: "place of x", needs })
        }
    }

    /// The first and the last x of all panels.
    fn extent(&self) -> (f64, f64) {
        let places = || self.panels.iter().flat_map(CurvePanel::places);
        (places().fold(f64::INFINITY, f64::min), places().fold(f64::NEG_INFINITY, f64::max))
    }

    fn spans_zero(&self) -> bool {
        let (lo, hi) = self.extent();
        lo < 0.0 && hi > 0.0
    }

    /// Where points are few and lie at multiples of a step, such as strengths do, ticks lie at them.
    fn ticks(&self) -> Ticks {
        let (lo, hi) = self.extent();
        let mut places: Vec<f64> = self.panels.iter().flat_map(CurvePanel::places).collect();
        places.sort_by(f64::total_cmp);
        let gaps = places.windows(2).map(|w| w[1] - w[0]).filter(|gap| *gap > 1e-9 * (hi - lo));
        let step = gaps.fold(hi - lo, f64::min);
        let on_step = |x: &f64| (x / step - (x / step).round()).abs() < 1e-6;
        let few = (hi - lo) / step <= 40.0;
        if few && places.iter().all(on_step) { Ticks::Every(step) } else { Ticks::Round }
    }

    /// How far each marked line is moved along x so that none hides another's bars: by label.
    fn apart(&self, panel: &CurvePanel) -> Vec<(&str, f64)> {
        let marked = self.labels(|l| l.marked);
        let gaps = self.lines().filter(|l| l.marked).flat_map(|l| l.points.windows(2));
        let gaps = gaps.map(|w| panel.place(w[1].x) - panel.place(w[0].x));
        let closest = gaps.fold(f64::INFINITY, f64::min);
        let (lo, hi) = self.extent();
        let (lo, hi) = (panel.place(lo), panel.place(hi));
        let step = (0.012 * (hi - lo)).min(0.5 * closest / marked.len().max(1) as f64);
        let middle = (marked.len().max(1) - 1) as f64 / 2.0;
        marked.into_iter().enumerate().map(|(i, label)| (label, step * (i as f64 - middle))).collect()
    }

    fn plot(&self, panel: &CurvePanel, style: &Style) -> Plot {
        let (lo, hi) = self.extent();
        let (lo, hi) = (panel.place(lo), panel.place(hi));
        let (labels, apart) = (self.labels(|_| true), self.apart(panel));
        let pad = 0.045 * (hi - lo) + apart.last().map_or(0.0, |last| last.1);
        let mut plot = Plot {
            title: panel.title.clone(),
            x_label: self.x_label.clone(),
            y_label: panel.y_label.clone(),
            x: (lo - pad, hi + pad),
            y_range: panel.y_range.map(|range| panel.heights(range)),
            log_y: panel.log_y,
            ticks: if panel.log_x { Ticks::Log } else { self.ticks() },
            ..Plot::default()
        };
        if self.spans_zero() {
            plot.marks.push(Mark::Upright { x: 0.0, colour: MUTED.towards(WHITE, 0.4), width: 0.5 });
        }
        panel.band_marks(&mut plot);
        let references = panel.references.iter().map(|r| Reference {
            label: r.label.clone(),
            value: panel.height(r.value),
            interval: r.interval.map(|interval| panel.heights(interval)),
        });
        references::add(&mut plot, &references.collect::<Vec<_>>());
        let (mut thin, mut bars, mut on_top) = (Vec::new(), Vec::new(), Vec::new());
        let mixed = self.lines().any(|l| l.marked);
        for line in &panel.lines {
            let index = labels.iter().position(|l| *l == line.label).unwrap_or(0);
            let mut look = if panel.ordered { style.step(index, labels.len()) } else { style.look(index) };
            if mixed && !line.marked {
                look.colour = look.colour.towards(WHITE, 0.4);
            }
            let moved = apart.iter().find(|a| line.marked && a.0 == line.label).map_or(0.0, |a| a.1);
            let (mut marks, named) = marks(panel, line, look, moved);
            if line.marked {
                bars.push(marks.remove(0));
                on_top.extend(marks);
            } else {
                plot.marks.push(marks.remove(0));
                thin.extend(marks);
            }
            plot.named.push(named);
        }
        plot.marks.extend(thin.into_iter().chain(bars).chain(on_top));
        plot
    }

    /// Which panels have a logarithmic axis, if any has.
    fn logarithmic(&self, axis: &str, of: fn(&CurvePanel) -> bool) -> Option<String> {
        let logs: Vec<_> = (0..self.panels.len()).filter(|&i| of(&self.panels[i])).collect();
        if logs.len() == self.panels.len() {
            Some(format!("The {axis} axis is logarithmic."))
        } else {
            let letters: Vec<_> = logs.into_iter().map(|i| format!("({})", grid::letter(i))).collect();
            (!letters.is_empty()).then(|| format!("The {axis} axis of {} is logarithmic.", listed(&letters)))
        }
    }
}

/// The marks of one line, its interval first, and its name.
fn marks(panel: &CurvePanel, line: &Curve, look: Look, moved: f64) -> (Vec<Mark>, Named) {
    let x: Vec<f64> = line.points.iter().map(|p| panel.place(p.x) + moved).collect();
    let y = line.points.iter().map(|p| known(p.y).map(|y| panel.height(y)));
    let points: Vec<_> = x.iter().copied().zip(y).collect();
    let ends = line.points.iter().map(|p| p.ends().map(|ends| panel.heights(ends)));
    let (lo, hi) = ends.map(|e| (e.map(|e| e.0), e.map(|e| e.1))).unzip();
    let end = points.iter().rev().find_map(|&(x, y)| Some((x, y?)));
    let colour = look.colour;
    // Dashes are lost in the bends of a line of hundreds of points.
    let look = Look { dash: if line.marked { look.dash } else { Dash::Solid }, ..look };
    let named = Named { label: line.label.clone(), key: Key::Line { look, marker: line.marked }, end };
    let marks = if line.marked {
        vec![
            Mark::Bars { x, lo, hi, colour },
            Mark::Line { points: points.clone(), colour, dash: look.dash, width: 1.0 },
            Mark::Points { points, look, radius: 1.9 },
        ]
    } else {
        let alone = alone(&points);
        vec![
            Mark::Band { x, lo, hi, colour, alpha: 0.16 },
            Mark::Line { points, colour, dash: look.dash, width: 0.55 },
            Mark::Points { points: alone, look, radius: 0.7 },
        ]
    };
    (marks, named)
}

parts!(Curves, CurvePanel, [x_label], [interval], {
    fn keep_layers(&mut self, first: usize, last: usize) -> bool {
        let of_layers = plain(&self.x_label).to_lowercase().starts_with("layer");
        let kept = |x: f64| (first as f64..=last as f64).contains(&x);
        for panel in self.panels.iter_mut().filter(|_| of_layers) {
            panel.lines.iter_mut().for_each(|line| line.points.retain(|point| kept(point.x)));
            panel.band.iter_mut().for_each(|band| band.points.retain(|point| kept(point.0)));
        }
        of_layers && self.panels.iter().all(|panel| panel.lines.iter().all(|line| !line.points.is_empty()))
    }
});

lines!(CurvePanel, lines, label);

impl Figure for Curves {
    fn name(&self) -> &str {
        &self.name
    }

    fn lay_out(&self, style: &Style) -> Result<Drawing> {
        self.check()?;
        let plots: Vec<_> = self.panels.iter().map(|p| self.plot(p, style)).collect();
        grid::draw(&plots, self.columns, style, &self.name, &self.caption())
    }

    fn csv(&self) -> String {
        let mut csv = Csv::new(&["panel", "kind", "label", "x", "value", "lo", "hi"]);
        for panel in &self.panels {
            for line in &panel.lines {
                for p in &line.points {
                    let numbers = [Some(p.x), p.y, p.ends().map(|i| i.0), p.ends().map(|i| i.1)];
                    csv.row(&[&panel.title, "line", &line.label], &numbers);
                }
            }
            if let Some(band) = &panel.band {
                for &(x, lo, hi) in &band.points {
                    csv.row(&[&panel.title, "band", &band.label], &[Some(x), None, Some(lo), Some(hi)]);
                }
            }
            for r in &panel.references {
                let numbers = [None, Some(r.value), r.interval.map(|i| i.0), r.interval.map(|i| i.1)];
                csv.row(&[&panel.title, "reference", &r.label], &numbers);
            }
        }
        csv.finish()
    }

    fn caption(&self) -> String {
        let titles = lettered(self.panels.iter().map(|p| p.title.as_str()));
        let mut out = vec![format!("{} against {}.", listed(&titles), inside(&plain(&self.x_label)))];
        let lines = |marked: bool| {
            let named = self.labels(|l| l.marked == marked).into_iter().map(|label| {
                let of = self.lines().filter(|l| l.marked == marked && l.label == label);
                format!("{} ({})", plain(label), count_of_points(of))
            });
            listed(&named.collect::<Vec<_>>())
        };
        for (marked, how) in [(true, "Lines with markers"), (false, "Thin lines")] {
            let lines = lines(marked);
            if !lines.is_empty() {
                out.push(format!("{how}: {lines}."));
            }
        }
        let has = |marked: bool| {
            self.lines().any(|l| l.marked == marked && l.points.iter().any(|p| p.ends().is_some()))
        };
        match (has(true), has(false)) {
            (true, true) => out.push(format!("Bars and coloured bands: {}.", self.interval)),
            (true, false) => out.push(format!("Bars: {}.", self.interval)),
            (false, true) => out.push(format!("Coloured bands: {}.", self.interval)),
            (false, false) => {}
        }
        if self.labels(|l| l.marked).len() > 1 {
            out.push("Lines with markers are set slightly apart for legibility.".into());
        }
        let mut bands: Vec<_> =
            self.panels.iter().filter_map(|p| p.band.as_ref()).map(|b| plain(&b.label)).collect();
        bands.dedup();
        if !bands.is_empty() {
            out.push(format!("Grey band: {}.", listed(&bands)));
        }
        out.extend(references::sentences(self.panels.iter().map(|p| p.references.as_slice())));
        if self.panels.iter().any(|p| p.ordered) {
            let steps = || self.panels.iter().filter(|p| p.ordered).flat_map(|p| &p.lines);
            let labels = self.labels(|_| true).into_iter().filter(|l| steps().any(|step| step.label == *l));
            let labels: Vec<_> = labels.map(plain).collect();
            out.push(format!("From dark to light: {}.", listed(&labels)));
        }
        out.extend(self.logarithmic("x", |p| p.log_x));
        out.extend(self.logarithmic("y", |p| p.log_y));
        if self.spans_zero() {
            out.push("Vertical grey line: 0 on the x axis.".into());
        }
        if self.lines().flat_map(|l| &l.points).any(|p| known(p.y).is_none()) {
            out.push("Gaps: not defined.".into());
        }
        out.join(" ")
    }
}

/// "12 points", "from 12 to 400 points" where panels differ.
fn count_of_points<'a>(lines: impl Iterator<Item = &'a Curve>) -> String {
    let counts: Vec<usize> =
        lines.map(|l| l.points.iter().filter(|p| known(p.y).is_some()).count()).collect();
    let (least, most) = (counts.iter().min().unwrap_or(&0), counts.iter().max().unwrap_or(&0));
    match (least, most) {
        (1, 1) => "1 point".into(),
        (least, most) if least == most => format!("{most} points"),
        _ => format!("{least} to {most} points a panel"),
    }
}

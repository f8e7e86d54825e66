//! The logistic optimiser: Newton's method with a truncated conjugate-gradient inner solve (Dembo and Steihaug, 1983),
//! for many fits of one layer at once: other penalties, other labels, other parts of the rows.
//!
//! All fits share the features of the [`Base`], so their products with it are products of matrices. Steps are sought in
//! single precision, which costs half; the gradient by which a fit is judged, and by which the next step corrects the
//! last, is in double precision, so nothing of the answer is single.

use faer::linalg::solvers::{Llt, Solve as _};
use faer::{MatMut, Side};
use rayon::prelude::*;

use crate::base::{Base, Part};
use crate::columns::{Columns, dot32, dot64};
use crate::error::{Error, Result};
use crate::spectrum::Spectrum;

/// Until the gradient norm has fallen to this share of its first value, single precision says how far a fit is.
const ROUGH: f64 = 1e-4;
/// A Newton step that moves no margin further than this lowers the objective, because the curvature cannot change by
/// more than a factor of e on the way (generalised self-concordance: Bach, 2010); longer ones are checked.
const SAFE: f32 = 1.0;
/// Inner iterations after which the features' spectrum is worth its price.
const PATIENCE: usize = 24;
/// Inner iterations after which the Hessian of a fit is worth its own decomposition, up to so many columns.
const STUBBORN: usize = 16;
const NARROW: usize = 1024;
/// Newton steps after which every fit that is still open gets it, as columns of very different size may ask.
const SLOW: usize = 8;
/// What keeps a Hessian of unit diagonal positive definite in single precision.
const RIDGE: f32 = 1e-6;
const MAX_INNER: usize = 400;
const MAX_HALVINGS: usize = 40;

/// How far each fit is taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// The gradient norm to reach, relative to that at zero weights.
    pub(crate) tolerance: f64,
    pub(crate) max_steps: usize,
}

/// Minimise `Σ log-loss + |w|² / (2 c)` over weights and intercept, on the rows of a part.
#[derive(Clone, Copy)]
pub(crate) struct Fit<'a> {
    /// Which of the parts.
    pub(crate) part: usize,
    /// `[N]`; both classes occur in the part.
    pub(crate) labels: &'a [bool],
    pub(crate) c: f64,
}

/// Where every fit ended.
pub(crate) struct Solved {
    /// For the features that the part makes of the base, `[D, P]`.
    pub(crate) weights: Columns<f64>,
    /// `[P]`.
    pub(crate) intercepts: Vec<f64>,
}

impl Solved {
    /// A fit as weights `[D]` and offset for rows of the base itself.
    pub(crate) fn readout(&self, fit: usize, part: &Part) -> (Vec<f64>, f64) {
        let weights: Vec<f64> = self
            .weights
            .col(fit)
            .iter()
            .zip(&part.stretch)
            .map(|(weight, stretch)| weight * stretch)
            .collect();
        let offset = self.intercepts[fit] - dot64(&part.shift, &weights);
        (weights, offset)
    }
}

/// Takes every fit to the goal.
///
/// # Errors
/// [`Error::NotConverged`], about the first fit that did not get there.
pub(crate) fn solve(base: &Base, parts: &[Part], fits: &[Fit], goal: Goal) -> Result<Solved> {
    let mut state = State::new(base, parts, fits);
    state.descend(Precision::Single, ROUGH.max(goal.tolerance), goal.max_steps)?;
    state.descend(Precision::Double, goal.tolerance, goal.max_steps)?;
    Ok(Solved { weights: state.weights, intercepts: state.intercepts })
}

#[derive(Clone, Copy, PartialEq)]
enum Precision {
    Single,
    Double,
}

struct State<'a> {
    base: &'a Base,
    parts: &'a [Part],
    fits: &'a [Fit<'a>],
    /// The preconditioner, once a step has needed one.
    spectrum: Option<&'a Spectrum>,
    /// A better one for each fit that the spectrum does not serve: its Hessian, some steps ago.
    hessians: Vec<Option<Hessian>>,
    weights: Columns<f64>,
    intercepts: Vec<f64>,
    margins: Columns<f64>,
    /// The gradient norm of each fit at zero weights and the best intercept.
    first: Vec<f64>,
    /// The norm below which nothing can be told from rounding.
    floor: f64,
}

/// A Hessian, some steps ago: `scale · hessian · scale` has a unit diagonal and is decomposed.
struct Hessian {
    scale: Vec<f32>,
    factor: Llt<f32>,
}

/// The gradient of some of the fits, and what a step from there needs.
struct Slope {
    /// Which fits.
    fits: Vec<usize>,
    /// `[D, A]`.
    gradient: Columns<f64>,
    intercepts: Vec<f64>,
    norms: Vec<f64>,
    /// `p (1 - p)` on the rows of the part and 0 elsewhere, `[N, A]`.
    curvature: Columns<f32>,
    /// Its sums.
    bend: Vec<f64>,
}

struct Step {
    /// One for each fit of the slope.
    solves: Vec<Solve>,
    inner: usize,
}

/// The conjugate-gradient solve of one fit; `_b` is the intercept's share of a vector.
struct Solve {
    /// The fit's place in the slope.
    at: usize,
    penalty: f32,
    bend: f64,
    residual: Vec<f32>,
    residual_b: f64,
    search: Vec<f32>,
    search_b: f64,
    /// The squared length of the residual in the metric of the preconditioner.
    energy: f64,
    /// What it has to fall to.
    stop: f64,
    /// The answer so far, `[D]`.
    step: Vec<f32>,
    step_b: f64,
    /// What that does to the margins, `[N]`.
    margins: Vec<f32>,
    /// The iterations that it has run, and may.
    taken: usize,
    most: usize,
}

impl Solve {
    fn runs(&self) -> bool {
        self.taken < self.most && self.energy > self.stop && self.energy.is_finite()
    }

    /// Goes along the search direction, which moves the margins by `moved` and whose image under the Hessian, but for the
    /// penalty, is `image`.
    fn advance(&mut self, moved: &[f32], image: &[f32], image_b: f64) {
        let square = dot32(&self.search, &self.search);
        let bend = dot32(&self.search, image) + f64::from(self.penalty) * square + self.search_b * image_b;
        let length = self.energy / bend;
        axpy(length as f32, moved, &mut self.margins);
        axpy(length as f32, &self.search, &mut self.step);
        axpy(-length as f32, image, &mut self.residual);
        axpy(-(length as f32) * self.penalty, &self.search, &mut self.residual);
        self.step_b += length * self.search_b;
        self.residual_b -= length * image_b;
        self.taken += 1;
    }

    /// Chooses the next direction, conjugate to the last, given the preconditioned residual.
    fn turn(&mut self, fresh: &[f32]) {
        let fresh_b = self.residual_b / self.bend;
        let energy = dot32(&self.residual, fresh) + self.residual_b * fresh_b;
        let keep = energy / self.energy;
        self.search.iter_mut().zip(fresh).for_each(|(old, &new)| *old = new + keep as f32 * *old);
        self.search_b = fresh_b + keep * self.search_b;
        self.energy = energy;
    }
}

impl<'a> State<'a> {
    fn new(base: &'a Base, parts: &'a [Part], fits: &'a [Fit<'a>]) -> Self {
        let intercepts: Vec<f64> = fits
            .iter()
            .map(|fit| {
                let part = &parts[fit.part];
                let positives =
                    part.inside.iter().zip(fit.labels).filter(|(inside, label)| **inside && **label);
                let rate = positives.count() as f64 / part.rows;
                (rate / (1.0 - rate)).ln()
            })
            .collect();
        let margins = Columns::build(base.n(), fits.len(), |fit, values| values.fill(intercepts[fit]));
        let mut state = Self {
            base,
            parts,
            fits,
            spectrum: None,
            hessians: (0..fits.len()).map(|_| None).collect(),
            weights: Columns::zeros(base.d(), fits.len()),
            intercepts,
            margins,
            first: Vec::new(),
            floor: 4.0 * f64::EPSILON * base.n() as f64 * (base.d() as f64).sqrt(),
        };
        state.first = state.slope((0..fits.len()).collect(), Precision::Single).norms;
        state
    }

    fn part(&self, fit: usize) -> &'a Part {
        &self.parts[self.fits[fit].part]
    }

    fn wanted(&self, fit: usize, tolerance: f64) -> f64 {
        // A first norm beyond single precision promises nothing.
        let relative = Some(tolerance * self.first[fit]).filter(|wanted| wanted.is_finite());
        relative.unwrap_or(0.0).max(self.floor)
    }

    fn descend(&mut self, precision: Precision, tolerance: f64, max_steps: usize) -> Result<()> {
        let mut active: Vec<usize> = (0..self.fits.len()).collect();
        if precision == Precision::Double {
            self.refresh(&active);
        }
        for taken in 0.. {
            let slope = self.slope(active, precision);
            // A gradient that is not a number stays open, and ends as not converged.
            let is_open = |&at: &usize| {
                slope.norms[at].is_nan() || slope.norms[at] > self.wanted(slope.fits[at], tolerance)
            };
            let open: Vec<usize> = (0..slope.fits.len()).filter(is_open).collect();
            let Some(&worst) = open.first() else { return Ok(()) };
            // Single precision has no more to say about a fit that it cannot bring there; double precision goes on.
            if taken == max_steps.min(if precision == Precision::Single { 12 } else { max_steps }) {
                if precision == Precision::Single {
                    return Ok(());
                }
                let (fit, gradient) = (slope.fits[worst], slope.norms[worst]);
                let wanted = self.wanted(fit, tolerance);
                return Err(Error::NotConverged { iterations: max_steps, gradient, wanted });
            }
            let slope = if open.len() < slope.fits.len() { slope.select(&open) } else { slope };
            let step = self.newton_step(&slope, tolerance);
            self.take(&slope, &step);
            active = slope.fits.clone();
            if precision == Precision::Double {
                self.refresh(&active);
            }
            self.improve(&slope, &step, taken >= SLOW);
        }
        Ok(())
    }

    /// Finds better preconditioners where the last step took long.
    fn improve(&mut self, slope: &Slope, step: &Step, slow: bool) {
        if self.spectrum.is_none() {
            if step.inner >= PATIENCE || slow {
                self.spectrum = Some(self.base.spectrum());
            }
            return;
        }
        if !self.is_narrow() {
            return;
        }
        let stubborn: Vec<usize> = step
            .solves
            .iter()
            .filter(|solve| slow || solve.taken >= STUBBORN)
            .map(|solve| solve.at)
            .collect();
        let found: Vec<_> = stubborn.par_iter().map(|&at| self.hessian(slope, at)).collect();
        for (at, hessian) in stubborn.into_iter().zip(found) {
            self.hessians[slope.fits[at]] = hessian;
        }
    }

    /// Whether Hessians are small enough to be decomposed.
    fn is_narrow(&self) -> bool {
        self.base.d() <= NARROW
    }

    /// Whether a fit has the best preconditioner that it can have.
    fn is_served(&self, fit: usize) -> bool {
        self.hessians[fit].is_some() || (self.spectrum.is_some() && !self.is_narrow())
    }

    /// The Hessian of a fit's weights, decomposed; none if rounding has made it indefinite.
    fn hessian(&self, slope: &Slope, at: usize) -> Option<Hessian> {
        let (fit, part, d) = (slope.fits[at], self.part(slope.fits[at]), self.base.d());
        let rows: Vec<usize> = (0..self.base.n()).filter(|&row| part.inside[row]).collect();
        let bent = Columns::build(d, rows.len(), |row, values: &mut [f32]| {
            let root = slope.curvature.col(at)[rows[row]].sqrt();
            let columns = self.base.single().col(rows[row]).iter().zip(&part.shift32).zip(&part.stretch32);
            for (to, ((&value, &shift), &stretch)) in values.iter_mut().zip(columns) {
                *to = root * stretch * (value - shift);
            }
        });
        let mut hessian = Columns::gram(bent.as_mat());
        let penalty = (1.0 / self.fits[fit].c) as f32;
        hessian.update(|column, values| values[column] += penalty);
        // With a unit diagonal, columns of very different size do no harm.
        let scale: Vec<f32> = (0..d).map(|column| 1.0 / hessian.col(column)[column].sqrt()).collect();
        hessian.update(|column, values| {
            values.iter_mut().zip(&scale).for_each(|(value, own)| *value *= own * scale[column]);
            values[column] = 1.0 + RIDGE;
        });
        Some(Hessian { scale, factor: hessian.as_mat().llt(Side::Lower).ok()? })
    }

    /// The margins of some fits from their weights, in double precision.
    fn refresh(&mut self, fits: &[usize]) {
        let stretched = Columns::build(self.base.d(), fits.len(), |at, values| {
            let part = self.part(fits[at]);
            for ((to, weight), stretch) in
                values.iter_mut().zip(self.weights.col(fits[at])).zip(&part.stretch)
            {
                *to = weight * stretch;
            }
        });
        let products = Columns::product(self.base.double().as_mat().transpose(), stretched.as_mat());
        for (at, &fit) in fits.iter().enumerate() {
            let offset = self.intercepts[fit] - dot64(&self.part(fit).shift, stretched.col(at));
            let margins = self.margins.col_mut(fit).iter_mut();
            margins.zip(products.col(at)).for_each(|(margin, product)| *margin = product + offset);
        }
    }

    fn slope(&self, fits: Vec<usize>, precision: Precision) -> Slope {
        let n = self.base.n();
        let residuals = Columns::build(n, fits.len(), |at, values: &mut [f64]| {
            let fit = &self.fits[fits[at]];
            let rows = self.parts[fit.part].inside.iter().zip(fit.labels).zip(self.margins.col(fits[at]));
            for (to, ((&inside, &label), &margin)) in values.iter_mut().zip(rows) {
                *to = if inside { sigmoid(margin) - f64::from(label) } else { 0.0 };
            }
        });
        let curvature = Columns::build(n, fits.len(), |at, values: &mut [f32]| {
            for (to, &residual) in values.iter_mut().zip(residuals.col(at)) {
                // p (1 - p), whichever of the two the residual is.
                *to = (residual.abs() * (1.0 - residual.abs())) as f32;
            }
        });
        let pulled: Columns<f64> = match precision {
            Precision::Double => Columns::product(self.base.double().as_mat(), residuals.as_mat()),
            Precision::Single => {
                let narrow = Columns::build(n, fits.len(), |at, values: &mut [f32]| {
                    values.iter_mut().zip(residuals.col(at)).for_each(|(to, &value)| *to = value as f32);
                });
                let product = Columns::product(self.base.single().as_mat(), narrow.as_mat());
                Columns::build(self.base.d(), fits.len(), |at, values: &mut [f64]| {
                    values.iter_mut().zip(product.col(at)).for_each(|(to, &value)| *to = f64::from(value));
                })
            }
        };
        let intercepts: Vec<f64> = (0..fits.len()).map(|at| residuals.col(at).iter().sum()).collect();
        let gradient = Columns::build(self.base.d(), fits.len(), |at, values: &mut [f64]| {
            let (fit, part) = (fits[at], self.part(fits[at]));
            let penalty = 1.0 / self.fits[fit].c;
            let weights = self.weights.col(fit);
            for (column, to) in values.iter_mut().enumerate() {
                let pull = pulled.col(at)[column] - part.shift[column] * intercepts[at];
                *to = part.stretch[column] * pull + penalty * weights[column];
            }
        });
        let norm = |at: usize| (dot64(gradient.col(at), gradient.col(at)) + intercepts[at].powi(2)).sqrt();
        let norms = (0..fits.len()).map(norm).collect();
        let bend = (0..fits.len())
            .map(|at| curvature.col(at).iter().map(|&value| f64::from(value)).sum::<f64>().max(1e-6))
            .collect();
        Slope { fits, gradient, intercepts, norms, curvature, bend }
    }

    /// Solves `H step = -gradient` by conjugate gradients, as far as the distance to the goal makes worthwhile.
    fn newton_step(&self, slope: &Slope, tolerance: f64) -> Step {
        let (n, d, count) = (self.base.n(), self.base.d(), slope.fits.len());
        let downhill = Columns::build(d, count, |at, values: &mut [f32]| {
            values.iter_mut().zip(slope.gradient.col(at)).for_each(|(to, &value)| *to = -value as f32);
        });
        let first = self.preconditioned(slope, &(0..count).collect::<Vec<_>>(), &downhill);
        let mut solves: Vec<Solve> = (0..count)
            .into_par_iter()
            .map(|at| {
                let fit = slope.fits[at];
                let (residual, search) = (downhill.col(at).to_vec(), first.col(at).to_vec());
                let residual_b = -slope.intercepts[at];
                let search_b = residual_b / slope.bend[at];
                let energy = dot32(&residual, &search) + residual_b * search_b;
                // Newton's own error is of the order of the distance; solving more exactly than that gains nothing.
                let needed = 0.3 * self.wanted(fit, tolerance) / slope.norms[at];
                let forcing = (slope.norms[at] / self.first[fit]).clamp(1e-3, 0.1).max(needed);
                Solve {
                    at,
                    penalty: (1.0 / self.fits[fit].c) as f32,
                    bend: slope.bend[at],
                    residual,
                    residual_b,
                    search,
                    search_b,
                    energy,
                    stop: energy * forcing * forcing,
                    step: vec![0.0; d],
                    step_b: 0.0,
                    margins: vec![0.0; n],
                    taken: 0,
                    most: if self.is_served(fit) { MAX_INNER } else { PATIENCE },
                }
            })
            .collect();
        let mut inner = 0;
        while solves.iter().any(Solve::runs) {
            inner += 1;
            let mut running: Vec<&mut Solve> = solves.iter_mut().filter(|solve| solve.runs()).collect();
            let places: Vec<usize> = running.iter().map(|solve| solve.at).collect();
            let (moved, image, image_b) = self.curved(slope, &running);
            running.par_iter_mut().enumerate().for_each(|(place, solve)| {
                solve.advance(moved.col(place), image.col(place), image_b[place]);
            });
            let residuals = Columns::build(d, running.len(), |place, values: &mut [f32]| {
                values.copy_from_slice(&running[place].residual);
            });
            let fresh = self.preconditioned(slope, &places, &residuals);
            running.par_iter_mut().enumerate().for_each(|(place, solve)| solve.turn(fresh.col(place)));
        }
        Step { solves, inner }
    }

    /// The features part of the Hessian times some search directions; also what these do to the margins.
    fn curved(&self, slope: &Slope, running: &[&mut Solve]) -> (Columns<f32>, Columns<f32>, Vec<f64>) {
        let part = |place: usize| self.part(slope.fits[running[place].at]);
        let z = self.base.single().as_mat();
        let stretched = Columns::build(self.base.d(), running.len(), |place, values: &mut [f32]| {
            let columns = running[place].search.iter().zip(&part(place).stretch32);
            values.iter_mut().zip(columns).for_each(|(to, (&value, &stretch))| *to = value * stretch);
        });
        let mut moved = Columns::product(z.transpose(), stretched.as_mat());
        moved.update(|place, values| {
            let shift = dot32(&part(place).shift32, stretched.col(place));
            let offset = (running[place].search_b - shift) as f32;
            values.iter_mut().for_each(|value| *value += offset);
        });
        let bent = Columns::build(self.base.n(), running.len(), |place, values: &mut [f32]| {
            let rows = moved.col(place).iter().zip(slope.curvature.col(running[place].at));
            values.iter_mut().zip(rows).for_each(|(to, (&moved, &curvature))| *to = moved * curvature);
        });
        let sums: Vec<f64> = (0..running.len())
            .map(|place| bent.col(place).iter().map(|&value| f64::from(value)).sum())
            .collect();
        let mut image = Columns::product(z, bent.as_mat());
        image.update(|place, values| {
            let columns = part(place).shift32.iter().zip(&part(place).stretch32);
            for (value, (&shift, &stretch)) in values.iter_mut().zip(columns) {
                *value = stretch * (*value - shift * sums[place] as f32);
            }
        });
        (moved, image, sums)
    }

    /// Residuals of some fits (`places` in the slope) divided by the Hessian as it would be if all rows had the same
    /// curvature and the part were a fair sample of the layer.
    fn preconditioned(&self, slope: &Slope, places: &[usize], residuals: &Columns<f32>) -> Columns<f32> {
        let inverse =
            |at: usize, value: f64| 1.0 / (slope.bend[at] * value + 1.0 / self.fits[slope.fits[at]].c);
        let mut out = residuals.clone();
        let Some(spectrum) = self.spectrum else {
            // Any scale does for the weights alone; it must fit that of the intercept.
            out.update(|place, values| {
                let scale = inverse(places[place], 1.0) as f32;
                values.iter_mut().for_each(|value| *value *= scale);
            });
            return out;
        };
        if places.iter().all(|&at| self.hessians[slope.fits[at]].is_some()) {
            self.solve_exactly(slope, places, residuals, &mut out);
            return out;
        }
        let directions = spectrum.directions.as_mat();
        let mut along = Columns::product(directions.transpose(), residuals.as_mat());
        along.update(|place, values| {
            let rest = inverse(places[place], spectrum.rest);
            for (to, &value) in values.iter_mut().zip(&spectrum.values) {
                *to *= (inverse(places[place], value) - rest) as f32;
            }
        });
        let corrections = Columns::product(directions, along.as_mat());
        out.update(|place, values| {
            let rest = inverse(places[place], spectrum.rest) as f32;
            let columns = values.iter_mut().zip(corrections.col(place));
            columns.for_each(|(value, &correction)| *value = rest * *value + correction);
        });
        self.solve_exactly(slope, places, residuals, &mut out);
        out
    }

    /// The same for the fits that have a Hessian of their own.
    fn solve_exactly(
        &self,
        slope: &Slope,
        places: &[usize],
        residuals: &Columns<f32>,
        out: &mut Columns<f32>,
    ) {
        out.update(|place, values| {
            if let Some(hessian) = &self.hessians[slope.fits[places[place]]] {
                let rows = values.len();
                let scaled = residuals.col(place).iter().zip(&hessian.scale);
                values.iter_mut().zip(scaled).for_each(|(to, (residual, scale))| *to = residual * scale);
                hessian.factor.solve_in_place(MatMut::from_column_major_slice_mut(values, rows, 1));
                values.iter_mut().zip(&hessian.scale).for_each(|(value, scale)| *value *= scale);
            }
        });
    }

    /// Takes a step, shortened where it would raise an objective.
    fn take(&mut self, slope: &Slope, step: &Step) {
        let lengths: Vec<f64> = step.solves.par_iter().map(|solve| self.step_length(slope, solve)).collect();
        for (solve, &length) in step.solves.iter().zip(&lengths) {
            let fit = slope.fits[solve.at];
            let widen = |to: &mut [f64], from: &[f32]| {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to += length * f64::from(from));
            };
            widen(self.weights.col_mut(fit), &solve.step);
            widen(self.margins.col_mut(fit), &solve.margins);
            self.intercepts[fit] += length * solve.step_b;
        }
    }

    /// The longest of 1, 1/2, 1/4 ... that lowers the objective of one fit (Armijo), to within rounding.
    fn step_length(&self, slope: &Slope, solve: &Solve) -> f64 {
        let fit = slope.fits[solve.at];
        let inside = &self.part(fit).inside;
        let change = &solve.margins;
        if change.iter().zip(inside).all(|(change, inside)| !inside || change.abs() <= SAFE) {
            return 1.0;
        }
        let from = self.weights.col(fit);
        let to: Vec<f64> = solve.step.iter().map(|&value| f64::from(value)).collect();
        let (square, cross, step_square) = (dot64(from, from), dot64(from, &to), dot64(&to, &to));
        let descent = dot64(slope.gradient.col(solve.at), &to) + slope.intercepts[solve.at] * solve.step_b;
        let objective = |length: f64| {
            let rows = self.margins.col(fit).iter().zip(change).zip(self.fits[fit].labels).zip(inside);
            let loss: f64 = rows
                .filter(|(_, inside)| **inside)
                .map(|(((margin, &change), &label), _)| {
                    let margin = margin + length * f64::from(change);
                    margin.max(0.0) - if label { margin } else { 0.0 } + (-margin.abs()).exp().ln_1p()
                })
                .sum();
            loss + (square + length * (2.0 * cross + length * step_square)) / (2.0 * self.fits[fit].c)
        };
        let start = objective(0.0);
        let slack = 1e-7 * start.abs();
        let lengths = (0..MAX_HALVINGS).map(|halvings| 0.5_f64.powi(halvings as i32));
        let mut lowering =
            lengths.filter(|&length| objective(length) <= start + 1e-4 * length * descent + slack);
        lowering.next().unwrap_or(0.5_f64.powi(MAX_HALVINGS as i32))
    }
}

impl Slope {
    fn select(&self, some: &[usize]) -> Self {
        let pick = |values: &[f64]| some.iter().map(|&at| values[at]).collect();
        let take = |to: &mut [f64], at: usize| to.copy_from_slice(self.gradient.col(some[at]));
        Self {
            fits: some.iter().map(|&at| self.fits[at]).collect(),
            gradient: Columns::build(self.gradient.height(), some.len(), |at, to| take(to, at)),
            intercepts: pick(&self.intercepts),
            norms: pick(&self.norms),
            curvature: Columns::build(self.curvature.height(), some.len(), |at, to: &mut [f32]| {
                to.copy_from_slice(self.curvature.col(some[at]));
            }),
            bend: pick(&self.bend),
        }
    }
}

/// `to += factor from`.
fn axpy(factor: f32, from: &[f32], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to += factor * from);
}

/// `1 / (1 + e^-margin)` without overflow.
pub(crate) fn sigmoid(margin: f64) -> f64 {
    let small = (-margin.abs()).exp();
    if margin >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) }
}

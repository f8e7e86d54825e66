//! Linear probes of hidden states, with the controls that make them believable.
//!
//! A probe is a linear readout of a concept: a direction in the hidden states of a model, learnt from labelled
//! texts. That some direction separates two hundred sentences in five hundred dimensions is no finding. What makes
//! it one is held-out data, an interval and a null, and this crate gives a score only together with them.
//!
//! # The guide
//!
//! Start from features `x` `[L, N, D]` (layers, rows, hidden units), labels and groups. A *group* is what must stay
//! on one side of every split and is resampled as one: a minimal pair, a template, a family of statements.
//! [`Labelled`] checks both once; [`fit_layers`] does the rest.
//!
//! ```
//! use ndarray::Array3;
//! use recant_probes::{Bootstrap, Labelled, Settings, fit_layers};
//!
//! // Twenty minimal pairs at two layers: at layer 1 the second unit tells the members of a pair apart.
//! let (layers, rows, units) = (2, 40, 6);
//! let labels: Vec<i64> = (0..rows).map(|row| row % 2).collect();
//! let groups: Vec<i64> = (0..rows).map(|row| row / 2).collect();
//! let x = Array3::from_shape_fn((layers, rows as usize, units), |(layer, row, unit)| {
//!     let noise = ((13 * layer + 7 * row * row + 29 * unit * row) as f32).sin();
//!     let signal = if layer == 1 && unit == 1 { 4.0 * labels[row] as f32 } else { 0.0 };
//!     noise + signal
//! });
//!
//! let labelled = Labelled::new(&labels, &groups)?;
//! let settings = Settings {
//!     bootstrap: Bootstrap { resamples: 200, ..Bootstrap::default() },
//!     permutations: 99,
//!     ..Settings::default()
//! };
//! let sweep = fit_layers(x.view(), &labelled, &settings)?;
//!
//! let best = &sweep[1];
//! assert!(best.cv.auroc.value > Some(0.99));
//! assert_eq!(best.permutation.as_ref().map(|test| test.p_max), Some(0.01));
//!
//! // The probe was refitted on all rows and applies to raw states, of these rows or of any others.
//! let decision = best.probe.decision(x.slice(ndarray::s![1, 3, ..]))?;
//! assert!(decision > 0.0);
//! # Ok::<(), recant_probes::Error>(())
//! ```
//!
//! # What is done
//!
//! * **Kinds of probe.** [`Kind`] names them: logistic, ridge, linear discriminants, differences of means, principal
//!   components of pairs, CCS, k-sparse, and linfa's logistic regression and support vectors as second opinions. Each is an
//!   [`Estimator`]; all but linfa's own implement linfa's `Fit` as well, and a fitted [`Probe`] its `PredictInplace`.
//!   [`RidgePath`] leaves rows or groups out exactly; [`Multinomial`] and [`Regression`] are for other targets.
//! * **The logistic fit** minimises `Σ log-loss + |w|² / (2 C)` over standardised columns, to a stated gradient norm or
//!   not at all. All folds, penalties and labellings of a layer are solved together over one copy of it. A positive
//!   coefficient speaks for class 1, always.
//! * **Held-out scores.** [`Folds`] keeps groups whole and classes even. Scaler and probe are fitted inside the
//!   training part; decisions are pooled over folds and scored once, by every [`Metric`]. The choice of C can be nested.
//! * **Intervals.** [`Bootstrap`] resamples groups, not rows (BCa); [`DeLong`] is the closed form.
//! * **Null.** [`permutation`] exchanges labels as the groups allow, with the same exchanges for all layers, and
//!   corrects for the best layer having been looked for. A [`Twin`] makes a thousand exchanges one matrix product.
//! * **Controls.** [`words_only`], [`length_only`], [`ControlTask`], [`majority`]; a [`Verdict`] names those not beaten.
//! * **Beyond a score.** [`Calibration`], [`transfer`] between sets, [`similarities`] of directions with a noise ceiling.
//!   Of two models or two rounds on the same rows: [`cka`], [`procrustes`] and [`principal_angles`] compare their geometry;
//!   [`shifts`], [`shift_cosine()`] and [`ShiftSpectrum`] say how far, which way and along how many directions rows moved;
//!   [`effect()`], [`d_prime()`] and [`readout_change()`] what became of their scores.
//!
//! Statistics are computed in `f64`. The same input, settings and seed give the same numbers on any number of
//! threads. What is undefined is `None`.
#![deny(missing_docs)]

mod axes;
mod bag_of_words;
mod base;
mod bootstrap;
mod calibration;
mod ccs;
mod columns;
mod controls;
mod counts;
mod d_prime;
mod data;
mod delong;
mod detectable;
mod displacement;
mod effect;
mod error;
mod estimator;
mod evaluation;
mod exchange;
mod folds;
mod kind;
mod lbfgs;
mod lda;
mod linfa;
mod logistic;
mod mass_mean;
mod members;
mod metrics;
mod moments;
mod multinomial;
pub mod multiple;
mod nested;
mod newton;
mod normal;
mod overlap;
mod pairs;
pub mod permutation;
mod probe;
mod readout_change;
mod regression;
mod representations;
mod ridge;
mod rng;
mod scale;
mod shift_cosine;
mod shift_spectrum;
pub mod similarity;
mod sparse;
mod spectrum;
mod sphere;
mod sweep;
mod training;
mod transfer;
mod twin;
mod verdict;
mod within;

pub use bag_of_words::{Counting, words_and_pairs, words_only, words_only_test};
pub use bootstrap::{Bootstrap, Estimate, Interval, Method};
pub use calibration::{Calibration, Calibrator, Isotonic, Platt};
pub use ccs::{Ccs, CcsFit, Centring, Restart};
pub use controls::{ControlTask, Selectivity, length_only, majority};
pub use d_prime::d_prime;
pub use data::{Dataset, Labelled};
pub use delong::DeLong;
pub use detectable::{minimum_detectable_auroc, minimum_detectable_by_groups};
pub use displacement::{Shift, ShiftSettings, shifts};
pub use effect::{Effect, effect};
pub use error::{Error, Result};
pub use estimator::{Estimator, Twin};
pub use evaluation::Evaluation;
pub use folds::Folds;
pub use kind::Kind;
pub use lda::{Lda, Shrinkage};
pub use linfa::{LinfaLogistic, LinfaSvm};
pub use logistic::Logistic;
pub use mass_mean::MassMean;
pub use metrics::{Metric, Scored};
pub use multinomial::{Multinomial, MultinomialProbe, MultinomialScores};
pub use nested::{Nested, nested};
pub use overlap::overlap;
pub use pairs::PairPca;
pub use permutation::{Exchange, PermutationTest};
pub use probe::Probe;
pub use readout_change::{Difference, ReadoutChange, readout_change};
pub use regression::{Regression, RegressionScores};
pub use representations::{cka, cka_jackknife, principal_angles, procrustes};
pub use ridge::{AlphaChoice, LeftOut, Ridge, RidgePath};
pub use scale::Scaler;
pub use shift_cosine::{CosineNull, ShiftCosine, shift_cosine};
pub use shift_spectrum::ShiftSpectrum;
pub use similarity::{Comparison, Similarity, similarities};
pub use sparse::Sparse;
pub use sweep::{FoldPlan, LayerProbe, Settings, fit_layers};
pub use transfer::{Transfer, TransferSettings, transfer};
pub use verdict::{Doubt, Evidence, Verdict};

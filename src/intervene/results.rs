//! Results in the run directory: `steer/NAME/about.json` and `steer/NAME/cells.jsonl`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::effect::Effect;
use crate::analysis::bootstrap::Estimate;
use crate::store::{RunDir, atomic};
use crate::{Error, Result};

/// What the cells are of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Version of the format.
    pub format: String,
    /// SHA-256 of all that changes the numbers: the entry, the run key, the files that the entry names.
    pub key: String,
    /// The entry's name.
    pub name: String,
    /// The model.
    pub model: String,
    /// The task.
    pub task: String,
    /// The condition.
    pub condition: String,
    /// What is done.
    pub method: String,
    /// The direction in words; empty for `patch`.
    pub direction: String,
    /// The site; those of `patch` stand in the cells.
    pub site: String,
    /// Which tokens are reached.
    pub position: String,
    /// What strengths are counted in.
    pub unit: String,
    /// The main strength.
    pub main: f64,
    /// Random controls.
    pub random: usize,
    /// The round that `patch` puts in.
    pub from: usize,
    /// Number of the model's layers.
    pub n_layers: usize,
    /// The layers that are tried, or whose neurons are looked at.
    pub layers: Vec<usize>,
    /// Layers left out because there is no direction.
    pub left_out: Vec<usize>,
    /// Items that are asked.
    pub items: usize,
    /// Their groups.
    pub groups: usize,
    /// Whether the direction is estimated from other groups of the same task.
    pub held_out: bool,
    /// Neurons as (layer, neuron, cosine of value vector and direction).
    pub neurons: Vec<(usize, i64, f64)>,
    /// The model left alone.
    pub alone: Effect,
    /// Round `from` of `patch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<Effect>,
}

/// One intervention and what it did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The site.
    pub site: String,
    /// The layer; none for all of them at once, and for neurons of several.
    pub layer: Option<usize>,
    /// The strength as asked for; negative for a perplexity that the direction turned round is to reach.
    pub strength: f64,
    /// The number that the unit direction was multiplied by; none where no number reaches the perplexity, and where there is
    /// none.
    pub coefficient: Option<f64>,
    /// Number of the random control; none for the direction itself.
    pub control: Option<usize>,
    /// The length that the direction had before it was made of unit length; none for a probe's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<f64>,
    /// The median norm of the states there, over the tokens of the prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm: Option<f64>,
    /// What it did.
    #[serde(flatten)]
    pub effect: Effect,
    /// Of `patch`: the part of the way to round `from` that is gone, by stereotype.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_stereotype: Option<Estimate>,
    /// The same by unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_unknown: Option<Estimate>,
}

impl Cell {
    /// Whether it is the same intervention.
    #[must_use]
    pub fn is(&self, site: &str, layer: Option<usize>, strength: f64, control: Option<usize>) -> bool {
        let own = (self.site.as_str(), self.layer, self.control);
        own == (site, layer, control) && (self.strength - strength).abs() < 1e-9
    }
}

/// An estimate of a cell.
pub type EstimateOf = fn(&Cell) -> Option<&Estimate>;

/// A number of an effect.
pub type Of = fn(&Effect) -> Option<f64>;

/// How an effect stands beside those of random directions of the same length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Against {
    /// `(1 + #{|random| >= |effect|}) / (random + 1)` at its layer.
    pub p: f64,
    /// The same of the largest of all places, where every place with an effect has its controls.
    pub p_max: Option<f64>,
    /// Random directions.
    pub n: usize,
    /// Those of them that broke the model; they count as reaching any effect.
    pub broken: usize,
}

/// The results of one entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// What they are of.
    pub about: About,
    /// The cells, as they were done.
    pub cells: Vec<Cell>,
    /// The file of the cells.
    text: String,
}

const NO_RESULT: &str = "is no result of an intervention";

/// What the results beside an `about.json` are of, whatever the version that wrote it.
fn key(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let about: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let found = about["key"].as_str().map(str::to_owned);
    found.ok_or_else(|| Error::input(path.display().to_string(), NO_RESULT))
}

fn place(run: &RunDir, name: &str, file: &str) -> Result<std::path::PathBuf> {
    run.place(&["steer", name], file)
}

impl Results {
    /// Goes on with what is there, if it is of the same key; begins anew otherwise. Returns also whether something of
    /// another key was thrown away.
    ///
    /// # Errors
    /// The directory cannot be written, or its files are damaged.
    pub fn open(run: &RunDir, about: About) -> Result<(Self, bool)> {
        let path = place(run, &about.name, "about.json")?;
        let cells = place(run, &about.name, "cells.jsonl")?;
        let damaged = |error: Error| error.hint("delete the directory to have it done again");
        let stale = path.is_file();
        if stale && key(&path).map_err(damaged)? == about.key {
            return Ok((Self::read(&path).map_err(damaged)?, false));
        }
        if cells.is_file() {
            std::fs::remove_file(&cells).map_err(|error| Error::io(&cells, error))?;
        }
        atomic::write(&path, format!("{:#}\n", serde_json::json!(about)).as_bytes())?;
        Ok((Self { about, cells: Vec::new(), text: String::new() }, stale))
    }

    /// Reads the results that an `about.json` belongs to.
    ///
    /// # Errors
    /// A file cannot be read or is no result of this version.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |path: &Path, error: serde_json::Error| {
            Error::input(path.display().to_string(), format!("{NO_RESULT}: {error}"))
                .hint("delete the directory around it and run `recant steer` again")
        };
        let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| Error::io(path, error));
        let about = serde_json::from_str(&read(path)?).map_err(|error| wrong(path, error))?;
        let cells = path.with_file_name("cells.jsonl");
        let text = if cells.is_file() { read(&cells)? } else { String::new() };
        let parsed =
            text.lines().map(|line| serde_json::from_str(line).map_err(|error| wrong(&cells, error)));
        Ok(Self { about, cells: parsed.collect::<Result<_>>()?, text })
    }

    /// The results of every entry in a run directory, by name.
    ///
    /// # Errors
    /// As [`Results::read`].
    pub fn all(run: &RunDir) -> Result<Vec<Self>> {
        let Ok(entries) = std::fs::read_dir(run.root().join("steer")) else { return Ok(Vec::new()) };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path().join("about.json")).collect();
        paths.retain(|path| path.is_file());
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// Adds cells and writes all of them, whole or not at all.
    ///
    /// # Errors
    /// The disk is full.
    pub fn add(&mut self, run: &RunDir, cells: Vec<Cell>) -> Result<()> {
        for cell in &cells {
            let line = serde_json::to_string(cell)
                .map_err(|error| Error::input(format!("steer {}", self.about.name), error.to_string()))?;
            self.text += &format!("{line}\n");
        }
        self.cells.extend(cells);
        atomic::write(&place(run, &self.about.name, "cells.jsonl")?, self.text.as_bytes())
    }

    /// A cell.
    #[must_use]
    pub fn cell(
        &self,
        site: &str,
        layer: Option<usize>,
        strength: f64,
        control: Option<usize>,
    ) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.is(site, layer, strength, control))
    }

    /// The cells of the direction itself at the main strength, those of single layers in their order.
    #[must_use]
    pub fn main(&self) -> Vec<&Cell> {
        let main = |cell: &&Cell| cell.control.is_none() && (cell.strength - self.about.main).abs() < 1e-9;
        let mut cells: Vec<&Cell> = self.cells.iter().filter(main).collect();
        cells.sort_by_key(|cell| (cell.layer.is_none(), cell.layer));
        cells
    }

    /// The values of the random controls beside a cell, in their order; infinite where one broke the model.
    pub fn controls(&self, cell: &Cell, of: Of) -> Vec<f64> {
        let beside = |other: &&Cell| {
            other.control.is_some()
                && (&other.site, other.layer) == (&cell.site, cell.layer)
                && (other.strength - cell.strength).abs() < 1e-9
        };
        let mut controls: Vec<&Cell> = self.cells.iter().filter(beside).collect();
        controls.sort_by_key(|control| control.control);
        let value = |control: &Cell| match control.effect.broken {
            true => Some(f64::INFINITY),
            false => of(&control.effect),
        };
        controls.into_iter().filter_map(value).collect()
    }

    /// The cells among which the largest effect is looked for: those of the main strength that have one.
    #[must_use]
    pub fn places(&self, of: Of) -> Vec<&Cell> {
        self.main().into_iter().filter(|cell| of(&cell.effect).is_some()).collect()
    }

    /// How a cell stands beside its random controls; None where it has none.
    #[must_use]
    pub fn against(&self, cell: &Cell, of: Of) -> Option<Against> {
        let value = of(&cell.effect)?.abs();
        let controls = self.controls(cell, of);
        if cell.control.is_some() || controls.is_empty() {
            return None;
        }
        let largest = self.largest(of).filter(|_| (cell.strength - self.about.main).abs() < 1e-9);
        let broken = largest.as_ref().unwrap_or(&controls).iter().filter(|control| control.is_infinite());
        Some(Against {
            p: share(&controls, value),
            n: controls.len(),
            broken: broken.count(),
            p_max: largest.as_ref().map(|largest| share(largest, value)),
        })
    }

    /// What each random direction does at most at any of the places; None where one of them lacks its controls, where a
    /// sweep has not come to all of them yet, and for neurons, which are one place.
    fn largest(&self, of: Of) -> Option<Vec<f64>> {
        let about = &self.about;
        let together = usize::from(about.method == "ablate" && about.layers.len() > 1);
        if self.main().len() != about.layers.len() + together || !about.neurons.is_empty() {
            return None;
        }
        let mut largest = vec![0.0f64; about.random];
        for cell in self.places(of) {
            let controls = self.controls(cell, of);
            if controls.len() != largest.len() {
                return None;
            }
            largest.iter_mut().zip(controls).for_each(|(top, control)| *top = top.max(control.abs()));
        }
        Some(largest)
    }
}

/// `(1 + #{|random| >= value}) / (random + 1)`.
fn share(controls: &[f64], value: f64) -> f64 {
    let reached = controls.iter().filter(|control| control.abs() >= value).count();
    (1 + reached) as f64 / (controls.len() + 1) as f64
}

/// The value of an estimate.
#[must_use]
pub fn value(estimate: Option<&Estimate>) -> Option<f64> {
    estimate.and_then(|estimate| estimate.value)
}

/// The change of the stereotype's log-odds.
#[must_use]
pub fn stereotype(effect: &Effect) -> Option<f64> {
    value(effect.stereotype.as_ref())
}

/// The change of the unknown option's log-odds.
#[must_use]
pub fn unknown(effect: &Effect) -> Option<f64> {
    value(effect.unknown.as_ref())
}

/// How far the option distribution has moved.
#[must_use]
pub fn moved(effect: &Effect) -> Option<f64> {
    value(effect.moved.as_ref())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An estimate without an interval.
    fn estimate(value: f64) -> Option<Estimate> {
        Some(Estimate { value: Some(value), interval: None, n: 10 })
    }

    /// A cell of the main strength that changes the stereotype by this; None for one that broke the model.
    pub(crate) fn cell(layer: Option<usize>, control: Option<usize>, value: Option<f64>) -> Cell {
        let effect = match value {
            None => Effect { broken: true, ..Effect::default() },
            Some(value) => Effect { stereotype: estimate(value), moved: estimate(0.1), ..Effect::default() },
        };
        Cell { site: "resid_post".into(), layer, strength: 1.0, control, effect, ..Cell::default() }
    }

    /// A cell of `patch` that restores this part of the way.
    pub(crate) fn patched(layer: usize, part: Option<f64>) -> Cell {
        let restored_unknown = part.and_then(estimate);
        Cell { strength: 0.0, restored_unknown, ..cell(Some(layer), None, Some(0.1)) }
    }

    /// Results of a method over some layers, with these cells.
    pub(crate) fn results(method: &str, layers: &[usize], random: usize, cells: Vec<Cell>) -> Results {
        let about = serde_json::json!({
            "format": "recant-steer-1", "key": "k", "name": "push", "model": "tiny", "task": "bbq",
            "condition": "baseline", "method": method, "direction": "probe of kind", "site": "resid_post",
            "position": "last", "unit": "norm", "main": 1.0, "random": random, "from": 1, "n_layers": 3,
            "layers": layers, "left_out": [], "items": 10, "groups": 5, "held_out": false, "neurons": [],
            "alone": Effect::default(),
        });
        let about = serde_json::from_value(about).expect("an about");
        Results { about, cells, text: String::new() }
    }

    fn of(results: &Results, cell: usize) -> Against {
        results.against(&results.cells[cell], stereotype).expect("controls")
    }

    #[test]
    fn p_counts_the_controls_that_reach_the_effect_and_those_that_broke_the_model() {
        let mut cells = vec![cell(Some(1), None, Some(-1.0))];
        for (number, value) in [Some(0.9), Some(-1.0), None, Some(-0.2)].into_iter().enumerate() {
            cells.push(cell(Some(1), Some(number), value));
        }
        let own = results("add", &[1], 4, cells);
        // One is as large, one broke the model: (1 + 2) / (1 + 4).
        assert_eq!(of(&own, 0), Against { p: 0.6, p_max: Some(0.6), n: 4, broken: 1 });
        assert_eq!(own.against(&own.cells[1], stereotype), None, "a control has none");
    }

    #[test]
    fn p_max_is_against_the_largest_of_all_places_that_have_an_effect() {
        let controls = |layer: Option<usize>, values: [Option<f64>; 3]| {
            values.into_iter().enumerate().map(move |(number, value)| cell(layer, Some(number), value))
        };
        let mut cells = vec![
            cell(Some(0), None, Some(2.0)),
            cell(Some(1), None, Some(0.5)),
            // No number reached the perplexity here: no effect and no controls.
            Cell { effect: Effect::default(), ..cell(Some(2), None, Some(0.0)) },
        ];
        cells.extend(controls(Some(0), [Some(0.1), Some(0.2), Some(0.3)]));
        // Written in another order than that of their numbers.
        let second: Vec<Cell> = controls(Some(1), [Some(-3.0), Some(0.1), None]).collect();
        cells.extend(second.into_iter().rev());
        let own = results("add", &[0, 1, 2], 3, cells);
        // The largest of each control are 3, 0.2 and infinite.
        assert_eq!(of(&own, 0), Against { p: 0.25, p_max: Some(0.75), n: 3, broken: 1 });
        assert_eq!(of(&own, 1), Against { p: 0.75, p_max: Some(0.75), n: 3, broken: 1 });
        let mut lacking = own.clone();
        lacking.cells.pop();
        assert_eq!(of(&lacking, 0).p_max, None, "a layer lacks a control");
        let mut unfinished = own;
        unfinished.about.n_layers = 4;
        unfinished.about.layers.push(3);
        assert_eq!(of(&unfinished, 0).p_max, None, "a layer was not tried yet");
    }

    #[test]
    fn all_layers_at_once_are_one_of_the_places_of_ablation() {
        let mut cells = Vec::new();
        for (layer, value, control) in [(Some(0), 1.0, 0.1), (Some(1), 0.2, 0.1), (None, 3.0, 2.0)] {
            cells.push(cell(layer, None, Some(value)));
            cells.push(cell(layer, Some(0), Some(control)));
        }
        let own = results("ablate", &[0, 1], 1, cells);
        assert_eq!(of(&own, 0), Against { p: 0.5, p_max: Some(1.0), n: 1, broken: 0 });
        assert_eq!(of(&own, 4), Against { p: 0.5, p_max: Some(0.5), n: 1, broken: 0 });
    }
}

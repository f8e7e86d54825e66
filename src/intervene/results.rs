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
    /// The same of the largest of all layers, where every layer has its controls.
    pub p_max: Option<f64>,
    /// Random directions.
    pub n: usize,
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

fn place(run: &RunDir, name: &str, file: &str) -> Result<std::path::PathBuf> {
    run.place(&["steer", name], file)
}

impl Results {
    /// Goes on with what is there, if it is of the same key; begins anew otherwise. Returns also whether something of
    /// another key was thrown away.
    ///
    /// # Errors
    /// The directory cannot be written, or its files cannot be read.
    pub fn open(run: &RunDir, about: About) -> Result<(Self, bool)> {
        let path = place(run, &about.name, "about.json")?;
        let cells = place(run, &about.name, "cells.jsonl")?;
        let found = path.is_file().then(|| Self::read(&path)).transpose();
        let stale = match found {
            Ok(Some(found)) if found.about.key == about.key => return Ok((found, false)),
            Ok(None) => false,
            Ok(Some(_)) | Err(Error::Input { .. }) => true,
            Err(error) => return Err(error),
        };
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
            Error::input(path.display().to_string(), format!("is no result of an intervention: {error}"))
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

    /// The values of the random controls beside a cell.
    pub fn controls(&self, cell: &Cell, of: Of) -> Vec<f64> {
        let beside = |other: &&Cell| {
            other.control.is_some()
                && (&other.site, other.layer) == (&cell.site, cell.layer)
                && (other.strength - cell.strength).abs() < 1e-9
        };
        self.cells.iter().filter(beside).filter_map(|other| of(&other.effect)).collect()
    }

    /// How a cell stands beside its random controls; None where it has none.
    #[must_use]
    pub fn against(&self, cell: &Cell, of: Of) -> Option<Against> {
        let value = of(&cell.effect)?.abs();
        let controls = self.controls(cell, of);
        if cell.control.is_some() || controls.is_empty() {
            return None;
        }
        let reached = controls.iter().filter(|control| control.abs() >= value).count();
        let p = share(reached, controls.len());
        Some(Against { p, p_max: self.p_max(cell, of), n: controls.len() })
    }

    /// The chance that the largest of all layers under a random direction reaches this cell's value.
    fn p_max(&self, cell: &Cell, of: Of) -> Option<f64> {
        cell.layer?;
        let value = of(&cell.effect)?.abs();
        let cells: Vec<&Cell> = self.main().into_iter().filter(|cell| cell.layer.is_some()).collect();
        let mut largest = vec![0.0f64; self.about.random];
        for cell in &cells {
            let controls = self.controls(cell, of);
            if controls.len() != largest.len() {
                return None;
            }
            largest.iter_mut().zip(controls).for_each(|(top, control)| *top = top.max(control.abs()));
        }
        let whole = cells.len() == self.about.layers.len() && !largest.is_empty();
        whole.then(|| share(largest.iter().filter(|top| **top >= value).count(), largest.len()))
    }
}

fn share(reached: usize, of: usize) -> f64 {
    (1 + reached) as f64 / (of + 1) as f64
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

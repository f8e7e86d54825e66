//! What the verbs do: one file a verb, one function from settings to a result.

pub mod align;
pub mod capture;
pub mod concept;
pub mod condition;
mod dialogues;
pub mod fetch;
pub mod figures;
pub mod fit;
pub mod generate;
mod input;
mod interrupt;
mod judge;
mod lens;
mod loaded;
mod memory;
pub mod merge;
pub mod model;
pub mod plan;
mod projections;
pub mod run;
pub mod score;
pub mod serve;
mod shift;
pub mod show;
mod sofar;
pub mod steer;
pub mod task;

use std::path::Path;

use crate::cli::{Cli, Compute, Intervene, Verb};
use crate::intervene::change;
use crate::intervene::direction::{self, Along};
use crate::model::{Layers, Load, Model, Reach, Site, device};
use crate::printer::Printer;
use crate::{Error, Result};

/// Does what was typed.
///
/// # Errors
/// Whatever the verb reports.
pub fn dispatch(cli: Cli) -> Result<()> {
    let printer = Printer { quiet: cli.quiet };
    if let Some(threads) = cli.threads {
        if threads < 1 {
            return Err(Error::input("--threads", "needs at least 1"));
        }
        tch::set_num_threads(threads);
    }
    match cli.verb {
        Verb::Demo(args) => run::demo(&args, printer),
        Verb::Run(args) => run::run(&args, printer),
        Verb::Report(args) => run::report(&args, printer),
        Verb::Figures(args) => figures::run(&args, printer),
        Verb::Show(args) => show::run(&args, printer),
        Verb::Shift(args) => shift::run(&args, printer),
        Verb::Steer(args) => steer::run(&args, printer),
        Verb::Plan(args) => plan::run(&args, printer),
        Verb::Align(args) => align::run(&args, printer),
        Verb::Merge(args) => merge::run(&args, printer),
        Verb::Task(verb) => task::run(&verb, printer),
        Verb::Condition(verb) => condition::run(&verb, printer),
        Verb::Concept(verb) => concept::run(&verb, printer),
        Verb::Capture(args) => capture::run(&args, printer),
        Verb::Generate(args) => generate::run(&args, printer),
        Verb::Fit(args) => fit::run(&args, printer),
        Verb::Score(verb) => score::run(&verb, printer),
        Verb::Model(verb) => model::run(&verb, printer),
        Verb::Fetch(args) => fetch::run(&args, printer),
    }
}

impl Compute {
    /// Loads a checkpoint as asked.
    ///
    /// # Errors
    /// As [`Compute::how`], and what [`Model::load`] refuses.
    pub fn load(&self, dir: &Path) -> Result<Model> {
        Model::load(dir, &self.how()?)
    }

    /// How a checkpoint is loaded.
    ///
    /// # Errors
    /// An unknown device.
    pub fn how(&self) -> Result<Load> {
        Ok(Load {
            kind: self.dtype.kind(),
            devices: device::devices(&self.device)?,
            adapter: self.adapter.clone(),
            stream: self.stream,
        })
    }
}

impl Intervene {
    /// Lays what was asked for over a model.
    ///
    /// # Errors
    /// A file that cannot be read, directions of another width or number, a site or layer that the model lacks.
    pub fn apply(&self, model: &mut Model) -> Result<()> {
        let Some(path) = &self.steer else { return Ok(()) };
        let site: Site = self.steer_site.parse()?;
        let layers = self.steer_layers.parse::<Layers>()?.resolve(model.spec.n_layers)?;
        let found = direction::of_file(&model.spec, site, path, self.steer_tensor.as_deref())?;
        let wrong = |why: String| Error::input(path.display().to_string(), why);
        let reach = if self.prefill { Reach::Read } else { Reach::Every };
        let mut edits = Vec::with_capacity(layers.len());
        for layer in layers {
            let vector = found.get(&layer).ok_or_else(|| {
                wrong(format!("holds no direction for layer {layer}"))
                    .hint("--steer-layers names others; one row is for all")
            })?;
            edits.push(match self.ablate {
                false => change::add(site, layer, vector, self.strength, reach)?,
                true => {
                    let along = Along::of(vector.clone());
                    let along = along
                        .ok_or_else(|| wrong(format!("its direction for layer {layer} has no length")))?;
                    change::ablate(site, layer, &along.unit, reach)?
                }
            });
        }
        model.intervene(edits)
    }
}

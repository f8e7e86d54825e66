//! What can be typed. Argument structs only: nothing here reads or writes.

pub mod align;
pub mod capture;
pub mod concept;
pub mod condition;
pub mod fetch;
pub mod figures;
pub mod fit;
pub mod generate;
pub mod model;
pub mod run;
pub mod score;
pub mod shift;
pub mod show;
pub mod steer;
pub mod task;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::model::Dtype;

/// Watches language models from the inside while they correct themselves.
#[derive(Debug, Parser)]
#[command(name = "recant", version, max_term_width = 100)]
pub struct Cli {
    /// No talk on stderr, no progress bars.
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// CPU threads for libtorch (default: all cores).
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<i32>,

    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the built-in study: a small model, small tasks, every figure
    Demo(run::Demo),
    /// Run a study: dialogues, states, probes, tables, figures, report; goes on where it was cut short
    Run(run::Run),
    /// Make probes, tables, figures and the report of a finished run again
    Report(run::Report),
    /// Draw the figures of finished runs again, as a paper, talk or screen wants them
    Figures(figures::Figures),
    /// Print a run in the terminal, finished or not: answers, concepts by layer and round, findings
    Show(show::Show),
    /// Compare models: states, answers, lenses, tokens and weights of two checkpoints or of a run's models
    Shift(shift::Shift),
    /// Intervene in a study's models: directions, ablation, patching, neurons, beside random controls
    Steer(steer::Steer),
    /// Say what a study takes before it is run: tokens, time, memory, disk
    Plan(run::Plan),
    /// Join the parts of a run that were made with --shard
    Merge(run::Merge),
    /// Align a checkpoint on preference pairs, saving it as it goes
    Align(align::Args),
    /// List tasks; show the exact prompts
    #[command(subcommand)]
    Task(task::Verb),
    /// List conditions
    #[command(subcommand)]
    Condition(condition::Verb),
    /// List, show and check concepts
    #[command(subcommand)]
    Concept(concept::Verb),
    /// Capture hidden states of given texts, dialogues or token ids
    Capture(capture::Args),
    /// Continue given texts, dialogues or token ids
    Generate(generate::Args),
    /// Fit probes to given features, or score features by given directions
    Fit(fit::Args),
    /// Score answers made elsewhere
    #[command(subcommand)]
    Score(score::Verb),
    /// Import, inspect or check a checkpoint
    #[command(subcommand)]
    Model(model::Verb),
    /// Bring a known model
    Fetch(fetch::Args),
}

/// What is changed inside a model while it runs.
#[derive(Debug, Clone, clap::Args)]
pub struct Intervene {
    /// Change the states along a direction: a safetensors file with a row for each layer, or one for all.
    #[arg(long, value_name = "FILE")]
    pub steer: Option<PathBuf>,

    /// The tensor of that file.
    #[arg(long, value_name = "NAME", requires = "steer")]
    pub steer_tensor: Option<String>,

    /// Where.
    #[arg(long, value_name = "SITE", default_value = "resid_post", requires = "steer")]
    pub steer_site: String,

    /// At which layers: all, or for example 0,3,-1.
    #[arg(long, value_name = "LAYERS", default_value = "all", requires = "steer")]
    pub steer_layers: String,

    /// How often the direction is added, as it stands in the file.
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_hyphen_values = true, requires = "steer")]
    pub strength: f64,

    /// Take the component along the direction out instead.
    #[arg(long, conflicts_with = "strength", requires = "steer")]
    pub ablate: bool,

    /// Leave the tokens alone that the model writes: prefill only.
    #[arg(long, requires = "steer")]
    pub prefill: bool,
}

/// Where and in what a model computes.
#[derive(Debug, Clone, clap::Args)]
pub struct Compute {
    /// What to compute in.
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    pub dtype: Dtype,

    /// Where to compute: cpu, cuda:0, several (cuda:0,cuda:1: the layers are shared out), or auto.
    #[arg(long, default_value = "cpu", value_name = "DEVICES")]
    pub device: String,

    /// Merge this PEFT LoRA adapter into the weights.
    #[arg(long, value_name = "DIR")]
    pub adapter: Option<PathBuf>,

    /// Read each layer when it is needed instead of keeping all: for models larger than memory.
    #[arg(long)]
    pub stream: bool,
}

//! `recant steer`: interventions on a study's models.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use serde_json::json;

use super::interrupt;
use super::loaded::{Loaded, Setting, how_to_load};
use super::memory;
use super::run::{analyse, gather};
use super::shift::Asked;
use crate::analysis::summary::Sources;
use crate::cli::run::Stage;
use crate::cli::steer::Steer;
use crate::intervene::direction::{self, ByLayer, Wanted};
use crate::intervene::effect::{Effect, Reader};
use crate::intervene::sweep::{Desk, Sweep};
use crate::intervene::{About, Results, neurons, patch};
use crate::model::spec::Up;
use crate::model::{Model, Spec};
use crate::printer::Printer;
use crate::report;
use crate::runner::bench::{Bench, Question, median_norms, questions, turns};
use crate::runner::perplexity::{PROSE, Texts};
use crate::runner::replay::by_item;
use crate::runner::{Limits, Tally};
use crate::store::Turn;
use crate::study::manifest::hash;
use crate::study::steer::{Method, Source, SteerEntry};
use crate::study::{ModelEntry, Study};
use crate::task::{Item, select, split};
use crate::{Error, Result};

/// Does a study's interventions, and before them what is missing of its run.
///
/// # Errors
/// A bad study, one without interventions, and whatever [`super::run::run`] refuses.
pub fn run(args: &Steer, printer: Printer) -> Result<()> {
    let study = Study::read(&args.study)?;
    let names: Vec<&str> = study.steer.iter().map(|entry| entry.name.as_str()).collect();
    if names.is_empty() {
        return Err(Error::input(args.study.display().to_string(), "has no [[steer]] table")
            .hint("studies/steering.toml is an example, docs/steering.md explains the keys"));
    }
    if let Some(only) = args.only.as_deref().filter(|only| !names.contains(only)) {
        return Err(Error::input(format!("--only {only}"), "the study has no such intervention")
            .hint(format!("it has {}", names.join(", "))));
    }
    let output = args.output.clone().unwrap_or_else(|| Path::new("runs").join(&study.name));
    for line in report::steer::main_rows(&execute(&study, &output, args.only.as_deref(), printer)?) {
        printer.data(line);
    }
    Ok(())
}

/// Does a study's run, its interventions or the one of them that is named, and its report; returns what is known of all
/// interventions of the run.
///
/// # Errors
/// As [`run`].
pub(super) fn execute(
    study: &Study,
    output: &Path,
    only: Option<&str>,
    printer: Printer,
) -> Result<Vec<Results>> {
    let loaded = Loaded::new(study)?;
    let settings = loaded.check()?;
    let specs: Vec<Spec> = study.models.iter().map(|entry| Spec::read(&entry.path)).collect::<Result<_>>()?;
    for (i, entry) in study.steer.iter().enumerate() {
        let at = |key: &str, error| study.origin.at(&format!("steer.{i}.{key}"), error);
        let spec = &specs[entry.place(study).0];
        entry.layers.layers()?.resolve(spec.n_layers).map_err(|error| at("layers", error))?;
        spec.offers(entry.site(study)?).map_err(|error| at("site", error))?;
        fits(study, entry, spec, &at)?;
    }
    let (run, manifest) = gather(&loaded, &settings, output, Stage::Shift, None, printer)?;
    interrupt::listen();
    let sources = loaded.sources(&run);
    for entry in study.steer.iter().filter(|entry| only.is_none_or(|only| only == entry.name)) {
        let (model, _, _) = entry.place(study);
        let side = (&study.models[model], &settings[model], &specs[model]);
        intervene(&sources, entry, side, printer)?;
    }
    interrupt::release();
    let results = Results::all(&run)?;
    let of_shift = study.shift.iter().flat_map(|shift| shift.interventions(study));
    let known: HashSet<String> =
        study.steer.iter().cloned().chain(of_shift).map(|entry| entry.name).collect();
    for about in results.iter().map(|own| &own.about).filter(|about| !known.contains(&about.name)) {
        printer.say(format!(
            "steer/{} is of no table of the study and stays in the report until it is deleted",
            about.name
        ));
    }
    analyse(&sources, &manifest, None, printer)?;
    Ok(results)
}

/// Does one intervention on a model of the study.
///
/// # Errors
/// No direction, no options to score, a checkpoint that cannot be loaded, an interruption, a full disk.
pub(super) fn intervene(
    sources: &Sources<'_>,
    entry: &SteerEntry,
    (model, setting, spec): (&ModelEntry, &Setting, &Spec),
    printer: Printer,
) -> Result<()> {
    let since = Instant::now();
    Stand { sources, entry, model, setting, spec }.steer(printer)?;
    let (took, peak) = (since.elapsed().as_secs_f64(), memory::shown(memory::peak()));
    printer.say(format!("{}: {took:.0} s, {peak}", entry.name));
    Ok(())
}

/// Whether a model can be changed in the way of an entry.
fn fits(study: &Study, entry: &SteerEntry, spec: &Spec, at: &dyn Fn(&str, Error) -> Error) -> Result<()> {
    if entry.method.of_weights() && study.run.stream {
        let error =
            Error::input("", "changes weights, and those of a streamed model are read anew in each pass");
        return Err(at("method", error.hint("run.stream = false")));
    }
    if entry.method == Method::Gates && matches!(spec.mlp.up, Up::Plain(_)) {
        let error = Error::input("", format!("the MLP of this {} model has no gates", spec.family));
        return Err(at("method", error.hint("scale keys instead: method = \"keys\"")));
    }
    if entry.method == Method::Patch {
        entry
            .patched()?
            .into_iter()
            .try_for_each(|site| spec.offers(site))
            .map_err(|error| at("sites", error))?;
    }
    match entry.direction.as_ref().map(|direction| direction.source()).transpose()? {
        Some(Source::File(path, tensor)) => {
            direction::of_file(spec, entry.site(study)?, path, tensor).map(drop)
        }
        _ => Ok(()),
    }
    .map_err(|error| at("direction", error))
}

/// One intervention and what it rests on.
struct Stand<'a> {
    sources: &'a Sources<'a>,
    entry: &'a SteerEntry,
    model: &'a ModelEntry,
    setting: &'a Setting,
    spec: &'a Spec,
}

impl Stand<'_> {
    fn study(&self) -> &Study {
        self.sources.study
    }

    /// An error about a key of the entry; one that `[shift]` makes has no key of its own.
    fn at(&self, key: &str, error: Error) -> Error {
        let place = self.study().steer.iter().position(|entry| entry.name == self.entry.name);
        let key = place.map_or_else(|| "shift.keys".into(), |place| format!("steer.{place}.{key}"));
        self.study().origin.at(&key, error)
    }

    fn steer(&self, printer: Printer) -> Result<()> {
        let (study, entry) = (self.study(), self.entry);
        let (_, task, condition) = entry.place(study);
        let name = &study.tasks[task].name;
        let (ran, _) = self.sources.ran(&self.model.name, name, &self.sources.tasks[task].1)?;
        let of_states = entry.direction.as_ref().map(|direction| direction.source()).transpose()?;
        let held_out = of_states.is_some_and(|source| source.of_states());
        let groups = ran.iter().map(|item| (item.category.as_str(), item.group.as_str()));
        let asked: HashSet<&str> = match held_out {
            true => split::held_out(groups, entry.held_out(), study.seed)
                .map_err(|error| self.at("held_out", error))?,
            false => groups.map(|(_, group)| group).collect(),
        };
        let asked: HashSet<String> = asked.into_iter().map(str::to_owned).collect();
        let mut items: Vec<Item> = ran.into_iter().filter(|item| asked.contains(&item.group)).collect();
        select::first(&mut items, entry.limit, |item| &item.category);
        let said = self.sources.said(&self.model.name, task)?.swap_remove(condition);
        let asked_of = Asked { items, said };
        if asked_of.items.iter().all(|item| item.options.is_empty()) {
            let error = Error::input("", format!("the items of {name} have no options to score"));
            return Err(self.at("task", error));
        }
        let directions = self.directions(of_states, task, &asked)?;
        let layers = entry.layers.layers()?.resolve(self.spec.n_layers)?;
        let (directions, left_out) = match &directions {
            None => (ByLayer::new(), Vec::new()),
            Some(found) => {
                let own = |layer: &usize| Some((*layer, found.get(layer)?.clone()));
                let left_out = layers.iter().filter(|layer| !found.contains_key(layer)).copied().collect();
                (layers.iter().filter_map(own).collect::<ByLayer>(), left_out)
            }
        };
        if !left_out.is_empty() {
            printer.say(format!("{}: layers {left_out:?} have no direction and are left out", entry.name));
        }
        if entry.method != Method::Patch && directions.is_empty() {
            let error = Error::input("", "has a direction at none of the layers");
            return Err(self.at("direction", error));
        }
        printer.say(format!("{}: loading {}", entry.name, self.model.name));
        let model = Model::load(&self.model.path, &how_to_load(study, self.model)?)?;
        self.on_model(model, &asked_of, (directions, layers, left_out, held_out), printer)
    }

    fn directions(
        &self,
        source: Option<Source<'_>>,
        task: usize,
        asked: &HashSet<String>,
    ) -> Result<Option<ByLayer>> {
        let Some(from) = source else { return Ok(None) };
        let site = self.entry.site(self.study())?;
        let wanted = Wanted { from, model: (&self.model.name, self.spec), task, site, asked };
        let found = direction::find(self.sources, &wanted).map_err(|error| self.at("direction", error))?;
        Ok(Some(found))
    }

    fn on_model(
        &self,
        mut model: Model,
        asked: &Asked,
        (directions, layers, left_out, held_out): (ByLayer, Vec<usize>, Vec<usize>, bool),
        printer: Printer,
    ) -> Result<()> {
        let (study, entry) = (self.study(), self.entry);
        let scoring = study.dialogue.letters();
        let (_, task, condition) = entry.place(study);
        let script = self.setting.script(study);
        let limits = Limits::for_model(&model);
        let after = |_: usize, _: usize| interrupt::check();
        let tally = Tally::new(&after);
        let arm = &self.setting.arms[condition];
        let up_to = |round: usize| asked.said.iter().filter(move |turn| turn.round <= round);
        let of_round = |round: usize| -> Result<Vec<Question>> {
            questions(&script, &asked.items, arm, &by_item(&asked.items, up_to(round)), scoring)
        };
        let prompts = of_round(0)?;
        let names = (self.model.name.as_str(), study.tasks[task].name.as_str(), study.tasks[task].kind());
        let reader = Reader { items: &asked.items, names, scoring, bootstrap: self.sources.bootstrap() };
        let broken = || {
            Error::input(self.model.name.clone(), "its log-probabilities are not finite")
                .hint("`recant model check DIR` says more about the checkpoint")
        };
        // In the very passes of the cells: another grouping of tokens changes last bits, and nought would not be nought.
        let answers = |questions: &[Question]| -> Result<Vec<Turn>> {
            let mut bench = Bench::new(&model, questions, limits, &tally);
            let scores = bench.scores(&[Vec::new()], entry.position())?;
            turns(&asked.items, questions, &scores[0], scoring).ok_or_else(broken)
        };
        let alone = answers(&prompts)?;
        let prose = match &entry.perplexity {
            None => PROSE.to_owned(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| self.at("perplexity", Error::io(path, error)))?,
        };
        let texts = Texts::new(&self.setting.tokenizer, &self.setting.document, &prose)
            .map_err(|error| self.at("perplexity", error))?;
        let perplexity = texts.perplexity(&model, &[], limits, &tally)?;
        let site = entry.site(study)?;
        let mut levels = reader.levels(&alone)?;
        levels.perplexity = Some(perplexity);
        let later_prompts = if entry.method == Method::Patch { of_round(entry.from())? } else { Vec::new() };
        if entry.method == Method::Patch {
            patch::alike(&prompts, &later_prompts).map_err(|error| self.at("from", error))?;
        }
        let later = if later_prompts.is_empty() { Vec::new() } else { answers(&later_prompts)? };
        let chosen = match entry.method.of_weights() {
            true => neurons::nearest(&model, &directions, entry.neurons())?,
            false => Vec::new(),
        };
        let known: Vec<usize> =
            if entry.method == Method::Patch { layers } else { directions.keys().copied().collect() };
        let about = self.about(asked, (&directions, known, left_out, held_out), levels, &prose)?;
        let about = About {
            neurons: chosen.clone(),
            later: if later.is_empty() { None } else { Some(reader.levels(&later)?) },
            ..about
        };
        let (mut results, stale) = Results::open(self.sources.run, about)?;
        if stale {
            printer.say(format!("{}: what was there is of other settings and is done again", entry.name));
        }
        let run = self.sources.run;
        if entry.method.of_weights() {
            let chosen = neurons::by_layer(&chosen);
            let strengths = entry.strengths();
            let progress = printer.progress((strengths.len() + entry.random()) as u64, &entry.name);
            let sweep = neurons::Sweep {
                method: entry.method,
                neurons: &chosen,
                strengths,
                random: entry.random(),
                seed: study.seed,
                site: site.name(),
            };
            let read = |model: &Model, whole: bool| -> Result<Effect> {
                let texts = (&texts, perplexity);
                let (questions, alone) = (prompts.as_slice(), alone.as_slice());
                let desk = Desk { model, limits, questions, reader, alone, texts, run, tally: &tally };
                neurons::read(model, &desk, whole)
            };
            sweep.run(&mut model, run, &mut results, &read, &|cells| progress.inc(cells as u64))?;
            progress.finish_and_clear();
            return Ok(());
        }
        let mut bench = Bench::new(&model, &prompts, limits, &tally);
        let desk = Desk {
            model: &model,
            limits,
            questions: &prompts,
            reader,
            alone: &alone,
            texts: (&texts, perplexity),
            run,
            tally: &tally,
        };
        if entry.method == Method::Patch {
            let sites = entry.patched()?;
            let layers = results.about.layers.clone();
            let states = Bench::new(&model, &later_prompts, limits, &tally).states(&sites, &layers)?;
            let sweep = patch::Sweep { layers: &layers, states: &states, later: &later };
            let progress = printer.progress(sweep.cells() as u64, &entry.name);
            sweep.run(&mut bench, &desk, &mut results, &|cells| progress.inc(cells as u64))?;
            progress.finish_and_clear();
            return Ok(());
        }
        let norms = median_norms(&model, &prompts, (site, &results.about.layers), limits, &tally)?;
        let sweep = Sweep {
            method: entry.method,
            site,
            tokens: entry.position(),
            directions: &directions,
            norms,
            strengths: entry.strengths(),
            unit: entry.unit(),
            random: entry.random(),
            seed: study.seed,
        };
        let progress = printer.progress(sweep.cells() as u64, &entry.name);
        sweep.run(&mut bench, &desk, &mut results, &|cells| progress.inc(cells as u64))?;
        progress.finish_and_clear();
        Ok(())
    }

    /// What the results are of.
    fn about(
        &self,
        asked: &Asked,
        (directions, layers, left_out, held_out): (&ByLayer, Vec<usize>, Vec<usize>, bool),
        alone: Effect,
        prose: &str,
    ) -> Result<About> {
        let (study, entry) = (self.study(), self.entry);
        let (_, task, condition) = entry.place(study);
        let source = entry.direction.as_ref().map(|direction| direction.source()).transpose()?;
        let ids: Vec<&str> = asked.items.iter().map(|item| item.id.as_str()).collect();
        let key = json!({
            "format": FORMAT, "entry": entry, "run_key": self.sources.run.key(), "items": ids,
            "directions": direction::fingerprint(directions), "perplexity": hash(prose.as_bytes()),
        });
        let groups: HashSet<&str> = asked.items.iter().map(|item| item.group.as_str()).collect();
        let method = entry.method;
        let tokens = json!(entry.position()).as_str().unwrap_or_default().to_owned();
        let unit = json!(entry.unit()).as_str().unwrap_or_default().to_owned();
        Ok(About {
            format: FORMAT.into(),
            key: hash(key.to_string().as_bytes()),
            name: entry.name.clone(),
            model: self.model.name.clone(),
            task: study.tasks[task].name.clone(),
            condition: study.dialogue.conditions[condition].clone(),
            method: method.name().into(),
            direction: source.map_or_else(String::new, |source| source.words()),
            site: if method == Method::Patch { String::new() } else { entry.site(study)?.name().into() },
            position: if method.of_weights() { "every".into() } else { tokens },
            unit: if method == Method::Add { unit } else { String::new() },
            main: entry.strengths().last().copied().unwrap_or(0.0),
            random: entry.random(),
            from: if method == Method::Patch { entry.from() } else { 0 },
            n_layers: self.spec.n_layers,
            layers,
            left_out,
            items: asked.items.len(),
            groups: groups.len(),
            held_out,
            neurons: Vec::new(),
            alone,
            later: None,
        })
    }
}

/// Version of the results' format.
const FORMAT: &str = "recant-steer-1";

//! `recant run`, `recant demo` and `recant report`: a study from its file to its page.

use std::collections::HashSet;
use std::path::Path;

use serde_json::json;

use crate::analysis::summary::{ModelSummary, Sources};
use crate::cli::run::{Demo, Report, Run, Stage};
use crate::dialogue::Script;
use crate::model::{Layers, Load, Model, Site, Spec, device};
use crate::printer::Printer;
use crate::report;
use crate::runner::study::{Ask, Outcome};
use crate::runner::{Limits, check, concept as concept_states, study as dialogues};
use crate::store::{RunDir, atomic, states, turns};
use crate::study::manifest::{Manifest, hash};
use crate::study::{DEMO, ModelEntry, Orders, Study};
use crate::task::concept::Concept;
use crate::task::{Item, concept};
use crate::text::{ChatTemplate, Tokenizer};
use crate::{Error, Result};

/// Runs a study file.
///
/// # Errors
/// A bad study, a directory of another run, a checkpoint that cannot be loaded, no room for the output.
pub fn run(args: &Run, printer: Printer) -> Result<()> {
    let mut study = Study::read(&args.study)?;
    if let Some(limit) = args.limit {
        study
            .tasks
            .iter_mut()
            .for_each(|task| task.limit = Some(task.limit.map_or(limit, |own| own.min(limit))));
    }
    let output = args.output.clone().unwrap_or_else(|| Path::new("runs").join(&study.name));
    execute(&study, &output, args.until.unwrap_or(Stage::Report), printer)
}

/// Runs the built-in study, bringing its model first where it is missing.
///
/// # Errors
/// As [`run`]; the model cannot be brought.
pub fn demo(args: &Demo, printer: Printer) -> Result<()> {
    let study = Study::parse(DEMO, "studies/demo.toml")?;
    if study.models.iter().any(|entry| !entry.path.join("config.json").is_file()) {
        super::fetch::bring("smollm2", Path::new("models"), &args.python, printer)?;
    }
    execute(&study, &args.output, Stage::Report, printer)
}

/// Makes what follows from a finished run's states and turns again.
///
/// # Errors
/// The directory is no finished run, or the study's items or checkpoints have changed since.
pub fn report(args: &Report, printer: Printer) -> Result<()> {
    let study = RunDir::manifest(&args.run)?.study()?;
    let loaded = Loaded::new(&study)?;
    let mut manifest = loaded.manifest.clone();
    let run = RunDir::open(&args.run, &mut manifest)?;
    analyse(&loaded.sources(&run), &manifest, printer)
}

/// What a study asks for, read.
struct Loaded<'a> {
    study: &'a Study,
    tasks: Vec<(String, Vec<Item>)>,
    concepts: Vec<Concept>,
    manifest: Manifest,
}

impl<'a> Loaded<'a> {
    fn new(study: &'a Study) -> Result<Self> {
        let tasks = study.tasks.iter().map(items).collect::<Result<Vec<_>>>()?;
        let concepts = study
            .concepts
            .iter()
            .map(|entry| {
                let concept = concept::load(&entry.name, entry.path.as_deref())?;
                if concept.spec.name != entry.name {
                    let why = format!("its spec calls it {:?}", concept.spec.name);
                    return Err(Error::input(format!("concept {:?}", entry.name), why)
                        .hint("give both the same name"));
                }
                Ok(concept)
            })
            .collect::<Result<Vec<_>>>()?;
        let hashed: serde_json::Map<_, _> = concepts
            .iter()
            .map(|concept| {
                let text = json!(concept).to_string();
                let digest = hash(text.as_bytes());
                (concept.spec.name.clone(), json!({ "texts": concept.statements.len(), "sha256": digest }))
            })
            .collect();
        let manifest = Manifest::of(study, &tasks, &hashed.into())?;
        Ok(Self { study, tasks, concepts, manifest })
    }

    /// What would otherwise be found out after hours of work.
    fn check(&self) -> Result<()> {
        let layers: Layers = self.study.capture.layers.parse()?;
        for entry in &self.study.models {
            let spec = Spec::read(&entry.path)?;
            layers.resolve(spec.n_layers)?;
            self.study.sites()?.into_iter().try_for_each(|site| spec.offers(site))?;
        }
        let folds = self.study.probe.folds;
        for concept in &self.concepts {
            let groups: HashSet<&str> = concept.statements.iter().map(|text| text.group.as_str()).collect();
            if folds < 2 || groups.len() < folds {
                let why = format!("{} groups of texts cannot fill {folds} folds", groups.len());
                return Err(Error::input(format!("concept {}", concept.spec.name), why)
                    .hint("probe.folds is at least 2 and at most the number of groups"));
            }
        }
        Ok(())
    }

    fn sources(&'a self, run: &'a RunDir) -> Sources<'a> {
        Sources { run, study: self.study, tasks: &self.tasks, concepts: &self.concepts }
    }
}

/// The items of a task, cut down as the study says.
fn items(entry: &crate::study::TaskEntry) -> Result<(String, Vec<Item>)> {
    let mut items = crate::task::load(entry.kind(), entry.variant.as_deref(), entry.path.as_deref())?;
    let place = || format!("task {}", entry.name);
    if let Some(unknown) =
        entry.categories.iter().find(|name| items.iter().all(|item| item.category != **name))
    {
        let known: std::collections::BTreeSet<&str> =
            items.iter().map(|item| item.category.as_str()).collect();
        let known: Vec<&str> = known.into_iter().collect();
        return Err(Error::input(place(), format!("category {unknown:?} is not known"))
            .hint(format!("its categories: {}", known.join(", "))));
    }
    items.retain(|item| entry.categories.is_empty() || entry.categories.contains(&item.category));
    items.retain(|item| entry.context.is_none() || entry.context == item.context);
    if let Some(limit) = entry.limit {
        let mut kept = std::collections::HashMap::new();
        items.retain(|item| {
            let count = kept.entry(item.category.clone()).or_insert(0);
            *count += 1;
            *count <= limit
        });
    }
    if items.is_empty() {
        return Err(Error::input(place(), "holds no items").hint("look at its limit, categories and path"));
    }
    Ok((entry.name.clone(), items))
}

fn execute(study: &Study, output: &Path, until: Stage, printer: Printer) -> Result<()> {
    let devices = device::devices(&study.run.device)?;
    let loaded = Loaded::new(study)?;
    loaded.check()?;
    let mut manifest = loaded.manifest.clone();
    let mut run = RunDir::open(output, &mut manifest)?;
    for entry in &study.models {
        let spec = Spec::read(&entry.path)?;
        let layers = study.capture.layers.parse::<Layers>()?.resolve(spec.n_layers)?;
        let pending = Pending::of(&loaded, &run, entry, until)?;
        if pending.is_empty() {
            continue;
        }
        printer.say(format!("{}: loading", entry.name));
        let how = Load {
            kind: study.run.dtype.kind(),
            devices: devices.clone(),
            adapter: entry.adapter.clone(),
            stream: study.run.stream,
        };
        let model = Model::load(&entry.path, &how)?;
        let tokenizer = Tokenizer::read(&entry.path)?;
        let template = ChatTemplate::or_plain(&entry.path, &tokenizer)?;
        if !manifest.checks.contains_key(&entry.name) {
            let findings = check::check(&model, Some(&tokenizer), Some(&template))?;
            for finding in findings.iter().filter(|finding| !finding.passed) {
                printer.say(format!("warning: {}: {}: {}", entry.name, finding.name, finding.found));
            }
            manifest.checks.insert(entry.name.clone(), json!(findings));
            run.record(&manifest)?;
        }
        let stage =
            Capture { run: &run, study, model: &model, entry, layers: &layers, sites: study.sites()? };
        stage.dialogues(&loaded, &pending.shards, &tokenizer, &template, printer)?;
        stage.concepts(&pending.concepts, &tokenizer, &template, printer)?;
    }
    if until < Stage::Report {
        return Ok(());
    }
    analyse(&loaded.sources(&run), &manifest, printer)
}

/// What is not there yet.
struct Pending<'a> {
    /// (task, shard).
    shards: Vec<(usize, usize)>,
    concepts: Vec<&'a Concept>,
}

impl<'a> Pending<'a> {
    fn of(loaded: &'a Loaded<'_>, run: &RunDir, entry: &ModelEntry, until: Stage) -> Result<Self> {
        let study = loaded.study;
        let mut shards = Vec::new();
        for (task, (name, items)) in loaded.tasks.iter().enumerate() {
            for index in 0..loaded.sources(run).shards(items) {
                let mut whole = true;
                for condition in &study.dialogue.conditions {
                    let (turns, states) = run.shard(&entry.name, name, condition, index)?;
                    whole &= turns.is_file() && states.is_file();
                }
                if !whole {
                    shards.push((task, index));
                }
            }
        }
        let mut concepts = Vec::new();
        for concept in loaded.concepts.iter().filter(|_| until >= Stage::Concepts) {
            if !run.concept(&entry.name, &concept.spec.name)?.is_file() {
                concepts.push(concept);
            }
        }
        Ok(Self { shards, concepts })
    }

    fn is_empty(&self) -> bool {
        self.shards.is_empty() && self.concepts.is_empty()
    }
}

/// The stages that need the model.
struct Capture<'a> {
    run: &'a RunDir,
    study: &'a Study,
    model: &'a Model,
    entry: &'a ModelEntry,
    layers: &'a [usize],
    sites: Vec<Site>,
}

impl Capture<'_> {
    fn dialogues(
        &self,
        loaded: &Loaded<'_>,
        shards: &[(usize, usize)],
        tokenizer: &Tokenizer,
        template: &ChatTemplate,
        printer: Printer,
    ) -> Result<()> {
        let (wording, conditions) = self.study.wordings()?;
        let positions = self.study.positions()?;
        let mut ends = self.model.spec.eos.clone();
        if self.study.dialogue.stop_at_newline {
            ends.extend(tokenizer.holding('\n')?);
        }
        let script = Script { tokenizer, template, wording: &wording, ends: &ends };
        let ask = Ask {
            conditions: &conditions,
            rounds: self.study.dialogue.rounds,
            max_new_tokens: self.study.dialogue.max_new_tokens,
            cyclic: self.study.dialogue.orders == Orders::Cyclic,
            sites: &self.sites,
            layers: self.layers,
            positions: &positions,
        };
        let limits = Limits::for_model(self.model);
        let progress = printer.progress(shards.len() as u64, &format!("{}: dialogues", self.entry.name));
        for &(task, index) in shards {
            let (name, items) = &loaded.tasks[task];
            let size = self.study.run.shard_items;
            let items = &items[index * size..items.len().min((index + 1) * size)];
            let outcomes = dialogues::run(self.model, &script, &ask, items, limits)?;
            for ((condition, _), outcome) in conditions.iter().zip(&outcomes) {
                self.write_shard(name, condition, index, items, outcome)?;
            }
            progress.inc(1);
        }
        progress.finish_and_clear();
        Ok(())
    }

    /// States first: turns are what makes a shard count as there.
    fn write_shard(
        &self,
        task: &str,
        condition: &str,
        index: usize,
        items: &[Item],
        outcome: &Outcome,
    ) -> Result<()> {
        let (turns_path, states_path) = self.run.shard(&self.entry.name, task, condition, index)?;
        let turns = turns::text(&outcome.turns)?;
        let tensors: Vec<_> = outcome
            .states
            .iter()
            .map(|(site, tensor)| (site.name().to_string(), tensor.shallow_clone()))
            .collect();
        let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
        let about = states::About {
            run_key: self.run.key(),
            axes: &["item", "round", "position", "layer", "width"],
            item_ids: &ids,
            layers: self.layers,
            positions: &self.study.capture.positions,
            turns_sha256: Some(hash(turns.as_bytes())),
        };
        states::write(&states_path, &tensors, self.study.capture.dtype.kind(), &about)?;
        atomic::write(&turns_path, turns.as_bytes())
    }

    fn concepts(
        &self,
        concepts: &[&Concept],
        tokenizer: &Tokenizer,
        template: &ChatTemplate,
        printer: Printer,
    ) -> Result<()> {
        let progress = printer.progress(concepts.len() as u64, &format!("{}: concepts", self.entry.name));
        for concept in concepts {
            let wanted = (self.sites.as_slice(), self.layers);
            let limits = Limits::for_model(self.model);
            let captured =
                concept_states::capture(self.model, tokenizer, Some(template), concept, wanted, limits)?;
            let tensors: Vec<_> = captured
                .iter()
                .map(|(site, tensor)| (site.name().to_string(), tensor.shallow_clone()))
                .collect();
            let ids: Vec<&str> = concept.statements.iter().map(|statement| statement.id.as_str()).collect();
            let path = self.run.concept(&self.entry.name, &concept.spec.name)?;
            let about = states::About {
                run_key: self.run.key(),
                axes: &["text", "layer", "width"],
                item_ids: &ids,
                layers: self.layers,
                positions: &[],
                turns_sha256: None,
            };
            states::write(&path, &tensors, self.study.capture.dtype.kind(), &about)?;
            progress.inc(1);
        }
        progress.finish_and_clear();
        Ok(())
    }
}

/// Probes, tables, figures and the page, all of which follow from what the run directory holds.
fn analyse(sources: &Sources<'_>, manifest: &Manifest, printer: Printer) -> Result<()> {
    let progress = printer.progress(2 * sources.study.models.len() as u64 + 1, "probes, figures, report");
    let mut summaries = Vec::new();
    for entry in &sources.study.models {
        let spec = Spec::read(&entry.path)?;
        let layers = sources.study.capture.layers.parse::<Layers>()?.resolve(spec.n_layers)?;
        let probes = sources.probes(&entry.name, &layers)?;
        progress.inc(1);
        let summary = sources.summary(&entry.name, probes)?;
        write_probes(sources, &summary)?;
        summaries.push(summary);
        progress.inc(1);
    }
    let page = report::write(sources, &summaries, manifest)?;
    progress.finish_and_clear();
    printer.say(format!("report: {}", page.display()));
    printer.data(sources.run.root().display());
    Ok(())
}

fn write_probes(sources: &Sources<'_>, summary: &ModelSummary) -> Result<()> {
    for (probes, concept) in summary.probes.iter().zip(sources.concepts) {
        let place = |extension: &str| {
            sources.run.place(&["probes", &summary.model], &format!("{}.{extension}", probes.concept))
        };
        let scores = probes.scores(concept, &sources.study.probe, &summary.model);
        let about = json!({
            "format": "recant-probe-1", "concept": probes.concept, "positive": concept.spec.positive,
            "run_key": sources.run.key(),
        });
        atomic::write_tensors(&place("safetensors")?, &probes.tensors()?, &about)?;
        atomic::write(&place("json")?, format!("{scores:#}\n").as_bytes())?;
    }
    Ok(())
}

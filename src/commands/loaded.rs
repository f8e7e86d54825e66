//! What a study asks for, read and checked before any weights are.

use std::collections::HashSet;

use serde_json::{Map, json};
use tch::Device;

use crate::analysis::summary::Sources;
use crate::dialogue::{Dialogue, Script, fill, filler::Filler, orders};
use crate::model::{Config, Layers, Load, Spec, device};
use crate::runner::critic::Reader;
use crate::runner::perplexity::Texts;
use crate::runner::tuned;
use crate::store::RunDir;
use crate::study::manifest::{Manifest, hash};
use crate::study::{Arm, ConceptEntry, History, ModelEntry, Orders, Study, TaskEntry};
use crate::task::concept::{self, Concept, Wanted};
use crate::task::{Format, Item};
use crate::text::{ChatTemplate, Tokenizer};
use crate::{Error, Result};

/// A study with its items and its concepts' texts.
pub struct Loaded<'a> {
    pub study: &'a Study,
    pub tasks: Vec<(String, Vec<Item>)>,
    pub concepts: Vec<Concept>,
}

impl<'a> Loaded<'a> {
    /// Reads what the study names.
    ///
    /// # Errors
    /// A file is missing or malformed, a category or a variant is not known, nothing is left to ask.
    pub fn new(study: &'a Study) -> Result<Self> {
        let tasks = study
            .tasks
            .iter()
            .enumerate()
            .map(|(i, entry)| Ok((entry.name.clone(), items(study, i, entry)?)));
        let tasks = tasks.collect::<Result<Vec<_>>>()?;
        let concepts = study.concepts.iter().enumerate().map(|(i, entry)| {
            concept(entry).map_err(|error| study.origin.at(&format!("concepts.{i}"), error))
        });
        let concepts = concepts.collect::<Result<Vec<_>>>()?;
        Ok(Self { study, tasks, concepts })
    }

    /// What a run of it rests on, which takes reading every file of every checkpoint.
    ///
    /// # Errors
    /// As [`Manifest::of`].
    pub fn manifest(&self) -> Result<Manifest> {
        let hashed = self.concepts.iter().map(|concept| {
            let digest = hash(json!(concept).to_string().as_bytes());
            (concept.spec.name.clone(), json!({ "texts": concept.statements.len(), "sha256": digest }))
        });
        Manifest::of(self.study, &self.tasks, &hashed.collect::<Map<_, _>>().into())
    }

    /// Finds out what would otherwise be found out after hours of work; returns how each model is spoken to.
    ///
    /// # Errors
    /// A model that lacks what is to be captured or the room for the longest dialogue, a condition without words for a task,
    /// too few groups for the folds, a device that is not there.
    pub fn check(&self) -> Result<Vec<Setting>> {
        devices(self.study)?;
        let at_texts = |error| self.study.origin.at("lens.texts", error);
        let path = self.study.lens.as_ref().and_then(|lens| lens.texts.as_ref());
        let read = |path| std::fs::read_to_string(path).map_err(|error| at_texts(Error::io(path, error)));
        let texts = path.map(read).transpose()?;
        if let Some(path) = self.study.shift.as_ref().and_then(|shift| shift.texts.as_ref()) {
            let failed = |error| self.study.origin.at("shift.texts", Error::io(path, error));
            std::fs::File::open(path).map_err(failed)?;
        }
        let arms = self.study.arms()?;
        for (i, arm) in arms.iter().enumerate() {
            let at = |error| self.study.origin.at(&format!("dialogue.conditions.{i}"), error);
            arm.texts().try_for_each(known_placeholders).map_err(at)?;
            self.reader_exists(arm).map_err(at)?;
        }
        if self.study.dialogue.orders == Orders::All {
            let items = self.tasks.iter().flat_map(|(_, items)| items);
            let listed = items.filter(|item| item.format == Format::Letters);
            if let Some(item) =
                listed.max_by_key(|item| item.options.len()).filter(|item| item.options.len() > 6)
            {
                let why = format!("item {} has {} options: too many orders", item.id, item.options.len());
                let error =
                    Error::input("", why).hint("orders = \"cyclic\" has as many as there are options");
                return Err(self.study.origin.at("dialogue.orders", error));
            }
        }
        let layers: Layers = self.study.capture.layers.parse()?;
        let mut settings = Vec::with_capacity(self.study.models.len());
        for (i, entry) in self.study.models.iter().enumerate() {
            let at = |error| self.study.origin.at(&format!("models.{i}.path"), error);
            let spec = Spec::read(&entry.path).map_err(at)?;
            let wrong = |error| self.study.origin.at("capture", error);
            layers.resolve(spec.n_layers).map_err(wrong)?;
            self.study.sites()?.into_iter().try_for_each(|site| spec.offers(site)).map_err(wrong)?;
            let setting = Setting::of(self.study, entry).map_err(at)?;
            if let Some(texts) = &texts {
                let texts = Texts::new(&setting.tokenizer, &setting.document, texts);
                texts.and_then(|texts| tuned::enough(&texts)).map_err(at_texts)?;
            }
            self.rehearse(&setting)?;
            self.fits(&setting, spec.n_ctx as usize).map_err(at)?;
            settings.push(setting);
        }
        let folds = self.study.probe.folds;
        for concept in &self.concepts {
            let groups: HashSet<&str> = concept.statements.iter().map(|text| text.group.as_str()).collect();
            if folds < 2 || groups.len() < folds {
                let why = format!(
                    "{} groups of texts of {} cannot fill {folds} folds",
                    groups.len(),
                    concept.spec.name
                );
                let error = Error::input("", why);
                return Err(self
                    .study
                    .origin
                    .at("probe.folds", error)
                    .hint("probe.folds is at least 2 and at most the number of groups"));
            }
        }
        Ok(settings)
    }

    /// Whether the longest item of each task fits the model's context when every reply uses its whole budget.
    fn fits(&self, setting: &Setting, context: usize) -> Result<()> {
        let script = setting.script(self.study);
        for (task, items) in &self.tasks {
            let size = |item: &&Item| {
                item.text().len() + item.options.iter().map(|option| option.text.len()).sum::<usize>()
            };
            let Some(item) = items.iter().max_by_key(size) else { continue };
            for arm in &setting.arms {
                let order = orders(item, self.study.dialogue.orders, self.study.seed).remove(0);
                let mut dialogue = Dialogue::new(item, arm, order);
                // An item that cannot be asked at all is recorded when its turn comes.
                let longest = rehearsed(&script, &mut dialogue, self.study.dialogue.rounds).unwrap_or(0);
                if longest > context {
                    let why = format!(
                        "task {task}: the dialogue of {} under {} may reach {longest} tokens, the model's context is {context}",
                        item.id, arm.name
                    );
                    return Err(Error::input("", why)
                        .hint("ask for fewer rounds, shorter answers or less reasoning (before.NAME.max_new_tokens)"));
                }
            }
        }
        Ok(())
    }

    /// A condition that speaks of feedback must have a source of it.
    fn reader_exists(&self, arm: &Arm) -> Result<()> {
        let speaks = arm.texts().any(|text| text.contains("{feedback}"));
        let Some(feedback) = &arm.feedback else {
            let error = Error::input(format!("condition {:?}", arm.name), "has no source of its {feedback}");
            let hint = format!(
                "[condition.{0}] extends = \"{0}\", feedback.file = \"..\" or feedback.model = \"..\"",
                arm.name
            );
            return if speaks { Err(error.hint(hint)) } else { Ok(()) };
        };
        match (&feedback.file, &feedback.model) {
            (Some(file), None) => Reader::from_file(file).map(|_| ()),
            (None, Some(model)) => {
                Spec::read(model)?;
                let mut items = self.tasks.iter().flat_map(|(_, items)| items);
                match items.find(|item| feedback.ask.of(&item.format, 0).is_none()) {
                    None => Ok(()),
                    Some(item) => {
                        let why = format!("has no words for tasks of the format {}", item.format.name());
                        Err(Error::input("feedback.ask", why)
                            .hint("they say what the model is asked of an {answer}"))
                    }
                }
            }
            _ => Err(Error::input("feedback", "needs exactly one of `file` and `model`")),
        }
    }

    /// Asks the first item of each category every question of two rounds, in thought.
    fn rehearse(&self, setting: &Setting) -> Result<()> {
        let script = setting.script(self.study);
        for (task, items) in &self.tasks {
            let mut seen = HashSet::new();
            for item in items.iter().filter(|item| seen.insert((&item.category, item.format.name()))).take(50)
            {
                let order = orders(item, self.study.dialogue.orders, self.study.seed).remove(0);
                for (i, arm) in setting.arms.iter().enumerate() {
                    let rounds = self.study.dialogue.rounds.min(2);
                    let mut dialogue = Dialogue::new(item, arm, order.clone());
                    rehearsed(&script, &mut dialogue, rounds).map_err(|error| {
                        let key = format!("dialogue.conditions.{i}");
                        self.study.origin.at(&key, error.within(&format!("task {task}")))
                    })?;
                }
            }
        }
        Ok(())
    }

    /// What follows from the run directory.
    pub fn sources(&'a self, run: &'a RunDir) -> Sources<'a> {
        Sources { run, study: self.study, tasks: &self.tasks, concepts: &self.concepts }
    }
}

/// Goes through the rounds of a dialogue without its answers; returns how many tokens it reaches if every reply uses its
/// budget.
fn rehearsed(script: &Script<'_>, dialogue: &mut Dialogue<'_>, rounds: usize) -> Result<usize> {
    let (mut replies, mut longest) = (0, 0);
    for _ in 0..rounds {
        if dialogue.arm.history == History::None {
            replies = 0;
        }
        for part in dialogue.parts() {
            let prompt = script.prompt(dialogue, part)?;
            replies += prompt.max_new_tokens;
            longest = longest.max(prompt.ids.len() + replies);
            script.replied(dialogue, &prompt, &[])?;
        }
        script.next_round(dialogue)?;
    }
    Ok(longest)
}

/// A misspelt placeholder would be read by the model.
fn known_placeholders(text: &str) -> Result<()> {
    match fill::unknown(text) {
        None => Ok(()),
        Some(key) => {
            Err(Error::input(key, "is no placeholder").hint(format!("known: {}", fill::KEYS.join(", "))))
        }
    }
}

/// Where a study's models compute.
fn devices(study: &Study) -> Result<Vec<Device>> {
    device::devices(&study.run.device).map_err(|error| study.origin.at("run.device", error))
}

/// How a model of a study is loaded.
///
/// # Errors
/// A device that is not there.
pub fn how_to_load(study: &Study, entry: &ModelEntry) -> Result<Load> {
    Ok(Load {
        kind: study.run.dtype.kind(),
        devices: devices(study)?,
        adapter: entry.adapter.clone(),
        stream: study.run.stream,
    })
}

/// A concept under the name that the study gives it, cut down as the study says.
fn concept(entry: &ConceptEntry) -> Result<Concept> {
    let mut concept = concept::load(&Wanted {
        name: entry.kind(),
        path: entry.path.as_deref(),
        data: entry.data.as_deref(),
        categories: &entry.categories,
        limit: entry.limit,
    })?;
    if concept.spec.name != entry.kind() {
        let why = format!("its spec calls it {:?}", concept.spec.name);
        return Err(Error::input(format!("concept {:?}", entry.kind()), why)
            .hint("give both the same name, or the spec's name as `kind`"));
    }
    concept.spec.name.clone_from(&entry.name);
    Ok(concept)
}

/// The items of a task, cut down as the study says.
///
/// # Errors
/// A file is missing or malformed, a variant or a category is not known, a category cannot be split, nothing is left.
pub fn items(study: &Study, index: usize, entry: &TaskEntry) -> Result<Vec<Item>> {
    let at = |(key, error): (&str, Error)| study.origin.at(&format!("tasks.{index}.{key}"), error);
    entry.selection().items(study.seed).map_err(at)
}

/// How a study speaks to one of its models.
pub struct Setting {
    pub tokenizer: Tokenizer,
    pub template: ChatTemplate,
    pub arms: Vec<Arm>,
    eos: Vec<i64>,
    ends: Vec<i64>,
    /// Texts that end an answer.
    stop: Vec<String>,
    /// Texts that end what precedes one.
    before_stop: Vec<String>,
    /// The tokens that a document begins with; empty where the checkpoint names none.
    pub document: Vec<i64>,
}

impl Setting {
    /// Reads the tokenizer and the template of a checkpoint.
    ///
    /// # Errors
    /// They are missing or malformed.
    pub fn of(study: &Study, entry: &ModelEntry) -> Result<Self> {
        let spec = Spec::read(&entry.path)?;
        let tokenizer = Tokenizer::read(&entry.path)?;
        let template = ChatTemplate::or_plain(&entry.path, &tokenizer)?;
        let mut ends = spec.eos.clone();
        if study.dialogue.stop_at_newline {
            ends.extend(tokenizer.holding('\n')?);
        }
        // A tokenizer that begins a text with nothing leaves it to the model's own first token, as transformers does.
        let mut document = tokenizer.encode(&tokenizer.opening()?, false)?;
        if document.is_empty() {
            let begin = Config::read(&entry.path.join("config.json"))?.tokens("bos_token_id")?;
            document.extend(begin.first().or(spec.eos.first()));
        }
        // A model that was never taught to end its turn goes on with the user's.
        let before_stop: Vec<String> = match ChatTemplate::present(&entry.path)? {
            true => Vec::new(),
            false => vec!["\n\nUser:".into()],
        };
        let stop = [study.dialogue.stop.as_slice(), &before_stop].concat();
        let (arms, eos) = (study.arms()?, spec.eos);
        Ok(Self { tokenizer, template, arms, eos, ends, stop, before_stop, document })
    }

    /// What turns items into this model's prompts.
    pub fn script<'s>(&'s self, study: &'s Study) -> Script<'s> {
        Script {
            tokenizer: &self.tokenizer,
            template: &self.template,
            eos: &self.eos,
            ends: &self.ends,
            stop: &self.stop,
            before_stop: &self.before_stop,
            texts: study.dialogue.scoring.iter().any(|scoring| scoring.needs_texts()),
            filler: Filler::default(),
        }
    }
}

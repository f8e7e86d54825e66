//! The engine: a model, a prefix tree, and the keys and values of what was encoded.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::sample::Sampler;
use super::tree::{Forest, NodeId};
use crate::model::{Buffers, Chunk, Edit, Kv, Model, Site, Want};
use crate::{Error, Result};

/// How much is done at a time.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Tokens of one packed forward pass.
    pub batch_tokens: usize,
    /// Distinct tokens whose keys and values are held at once.
    pub wave_tokens: usize,
    /// Sequences decoded side by side.
    pub decode_rows: usize,
}

impl Limits {
    /// Limits that suit a model: about 1.5 GB of keys and values, passes that keep the cores busy.
    #[must_use]
    pub fn for_model(model: &Model) -> Self {
        let bytes = model.spec.kv_width() as usize * model.kind.elt_size_in_bytes();
        // A streamed model is read once a pass, however many tokens pass; and a GPU wants work.
        let large = model.streamed() || model.devices.iter().any(|device| device.is_cuda());
        let batch_tokens = if large { 16_384 } else { 1024 };
        Self { batch_tokens, wave_tokens: (1_500_000_000 / bytes.max(1)).max(4096), decode_rows: 128 }
    }
}

/// Says whether the tokens of an answer make it complete.
pub type Complete<'a> = dyn Fn(&[i64]) -> Result<bool> + 'a;

/// When an answer ends.
#[derive(Clone, Copy, Default)]
pub struct Stop<'a> {
    /// Longest answer, in tokens.
    pub max_new: usize,
    /// Shortest answer, in tokens: until then no token of `ends` is chosen.
    pub min_new: usize,
    /// Tokens that end an answer.
    pub ends: &'a [i64],
    /// Tokens that are never chosen.
    pub never: &'a [i64],
    /// Whether the tokens of an answer, at least one, make it complete.
    pub complete: Option<&'a Complete<'a>>,
}

impl Stop<'_> {
    /// Whether an answer has ended.
    fn ended(&self, answer: &[i64]) -> Result<bool> {
        let Some(last) = answer.last() else { return Ok(false) };
        Ok(self.ends.contains(last) || self.complete.map_or(Ok(false), |complete| complete(answer))?)
    }

    /// The tokens that cannot follow `length` tokens of an answer.
    fn barred(&self, length: usize) -> Result<Tensor> {
        let ends = if length < self.min_new { self.ends } else { &[] };
        Ok(Tensor::f_from_slice(&[self.never, ends].concat())?)
    }
}

/// An answer and how probable it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Generated {
    /// Its tokens, the one that ended it included.
    pub ids: Vec<i64>,
    /// The log-probability of each, at temperature 1 and with no token barred. Natural logarithm.
    pub logprobs: Vec<f64>,
}

impl Generated {
    /// Adds the token that a sampler picks from logits `(vocab)`.
    fn push(&mut self, logits: &Tensor, barred: &Tensor, sampler: &mut Sampler) -> Result<()> {
        let id = match barred.numel() {
            0 => sampler.pick(logits)?,
            _ => sampler.pick(&logits.f_index_fill(0, barred, f64::NEG_INFINITY)?)?,
        };
        let total = logits.f_logsumexp(0, false)?.f_double_value(&[])?;
        self.logprobs.push(logits.f_double_value(&[id])? - total);
        self.ids.push(id);
        Ok(())
    }
}

/// One sequence and what is wanted of it; positions count tokens from 0.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The whole sequence, at least one token.
    pub ids: Vec<i64>,
    /// Positions whose states are wanted.
    pub states: Vec<usize>,
    /// Positions whose logits are wanted.
    pub logits: Vec<usize>,
    /// Positions that edits of marked tokens reach, each with its slot in their tables.
    pub marks: Vec<(usize, i64)>,
}

/// What was brought back for a list of requests. Rows that several requests share are held once.
pub struct Encoded {
    /// Per site an f32 CPU tensor `(rows, layers, width)` or `(rows, width)`.
    pub states: Vec<(Site, Tensor)>,
    /// `(rows, vocab)` f32 on the CPU.
    pub logits: Option<Tensor>,
    /// For each request the row in `states` of each wanted position.
    pub state_rows: Vec<Vec<i64>>,
    /// For each request the row in `logits` of each wanted position.
    pub logit_rows: Vec<Vec<i64>>,
    /// The node at the end of each request.
    pub nodes: Vec<NodeId>,
    /// Tokens that were computed.
    pub encoded_tokens: usize,
}

/// What is made of captured states `(rows, layers, width)` where they were computed, row by row: `(rows, ...)`.
pub type Reduce<'a> = dyn Fn(&Tensor) -> Result<Tensor> + 'a;

/// Runs sequences over one model. What it has encoded stays encoded until [`Engine::clear`].
pub struct Engine<'m> {
    model: &'m Model,
    limits: Limits,
    forest: Forest,
    kv: BTreeMap<NodeId, Kv>,
    keep: bool,
    edits: Rc<[Edit]>,
    reduce: Option<Box<Reduce<'m>>>,
}

/// What an engine had encoded at some time.
pub struct Bookmark(BTreeSet<NodeId>);

/// A token: its node and its offset in it.
type Place = (NodeId, usize);

/// Where the wanted positions of a request are.
#[derive(Default)]
struct Places {
    states: Vec<Place>,
    logits: Vec<Place>,
}

/// What a pass must do with a node: encode it for good, or only look at it again.
struct Job {
    node: NodeId,
    states: BTreeSet<usize>,
    logits: BTreeSet<usize>,
    marks: BTreeMap<usize, i64>,
}

impl<'m> Engine<'m> {
    /// An engine that has encoded nothing and keeps what it encodes.
    #[must_use]
    pub fn new(model: &'m Model, limits: Limits) -> Self {
        Self {
            model,
            limits,
            forest: Forest::default(),
            kv: BTreeMap::new(),
            keep: true,
            edits: model.edits(),
            reduce: None,
        }
    }

    /// An engine whose sequences will not be continued: it keeps keys and values only while other sequences of the
    /// same call need them, and may stop at the last wanted layer.
    #[must_use]
    pub fn capturing(model: &'m Model, limits: Limits) -> Self {
        Self { keep: false, ..Self::new(model, limits) }
    }

    /// Forgets every sequence and frees what was kept of it.
    pub fn clear(&mut self) {
        self.forest = Forest::default();
        self.kv.clear();
    }

    /// Sets what is changed on the way from now on, in place of the model's own edits. What is encoded already stays as
    /// it is.
    ///
    /// # Errors
    /// As [`Edit::check`].
    pub fn edit(&mut self, edits: Vec<Edit>) -> Result<()> {
        edits.iter().try_for_each(|edit| edit.check(&self.model.spec))?;
        self.edits = edits.into();
        Ok(())
    }

    /// Brings back from now on what `reduce` makes of captured states in place of the states, which stay on their device.
    pub fn reduce(&mut self, reduce: Box<Reduce<'m>>) {
        self.reduce = Some(reduce);
    }

    /// How much it does at a time.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Remembers what is encoded now.
    #[must_use]
    pub fn bookmark(&self) -> Bookmark {
        Bookmark(self.kv.keys().copied().collect())
    }

    /// Forgets what was encoded after the bookmark.
    pub fn back_to(&mut self, bookmark: &Bookmark) {
        self.kv.retain(|node, _| bookmark.0.contains(node));
    }

    /// Encodes what is new in each request and brings back what is wanted.
    ///
    /// A wanted position that was encoded before is computed again, over the kept keys and values.
    ///
    /// # Errors
    /// An empty request, a position outside its sequence, a marked token that is encoded already or that another request
    /// marks with another slot, and what [`Model::forward`] refuses.
    pub fn encode(&mut self, requests: &[Request], sites: &[Site], layers: &[usize]) -> Result<Encoded> {
        let mut nodes = Vec::with_capacity(requests.len());
        for request in requests {
            nodes.push(self.insert(self.model.spec.reach(request.ids.len() as i64), &request.ids)?);
        }
        let mut jobs = BTreeMap::new();
        let mut places = Vec::with_capacity(requests.len());
        for (request, &node) in requests.iter().zip(&nodes) {
            places.push(self.place(request, node, &mut jobs)?);
        }
        let mut found = Found::default();
        let mut encoded_tokens = 0;
        while !jobs.is_empty() {
            let batch = self.next_batch(&mut jobs);
            encoded_tokens += batch.iter().map(|job| self.forest.node(job.node).ids.len()).sum::<usize>();
            let parents: BTreeSet<NodeId> =
                jobs.keys().filter_map(|&node| self.forest.node(node).parent).collect();
            let kv = self.keep || batch.iter().any(|job| parents.contains(&job.node));
            self.pass(&batch, (sites, layers), kv, &mut found)?;
        }
        let rows = |known: &BTreeMap<Place, i64>, places: &[Place]| {
            places.iter().map(|place| known[place]).collect::<Vec<_>>()
        };
        Ok(Encoded {
            state_rows: places.iter().map(|places| rows(&found.state_rows, &places.states)).collect(),
            logit_rows: places.iter().map(|places| rows(&found.logit_rows, &places.logits)).collect(),
            states: found.states(sites)?,
            logits: if found.logits.is_empty() { None } else { Some(Tensor::f_cat(&found.logits, 0)?) },
            nodes,
            encoded_tokens,
        })
    }

    /// Continues encoded sequences until they [`Stop`]; an end token is part of the answer.
    ///
    /// `first` holds the logits `(prompts, vocab)` after each prompt, as [`Engine::encode`] gave them. The answers are
    /// kept in the tree, so that a next round that begins with prompt and answer finds them encoded.
    ///
    /// # Errors
    /// What [`Model::step`] refuses.
    pub fn generate(
        &mut self,
        prompts: &[NodeId],
        first: &Tensor,
        stop: Stop<'_>,
        samplers: &mut [Sampler],
    ) -> Result<Vec<Generated>> {
        let mut order: Vec<usize> = (0..prompts.len()).collect();
        order.sort_by_key(|&i| self.forest.node(prompts[i]).end());
        let mut answers = vec![Generated::default(); prompts.len()];
        let changes = |&i: &usize| {
            let node = self.forest.node(prompts[i]);
            self.model.spec.reach((node.end() + stop.max_new) as i64) != node.realm
        };
        let (turning, order): (Vec<usize>, Vec<usize>) = order.into_iter().partition(changes);
        for i in turning {
            answers[i] = self.generate_anew(prompts[i], &first.f_get(i as i64)?, stop, &mut samplers[i])?;
        }
        let room = order.last().map_or(0, |&i| self.forest.node(prompts[i]).end()) + stop.max_new;
        let rows = self.limits.decode_rows.min(self.limits.wave_tokens / room.max(1)).max(1);
        for group in order.chunks(rows) {
            self.generate_group(prompts, group, first, stop, samplers, &mut answers)?;
        }
        Ok(answers)
    }

    /// Continues one sequence whose rotations change on the way, so that all before the change is encoded again.
    fn generate_anew(
        &mut self,
        prompt: NodeId,
        first: &Tensor,
        stop: Stop<'_>,
        sampler: &mut Sampler,
    ) -> Result<Generated> {
        let mut ids = self.spelled(prompt);
        let mut answer = Generated::default();
        let mut logits = first.shallow_clone();
        while answer.ids.len() < stop.max_new {
            answer.push(&logits, &stop.barred(answer.ids.len())?, sampler)?;
            ids.extend(answer.ids.last());
            if stop.ended(&answer.ids)? || answer.ids.len() == stop.max_new {
                break;
            }
            let request = Request { ids: ids.clone(), logits: vec![ids.len() - 1], ..Request::default() };
            let encoded = self.encode(&[request], &[], &[])?;
            logits = encoded.logits.ok_or_else(|| Error::Torch("no logits".into()))?.f_get(0)?;
        }
        Ok(answer)
    }

    /// The tokens from the beginning of a sequence to its node.
    fn spelled(&self, node: NodeId) -> Vec<i64> {
        self.forest.path(node).iter().flat_map(|&node| self.forest.node(node).ids.iter().copied()).collect()
    }

    fn generate_group(
        &mut self,
        prompts: &[NodeId],
        group: &[usize],
        first: &Tensor,
        stop: Stop<'_>,
        samplers: &mut [Sampler],
        answers: &mut [Generated],
    ) -> Result<()> {
        if stop.max_new == 0 {
            return Ok(());
        }
        let starts: Vec<i64> = group.iter().map(|&i| self.forest.node(prompts[i]).end() as i64).collect();
        let mut buffers = {
            let pasts: Vec<Vec<&Kv>> = group
                .iter()
                .map(|&i| self.forest.path(prompts[i]).iter().map(|node| &self.kv[node]).collect())
                .collect();
            Buffers::new(self.model, &pasts, &starts, stop.max_new as i64)?
        };
        let mut rows: Vec<usize> = (0..group.len()).collect(); // rows[r] = place in group of buffer row r
        let index: Vec<i64> = group.iter().map(|&i| i as i64).collect();
        let mut logits = first.f_index_select(0, &Tensor::f_from_slice(&index)?)?;
        let mut ended = vec![false; group.len()];
        for left in (0..stop.max_new).rev() {
            let barred = stop.barred(stop.max_new - 1 - left)?;
            let mut alive = Vec::with_capacity(rows.len());
            for (row, &member) in rows.iter().enumerate() {
                let i = group[member];
                if ended[member] {
                    continue; // its row goes on until the buffers are compacted
                }
                answers[i].push(&logits.f_get(row as i64)?, &barred, &mut samplers[i])?;
                ended[member] = stop.ended(&answers[i].ids)?;
                if !ended[member] && left > 0 {
                    alive.push(row);
                } else if answers[i].ids.len() > 1 {
                    let kv = buffers.take(row, starts[member])?;
                    self.keep_answer(prompts[i], &answers[i].ids, kv)?;
                }
            }
            if alive.is_empty() {
                break;
            }
            // Compacting copies the living rows' keys and values, which costs about as much as two steps of each.
            let crowded = alive.len() < rows.len() && buffers.longest() >= self.model.spec.n_ctx;
            if crowded || (rows.len() - alive.len()) * left > 2 * alive.len() {
                buffers.keep(&alive.iter().map(|&row| row as i64).collect::<Vec<_>>())?;
                rows = alive.iter().map(|&row| rows[row]).collect();
            }
            let last: Vec<i64> =
                rows.iter().filter_map(|&member| answers[group[member]].ids.last().copied()).collect();
            logits = self.model.step(&last, &mut buffers, &self.edits)?.f_to_device(Device::Cpu)?;
        }
        Ok(())
    }

    /// Puts an answer into the tree, but for its last token, whose keys nobody has computed.
    fn keep_answer(&mut self, prompt: NodeId, answer: &[i64], kv: Kv) -> Result<()> {
        let begin = self.forest.node(prompt).end();
        let mut ids = self.spelled(prompt);
        ids.extend_from_slice(&answer[..answer.len() - 1]);
        let end = self.insert(self.forest.node(prompt).realm, &ids)?;
        for node in self.forest.path(end) {
            let stretch = self.forest.node(node);
            if stretch.start >= begin && !self.kv.contains_key(&node) {
                let part = kv.narrow((stretch.start - begin) as i64, stretch.ids.len() as i64)?;
                self.kv.insert(node, part);
            }
        }
        Ok(())
    }

    /// Inserts a sequence whose rotations have the given [`crate::model::Spec::reach`]; nodes that were encoded and are cut by it stay encoded.
    fn insert(&mut self, reach: i64, ids: &[i64]) -> Result<NodeId> {
        if ids.is_empty() {
            return Err(Error::input("sequence", "holds no tokens"));
        }
        let (node, cuts) = self.forest.insert(reach, ids);
        for cut in cuts {
            if let Some(whole) = self.kv.remove(&cut.after) {
                let rest = self.forest.node(cut.after).ids.len() as i64;
                self.kv.insert(cut.before, whole.narrow(0, cut.at as i64)?);
                self.kv.insert(cut.after, whole.narrow(cut.at as i64, rest)?);
            }
        }
        Ok(node)
    }

    /// Finds where each wanted position is and notes the jobs that this takes.
    fn place(&self, request: &Request, end: NodeId, jobs: &mut BTreeMap<NodeId, Job>) -> Result<Places> {
        let path = self.forest.path(end);
        let blank =
            |node| Job { node, states: BTreeSet::new(), logits: BTreeSet::new(), marks: BTreeMap::new() };
        for &node in path.iter().filter(|node| !self.kv.contains_key(node)) {
            jobs.entry(node).or_insert_with(|| blank(node));
        }
        let find = |position: usize| -> Result<Place> {
            let holds = |node: &&NodeId| position < self.forest.node(**node).end();
            let node = path.iter().find(holds).ok_or_else(|| {
                let why = format!("the sequence has {} tokens", request.ids.len());
                Error::input(format!("position {position}"), why)
            })?;
            Ok((*node, position - self.forest.node(*node).start))
        };
        let mut places = Places::default();
        for &position in &request.states {
            let (node, offset) = find(position)?;
            jobs.entry(node).or_insert_with(|| blank(node)).states.insert(offset);
            places.states.push((node, offset));
        }
        for &position in &request.logits {
            let (node, offset) = find(position)?;
            jobs.entry(node).or_insert_with(|| blank(node)).logits.insert(offset);
            places.logits.push((node, offset));
        }
        for &(position, slot) in &request.marks {
            let (node, offset) = find(position)?;
            let wrong = |why: &str| Err(Error::input(format!("position {position}"), why));
            let job = jobs.get_mut(&node).filter(|_| !self.kv.contains_key(&node));
            match job.map(|job| *job.marks.entry(offset).or_insert(slot)) {
                None => {
                    return wrong(
                        "is encoded already and cannot be changed: another sequence goes on from it",
                    );
                }
                Some(other) if other != slot => {
                    return wrong("is shared with another sequence, which is to put another state there");
                }
                Some(_) => {}
            }
        }
        Ok(places)
    }

    /// Takes jobs whose past is encoded, in the order of their nodes, up to the token limit and at least one.
    fn next_batch(&self, jobs: &mut BTreeMap<NodeId, Job>) -> Vec<Job> {
        let mut tokens = 0;
        let mut chosen = Vec::new();
        for &node in jobs.keys() {
            let stretch = self.forest.node(node);
            if stretch.parent.is_none_or(|parent| self.kv.contains_key(&parent)) {
                if !chosen.is_empty() && tokens + stretch.ids.len() > self.limits.batch_tokens {
                    break;
                }
                tokens += stretch.ids.len();
                chosen.push(node);
            }
        }
        chosen.iter().filter_map(|node| jobs.remove(node)).collect()
    }

    fn pass(
        &mut self,
        batch: &[Job],
        wanted: (&[Site], &[usize]),
        kv: bool,
        found: &mut Found,
    ) -> Result<()> {
        let (sites, layers) = (wanted.0.to_vec(), wanted.1.to_vec());
        let mut want = Want { sites, layers, kv, edits: self.edits.clone(), ..Want::default() };
        let mut chunks = Vec::with_capacity(batch.len());
        let mut row = 0;
        for job in batch {
            let stretch = self.forest.node(job.node);
            for &offset in &job.states {
                found.state_rows.insert((job.node, offset), found.state_count);
                found.state_count += 1;
                want.rows.push(row + offset as i64);
            }
            for &offset in &job.logits {
                found.logit_rows.insert((job.node, offset), found.logit_count);
                found.logit_count += 1;
                want.logit_rows.push(row + offset as i64);
            }
            want.marks.extend(job.marks.iter().map(|(&offset, &slot)| (row + offset as i64, slot)));
            row += stretch.ids.len() as i64;
            let past = stretch.parent.map_or_else(Vec::new, |parent| self.forest.path(parent));
            let past = past.iter().map(|node| &self.kv[node]).collect();
            let (start, reach) = (stretch.start as i64, stretch.realm);
            chunks.push(Chunk { ids: &stretch.ids, past, start, reach, forks: &[] });
        }
        let output = self.model.forward(&chunks, &want)?;
        drop(chunks);
        for (job, kv) in batch.iter().zip(output.kv).filter(|_| kv) {
            self.kv.entry(job.node).or_insert(kv);
        }
        for (site, tensor) in output.states {
            let tensor = match &self.reduce {
                Some(reduce) => reduce(&tensor)?,
                None => tensor,
            };
            found.parts.entry(site).or_default().push(tensor.f_to_device(Device::Cpu)?);
        }
        if let Some(logits) = output.logits {
            found.logits.push(logits.f_to_device(Device::Cpu)?);
        }
        Ok(())
    }
}

/// Rows gathered over the passes of one call.
#[derive(Default)]
struct Found {
    parts: BTreeMap<Site, Vec<Tensor>>,
    logits: Vec<Tensor>,
    state_rows: BTreeMap<Place, i64>,
    logit_rows: BTreeMap<Place, i64>,
    state_count: i64,
    logit_count: i64,
}

impl Found {
    fn states(&self, sites: &[Site]) -> Result<Vec<(Site, Tensor)>> {
        let mut states = Vec::with_capacity(sites.len());
        for &site in sites {
            if let Some(parts) = self.parts.get(&site) {
                states.push((site, Tensor::f_cat(parts, 0)?.f_to_kind(Kind::Float)?));
            }
        }
        Ok(states)
    }
}

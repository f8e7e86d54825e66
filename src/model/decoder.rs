//! The one decoder. It encodes packed chunks: sequences, or continuations of sequences whose keys and values
//! are known, laid end to end so that nothing is padded.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::attention::{Buffers, Chunk, Kv, Pack, Past, Rule};
use super::block::{Block, Linear, Norm, Source};
use super::edit::{Edit, Marks};
use super::initial::Initial;
use super::rope::Rotation;
use super::site::Site;
use super::spec::{Scale, Spec};
use super::weights::Weights;
use crate::{Error, Result};

/// What a forward pass is to bring back.
#[derive(Debug, Clone, Default)]
pub struct Want {
    /// Sites to capture, at the rows of `rows`.
    pub sites: Vec<Site>,
    /// Layers to capture of the per-layer sites, ascending.
    pub layers: Vec<usize>,
    /// Rows of the packed chunks whose states are wanted.
    pub rows: Vec<i64>,
    /// Rows of the packed chunks whose logits are wanted.
    pub logit_rows: Vec<i64>,
    /// Whether keys and values of the chunks are wanted.
    pub kv: bool,
    /// What is changed on the way; each was checked with [`Edit::check`].
    pub edits: Rc<[Edit]>,
    /// Rows of the packed chunks that edits of marked tokens reach, each with its slot in their tables.
    pub marks: Vec<(i64, i64)>,
}

/// What a forward pass brought back.
pub struct Output {
    /// One f32 tensor per wanted site: `(rows, layers, width)`, or `(rows, width)` for a site that exists once.
    pub states: Vec<(Site, Tensor)>,
    /// `(logit_rows, vocab)` f32, if any were wanted.
    pub logits: Option<Tensor>,
    /// Keys and values, one per chunk, if wanted.
    pub kv: Vec<Kv>,
}

/// How a checkpoint is to be loaded.
#[derive(Debug, Clone)]
pub struct Load {
    /// What to compute in.
    pub kind: Kind,
    /// Where to compute: the blocks are shared out over these in order, in parts of about equal bytes.
    pub devices: Vec<Device>,
    /// A PEFT LoRA adapter to merge.
    pub adapter: Option<PathBuf>,
    /// Whether each block is read when a pass needs it and let go after, instead of kept.
    pub stream: bool,
}

impl Default for Load {
    fn default() -> Self {
        Self { kind: Kind::Float, devices: vec![Device::Cpu], adapter: None, stream: false }
    }
}

/// A loaded checkpoint.
pub struct Model {
    /// What it is.
    pub spec: Spec,
    /// The kind it computes in.
    pub kind: Kind,
    /// Where it computes.
    pub devices: Vec<Device>,
    pub(super) rotations: Vec<Rotation>,
    /// The windows in use; those of the layers are indices into it.
    pub(super) windows: Vec<Option<i64>>,
    window_of: Vec<usize>,
    place_of: Vec<usize>,
    pub(super) kept: Option<Kept>,
    positions: Option<Tensor>,
    pub(super) final_norm: Norm,
    /// Where the weights are random, what they are drawn from.
    initial: Option<Initial>,
    /// What every pass over it changes, unless a runner says otherwise.
    edits: Rc<[Edit]>,
    /// Kept for its maps, which are the memory of the tensors, and read anew where the model is streamed.
    pub(super) weights: Weights,
}

/// One pass through the blocks: its tokens, what they see, and where to put what is wanted of them.
pub(super) struct Pass<'a, 'b> {
    pub pack: &'b Pack,
    pub shelf: Shelf,
    pub past: &'b dyn Fn(usize) -> Past<'a>,
    /// Takes the keys and values of each block in turn.
    pub keep: &'b mut dyn FnMut(&Tensor, &Tensor) -> Result<()>,
    pub edits: &'b [Edit],
    pub marks: Marks,
    /// Whether the tokens are decoded one by one.
    pub decoding: bool,
}

impl Pass<'_, '_> {
    /// Changes what is at a site as the edits say, and puts by what is wanted of it.
    fn at(&mut self, site: Site, layer: Option<usize>, x: &mut Tensor) -> Result<()> {
        for edit in self.edits.iter().filter(|edit| edit.is_at(site, layer)) {
            *x = edit.apply(x, &self.marks, self.decoding)?;
        }
        self.shelf.put(site, layer, x)
    }
}

/// What stays in memory unless the model is streamed.
pub(super) struct Kept {
    embed: Tensor,
    pub blocks: Vec<Block>,
    head: Linear,
}

impl Model {
    /// Loads a Hugging Face directory. On the CPU in the stored dtype no weight is copied.
    ///
    /// # Errors
    /// What [`Spec::read`] and [`Weights`] refuse; no memory on the device.
    pub fn load(dir: &Path, how: &Load) -> Result<Self> {
        let spec = Spec::read(dir)?;
        let mut weights = Weights::open(dir)?;
        if let Some(adapter) = &how.adapter {
            weights.adapter(adapter)?;
        }
        Self::build(spec, weights, None, how)
    }

    /// The model of a Hugging Face directory as it was before training: of its files only names and shapes are read.
    ///
    /// Projections, embeddings and learned positions are normal with mean 0 and the standard deviation that config.json
    /// calls `initializer_range` (0.02 where it says nothing); biases are 0, and every norm scales by one. This is what
    /// transformers begins with, but for GPT-2, whose projections into the residual stream it draws smaller by
    /// 1 / sqrt(2 L). The numbers hang on the seed and on the tensors' names, on nothing else; an adapter is left out.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn random(dir: &Path, how: &Load, seed: u64) -> Result<Self> {
        let spec = Spec::read(dir)?;
        let initial = Initial { seed, std: spec.initializer_range };
        Self::build(spec, Weights::open(dir)?, Some(initial), how)
    }

    fn build(spec: Spec, weights: Weights, initial: Option<Initial>, how: &Load) -> Result<Self> {
        let devices = if how.devices.is_empty() { vec![Device::Cpu] } else { how.devices.clone() };
        let place_of = share_out(&spec, devices.len());
        let (first, last) = (devices[0], devices[devices.len() - 1]);
        let at = |device| Source {
            spec: &spec,
            weights: &weights,
            initial: initial.as_ref(),
            kind: how.kind,
            device,
        };
        let mut windows: Vec<Option<i64>> = Vec::new();
        let mut window_of = Vec::new();
        for layer in &spec.layers {
            let known = windows.iter().position(|window| *window == layer.window);
            window_of.push(known.unwrap_or(windows.len()));
            if known.is_none() {
                windows.push(layer.window);
            }
        }
        let rotations = spec.ropes.iter().map(|rope| Rotation::new(rope, how.kind, first));
        let rotations = rotations.collect::<Result<_>>()?;
        let positions = at(first).positions()?;
        let final_norm = at(last).final_norm()?;
        let kept = if how.stream {
            None
        } else {
            let embed = at(first).embedding()?;
            let block = |layer: usize| Block::load(&at(devices[place_of[layer]]), layer);
            let blocks = (0..spec.n_layers).map(block).collect::<Result<_>>()?;
            let head = at(last).head(|| Ok(embed.shallow_clone()))?;
            Some(Kept { embed, blocks, head })
        };
        Ok(Self {
            kind: how.kind,
            devices,
            rotations,
            windows,
            window_of,
            place_of,
            kept,
            positions,
            final_norm,
            edits: Rc::default(),
            spec,
            initial,
            weights,
        })
    }

    /// Whether each block is read anew in every pass.
    #[must_use]
    pub fn streamed(&self) -> bool {
        self.kept.is_none()
    }

    /// Whether the head that the files hold differs from the embedding; `None` where they hold none.
    ///
    /// # Errors
    /// The head cannot be read.
    pub fn own_head_differs(&self) -> Result<Option<bool>> {
        let source = self.source(Device::Cpu);
        let Some(head) = source.own_head()? else { return Ok(None) };
        Ok(Some(!head.f_equal(&source.embedding()?)?))
    }

    /// Lays interventions over the model: every engine that runs it changes its states so, in place of earlier ones.
    ///
    /// # Errors
    /// As [`Edit::check`].
    pub fn intervene(&mut self, edits: Vec<Edit>) -> Result<()> {
        edits.iter().try_for_each(|edit| edit.check(&self.spec))?;
        self.edits = edits.into();
        Ok(())
    }

    /// The interventions that lie over it.
    #[must_use]
    pub fn edits(&self) -> Rc<[Edit]> {
        self.edits.clone()
    }

    /// The value vectors of a layer's MLP `(d_mlp, d_model)`: what each neuron writes into the stream when it fires with 1.
    ///
    /// # Errors
    /// The weights cannot be read.
    pub fn value_vectors(&self, layer: usize) -> Result<Tensor> {
        let weight = match &self.kept {
            Some(kept) => kept.blocks[layer].down.weight.shallow_clone(),
            None => Block::load(&self.source(self.device_of(layer)), layer)?.down.weight,
        };
        Ok(weight.f_transpose(0, 1)?)
    }

    /// Reads a layer's block anew and changes it; every earlier change of it is gone.
    fn rework(&mut self, layer: usize, change: impl FnOnce(&mut Block) -> Result<()>) -> Result<()> {
        let mut block = Block::load(&self.source(self.device_of(layer)), layer)?;
        change(&mut block)?;
        let Some(kept) = &mut self.kept else {
            return Err(Error::input(
                "an edit of weights",
                "is not possible while layers are read anew in every pass",
            )
            .hint("set stream = false"));
        };
        kept.blocks[layer] = block;
        Ok(())
    }

    /// Multiplies the keys of some neurons of a layer's MLP (the rows of its up projection) by a factor, from what the
    /// checkpoint holds.
    ///
    /// # Errors
    /// A streamed model; libtorch's.
    pub fn scale_keys(&mut self, layer: usize, neurons: &[i64], factor: f64) -> Result<()> {
        self.rework(layer, |block| block.scale_keys(neurons, factor))
    }

    /// Holds the gates of some neurons of a layer's MLP at a value.
    ///
    /// # Errors
    /// A streamed model, an MLP without gates.
    pub fn hold_gates(&mut self, layer: usize, neurons: &[i64], value: f64) -> Result<()> {
        self.rework(layer, |block| block.hold_gates(neurons, value))
    }

    /// Gives a layer the weights that the checkpoint holds.
    ///
    /// # Errors
    /// A streamed model; the weights cannot be read.
    pub fn restore(&mut self, layer: usize) -> Result<()> {
        self.rework(layer, |_| Ok(()))
    }

    /// Where a layer computes.
    pub(super) fn device_of(&self, layer: usize) -> Device {
        self.devices[self.place_of[layer]]
    }

    fn source(&self, device: Device) -> Source<'_> {
        let initial = self.initial.as_ref();
        Source { spec: &self.spec, weights: &self.weights, initial, kind: self.kind, device }
    }

    /// One forward pass over packed chunks. Row `i` of the pack is the i-th new token of all chunks laid end to end.
    ///
    /// Blocks after the last one that is wanted do not run, unless `final_norm`, logits or keys are wanted.
    ///
    /// # Errors
    /// A token outside the vocabulary, a chunk beyond the context, a site that the model lacks, no memory on the
    /// device.
    pub fn forward(&self, chunks: &[Chunk<'_>], want: &Want) -> Result<Output> {
        want.sites.iter().try_for_each(|&site| self.spec.offers(site))?;
        let pack = Pack::of_chunks(self, chunks)?;
        let past = |layer: usize| Past::Chunks { chunks, layer };
        let mut kv: Vec<Vec<(Tensor, Tensor)>> = chunks.iter().map(|_| Vec::new()).collect();
        let mut keep = |k: &Tensor, v: &Tensor| -> Result<()> {
            if want.kv {
                let mut row = 0;
                for (layers, chunk) in kv.iter_mut().zip(chunks) {
                    let len = chunk.ids.len() as i64;
                    layers.push((k.f_narrow(0, row, len)?, v.f_narrow(0, row, len)?));
                    row += len;
                }
            }
            Ok(())
        };
        let mut pass = Pass {
            pack: &pack,
            shelf: Shelf::new(want)?,
            past: &past,
            keep: &mut keep,
            edits: &want.edits,
            marks: Marks::new(&want.marks)?,
            decoding: false,
        };
        let logits = self.run(want, &mut pass)?;
        let states = pass.shelf.finish()?;
        Ok(Output { states, logits, kv: kv.into_iter().map(Kv::new).collect() })
    }

    /// One new token for each of many sequences over padded buffers of keys and values, which it appends to. Edits of
    /// every token reach it.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn step(&self, ids: &[i64], buffers: &mut Buffers, edits: &[Edit]) -> Result<Tensor> {
        let pack = Pack::of_buffers(self, ids, buffers)?;
        let rows = (0..ids.len() as i64).collect();
        let want = Want { logit_rows: rows, ..Want::default() };
        let past = |layer: usize| Past::Buffers {
            buffers: &buffers.layers[layer],
            width: buffers.longest() + 1,
            index: &pack.positions,
        };
        let mut keep = |_: &Tensor, _: &Tensor| Ok(());
        let mut pass = Pass {
            pack: &pack,
            shelf: Shelf::new(&want)?,
            past: &past,
            keep: &mut keep,
            edits,
            marks: Marks::new(&[])?,
            decoding: true,
        };
        let logits = self.run(&want, &mut pass)?;
        buffers.lengths.iter_mut().for_each(|length| *length += 1);
        logits.ok_or_else(|| Error::Torch("no logits".into()))
    }

    /// The blocks, shared by [`Model::forward`] and [`Model::step`], which differ in what attention sees.
    fn run(&self, want: &Want, pass: &mut Pass<'_, '_>) -> Result<Option<Tensor>> {
        let _guard = tch::no_grad_guard();
        let head_wanted = !want.logit_rows.is_empty();
        let to_the_end = want.kv || head_wanted || want.sites.contains(&Site::FinalNorm);
        let depth =
            if to_the_end { self.spec.n_layers } else { want.layers.last().map_or(0, |layer| layer + 1) };
        let mut x = self.embed(pass.pack)?; // (T, D)
        pass.at(Site::Embed, None, &mut x)?;
        for layer in 0..depth {
            x = x.f_to_device(self.device_of(layer))?;
            match &self.kept {
                Some(kept) => self.block(&kept.blocks[layer], layer, &mut x, pass)?,
                None => {
                    let block = Block::load(&self.source(self.device_of(layer)), layer)?;
                    self.block(&block, layer, &mut x, pass)?;
                    drop(block);
                    self.weights.release();
                }
            }
        }
        if !to_the_end {
            return Ok(None);
        }
        let x = x.f_to_device(self.devices[self.devices.len() - 1])?;
        if want.sites.contains(&Site::FinalNorm) {
            pass.shelf.put_rows(Site::FinalNorm, &x, |rows| self.final_norm.forward(rows))?;
        }
        if !head_wanted {
            return Ok(None);
        }
        let rows = Tensor::f_from_slice(&want.logit_rows)?.f_to_device(x.device())?;
        self.head(&self.final_norm.forward(&x.f_index_select(0, &rows)?)?).map(Some)
    }

    /// The stream before the first block.
    pub(super) fn embed(&self, pack: &Pack) -> Result<Tensor> {
        let rows = match &self.kept {
            Some(kept) => kept.embed.f_index_select(0, &pack.tokens)?,
            None => self.source(self.devices[0]).embedding()?.f_index_select(0, &pack.tokens)?,
        };
        let rows = match self.spec.embed.scale {
            Scale::One => rows,
            Scale::By(factor) => rows.f_mul_scalar(factor)?,
            Scale::Rounded(factor) => {
                let factor = Tensor::f_from_slice(&[factor as f32])?.f_to_kind(self.kind)?;
                rows.f_mul(&factor.f_to_device(rows.device())?)?
            }
        };
        match &self.positions {
            Some(positions) => Ok(rows.f_add(&positions.f_index_select(0, &pack.positions)?)?),
            None => Ok(rows),
        }
    }

    /// One block: `x`, the stream before it, becomes the stream after it.
    pub(super) fn block(
        &self,
        block: &Block,
        layer: usize,
        x: &mut Tensor,
        pass: &mut Pass<'_, '_>,
    ) -> Result<()> {
        let (spec, at) = (&self.spec, Some(layer));
        let (ways, local) = (&spec.layers[layer], &pass.pack.locals[self.place_of[layer]]);
        let through = |norm: &Option<Norm>, x: &Tensor| match norm {
            Some(norm) => norm.forward(x),
            None => Ok(x.shallow_clone()),
        };
        let join = |x: &mut Tensor, part: &Tensor| -> Result<()> {
            let scale = spec.residual.scale;
            let scaled = if scale == 1.0 { part.shallow_clone() } else { part.f_mul_scalar(scale)? };
            *x = if recorded(x) || recorded(part) { x.f_add(&scaled)? } else { x.f_add_(&scaled)? };
            Ok(())
        };
        pass.at(Site::ResidPre, at, x)?;
        let h = through(&block.attention_in, x)?;
        let mut heads = block.heads(&h, spec)?;
        if let Some(rope) = ways.rope {
            heads.q = self.rotations[rope].rotate(&heads.q, &local.angles[rope])?;
            heads.k = self.rotations[rope].rotate(&heads.k, &local.angles[rope])?;
        }
        (pass.keep)(&heads.k, &heads.v)?;
        let masks = &local.masks[self.window_of[layer]];
        let rule = Rule { layer: ways, soft_cap: spec.attention.soft_cap, masks };
        let mut z = (pass.past)(layer).attend(&heads.q, &heads.k, &heads.v, rule)?; // (T, nh * hd)
        pass.at(Site::HeadOut, at, &mut z)?;
        let mut attended = block.out.forward(&z)?;
        pass.at(Site::AttnOut, at, &mut attended)?;
        let attended = through(&block.attention_out, &attended)?;
        let h = match (&block.mlp_in, spec.residual.parallel) {
            (None, true) => h,
            (norm, true) => through(norm, x)?,
            (norm, false) => {
                join(x, &attended)?;
                pass.at(Site::ResidMid, at, x)?;
                through(norm, x)?
            }
        };
        let mut act = block.inner(&h)?; // (T, F)
        pass.at(Site::MlpAct, at, &mut act)?;
        let mut out = block.down.forward(&act)?;
        pass.at(Site::MlpOut, at, &mut out)?;
        if spec.residual.parallel {
            join(x, &attended)?;
        }
        join(x, &through(&block.mlp_out, &out)?)?;
        pass.at(Site::ResidPost, at, x)
    }

    /// What states of the stream `(rows, d_model)` would score over the vocabulary if the last block had left them:
    /// through the final norm and the head, with its scale and soft cap, `(rows, vocab)` f32. Of `resid_post` of the last
    /// layer these are the model's logits; of an earlier layer, its logit lens (nostalgebraist 2020).
    ///
    /// # Errors
    /// Another width than the stream's, no memory on the device.
    pub fn unembed(&self, states: &Tensor) -> Result<Tensor> {
        self.unembedder()?.unembed(states)
    }

    /// What unembeds many states with one reading of the head, where the model is streamed.
    ///
    /// # Errors
    /// The weights cannot be read.
    pub fn unembedder(&self) -> Result<Unembed<'_>> {
        let head = if self.kept.is_some() { None } else { Some(self.read_head()?) };
        Ok(Unembed { model: self, head })
    }

    /// The head as the files have it.
    fn read_head(&self) -> Result<Linear> {
        let source = self.source(self.devices[self.devices.len() - 1]);
        source.head(|| source.embedding())
    }

    /// The unembedding `(vocab, d_model)`: each row scores a token.
    ///
    /// # Errors
    /// The weights cannot be read.
    pub fn unembedding(&self) -> Result<Tensor> {
        match &self.kept {
            Some(kept) => Ok(kept.head.weight.shallow_clone()),
            None => Ok(self.read_head()?.weight),
        }
    }

    /// Scores over the vocabulary of normed states, `(rows, vocab)` f32.
    pub(super) fn head(&self, h: &Tensor) -> Result<Tensor> {
        match &self.kept {
            Some(kept) => self.scores(&kept.head, h),
            None => self.scores(&self.read_head()?, h),
        }
    }

    fn scores(&self, by: &Linear, h: &Tensor) -> Result<Tensor> {
        let logits = by.forward(h)?;
        let head = &self.spec.head;
        let logits = if head.scale == 1.0 { logits } else { logits.f_mul_scalar(head.scale)? };
        let logits = match head.soft_cap {
            Some(cap) => logits.f_div_scalar(cap)?.f_tanh()?.f_mul_scalar(cap)?,
            None => logits,
        };
        Ok(logits.f_to_kind(at_least_single(logits.kind()))?)
    }
}

/// The final norm and the head of a model.
pub struct Unembed<'m> {
    model: &'m Model,
    /// None where the model keeps its own.
    head: Option<Linear>,
}

impl Unembed<'_> {
    /// As [`Model::unembed`].
    ///
    /// # Errors
    /// Another width than the stream's, no memory on the device.
    pub fn unembed(&self, states: &Tensor) -> Result<Tensor> {
        let model = self.model;
        let here = states.f_to_device(model.devices[model.devices.len() - 1])?;
        let h = model.final_norm.forward(&here.f_to_kind(model.kind)?)?;
        self.head.as_ref().map_or_else(|| model.head(&h), |head| model.scores(head, &h))
    }
}

/// The place of each layer, so that every place holds about as many bytes, embedding and head counted.
fn share_out(spec: &Spec, places: usize) -> Vec<usize> {
    let block = spec.core_parameters() as f64 / spec.n_layers as f64;
    let edge = (spec.vocab * spec.d_model) as f64;
    let part = (block * spec.n_layers as f64 + 2.0 * edge) / places as f64;
    let place = |layer: usize| ((edge + block * (layer as f64 + 0.5)) / part) as usize;
    (0..spec.n_layers).map(|layer| place(layer).min(places - 1)).collect()
}

/// Whether what is computed of a tensor is recorded, so that it must not be written over.
pub(super) fn recorded(x: &Tensor) -> bool {
    x.requires_grad()
}

/// What statistics and scores are computed in: f32, or f64 where the model computes in it.
pub(super) fn at_least_single(kind: Kind) -> Kind {
    if kind == Kind::Double { kind } else { Kind::Float }
}

/// Where captured rows wait until the pass is over.
pub(super) struct Shelf {
    rows: Option<Tensor>,
    sites: Vec<Site>,
    layers: Vec<usize>,
    taken: Vec<(Site, Vec<Tensor>)>,
}

impl Shelf {
    pub fn new(want: &Want) -> Result<Self> {
        let rows = if want.rows.is_empty() { None } else { Some(Tensor::f_from_slice(&want.rows)?) };
        let taken = want.sites.iter().map(|&site| (site, Vec::new())).collect();
        Ok(Self { rows, sites: want.sites.clone(), layers: want.layers.clone(), taken })
    }

    fn put(&mut self, site: Site, layer: Option<usize>, x: &Tensor) -> Result<()> {
        let skip = layer.is_some_and(|layer| self.layers.binary_search(&layer).is_err());
        if skip || !self.sites.contains(&site) {
            return Ok(());
        }
        self.put_rows(site, x, |rows| Ok(rows.shallow_clone()))
    }

    /// Takes the wanted rows of `x` through `last`.
    fn put_rows(
        &mut self,
        site: Site,
        x: &Tensor,
        last: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<()> {
        let shelf = self.taken.iter_mut().find(|(name, _)| *name == site);
        if let (Some(rows), Some((_, taken))) = (&mut self.rows, shelf) {
            if rows.device() != x.device() {
                *rows = rows.f_to_device(x.device())?;
            }
            taken.push(last(&x.f_index_select(0, rows)?)?);
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<(Site, Tensor)>> {
        let mut states = Vec::with_capacity(self.taken.len());
        for (site, parts) in self.taken {
            if parts.is_empty() {
                continue;
            }
            let device = parts[parts.len() - 1].device();
            let parts = parts.iter().map(|part| part.f_to_device(device));
            let parts = parts.collect::<std::result::Result<Vec<_>, _>>()?;
            let joined =
                if site.per_layer() { Tensor::f_stack(&parts, 1)? } else { parts[0].shallow_clone() };
            states.push((site, joined.f_to_kind(Kind::Float)?));
        }
        Ok(states)
    }
}

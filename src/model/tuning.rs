//! Training: what of a model is learnt, and a pass that is recorded so that its gradients can be taken.
//!
//! Low-rank changes are those of Hu et al. 2021 (LoRA), begun as PEFT begins them: A uniform, B nought.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::attention::{Chunk, Pack, Past};
use super::block::{Linear, LowRank};
use super::decoder::{Model, Pass, Shelf, Want};
use super::edit::Marks;
use crate::random::SplitMix;
use crate::{Error, Result};

/// What is learnt of the projections of all blocks. Embeddings, norms and the head stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// A low-rank change of each weight; without it the weights and biases themselves.
    pub low_rank: Option<Rank>,
    /// The last names of the projections that are learnt (`q_proj`); all of them where none is named.
    pub targets: Vec<String>,
    /// Seed of the matrices A.
    pub seed: u64,
}

/// The size of low-rank changes: alpha / r * B A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rank {
    /// Columns of B and rows of A.
    pub r: i64,
    /// Numerator of the scale.
    pub alpha: f64,
}

/// A tensor that is learnt.
#[derive(Debug)]
pub struct Parameter {
    /// `NAME.lora_A.weight`, `NAME.lora_B.weight`, `NAME.weight` or `NAME.bias`, NAME as in the files of a checkpoint.
    pub name: String,
    /// Its values; gradients gather in it.
    pub tensor: Tensor,
}

impl Model {
    /// Makes parts of the model learnable; what it computes stays the same for now. Parameters are f32, or f64 where the
    /// model computes in it.
    ///
    /// # Errors
    /// A streamed model, a target that no projection is called, no memory.
    pub fn tune(&mut self, tuning: &Tuning) -> Result<Vec<Parameter>> {
        let mut all = Vec::new();
        let mut known: Vec<String> = Vec::new();
        let kept = self.kept.as_mut().ok_or_else(streamed)?;
        for linear in kept.blocks.iter_mut().flat_map(|block| block.projections()) {
            let last = linear.name().rsplit('.').next().unwrap_or_default().to_owned();
            if tuning.targets.is_empty() || tuning.targets.contains(&last) {
                all.extend(linear.tune(tuning)?);
            }
            if !known.contains(&last) {
                known.push(last);
            }
        }
        match tuning.targets.iter().find(|target| !known.contains(target)) {
            None => Ok(all),
            Some(unknown) => Err(Error::input(format!("target {unknown:?}"), "no projection is called so")
                .hint(format!("this model's projections are {}", known.join(", ")))),
        }
    }

    /// One recorded pass: log-probabilities of wanted tokens, a loss of them, and its gradients, which are added to those
    /// that the parameters of [`Model::tune`] hold already. Returns the loss.
    ///
    /// `targets` are (row of the packed chunks, token): the token is to follow the row. `loss` makes one number of their
    /// log-probabilities `(targets)`. With `checkpoint` only the stream before each block is kept, and each block is
    /// computed again when its gradients are taken (Chen et al. 2016): a third more work, memory of one block.
    ///
    /// # Errors
    /// As [`Model::forward`]; what `loss` reports.
    pub fn learn(
        &self,
        chunks: &[Chunk<'_>],
        targets: &[(i64, i64)],
        checkpoint: bool,
        loss: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<f64> {
        let pack = Pack::of_chunks(self, chunks)?;
        if !checkpoint {
            let mut x = self.embed(&pack)?;
            for layer in 0..self.spec.n_layers {
                self.plain_block(layer, &mut x, chunks, &pack)?;
            }
            return finish(&loss(&self.logprobs(&x, targets)?)?);
        }
        let mut before = Vec::with_capacity(self.spec.n_layers);
        let mut x = {
            let _guard = tch::no_grad_guard();
            let mut x = self.embed(&pack)?;
            for layer in 0..self.spec.n_layers {
                before.push(x.f_detach_copy()?);
                self.plain_block(layer, &mut x, chunks, &pack)?;
            }
            x
        };
        x = x.f_set_requires_grad(true)?;
        let value = finish(&loss(&self.logprobs(&x, targets)?)?)?;
        let mut gradient = x.f_grad()?;
        for (layer, x) in before.into_iter().enumerate().rev() {
            let x = x.f_set_requires_grad(true)?;
            let mut after = x.shallow_clone();
            self.plain_block(layer, &mut after, chunks, &pack)?;
            // The gradient of this number with respect to the block's output is what came down to it.
            let here = gradient.f_to_device(after.device())?;
            after.f_mul(&here)?.f_sum(after.kind())?.f_backward()?;
            gradient = x.f_grad()?;
        }
        Ok(value)
    }

    /// Log-probabilities `(targets)` of tokens, computed without a record.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn logprobs_of(&self, chunks: &[Chunk<'_>], targets: &[(i64, i64)]) -> Result<Vec<f64>> {
        let wanted = Wanted::new(targets);
        let want = Want { logit_rows: wanted.rows.clone(), ..Want::default() };
        let logits = self.forward(chunks, &want)?.logits;
        let logits = logits.ok_or_else(|| Error::Torch("no logits".into()))?;
        Ok(Vec::try_from(wanted.logprobs(&logits)?.f_to_kind(Kind::Double)?)?)
    }

    /// A block of a pass from which nothing is captured.
    fn plain_block(&self, layer: usize, x: &mut Tensor, chunks: &[Chunk<'_>], pack: &Pack) -> Result<()> {
        let kept = self.kept.as_ref().ok_or_else(streamed)?;
        let past = |layer: usize| Past::Chunks { chunks, layer };
        let mut keep = |_: &Tensor, _: &Tensor| Ok(());
        let mut pass = Pass {
            pack,
            shelf: Shelf::new(&Want::default())?,
            past: &past,
            keep: &mut keep,
            edits: &[],
            marks: Marks::new(&[])?,
            decoding: false,
        };
        *x = x.f_to_device(self.device_of(layer))?;
        self.block(&kept.blocks[layer], layer, x, &mut pass)
    }

    /// Log-probabilities of tokens that are to follow rows of the stream after the last block.
    fn logprobs(&self, x: &Tensor, targets: &[(i64, i64)]) -> Result<Tensor> {
        let wanted = Wanted::new(targets);
        let rows = Tensor::f_from_slice(&wanted.rows)?.f_to_device(x.device())?;
        let normed = self.final_norm.forward(&x.f_index_select(0, &rows)?)?;
        wanted.logprobs(&self.head(&normed)?)
    }

    /// Whether a whole checkpoint of it can be written.
    ///
    /// # Errors
    /// It is quantized.
    pub fn is_whole(&self) -> Result<()> {
        let packed = |name: &String| self.weights.stored_kind(name).is_none() && self.weights.is_float(name);
        match self.weights.names().into_iter().find(packed) {
            None => Ok(()),
            Some(name) => Err(Error::input(name, "is quantized: a whole checkpoint cannot be written")
                .hint("train low-rank changes (tune = \"lora\") and keep merged = false")),
        }
    }

    /// The whole checkpoint with what was learnt merged. What was learnt is in f32, as it was trained and measured,
    /// whatever the files are in; all else is as the files hold it, whose memory it shares.
    ///
    /// # Errors
    /// A quantized checkpoint, no memory.
    pub fn checkpoint(&mut self) -> Result<Vec<(String, Tensor)>> {
        self.is_whole()?;
        let _guard = tch::no_grad_guard();
        let transposed = self.spec.transposed;
        let mut learnt = BTreeMap::new();
        let blocks = self.kept.iter_mut().flat_map(|kept| &mut kept.blocks);
        for linear in blocks.flat_map(|block| block.projections()) {
            learnt.extend(linear.learnt(transposed)?);
        }
        let mut all = Vec::new();
        for name in self.weights.names() {
            let kept = self.weights.shape(&name).zip(self.weights.stored_kind(&name));
            let Some((shape, kind)) = kept else {
                continue; // masks and the like, which follow from the configuration
            };
            let tensor = match learnt.remove(&name) {
                Some(tensor) => tensor,
                None => self.weights.get(&name, &shape, kind, Device::Cpu)?,
            };
            all.push((name, tensor));
        }
        match learnt.pop_first() {
            None => Ok(all),
            Some((name, _)) => Err(Error::input(name, "was learnt, but the checkpoint holds no such tensor")),
        }
    }

    /// The name of a module as transformers' own model has it, which is what PEFT goes by; files may hold it without the
    /// family's prefix, or with one that older versions wrote.
    #[must_use]
    pub fn module_name(&self, stored: &str) -> String {
        let prefixes = self.spec.prefixes;
        if let Some(rest) = stored.strip_prefix("language_model.model.") {
            return format!("model.language_model.{rest}");
        }
        match (prefixes.iter().any(|prefix| stored.starts_with(prefix)), prefixes.last()) {
            (false, Some(prefix)) => format!("{prefix}{stored}"),
            _ => stored.to_owned(),
        }
    }

    /// Whether the files hold projections as (in, out), as GPT-2's do.
    #[must_use]
    pub fn transposed(&self) -> bool {
        self.spec.transposed
    }
}

/// Why a model whose layers are read anew in every pass cannot be trained.
fn streamed() -> Error {
    Error::input("training", "needs the whole model in memory").hint("set stream = false")
}

/// Tokens whose log-probabilities are wanted.
struct Wanted {
    /// The rows that they are to follow, each once, ascending.
    rows: Vec<i64>,
    /// Place in `rows` and token of each.
    targets: Vec<(i64, i64)>,
}

impl Wanted {
    fn new(targets: &[(i64, i64)]) -> Self {
        let mut rows: Vec<i64> = targets.iter().map(|(row, _)| *row).collect();
        rows.sort_unstable();
        rows.dedup();
        let place = |row: &i64| rows.binary_search(row).map_or(0, |place| place as i64);
        let targets = targets.iter().map(|(row, token)| (place(row), *token)).collect();
        Self { rows, targets }
    }

    /// Their log-probabilities `(targets)`, from the logits `(rows, vocab)`.
    fn logprobs(&self, logits: &Tensor) -> Result<Tensor> {
        let (places, tokens): (Vec<i64>, Vec<i64>) = self.targets.iter().copied().unzip();
        let index = |values: &[i64]| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(values)?.f_to_device(logits.device())?)
        };
        let all = logits.f_log_softmax(-1, logits.kind())?.f_index_select(0, &index(&places)?)?;
        Ok(all.f_gather(1, &index(&tokens)?.f_unsqueeze(1)?, false)?.f_squeeze_dim(1)?)
    }
}

/// Takes the gradients of a loss and returns it.
fn finish(loss: &Tensor) -> Result<f64> {
    loss.f_backward()?;
    Ok(loss.f_double_value(&[])?)
}

impl Linear {
    /// Makes the projection learnable.
    fn tune(&mut self, tuning: &Tuning) -> Result<Vec<Parameter>> {
        let (device, name) = (self.weight.device(), self.name().to_owned());
        let kind = if self.weight.kind() == Kind::Double { Kind::Double } else { Kind::Float };
        let parameter = |part: &str, tensor: &Tensor| Parameter {
            name: format!("{name}.{part}"),
            tensor: tensor.shallow_clone(),
        };
        let Some(Rank { r, alpha }) = tuning.low_rank else {
            // A copy: the weights themselves are the checkpoint's file.
            let own = |tensor: &Tensor| -> Result<Tensor> {
                Ok(tensor.f_detach_copy()?.f_set_requires_grad(true)?)
            };
            self.weight = own(&self.weight)?;
            self.bias = self.bias.as_ref().map(own).transpose()?;
            let bias = self.bias.as_ref().map(|bias| parameter("bias", bias));
            return Ok([parameter("weight", &self.weight)].into_iter().chain(bias).collect());
        };
        let (out, inp) = self.weight.size2()?;
        // PEFT's start, Kaiming's uniform with a = sqrt(5), is uniform within 1 / sqrt(in).
        let bound = 1.0 / (inp as f64).sqrt();
        let mut random = SplitMix::named(tuning.seed, &format!("{name}.lora_A"));
        let drawn: Vec<f32> = (0..r * inp).map(|_| (bound * (2.0 * random.unit() - 1.0)) as f32).collect();
        let learnable = |tensor: Tensor| -> Result<Tensor> {
            Ok(tensor.f_to_device(device)?.f_to_kind(kind)?.f_set_requires_grad(true)?)
        };
        let a = learnable(Tensor::f_from_slice(&drawn)?.f_view([r, inp])?)?;
        let b = learnable(Tensor::f_zeros([out, r], (kind, device))?)?;
        let both = vec![parameter("lora_A.weight", &a), parameter("lora_B.weight", &b)];
        self.change = Some(LowRank { a, b, scale: alpha / r as f64 });
        Ok(both)
    }

    /// Its weight and bias as files hold them, where they were learnt.
    fn learnt(&self, transposed: bool) -> Result<Vec<(String, Tensor)>> {
        let stored = |tensor: &Tensor| -> Result<Tensor> {
            Ok(tensor.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?)
        };
        let turned = |weight: Tensor| -> Result<Tensor> {
            Ok(if transposed { weight.f_transpose(0, 1)?.f_contiguous()? } else { weight })
        };
        let (weight, bias) = (format!("{}.weight", self.name()), format!("{}.bias", self.name()));
        if let Some(LowRank { a, b, scale }) = &self.change {
            let change = stored(b)?.f_matmul(&stored(a)?)?.f_mul_scalar(*scale)?;
            return Ok(vec![(weight, turned(stored(&self.weight)?.f_add(&change)?)?)]);
        }
        if !self.weight.requires_grad() {
            return Ok(Vec::new());
        }
        let bias = self.bias.as_ref().map(|values| Ok::<_, Error>((bias, stored(values)?))).transpose()?;
        Ok([(weight, turned(stored(&self.weight)?)?)].into_iter().chain(bias).collect())
    }
}

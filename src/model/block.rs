//! The parts of a block: projections, norms, the MLP. Each loads itself and knows its formula.

use tch::{Device, Kind, Tensor};

use super::decoder::{at_least_single, recorded};
use super::initial::{Initial, Start};
use super::spec::{Activation, Norm as NormSpec, NormKind, Over, QkNorm, Qkv, Spec, Up};
use super::weights::Weights;
use crate::{Error, Result};

/// Where the tensors of a model come from, and what they are wanted as.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub spec: &'a Spec,
    pub weights: &'a Weights,
    /// What the weights begin with where those of the files are not wanted.
    pub initial: Option<&'a Initial>,
    pub kind: Kind,
    pub device: Device,
}

impl Source<'_> {
    /// A tensor of the body, whose names may stand with or without the family's prefix.
    fn body(&self, name: &str, shape: &[i64], start: Start) -> Result<Tensor> {
        self.get(&self.place(name), shape, start)
    }

    /// A tensor outside the body.
    fn get(&self, name: &str, shape: &[i64], start: Start) -> Result<Tensor> {
        let Some(initial) = self.initial else {
            return self.weights.get(name, shape, self.kind, self.device);
        };
        self.weights.check(name, shape)?;
        initial.tensor(name, shape, start, (self.kind, self.device))
    }

    /// The name as the files have it: behind the prefix of their embedding.
    fn place(&self, name: &str) -> String {
        let embedding = |prefix: &str| format!("{prefix}{}.weight", self.spec.embed.name);
        let stands = |prefix: &&&str| self.weights.contains(&embedding(prefix));
        let prefix = [""].iter().chain(self.spec.prefixes).find(stands);
        format!("{}{name}", prefix.unwrap_or(&self.spec.prefixes[0]))
    }

    /// The embedding `(vocab, d_model)`.
    pub fn embedding(&self) -> Result<Tensor> {
        // Tied weights may be stored under either name.
        let stored = self.weights.contains(&self.place(&format!("{}.weight", self.spec.embed.name)));
        if !stored
            && self.spec.head.tied
            && let Some(head) = self.own_head()?
        {
            return Ok(head);
        }
        let shape = [self.spec.vocab, self.spec.d_model];
        self.body(&format!("{}.weight", self.spec.embed.name), &shape, Start::Normal)
    }

    /// The learned positions `(n_ctx, d_model)`, where there are any.
    pub fn positions(&self) -> Result<Option<Tensor>> {
        let shape = [self.spec.n_ctx, self.spec.d_model];
        let read = |name| self.body(&format!("{name}.weight"), &shape, Start::Normal);
        self.spec.embed.positions.map(read).transpose()
    }

    /// The last norm.
    pub fn final_norm(&self) -> Result<Norm> {
        Norm::load(self, self.spec.head.norm, self.spec.norm, self.spec.d_model)
    }

    /// The head: a matrix of its own where the files hold one, else the embedding.
    pub fn head(&self, embedding: impl FnOnce() -> Result<Tensor>) -> Result<Linear> {
        let (head, vocab) = (&self.spec.head, self.spec.vocab);
        let weight = match self.own_head()? {
            Some(weight) => weight,
            None if head.tied => embedding()?.f_to_device(self.device)?,
            None => {
                self.get(&format!("{}.weight", head.names[0]), &[vocab, self.spec.d_model], Start::Normal)?
            }
        };
        let bias = |name| self.get(&format!("{name}.bias"), &[vocab], Start::Constant(0.0));
        let bias = if head.bias { Some(bias(self.head_name())?) } else { None };
        Ok(Linear { name: String::new(), weight, bias, change: None })
    }

    /// The head that the files hold, if they hold one.
    pub fn own_head(&self) -> Result<Option<Tensor>> {
        let name = format!("{}.weight", self.head_name());
        let shape = [self.spec.vocab, self.spec.d_model];
        self.weights.contains(&name).then(|| self.get(&name, &shape, Start::Normal)).transpose()
    }

    /// The name that the head goes by in the files.
    fn head_name(&self) -> &'static str {
        let names = self.spec.head.names;
        names.iter().find(|name| self.weights.contains(&format!("{name}.weight"))).unwrap_or(&names[0])
    }
}

/// A projection.
pub struct Linear {
    /// Its name in the files of a checkpoint, without `.weight`; the head has none.
    name: String,
    pub(super) weight: Tensor, // (out, in)
    pub(super) bias: Option<Tensor>,
    /// What is added to its weight while it is trained.
    pub(super) change: Option<LowRank>,
}

/// A change of rank r of a projection: scale * B A.
pub struct LowRank {
    pub a: Tensor, // (r, in)
    pub b: Tensor, // (out, r)
    pub scale: f64,
}

impl Linear {
    fn load(source: &Source<'_>, name: &str, [out, inp]: [i64; 2], bias: bool) -> Result<Self> {
        let name_of = |part: &str| format!("{name}.{part}");
        let weight = if source.spec.transposed {
            source.body(&name_of("weight"), &[inp, out], Start::Normal)?.f_transpose(0, 1)?
        } else {
            source.body(&name_of("weight"), &[out, inp], Start::Normal)?
        };
        let start = Start::Constant(0.0);
        let bias = if bias { Some(source.body(&name_of("bias"), &[out], start)?) } else { None };
        Ok(Self { name: source.place(name), weight, bias, change: None })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.f_linear(&self.weight, self.bias.as_ref())?;
        let Some(LowRank { a, b, scale }) = &self.change else { return Ok(y) };
        let low = x.f_to_kind(a.kind())?.f_linear(a, None::<&Tensor>)?.f_mul_scalar(*scale)?; // (T, r)
        Ok(y.f_to_kind(b.kind())?.f_addmm(&low, &b.f_tr()?)?.f_to_kind(y.kind())?)
    }

    /// Its name in the files of a checkpoint, without `.weight`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A norm over the last axis.
pub struct Norm {
    kind: NormKind,
    eps: f64,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
}

impl Norm {
    fn load(source: &Source<'_>, name: &str, spec: NormSpec, width: i64) -> Result<Self> {
        let part = |part: &str, start| source.body(&format!("{name}.{part}"), &[width], start);
        let weight = if spec.weight { Some(part("weight", Self::start(spec))?) } else { None };
        let bias = if spec.bias { Some(part("bias", Start::Constant(0.0))?) } else { None };
        Self::with(spec, weight, bias)
    }

    /// What the weight of a norm begins with, so that the norm scales by one.
    fn start(spec: NormSpec) -> Start {
        Start::Constant(if spec.kind == NormKind::RmsPlusOne { 0.0 } else { 1.0 })
    }

    /// Gemma's one is added to the weight here, once, in f32.
    fn with(spec: NormSpec, weight: Option<Tensor>, bias: Option<Tensor>) -> Result<Self> {
        let weight = match (spec.kind, weight) {
            (NormKind::RmsPlusOne, Some(weight)) => Some(weight.f_to_kind(Kind::Float)?.f_add_scalar(1.0)?),
            (_, weight) => weight,
        };
        Ok(Self { kind: spec.kind, eps: spec.eps, weight, bias })
    }

    /// What each dimension is multiplied by once it is normed; None where by nothing.
    pub fn scale(&self) -> Option<&Tensor> {
        self.weight.as_ref()
    }

    /// Statistics are taken in f32 where the compute kind is narrower, as transformers does.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight.as_ref();
        if self.kind == NormKind::Layer {
            let width = x.size().last().copied().unwrap_or(1);
            if weight.is_none_or(|weight| weight.dim() == 1) {
                return Ok(x.f_layer_norm([width], weight, self.bias.as_ref(), self.eps, false)?);
            }
            let none = None::<&Tensor>;
            let wide = x.f_to_kind(at_least_single(x.kind()))?;
            let normed = wide.f_layer_norm([width], none, none, self.eps, false)?;
            return Ok(weight
                .map_or(Ok(normed.shallow_clone()), |weight| normed.f_mul(weight))?
                .f_to_kind(x.kind())?);
        }
        let wide = x.f_to_kind(at_least_single(x.kind()))?;
        let scale = wide.f_square()?.f_mean_dim(-1, true, wide.kind())?.f_add_scalar(self.eps)?.f_rsqrt()?;
        let normed = wide.f_mul(&scale)?;
        let Some(weight) = weight else { return Ok(normed.f_to_kind(x.kind())?) };
        match self.kind {
            NormKind::Rms => Ok(normed.f_to_kind(x.kind())?.f_mul(weight)?),
            _ => Ok(normed.f_mul(weight)?.f_to_kind(x.kind())?),
        }
    }
}

/// The norm of queries or keys.
struct HeadNorm {
    norm: Norm,
    over: Over,
}

impl HeadNorm {
    fn load(source: &Source<'_>, name: &str, spec: QkNorm, heads: i64) -> Result<Self> {
        let d_head = source.spec.d_head;
        let norm = match spec.over {
            Over::Head => Norm::load(source, name, spec.norm, d_head)?,
            Over::All => Norm::load(source, name, spec.norm, heads * d_head)?,
            Over::EachHead => {
                let start = Norm::start(spec.norm);
                let weight = source.body(&format!("{name}.weight"), &[heads, d_head], start)?;
                Norm::with(spec.norm, Some(weight), None)?
            }
            Over::ListedHeads => {
                let start = Norm::start(spec.norm);
                let row = |head: i64| source.body(&format!("{name}.norms.{head}.weight"), &[d_head], start);
                let rows = (0..heads).map(row).collect::<Result<Vec<_>>>()?;
                Norm::with(spec.norm, Some(Tensor::f_stack(&rows, 0)?), None)?
            }
        };
        Ok(Self { norm, over: spec.over })
    }

    /// # Shapes
    /// - x: `(T, heads, d_head)`
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if self.over != Over::All {
            return self.norm.forward(x);
        }
        let (tokens, heads, d_head) = x.size3()?;
        Ok(self.norm.forward(&x.f_reshape([tokens, heads * d_head])?)?.f_view([tokens, heads, d_head])?)
    }
}

enum Projections {
    Separate([Linear; 3]),
    Fused(Linear, i64),
}

/// Queries, keys and values of new tokens, before rotation.
pub struct Heads {
    pub q: Tensor, // (T, nh, hd)
    pub k: Tensor, // (T, nkv, hd)
    pub v: Tensor, // (T, nkv, hd)
}

enum Inner {
    Plain(Linear),
    Gated(Linear, Linear),
    Fused(Linear),
}

/// A block.
pub struct Block {
    pub attention_in: Option<Norm>,
    qkv: Projections,
    qk_norm: Option<[HeadNorm; 2]>,
    clip: Option<f64>,
    pub out: Linear,
    pub attention_out: Option<Norm>,
    pub mlp_in: Option<Norm>,
    inner: Inner,
    act: Activation,
    /// Neurons whose gates are held, and at what.
    gates: Option<(Tensor, f64)>,
    pub down: Linear,
    pub mlp_out: Option<Norm>,
}

impl Block {
    /// Block number `layer`.
    ///
    /// # Errors
    /// A missing tensor, a wrong shape, an unsupported dtype, no memory on the device.
    pub fn load(source: &Source<'_>, layer: usize) -> Result<Self> {
        let spec = source.spec;
        let at = |name: &str| format!("{}.{layer}.{name}", spec.blocks);
        let (d, inner) = (spec.d_model, spec.d_mlp);
        let (q_width, kv_width) = (spec.n_heads * spec.d_head, spec.n_kv_heads * spec.d_head);
        let linear = |name: &str, shape: [i64; 2], bias: bool| Linear::load(source, &at(name), shape, bias);
        let norm = |name: Option<&'static str>| {
            name.map(|name| Norm::load(source, &at(name), spec.norm, d)).transpose()
        };
        let (attention, mlp) = (&spec.attention, &spec.mlp);
        let bias = attention.qkv_bias;
        let qkv = match attention.qkv {
            Qkv::Separate([q, k, v]) => Projections::Separate([
                linear(q, [q_width, d], bias)?,
                linear(k, [kv_width, d], bias)?,
                linear(v, [kv_width, d], bias)?,
            ]),
            Qkv::Fused { name, groups } => {
                Projections::Fused(linear(name, [q_width + 2 * kv_width, d], bias)?, groups)
            }
        };
        let qk_norm = match attention.qk_norm {
            Some(norm) => {
                let of = |name: &str, heads: i64| HeadNorm::load(source, &at(name), norm, heads);
                Some([of(norm.names[0], spec.n_heads)?, of(norm.names[1], spec.n_kv_heads)?])
            }
            None => None,
        };
        let inner_of = |name: &str, wide: i64| linear(name, [wide * inner, d], mlp.bias);
        Ok(Self {
            attention_in: norm(spec.around.attention_in)?,
            qkv,
            qk_norm,
            clip: attention.clip,
            out: linear(attention.out, [d, q_width], attention.out_bias)?,
            attention_out: norm(spec.around.attention_out)?,
            mlp_in: norm(spec.around.mlp_in)?,
            inner: match mlp.up {
                Up::Plain(up) => Inner::Plain(inner_of(up, 1)?),
                Up::Gated(gate, up) => Inner::Gated(inner_of(gate, 1)?, inner_of(up, 1)?),
                Up::Fused(both) => Inner::Fused(inner_of(both, 2)?),
            },
            act: mlp.act,
            gates: None,
            down: linear(mlp.down, [d, inner], mlp.bias)?,
            mlp_out: norm(spec.around.mlp_out)?,
        })
    }

    /// Queries, keys and values of `h`, `(T, d_model)`, normed and clamped as the family does, not yet rotated.
    pub fn heads(&self, h: &Tensor, spec: &Spec) -> Result<Heads> {
        let (nh, nkv, hd) = (spec.n_heads, spec.n_kv_heads, spec.d_head);
        let [mut q, mut k, mut v] = match &self.qkv {
            Projections::Separate([q, k, v]) => {
                let of = |linear: &Linear, n: i64| Ok::<_, Error>(linear.forward(h)?.f_view([-1, n, hd])?);
                [of(q, nh)?, of(k, nkv)?, of(v, nkv)?]
            }
            Projections::Fused(linear, groups) => {
                let (queries, keys) = (nh / groups, nkv / groups);
                let all = linear.forward(h)?.f_view([-1, *groups, queries + 2 * keys, hd])?;
                let part = |start: i64, len: i64| {
                    all.f_narrow(2, start, len)?.f_contiguous()?.f_view([-1, groups * len, hd])
                };
                [part(0, queries)?, part(queries, keys)?, part(queries + keys, keys)?]
            }
        };
        if let Some(clip) = self.clip {
            for x in [&mut q, &mut k, &mut v] {
                *x = x.f_clamp(-clip, clip)?;
            }
        }
        if let Some([q_norm, k_norm]) = &self.qk_norm {
            (q, k) = (q_norm.forward(&q)?, k_norm.forward(&k)?);
        }
        Ok(Heads { q, k, v })
    }

    /// What enters the MLP's last projection, `(T, d_mlp)`.
    pub fn inner(&self, h: &Tensor) -> Result<Tensor> {
        let (gate, up) = match &self.inner {
            Inner::Plain(up) => return self.act.apply(up.forward(h)?),
            Inner::Gated(gate, up) => (gate.forward(h)?, up.forward(h)?),
            Inner::Fused(both) => {
                let both = both.forward(h)?;
                let width = both.size()[1] / 2;
                (both.f_narrow(1, 0, width)?.f_contiguous()?, both.f_narrow(1, width, width)?)
            }
        };
        let mut gate = self.act.apply(gate)?;
        if let Some((neurons, value)) = &self.gates {
            gate = gate.f_index_fill(1, neurons, *value)?;
        }
        Ok(if recorded(&gate) || recorded(&up) { gate.f_mul(&up)? } else { gate.f_mul_(&up)? })
    }

    /// Its projections, in the order in which a pass meets them.
    pub fn projections(&mut self) -> Vec<&mut Linear> {
        let mut all = match &mut self.qkv {
            Projections::Separate(three) => three.iter_mut().collect(),
            Projections::Fused(one, _) => vec![one],
        };
        all.push(&mut self.out);
        match &mut self.inner {
            Inner::Plain(one) | Inner::Fused(one) => all.push(one),
            Inner::Gated(gate, up) => all.extend([gate, up]),
        }
        all.push(&mut self.down);
        all
    }

    /// Multiplies the keys of some neurons, the rows of the up projection, by a factor; biases stay.
    ///
    /// # Errors
    /// libtorch's.
    pub fn scale_keys(&mut self, neurons: &[i64], factor: f64) -> Result<()> {
        let (up, offset) = match &mut self.inner {
            Inner::Plain(up) | Inner::Gated(_, up) => (up, 0),
            Inner::Fused(both) => {
                let width = both.weight.size()[0] / 2;
                (both, width)
            }
        };
        let rows: Vec<i64> = neurons.iter().map(|neuron| neuron + offset).collect();
        let rows = Tensor::f_from_slice(&rows)?.f_to_device(up.weight.device())?;
        let scaled = up.weight.f_index_select(0, &rows)?.f_mul_scalar(factor)?;
        up.weight = up.weight.f_index_copy(0, &rows, &scaled)?;
        Ok(())
    }

    /// Holds the gates of some neurons, what their activation function gives, at a value.
    ///
    /// # Errors
    /// The MLP has no gates.
    pub fn hold_gates(&mut self, neurons: &[i64], value: f64) -> Result<()> {
        if matches!(self.inner, Inner::Plain(_)) {
            return Err(Error::input("gates", "the MLP of this model has none")
                .hint("scale keys instead: method = \"keys\""));
        }
        let device = self.down.weight.device();
        self.gates = Some((Tensor::f_from_slice(neurons)?.f_to_device(device)?, value));
        Ok(())
    }
}

impl Activation {
    /// Applies it, in place where libtorch can and nothing is recorded.
    fn apply(self, mut x: Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Silu if recorded(&x) => x.f_silu()?,
            Self::Silu => x.f_silu_()?,
            Self::Gelu => x.f_gelu("none")?,
            Self::GeluTanh => x.f_gelu("tanh")?,
            Self::QuickGelu => x.f_mul(&x.f_mul_scalar(1.702)?.f_sigmoid()?)?,
            Self::Relu | Self::Relu2 => {
                let x = if recorded(&x) { x.f_relu()? } else { x.f_relu_()? };
                if self == Self::Relu2 { x.f_square()? } else { x }
            }
        })
    }
}

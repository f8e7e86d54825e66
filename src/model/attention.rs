//! What new tokens see: chunks over the keys and values of their past, or padded buffers that grow by a token a step.

use tch::{Device, Kind, Tensor};

use super::decoder::{Model, at_least_single, recorded};
use super::rope::Span;
use super::spec::Layer;
use crate::{Error, Result};

/// Keys and values of a stretch of tokens, per layer: `(tokens, n_kv_heads, d_head)`, keys already rotated.
pub struct Kv {
    layers: Vec<(Tensor, Tensor)>,
}

impl Kv {
    /// From per-layer keys and values, each `(tokens, n_kv_heads, d_head)`.
    #[must_use]
    pub fn new(layers: Vec<(Tensor, Tensor)>) -> Self {
        Self { layers }
    }

    /// Keys and values of one layer.
    pub fn layer(&self, layer: usize) -> &(Tensor, Tensor) {
        &self.layers[layer]
    }

    /// The part from token `start` on, `len` tokens long; shares memory.
    ///
    /// # Errors
    /// libtorch's, for a range outside the stretch.
    pub fn narrow(&self, start: i64, len: i64) -> Result<Self> {
        let part = |(k, v): &(Tensor, Tensor)| -> Result<_> {
            Ok((k.f_narrow(0, start, len)?, v.f_narrow(0, start, len)?))
        };
        Ok(Self { layers: self.layers.iter().map(part).collect::<Result<_>>()? })
    }
}

/// A stretch of new tokens after a known past.
pub struct Chunk<'a> {
    /// The new tokens, at least one.
    pub ids: &'a [i64],
    /// The stretches before it, oldest first.
    pub past: Vec<&'a Kv>,
    /// Number of tokens in `past`, which is the position of the first new token.
    pub start: i64,
    /// [`super::Spec::reach`] of the whole sequence; its past was encoded at the same.
    pub reach: i64,
    /// Where alternatives begin among the new tokens, ascending: those from one place to the next see what stands before
    /// the first of them and their own, and have positions as if they followed it.
    pub forks: &'a [usize],
}

impl Chunk<'_> {
    /// How many tokens follow each other from the start, and the bounds of each alternative.
    fn parts(&self) -> (usize, impl Iterator<Item = (usize, usize)>) {
        let trunk = self.forks.first().copied().unwrap_or(self.ids.len());
        let ends = self.forks.iter().skip(1).copied().chain([self.ids.len()]);
        (trunk, self.forks.iter().copied().zip(ends))
    }

    /// The position of each new token.
    fn positions(&self) -> Vec<i64> {
        let (trunk, branches) = self.parts();
        let lengths = [trunk].into_iter().map(|len| (0, len)).chain(branches.map(|(a, b)| (trunk, b - a)));
        lengths.flat_map(|(from, len)| (0..len).map(move |i| self.start + (from + i) as i64)).collect()
    }
}

/// What a pass needs at one place: angles per rotation and masks per window, on the place's device.
pub struct Local {
    pub angles: Vec<(Tensor, Tensor)>,
    /// Per window, per chunk; one for all rows of buffers.
    pub masks: Vec<Vec<Option<Tensor>>>,
}

impl Local {
    /// The same on each device.
    pub fn everywhere(self, devices: &[Device]) -> Result<Vec<Self>> {
        let mut all = vec![self];
        for &device in devices.iter().skip(1) {
            let first = &all[0];
            let both = |(cos, sin): &(Tensor, Tensor)| -> Result<_> {
                Ok((cos.f_to_device(device)?, sin.f_to_device(device)?))
            };
            let mask = |mask: &Option<Tensor>| -> Result<_> {
                Ok(mask.as_ref().map(|mask| mask.f_to_device(device)).transpose()?)
            };
            let masks = |masks: &Vec<Option<Tensor>>| masks.iter().map(mask).collect::<Result<_>>();
            all.push(Self {
                angles: first.angles.iter().map(both).collect::<Result<_>>()?,
                masks: first.masks.iter().map(masks).collect::<Result<_>>()?,
            });
        }
        Ok(all)
    }
}

/// Tokens of a pass with their positions, and what each place needs for them.
pub struct Pack {
    pub tokens: Tensor,
    pub positions: Tensor,
    pub locals: Vec<Local>,
}

impl Pack {
    pub fn of_chunks(model: &Model, chunks: &[Chunk<'_>]) -> Result<Self> {
        let ids: Vec<i64> = chunks.iter().flat_map(|chunk| chunk.ids.iter().copied()).collect();
        let positions: Vec<i64> = chunks.iter().flat_map(Chunk::positions).collect();
        let spans: Vec<Span> =
            chunks.iter().map(|c| Span { len: c.ids.len() as i64, reach: c.reach }).collect();
        let capped = model.spec.attention.soft_cap.is_some();
        let mask = |window: Option<i64>| -> Result<Vec<_>> {
            let of = |c: &Chunk<'_>| match c.forks {
                [] => chunk_mask(c.start, c.ids.len() as i64, window, capped, model),
                _ => fork_mask(c, window, model).map(Some),
            };
            chunks.iter().map(of).collect()
        };
        let masks = model.windows.iter().map(|&window| mask(window)).collect::<Result<_>>()?;
        Self::new(model, &ids, &positions, &spans, masks)
    }

    pub fn of_buffers(model: &Model, ids: &[i64], buffers: &Buffers) -> Result<Self> {
        let spans: Vec<Span> = buffers.reaches.iter().map(|&reach| Span { len: 1, reach }).collect();
        let mask = |window: Option<i64>| Ok(vec![Some(buffers.append_mask(window, model)?)]);
        let masks = model.windows.iter().map(|&window| mask(window)).collect::<Result<_>>()?;
        Self::new(model, ids, &buffers.lengths, &spans, masks)
    }

    fn new(
        model: &Model,
        ids: &[i64],
        positions: &[i64],
        spans: &[Span],
        masks: Vec<Vec<Option<Tensor>>>,
    ) -> Result<Self> {
        let vocab = model.spec.vocab;
        if let Some(id) = ids.iter().find(|id| !(0..vocab).contains(*id)) {
            return Err(Error::input(format!("token {id}"), format!("the vocabulary has {vocab} tokens"))
                .hint("the ids or the tokenizer belong to another model"));
        }
        if let Some(position) = positions.iter().find(|position| **position >= model.spec.n_ctx) {
            return Err(Error::input(
                "sequence",
                format!("reaches {} tokens, the model's context is {}", position + 1, model.spec.n_ctx),
            )
            .hint("shorten the input, or ask for fewer rounds or new tokens"));
        }
        let place = |values: &[i64]| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(values)?.f_to_device(model.devices[0])?)
        };
        let (tokens, positions) = (place(ids)?, place(positions)?);
        let angles = model.rotations.iter().map(|rotation| rotation.at(&positions, spans));
        let local = Local { angles: angles.collect::<Result<_>>()?, masks };
        Ok(Self { tokens, positions, locals: local.everywhere(&model.devices)? })
    }
}

/// An additive mask `(len, start + len)`, or none where a whole causal sequence or a single token needs none.
fn chunk_mask(
    start: i64,
    len: i64,
    window: Option<i64>,
    capped: bool,
    model: &Model,
) -> Result<Option<Tensor>> {
    let end = start + len;
    let window = window.filter(|window| *window < end);
    if window.is_none() && (len == 1 || (start == 0 && !capped)) {
        return Ok(None);
    }
    let all = || Tensor::f_full([len, end], f64::NEG_INFINITY, (model.kind, model.devices[0]));
    let future = all()?.f_triu(start + 1)?;
    Ok(Some(match window {
        Some(window) => future.f_add(&all()?.f_tril(start - window)?)?,
        None => future,
    }))
}

/// An additive mask `(len, len)` of a chunk with alternatives, which has no past.
fn fork_mask(chunk: &Chunk<'_>, window: Option<i64>, model: &Model) -> Result<Tensor> {
    if !chunk.past.is_empty() {
        return Err(Error::Torch("a chunk with alternatives has no past".into()));
    }
    let (positions, len) = (chunk.positions(), chunk.ids.len());
    let (trunk, branches) = chunk.parts();
    let mut branch = vec![0usize; trunk];
    branches.enumerate().for_each(|(i, (a, b))| branch.extend(std::iter::repeat_n(i + 1, b - a)));
    let mut mask = vec![f32::NEG_INFINITY; len * len];
    for i in 0..len {
        for j in 0..=i {
            let follows = branch[j] == 0 || branch[j] == branch[i];
            let near = window.is_none_or(|window| positions[i] - positions[j] < window);
            if follows && near {
                mask[i * len + j] = 0.0;
            }
        }
    }
    let mask = Tensor::f_from_slice(&mask)?.f_view([len as i64, len as i64])?;
    Ok(mask.f_to_device(model.devices[0])?.f_to_kind(model.kind)?)
}

/// What the new tokens of a layer may look at.
pub enum Past<'a> {
    Chunks { chunks: &'a [Chunk<'a>], layer: usize },
    Buffers { buffers: &'a (Tensor, Tensor), width: i64, index: &'a Tensor },
}

/// How a layer scores what it sees.
#[derive(Clone, Copy)]
pub struct Rule<'a> {
    pub layer: &'a Layer,
    pub soft_cap: Option<f64>,
    pub masks: &'a [Option<Tensor>],
}

impl Past<'_> {
    /// # Shapes
    /// - q: `(T, nh, hd)`; k, v: `(T, nkv, hd)`; returns `(T, nh * hd)`
    pub fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, rule: Rule<'_>) -> Result<Tensor> {
        match self {
            Self::Chunks { chunks, layer } => {
                let mut parts = Vec::with_capacity(chunks.len());
                let mut row = 0;
                for (chunk, mask) in chunks.iter().zip(rule.masks) {
                    let len = chunk.ids.len() as i64;
                    let own = |t: &Tensor| t.f_narrow(0, row, len);
                    let (k, v) = if chunk.past.is_empty() {
                        (own(k)?, own(v)?)
                    } else {
                        let (k, v) = (own(k)?, own(v)?);
                        let pasts = || chunk.past.iter().map(|kv| kv.layer(*layer));
                        let keys: Vec<_> = pasts().map(|(k, _)| k).chain([&k]).collect();
                        let values: Vec<_> = pasts().map(|(_, v)| v).chain([&v]).collect();
                        (Tensor::f_cat(&keys, 0)?, Tensor::f_cat(&values, 0)?)
                    };
                    parts.push(rule.grouped(&own(q)?, &k, &v, mask.as_ref())?);
                    row += len;
                }
                Ok(Tensor::f_cat(&parts, 0)?)
            }
            Self::Buffers { buffers: (keys, values), width, index } => {
                // buffers: (B, S, nkv, hd); one query token each
                let (rows, heads, d_head) = q.size3()?;
                let kv_heads = k.size()[1];
                let at = index.f_to_device(keys.device())?.f_view([rows, 1, 1, 1])?;
                let at = at.f_expand([rows, 1, kv_heads, d_head], false)?;
                let _ = keys.shallow_clone().f_scatter_(1, &at, &k.f_unsqueeze(1)?)?;
                let _ = values.shallow_clone().f_scatter_(1, &at, &v.f_unsqueeze(1)?)?;
                let q = q.f_view([rows, kv_heads, heads / kv_heads, d_head])?;
                let seen =
                    |t: &Tensor| -> Result<Tensor> { Ok(t.f_narrow(1, 0, *width)?.f_transpose(1, 2)?) };
                let mask = rule.masks.first().and_then(Option::as_ref);
                let z = rule.score(&q, &seen(keys)?, &seen(values)?, mask, false)?; // (B, nkv, group, hd)
                Ok(z.f_reshape([rows, heads * d_head])?)
            }
        }
    }
}

impl Rule<'_> {
    /// Attention of one sequence's new tokens. Key heads stand in the batch place and the query heads that share one
    /// in the head place, so that shared keys are read through a stride of nought instead of being copied.
    ///
    /// # Shapes
    /// - q: `(t, nh, hd)`; k, v: `(s, nkv, hd)`; mask: `(t, s)` or none for a whole causal sequence or a single token
    fn grouped(&self, q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (t, heads, d_head) = q.size3()?;
        let (s, kv_heads, _) = k.size3()?;
        let group = heads / kv_heads;
        let q = q.f_view([t, kv_heads, group, d_head])?.f_permute([1, 2, 0, 3])?;
        let wide = |x: &Tensor| -> Result<Tensor> {
            Ok(x.f_transpose(0, 1)?.f_unsqueeze(1)?.f_expand([kv_heads, group, s, d_head], false)?)
        };
        let causal = mask.is_none() && t > 1;
        let z = self.score(&q, &wide(k)?, &wide(v)?, mask, causal)?;
        Ok(z.f_permute([2, 0, 1, 3])?.f_reshape([t, heads * d_head])?)
    }

    /// Softmax over scaled scores, in f32; libtorch's fused kernels where there is no cap.
    fn score(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        mask: Option<&Tensor>,
        causal: bool,
    ) -> Result<Tensor> {
        let scale = self.layer.scale;
        let Some(cap) = self.soft_cap else {
            return Ok(Tensor::f_scaled_dot_product_attention(
                q,
                k,
                v,
                mask,
                0.0,
                causal,
                Some(scale),
                false,
            )?);
        };
        let mut scores = q.f_matmul(&k.f_transpose(-2, -1)?)?;
        scores = match recorded(&scores) {
            true => scores.f_mul_scalar(scale / cap)?.f_tanh()?.f_mul_scalar(cap)?,
            false => scores.f_mul_scalar_(scale / cap)?.f_tanh_()?.f_mul_scalar_(cap)?,
        };
        if let Some(mask) = mask {
            scores = scores.f_add(mask)?;
        }
        Ok(scores.f_softmax(-1, at_least_single(scores.kind()))?.f_to_kind(q.kind())?.f_matmul(v)?)
    }
}

/// Padded keys and values of sequences that grow one token at a time.
pub struct Buffers {
    pub(super) layers: Vec<(Tensor, Tensor)>, // (B, S, nkv, hd)
    pub(super) lengths: Vec<i64>,
    reaches: Vec<i64>,
    room: i64,
}

impl Buffers {
    /// Copies the stretches of each sequence side by side, with room for `more` tokens each.
    ///
    /// # Errors
    /// No memory on the device.
    pub fn new(model: &Model, pasts: &[Vec<&Kv>], lengths: &[i64], more: i64) -> Result<Self> {
        let room = lengths.iter().max().copied().unwrap_or(0) + more;
        let shape = [pasts.len() as i64, room, model.spec.n_kv_heads, model.spec.d_head];
        let mut layers = Vec::with_capacity(model.spec.n_layers);
        for layer in 0..model.spec.n_layers {
            let blank = || Tensor::f_zeros(shape, (model.kind, model.device_of(layer)));
            let (keys, values) = (blank()?, blank()?);
            for (row, past) in pasts.iter().enumerate() {
                let mut at = 0;
                for kv in past {
                    let (k, v) = kv.layer(layer);
                    let len = k.size()[0];
                    let place = |t: &Tensor| t.f_select(0, row as i64)?.f_narrow(0, at, len);
                    place(&keys)?.f_copy_(k)?;
                    place(&values)?.f_copy_(v)?;
                    at += len;
                }
            }
            layers.push((keys, values));
        }
        let reaches = lengths.iter().map(|&length| model.spec.reach(length)).collect();
        Ok(Self { layers, lengths: lengths.to_vec(), reaches, room })
    }

    /// Keys and values of one sequence from token `start` to its present end, copied out of the buffers.
    ///
    /// # Errors
    /// No memory on the device.
    pub fn take(&self, row: usize, start: i64) -> Result<Kv> {
        let len = self.lengths[row] - start;
        let part = |t: &Tensor| t.f_select(0, row as i64)?.f_narrow_copy(0, start, len);
        let layers = self.layers.iter().map(|(k, v)| Ok((part(k)?, part(v)?))).collect::<Result<_>>()?;
        Ok(Kv::new(layers))
    }

    /// Tokens of the longest sequence.
    #[must_use]
    pub fn longest(&self) -> i64 {
        self.lengths.iter().max().copied().unwrap_or(0)
    }

    /// Keeps only the given rows, in the given order.
    ///
    /// # Errors
    /// No memory on the device.
    pub fn keep(&mut self, rows: &[i64]) -> Result<()> {
        let index = Tensor::f_from_slice(rows)?;
        for (keys, values) in &mut self.layers {
            let index = index.f_to_device(keys.device())?;
            *keys = keys.f_index_select(0, &index)?;
            *values = values.f_index_select(0, &index)?;
        }
        let kept = |of: &[i64]| rows.iter().map(|&row| of[row as usize]).collect();
        (self.lengths, self.reaches) = (kept(&self.lengths), kept(&self.reaches));
        Ok(())
    }

    /// An additive mask `(B, 1, 1, S)` that shows each sequence its own tokens and the one about to be appended, as
    /// far back as the window goes.
    fn append_mask(&self, window: Option<i64>, model: &Model) -> Result<Tensor> {
        let width = self.longest() + 1;
        if width > self.room {
            return Err(Error::Torch(format!("the buffers hold {} tokens", self.room)));
        }
        let lengths = Tensor::f_from_slice(&self.lengths)?.f_unsqueeze(1)?;
        let places = Tensor::f_arange(width, (Kind::Int64, Device::Cpu))?.f_unsqueeze(0)?;
        let mut hidden = places.f_gt_tensor(&lengths)?;
        if let Some(window) = window {
            hidden = hidden.f_logical_or(&places.f_le_tensor(&lengths.f_sub_scalar(window)?)?)?;
        }
        let mask = Tensor::f_zeros([self.lengths.len() as i64, width], (model.kind, Device::Cpu))?;
        let mask = mask.f_masked_fill(&hidden, f64::NEG_INFINITY)?;
        Ok(mask.f_view([-1, 1, 1, width])?.f_to_device(model.devices[0])?)
    }
}

//! What a checkpoint's config says, checked and in one vocabulary for all families.

use std::path::Path;

use super::config::Config;
use super::families;
use super::site::Site;
use crate::{Error, Result};

/// A decoder, described by numbers and by the names of its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The family, as `model_type` of config.json names it.
    pub family: &'static str,
    /// Tokens of the vocabulary (rows of the embedding).
    pub vocab: i64,
    /// Width of the residual stream.
    pub d_model: i64,
    /// Width between the MLP's projections.
    pub d_mlp: i64,
    /// Number of blocks.
    pub n_layers: usize,
    /// Query heads.
    pub n_heads: i64,
    /// Key and value heads.
    pub n_kv_heads: i64,
    /// Width of a head.
    pub d_head: i64,
    /// Longest context, in tokens.
    pub n_ctx: i64,
    /// From tokens to the stream.
    pub embed: Embed,
    /// Where the blocks' tensors are: block `l` is `<prefix><blocks>.<l>.`.
    pub blocks: &'static str,
    /// What may stand before every name but the head's; files may leave it out.
    pub prefixes: &'static [&'static str],
    /// Whether weights are stored as `(in, out)`, as GPT-2's are.
    pub transposed: bool,
    /// The norm of the stream.
    pub norm: Norm,
    /// The norms of a block, by name.
    pub around: Around,
    /// Attention.
    pub attention: Attention,
    /// The MLP.
    pub mlp: Mlp,
    /// How a block's two parts join the stream.
    pub residual: Residual,
    /// From the stream to scores over the vocabulary.
    pub head: Head,
    /// The rotary embeddings in use.
    pub ropes: Vec<Rope>,
    /// What differs from block to block.
    pub layers: Vec<Layer>,
    /// Standard deviation of the weights before training; see [`super::Model::random`].
    pub initializer_range: f64,
    /// Tokens that end an answer, from config.json and generation_config.json.
    pub eos: Vec<i64>,
    /// Those of generation_config.json alone.
    pub generation_eos: Vec<i64>,
}

/// From tokens to the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Embed {
    /// Name of the embedding.
    pub name: &'static str,
    /// Name of the learned positions, `(n_ctx, d_model)`, which are added.
    pub positions: Option<&'static str>,
    /// What the embedding is multiplied by.
    pub scale: Scale,
}

/// A factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// None.
    One,
    /// A number.
    By(f64),
    /// A number that is rounded to the compute kind first (Gemma).
    Rounded(f64),
}

/// A norm over the last axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    /// Its formula.
    pub kind: NormKind,
    /// Whether it has a weight.
    pub weight: bool,
    /// Whether it has a bias.
    pub bias: bool,
    /// What is added to the mean square.
    pub eps: f64,
}

/// Formulas of norms, which differ in where they round when computing in less than f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// x / rms(x), rounded, times the weight (Llama).
    Rms,
    /// x / rms(x) times the weight, then rounded (OLMo 2).
    RmsWide,
    /// x / rms(x) times one plus the weight, then rounded (Gemma).
    RmsPlusOne,
    /// (x - mean) / deviation, times the weight, plus the bias, then rounded.
    Layer,
}

/// The norms of a block; the one before is of what goes in, the one after of what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    /// Before attention.
    pub attention_in: Option<&'static str>,
    /// After attention, before its output joins the stream.
    pub attention_out: Option<&'static str>,
    /// Before the MLP. Without it the MLP sees the stream, or what attention sees where the two are parallel.
    pub mlp_in: Option<&'static str>,
    /// After the MLP, before its output joins the stream.
    pub mlp_out: Option<&'static str>,
}

/// Attention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// The projections to queries, keys and values.
    pub qkv: Qkv,
    /// Whether these have biases.
    pub qkv_bias: bool,
    /// Name of the projection of the heads' outputs.
    pub out: &'static str,
    /// Whether it has a bias.
    pub out_bias: bool,
    /// The norm of queries and keys.
    pub qk_norm: Option<QkNorm>,
    /// Queries, keys and values are clamped to this magnitude.
    pub clip: Option<f64>,
    /// Scores are squashed by tanh to this magnitude.
    pub soft_cap: Option<f64>,
}

/// Names of the projections to queries, keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qkv {
    /// One each.
    Separate([&'static str; 3]),
    /// One for all. Its rows are laid out in groups, each holding its queries, its keys, its values.
    Fused {
        /// The projection.
        name: &'static str,
        /// Number of groups.
        groups: i64,
    },
}

/// The norm of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QkNorm {
    /// Names of the two.
    pub names: [&'static str; 2],
    /// Formula and parts.
    pub norm: Norm,
    /// What is normed.
    pub over: Over,
}

/// What a norm of queries and keys is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Each head, all with one weight `(d_head)`.
    Head,
    /// Each head with its own row of a weight `(heads, d_head)`.
    EachHead,
    /// Each head with a weight tensor of its own, `<name>.norms.<head>`.
    ListedHeads,
    /// All heads together, with a weight `(heads * d_head)`.
    All,
}

/// The MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mlp {
    /// The projections to its inner width.
    pub up: Up,
    /// Name of the projection back.
    pub down: &'static str,
    /// Whether all these have biases.
    pub bias: bool,
    /// The activation.
    pub act: Activation,
}

/// Names of the projections to the MLP's inner width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Up {
    /// act(up(x)).
    Plain(&'static str),
    /// act(gate(x)) * up(x).
    Gated(&'static str, &'static str),
    /// As [`Up::Gated`], both in one projection, the gate first.
    Fused(&'static str),
}

/// Activation functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x * sigmoid(x).
    Silu,
    /// x * Phi(x).
    Gelu,
    /// GELU by its tanh formula.
    GeluTanh,
    /// x * sigmoid(1.702 x).
    QuickGelu,
    /// max(x, 0).
    Relu,
    /// max(x, 0) squared.
    Relu2,
}

/// How a block's two parts join the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    /// Whether attention and MLP both start from the stream before the block.
    pub parallel: bool,
    /// What their outputs are multiplied by.
    pub scale: f64,
}

/// From the stream to scores over the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Head {
    /// Name of the last norm.
    pub norm: &'static str,
    /// Names that the head goes by.
    pub names: &'static [&'static str],
    /// Whether the head is the embedding matrix where the files hold none.
    pub tied: bool,
    /// Whether it has a bias.
    pub bias: bool,
    /// What the scores are multiplied by.
    pub scale: f64,
    /// Scores are squashed by tanh to this magnitude.
    pub soft_cap: Option<f64>,
}

/// What differs from block to block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer {
    /// What attention scores are multiplied by.
    pub scale: f64,
    /// A token sees itself and the tokens before it, this many in all; without it, all of them.
    pub window: Option<i64>,
    /// Its rotary embedding, among [`Spec::ropes`].
    pub rope: Option<usize>,
}

/// Rotary position embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// The base of the frequencies.
    pub theta: f64,
    /// How much of a head is rotated, from its front; an even number.
    pub width: i64,
    /// That part as the config has it: the exponents are its fractions. An odd one is rotated one wider.
    pub part: i64,
    /// Whether neighbours make a pair; else the first half is paired with the second.
    pub interleaved: bool,
    /// What cosines and sines are multiplied by.
    pub gain: f64,
    /// The stretch of the frequencies.
    pub scaling: RopeScaling,
}

/// How rotary frequencies are stretched for longer contexts.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// As trained.
    None,
    /// Positions divided by a factor.
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// The base grows with the length of the sequence, once it is longer than the context of the training.
    Dynamic {
        /// The stretch.
        factor: f64,
        /// The context length before the stretch.
        original: i64,
    },
    /// Llama 3's: low frequencies divided, high ones kept, a ramp between.
    Llama3 {
        /// The divisor of the low frequencies.
        factor: f64,
        /// Wavelengths longer than the original context divided by this are divided in full.
        low_freq_factor: f64,
        /// Wavelengths shorter than the original context divided by this are kept.
        high_freq_factor: f64,
        /// The context length before the stretch.
        original: f64,
    },
    /// YaRN: a ramp over the pairs, from frequencies as trained to divided ones.
    Yarn {
        /// The divisor.
        factor: f64,
        /// The pair at which the ramp begins.
        low: f64,
        /// The pair at which it ends.
        high: f64,
        /// The context length before the stretch.
        original: f64,
    },
    /// LongRoPE: a divisor per pair, one list for short sequences, one for long ones.
    LongRope {
        /// For sequences up to the original context.
        short: Vec<f64>,
        /// For longer ones.
        long: Vec<f64>,
        /// The context length before the stretch.
        original: i64,
    },
}

impl RopeScaling {
    /// Its name in configs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "default",
            Self::Linear { .. } => "linear",
            Self::Dynamic { .. } => "dynamic",
            Self::Llama3 { .. } => "llama3",
            Self::Yarn { .. } => "yarn",
            Self::LongRope { .. } => "longrope",
        }
    }
}

impl Spec {
    /// Reads `config.json` (and the end tokens of `generation_config.json`) of a Hugging Face directory.
    ///
    /// # Errors
    /// A missing or malformed file, an unknown family, an option that changes numbers and is not supported.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("config.json");
        if !dir.is_dir() {
            return Err(Error::input(dir.display().to_string(), "is not a directory")
                .hint("give a Hugging Face checkpoint directory; `recant fetch smollm2` makes one"));
        }
        let config = Config::read(&path)?;
        let mut spec = families::parse(&config)?;
        let generation = dir.join("generation_config.json");
        if generation.is_file() {
            spec.generation_eos = Config::read(&generation)?.tokens("eos_token_id")?;
            spec.eos.extend(&spec.generation_eos);
        }
        for ends in [&mut spec.eos, &mut spec.generation_eos] {
            // A token outside the vocabulary can never end an answer.
            ends.retain(|id| (0..spec.vocab).contains(id));
            ends.sort_unstable();
            ends.dedup();
        }
        Ok(spec)
    }

    /// Gives every block the rotation `rope`.
    pub(super) fn rotate(&mut self, rope: Rope) {
        self.ropes = vec![rope];
        self.layers.iter_mut().for_each(|layer| layer.rope = Some(0));
    }

    /// Gives the blocks that slide a window; the others see all.
    pub(super) fn slide(&mut self, window: Option<i64>, sliding: &[bool]) {
        for (layer, sliding) in self.layers.iter_mut().zip(sliding) {
            layer.window = window.filter(|_| *sliding);
        }
    }

    /// What the rotations of a sequence of `len` tokens depend on besides positions: 0 while all is as trained.
    ///
    /// Sequences share keys and values of a common beginning only where this is equal.
    #[must_use]
    pub fn reach(&self, len: i64) -> i64 {
        let of = |rope: &Rope| match rope.scaling {
            RopeScaling::Dynamic { original, .. } if len > original => len,
            RopeScaling::LongRope { original, .. } if len > original => original + 1,
            _ => 0,
        };
        self.ropes.iter().map(of).max().unwrap_or(0)
    }

    /// Whether the site exists in this model.
    ///
    /// # Errors
    /// `resid_mid`, where attention and MLP are parallel.
    pub fn offers(&self, site: Site) -> Result<()> {
        if site == Site::ResidMid && self.residual.parallel {
            let why = format!("does not exist in this {} model", self.family);
            return Err(Error::input("site resid_mid", why)
                .hint("its attention and MLP both start from resid_pre; capture attn_out instead"));
        }
        Ok(())
    }

    /// The width of a site's vectors.
    #[must_use]
    pub fn width(&self, site: Site) -> i64 {
        match site {
            Site::HeadOut => self.n_heads * self.d_head,
            Site::MlpAct => self.d_mlp,
            Site::Logits => self.vocab,
            _ => self.d_model,
        }
    }

    /// Multiply-accumulate weights that every token meets, in parameters (head and embedding left out).
    #[must_use]
    pub fn core_parameters(&self) -> i64 {
        let attention = self.d_model * self.d_head * (2 * self.n_heads + 2 * self.n_kv_heads);
        let projections = if matches!(self.mlp.up, Up::Plain(_)) { 2 } else { 3 };
        self.n_layers as i64 * (attention + projections * self.d_model * self.d_mlp)
    }

    /// Keys and values of one token over all layers, in numbers.
    #[must_use]
    pub fn kv_width(&self) -> i64 {
        2 * self.n_layers as i64 * self.n_kv_heads * self.d_head
    }
}

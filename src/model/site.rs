//! Named places in the network.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// A place in the network whose vectors can be captured.
///
/// `embed`, `final_norm` and `logits` exist once; every other site exists at each layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    /// The residual stream before block 0, width `d_model`. Hugging Face's `hidden_states[0]`.
    Embed,
    /// The residual stream before a block, width `d_model`.
    ResidPre,
    /// The residual stream between attention and MLP, width `d_model`.
    ResidMid,
    /// The residual stream after a block, width `d_model`. Hugging Face's `hidden_states[l + 1]` but for the last.
    ResidPost,
    /// What the attention module returns, width `d_model`.
    AttnOut,
    /// What the MLP module returns, width `d_model`.
    MlpOut,
    /// The heads' outputs before the output projection, width `n_heads * d_head`.
    HeadOut,
    /// What enters the MLP's last projection, width `d_mlp`.
    MlpAct,
    /// The stream after the last norm, width `d_model`. Hugging Face's last hidden state.
    FinalNorm,
    /// The scores over the vocabulary, width `vocab`.
    Logits,
}

impl Site {
    /// Every site, in the order in which a forward pass meets them.
    pub const ALL: [Self; 10] = [
        Self::Embed,
        Self::ResidPre,
        Self::HeadOut,
        Self::AttnOut,
        Self::ResidMid,
        Self::MlpAct,
        Self::MlpOut,
        Self::ResidPost,
        Self::FinalNorm,
        Self::Logits,
    ];

    /// Whether the site exists once per layer.
    #[must_use]
    pub fn per_layer(self) -> bool {
        !matches!(self, Self::Embed | Self::FinalNorm | Self::Logits)
    }

    /// Whether its vectors are those of the residual stream or are added to it.
    #[must_use]
    pub fn in_stream(self) -> bool {
        !matches!(self, Self::HeadOut | Self::MlpAct | Self::Logits)
    }

    /// Whether its vectors can be compared with what a neuron writes into the stream of its layer.
    #[must_use]
    pub fn takes_neurons(self) -> bool {
        matches!(self, Self::ResidPre | Self::ResidMid | Self::ResidPost | Self::MlpOut)
    }

    /// The name used in files, options and figures.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Embed => "embed",
            Self::ResidPre => "resid_pre",
            Self::ResidMid => "resid_mid",
            Self::ResidPost => "resid_post",
            Self::AttnOut => "attn_out",
            Self::MlpOut => "mlp_out",
            Self::HeadOut => "head_out",
            Self::MlpAct => "mlp_act",
            Self::FinalNorm => "final_norm",
            Self::Logits => "logits",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Site {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|site| site.name() == name).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|site| site.name()).collect();
            Error::input(format!("site {name:?}"), "is not known")
                .hint(format!("sites are {}", known.join(", ")))
        })
    }
}

/// Which layers to keep: all of them, or some by number; a negative number counts from the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layers {
    /// Every layer.
    All,
    /// The named ones, as typed.
    Some(Vec<i64>),
}

impl Layers {
    /// The 0-based layer numbers in ascending order for a model of `n_layers` blocks.
    ///
    /// # Errors
    /// A layer outside the model.
    pub fn resolve(&self, n_layers: usize) -> Result<Vec<usize>> {
        let Self::Some(wanted) = self else { return Ok((0..n_layers).collect()) };
        let count = n_layers as i64;
        let mut layers = Vec::with_capacity(wanted.len());
        for &layer in wanted {
            let index = if layer < 0 { layer + count } else { layer };
            if !(0..count).contains(&index) {
                return Err(Error::input(
                    format!("layer {layer}"),
                    format!("the model has {n_layers} layers"),
                )
                .hint(format!("layers are 0 to {}, or -1 for the last", n_layers - 1)));
            }
            layers.push(index as usize);
        }
        layers.sort_unstable();
        layers.dedup();
        Ok(layers)
    }
}

impl FromStr for Layers {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.split(',')
            .map(|part| part.trim().parse())
            .collect::<std::result::Result<_, _>>()
            .map(Self::Some)
            .map_err(|_| {
                Error::input(format!("layers {text:?}"), "not a list of numbers")
                    .hint("write all, or for example 0,3,-1")
            })
    }
}

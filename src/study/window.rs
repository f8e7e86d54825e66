//! A window of layers: those whose mean stands for the model where one layer would be a choice too many.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Layers from one up to but without another, counted or as parts of the model's depth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Window {
    /// `"15..28"`.
    Layers(usize, usize),
    /// `"0.5..0.9"`: layer l of L is at l / L.
    Depth(f64, f64),
}

impl Default for Window {
    /// Layers 15 to 27 of 32, where the self-correction studies look at BBQ (arXiv 2407.15286), at any depth.
    fn default() -> Self {
        Self::Depth(15.0 / 32.0, 28.0 / 32.0)
    }
}

impl Window {
    /// Whether a layer of a model with so many is inside.
    #[must_use]
    pub fn holds(self, layer: usize, n_layers: usize) -> bool {
        match self {
            Self::Layers(from, to) => (from..to).contains(&layer),
            Self::Depth(from, to) => (from..to).contains(&(layer as f64 / n_layers as f64)),
        }
    }
}

impl FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::input(format!("{text:?}"), "is no window of layers").hint(
                "write \"15..28\" for layers or \"0.5..0.9\" for parts of the depth; the end is left out",
            )
        };
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        if let (Ok(from), Ok(to)) = (from.trim().parse(), to.trim().parse()) {
            return if from < to { Ok(Self::Layers(from, to)) } else { Err(wrong()) };
        }
        let (Ok(from), Ok(to)) = (from.trim().parse::<f64>(), to.trim().parse::<f64>()) else {
            return Err(wrong());
        };
        // The end may lie a little beyond the last layer, which is at (L - 1) / L.
        if from >= 0.0 && from < to && to <= 1.0 { Ok(Self::Depth(from, to)) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Window {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        match window {
            Window::Layers(from, to) => format!("{from}..{to}"),
            Window::Depth(from, to) => format!("{from:?}..{to:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_counted_or_a_part_of_the_depth() {
        let layers =
            |window: Window, n: usize| (0..n).filter(|&layer| window.holds(layer, n)).collect::<Vec<_>>();
        assert_eq!(layers(Window::default(), 32), (15..28).collect::<Vec<_>>());
        assert_eq!(layers(Window::default(), 30), (15..27).collect::<Vec<_>>());
        assert_eq!(layers("2..4".parse().expect("a window"), 30), [2, 3]);
        assert_eq!(layers("0.5..1.0".parse().expect("a window"), 4), [2, 3]);
        for window in [Window::default(), Window::Layers(3, 9), Window::Depth(0.0, 1.0)] {
            assert_eq!(String::from(window).parse::<Window>().expect("a window"), window);
        }
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for wrong in ["", "5", "9..3", "4..4", "0.9..0.5", "-0.1..0.5", "0.5..1.5", "a..b", "0.5..NaN"] {
            assert!(wrong.parse::<Window>().is_err(), "{wrong}");
        }
    }
}

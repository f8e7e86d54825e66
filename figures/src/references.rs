//! Horizontal lines to compare with, drawn alike in every kind of figure.

use crate::colour::{INK, MUTED};
use crate::data::{Reference, plain};
use crate::grid::Plot;
use crate::legend::{Key, Named};
use crate::panel::Mark;
use crate::style::Dash;

/// Adds the lines, their interval bands and their names. The first, usually chance, is fine and grey;
/// later ones are darker and dash-dotted.
pub(crate) fn add(plot: &mut Plot, references: &[Reference]) {
    for (index, reference) in references.iter().enumerate() {
        let (colour, dash) = look(index);
        let (x, y) = (plot.x, reference.value);
        if let Some((lo, hi)) = reference.interval {
            let (lo, hi) = (vec![Some(lo); 2], vec![Some(hi); 2]);
            plot.marks.push(Mark::Band { x: vec![x.0, x.1], lo, hi, colour, alpha: 0.12 });
        }
        plot.marks.push(Mark::Rule { y, colour, dash, width: 0.7 });
        let key = Key::Rule { colour, dash };
        plot.named.push(Named { label: reference.label.clone(), key, end: Some((x.1, y)) });
    }
}

fn look(index: usize) -> (crate::colour::Rgb, Dash) {
    if index == 0 { (MUTED, Dash::Fine) } else { (INK, Dash::Chain) }
}

/// What the caption says of the lines, each once.
pub(crate) fn sentences<'a>(panels: impl Iterator<Item = &'a [Reference]>) -> Vec<String> {
    let mut out = Vec::new();
    let named = panels.flat_map(|p| p.iter().enumerate()).filter(|r| !r.1.label.is_empty());
    for (index, reference) in named {
        let line = if index == 0 { "Dashed grey line" } else { "Dash-dotted line" };
        let band = if reference.interval.is_some() { " (shaded: its interval)" } else { "" };
        let sentence = format!("{line}: {}{band}.", plain(&reference.label));
        if !out.contains(&sentence) {
            out.push(sentence);
        }
    }
    out
}

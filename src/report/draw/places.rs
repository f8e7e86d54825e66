//! Which letter is chosen, whatever stands there.

use recant_figures::{PlacePanel, PositionBias, Series};

use super::series;
use crate::analysis::bootstrap::Bootstrap;
use crate::analysis::positions::{Read, position_bias};
use crate::analysis::told::Told;

/// Share of answers that choose each place, by round of the first condition; one panel a task. None where no item was
/// asked in several orders.
pub fn position_bias_of(told: &[Told<'_>], name: String, bootstrap: Bootstrap) -> Option<PositionBias> {
    let panels: Vec<PlacePanel> = told.iter().filter_map(|told| panel(told, bootstrap)).collect();
    (!panels.is_empty()).then(|| PositionBias {
        name,
        panels,
        x_label: "Place in the list of options".into(),
        y_label: "Share of answers".into(),
        uniform: "no preference".into(),
        interval: "95 % bootstrap intervals over item groups".into(),
        columns: None,
    })
}

fn panel(told: &Told<'_>, bootstrap: Bootstrap) -> Option<PlacePanel> {
    let condition = told.arms.first()?.condition;
    let mut lines: Vec<Series> = Vec::new();
    let mut n = 0;
    for round in 0..told.rounds {
        // Items with another number of options than the first's have places of their own.
        let bias = position_bias(told.turns(0, round), Read::Letter, bootstrap).into_iter().next()?;
        n = n.max(bias.changed.n);
        let shares = bias.chosen.iter().map(|share| (share.value, share.interval.map(|i| (i.low, i.high))));
        lines.push(series(&format!("round {round}"), shares));
    }
    let places = lines.first()?.value.len();
    lines.retain(|line| line.value.len() == places);
    Some(PlacePanel {
        title: format!("{}, {condition} (n = {n})", told.task),
        places: (0..places).map(|place| format!("({})", crate::dialogue::fill::letter(place))).collect(),
        series: lines,
    })
}

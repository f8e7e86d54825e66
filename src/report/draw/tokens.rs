//! Figures of the shift of tokens.

use recant_figures::{ShiftPanel, TokenShift};

use super::{Planned, series};
use crate::analysis::token_shift::{ArmShift, PairTokens, RoundShift, Shift, TextShift};

/// A figure for every pair and task.
#[must_use]
pub fn figures(pairs: &[PairTokens]) -> Vec<Planned> {
    let all = pairs.iter().flat_map(|pair| pair.texts.iter().filter_map(|text| figure(pair, text)));
    all.map(Planned::new).collect()
}

/// The first round of each condition and its last, position by position; None for plain text.
fn figure(pair: &PairTokens, text: &TextShift) -> Option<TokenShift> {
    let of_arm = |arm: &ArmShift| -> Vec<ShiftPanel> {
        let last = arm.rounds.len().saturating_sub(1);
        let ends = if last == 0 { vec![0] } else { vec![0, last] };
        let round = |at: usize| arm.rounds.get(at).filter(|round| !round.positions.is_empty());
        ends.into_iter()
            .filter_map(|at| Some(panel(&format!("{}, round {at}", arm.condition), round(at)?)))
            .collect()
    };
    let panels: Vec<ShiftPanel> = text.arms.iter().flat_map(of_arm).collect();
    (!panels.is_empty()).then(|| TokenShift {
        name: format!("token-shift-{}-{}", pair.about.name(), text.task),
        panels,
        x_label: "Position in the answer".into(),
        interval: "95 % bootstrap intervals over item groups".into(),
        columns: None,
    })
}

fn panel(title: &str, round: &RoundShift) -> ShiftPanel {
    let shares = |shift: &Shift| -> Option<[f64; 3]> {
        let [unshifted, marginal, shifted] = shift.shares;
        Some([unshifted.value?, marginal.value?, shifted.value?])
    };
    let kl = round.positions.iter().map(|shift| shift.kl);
    ShiftPanel {
        title: title.into(),
        shares: round.positions.iter().map(shares).collect(),
        kl: series("KL", kl.map(|kl| (kl.value, kl.interval.map(|ends| (ends.low.max(0.0), ends.high))))),
        n: round.positions.iter().map(|shift| shift.kl.n).collect(),
    }
}

//! Lenses in the report: tables, findings, cautions. Figures are in [`super::draw`].

use super::Table;
use super::finding::{Finding, Topic};
use super::tables::{bracket, ends, number};
use crate::analysis::changes::Tested;
use crate::analysis::lens::{Cell, ROLES, RoleCell};
use crate::analysis::lenses::{Lenses, Seen, Through};
use crate::analysis::paired::Mean;
use crate::store::lens::HeldOut;
use crate::task::Role;

/// What a role is called in tables and figures.
#[must_use]
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Unknown => "unknown",
        Role::Stereotyped => "stereotyped",
        Role::Other => "other",
    }
}

/// The depth of a layer: the part of the blocks that lie at or before it, up to 1.
fn depth(layer: f64, layers: usize) -> f64 {
    (layer + 1.0) / layers as f64
}

/// The tables of all lenses. One without rows is left out.
#[must_use]
pub fn tables(lenses: &Lenses) -> Vec<Table> {
    let mut tables = vec![roles(lenses), layers(lenses), settling(lenses), tuned(lenses)];
    tables.retain(|table| !table.rows.is_empty());
    tables
}

const PLACE: [&str; 5] = ["model", "task", "condition", "lens", "round"];

fn place(seen: &Seen, round: usize) -> Vec<String> {
    [&seen.model, &seen.task, &seen.condition, seen.through.name(), &round.to_string()]
        .map(str::to_owned)
        .to_vec()
}

fn heads(more: &[&'static str]) -> Vec<&'static str> {
    [&PLACE, more].concat()
}

/// The cells value, low, high.
fn mean(found: Option<Mean>) -> [String; 3] {
    let (low, high) = ends(found.and_then(|mean| mean.interval));
    [number(found.map(|mean| mean.value), 4), low, high]
}

/// The cells value, low, high, p, p_max.
fn tested(found: Option<Tested>) -> Vec<String> {
    let test = found.and_then(|found| found.test);
    let mut cells = mean(found.map(|found| found.mean)).to_vec();
    cells.extend([number(test.map(|test| test.p), 4), number(test.map(|test| test.p_max), 4)]);
    cells
}

fn n(found: Option<Mean>) -> String {
    found.map_or_else(String::new, |mean| mean.n.to_string())
}

/// Every round and layer of everything that was seen.
fn cells(lenses: &Lenses) -> impl Iterator<Item = (&Seen, usize, usize, &Cell)> {
    lenses.seen.iter().flat_map(|seen| {
        let rounds = seen.lens.cells.iter().enumerate();
        rounds.flat_map(move |(round, row)| {
            row.iter().enumerate().map(move |(layer, cell)| (seen, round, layer, cell))
        })
    })
}

fn roles(lenses: &Lenses) -> Table {
    let mut table = Table::new(
        "lens",
        "What each layer would answer: probability of each role, normalised over the options and averaged over their \
         orders, and share of items whose most probable option has it (wins); change: against round 0 at the same layer, \
         from_base: against the base model at the same layer and round, both of the same items, p by sign flips of item \
         groups, p_max corrected over the layers. Intervals: 95 % bootstrap over item groups. depth: (layer + 1) / layers.",
        &heads(&[
            "layer",
            "depth",
            "role",
            "probability",
            "low",
            "high",
            "wins",
            "change",
            "change_low",
            "change_high",
            "change_p",
            "change_p_max",
            "from_base",
            "from_base_low",
            "from_base_high",
            "from_base_p",
            "from_base_p_max",
            "n",
        ]),
    );
    for (seen, round, layer, cell) in cells(lenses) {
        let layers = seen.lens.cells[round].len();
        let known = ROLES.into_iter().zip(&cell.roles).filter(|(_, found)| found.probability.is_some());
        for (name, found) in known {
            let mut row = place(seen, round);
            row.extend([layer.to_string(), number(Some(depth(layer as f64, layers)), 4), role(name).into()]);
            row.extend(mean(found.probability));
            row.push(number(found.wins.map(|wins| wins.value), 4));
            row.extend(tested(found.change));
            row.extend(tested(found.from_base));
            row.push(n(found.probability));
            table.rows.push(row);
        }
    }
    table
}

fn layers(lenses: &Lenses) -> Table {
    let mut table = Table::new(
        "lens_layers",
        "What the options of a layer have in common with those of round 0 at the same layer: share of items with the same \
         most probable option (same) and total variation distance of the options' distribution, with 95 % bootstrap \
         intervals over item groups; mass: probability of all options together before they are normalised.",
        &heads(&[
            "layer",
            "depth",
            "mass",
            "same",
            "same_low",
            "same_high",
            "distance",
            "distance_low",
            "distance_high",
            "n",
        ]),
    );
    for (seen, round, layer, cell) in cells(lenses) {
        let mut row = place(seen, round);
        let depth = depth(layer as f64, seen.lens.cells[round].len());
        row.extend([
            layer.to_string(),
            number(Some(depth), 4),
            cell.mass.map_or_else(String::new, |mass| format!("{:.3e}", mass.value)),
        ]);
        row.extend(mean(cell.same));
        row.extend(mean(cell.distance));
        row.push(n(cell.mass));
        table.rows.push(row);
    }
    table
}

fn settling(lenses: &Lenses) -> Table {
    let mut table = Table::new(
        "lens_settling",
        "The layer from which on the last layer's answer is the most probable one to the end, mean over items (depth: \
         (layer + 1) / layers); change: against round 0, of the same items, p by sign flips of item groups; changed: the \
         same over the items whose answer is another than in round 0. Intervals: 95 % bootstrap over item groups.",
        &heads(&[
            "settles",
            "low",
            "high",
            "depth",
            "n",
            "change",
            "change_low",
            "change_high",
            "change_p",
            "changed",
            "changed_low",
            "changed_high",
            "changed_n",
        ]),
    );
    for seen in &lenses.seen {
        for (round, settled) in seen.lens.settled.iter().enumerate() {
            let layers = seen.lens.cells[round].len();
            let mut row = place(seen, round);
            row.extend(mean(settled.layer));
            row.push(number(settled.layer.map(|mean| depth(mean.value, layers)), 4));
            row.push(n(settled.layer));
            let change = tested(settled.change);
            row.extend_from_slice(&change[..4]);
            row.extend(mean(settled.changed));
            row.push(n(settled.changed));
            table.rows.push(row);
        }
    }
    table
}

fn tuned(lenses: &Lenses) -> Table {
    let mut table = Table::new(
        "lens_tuned",
        "KL divergence of both lenses from what the model ends with (KL(final || lens), nats), mean over the tokens of \
         texts that the tuned lens was neither trained on nor stopped by; steps: those of the map that was kept, 0 where \
         none was better than no map; better: whether the tuned lens is shown at this layer.",
        &[
            "model",
            "layer",
            "depth",
            "logit",
            "tuned",
            "steps",
            "better",
            "trained_tokens",
            "held_out_tokens",
        ],
    );
    for (model, tuned) in &lenses.tuned {
        for (layer, held) in tuned.layers.iter().enumerate() {
            table.rows.push(vec![
                model.clone(),
                layer.to_string(),
                number(Some(depth(layer as f64, tuned.layers.len())), 4),
                number(Some(held.logit), 4),
                number(Some(held.tuned), 4),
                held.steps.to_string(),
                held.is_better().to_string(),
                tuned.trained.to_string(),
                tuned.held_out.to_string(),
            ]);
        }
    }
    table
}

/// What stands clear of chance through the logit lens, a sentence each.
#[must_use]
pub fn findings(lenses: &Lenses) -> Vec<Finding> {
    let logit = lenses.seen.iter().filter(|seen| seen.through == Through::Logit);
    let of = |seen: &Seen| {
        let figure = format!("lens-{}-{}", seen.model, seen.task);
        let said = [changed(seen), settled(seen), beside_base(seen)].into_iter().flatten();
        said.map(move |text| Finding::new(Topic::Lens, text).at(figure.clone()))
    };
    logit.flat_map(of).collect()
}

fn start(seen: &Seen) -> String {
    format!("{}, {} under {}, through the logit lens", seen.model, seen.task, seen.condition)
}

/// At how many layers something stands clear of nought, and from which on to the end.
fn clear(row: &[Cell], of: impl Fn(&RoleCell) -> Option<Tested>) -> Option<(String, Tested)> {
    let passes: Vec<bool> =
        row.iter().map(|cell| of(&cell.roles[0]).is_some_and(|tested| tested.passes())).collect();
    let count = passes.iter().filter(|passes| **passes).count();
    let first = passes.iter().position(|passes| *passes)?;
    let from = passes.iter().rposition(|passes| !*passes).map_or(0, |layer| layer + 1);
    let last = row.last().and_then(|cell| of(&cell.roles[0]))?;
    let place = match (from < row.len(), count) {
        (true, count) if count == row.len() - from => format!("from layer {from} to the last"),
        (true, count) => format!("at {count} of {} layers, from layer {from} on without a gap", row.len()),
        (false, 1) => format!("at layer {first} of {} alone", row.len()),
        (false, count) => {
            format!("at {count} of {} layers, the first being {first} and the last not among them", row.len())
        }
    };
    Some((place, last))
}

fn changed(seen: &Seen) -> Option<String> {
    let round = seen.lens.cells.len() - 1;
    let (place, last) = clear(&seen.lens.cells[round], |role| role.change)?;
    Some(format!(
        "{}: the probability of the unknown option in round {round} differs from round 0 {place} (p < 0.05, sign flips, \
         largest over layers; n = {}); at the last layer by {:+.2}{}.",
        start(seen),
        last.mean.n,
        last.mean.value,
        bracket(last.mean.interval)
    ))
}

fn settled(seen: &Seen) -> Option<String> {
    let round = seen.lens.settled.len() - 1;
    let settled = &seen.lens.settled[round];
    let change = settled.change.filter(|change| change.passes())?;
    let layer = settled.layer?;
    Some(format!(
        "{}: in round {round} the answer stands from layer {:.1}{} on, {:.1} layers {} than in round 0{} (n = {}, p = \
         {:.3}).",
        start(seen),
        layer.value,
        bracket(layer.interval),
        change.mean.value.abs(),
        if change.mean.value > 0.0 { "later" } else { "earlier" },
        bracket(change.mean.interval),
        change.mean.n,
        change.test?.p
    ))
}

fn beside_base(seen: &Seen) -> Option<String> {
    let said = |round: usize| {
        let (place, last) = clear(&seen.lens.cells[round], |role| role.from_base)?;
        Some(format!(
            "in round {round} {place} (at the last by {:+.2}{})",
            last.mean.value,
            bracket(last.mean.interval)
        ))
    };
    let rounds: Vec<String> = (0..seen.lens.cells.len()).filter_map(said).collect();
    (!rounds.is_empty()).then(|| {
        format!(
            "{}: the probability of the unknown option differs from the base model's at the same layer (p < 0.05, sign \
             flips, largest over layers) {}.",
            start(seen),
            rounds.join("; ")
        )
    })
}

/// What a reader must know of lenses.
#[must_use]
pub fn cautions(lenses: &Lenses) -> Vec<String> {
    if lenses.seen.is_empty() && lenses.left_out.is_empty() {
        return Vec::new();
    }
    let mut all = vec![
        "The logit lens reads a layer by the norm and head of the last one: what it shows of early layers may say more of \
         the change of basis between layers than of an answer (Belrose et al. 2023). Look at the mass in lens_layers: \
         where the options together have next to none, their shares are shares of nothing."
            .to_string(),
    ];
    if !lenses.left_out.is_empty() {
        all.push(format!(
            "Lenses of {} were seen under other settings of [lens] than the rest and are left out; run the study again \
             with those conditions to have them.",
            lenses.left_out.join("; ")
        ));
    }
    all.extend(lenses.tuned.iter().map(|(model, tuned)| {
        let (n, better) = (tuned.layers.len(), tuned.layers.iter().filter(|layer| layer.is_better()).count());
        let mean = |of: fn(&HeldOut) -> f64| {
            tuned.layers.iter().map(of).sum::<f64>() / n.max(1) as f64
        };
        format!(
            "The tuned lens of {model} was trained on {} tokens of plain text and is better than the logit lens on {} \
             held-out ones at {better} of {n} layers (mean KL {:.2} against {:.2} nats); figures show it at those alone. \
             Prompts are other texts than it was trained on.",
            tuned.trained,
            tuned.held_out,
            mean(|layer| layer.tuned),
            mean(|layer| layer.logit),
        )
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::bootstrap::Bootstrap;
    use crate::analysis::lens::Views;
    use crate::analysis::testing::item;
    use crate::store::States;
    use crate::store::lens::Tuned;
    use crate::task::Item;

    /// Sixteen items in eight groups: in round 1 the last two of four layers turn to the unknown option.
    fn lenses() -> Lenses {
        let roles = [Role::Other, Role::Unknown, Role::Stereotyped];
        let items: Vec<Item> = (0..16).map(|at| item(&format!("g{}", at / 2), at, &roles)).collect();
        let logprobs = |turns: bool| {
            let mut values = Vec::new();
            for at in 0..16 {
                for round in 0..2 {
                    for layer in 0..4 {
                        let shift = 0.01 * (at % 3) as f32;
                        let p = match turns && round == 1 && layer >= 2 {
                            true => [0.1, 0.7 + shift, 0.1],
                            false => [0.1, 0.2 + shift, 0.5],
                        };
                        values.extend(p.map(f32::ln));
                    }
                }
            }
            States { shape: vec![16, 2, 1, 4, 3], values }
        };
        let views = |turns| Views::new(items.iter().collect(), &logprobs(turns)).expect("views");
        let settings = Bootstrap { resamples: 50, ..Bootstrap::default() };
        let held = |logit, tuned| HeldOut { logit, tuned, steps: 5 };
        Lenses {
            seen: vec![Seen {
                model: "m".into(),
                task: "t".into(),
                condition: "c".into(),
                through: Through::Logit,
                lens: views(true).lens(Some(&views(false)), settings),
                even: 1.0 / 3.0,
            }],
            tuned: vec![(
                "m".into(),
                Tuned {
                    trained: 90,
                    watched: 30,
                    held_out: 30,
                    layers: vec![held(4.0, 2.0), held(3.0, 3.5), held(2.0, 1.0), held(0.0, 0.0)],
                },
            )],
            left_out: Vec::new(),
        }
    }

    #[test]
    fn every_table_is_rectangular_and_nothing_undefined_is_a_number() {
        let tables = tables(&lenses());
        assert_eq!(tables.len(), 4);
        for table in &tables {
            assert!(table.rows.iter().all(|row| row.len() == table.header.len()), "{}", table.name);
        }
        let column = |name: &str| tables[0].header.iter().position(|head| head == name).expect("a column");
        assert!(
            tables[0].rows.iter().filter(|row| row[4] == "0").all(|row| row[column("change")].is_empty())
        );
        assert_eq!(tables[0].rows.len(), 2 * 4 * 3);
        assert!(super::tables(&Lenses::default()).is_empty());
    }

    #[test]
    fn findings_say_from_which_layer_on_and_against_what() {
        let found: Vec<String> = findings(&lenses()).into_iter().map(|finding| finding.text).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found[0].contains("in round 1 differs from round 0 from layer 2 to the last"),
            "{}",
            found[0]
        );
        assert!(found[0].contains("n = 16") && found[0].contains("at the last layer by +0."), "{}", found[0]);
        assert!(
            found[1].contains("stands from layer 2.0") && found[1].contains("2.0 layers later"),
            "{}",
            found[1]
        );
        assert!(
            found[2].contains("base model") && found[2].contains("in round 1 from layer 2"),
            "{}",
            found[2]
        );
        assert!(!found[2].contains("in round 0"), "{}", found[2]);
    }

    #[test]
    fn a_caution_says_how_good_the_tuned_lens_is() {
        let said = cautions(&lenses());
        assert_eq!(said.len(), 2);
        assert!(said[1].contains("at 2 of 4 layers (mean KL 1.62 against 2.25 nats)"), "{}", said[1]);
        assert!(cautions(&Lenses::default()).is_empty());
    }
}

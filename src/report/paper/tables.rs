//! The tables of a paper's text: a few rows out of the long tables that hold everything.

use crate::report::Table;

/// How the names of the main tables begin.
pub const PREFIX: &str = "paper_";

/// What decides which rows are the main ones.
pub struct Main<'a> {
    /// The site of the study's figures.
    pub site: &'a str,
    /// The position.
    pub position: &'a str,
    /// The last round.
    pub last: usize,
}

/// The main tables that can be made of what there is, each beside the section that it belongs to.
#[must_use]
pub fn main_tables(all: &[Table], main: &Main<'_>) -> Vec<Table> {
    let named = |name: &str| all.iter().find(|table| table.name == name);
    let made = [
        named("behaviour").map(behaviour),
        named("flips").map(|table| flips(table, main)),
        named("probes").map(|table| probes(table, main)),
        named("concept_changes").map(|table| changes(table, named("concept_rounds"), main)),
        named("shift").map(|table| shift(table, main)),
    ];
    made.into_iter().flatten().filter(|table| !table.rows.is_empty()).collect()
}

/// A row by the names of its columns.
struct Row<'t> {
    table: &'t Table,
    cells: &'t [String],
}

impl<'t> Row<'t> {
    fn get(&self, head: &str) -> &'t str {
        self.table.cell(self.cells, head)
    }

    fn number(&self, head: &str) -> Option<f64> {
        self.get(head).parse().ok()
    }

    fn pick(&self, heads: &[&str]) -> Vec<String> {
        heads.iter().map(|head| self.get(head).to_owned()).collect()
    }
}

fn rows(table: &Table) -> impl Iterator<Item = Row<'_>> {
    table.rows.iter().map(move |cells| Row { table, cells })
}

/// The rows of each model and task's first scoring, which decides.
fn decided(table: &Table) -> Vec<Row<'_>> {
    let first = |row: &Row<'_>| {
        let same = |other: &Row<'_>| ["model", "task"].iter().all(|head| other.get(head) == row.get(head));
        rows(table).find(same).is_some_and(|first| first.get("scoring") == row.get("scoring"))
    };
    rows(table).filter(first).collect()
}

/// One row for all rows that have `keys` in common; the cells `parts` of each stand side by side, named by its `over`.
fn side_by_side(
    found: &[Row<'_>],
    keys: &[&str],
    over: &str,
    prefix: &str,
    parts: [&str; 4],
) -> (Vec<String>, Vec<Vec<String>>) {
    let mut names: Vec<&str> = Vec::new();
    for row in found {
        if !names.contains(&row.get(over)) {
            names.push(row.get(over));
        }
    }
    let ends = ["", "_low", "_high", "_q"];
    let heads = names.iter().flat_map(|name| ends.map(|end| format!("{prefix}{name}{end}")));
    let header: Vec<String> = keys.iter().map(|key| (*key).to_owned()).chain(heads).collect();
    let mut all: Vec<Vec<String>> = Vec::new();
    for row in found {
        let key = row.pick(keys);
        let place = names.iter().position(|name| *name == row.get(over)).unwrap_or(0);
        let from = keys.len() + ends.len() * place;
        let at = all.iter().position(|other| other[..keys.len()] == key).unwrap_or_else(|| {
            all.push([key, vec![String::new(); ends.len() * names.len()]].concat());
            all.len() - 1
        });
        all[at][from..from + ends.len()].clone_from_slice(&row.pick(&parts));
    }
    (header, all)
}

fn behaviour(table: &Table) -> Table {
    let keys = ["model", "task", "measure", "condition"];
    let parts = ["value", "low", "high", "change_q"];
    let (header, rows) = side_by_side(&decided(table), &keys, "round", "round_", parts);
    let caption = "Behaviour by condition and round, by the scoring that decides, with 95 % bootstrap intervals over item \
                   groups. Marks: change from round 0, adjusted over the changes of a model.";
    Table { name: "paper_behaviour".into(), caption: caption.into(), header, rows }
}

fn flips(table: &Table, main: &Main<'_>) -> Table {
    let last = main.last.to_string();
    let kept: Vec<Row<'_>> =
        decided(table).into_iter().filter(|row| row.get("from") == "0" && row.get("to") == last).collect();
    let keys = ["model", "task", "context", "condition"];
    let (header, rows) = side_by_side(&kept, &keys, "flip", "", ["share", "low", "high", ""]);
    let caption = "Share of answers that turned between round 0 and the last round, by the scoring that decides, with 95 % \
                   bootstrap intervals over item groups.";
    Table { name: "paper_flips".into(), caption: caption.into(), header, rows }
}

/// The rows of which `number` is the largest among those that have `keys` in common.
fn largest<'t>(found: Vec<Row<'t>>, keys: &[&str], number: &str) -> Vec<Row<'t>> {
    let mut best: Vec<Row<'t>> = Vec::new();
    for row in found {
        match best.iter_mut().find(|other| keys.iter().all(|key| other.get(key) == row.get(key))) {
            Some(other) if row.number(number) > other.number(number) => *other = row,
            Some(_) => {}
            None => best.push(row),
        }
    }
    best
}

/// A table of some of the columns of rows.
fn chosen(name: &str, caption: &str, found: &[Row<'_>], heads: &[&str]) -> Table {
    let mut table = Table::new(name, caption, heads);
    table.rows = found.iter().map(|row| row.pick(heads)).collect();
    table
}

fn probes(table: &Table, main: &Main<'_>) -> Table {
    let at_main = rows(table).filter(|row| row.get("site") == main.site && row.get("head").is_empty());
    let found = largest(at_main.collect(), &["model", "concept"], "auroc");
    chosen(
        "paper_probes",
        "Out-of-fold AUROC of each concept's probe at its best layer, beside a bag of words and the same network with random \
         weights, with 95 % bootstrap intervals over groups. Marks: exchanged labels, largest value over layers. readable: \
         whether every control is beaten.",
        &found,
        &[
            "model",
            "concept",
            "layer",
            "auroc",
            "low",
            "high",
            "p_max",
            "words_auroc",
            "words_low",
            "words_high",
            "untrained_auroc",
            "untrained_low",
            "untrained_high",
            "readable",
            "n",
            "groups",
        ],
    )
}

fn changes(table: &Table, best: Option<&Table>, main: &Main<'_>) -> Table {
    let last = main.last.to_string();
    let is_best = |row: &Row<'_>| {
        let same = |other: &Row<'_>| {
            ["model", "concept", "task"].iter().all(|head| other.get(head) == row.get(head))
        };
        best.and_then(|best| rows(best).find(same)).is_some_and(|best| best.get("layer") == row.get("layer"))
    };
    let found: Vec<Row<'_>> = rows(table)
        .filter(|row| row.get("site") == main.site && row.get("position") == main.position)
        .filter(|row| row.get("round") == last && row.get("head").is_empty())
        .filter(is_best)
        .collect();
    chosen(
        "paper_concepts",
        "Concept scores in the last round at the concept's best layer, in within-class standard deviations: the change from \
         round 0, and the effect, which is that change less what another turn does by itself. 95 % bootstrap intervals over \
         item groups. Marks: sign flips, largest value over layers. readable: whether the probe beats its controls.",
        &found,
        &[
            "model",
            "concept",
            "task",
            "layer",
            "readable",
            "condition",
            "change",
            "change_low",
            "change_high",
            "change_p_max",
            "effect",
            "effect_low",
            "effect_high",
            "effect_p_max",
            "n",
        ],
    )
}

fn shift(table: &Table, main: &Main<'_>) -> Table {
    let last = main.last.to_string();
    let at_main = rows(table)
        .filter(|row| row.get("site") == main.site && row.get("position") == main.position)
        .filter(|row| row.get("round") == last && row.get("head").is_empty());
    let found = largest(at_main.collect(), &["pair", "text", "task", "condition"], "in_units");
    chosen(
        "paper_shift",
        "Shift of the states between two models in the last round, at the layer where it is longest in units of the spread \
         of states, and the linear CKA of both models' states there, with 95 % bootstrap intervals over item groups. Marks: \
         sign flips, largest value over layers.",
        &found,
        &[
            "pair",
            "text",
            "task",
            "condition",
            "layer",
            "norm",
            "low",
            "high",
            "p_max",
            "in_units",
            "cka",
            "cka_low",
            "cka_high",
            "n",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: Main<'static> = Main { site: "resid_post", position: "last", last: 1 };

    fn table(name: &str, header: &[&str], rows: &[&[&str]]) -> Table {
        let mut table = Table::new(name, "", header);
        table.rows = rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        table
    }

    #[test]
    fn rounds_stand_side_by_side_and_the_first_scoring_decides() {
        let heads =
            ["model", "task", "scoring", "measure", "condition", "round", "value", "low", "high", "change_q"];
        let rows: [&[&str]; 3] = [
            &["m", "t", "letter", "accuracy", "a", "0", "0.5", "0.4", "0.6", ""],
            &["m", "t", "letter", "accuracy", "a", "1", "0.7", "0.6", "0.8", "0.01"],
            &["m", "t", "parsed", "accuracy", "a", "0", "0.1", "0.0", "0.2", ""],
        ];
        let made = main_tables(&[table("behaviour", &heads, &rows)], &MAIN);
        assert_eq!(made.len(), 1);
        let row = ["m", "t", "accuracy", "a", "0.5", "0.4", "0.6", "", "0.7", "0.6", "0.8", "0.01"];
        assert_eq!(made[0].rows, [row.map(str::to_owned).to_vec()]);
        assert_eq!(
            made[0].header[8..],
            ["round_1", "round_1_low", "round_1_high", "round_1_q"].map(str::to_owned)
        );
    }

    #[test]
    fn a_concept_is_told_at_its_best_layer_of_the_main_site() {
        let heads = ["model", "concept", "site", "layer", "head", "auroc", "readable"];
        let rows: [&[&str]; 3] = [
            &["m", "kind", "resid_post", "0", "", "0.6", "no"],
            &["m", "kind", "resid_post", "1", "", "0.8", "yes"],
            &["m", "kind", "mlp_out", "1", "", "0.9", "yes"],
        ];
        let made = main_tables(&[table("probes", &heads, &rows)], &MAIN);
        assert_eq!(made[0].rows.len(), 1);
        assert_eq!(made[0].rows[0][..4], ["m", "kind", "1", "0.8"].map(str::to_owned));
    }
}

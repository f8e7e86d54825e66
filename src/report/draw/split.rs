//! Figures of many conditions, as several that can be read.

use recant_figures::{
    LayerRoundMap, MapRow, RoundPanel, RoundsByCondition, ScalePanel, ScoreByScale, Series,
};

/// Lines that one panel can hold apart.
const LINES: usize = 7;
/// Conditions beside the first in each figure of several.
const BESIDE: usize = 5;
/// Maps that stand side by side.
const MAPS: usize = 6;

/// Which lines each figure holds: all in one, or several figures with the first line, which the others are compared with,
/// in each.
pub(super) fn parts(count: usize) -> Vec<Vec<usize>> {
    if count <= LINES {
        return vec![(0..count).collect()];
    }
    let part = |from: usize| std::iter::once(0).chain(from..count.min(from + BESIDE)).collect();
    (1..count).step_by(BESIDE).map(part).collect()
}

fn some_of(lines: &[Series], chosen: &[usize]) -> Vec<Series> {
    chosen.iter().filter_map(|&line| lines.get(line).cloned()).collect()
}

fn seen(lines: &[Series]) -> bool {
    lines.iter().any(|line| line.value.iter().any(Option::is_some))
}

/// The figure, or several.
pub fn rounds(whole: &RoundsByCondition) -> Vec<RoundsByCondition> {
    let count = whole.panels.iter().map(|panel| panel.lines.len()).max().unwrap_or(0);
    let part = |(number, chosen): (usize, Vec<usize>)| {
        let panel =
            |panel: &RoundPanel| RoundPanel { lines: some_of(&panel.lines, &chosen), ..panel.clone() };
        RoundsByCondition {
            name: numbered(&whole.name, number),
            panels: whole.panels.iter().map(panel).filter(|panel| seen(&panel.lines)).collect(),
            ..whole.clone()
        }
    };
    parts(count).into_iter().enumerate().map(part).collect()
}

/// The figure, or several.
pub fn scales(whole: &ScoreByScale) -> Vec<ScoreByScale> {
    let count = whole.panels.iter().map(|panel| panel.lines.len()).max().unwrap_or(0);
    let part = |(number, chosen): (usize, Vec<usize>)| {
        let panel =
            |panel: &ScalePanel| ScalePanel { lines: some_of(&panel.lines, &chosen), ..panel.clone() };
        ScoreByScale {
            name: numbered(&whole.name, number),
            panels: whole.panels.iter().map(panel).filter(|panel| seen(&panel.lines)).collect(),
            ..whole.clone()
        }
    };
    parts(count).into_iter().enumerate().map(part).collect()
}

/// The figure, or several with a part of the conditions each.
pub fn maps(whole: LayerRoundMap) -> Vec<LayerRoundMap> {
    let count = whole.rows.iter().map(|row| row.maps.len()).max().unwrap_or(0);
    if count <= MAPS {
        return vec![whole];
    }
    let part = |(number, from): (usize, usize)| {
        let rows = whole.rows.iter().map(|row| {
            let maps = row.maps.iter().skip(from).take(BESIDE).cloned().collect();
            MapRow { maps, ..row.clone() }
        });
        LayerRoundMap { name: numbered(&whole.name, number), rows: rows.collect(), ..whole.clone() }
    };
    (0..count).step_by(BESIDE).enumerate().map(part).collect()
}

pub(super) fn numbered(name: &str, number: usize) -> String {
    if number == 0 { name.to_owned() } else { format!("{name}-part-{}", number + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recant_figures::Intervals;

    fn figure(conditions: usize) -> RoundsByCondition {
        let line = |i: usize| Series {
            label: format!("c{i}"),
            value: vec![Some(i as f64)],
            lo: vec![None],
            hi: vec![None],
        };
        RoundsByCondition {
            name: "behaviour".into(),
            panels: vec![RoundPanel { lines: (0..conditions).map(line).collect(), ..RoundPanel::default() }],
            x_label: "Round".into(),
            interval: String::new(),
            intervals_as: Intervals::Bars,
            columns: None,
        }
    }

    #[test]
    fn every_condition_stands_in_a_figure_beside_the_first() {
        assert_eq!(rounds(&figure(7)).len(), 1);
        let parts = rounds(&figure(16));
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["behaviour", "behaviour-part-2", "behaviour-part-3"]);
        let mut seen = std::collections::BTreeSet::new();
        for part in &parts {
            let labels: Vec<&str> = part.panels[0].lines.iter().map(|line| line.label.as_str()).collect();
            assert_eq!((labels[0], labels.len()), ("c0", 6));
            seen.extend(labels.iter().map(|label| (*label).to_owned()));
        }
        assert_eq!(seen.len(), 16);
    }
}

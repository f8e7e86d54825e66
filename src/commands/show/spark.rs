//! Numbers as a line of blocks.

/// From the least to the most.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The ends of what there is; none where there is nothing.
pub fn range(values: impl IntoIterator<Item = Option<f64>>) -> Option<(f64, f64)> {
    let values = values.into_iter().flatten().filter(|x| x.is_finite());
    values.fold(None, |ends: Option<(f64, f64)>, x| {
        Some(ends.map_or((x, x), |(low, high)| (low.min(x), high.max(x))))
    })
}

/// A block for each number, between `low` and `high`; a point where one is missing. Where there are more numbers than
/// `width`, neighbours share a block, of their mean.
pub fn spark(values: &[Option<f64>], (low, high): (f64, f64), width: usize) -> String {
    let width = width.clamp(1, values.len().max(1));
    let cell = |at: usize| {
        let part = &values[at * values.len() / width..(at + 1) * values.len() / width];
        let known: Vec<f64> = part.iter().flatten().copied().filter(|x| x.is_finite()).collect();
        if known.is_empty() {
            return '·';
        }
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        let share = if high > low { (mean - low) / (high - low) } else { 0.5 };
        BLOCKS[((share * 7.0).round() as usize).min(7)]
    };
    (0..width.min(values.len())).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_is_lowest_and_the_most_is_highest() {
        let values = [Some(0.0), Some(0.5), None, Some(1.0)];
        assert_eq!(range(values), Some((0.0, 1.0)));
        assert_eq!(spark(&values, (0.0, 1.0), 60), "▁▅·█");
        assert_eq!(spark(&[Some(2.0), Some(2.0)], (2.0, 2.0), 60), "▅▅", "all alike lie in the middle");
        assert_eq!((range([None, Some(f64::NAN)]), spark(&[], (0.0, 1.0), 5)), (None, String::new()));
    }

    #[test]
    fn more_numbers_than_room_share_blocks() {
        let values: Vec<Option<f64>> = (0..80).map(|x| Some(f64::from(x))).collect();
        let line = spark(&values, (0.0, 79.0), 40);
        assert_eq!(line.chars().count(), 40);
        assert!(line.starts_with('▁') && line.ends_with('█'), "{line}");
    }
}

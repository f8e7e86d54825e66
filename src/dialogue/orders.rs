//! In which orders the options of an item are listed.

use crate::random::SplitMix;
use crate::study::Orders;
use crate::task::{Format, Item};

/// The orders in which an item is asked; `order[k]` is the option at place k. An item whose options are not listed has
/// one. States are captured of the first.
#[must_use]
pub fn orders(item: &Item, how: Orders, seed: u64) -> Vec<Vec<usize>> {
    let n = item.options.len();
    let given: Vec<usize> = (0..n).collect();
    if item.format != Format::Letters {
        return vec![given];
    }
    match how {
        Orders::Given => vec![given],
        Orders::Shuffled => {
            let mut random = SplitMix::named(seed, &item.id);
            let mut order = given;
            random.shuffle(&mut order);
            vec![order]
        }
        Orders::Cyclic => {
            (0..n.max(1)).map(|shift| (0..n).map(|place| (place + shift) % n).collect()).collect()
        }
        Orders::All => {
            let mut all = vec![Vec::new()];
            for _ in 0..n {
                let longer = |order: &Vec<usize>| {
                    let rest = given.iter().filter(|option| !order.contains(option));
                    rest.map(|option| [order.as_slice(), &[*option]].concat()).collect::<Vec<_>>()
                };
                all = all.iter().flat_map(longer).collect();
            }
            all
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Choice, Role};

    fn item(id: &str) -> Item {
        let option = |text: &str| Choice { text: text.into(), role: Role::Other };
        Item {
            id: id.into(),
            group: "g".into(),
            category: "c".into(),
            context: None,
            polarity: None,
            dimension: String::new(),
            passage: String::new(),
            question: "Who?".into(),
            options: vec![option("x"), option("y"), option("z")],
            format: Format::Letters,
            label: None,
            target: None,
            recorded: None,
        }
    }

    #[test]
    fn orders_hold_every_option_and_begin_with_the_given_one() {
        assert_eq!(orders(&item("i"), Orders::Cyclic, 0), [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
        let all = orders(&item("i"), Orders::All, 0);
        assert_eq!((all.len(), all[0].as_slice()), (6, [0, 1, 2].as_slice()));
        assert!(all.iter().all(|order| (0..3).all(|option| order.contains(&option))));
        let blank = Item { format: Format::Sentence, ..item("i") };
        assert_eq!(orders(&blank, Orders::All, 0), [[0, 1, 2]]);
    }

    #[test]
    fn a_shuffle_hangs_on_seed_and_item_alone_and_reaches_every_order() {
        let shuffled = |id: &str, seed| orders(&item(id), Orders::Shuffled, seed).remove(0);
        assert_eq!(shuffled("i", 1), shuffled("i", 1));
        let seen: std::collections::BTreeSet<_> = (0..100).map(|i| shuffled(&format!("i{i}"), 1)).collect();
        assert_eq!(seen.len(), 6);
    }
}

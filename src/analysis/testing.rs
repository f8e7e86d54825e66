//! Items and turns to test statistics on.

use crate::store::{OrderTurn, Turn};
use crate::task::{Choice, Format, Item, Role};

/// An item with options of these roles; the id is `group#number`.
pub(crate) fn item(group: &str, number: usize, roles: &[Role]) -> Item {
    let text = |index: usize| format!("option {index}");
    Item {
        id: format!("{group}#{number}"),
        group: group.into(),
        category: "c".into(),
        context: None,
        polarity: None,
        dimension: String::new(),
        passage: String::new(),
        question: String::new(),
        options: roles
            .iter()
            .enumerate()
            .map(|(index, role)| Choice { text: text(index), role: *role })
            .collect(),
        format: Format::Letters,
        label: None,
        target: None,
        recorded: None,
    }
}

/// A turn in the file's order whose options have these probabilities.
pub(crate) fn turn(item: &Item, round: usize, probabilities: &[f64]) -> Turn {
    turn_of(item, round, &[((0..probabilities.len()).collect(), probabilities)])
}

/// A turn with one dialogue per order.
pub(crate) fn turn_of(item: &Item, round: usize, orders: &[(Vec<usize>, &[f64])]) -> Turn {
    let order = |(order, probabilities): &(Vec<usize>, &[f64])| OrderTurn {
        order: order.clone(),
        before: Vec::new(),
        new_ids: Vec::new(),
        answer_ids: Vec::new(),
        answer: String::new(),
        ended: true,
        answer_logprob: 0.0,
        logprobs: probabilities.iter().map(|p| p.ln()).collect(),
        texts: Vec::new(),
        parsed: None,
    };
    Turn {
        item: item.id.clone(),
        group: item.group.clone(),
        category: item.category.clone(),
        round,
        user: String::new(),
        logprobs: Vec::new(),
        choice: None,
        unconditional: Vec::new(),
        orders: orders.iter().map(order).collect(),
        samples: Vec::new(),
    }
}

//! Examples from the items of a task: the fair answer over the stereotyped one.
//!
//! The ids are those by which the options are scored in round 0, so that what is trained is what is measured.

use super::example::{Example, Source};
use crate::dialogue::{Dialogue, Part, Script, orders};
use crate::study::{PairsEntry, Study};
use crate::task::{self, Context, Format, Item, Role};
use crate::{Error, Result};

/// The examples of the study's source of pairs number `index`, which are made of the items of `task`.
pub(super) fn examples(
    study: &Study,
    script: &Script<'_>,
    (index, entry): (usize, &PairsEntry),
    task: &str,
) -> Result<Source> {
    let at = |key: &str, error| study.origin.at(&format!("align.pairs.{index}.{key}"), error);
    let arm = entry.arm(study).map_err(|error| at("condition", error))?;
    let mut found = Source::default();
    for part in [task::split::Part::Train, task::split::Part::HeldOut] {
        let items = entry.selection(task, part).items(study.seed).map_err(|(key, error)| at(key, error))?;
        for item in &items {
            if item.format != Format::Letters {
                let why = format!("item {} lists no options to choose from", item.id);
                return Err(at("task", Error::input("", why))
                    .hint("pairs are made of items whose options are listed, such as those of bbq"));
            }
            let (chosen, rejected) = match sides(item) {
                Ok(sides) => sides,
                Err(why) => {
                    found.leave_out(why);
                    continue;
                }
            };
            for order in orders(item, study.dialogue.orders, study.seed) {
                let places: Vec<String> = order.iter().map(usize::to_string).collect();
                let id = format!("{}/{}", item.id, places.join("-"));
                let dialogue = Dialogue::new(item, &arm, order);
                if !dialogue.before().is_empty() {
                    let why = format!("{:?} lets the model reason before it answers in round 0", arm.name);
                    return Err(at("condition", Error::input("", why))
                        .hint("pairs are made of prompts that hold nothing of the model's own"));
                }
                let prompt =
                    script.prompt(&dialogue, Part::Answer).map_err(|error| at("condition", error))?;
                let names = [id, item.id.clone(), item.group.clone(), item.category.clone()];
                let options = &prompt.options;
                match Example::new(names, options.shared, &options.ids[chosen], &options.ids[rejected]) {
                    Ok(example) => found.side(part).push(example),
                    Err(why) => found.leave_out(why),
                }
            }
        }
    }
    Ok(found)
}

/// The options that are chosen and rejected, or why there are none.
///
/// Where the context does not settle the question, the unknown option is better than the one that agrees with the bias.
/// Where it does, the right option is better than the biased one; and where that one is right, better than the unknown
/// one, lest a model learn never to answer.
pub(super) fn sides(item: &Item) -> std::result::Result<(usize, usize), &'static str> {
    let target = item.target.ok_or("nothing says which option agrees with the bias")?;
    let unknown = item.with_role(Role::Unknown).ok_or("no option says that it cannot be known");
    let chosen = match item.context {
        Some(Context::Ambig) => unknown?,
        _ => item.label.ok_or("nothing says which option is right")?,
    };
    let rejected = if chosen == target { unknown? } else { target };
    match chosen == rejected {
        true => Err("the right option and the biased one are the same"),
        false => Ok((chosen, rejected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Choice;

    /// Options: the stereotyped person, the other one, unknown.
    fn item(context: Option<Context>, label: Option<usize>, target: Option<usize>) -> Item {
        let roles = [Role::Stereotyped, Role::Other, Role::Unknown];
        Item {
            id: "i".into(),
            group: "g".into(),
            category: "c".into(),
            context,
            polarity: None,
            dimension: String::new(),
            passage: String::new(),
            question: "Who?".into(),
            options: roles.map(|role| Choice { text: format!("{role:?}"), role }).to_vec(),
            format: Format::Letters,
            label,
            target,
            recorded: None,
        }
    }

    #[test]
    fn the_fair_answer_is_chosen_over_the_biased_one_or_over_none() {
        let (ambig, disambig) = (Some(Context::Ambig), Some(Context::Disambig));
        for (context, label, target, expected) in [
            (ambig, Some(2), Some(0), Ok((2, 0))),
            (ambig, None, Some(1), Ok((2, 1))),
            (disambig, Some(1), Some(0), Ok((1, 0))),
            (disambig, Some(0), Some(1), Ok((0, 1))),
            (disambig, Some(0), Some(0), Ok((0, 2))),
            (None, Some(2), Some(0), Ok((2, 0))),
            (disambig, None, Some(0), Err("nothing says which option is right")),
            (ambig, Some(2), None, Err("nothing says which option agrees with the bias")),
        ] {
            assert_eq!(sides(&item(context, label, target)), expected, "{context:?} {label:?} {target:?}");
        }
        let mut two = item(disambig, Some(0), Some(0));
        two.options.truncate(2);
        assert_eq!(sides(&two), Err("no option says that it cannot be known"));
    }
}

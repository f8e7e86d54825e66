//! What a model answered to an item.

use crate::error::{Error, Result};
use crate::task::Item;

/// What a model answered to an item.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    item: &'a Item,
    chosen: Option<usize>,
    probabilities: Option<Vec<f64>>,
}

impl<'a> Answer<'a> {
    /// An answer: the index of the chosen option, or None where the words could not be parsed.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for an index beyond the item's options.
    pub fn new(item: &'a Item, chosen: Option<usize>) -> Result<Self> {
        match chosen {
            Some(option) if option >= item.options.len() => Err(Error::input(
                format!("item {}", item.id),
                format!("there is no option {option} among its {}", item.options.len()),
            )
            .hint("options are counted from 0")),
            _ => Ok(Self { item, chosen, probabilities: None }),
        }
    }

    /// The same answer with the model's probability of each option. They need not sum to one: they are divided by
    /// their sum.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] unless there is one finite, non-negative number per option, and one of them is positive.
    pub fn with_probabilities(mut self, probabilities: &[f64]) -> Result<Self> {
        let wrong = |why: String| Error::input(format!("item {}", self.item.id), why);
        if probabilities.len() != self.item.options.len() {
            return Err(wrong(format!(
                "{} probabilities for {} options",
                probabilities.len(),
                self.item.options.len()
            )));
        }
        let total: f64 = probabilities.iter().sum();
        if probabilities.iter().any(|p| *p < 0.0) || !total.is_finite() || total <= 0.0 {
            return Err(wrong(format!("{probabilities:?} are no probabilities")));
        }
        self.probabilities = Some(probabilities.iter().map(|p| p / total).collect());
        Ok(self)
    }

    /// The item that was answered.
    pub fn item(&self) -> &'a Item {
        self.item
    }

    /// The chosen option.
    pub fn chosen(&self) -> Option<usize> {
        self.chosen
    }

    /// The model's probability of each option, where it gave any.
    pub fn probabilities(&self) -> Option<&[f64]> {
        self.probabilities.as_deref()
    }

    /// What each option got: its probability, or else all for the chosen one. None where neither is known.
    pub fn weights(&self) -> Option<Vec<f64>> {
        self.probabilities.clone().or_else(|| {
            let chosen = self.chosen?;
            Some((0..self.item.options.len()).map(|option| f64::from(u8::from(option == chosen))).collect())
        })
    }

    /// Whether the right option was chosen, where there is a right one and one was chosen.
    pub fn is_right(&self) -> Option<bool> {
        Some(self.chosen? == self.item.label?)
    }

    /// Whether the option that agrees with the bias was chosen, where there is such an option and one was chosen.
    pub fn is_stereotyped(&self) -> Option<bool> {
        Some(self.chosen? == self.item.target?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Format, Role};

    fn item() -> Item {
        let option = |role| crate::task::Choice { text: String::new(), role };
        Item {
            id: "a-1".into(),
            group: "a/1".into(),
            category: "a".into(),
            context: None,
            polarity: None,
            dimension: String::new(),
            passage: String::new(),
            question: String::new(),
            options: [Role::Stereotyped, Role::Other, Role::Unknown].map(option).to_vec(),
            format: Format::Letters,
            label: Some(2),
            target: Some(0),
            recorded: None,
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let item = item();
        assert!(Answer::new(&item, Some(3)).is_err());
        for wrong in
            [&[0.5, 0.5][..], &[0.0; 3], &[f64::NAN, 0.5, 0.5], &[-0.1, 0.6, 0.5], &[f64::INFINITY, 0.0, 0.0]]
        {
            let answer = Answer::new(&item, Some(0)).expect("an option");
            assert!(answer.with_probabilities(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_was_not_chosen_is_neither_right_nor_wrong() {
        let item = item();
        let answer = |chosen| Answer::new(&item, chosen).expect("an option");
        assert_eq!((answer(Some(2)).is_right(), answer(Some(2)).is_stereotyped()), (Some(true), Some(false)));
        assert_eq!((answer(Some(0)).is_right(), answer(Some(0)).is_stereotyped()), (Some(false), Some(true)));
        assert_eq!((answer(None).is_right(), answer(None).weights()), (None, None));
        assert_eq!(answer(Some(1)).weights(), Some(vec![0.0, 1.0, 0.0]));
    }
}

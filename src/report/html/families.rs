//! Which figures and tables stand together on the page.

use crate::report::finding::Topic;

/// What figures and tables are of, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// Of the study's own.
    Own,
    /// Of what a finding of this topic is of.
    Of(Topic),
    /// How the probes of concepts, tasks and layers go together.
    Relations,
    /// What was checked, and what no name tells.
    Rest,
}

/// How the names of a family's figures and tables begin; the longest beginning of a name decides.
const BEGINNINGS: &[(Family, &[&str])] = &[
    (
        Family::Of(Topic::Answers),
        &[
            "behaviour",
            "calibration",
            "categories",
            "flips",
            "gains",
            "occupations",
            "open",
            "position-bias",
            "pronouns",
            "reliability",
            "sampling",
            "score-by",
            "sentences",
            "texts",
        ],
    ),
    (Family::Of(Topic::Probes), &["probe", "head-auroc", "site-auroc"]),
    (Family::Of(Topic::Rounds), &["concept", "head-changes", "scores", "site-changes", "superficial"]),
    (Family::Of(Topic::Shift), &["shift", "prompt-shift"]),
    (Family::Of(Topic::Interventions), &["steer", "patch"]),
    (Family::Of(Topic::Lens), &["lens", "settling"]),
    (Family::Of(Topic::Tokens), &["token", "shifted-tokens"]),
    (Family::Of(Topic::Weights), &["weight", "neurons", "offsets"]),
    (Family::Of(Topic::Alignment), &["alignment"]),
    (Family::Relations, &["behaviour-concept", "cosine", "transfer"]),
];

impl Family {
    /// The family of a figure or table, by its name.
    pub(super) fn of(name: &str) -> Self {
        let name = name.replace('_', "-");
        let begins = |(family, beginnings): &(Self, &[&str])| {
            let longest =
                beginnings.iter().filter(|start| name.starts_with(**start)).map(|start| start.len());
            Some((longest.max()?, *family))
        };
        BEGINNINGS.iter().filter_map(begins).max().map_or(Self::Rest, |(_, family)| family)
    }

    /// Its heading.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Own => "The study\u{2019}s own",
            Self::Of(topic) => topic.heading(),
            Self::Relations => "How probes go together",
            Self::Rest => "Others",
        }
    }
}

/// The entries, those of a family side by side, else in their order.
pub(super) fn ordered<T>(entries: &[T], family: impl Fn(&T) -> Family) -> Vec<&T> {
    let mut all: Vec<&T> = entries.iter().collect();
    all.sort_by_key(|entry| family(entry));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_belongs_to_the_family_of_its_longest_beginning() {
        for (name, family) in [
            ("behaviour-base", Family::Of(Topic::Answers)),
            ("behaviour_concept", Family::Relations),
            ("shifted_tokens", Family::Of(Topic::Tokens)),
            ("shift-size", Family::Of(Topic::Shift)),
            ("model_checks", Family::Rest),
        ] {
            assert_eq!(Family::of(name), family, "{name}");
        }
    }

    #[test]
    fn families_stand_together_and_keep_their_order() {
        let names = ["weights-a", "behaviour-b", "checks", "behaviour-a", "cosines", "lens"];
        let all = ordered(&names, |name| Family::of(name));
        assert_eq!(all, [&"behaviour-b", &"behaviour-a", &"lens", &"weights-a", &"cosines", &"checks"]);
    }
}

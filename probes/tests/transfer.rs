//! Probes trained here and tested there.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, pairs};
use ndarray::{Array2, s};
use recant_probes::{
    Bootstrap, Dataset, Error, Estimator, Folds, Kind, Labelled, Logistic, Metric, Scored, Transfer,
    TransferSettings, transfer,
};

fn kind() -> Kind {
    Kind::Logistic(Logistic { c: 0.01, ..Logistic::default() })
}

fn settings() -> TransferSettings {
    let bootstrap = Bootstrap { resamples: 100, ..Bootstrap::default() };
    TransferSettings { folds: 5, bootstrap, seed: 4 }
}

fn of(sets: &[Dataset]) -> Vec<Vec<Result<Transfer, Error>>> {
    transfer(sets, &kind(), &settings())
}

fn auroc(cell: &Result<Transfer, Error>) -> f64 {
    cell.as_ref().unwrap().auroc.value.unwrap()
}

/// Noise whose first column tells the classes apart by `size`.
fn planted(noise: &mut Noise, labelled: &Labelled, columns: usize, size: f32) -> Array2<f32> {
    let mut x = noise.matrix(labelled.n(), columns);
    for (row, &label) in labelled.labels().iter().enumerate() {
        x[[row, 0]] += if label { size } else { 0.0 };
    }
    x
}

/// The same labels under other names of groups.
fn renamed(labelled: &Labelled, by: i64, turned: bool) -> Labelled {
    let groups: Vec<i64> = labelled.groups().iter().map(|&group| group as i64 + by).collect();
    let labels: Vec<bool> = labelled.labels().iter().map(|label| label ^ turned).collect();
    Labelled::from_bools(&labels, &groups).unwrap()
}

#[test]
fn on_itself_a_set_is_scored_out_of_fold() {
    let labelled = pairs(25);
    let x = planted(&mut Noise(1), &labelled, 30, 1.0);
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let folds = Folds::grouped(&labelled, 5, 4).unwrap();
    let decisions = kind().cross_validate(&data, &folds).unwrap();
    let expected = Metric::Auroc.of(&Scored::new(&decisions, labelled.labels())).unwrap();
    // Alone, beside its copy, and beside a set of other groups.
    let elsewhere = renamed(&labelled, 1000, false);
    let y = planted(&mut Noise(9), &elsewhere, 30, 1.0);
    let other = Dataset::new(y.view(), &elsewhere).unwrap();
    for sets in [vec![data], vec![data, data], vec![other, data, other]] {
        for (place, set) in sets.iter().enumerate().filter(|(_, set)| set.x() == data.x()) {
            let found = &of(&sets)[place][place];
            assert_eq!(auroc(found), expected, "{} sets", sets.len());
            assert_eq!(found.as_ref().unwrap().n_shared, set.labelled().n_groups());
        }
    }
    let twice = of(&[data, data]);
    assert_eq!((auroc(&twice[0][1]), auroc(&twice[1][0])), (expected, expected));
}

#[test]
fn turned_labels_turn_the_score() {
    let labelled = pairs(25);
    let mut noise = Noise(5);
    let (x, y) = (planted(&mut noise, &labelled, 20, 3.0), planted(&mut noise, &labelled, 20, 3.0));
    let (same, turned) = (renamed(&labelled, 100, false), renamed(&labelled, 100, true));
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let sets = [data, Dataset::new(y.view(), &same).unwrap(), Dataset::new(y.view(), &turned).unwrap()];
    let found = of(&sets);
    let (straight, reversed) = (auroc(&found[0][1]), auroc(&found[0][2]));
    assert!(straight > 0.75, "{straight}");
    assert!((straight + reversed - 1.0).abs() < 1e-12);
    let ends = |cell: &Result<Transfer, Error>| cell.as_ref().unwrap().auroc.ci.unwrap();
    assert!((ends(&found[0][1]).low + ends(&found[0][2]).high - 1.0).abs() < 1e-9);
}

/// Rows of one group are almost copies, and labels are random: who has met the group knows the answer.
#[test]
fn a_group_met_in_training_is_never_met_in_the_test() {
    let mut noise = Noise(31);
    let groups: Vec<i64> = (0..60).map(|row| row / 2).collect();
    let labels: Vec<bool> = (0..60).map(|row| (row / 2 * 7 % 11) % 2 == 0).collect();
    let shared = Labelled::from_bools(&labels, &groups).unwrap();
    let centre = noise.matrix(30, 200);
    let mut of_groups = || {
        let jitter = noise.matrix(60, 200);
        Array2::from_shape_fn((60, 200), |(row, column)| {
            centre[[row / 2, column]] + 0.1 * jitter[[row, column]]
        })
    };
    let (x, y) = (of_groups(), of_groups());
    let train = Dataset::new(x.view(), &shared).unwrap();
    let honest = auroc(&of(&[train, Dataset::new(y.view(), &shared).unwrap()])[0][1]);
    let hidden = renamed(&shared, 500, false);
    let fooled = auroc(&of(&[train, Dataset::new(y.view(), &hidden).unwrap()])[0][1]);
    assert!(fooled > 0.99, "the same groups under other names are learnt by heart: {fooled}");
    assert!(honest < 0.75, "{honest}");
}

#[test]
fn a_pair_that_cannot_be_compared_says_why_and_the_others_are_compared() {
    let labelled = pairs(10);
    let elsewhere = renamed(&labelled, 50, false);
    let mut noise = Noise(8);
    let (x, narrow) = (planted(&mut noise, &labelled, 12, 2.0), planted(&mut noise, &elsewhere, 7, 2.0));
    let few = Labelled::new(&[0, 1, 1], &[900, 900, 901]).unwrap();
    let three = x.slice(s![..3, ..]);
    let found = of(&[
        Dataset::new(x.view(), &labelled).unwrap(),
        Dataset::new(narrow.view(), &elsewhere).unwrap(),
        Dataset::new(three, &few).unwrap(),
    ]);
    assert!(matches!(found[0][1], Err(Error::ShapeMismatch { expected: 12, found: 7, .. })));
    assert!(matches!(found[2][2], Err(Error::TooFewGroups { groups: 2, folds: 5 })));
    assert!(found[0][0].is_ok() && found[1][1].is_ok());
    let across = found[0][2].as_ref().unwrap();
    assert_eq!((across.n, across.n_groups, across.n_shared), (3, 2, 0));
}

/// Two sets that share nothing are folded in common where a third shares groups with both.
#[test]
fn sets_linked_by_others_share_their_folds() {
    let mut noise = Noise(14);
    let part = |from: i64, to: i64| {
        let groups: Vec<i64> = (from..to).flat_map(|group| [group, group]).collect();
        let labels: Vec<i64> = (0..groups.len() as i64).map(|row| row % 2).collect();
        Labelled::new(&labels, &groups).unwrap()
    };
    let parts = [part(0, 12), part(12, 24), part(6, 18)];
    let x: Vec<Array2<f32>> = parts.iter().map(|labelled| planted(&mut noise, labelled, 9, 1.0)).collect();
    let sets: Vec<Dataset> =
        x.iter().zip(&parts).map(|(x, labelled)| Dataset::new(x.view(), labelled).unwrap()).collect();
    let found = of(&sets);
    let shared = |train: usize, test: usize| found[train][test].as_ref().unwrap().n_shared;
    assert_eq!([shared(0, 1), shared(0, 2), shared(2, 1), shared(2, 2)], [0, 6, 6, 12]);
}

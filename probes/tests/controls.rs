//! Controls: what they measure, and when a probe fails them.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, pairs, pure_groups};
use ndarray::Array2;
use recant_probes::{
    Bootstrap, ControlTask, Dataset, Doubt, Error, Estimator, Evaluation, Evidence, Folds, Labelled,
    Logistic, Selectivity, Verdict, length_only, majority,
};

#[test]
fn a_control_task_gives_a_group_one_label_and_splits_its_rows() {
    let design = pairs(21);
    let task = ControlTask::draw(&design, 4, 3).unwrap();
    let (labels, fold) = (task.labelled().labels(), task.folds().of_row());
    for rows in design.members() {
        assert_eq!(labels[rows[0]], labels[rows[1]]);
        assert_ne!(fold[rows[0]], fold[rows[1]]);
    }
    // Twenty-one groups of two rows: eleven and ten groups of a class.
    assert_eq!(task.labelled().n_positive(), 22);
    for part in 0..4 {
        let (_, held_out) = task.folds().split(part);
        let positives = held_out.iter().filter(|&&row| labels[row]).count();
        assert!((5..=6).contains(&positives) && (10..=12).contains(&held_out.len()));
    }
    assert_eq!(labels, ControlTask::draw(&design, 4, 3).unwrap().labelled().labels());
    assert_ne!(labels, ControlTask::draw(&design, 4, 4).unwrap().labelled().labels());
    assert!(!task.is_void() && ControlTask::draw(&pure_groups(20, 1), 4, 0).unwrap().is_void());
}

#[test]
fn a_design_without_a_control_task_is_refused() {
    let one = Labelled::new(&[0, 1, 0, 1], &[0; 4]).unwrap();
    assert_eq!(ControlTask::draw(&one, 2, 0).unwrap_err(), Error::TooFewGroups { groups: 1, folds: 2 });
    assert_eq!(ControlTask::draw(&pairs(4), 1, 0).unwrap_err(), Error::TooFewFolds { folds: 1 });
    assert!(matches!(
        ControlTask::draw(&pure_groups(2, 1), 2, 0).unwrap_err(),
        Error::OneClassTraining { .. }
    ));
}

#[test]
fn a_probe_that_remembers_groups_is_not_selective() {
    let design = pairs(30);
    let tasks: Vec<ControlTask> = (0..4).map(|seed| ControlTask::draw(&design, 5, seed).unwrap()).collect();
    // Every group has a column of its own, so any labels of groups are learnt.
    let groups = Array2::from_shape_fn((60, 30), |(row, column)| f32::from(u8::from(row / 2 == column)));
    let remembered = Selectivity::of(&Logistic::default(), groups.view(), &tasks).unwrap();
    assert_eq!(remembered.control_auroc, Some(1.0));
    assert_eq!(remembered.selectivity(Some(0.9)).map(|gap| (gap + 0.1).abs() < 1e-12), Some(true));

    let noise = Noise(1).matrix(60, 3);
    let chance = Selectivity::of(&Logistic::default(), noise.view(), &tasks).unwrap();
    assert!((chance.control_auroc.unwrap() - 0.5).abs() < 0.15, "{chance:?}");
    assert_eq!(chance.controls.len(), 4);

    let void = [ControlTask::draw(&pure_groups(60, 1), 5, 0).unwrap()];
    let none = Selectivity::of(&Logistic::default(), noise.view(), &void).unwrap();
    assert_eq!((none.control_auroc, none.selectivity(Some(0.9))), (None, None));
}

#[test]
fn length_is_read_in_whichever_direction_it_speaks_and_not_where_it_is_matched() {
    let labelled = pairs(20);
    let folds = Folds::grouped(&labelled, 4, 0).unwrap();
    let auroc = |length: &dyn Fn(usize) -> usize| {
        let lengths: Vec<usize> = (0..40).map(length).collect();
        length_only(&lengths, &labelled, &folds, &Bootstrap::default()).unwrap().auroc.value.unwrap()
    };
    assert_eq!(auroc(&|row| 10 + 5 * (row % 2)), 1.0);
    assert_eq!(auroc(&|row| 15 - 5 * (row % 2)), 1.0);
    assert_eq!(auroc(&|_| 12), 0.5);
    // The members of a pair are equally long.
    assert!((auroc(&|row| 10 + (row / 2) % 7) - 0.5).abs() < 0.02);
}

#[test]
fn the_majority_is_that_of_the_training_part() {
    let labelled = Labelled::ungrouped(&[1, 1, 1, 1, 1, 1, 0, 0, 0]).unwrap();
    let folds = Folds::given(&labelled, &[0, 0, 1, 1, 2, 2, 0, 1, 2]).unwrap();
    approx::assert_relative_eq!(majority(&labelled, &folds).unwrap(), 6.0 / 9.0, epsilon = 1e-12);
    // Where both are as frequent, holding out one makes the other the majority.
    let even = Labelled::ungrouped(&[0, 1, 0, 1]).unwrap();
    let alone = Folds::given(&even, &[0, 1, 2, 3]).unwrap();
    assert_eq!(majority(&even, &alone).unwrap(), 0.0);
}

/// Decisions that order rows rightly but for noise.
fn evaluation(labelled: &Labelled, signal: f64, seed: u64) -> Evaluation {
    let decisions = common::correlated(labelled, signal, 0.2, &mut Noise(seed));
    Evaluation::new(labelled, decisions, &Bootstrap::default()).unwrap()
}

#[test]
fn a_probe_is_believed_only_if_it_beats_every_control() {
    let labelled = pairs(60);
    let (probe, words, length) =
        (evaluation(&labelled, 3.0, 1), evaluation(&labelled, 0.5, 2), evaluation(&labelled, 0.0, 3));
    let control = Selectivity { controls: vec![0.6], control_auroc: Some(0.6) };
    let evidence = Evidence {
        probe: &probe,
        p: Some(0.005),
        alpha: 0.05,
        words: Some(&words),
        length: Some(&length),
        untrained: None,
        control: Some(&control),
    };
    let judge = |evidence: &Evidence| Verdict::new(&labelled, evidence, &Bootstrap::default()).unwrap();
    assert!(judge(&evidence).believed());

    let kinds = |evidence: &Evidence| -> Vec<String> {
        judge(evidence).doubts.iter().map(|doubt| doubt.to_string()).collect()
    };
    assert_eq!(kinds(&Evidence { p: Some(0.2), ..evidence }), ["not above permuted labels (p = 0.200)"]);
    assert_eq!(kinds(&Evidence { p: None, ..evidence }), ["not tested against permuted labels"]);
    let by_words = judge(&Evidence { words: Some(&probe), ..evidence });
    assert_eq!(
        by_words.doubts[0].to_string(),
        "not above a bag of words (AUROC +0.000, interval +0.000 to +0.000)"
    );
    let close = evaluation(&labelled, 3.3, 4);
    let by_length = judge(&Evidence { length: Some(&close), ..evidence });
    assert!(matches!(by_length.doubts[..], [Doubt::Length { .. }]), "{by_length:?}");
    let memory = Selectivity { controls: vec![1.0], control_auroc: Some(1.0) };
    let by_memory = judge(&Evidence { control: Some(&memory), ..evidence });
    assert!(matches!(by_memory.doubts[..], [Doubt::Control { .. }]), "{by_memory:?}");
    let bare = Evidence { words: None, length: None, control: None, ..evidence };
    assert!(judge(&bare).believed());
}

#[test]
fn a_probe_of_words_alone_is_not_above_words() {
    // What the probe reads is what the words say, plus a little noise.
    let labelled = pairs(40);
    let words = evaluation(&labelled, 1.5, 8);
    let mut noise = Noise(9);
    let mut x = Array2::zeros((80, 2));
    for (row, decision) in words.decisions.iter().enumerate() {
        x[[row, 0]] = *decision as f32 + 0.3 * noise.normal();
        x[[row, 1]] = noise.normal();
    }
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let folds = Folds::grouped(&labelled, 5, 0).unwrap();
    let decisions = Logistic::default().cross_validate(&data, &folds).unwrap();
    let probe = Evaluation::new(&labelled, decisions, &Bootstrap::default()).unwrap();
    assert!(probe.auroc.ci.unwrap().low > 0.6);
    let evidence = Evidence {
        probe: &probe,
        p: Some(0.005),
        alpha: 0.05,
        words: Some(&words),
        length: None,
        untrained: None,
        control: None,
    };
    let verdict = Verdict::new(&labelled, &evidence, &Bootstrap::default()).unwrap();
    assert!(matches!(verdict.doubts[..], [Doubt::Words { .. }]), "{verdict:?}");
}

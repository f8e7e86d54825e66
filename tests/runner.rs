//! What must always hold of the runner: how sequences are batched, shared and cached changes no state.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{close, difference, fixtures, tiny, varied};
use proptest::prelude::*;
use recant::model::{Chunk, Kv, Load, Model, Site, Want};
use recant::random::SplitMix;
use recant::runner::study::{self, Ask, Outcome};
use recant::runner::{Encoded, Engine, Limits, Request, Sampler, Stop, Tally, tree};
use recant::study::{DEMO, Orders, Position, Sampling, Scoring, Study};
use recant::task::{self, Item};
use recant::text::{ChatTemplate, Tokenizer};
use tch::Tensor;

/// Another grouping of rows makes libtorch add the same few dozen products in another order. Each sum is off by about
/// 2^-24 of its terms; through three blocks, norms included, that comes to a few 1e-6 of a row's largest value.
const SAME: f64 = 2e-5;

const LIMITS: Limits = Limits { batch_tokens: 1024, wave_tokens: 4096, decode_rows: 128 };
const SITES: [Site; 9] = [
    Site::Embed,
    Site::ResidPre,
    Site::HeadOut,
    Site::AttnOut,
    Site::ResidMid,
    Site::MlpAct,
    Site::MlpOut,
    Site::ResidPost,
    Site::FinalNorm,
];
const LAYERS: [usize; 3] = [0, 1, 2];

fn model() -> Model {
    tch::set_num_threads(1);
    Model::load(&tiny(), &Load::default()).expect("the fixture model")
}

/// Ids above the special tokens.
fn random_ids(random: &mut SplitMix, len: usize) -> Vec<i64> {
    (0..len).map(|_| 3 + random.below(261) as i64).collect()
}

/// Sequences of uneven length that begin alike, branch and contain one another, as rounds and options do.
fn family() -> Vec<Vec<i64>> {
    let random = &mut SplitMix::new(5);
    let trunk = random_ids(random, 23);
    let mut sequences = vec![trunk.clone()];
    for cut in [3, 11, 22, 23] {
        for len in [1, 2, 9, 17] {
            sequences.push([&trunk[..cut], &random_ids(random, len)].concat());
        }
    }
    let mut round = sequences[9].clone();
    for _ in 0..3 {
        round.extend(random_ids(random, 14));
        sequences.push(round.clone());
    }
    sequences.extend([1, 2, 40].map(|len| random_ids(random, len)));
    sequences
}

fn everywhere(ids: &[i64]) -> Request {
    let all: Vec<usize> = (0..ids.len()).collect();
    Request { ids: ids.to_vec(), states: all.clone(), logits: all, ..Request::default() }
}

/// Values per site of one sequence, position by position; `logits` among them where there are any.
type Rows = BTreeMap<Site, Vec<Vec<f32>>>;

fn vectors(tensor: &Tensor) -> Vec<Vec<f32>> {
    let rows = tensor.size()[0];
    Vec::try_from(tensor.reshape([rows, -1])).expect("rows of f32")
}

/// The sequence in one pass, without tree or cache: what everything else is held against.
fn alone(model: &Model, ids: &[i64]) -> Rows {
    let rows: Vec<i64> = (0..ids.len() as i64).collect();
    let want = Want {
        sites: SITES.to_vec(),
        layers: LAYERS.to_vec(),
        rows: rows.clone(),
        logit_rows: rows,
        kv: false,
        ..Want::default()
    };
    let output = model
        .forward(&[Chunk { ids, past: Vec::new(), start: 0, reach: 0, forks: &[] }], &want)
        .expect("a pass");
    let mut found: Rows = output.states.iter().map(|(site, states)| (*site, vectors(states))).collect();
    found.insert(Site::Logits, vectors(&output.logits.expect("logits")));
    found
}

/// The rows of request number `i`.
fn rows_of(encoded: &Encoded, i: usize) -> Rows {
    let pick = |tensor: &Tensor, rows: &[i64]| vectors(&tensor.index_select(0, &Tensor::from_slice(rows)));
    let mut found: Rows =
        encoded.states.iter().map(|(site, states)| (*site, pick(states, &encoded.state_rows[i]))).collect();
    if let Some(logits) = &encoded.logits {
        found.insert(Site::Logits, pick(logits, &encoded.logit_rows[i]));
    }
    found
}

fn same(found: &Rows, expected: &Rows, place: &str) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{place}");
    for (site, expected) in expected {
        assert_eq!(found[site].len(), expected.len(), "{place}, {site}");
        for (position, (a, b)) in found[site].iter().zip(expected).enumerate() {
            // A site with layers holds one vector a layer, each of a size of its own.
            let width = if site.per_layer() { b.len() / LAYERS.len() } else { b.len() };
            for (layer, (a, b)) in a.chunks(width).zip(b.chunks(width)).enumerate() {
                close(a, b, SAME, &format!("{place}, {site}, position {position}, layer {layer}"));
            }
        }
    }
}

fn prefixes(sequences: &[Vec<i64>]) -> usize {
    let all = sequences.iter().flat_map(|ids| (1..=ids.len()).map(|n| &ids[..n]));
    all.collect::<BTreeSet<_>>().len()
}

#[test]
fn a_row_in_a_batch_equals_the_row_alone() {
    let model = model();
    let random = &mut SplitMix::new(1);
    let sequences: Vec<Vec<i64>> = [1, 30, 2, 7, 64, 13, 13, 5].map(|len| random_ids(random, len)).to_vec();
    let requests: Vec<Request> = sequences.iter().map(|ids| everywhere(ids)).collect();
    let encoded = Engine::new(&model, LIMITS).encode(&requests, &SITES, &LAYERS).expect("states");
    for (i, ids) in sequences.iter().enumerate() {
        let expected = alone(&model, ids);
        same(&rows_of(&encoded, i), &expected, &format!("sequence {i}"));
        expected.iter().for_each(|(site, rows)| varied(&rows.concat(), site.name()));
    }
}

#[test]
fn a_row_keeps_its_place_when_the_batch_is_put_in_another_order() {
    let model = model();
    let sequences = family();
    let order: Vec<usize> = (0..sequences.len()).map(|i| (i * 7 + 3) % sequences.len()).collect();
    let run = |order: &[usize]| {
        let requests: Vec<Request> = order.iter().map(|&i| everywhere(&sequences[i])).collect();
        Engine::new(&model, LIMITS).encode(&requests, &SITES, &LAYERS).expect("states")
    };
    let (straight, mixed) = (run(&(0..sequences.len()).collect::<Vec<_>>()), run(&order));
    for (place, &i) in order.iter().enumerate() {
        same(&rows_of(&mixed, place), &rows_of(&straight, i), &format!("sequence {i}"));
    }
}

#[test]
fn rounds_through_the_shared_tree_equal_each_round_alone() {
    let model = model();
    let sequences = family();
    let requests: Vec<Request> = sequences.iter().map(|ids| everywhere(ids)).collect();
    let encoded = Engine::new(&model, LIMITS).encode(&requests, &SITES, &LAYERS).expect("states");
    assert_eq!(encoded.encoded_tokens, prefixes(&sequences), "every distinct token is encoded once");
    assert!(encoded.encoded_tokens < sequences.iter().map(Vec::len).sum());
    for (i, ids) in sequences.iter().enumerate() {
        same(&rows_of(&encoded, i), &alone(&model, ids), &format!("sequence {i}"));
    }
}

#[test]
fn any_limit_on_batches_gives_the_same_states() {
    let model = model();
    let sequences = family();
    let expected: Vec<Rows> = sequences.iter().map(|ids| alone(&model, ids)).collect();
    for batch_tokens in [1, 2, 13, 50] {
        let requests: Vec<Request> = sequences.iter().map(|ids| everywhere(ids)).collect();
        let limits = Limits { batch_tokens, ..LIMITS };
        let encoded = Engine::new(&model, limits).encode(&requests, &SITES, &LAYERS).expect("states");
        for (i, expected) in expected.iter().enumerate() {
            same(&rows_of(&encoded, i), expected, &format!("batches of {batch_tokens} tokens, sequence {i}"));
        }
    }
}

#[test]
fn any_limit_on_waves_gives_the_same_states() {
    let model = model();
    let sequences = family();
    let mut engine = Engine::new(&model, LIMITS);
    for wave_tokens in [1, 40, 100, 10_000] {
        let waves = tree::waves(&sequences, wave_tokens);
        assert_eq!(waves.len() == 1, wave_tokens == 10_000);
        for wave in waves {
            let requests: Vec<Request> = wave.iter().map(|&i| everywhere(&sequences[i])).collect();
            let encoded = engine.encode(&requests, &SITES, &LAYERS).expect("states");
            for (place, &i) in wave.iter().enumerate() {
                same(&rows_of(&encoded, place), &alone(&model, &sequences[i]), &format!("sequence {i}"));
            }
            engine.clear();
        }
    }
}

#[test]
fn a_sequence_in_cached_pieces_equals_the_sequence_whole() {
    let model = model();
    let ids = random_ids(&mut SplitMix::new(2), 50);
    let expected = alone(&model, &ids);
    for size in [1, 7, 49] {
        let mut past: Vec<Kv> = Vec::new();
        let mut found = Rows::new();
        for (i, piece) in ids.chunks(size).enumerate() {
            let rows: Vec<i64> = (0..piece.len() as i64).collect();
            let want = Want {
                sites: SITES.to_vec(),
                layers: LAYERS.to_vec(),
                rows: rows.clone(),
                logit_rows: rows,
                kv: true,
                ..Want::default()
            };
            let chunk = Chunk {
                ids: piece,
                past: past.iter().collect(),
                start: (i * size) as i64,
                reach: 0,
                forks: &[],
            };
            let mut output = model.forward(&[chunk], &want).expect("a pass");
            for (site, states) in &output.states {
                found.entry(*site).or_default().extend(vectors(states));
            }
            found.entry(Site::Logits).or_default().extend(vectors(&output.logits.expect("logits")));
            past.append(&mut output.kv);
        }
        same(&found, &expected, &format!("pieces of {size}"));
    }
}

#[test]
fn a_position_that_was_encoded_before_can_be_captured_again() {
    let model = model();
    let sequences = family();
    let mut engine = Engine::new(&model, LIMITS);
    let quiet: Vec<Request> =
        sequences.iter().map(|ids| Request { ids: ids.clone(), ..Request::default() }).collect();
    engine.encode(&quiet, &[], &[]).expect("keys and values");
    for (i, ids) in sequences.iter().enumerate() {
        let found = rows_of(&engine.encode(&[everywhere(ids)], &SITES, &LAYERS).expect("states"), 0);
        same(&found, &alone(&model, ids), &format!("sequence {i}"));
        let again = rows_of(&engine.encode(&[everywhere(ids)], &SITES, &LAYERS).expect("states"), 0);
        same(&again, &found, &format!("sequence {i}, again"));
    }
}

#[test]
fn the_same_request_twice_is_answered_twice_and_encoded_once() {
    let model = model();
    let ids = random_ids(&mut SplitMix::new(3), 12);
    let requests = [everywhere(&ids), everywhere(&ids)];
    let encoded = Engine::new(&model, LIMITS).encode(&requests, &SITES, &LAYERS).expect("states");
    assert_eq!(encoded.encoded_tokens, 12);
    assert_eq!(rows_of(&encoded, 0), rows_of(&encoded, 1));
}

#[test]
fn stopping_after_the_last_wanted_layer_changes_no_value() {
    let model = model();
    let ids = random_ids(&mut SplitMix::new(4), 20);
    let chunk = || Chunk { ids: &ids, past: Vec::new(), start: 0, reach: 0, forks: &[] };
    let whole = alone(&model, &ids);
    for layers in [vec![0], vec![1], vec![0, 1], vec![2]] {
        for sites in [vec![Site::ResidPost], SITES[..8].to_vec(), SITES.to_vec()] {
            let want = Want { sites, layers: layers.clone(), rows: (0..20).collect(), ..Want::default() };
            let output = model.forward(&[chunk()], &want).expect("a pass");
            assert_eq!(output.states.len(), want.sites.len());
            for (site, states) in &output.states {
                let width = model.spec.width(*site) as usize;
                for (found, expected) in vectors(states).iter().zip(&whole[site]) {
                    let expected: Vec<f32> = match site.per_layer() {
                        true => layers
                            .iter()
                            .flat_map(|layer| &expected[layer * width..][..width])
                            .copied()
                            .collect(),
                        false => expected.clone(),
                    };
                    assert_eq!(*found, expected, "{site}, layers {layers:?}");
                }
            }
        }
    }
    let none = Want { sites: vec![Site::Embed], rows: (0..20).collect(), ..Want::default() };
    let output = model.forward(&[chunk()], &none).expect("a pass");
    assert_eq!(vectors(&output.states[0].1), whole[&Site::Embed]);
}

fn greedy_stop(max_new: usize) -> Stop<'static> {
    Stop { max_new, never: &[2], ..Stop::default() }
}

/// Answers to prompts in one engine, whose tree is left behind.
fn continue_in(
    engine: &mut Engine<'_>,
    prompts: &[Vec<i64>],
    stop: Stop<'_>,
    samplers: &mut [Sampler],
) -> Vec<Vec<i64>> {
    let requests: Vec<Request> = prompts
        .iter()
        .map(|ids| Request { ids: ids.clone(), logits: vec![ids.len() - 1], ..Request::default() })
        .collect();
    let encoded = engine.encode(&requests, &[], &[]).expect("logits");
    let rows: Vec<i64> = encoded.logit_rows.iter().map(|rows| rows[0]).collect();
    let first = encoded.logits.expect("logits").index_select(0, &Tensor::from_slice(&rows));
    let answers = engine.generate(&encoded.nodes, &first, stop, samplers).expect("answers");
    answers.into_iter().map(|answer| answer.ids).collect()
}

/// The most probable next token, one full pass a token, without cache.
fn continue_plainly(model: &Model, prompt: &[i64], n: usize) -> Vec<i64> {
    let mut ids = prompt.to_vec();
    for _ in 0..n {
        let logits = alone(model, &ids)[&Site::Logits].last().expect("a token").clone();
        let best = |best: usize, id: usize| if id != 2 && logits[id] > logits[best] { id } else { best };
        ids.push((0..logits.len()).fold(0, best) as i64);
    }
    ids.split_off(prompt.len())
}

#[test]
fn generation_beside_others_equals_generation_alone() {
    let model = model();
    let prompts: Vec<Vec<i64>> = family().into_iter().step_by(2).collect();
    let greedy = |n: usize| vec![Sampler::Greedy; n];
    for decode_rows in [1, 3, 128] {
        let limits = Limits { decode_rows, ..LIMITS };
        let together = continue_in(
            &mut Engine::new(&model, limits),
            &prompts,
            greedy_stop(12),
            &mut greedy(prompts.len()),
        );
        for (prompt, answer) in prompts.iter().zip(together) {
            assert_eq!(
                answer,
                continue_plainly(&model, prompt, 12),
                "{decode_rows} side by side, {} ids",
                prompt.len()
            );
        }
    }
}

#[test]
fn an_answer_ends_with_the_first_end_token_and_leaves_the_others_alone() {
    let model = model();
    let prompts: Vec<Vec<i64>> = family().into_iter().step_by(3).collect();
    let free: Vec<Vec<i64>> = prompts.iter().map(|prompt| continue_plainly(&model, prompt, 12)).collect();
    let ends = [free[0][4], free[1][0], free[2][7]];
    let mut engine = Engine::new(&model, LIMITS);
    let stop = Stop { max_new: 12, ends: &ends, ..Stop::default() };
    // Token 2 may be chosen here, and by chance never is; the plain continuation leaves it out.
    let answers = continue_in(&mut engine, &prompts, stop, &mut vec![Sampler::Greedy; prompts.len()]);
    let lengths: BTreeSet<usize> = answers.iter().map(Vec::len).collect();
    assert!(lengths.len() > 1, "all answers are of one length");
    for (answer, free) in answers.iter().zip(&free) {
        let end = free.iter().position(|id| ends.contains(id)).map_or(12, |at| at + 1);
        assert_eq!(answer[..], free[..end]);
    }
}

#[test]
fn answers_kept_in_the_tree_give_the_same_next_round_as_encoding_from_scratch() {
    let model = model();
    let prompts: Vec<Vec<i64>> = family().into_iter().step_by(2).collect();
    let mut engine = Engine::new(&model, LIMITS);
    let random = &mut SplitMix::new(6);
    let mut rounds = prompts;
    for round in 0..3 {
        let answers =
            continue_in(&mut engine, &rounds, greedy_stop(6), &mut vec![Sampler::Greedy; rounds.len()]);
        for (ids, answer) in rounds.iter_mut().zip(answers) {
            ids.extend(answer);
            ids.extend(random_ids(random, 5));
        }
        let last: Vec<Request> = rounds
            .iter()
            .map(|ids| Request { ids: ids.clone(), states: vec![ids.len() - 1], ..Request::default() })
            .collect();
        let encoded = engine.encode(&last, &SITES, &LAYERS).expect("states");
        // Of an answer of six tokens the last was never fed to the model; five more were appended.
        assert_eq!(encoded.encoded_tokens, 6 * rounds.len(), "round {round} finds its answers encoded");
        let all = engine
            .encode(&rounds.iter().map(|ids| everywhere(ids)).collect::<Vec<_>>(), &SITES, &LAYERS)
            .expect("states");
        for (i, ids) in rounds.iter().enumerate() {
            same(&rows_of(&all, i), &alone(&model, ids), &format!("round {round}, sequence {i}"));
        }
    }
}

#[test]
fn sampling_draws_the_same_tokens_for_the_same_seed_whatever_the_batch() {
    let model = model();
    let prompts: Vec<Vec<i64>> = family().into_iter().step_by(4).collect();
    let sampling = Sampling { temperature: 0.9, top_p: 0.95, top_k: 30 };
    let sampler = |seed: u64, i: usize| Sampler::new(Some(sampling), SplitMix::stream(seed, i as u64));
    let together = |seed: u64, decode_rows: usize| {
        let mut samplers: Vec<Sampler> = (0..prompts.len()).map(|i| sampler(seed, i)).collect();
        let limits = Limits { decode_rows, ..LIMITS };
        continue_in(&mut Engine::new(&model, limits), &prompts, greedy_stop(10), &mut samplers)
    };
    let drawn = together(1, 128);
    assert_eq!(drawn, together(1, 2));
    for (i, prompt) in prompts.iter().enumerate() {
        let one = continue_in(
            &mut Engine::new(&model, LIMITS),
            std::slice::from_ref(prompt),
            greedy_stop(10),
            &mut [sampler(1, i)],
        );
        assert_eq!(one[0], drawn[i]);
    }
    assert_ne!(drawn, together(2, 128));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_was_encoded_before_a_state_is_the_same(
        calls in prop::collection::vec(prop::collection::vec(prop::collection::vec(0i64..3, 1..14), 1..6), 1..5),
        batch_tokens in 1usize..40,
    ) {
        let model = model();
        let mut engine = Engine::new(&model, Limits { batch_tokens, ..LIMITS });
        for sequences in &calls {
            let requests: Vec<Request> = sequences.iter().map(|ids| everywhere(ids)).collect();
            let encoded = engine.encode(&requests, &[Site::ResidPost], &[2]).expect("states");
            for (i, ids) in sequences.iter().enumerate() {
                let expected = &alone(&model, ids)[&Site::ResidPost];
                for (found, expected) in rows_of(&encoded, i)[&Site::ResidPost].iter().zip(expected) {
                    prop_assert!(difference(found, &expected[32..]) <= SAME);
                }
            }
        }
    }
}

/// A study's dialogues over the fixture items.
struct Told {
    model: Model,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    study: Study,
}

const POSITIONS: [Position; 5] = [
    Position::Last,
    Position::InstructionEnd,
    Position::AnswerFirst,
    Position::AnswerLast,
    Position::AnswerMean,
];

impl Told {
    fn new() -> Self {
        let tokenizer = Tokenizer::read(&tiny()).expect("a tokenizer");
        let template = ChatTemplate::read(&tiny()).expect("a template");
        let mut study = Study::parse(DEMO, "demo").expect("the demo");
        study.dialogue.max_new_tokens = 5;
        Self { model: model(), tokenizer, template, study }
    }

    fn run(&self, items: &[Item], limits: Limits) -> Vec<Outcome> {
        let arms = &self.study.arms().expect("conditions")[..3];
        let script = common::script(&self.tokenizer, &self.template, &self.model.spec.eos);
        let ask = Ask {
            arms,
            readers: &[],
            rounds: 3,
            orders: Orders::Cyclic,
            scoring: &[Scoring::Letter],
            min_new_tokens: 0,
            sampling: None,
            samples: None,
            seed: 0,
            document: &[],
            sites: &[Site::ResidPost, Site::FinalNorm],
            layers: &LAYERS,
            positions: &POSITIONS,
        };
        let tally = Tally::new(&|_, _| Ok(()));
        let (outcomes, failures) =
            study::run(&self.model, &script, &ask, items, limits, &tally).expect("outcomes");
        assert!(failures.is_empty(), "{failures:?}");
        outcomes
    }
}

fn items() -> Vec<Item> {
    let read = |task: &str| task::load(task, None, Some(&fixtures().join(task))).expect("items");
    let mut items: Vec<Item> = read("bbq").into_iter().step_by(9).collect();
    items.extend(read("winogender").into_iter().take(2));
    items
}

#[test]
fn a_dialogue_beside_others_equals_the_dialogue_alone() {
    let told = Told::new();
    let items = items();
    let together = told.run(&items, LIMITS);
    for (i, item) in items.iter().enumerate() {
        let limits = Limits { batch_tokens: 64, wave_tokens: 64, decode_rows: 2 };
        let single = told.run(std::slice::from_ref(item), limits);
        for (all, one) in together.iter().zip(&single) {
            for (a, b) in all.turns[i * 3..i * 3 + 3].iter().zip(&one.turns) {
                for (a, b) in a.orders.iter().zip(&b.orders) {
                    assert_eq!(
                        (&a.new_ids, &a.answer_ids, &a.answer),
                        (&b.new_ids, &b.answer_ids, &b.answer)
                    );
                }
                // Log-probabilities are of the size of 10; logits agree to about 1e-6 of that.
                a.logprobs
                    .iter()
                    .zip(&b.logprobs)
                    .for_each(|(a, b)| assert!((a - b).abs() < 1e-4, "{a} {b}"));
            }
            for ((site, all), (_, one)) in all.states.iter().zip(&one.states) {
                let width = told.model.spec.width(*site) as usize;
                let rows = |t: &Tensor| Vec::<f32>::try_from(t.reshape([-1])).expect("f32");
                for (a, b) in rows(&all.get(i as i64)).chunks(width).zip(rows(one).chunks(width)) {
                    if b.iter().any(|x| x.is_nan()) {
                        assert!(a.iter().all(|x| x.is_nan()), "{}, {site}", item.id);
                    } else {
                        close(a, b, SAME, &format!("{}, {site}", item.id));
                    }
                }
            }
        }
    }
}

#[test]
fn the_states_of_every_round_are_those_of_its_whole_history_encoded_from_scratch() {
    let told = Told::new();
    let items = items();
    let mut answered = 0;
    for outcome in told.run(&items, LIMITS) {
        let states = &outcome.states.iter().find(|(site, _)| *site == Site::ResidPost).expect("resid_post").1;
        assert_eq!(states.size(), [items.len() as i64, 3, 5, 3, 16]);
        for (i, turns) in outcome.turns.chunks(3).enumerate() {
            let mut ids = Vec::new();
            for (round, turn) in turns.iter().enumerate() {
                assert_eq!((turn.item.as_str(), turn.round), (items[i].id.as_str(), round));
                let given = &turn.orders[0];
                ids.extend_from_slice(&given.new_ids);
                let begin = ids.len();
                ids.extend_from_slice(&given.answer_ids);
                let whole = &alone(&told.model, &ids)[&Site::ResidPost];
                let found: Vec<Vec<f32>> = vectors(&states.get(i as i64).get(round as i64));
                let place = |name: &str| format!("{}, round {round}, {name}", turn.item);

                let text = told.tokenizer.encode("<|im_start|>assistant\n", false).expect("ids");
                let opening = ids[..begin]
                    .windows(text.len())
                    .collect::<Vec<_>>()
                    .iter()
                    .rposition(|window| *window == text)
                    .expect("an opening");
                close(&found[0], &whole[opening + text.len() - 1], SAME, &place("last"));
                // What the user said ends before `<|im_end|>\n`.
                close(&found[1], &whole[opening - 3], SAME, &place("instruction_end"));
                if begin == ids.len() {
                    assert!(found[2..].concat().iter().all(|x| x.is_nan()), "an empty answer has no states");
                    continue;
                }
                answered += 1;
                close(&found[2], &whole[begin], SAME, &place("answer_first"));
                close(&found[3], &whole[ids.len() - 1], SAME, &place("answer_last"));
                let answer = &whole[begin..];
                let mean = |at: usize| answer.iter().map(|row| row[at]).sum::<f32>() / answer.len() as f32;
                close(&found[4], &(0..48).map(mean).collect::<Vec<_>>(), SAME, &place("answer_mean"));
            }
        }
    }
    assert!(answered > 10, "hardly any dialogue has an answer: {answered}");
}

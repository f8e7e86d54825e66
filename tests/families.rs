//! Every family against transformers, by tiny checkpoints whose weights a formula gives.
//!
//! tests/fixtures/families holds one text file a case: a config, the shapes of its tensors, three rows of tokens, and
//! what transformers makes of them (tests/reference/families.py). RECANT_FAMILY_CASES names another such folder,
//! RECANT_TEST_DEVICE another device than the CPU (`make test-gpu`).

#![allow(clippy::print_stderr, reason = "the largest difference is worth knowing")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Outcome, fixtures};
use recant::align::save;
use recant::model::spec::RopeScaling;
use recant::model::{Chunk, Dtype, Kv, Load, Model, Parameter, Rank, Site, Spec, Tuning, Want};
use recant::runner::{Engine, Limits, Request, Sampler, Stop};
use serde::Deserialize;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

/// Largest difference from transformers, as a part of the vector's largest value. f32 rounds at 6e-8. Other devices sum
/// in another order and take other exponentials.
fn parity() -> f64 {
    if device() == Device::Cpu { 1e-5 } else { 1e-4 }
}
/// Largest difference between two ways of ours.
const OURS: f64 = 1e-5;
/// Differences of bf16 and f16 from f32 over the vectors of a case: their median, and the largest.
const BF16: [f64; 2] = [3e-2, 3e-1];
const F16: [f64; 2] = [4e-3, 5e-2];

#[derive(Deserialize)]
struct Case {
    case: String,
    config: Value,
    /// The same without the keys that hold the family's defaults.
    sparse_config: Option<Value>,
    tensors: BTreeMap<String, Vec<i64>>,
    rows: Vec<Vec<i64>>,
    expected: BTreeMap<String, Value>,
}

fn device() -> Device {
    let name = std::env::var("RECANT_TEST_DEVICE").unwrap_or_else(|_| "cpu".into());
    recant::model::device::devices(&name).expect("a device")[0]
}

fn cases() -> Vec<Case> {
    let folder =
        std::env::var_os("RECANT_FAMILY_CASES").map_or_else(|| fixtures().join("families"), PathBuf::from);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no cases in {}", folder.display());
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a case");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    paths.iter().map(read).collect()
}

/// The weights of a tensor: a stream of numbers that its name seeds; see tests/reference/families.py.
fn values(name: &str, count: i64) -> Vec<f32> {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let value = |i: i64| {
        let mut z = seed.wrapping_add((i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let unit = (z >> 40) as f32 / (1 << 24) as f32 * 2.0 - 1.0;
        0.2 * unit
    };
    (0..count).map(value).collect()
}

impl Case {
    /// Writes the checkpoint.
    fn checkpoint(&self, dir: &Path) {
        let tensors: Vec<_> = self
            .tensors
            .iter()
            .map(|(name, shape)| {
                let norm = ["norm", "ln_"].iter().any(|part| name.contains(part));
                let one = shape.len() == 1 && norm && name.ends_with(".weight");
                let mut values = values(name, shape.iter().product());
                values.iter_mut().for_each(|value| *value += if one { 1.0 } else { 0.0 });
                (name, Tensor::from_slice(&values).view(&shape[..]))
            })
            .collect();
        fs::write(dir.join("config.json"), self.config.to_string()).expect("config.json");
        Tensor::write_safetensors(&tensors, dir.join("model.safetensors")).expect("model.safetensors");
    }

    fn load(&self, dir: &Path, change: impl FnOnce(&mut Load)) -> Model {
        let mut how = Load { devices: vec![device()], ..Load::default() };
        change(&mut how);
        Model::load(dir, &how).unwrap_or_else(|error| panic!("{}: {error}", self.case))
    }

    /// The values of `name` for each row at its last and its middle token.
    fn expected(&self, name: &str) -> Vec<[Vec<f64>; 2]> {
        serde_json::from_value(self.expected[name].clone())
            .unwrap_or_else(|_| panic!("{}: {name}", self.case))
    }

    /// Whether rotations change with the length of the sequence, so that a prefix is encoded for one length only.
    fn turns(&self, model: &Model) -> bool {
        self.rows.iter().any(|row| model.spec.reach(row.len() as i64 + 8) != 0)
    }
}

const SITES: [Site; 5] = [Site::Embed, Site::AttnOut, Site::MlpOut, Site::ResidPost, Site::FinalNorm];

/// Every token's states and logits, per site `(tokens, layers, width)` or `(tokens, width)`.
type States = BTreeMap<&'static str, Tensor>;

fn chunk<'a>(model: &Model, ids: &'a [i64]) -> Chunk<'a> {
    Chunk { ids, past: Vec::new(), start: 0, reach: model.spec.reach(ids.len() as i64), forks: &[] }
}

fn forward(model: &Model, chunks: &[Chunk<'_>], kv: bool) -> (States, Vec<Kv>) {
    let rows: Vec<i64> = (0..chunks.iter().map(|chunk| chunk.ids.len() as i64).sum()).collect();
    let layers = (0..model.spec.n_layers).collect();
    let want =
        Want { sites: SITES.to_vec(), layers, rows: rows.clone(), logit_rows: rows, kv, ..Want::default() };
    let output = model.forward(chunks, &want).expect("a pass");
    let here = |tensor: Tensor| tensor.to_device(Device::Cpu);
    let mut states: States =
        output.states.into_iter().map(|(site, tensor)| (site.name(), here(tensor))).collect();
    states.insert("logits", here(output.logits.expect("logits")));
    (states, output.kv)
}

/// The largest difference of each token and layer, as a part of the largest value there.
fn differences(a: &Tensor, b: &Tensor) -> Vec<f64> {
    let scale = b.abs().amax(&[-1i64][..], false).clamp_min(1e-6);
    let off = (a - b).abs().amax(&[-1i64][..], false) / scale;
    Vec::<f64>::try_from(off.flatten(0, -1).to_kind(Kind::Double)).expect("numbers")
}

fn same(case: &str, a: &States, b: &States, bound: f64) {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "{case}");
    for (site, a) in a {
        let worst = differences(a, &b[site]).into_iter().fold(0.0, f64::max);
        assert!(worst <= bound, "{case}: {site} differs by {worst:.1e}");
    }
}

#[test]
fn every_family_agrees_with_transformers_at_every_layer() {
    let mut worst = (0.0, String::new());
    for case in cases() {
        let dir = TempDir::new().expect("a directory");
        case.checkpoint(dir.path());
        let model = case.load(dir.path(), |_| ());
        let n_layers = model.spec.n_layers;
        let mut compared = 0;
        for (row, ids) in case.rows.iter().enumerate() {
            let (states, _) = forward(&model, &[chunk(&model, ids)], false);
            for (name, key, layer) in names(n_layers) {
                let found = match layer {
                    Some(layer) => states[key].select(1, layer as i64),
                    None => states[key].shallow_clone(),
                };
                let [last, middle] = &case.expected(&name)[row];
                for (expected, token) in [(last, ids.len() - 1), (middle, ids.len() / 2)] {
                    let expected = Tensor::from_slice(expected).to_kind(Kind::Float);
                    let off = differences(&found.get(token as i64), &expected)[0];
                    assert!(off <= parity(), "{}: {name}, row {row}, token {token}: {off:.1e}", case.case);
                    compared += 1;
                    if off > worst.0 {
                        worst = (off, format!("{} {name}", case.case));
                    }
                }
            }
        }
        assert_eq!(compared, case.rows.len() * 2 * (3 * n_layers + 2), "{}", case.case);
    }
    eprintln!("largest difference {:.1e} ({})", worst.0, worst.1);
}

#[test]
fn what_the_last_layer_leaves_unembeds_to_the_logits_in_every_family() {
    for case in cases() {
        let dir = TempDir::new().expect("a directory");
        case.checkpoint(dir.path());
        for stream in [false, true] {
            let model = case.load(dir.path(), |how| how.stream = stream);
            let (states, _) = forward(&model, &[chunk(&model, &case.rows[0])], false);
            let last = states["resid_post"].select(1, model.spec.n_layers as i64 - 1);
            let found = model.unembed(&last).expect("logits").to_device(Device::Cpu);
            let worst = differences(&found, &states["logits"]).into_iter().fold(0.0, f64::max);
            assert!(worst <= OURS, "{}: off by {worst:.1e}", case.case);
        }
    }
}

/// Names in the fixtures, with our site and layer.
fn names(n_layers: usize) -> Vec<(String, &'static str, Option<usize>)> {
    let mut names = vec![
        ("hidden.0".to_string(), "embed", None),
        (format!("hidden.{n_layers}"), "final_norm", None),
        ("logits".to_string(), "logits", None),
    ];
    for layer in 0..n_layers {
        if layer + 1 < n_layers {
            names.push((format!("hidden.{}", layer + 1), "resid_post", Some(layer)));
        }
        names.push((format!("attn_out.{layer}"), "attn_out", Some(layer)));
        names.push((format!("mlp_out.{layer}"), "mlp_out", Some(layer)));
    }
    names
}

#[test]
fn every_family_continues_as_transformers_does() {
    for case in cases() {
        let dir = TempDir::new().expect("a directory");
        case.checkpoint(dir.path());
        let model = case.load(dir.path(), |_| ());
        let expected: Vec<Vec<i64>> = serde_json::from_value(case.expected["greedy"].clone()).expect("ids");
        assert_eq!(generate(&model, &case.rows, expected[0].len()), expected, "{}", case.case);
    }
}

fn generate(model: &Model, rows: &[Vec<i64>], max_new: usize) -> Vec<Vec<i64>> {
    let mut engine = Engine::new(model, Limits::for_model(model));
    let request =
        |ids: &Vec<i64>| Request { ids: ids.clone(), logits: vec![ids.len() - 1], ..Request::default() };
    let encoded = engine.encode(&rows.iter().map(request).collect::<Vec<_>>(), &[], &[]).expect("prompts");
    let index: Vec<i64> = encoded.logit_rows.iter().map(|rows| rows[0]).collect();
    let first = encoded.logits.expect("logits").index_select(0, &Tensor::from_slice(&index));
    let stop = Stop { max_new, never: &model.spec.eos, ..Stop::default() };
    let mut samplers: Vec<Sampler> = rows.iter().map(|_| Sampler::Greedy).collect();
    let answers = engine.generate(&encoded.nodes, &first, stop, &mut samplers).expect("answers");
    answers.into_iter().map(|answer| answer.ids).collect()
}

#[test]
fn every_way_of_computing_gives_the_same_states() {
    for case in cases() {
        let dir = TempDir::new().expect("a directory");
        case.checkpoint(dir.path());
        let model = case.load(dir.path(), |_| ());
        let alone: Vec<States> =
            case.rows.iter().map(|ids| forward(&model, &[chunk(&model, ids)], false).0).collect();

        let chunks: Vec<_> = case.rows.iter().map(|ids| chunk(&model, ids)).collect();
        let (packed, _) = forward(&model, &chunks, false);
        let mut start = 0;
        for (ids, alone) in case.rows.iter().zip(&alone) {
            let len = ids.len() as i64;
            let part = packed.iter().map(|(site, t)| (*site, t.narrow(0, start, len))).collect();
            same(&format!("{}: packed = alone", case.case), &part, alone, OURS);
            start += len;
        }

        for (ids, alone) in case.rows.iter().zip(&alone) {
            let pieces = in_pieces(&model, ids);
            same(&format!("{}: cache = full pass", case.case), &pieces, alone, OURS);
        }

        let streamed = case.load(dir.path(), |how| how.stream = true);
        assert!(streamed.streamed());
        let (found, _) = forward(&streamed, &chunks, false);
        same(&format!("{}: streamed = resident", case.case), &found, &packed, 0.0);

        let two = case.load(dir.path(), |how| how.devices = vec![device(); 2]);
        let (found, _) = forward(&two, &chunks, false);
        same(&format!("{}: two places = one", case.case), &found, &packed, 0.0);

        let answers = generate(&model, &case.rows, 8);
        for (model, name) in [(&streamed, "streamed"), (&two, "two places")] {
            assert_eq!(generate(model, &case.rows, 8), answers, "{}: {name}", case.case);
        }
        let whole: Vec<Vec<i64>> = case.rows.iter().map(|ids| by_full_passes(&model, ids)).collect();
        assert_eq!(answers, whole, "{}: decoding over the cache = full passes", case.case);
    }
}

/// States of a sequence that is encoded in pieces of five tokens over the keys and values of those before.
fn in_pieces(model: &Model, ids: &[i64]) -> States {
    let mut done: Vec<Kv> = Vec::new();
    let mut parts: Vec<States> = Vec::new();
    for (i, piece) in ids.chunks(5).enumerate() {
        let reach = model.spec.reach(ids.len() as i64);
        let chunk = Chunk { ids: piece, past: done.iter().collect(), start: 5 * i as i64, reach, forks: &[] };
        let (states, mut kv) = forward(model, &[chunk], true);
        parts.push(states);
        done.append(&mut kv);
    }
    let join = |site: &'static str| {
        let tensors: Vec<&Tensor> = parts.iter().map(|part| &part[site]).collect();
        (site, Tensor::cat(&tensors, 0))
    };
    parts[0].keys().map(|site| join(site)).collect()
}

fn by_full_passes(model: &Model, ids: &[i64]) -> Vec<i64> {
    let mut ids = ids.to_vec();
    let begin = ids.len();
    let ends = Tensor::from_slice(&model.spec.eos);
    while ids.len() < begin + 8 {
        let want = Want { logit_rows: vec![ids.len() as i64 - 1], ..Want::default() };
        let logits = model.forward(&[chunk(model, &ids)], &want).expect("a pass").logits.expect("logits");
        let logits = logits.to_device(Device::Cpu);
        let best = logits.index_fill(1, &ends, f64::NEG_INFINITY).argmax(-1, false);
        ids.push(best.int64_value(&[0]));
    }
    ids.split_off(begin)
}

/// The same checkpoint with NaN for every number, and this standard deviation of its first weights.
fn without_numbers(case: &Case, dir: &Path, initializer_range: f64) {
    let blank = |shape: &Vec<i64>| Tensor::full(&shape[..], f64::NAN, (Kind::Float, Device::Cpu));
    let tensors: Vec<_> = case.tensors.iter().map(|(name, shape)| (name, blank(shape))).collect();
    Tensor::write_safetensors(&tensors, dir.join("model.safetensors")).expect("model.safetensors");
    let mut config = case.config.clone();
    config["initializer_range"] = initializer_range.into();
    fs::write(dir.join("config.json"), config.to_string()).expect("config.json");
}

#[test]
fn every_family_has_a_model_of_random_weights_that_takes_nothing_but_shapes_from_its_files() {
    for case in cases() {
        let dir = TempDir::new().expect("a directory");
        let random = |seed: u64, stream: bool| {
            let how = Load { devices: vec![device()], stream, ..Load::default() };
            let model = Model::random(dir.path(), &how, seed);
            let model = model.unwrap_or_else(|error| panic!("{}: {error}", case.case));
            let chunks: Vec<_> = case.rows.iter().map(|ids| chunk(&model, ids)).collect();
            forward(&model, &chunks, false).0
        };
        case.checkpoint(dir.path());
        let own = random(7, false);
        let trained = case.load(dir.path(), |_| ());
        let chunks: Vec<_> = case.rows.iter().map(|ids| chunk(&trained, ids)).collect();
        let trained = forward(&trained, &chunks, false).0;
        without_numbers(&case, dir.path(), 0.25);
        let (states, streamed, other) = (random(7, false), random(7, true), random(8, false));
        for (site, found) in &states {
            let place = format!("{}: {site}", case.case);
            assert_eq!(f64::try_from(found.isfinite().all()).expect("a flag"), 1.0, "{place}");
            assert_eq!(found, &streamed[site], "{place}: each block drawn anew");
            assert_ne!(found, &other[site], "{place}: another seed");
            assert_ne!(&own[site], &trained[site], "{place}: trained");
        }
        // What the last norm gives has the scale that its formula is for: its weight counts as one.
        let square = states["final_norm"].square().mean(Kind::Double).double_value(&[]);
        assert!((square - 1.0).abs() < 0.01, "{}: mean square {square}", case.case);
        // Twice the deviation, twice the embedding: not a single number comes from elsewhere.
        without_numbers(&case, dir.path(), 0.5);
        assert_eq!(random(7, false)["embed"], &states["embed"] * 2.0, "{}", case.case);
        let ratio = (states["embed"].abs().max() / own["embed"].abs().max()).double_value(&[]);
        let usual = if case.case.starts_with("starcoder2") { 0.018_042 } else { 0.02 };
        assert!((ratio * usual / 0.25 - 1.0).abs() < 1e-5, "{}: {ratio}", case.case);
    }
}

#[test]
fn a_model_of_random_weights_is_refused_where_the_files_hold_other_shapes() {
    let case = cases().into_iter().find(|case| case.case.starts_with("llama")).expect("a case");
    let dir = TempDir::new().expect("a directory");
    case.checkpoint(dir.path());
    let mut config = case.config.clone();
    let wider = config["intermediate_size"].as_i64().expect("a size") + 8;
    config["intermediate_size"] = wider.into();
    fs::write(dir.path().join("config.json"), config.to_string()).expect("config.json");
    let refused = |error: recant::Error| error.to_string();
    let of_random = Model::random(dir.path(), &Load::default(), 0).map(drop).map_err(refused);
    let of_trained = Model::load(dir.path(), &Load::default()).map(drop).map_err(refused);
    assert!(of_random.as_ref().is_err_and(|why| why.contains("has shape")), "{of_random:?}");
    assert_eq!(of_random, of_trained);
}

#[test]
fn half_precision_stays_within_its_rounding() {
    for case in cases() {
        let dir = TempDir::new().expect("a directory");
        case.checkpoint(dir.path());
        let model = case.load(dir.path(), |_| ());
        let chunks: Vec<_> = case.rows.iter().map(|ids| chunk(&model, ids)).collect();
        let (wide, _) = forward(&model, &chunks, false);
        for (dtype, [median, most]) in [(Dtype::Bf16, BF16), (Dtype::F16, F16)] {
            let narrow = case.load(dir.path(), |how| how.kind = dtype.kind());
            let (found, _) = forward(&narrow, &chunks, false);
            let mut off: Vec<f64> =
                found.iter().flat_map(|(site, found)| differences(found, &wide[site])).collect();
            off.sort_by(f64::total_cmp);
            let (middle, worst) = (off[off.len() / 2], off[off.len() - 1]);
            let place = format!("{} in {dtype:?}", case.case);
            assert!(worst > 0.0 && middle <= median && worst <= most, "{place}: {middle:.1e}, {worst:.1e}");
        }
    }
}

#[test]
fn keys_left_out_of_a_config_mean_what_they_mean_to_transformers() {
    let mut compared = 0;
    for case in cases() {
        let Some(sparse) = &case.sparse_config else { continue };
        let dir = TempDir::new().expect("a directory");
        case.checkpoint(dir.path());
        let mut full = case.load(dir.path(), |_| ()).spec;
        fs::write(dir.path().join("config.json"), sparse.to_string()).expect("config.json");
        // End tokens are not defaulted: they come from generation_config.json too.
        full.eos.clear();
        let mut spec = case.load(dir.path(), |_| ()).spec;
        spec.eos.clear();
        assert_eq!(spec, full, "{}", case.case);
        compared += 1;
    }
    assert!(std::env::var_os("RECANT_FAMILY_CASES").is_some() || compared >= 19, "{compared} sparse configs");
}

#[test]
fn the_text_part_of_a_model_that_sees_images_is_that_of_the_text_model() {
    let all = cases();
    for (mut case, prefix) in all.into_iter().filter(|case| case.config["model_type"] == "gemma3_text").zip([
        "language_model.model.",
        "model.language_model.",
        "language_model.model.",
    ]) {
        let dir = TempDir::new().expect("a directory");
        case.checkpoint(dir.path());
        let model = case.load(dir.path(), |_| ());
        let chunks: Vec<_> = case.rows.iter().map(|ids| chunk(&model, ids)).collect();
        let (text, _) = forward(&model, &chunks, false);

        let both = TempDir::new().expect("a directory");
        case.config = serde_json::json!({
            "model_type": "gemma3", "text_config": case.config, "vision_config": { "hidden_size": 8 },
            "tie_word_embeddings": case.config["tie_word_embeddings"],
        });
        fs::write(both.path().join("config.json"), case.config.to_string()).expect("config.json");
        let tensors: Vec<_> = Tensor::read_safetensors(dir.path().join("model.safetensors"))
            .expect("tensors")
            .into_iter()
            .map(|(name, tensor)| {
                (name.strip_prefix("model.").map_or(name.clone(), |rest| format!("{prefix}{rest}")), tensor)
            })
            .collect();
        Tensor::write_safetensors(&tensors, both.path().join("model.safetensors")).expect("written");
        let model = case.load(both.path(), |_| ());
        let (found, _) = forward(&model, &chunks, false);
        same(&case.case, &found, &text, 0.0);
    }
}

/// The spec of a fixture's config with some keys changed; null removes a key.
fn spec(case: &str, changes: Value) -> recant::Result<Spec> {
    let case = cases().into_iter().find(|found| found.case == case).expect("a case");
    let mut config = case.config.as_object().expect("an object").clone();
    for (key, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            config.remove(key);
        } else {
            config.insert(key.clone(), value.clone());
        }
    }
    let dir = TempDir::new().expect("a directory");
    fs::write(dir.path().join("config.json"), Value::from(config).to_string()).expect("config.json");
    Spec::read(dir.path())
}

#[test]
fn spellings_that_transformers_takes_mean_what_they_mean_there() -> Outcome {
    if std::env::var_os("RECANT_FAMILY_CASES").is_some() {
        return Ok(());
    }
    // A base at the top level of OLMo 3 is that of the layers that see all; the others keep the default.
    let olmo3 = spec("olmo3-default", json!({ "rope_parameters": null, "rope_theta": 10_000.0 }))?;
    assert_eq!([olmo3.ropes[0].theta, olmo3.ropes[1].theta], [10_000.0, 500_000.0]);
    // An older scaling beside newer parameters changes the layers that see all.
    let linear = json!({ "rope_scaling": { "rope_type": "linear", "factor": 8.0 } });
    let gemma3 = spec("gemma3_text-default", linear)?;
    assert_eq!(gemma3.ropes[0].scaling, RopeScaling::Linear { factor: 8.0 });
    assert_eq!(gemma3.ropes[1].scaling, RopeScaling::None);
    // GPT-2 by the usual names.
    let usual = json!({
        "n_embd": null, "n_layer": null, "n_head": null, "n_positions": null, "hidden_size": 32,
        "num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": 64,
    });
    assert_eq!(spec("gpt2-default", usual)?, spec("gpt2-default", json!({}))?);
    // A list that says more layers than there are.
    let longer = json!({ "no_rope_layers": [1, 0, 1, 1, 0, 0] });
    let rotates = |spec: &Spec| spec.layers.iter().map(|layer| layer.rope.is_some()).collect::<Vec<_>>();
    assert_eq!(rotates(&spec("smollm3-default", longer)?), [true, false, true, true]);
    // The longer context that Command R was stretched to.
    assert_eq!(spec("cohere-default", json!({ "model_max_length": 131_072 }))?.n_ctx, 131_072);
    Ok(())
}

#[test]
fn options_that_change_numbers_and_are_not_supported_are_refused_by_name() {
    if std::env::var_os("RECANT_FAMILY_CASES").is_some() {
        return;
    }
    let cases = [
        ("llama-default", json!({ "is_causal": false }), "is_causal"),
        (
            "llama-default",
            json!({ "partial_rotary_factor": 0.5, "rope_parameters": { "rope_type": "default",
            "partial_rotary_factor": 0.5 } }),
            "partial_rotary_factor",
        ),
        (
            "llama-default",
            json!({ "rope_parameters": { "full_attention": { "rope_type": "default" } } }),
            "full_attention",
        ),
        ("gpt2-default", json!({ "add_cross_attention": true }), "add_cross_attention"),
        ("falcon-default", json!({ "alibi": true }), "alibi"),
        ("falcon-new", json!({ "parallel_attn": false }), "parallel_attn"),
        ("falcon-default", json!({ "num_ln_in_parallel_attn": 2 }), "num_ln_in_parallel_attn"),
        ("gemma2-default", json!({ "use_bidirectional_attention": true }), "use_bidirectional_attention"),
        (
            "gemma3_text-default",
            json!({ "use_bidirectional_attention": true }),
            "use_bidirectional_attention",
        ),
        ("gemma3_text-default", json!({ "rope_scaling": { "type": "linear", "factor": 8.0 } }), "type"),
        (
            "gemma3_text-default",
            json!({ "layer_types": ["chunked_attention", "full_attention"] }),
            "layer_types",
        ),
        (
            "qwen2-default",
            json!({ "layer_types": ["sliding_attention", "full_attention", "full_attention"] }),
            "layer_types",
        ),
        ("qwen2-default", json!({ "rope_scaling": { "rope_type": "mrope" } }), "rope_type"),
        (
            "phi3-longrope",
            json!({ "rope_parameters": { "rope_type": "longrope", "short_factor": [1.0],
            "long_factor": [1.0], "rope_theta": 1000.0 } }),
            "factor",
        ),
        ("stablelm-default", json!({ "head_dim": 12 }), "head_dim"),
        ("olmo-default", json!({ "hidden_act": "softplus" }), "hidden_act"),
    ];
    for (case, changes, key) in cases {
        let said = spec(case, changes.clone()).expect_err(case).to_string();
        assert!(said.contains(key), "{case} {changes}: {said}");
    }
}

#[test]
fn a_site_that_a_parallel_block_lacks_is_refused_by_name() -> Outcome {
    if std::env::var_os("RECANT_FAMILY_CASES").is_some() {
        return Ok(());
    }
    let case = cases().into_iter().find(|case| case.case == "gpt_neox-default").expect("a case");
    let dir = TempDir::new()?;
    case.checkpoint(dir.path());
    let model = case.load(dir.path(), |_| ());
    assert!(model.spec.residual.parallel);
    let want = Want { sites: vec![Site::ResidMid], layers: vec![0], rows: vec![0], ..Want::default() };
    let said = model.forward(&[chunk(&model, &case.rows[0])], &want).err().expect("refused").to_string();
    assert!(said.contains("site resid_mid: does not exist in this gpt_neox model"), "{said}");
    Ok(())
}

#[test]
fn every_family_has_cases_away_from_its_defaults() -> Outcome {
    if std::env::var_os("RECANT_FAMILY_CASES").is_some() {
        return Ok(());
    }
    let cases = cases();
    // The text part of a Gemma 3 that sees images is tried by itself.
    for family in recant::model::families::known().into_iter().filter(|family| *family != "gemma3") {
        let of = cases.iter().filter(|case| case.config["model_type"] == family).count();
        assert!(of >= 2, "{family} has {of} cases");
    }
    let turning = cases.iter().filter(|case| {
        let dir = TempDir::new().expect("a directory");
        case.checkpoint(dir.path());
        case.turns(&case.load(dir.path(), |_| ()))
    });
    assert!(turning.count() >= 3, "cases whose rotations change with the length");
    Ok(())
}

/// The slope of the loss along a direction of all parameters, by the recorded pass and by differences.
fn slopes(model: &Model, parameters: &[Parameter], chunks: &[Chunk<'_>], checkpoint: bool) -> (f64, f64) {
    let targets: Vec<(i64, i64)> = vec![(1, 3), (3, 5), (4, 7), (4, 2)];
    let weights = Tensor::from_slice(&[-1.0, 0.5, -2.0, 0.25]).to_device(parameters[0].tensor.device());
    let loss = |logprobs: &Tensor| Ok((logprobs * &weights).sum(Kind::Double).sin());
    parameters.iter().filter(|p| p.tensor.grad().defined()).for_each(|p| {
        let _ = p.tensor.grad().zero_();
    });
    model.learn(chunks, &targets, checkpoint, loss).expect("a recorded pass");
    let along = |p: &Parameter| {
        let count = p.tensor.numel() as i64;
        let drawn = Tensor::from_slice(&values(&p.name, count)).to_kind(Kind::Double);
        drawn.to_device(p.tensor.device()).view_as(&p.tensor)
    };
    let slope = |p: &Parameter| {
        if p.tensor.grad().defined() {
            (p.tensor.grad() * along(p)).sum(Kind::Double).double_value(&[])
        } else {
            0.0
        }
    };
    let recorded: f64 = parameters.iter().map(slope).sum();
    let moved = |by: f64| {
        tch::no_grad(|| {
            parameters.iter().for_each(|p| {
                let _ = p.tensor.shallow_clone().g_add_(&(along(p) * by));
            })
        });
        let found = model.logprobs_of(chunks, &targets).expect("a pass");
        found.iter().zip([-1.0, 0.5, -2.0, 0.25]).map(|(logprob, weight)| logprob * weight).sum::<f64>().sin()
    };
    let step = 1e-6;
    let (up, down) = (moved(step), moved(-2.0 * step));
    moved(step);
    (recorded, (up - down) / (2.0 * step))
}

/// An adapter as it is written and as it is read back are one, whatever the family calls its projections.
fn saved_and_read_again(
    case: &Case,
    (base, chunk, targets): (&Path, &Chunk<'_>, &[(i64, i64)]),
    model: &Model,
    rank: Rank,
    parameters: &[Parameter],
) {
    let adapter = base.join("adapter");
    save::directory(&adapter, |dir| save::adapter(dir, model, base, rank, parameters)).expect("saved");
    let read = case.load(base, |how| {
        how.kind = Kind::Double;
        how.adapter = Some(adapter.clone());
    });
    let logprobs = |model: &Model| model.logprobs_of(std::slice::from_ref(chunk), targets).expect("a pass");
    for (trained, again) in logprobs(model).iter().zip(logprobs(&read)) {
        assert!((trained - again).abs() < 1e-4, "{}: {trained} {again}", case.case);
    }
    fs::remove_dir_all(&adapter).expect("removed");
}

#[test]
fn every_family_can_be_trained_and_its_gradients_are_those_of_differences() {
    let dir = tempfile::tempdir().expect("a directory");
    for case in cases() {
        case.checkpoint(dir.path());
        for low_rank in [Some(Rank { r: 2, alpha: 3.0 }), None] {
            let mut model = case.load(dir.path(), |how| how.kind = Kind::Double);
            let tuning = Tuning { low_rank, targets: Vec::new(), seed: 1 };
            let parameters = model.tune(&tuning).expect("parameters");
            // Where B is nought A has no gradient.
            tch::no_grad(|| {
                parameters.iter().filter(|p| p.name.ends_with("lora_B.weight")).for_each(|p| {
                    let drawn = Tensor::from_slice(&values(&p.name, p.tensor.numel() as i64));
                    p.tensor.shallow_clone().copy_(&drawn.view_as(&p.tensor));
                })
            });
            let ids = [3, 1, 4, 1, 5, 2, 6];
            let chunks = [Chunk { forks: &[3, 5], ..chunk(&model, &ids) }];
            // Each alternative by itself, behind what both share, is what it is beside the other.
            let targets: Vec<(i64, i64)> = vec![(2, 9), (3, 9), (4, 9), (5, 9), (6, 9)];
            let together = model.logprobs_of(&chunks, &targets).expect("a pass");
            let alone = |ids: &[i64], rows: &[i64]| {
                let targets: Vec<(i64, i64)> = rows.iter().map(|&row| (row, 9)).collect();
                model.logprobs_of(&[chunk(&model, ids)], &targets).expect("a pass")
            };
            let apart = [alone(&[3, 1, 4, 1, 5], &[2, 3, 4]), alone(&[3, 1, 4, 2, 6], &[3, 4])].concat();
            for (beside, by_itself) in together.iter().zip(&apart) {
                assert!((beside - by_itself).abs() < 1e-9, "{}: {beside} {by_itself}", case.case);
            }
            if let Some(rank) = low_rank {
                saved_and_read_again(&case, (dir.path(), &chunks[0], &targets), &model, rank, &parameters);
            }
            let (recorded, measured) = slopes(&model, &parameters, &chunks, false);
            let (again, _) = slopes(&model, &parameters, &chunks, true);
            let (case, close) =
                (&case.case, |a: f64, b: f64, by: f64| (a - b).abs() <= by * b.abs().max(1e-3));
            assert!(measured.abs() > 1e-6, "{case}: the loss does not change");
            assert!(
                close(recorded, measured, 1e-5),
                "{case}: {recorded} recorded, {measured} by differences"
            );
            assert!(
                close(again, recorded, 1e-10),
                "{case}: {again} with blocks computed again, {recorded} without"
            );
        }
    }
}

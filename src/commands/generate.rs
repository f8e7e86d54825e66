//! `recant generate`: continuations of given sequences, to one JSONL file.

use serde_json::json;
use tch::Tensor;

use super::input;
use crate::cli::generate::Args;
use crate::printer::Printer;
use crate::runner::{Engine, Limits, Request, Sampler, Stop, tree};
use crate::store::atomic;
use crate::text::Tokenizer;
use crate::{Error, Result};

/// Generates and writes.
///
/// # Errors
/// Bad input, a checkpoint that cannot be loaded, no room for the output.
pub fn run(args: &Args, printer: Printer) -> Result<()> {
    let sampler = checked_sampler(args)?;
    atomic::writable(&args.output)?;
    let model = args.compute.load(&args.model)?;
    let tokenizer =
        if args.model.join("tokenizer.json").is_file() { Some(Tokenizer::read(&args.model)?) } else { None };
    let records = input::read(&args.input, &args.model, &model.spec, args.max_new_tokens)?;
    if let Some(record) = records.iter().find(|record| record.rounds.len() != 1) {
        return Err(Error::input(record.id.clone(), "has rounds")
            .hint("generate continues one conversation: give \"messages\""));
    }
    let prompts: Vec<&[i64]> = records.iter().map(|record| record.rounds[0].as_slice()).collect();
    let (ends, never): (&[i64], &[i64]) =
        if args.ignore_eos { (&[], &model.spec.generation_eos) } else { (&model.spec.eos, &[]) };
    let stop = Stop { max_new: args.max_new_tokens, ends, never };

    let limits = Limits::for_model(&model);
    let progress = printer.progress(prompts.len() as u64, "generating");
    let mut engine = Engine::new(&model, limits);
    let mut answers = vec![Vec::new(); prompts.len()];
    for wave in tree::waves(&prompts, limits.wave_tokens) {
        // A prompt that stands in the input twice is decoded twice: under sampling its answers differ.
        let requests: Vec<Request> = wave
            .iter()
            .map(|&i| Request {
                ids: prompts[i].to_vec(),
                logits: vec![prompts[i].len() - 1],
                ..Request::default()
            })
            .collect();
        let encoded = engine.encode(&requests, &[], &[])?;
        let rows: Vec<i64> = encoded.logit_rows.iter().map(|rows| rows[0]).collect();
        let logits = encoded.logits.ok_or_else(|| Error::Torch("no logits".into()))?;
        let first = logits.f_index_select(0, &Tensor::f_from_slice(&rows)?)?;
        if first.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            let what = args.model.display();
            return Err(Error::Failed(format!(
                "{what}: its logits are not finite: `recant model check {what}` says more"
            )));
        }
        let mut samplers: Vec<Sampler> = wave.iter().map(|&i| sampler(i)).collect();
        let found = engine.generate(&encoded.nodes, &first, stop, &mut samplers)?;
        for (&i, answer) in wave.iter().zip(found) {
            answers[i] = answer;
        }
        engine.clear();
        progress.inc(wave.len() as u64);
    }
    progress.finish_and_clear();

    let mut out = String::new();
    for (record, ids) in records.iter().zip(&answers) {
        let text = tokenizer.as_ref().map(|tokenizer| tokenizer.decode(ids)).transpose()?;
        out.push_str(&json!({ "id": record.id, "ids": ids, "text": text }).to_string());
        out.push('\n');
    }
    atomic::write(&args.output, out.as_bytes())
}

/// Checks the sampling options and returns how to make the sampler of a sequence.
fn checked_sampler(args: &Args) -> Result<impl Fn(usize) -> Sampler> {
    let (temperature, top_p, seed) = (args.temperature, args.top_p, args.seed);
    if temperature.is_some_and(|t| !(t > 0.0 && t.is_finite())) {
        return Err(Error::input("--temperature", "must be above 0").hint("leave it out to decode greedily"));
    }
    if !(top_p > 0.0 && top_p <= 1.0) {
        return Err(Error::input("--top-p", "must be above 0 and at most 1"));
    }
    Ok(move |stream: usize| match temperature {
        None => Sampler::Greedy,
        Some(temperature) => Sampler::nucleus(temperature, top_p, seed, stream as u64),
    })
}

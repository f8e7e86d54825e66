//! `recant generate`: continuations of given sequences, to one JSONL file.

use serde_json::json;
use tch::Tensor;

use super::input;
use crate::cli::generate::Args;
use crate::printer::Printer;
use crate::random::SplitMix;
use crate::runner::{Engine, Limits, Request, Sampler, Stop, tree};
use crate::store::atomic;
use crate::study::Sampling;
use crate::text::Tokenizer;
use crate::{Error, Result};

/// Generates and writes.
///
/// # Errors
/// Bad input, a checkpoint that cannot be loaded, no room for the output.
pub fn run(args: &Args, printer: Printer) -> Result<()> {
    let sampling = sampling(args)?;
    atomic::writable(&args.output)?;
    let mut model = args.compute.load(&args.model)?;
    args.intervene.apply(&mut model)?;
    let tokenizer =
        if args.model.join("tokenizer.json").is_file() { Some(Tokenizer::read(&args.model)?) } else { None };
    if tokenizer.is_none() && !args.stop.is_empty() {
        return Err(Error::input("--stop", "needs the checkpoint's tokenizer.json, which is missing"));
    }
    let records = input::read(&args.input, &args.model, &model.spec, args.max_new_tokens)?;
    if let Some(record) = records.iter().find(|record| record.rounds.len() != 1) {
        return Err(Error::input(record.id.clone(), "has rounds")
            .hint("generate continues one conversation: give \"messages\""));
    }
    let prompts: Vec<&[i64]> = records.iter().map(|record| record.rounds[0].as_slice()).collect();
    let (ends, never): (&[i64], &[i64]) =
        if args.ignore_eos { (&[], &model.spec.generation_eos) } else { (&model.spec.eos, &[]) };
    let complete = |ids: &[i64]| -> Result<bool> {
        let text = tokenizer.as_ref().map(|tokenizer| tokenizer.decode(ids)).transpose()?;
        Ok(text.is_some_and(|text| args.stop.iter().any(|stop| text.contains(stop.as_str()))))
    };
    let stop = Stop {
        max_new: args.max_new_tokens,
        min_new: args.min_new_tokens,
        ends,
        never,
        complete: (!args.stop.is_empty()).then_some(&complete),
    };

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
        let sampler = |&i: &usize| Sampler::new(sampling, SplitMix::stream(args.seed, i as u64));
        let mut samplers: Vec<Sampler> = wave.iter().map(sampler).collect();
        let found = engine.generate(&encoded.nodes, &first, stop, &mut samplers)?;
        for (&i, answer) in wave.iter().zip(found) {
            answers[i] = answer.ids;
        }
        engine.clear();
        progress.inc(wave.len() as u64);
    }
    progress.finish_and_clear();

    let mut out = String::new();
    for (record, ids) in records.iter().zip(&answers) {
        let text = tokenizer.as_ref().map(|tokenizer| tokenizer.decode(ids)).transpose()?;
        let text = text.map(|text| {
            let cut = args.stop.iter().filter_map(|stop| text.find(stop.as_str())).min();
            text[..cut.unwrap_or(text.len())].to_string()
        });
        out.push_str(&json!({ "id": record.id, "ids": ids, "text": text }).to_string());
        out.push('\n');
    }
    atomic::write(&args.output, out.as_bytes())
}

/// Checks the options of the decoding.
fn sampling(args: &Args) -> Result<Option<Sampling>> {
    if args.min_new_tokens > args.max_new_tokens {
        return Err(Error::input("--min-new-tokens", "is more than --max-new-tokens"));
    }
    if args.stop.iter().any(String::is_empty) {
        return Err(Error::input("--stop", "an empty text would end every answer at once"));
    }
    let sampling =
        args.temperature.map(|temperature| Sampling { temperature, top_p: args.top_p, top_k: args.top_k });
    sampling.map(|sampling| sampling.checked(["--temperature", "--top-p"])).transpose()
}

//! `recant capture`: hidden states of given sequences, to one safetensors file.

use std::time::Instant;

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::input::{self, Record};
use crate::cli::capture::{Args, Positions};
use crate::model::{Layers, Model, Site};
use crate::printer::Printer;
use crate::runner::{Encoded, Engine, Limits, Request, tree};
use crate::store::atomic;
use crate::{Error, Result};

/// Captures and writes; the last line of stdout says how much and how long.
///
/// # Errors
/// Bad input, a checkpoint that cannot be loaded, no room for the output.
pub fn run(args: &Args, printer: Printer) -> Result<()> {
    atomic::writable(&args.output)?;
    let asked = args.sites.iter().map(|name| name.parse()).collect::<Result<Vec<Site>>>()?;
    let layers: Layers = args.layers.parse()?;
    let begun = Instant::now();
    let mut model = match args.random_init {
        None => args.compute.load(&args.model)?,
        Some(seed) => Model::random(&args.model, &args.compute.how()?, seed)?,
    };
    args.intervene.apply(&mut model)?;
    let load_seconds = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let records = input::read(&args.input, &args.model, &model.spec, 0)?;
    let rounds = rectangular(&records, args)?;
    let sequences: Vec<&[i64]> = records.iter().flat_map(|r| r.rounds.iter().map(Vec::as_slice)).collect();
    let layers = layers.resolve(model.spec.n_layers)?;
    let mut sites = asked.clone();
    sites.extend([Site::Embed, Site::FinalNorm]);
    sites.retain(|site| *site != Site::Logits);
    sites.sort_unstable();
    sites.dedup();
    let logits = args.logits || asked.contains(&Site::Logits);

    let mut table = Table::new(&model, &sequences, args.positions, &sites, &layers, logits)?;
    let limits = Limits::for_model(&model);
    let waves = tree::waves(&sequences, limits.wave_tokens.min(table.rows_at_once()));
    let progress = printer.progress(sequences.len() as u64, "capturing");
    let mut engine = Engine::capturing(&model, limits);
    let mut encoded_tokens = 0;
    for wave in waves {
        let requests: Vec<Request> = wave.iter().map(|&i| table.request(sequences[i])).collect();
        let encoded = engine.encode(&requests, &sites, &layers)?;
        encoded_tokens += encoded.encoded_tokens;
        table.fill(&wave, &encoded)?;
        engine.clear();
        progress.inc(wave.len() as u64);
    }
    progress.finish_and_clear();
    table.write(&args.output, (records.len() as i64, rounds), &about(&records, args, &layers))?;
    let tokens: usize = sequences.iter().map(|ids| ids.len()).sum();
    printer.data(json!({
        "sequences": sequences.len(), "tokens": tokens, "encoded_tokens": encoded_tokens,
        "seconds": begun.elapsed().as_secs_f64(), "load_seconds": load_seconds,
    }));
    Ok(())
}

/// The common number of rounds.
fn rectangular(records: &[Record], args: &Args) -> Result<i64> {
    let rounds = records[0].rounds.len();
    match records.iter().find(|record| record.rounds.len() != rounds) {
        Some(other) => Err(Error::input(
            args.input.display().to_string(),
            format!("{} has {} rounds, {} has {rounds}", other.id, other.rounds.len(), records[0].id),
        )
        .hint("the output is a table of items x rounds: put items with other numbers of rounds into other files")),
        None => Ok(rounds as i64),
    }
}

fn about(records: &[Record], args: &Args, layers: &[usize]) -> Value {
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let positions = match args.positions {
        Positions::Last => "last",
        Positions::All => "all",
    };
    let mut about =
        json!({ "format": "recant-capture-1", "item_ids": ids, "layers": layers, "positions": positions });
    if let Some(seed) = args.random_init {
        about["weights_seed"] = seed.into();
    }
    about
}

/// The output: one row per wanted token, in the order of the input.
struct Table {
    positions: Positions,
    offsets: Vec<i64>,
    sites: Vec<(Site, Tensor)>,
    logits: bool,
}

impl Table {
    fn new(
        model: &Model,
        sequences: &[&[i64]],
        positions: Positions,
        sites: &[Site],
        layers: &[usize],
        logits: bool,
    ) -> Result<Self> {
        let mut offsets = vec![0];
        for ids in sequences {
            let rows = if positions == Positions::All { ids.len() as i64 } else { 1 };
            offsets.push(offsets[offsets.len() - 1] + rows);
        }
        let total = offsets[offsets.len() - 1];
        let blank = |site: Site| -> Result<(Site, Tensor)> {
            let mut shape = vec![total];
            if site.per_layer() {
                shape.push(layers.len() as i64);
            }
            shape.push(model.spec.width(site));
            Ok((site, Tensor::f_empty(shape, (Kind::Float, Device::Cpu))?))
        };
        let mut tensors = sites.iter().map(|&site| blank(site)).collect::<Result<Vec<_>>>()?;
        if logits {
            tensors.push(blank(Site::Logits)?);
        }
        Ok(Self { positions, offsets, sites: tensors, logits })
    }

    /// Tokens whose rows, brought back all at once, take about a gigabyte.
    fn rows_at_once(&self) -> usize {
        let row: i64 = self.sites.iter().map(|(_, tensor)| tensor.size()[1..].iter().product::<i64>()).sum();
        if self.positions == Positions::All { (250_000_000 / row.max(1)).max(1) as usize } else { usize::MAX }
    }

    fn request(&self, ids: &[i64]) -> Request {
        let wanted: Vec<usize> = match self.positions {
            Positions::Last => vec![ids.len() - 1],
            Positions::All => (0..ids.len()).collect(),
        };
        let logits = if self.logits { wanted.clone() } else { Vec::new() };
        Request { ids: ids.to_vec(), states: wanted, logits, ..Request::default() }
    }

    fn fill(&mut self, wave: &[usize], encoded: &Encoded) -> Result<()> {
        let offsets = &self.offsets;
        let copy = |target: &Tensor, source: &Tensor, rows: &[Vec<i64>]| -> Result<()> {
            for (&i, rows) in wave.iter().zip(rows) {
                let picked = source.f_index_select(0, &Tensor::f_from_slice(rows)?)?;
                target.f_narrow(0, offsets[i], rows.len() as i64)?.f_copy_(&picked)?;
            }
            Ok(())
        };
        for (site, target) in &self.sites {
            if *site == Site::Logits {
                if let Some(source) = &encoded.logits {
                    copy(target, source, &encoded.logit_rows)?;
                }
            } else if let Some((_, source)) = encoded.states.iter().find(|(name, _)| name == site) {
                copy(target, source, &encoded.state_rows)?;
            }
        }
        Ok(())
    }

    fn write(self, path: &std::path::Path, (items, rounds): (i64, i64), about: &Value) -> Result<()> {
        let mut tensors = Vec::new();
        for (site, tensor) in &self.sites {
            let shaped = match self.positions {
                Positions::All => tensor.shallow_clone(),
                Positions::Last => {
                    let shape: Vec<i64> =
                        [items, rounds].iter().chain(&tensor.size()[1..]).copied().collect();
                    tensor.f_view(&shape[..])?
                }
            };
            tensors.push((site.name().to_string(), shaped));
        }
        if self.positions == Positions::All {
            tensors.push(("offsets".to_string(), Tensor::f_from_slice(&self.offsets)?));
        }
        atomic::write_tensors(path, &tensors, about)
    }
}

//! The bench: prompts of a run, replayed exactly, whose options are scored again and again under interventions.
//!
//! Where an intervention reaches the end of a prompt alone (the last token that the template renders and the prefill after
//! it, from whose last token the answer is read), all that precedes it is encoded once and kept. Where it reaches more,
//! everything is encoded under it.

use std::collections::HashMap;
use std::ops::Range;

use tch::{Kind, Tensor};

use super::engine::{Bookmark, Encoded, Engine, Limits, Request};
use super::replay::replay;
use super::round::{Scores, answer_requests};
use super::tally::Tally;
use crate::Result;
use crate::dialogue::{Prompt, Script};
use crate::model::{Edit, Model, Reach, Site};
use crate::store::turns::largest;
use crate::store::{OrderTurn, Turn};
use crate::study::steer::Tokens;
use crate::study::{Arm, Scoring};
use crate::task::Item;

/// A prompt whose options are scored.
#[derive(Debug)]
pub struct Question {
    /// The place of its item among those that are asked.
    pub item: usize,
    /// `order[k]` is the option that stands at place k.
    pub order: Vec<usize>,
    /// The prompt.
    pub prompt: Prompt,
}

impl Question {
    /// The positions of the prompt's end: the last token that the template renders and those of the prefill after it.
    #[must_use]
    pub fn end(&self) -> Range<usize> {
        self.prompt.last..self.prompt.ids.len()
    }
}

/// The prompts of one round under a condition, item by item, order by order, as the run had them: the answers of earlier
/// rounds are those that the model gave. `said` holds the rounds of each item up to this one. Only the first order is asked
/// where the scoring looks at no other.
///
/// # Errors
/// A dialogue that does not come out as it was recorded, which is so where it hangs on a critic's words.
pub fn questions(
    script: &Script<'_>,
    items: &[Item],
    arm: &Arm,
    said: &[Vec<&Turn>],
    scoring: Scoring,
) -> Result<Vec<Question>> {
    let mut all = Vec::new();
    for (place, (item, turns)) in items.iter().zip(said).enumerate() {
        let orders = match scoring {
            Scoring::LetterGiven => 1,
            _ => turns.first().map_or(0, |turn| turn.orders.len()),
        };
        for order in 0..orders {
            let prompt = replay(script, item, arm, turns, order)?;
            all.push(Question { item: place, order: turns[0].orders[order].order.clone(), prompt });
        }
    }
    Ok(all)
}

/// Questions before a model.
pub struct Bench<'m, 'q> {
    engine: Engine<'m>,
    questions: &'q [Question],
    /// The slot of the first token of each prompt's end. The same prompt has one slot, whatever items ask it: its tokens are
    /// encoded once.
    slots: Vec<i64>,
    /// Questions whose keys and values are held at once.
    waves: Vec<Range<usize>>,
    /// The wave whose beginnings are encoded.
    held: Option<(usize, Bookmark)>,
    tally: &'q Tally<'q>,
}

/// What the options of every question got: `[question][option of the file's order]`, as the model gave it, not normalised.
/// Natural logarithm.
pub type OptionScores = Vec<Vec<f64>>;

impl<'m, 'q> Bench<'m, 'q> {
    /// Sets questions before a model. What lies over the model itself ([`Model::intervene`]) is left out.
    #[must_use]
    pub fn new(model: &'m Model, questions: &'q [Question], limits: Limits, tally: &'q Tally<'q>) -> Self {
        let mut waves = Vec::new();
        let (mut start, mut tokens) = (0, 0);
        for (at, question) in questions.iter().enumerate() {
            let options = &question.prompt.options;
            let new: usize = options.ids.iter().map(|ids| ids.len() - options.shared).sum();
            let size = question.prompt.ids.len() + new;
            if at > start && tokens + size > limits.wave_tokens {
                waves.push(start..at);
                (start, tokens) = (at, 0);
            }
            tokens += size;
        }
        if start < questions.len() {
            waves.push(start..questions.len());
        }
        let mut next = 0;
        let mut first: HashMap<(&[i64], usize), i64> = HashMap::new();
        let slot = |question: &'q Question| {
            let own = next;
            next += question.end().len() as i64;
            *first.entry((&question.prompt.ids, question.prompt.last)).or_insert(own)
        };
        let slots = questions.iter().map(slot).collect();
        Self { engine: Engine::new(model, limits), questions, slots, waves, held: None, tally }
    }

    /// How often the beginnings are encoded for one call that reaches ends alone; once for all calls where this is 1.
    #[must_use]
    pub fn waves(&self) -> usize {
        self.waves.len()
    }

    /// Scores the options under each of some interventions, all of which reach the same tokens. The slots of the tokens of
    /// prompts' ends are those of the rows of [`Bench::states`].
    ///
    /// # Errors
    /// As [`Edit::check`] and [`Engine::encode`].
    pub fn scores(&mut self, sets: &[Vec<Edit>], tokens: Tokens) -> Result<Vec<OptionScores>> {
        let mut all: Vec<OptionScores> = sets.iter().map(|_| Vec::new()).collect();
        for wave in 0..self.waves.len() {
            for (edits, scores) in sets.iter().zip(&mut all) {
                let (encoded, requests) = self.pass(wave, edits, tokens, (&[], &[]))?;
                let found = Scores::of(&encoded)?;
                for (question, requests) in self.questions[self.waves[wave].clone()].iter().zip(&requests) {
                    let options = found.sums(&question.prompt.options, &requests[1..])?;
                    scores.push(options.iter().map(|option| option.logprob).collect());
                }
            }
        }
        Ok(all)
    }

    /// The states at the ends of the prompts, nothing changed: per site f32 `(tokens, layers, width)`, the tokens of
    /// [`Question::end`] question by question. They come from the very passes that score the options, so that putting one
    /// in its own place changes no bit.
    ///
    /// # Errors
    /// As [`Engine::encode`].
    pub fn states(&mut self, sites: &[Site], layers: &[usize]) -> Result<Vec<(Site, Tensor)>> {
        let mut parts: Vec<Vec<Tensor>> = sites.iter().map(|_| Vec::new()).collect();
        for wave in 0..self.waves.len() {
            let (encoded, requests) = self.pass(wave, &[], Tokens::Last, (sites, layers))?;
            let rows: Vec<i64> =
                requests.iter().flat_map(|own| &encoded.state_rows[own[0]]).copied().collect();
            let rows = Tensor::f_from_slice(&rows)?;
            for ((_, states), parts) in encoded.states.iter().zip(&mut parts) {
                parts.push(states.f_index_select(0, &rows)?);
            }
        }
        sites.iter().zip(parts).map(|(&site, parts)| Ok((site, Tensor::f_cat(&parts, 0)?))).collect()
    }

    /// One wave under an intervention, and of each question the requests: its prompt's, then those of its options.
    fn pass(
        &mut self,
        wave: usize,
        edits: &[Edit],
        tokens: Tokens,
        (sites, layers): (&[Site], &[usize]),
    ) -> Result<(Encoded, Vec<Vec<usize>>)> {
        let range = self.waves[wave].clone();
        let questions = &self.questions[range.clone()];
        match tokens {
            Tokens::Last => self.hold(wave)?,
            Tokens::Prompt | Tokens::Every => {
                self.engine.clear();
                self.held = None;
            }
        }
        let (mut requests, mut places) = (Vec::new(), Vec::with_capacity(questions.len()));
        for (&slot, question) in self.slots[range].iter().zip(questions) {
            let (prompt, main) = (&question.prompt, requests.len());
            let states = if sites.is_empty() { Vec::new() } else { question.end().collect() };
            let logits = vec![prompt.ids.len() - 1];
            requests.push(Request { ids: prompt.ids.clone(), states, logits, ..Request::default() });
            let options = answer_requests(&prompt.options, prompt, main, &mut requests);
            let from = if tokens == Tokens::Last { prompt.last } else { 0 };
            for (at, request) in requests[main..].iter_mut().enumerate() {
                let own =
                    if at == 0 { prompt.ids.len() } else { prompt.options.shared.min(request.ids.len()) };
                // States are put in at ends alone; elsewhere prompts share tokens, and what is done is the same at all.
                let mark = |position: usize| match tokens {
                    Tokens::Last => (position, slot + (position - prompt.last) as i64),
                    Tokens::Prompt | Tokens::Every => (position, 0),
                };
                request.marks = (from..own).map(mark).collect();
            }
            places.push([vec![main], options].concat());
        }
        self.engine.edit(edits.to_vec())?;
        let encoded = self.engine.encode(&requests, sites, layers)?;
        if let Some((_, bookmark)) = &self.held {
            self.engine.back_to(bookmark);
        }
        self.tally.add(encoded.encoded_tokens, 0)?;
        Ok((encoded, places))
    }

    /// Encodes what precedes the ends of a wave's prompts, unless it is encoded already.
    fn hold(&mut self, wave: usize) -> Result<()> {
        if self.held.as_ref().is_some_and(|(held, _)| *held == wave) {
            return Ok(());
        }
        self.engine.clear();
        self.engine.edit(Vec::new())?;
        let beginnings = self.questions[self.waves[wave].clone()].iter().map(|question| &question.prompt);
        let beginnings: Vec<Request> = beginnings
            .filter(|prompt| prompt.last > 0)
            .map(|prompt| Request { ids: prompt.ids[..prompt.last].to_vec(), ..Request::default() })
            .collect();
        let encoded = self.engine.encode(&beginnings, &[], &[])?;
        self.tally.add(encoded.encoded_tokens, 0)?;
        self.held = Some((wave, self.engine.bookmark()));
        Ok(())
    }
}

/// The reach of an edit that is to change these tokens on the bench. The tokens of a prompt are marked: those of the
/// options, which follow it in the same pass, are no part of it.
#[must_use]
pub fn reach(tokens: Tokens) -> Reach {
    match tokens {
        Tokens::Last | Tokens::Prompt => Reach::Marked,
        Tokens::Every => Reach::Every,
    }
}

/// The turns of round 0 that some option scores make, item by item; None where a score is not finite, as under an
/// intervention that breaks the model.
#[must_use]
pub fn turns(
    items: &[Item],
    questions: &[Question],
    scores: &OptionScores,
    scoring: Scoring,
) -> Option<Vec<Turn>> {
    if scores.iter().flatten().any(|score| !score.is_finite()) {
        return None;
    }
    let blank = |item: &Item| Turn {
        item: item.id.clone(),
        group: item.group.clone(),
        category: item.category.clone(),
        round: 0,
        user: String::new(),
        logprobs: Vec::new(),
        choice: None,
        unconditional: Vec::new(),
        orders: Vec::new(),
        samples: Vec::new(),
    };
    let mut turns: Vec<Turn> = items.iter().map(blank).collect();
    for (question, scores) in questions.iter().zip(scores) {
        turns[question.item].orders.push(OrderTurn {
            order: question.order.clone(),
            before: Vec::new(),
            new_ids: Vec::new(),
            answer_ids: Vec::new(),
            answer: String::new(),
            ended: false,
            answer_logprob: 0.0,
            logprobs: scores.clone(),
            texts: Vec::new(),
            parsed: None,
        });
    }
    for turn in &mut turns {
        turn.logprobs = turn.by(scoring).unwrap_or_default();
        turn.choice = largest(&turn.logprobs);
    }
    Some(turns)
}

/// The median L2 norm of the states at a site, layer by layer, over the tokens of the prompts (each item in its first order).
///
/// # Errors
/// As [`Engine::encode`].
pub fn median_norms(
    model: &Model,
    questions: &[Question],
    (site, layers): (Site, &[usize]),
    limits: Limits,
    tally: &Tally<'_>,
) -> Result<Vec<f64>> {
    let mut norms: Vec<Vec<f64>> = layers.iter().map(|_| Vec::new()).collect();
    let mut engine = Engine::capturing(model, limits);
    engine.edit(Vec::new())?;
    let mut seen = None;
    let first = questions.iter().filter(|question| seen.replace(question.item) != Some(question.item));
    let prompts: Vec<&[i64]> = first.map(|question| question.prompt.ids.as_slice()).collect();
    let mut at = 0;
    while at < prompts.len() {
        let (mut end, mut tokens) = (at, 0);
        while end < prompts.len() && (end == at || tokens + prompts[end].len() <= limits.batch_tokens) {
            tokens += prompts[end].len();
            end += 1;
        }
        let whole = |ids: &&[i64]| Request {
            ids: ids.to_vec(),
            states: (0..ids.len()).collect(),
            ..Request::default()
        };
        let requests: Vec<Request> = prompts[at..end].iter().map(whole).collect();
        let encoded = engine.encode(&requests, &[site], layers)?;
        tally.add(encoded.encoded_tokens, 0)?;
        let Some((_, states)) = encoded.states.first() else { return Ok(Vec::new()) };
        let lengths = states.f_norm_scalaropt_dim(2.0, [-1i64].as_slice(), false)?.f_to_kind(Kind::Double)?; // (rows, layers)
        let lengths = Vec::<Vec<f64>>::try_from(lengths)?;
        for row in encoded.state_rows.iter().flatten() {
            norms.iter_mut().zip(&lengths[*row as usize]).for_each(|(norms, length)| norms.push(*length));
        }
        engine.clear();
        at = end;
    }
    let median = |mut norms: Vec<f64>| {
        norms.sort_by(f64::total_cmp);
        let middle = |at: usize| norms.get(at).copied().unwrap_or(0.0);
        (middle(norms.len().saturating_sub(1) / 2) + middle(norms.len() / 2)) / 2.0
    };
    Ok(norms.into_iter().map(median).collect())
}

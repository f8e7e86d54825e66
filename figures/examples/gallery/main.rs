//! Draws every kind of figure from made-up numbers.
//!
//! `cargo run -p recant-figures --example gallery -- DIR` writes each at several widths and in grey, as SVG, PDF and PNG with
//! its CSV and caption. `-- --book PNGS PAGE` writes the pictures and the Markdown page of the gallery.

mod curves;
mod made;
mod maps;
mod matrices;
mod places;
mod planes;
mod profiles;
mod rounds;
mod samples;
mod scales;

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use recant_figures::{AnyFigure, Style, Theme, Width, render};

/// Dots an inch of the gallery's pictures: what a screen shows at 1.7 times the printed size.
const SCREEN: f64 = 120.0;

/// A kind of figure as the gallery tells of it.
struct Entry {
    title: &'static str,
    /// What it is for, and which figures of a run are of it.
    about: &'static str,
    figure: AnyFigure,
}

fn entry(title: &'static str, about: &'static str, figure: impl Into<AnyFigure>) -> Entry {
    Entry { title, about, figure: figure.into() }
}

/// The kinds, in the order of the gallery.
fn book() -> Vec<Entry> {
    vec![
        entry(
            "Layer profile",
            "A score at every layer with its interval, beside chance, a text baseline, an untrained model and a null: `probe-auroc`.",
            profiles::profiles(),
        ),
        entry(
            "Attention against MLP",
            "The same for the parts of a block: `site-auroc`, `site-changes`.",
            profiles::sites(),
        ),
        entry(
            "Profiles over relative depth",
            "Models of different depth on one axis: `prompt-shift`, `shift-cosine-*`.",
            profiles::depths(),
        ),
        entry(
            "Profiles along an order",
            "Steps of an alignment or rounds, from dark to light: `shift-size`, `lens-*-unknown`.",
            profiles::steps_of_alignment(),
        ),
        entry(
            "Layer by round",
            "Change of a concept score, diverging and centred at no change, dots where it is significant: `concept-map`.",
            maps::maps(),
        ),
        entry("Head map", "A readout of each head: `head-auroc`, `head-changes`.", maps::head_map()),
        entry("Lens map", "What each layer would answer, by option and round: `lens-*`.", maps::lens_map()),
        entry(
            "Rounds by condition",
            "A measure over the rounds of a dialogue: `behaviour`, `concept-rounds`, `cosine-rounds-*`.",
            rounds::behaviour(),
        ),
        entry(
            "Bars by model",
            "Conditions in several models, round 0 as a line across each bar, brackets where they differ from the first: `behaviour-bars`.",
            planes::models_and_conditions(),
        ),
        entry(
            "Score against size",
            "A measure against the number of parameters: `score-by-size`.",
            scales::sizes(),
        ),
        entry(
            "Score against alignment",
            "The same along the steps of an alignment: `score-by-step`.",
            scales::alignment_steps(),
        ),
        entry(
            "Concept plane",
            "Where dialogues go on the plane of two concepts, an arrow a round, over the density of all items: `concept-plane`.",
            planes::concept_plane(),
        ),
        entry("Volcano", "How large every effect is, and how sure: `concept-effects`.", planes::volcano()),
        entry("Transfer", "Trained here, tested there: `transfer-*`.", matrices::transfer_of_rounds()),
        entry(
            "Distributions",
            "Projections before and after: `shift-projections-*`.",
            samples::projections(),
        ),
        entry(
            "Spectrum of a shift",
            "Along how many directions states moved: `shift-spectrum-*`.",
            curves::spectrum(),
        ),
        entry(
            "Token shift",
            "Which tokens of an answer the base model would have said too: `token-shift-*`.",
            samples::token_shift(),
        ),
        entry(
            "Steering",
            "What an intervention does by strength, beside random directions, and what it costs: `steer-*`.",
            curves::steering(),
        ),
        entry("Alignment", "Loss, margin and cost along training: `alignment`.", curves::alignment()),
        entry("Reliability", "Confidence against accuracy.", places::reliability()),
        entry(
            "Places of options",
            "Which letter is chosen, whatever stands there: `position-bias`.",
            places::places(),
        ),
        entry(
            "Pronouns and the labour market",
            "The model's share of a pronoun against the recorded share.",
            places::labour_market(),
        ),
    ]
}

/// Further data that the kinds must stand: many lines, few points, families, one panel.
fn trials() -> Vec<AnyFigure> {
    vec![
        rounds::one_measure().into(),
        rounds::concept_scores().into(),
        rounds::many_conditions().into(),
        profiles::base_and_aligned().into(),
        maps::one_row_of_maps().into(),
        maps::auroc_map().into(),
        scales::two_families().into(),
        places::places_of_one_task().into(),
        places::one_scatter().into(),
        matrices::transfer_of_layers().into(),
        curves::steering_of_concepts().into(),
        curves::alignment_of_objectives().into(),
        samples::projections_of_rounds().into(),
        samples::token_shift_of_one().into(),
        planes::one_model_of_many_conditions().into(),
        planes::concept_plane_of_one().into(),
        planes::volcano_of_one().into(),
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [book, pictures, page] if book == "--book" => bind(Path::new(pictures), Path::new(page)),
        [folder] => every_look(Path::new(folder)),
        _ => Err("usage: gallery DIR, or gallery --book PNGS PAGE".into()),
    }
}

/// The pictures and the page that shows them.
fn bind(pictures: &Path, page: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(pictures)?;
    let mut text = String::from(
        "# Gallery\n\nEvery kind of figure, drawn by `make gallery` from made-up numbers of a fixed seed. `recant run` draws those that a \
         run can support; `recant figures` draws them again at another width, in another theme, font or language \
         ([figures](figures.md)). Each comes as SVG with real text, PDF with embedded fonts, PNG at 300 dpi, and the CSV behind \
         it; the text under each picture is the caption that comes with it.\n",
    );
    for Entry { title, about, figure } in book() {
        let figure = figure.get();
        let svg = figure.svg(&Style::at(Width::Page))?;
        fs::write(pictures.join(format!("{}.png", figure.name())), render::png(&svg, SCREEN)?)?;
        let name = figure.name();
        write!(
            text,
            "\n## {title}\n\n{about}\n\n![{title}](../figures/gallery/{name}.png)\n\n*{}*\n",
            figure.caption()
        )?;
    }
    Ok(fs::write(page, text)?)
}

/// Every figure at every width of a page, and in grey.
fn every_look(folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let looks = [
        ("column", Style::at(Width::Column)),
        ("half", Style::at(Width::ColumnAndHalf)),
        ("page", Style::at(Width::Page)),
        ("grey", Style { theme: Theme::grey(), ..Style::at(Width::Page) }),
        ("dark", Style::of(Theme::dark(), Width::Page)),
        ("slide", Style::of(Theme::slides(), Width::SLIDE)),
    ];
    for figure in book().into_iter().map(|entry| entry.figure).chain(trials()) {
        let figure = figure.get();
        for (suffix, style) in &looks {
            let svg = figure.svg(style)?;
            let stem = format!("{}-{suffix}", figure.name());
            fs::write(folder.join(format!("{stem}.svg")), &svg)?;
            fs::write(folder.join(format!("{stem}.pdf")), render::pdf(&svg)?)?;
            fs::write(folder.join(format!("{stem}.png")), render::png(&svg, 300.0)?)?;
        }
        fs::write(folder.join(format!("{}.csv", figure.name())), figure.csv())?;
        fs::write(folder.join(format!("{}.txt", figure.name())), figure.caption())?;
    }
    Ok(())
}

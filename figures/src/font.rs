//! The fonts of figures, and how wide a text is in them.
//!
//! Libertinus Serif sits well beside the Times of ACL and NeurIPS pages and stays readable at 7 pt; New Computer
//! Modern is the face of papers set in LaTeX's own. Both are embedded. A sans comes from a file of the user's.
//! New Computer Modern Math and DejaVu Sans Mono stand by for characters a font lacks.

mod family;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::setting;
pub(crate) use family::{Family, renderer};

/// The font every text of a figure is set in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Font {
    /// Libertinus Serif.
    #[default]
    Libertinus,
    /// New Computer Modern at 10 pt.
    ComputerModern,
    /// A font of the user's.
    File(FontFile),
}

/// A font that was read from a file. It stays loaded as long as the program runs.
#[derive(Debug, Clone)]
pub struct FontFile(&'static Family);

impl PartialEq for FontFile {
    fn eq(&self, other: &FontFile) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for FontFile {}

impl FontFile {
    /// Reads a TrueType or OpenType font (.ttf, .otf). Its bold and italic cuts are the files beside it that bear its
    /// name: `Name-Bold`, and `Name-Italic` or `Name-Oblique`, for `Name.ttf` or `Name-Regular.ttf`. A cut that is not
    /// there is set in the regular one.
    ///
    /// # Errors
    /// When the file cannot be read, is no single font, or has the family name of another font of this program.
    pub fn read(path: &Path) -> Result<FontFile> {
        family::of_file(path)
            .map(FontFile)
            .map_err(|why| Error::Font { path: path.display().to_string(), why })
    }
}

impl Font {
    const NAMED: [(&str, Font); 2] =
        [("libertinus", Font::Libertinus), ("computer-modern", Font::ComputerModern)];

    pub(crate) fn loaded(&self) -> &'static Family {
        match self {
            Font::Libertinus => &family::embedded().libertinus,
            Font::ComputerModern => &family::embedded().computer_modern,
            Font::File(file) => file.0,
        }
    }

    /// The name of its family, as the file says it.
    pub fn family(&self) -> &str {
        &self.loaded().name
    }

    /// SVG's `font-family`: the family, then what a viewer without it may have.
    pub fn family_list(&self) -> String {
        let others = match self {
            Font::Libertinus => "Linux Libertine O, Times New Roman, Times, serif",
            Font::ComputerModern => "CMU Serif, Latin Modern Roman, Times New Roman, Times, serif",
            Font::File(_) => "Helvetica, Arial, sans-serif",
        };
        format!("'{}', {others}", self.family())
    }
}

/// Reads the name of an embedded font (`libertinus`, `computer-modern`) or the path of a .ttf or .otf file.
impl FromStr for Font {
    type Err = Error;

    fn from_str(text: &str) -> Result<Font> {
        if let Some((_, font)) = Font::NAMED.into_iter().find(|(name, _)| *name == text) {
            return Ok(font);
        }
        let path = Path::new(text);
        if path.extension().is_some() || path.components().count() > 1 || path.exists() {
            return FontFile::read(path).map(Font::File);
        }
        let known = Font::NAMED.map(|font| font.0).join(", ");
        let known = format!("{known} or the path of a .ttf or .otf file");
        Err(Error::Unknown { what: "font", given: text.into(), known })
    }
}

/// A cut of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Face {
    /// Upright, weight 400.
    Regular,
    /// Upright, weight 700.
    Bold,
    /// Italic, weight 400.
    Italic,
}

/// The advance width of `text` in the font of the figure being drawn, in the unit of `size`, kerned and with
/// ligatures.
pub(crate) fn width(text: &str, face: Face, size: f64) -> f64 {
    let family = setting::now().family;
    let key = (std::ptr::from_ref(family) as usize, face);
    let known = WIDTHS.with_borrow(|widths| widths.get(&key)?.get(text).copied());
    let em = known.unwrap_or_else(|| {
        let em = measured(text, family, face);
        WIDTHS.with_borrow_mut(|widths| {
            let widths = widths.entry(key).or_default();
            if widths.len() >= MOST_WIDTHS {
                widths.clear();
            }
            widths.insert(text.to_owned(), em);
        });
        em
    });
    em * size
}

/// Advance in em, run by run of the font that has the characters.
fn measured(text: &str, family: &'static Family, face: Face) -> f64 {
    let cut = &family.cuts[face as usize];
    let stand_ins = &family::embedded().stand_ins;
    let font_for =
        |c: char| std::iter::once(cut).chain(stand_ins).find(|f| f.glyph_index(c).is_some()).unwrap_or(cut);
    let mut total = 0.0;
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        let font = font_for(first);
        let mut run = String::from(first);
        while let Some(c) = chars.next_if(|&c| std::ptr::eq(font_for(c), font)) {
            run.push(c);
        }
        total += shaped(&run, font);
    }
    total
}

/// Advance in em.
fn shaped(text: &str, font: &'static rustybuzz::Face<'static>) -> f64 {
    let mut buffer = rustybuzz::UnicodeBuffer::new();
    buffer.push_str(text);
    buffer.guess_segment_properties();
    let (direction, script) = (buffer.direction(), buffer.script());
    let plan = PLANS.with_borrow_mut(|plans| {
        let made = || {
            let script = Some(script).filter(|s| *s != rustybuzz::script::UNKNOWN);
            Rc::new(rustybuzz::ShapePlan::new(font, direction, script, None, &[]))
        };
        plans.entry((std::ptr::from_ref(font) as usize, direction, script)).or_insert_with(made).clone()
    });
    let glyphs = rustybuzz::shape_with_plan(font, &plan, buffer);
    let units: i64 = glyphs.glyph_positions().iter().map(|p| i64::from(p.x_advance)).sum();
    units as f64 / f64::from(font.units_per_em())
}

/// Widths remembered for each cut.
const MOST_WIDTHS: usize = 4096;

type Plans = HashMap<(usize, rustybuzz::Direction, rustybuzz::Script), Rc<rustybuzz::ShapePlan>>;
type Widths = HashMap<(usize, Face), HashMap<String, f64>>;

thread_local! {
    /// Making a plan takes far longer than shaping a label by it. Faces live as long as the program, so
    /// an address names one.
    static PLANS: RefCell<Plans> = RefCell::new(HashMap::new());
    /// A layout asks for the same labels again and again.
    static WIDTHS: RefCell<Widths> = RefCell::new(HashMap::new());
}

//! Families of fonts, loaded once: the same for measuring and for the renderer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use resvg::usvg::{self, fontdb};
use rustybuzz::ttf_parser;

use super::Face;

const LIBERTINUS: &str = "Libertinus Serif";
const COMPUTER_MODERN: &str = "NewComputerModern10";
const STAND_INS: [&str; 2] = ["NewComputerModernMath", "DejaVu Sans Mono"];

/// A family as the renderer finds it.
pub(crate) struct Family {
    pub name: String,
    /// The fonts of [`Face`].
    pub(super) cuts: [rustybuzz::Face<'static>; 3],
}

impl std::fmt::Debug for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Family").field(&self.name).finish()
    }
}

/// Fonts that can be found by name.
#[derive(Clone, Default)]
struct Library {
    database: Arc<fontdb::Database>,
    data: Vec<(fontdb::ID, &'static [u8])>,
}

impl Library {
    /// Adds a font and returns the name of its family; None where it is no single font.
    fn add(&mut self, data: &'static [u8]) -> Option<String> {
        let source = fontdb::Source::Binary(Arc::new(data));
        let [id] = Arc::make_mut(&mut self.database).load_font_source(source)[..] else { return None };
        self.data.push((id, data));
        Some(self.database.face(id)?.families.first()?.0.clone())
    }

    /// The font the renderer picks.
    fn pick(&self, name: &str, face: Face) -> Option<(fontdb::ID, rustybuzz::Face<'static>)> {
        let weight = if face == Face::Bold { fontdb::Weight::BOLD } else { fontdb::Weight::NORMAL };
        let style = if face == Face::Italic { fontdb::Style::Italic } else { fontdb::Style::Normal };
        let families = &[fontdb::Family::Name(name)];
        let id =
            self.database.query(&fontdb::Query { families, weight, style, ..fontdb::Query::default() })?;
        let data = self.data.iter().find(|font| font.0 == id)?.1;
        Some((id, rustybuzz::Face::from_slice(data, 0)?))
    }

    fn family(&self, name: &str) -> Option<Family> {
        let cut = |face| self.pick(name, face).map(|found| found.1);
        let cuts = [cut(Face::Regular)?, cut(Face::Bold)?, cut(Face::Italic)?];
        Some(Family { name: name.into(), cuts })
    }
}

/// What the program brings along.
pub(super) struct Embedded {
    library: Library,
    pub libertinus: Family,
    pub computer_modern: Family,
    /// For characters a font lacks; the first that has one is taken.
    pub stand_ins: [rustybuzz::Face<'static>; 2],
    stand_in_ids: [fontdb::ID; 2],
}

pub(super) fn embedded() -> &'static Embedded {
    static EMBEDDED: OnceLock<Embedded> = OnceLock::new();
    EMBEDDED.get_or_init(|| {
        let mut library = Library::default();
        for data in typst_assets::fonts() {
            library.add(data);
        }
        Arc::make_mut(&mut library.database).set_serif_family(LIBERTINUS);
        let family = |name: &str| library.family(name).unwrap_or_else(|| panic!("typst-assets has {name}"));
        let stand_in = |name: &str| {
            library.pick(name, Face::Regular).unwrap_or_else(|| panic!("typst-assets has {name}"))
        };
        let [(first, math), (second, mono)] = STAND_INS.map(stand_in);
        Embedded {
            libertinus: family(LIBERTINUS),
            computer_modern: family(COMPUTER_MODERN),
            stand_ins: [math, mono],
            stand_in_ids: [first, second],
            library,
        }
    })
}

/// All fonts of the program.
struct Loaded {
    library: Library,
    /// Families read from files, with what the files held.
    files: Vec<(Vec<&'static [u8]>, &'static Family)>,
}

fn loaded() -> MutexGuard<'static, Loaded> {
    static LOADED: OnceLock<Mutex<Loaded>> = OnceLock::new();
    let first = || Mutex::new(Loaded { library: embedded().library.clone(), files: Vec::new() });
    LOADED.get_or_init(first).lock().unwrap_or_else(PoisonError::into_inner)
}

/// The family of a file and of those beside it; an error says what is wrong with the file.
pub(super) fn of_file(path: &Path) -> Result<&'static Family, String> {
    let mut files = vec![std::fs::read(path).map_err(|error| error.to_string())?];
    files.extend(siblings(path).iter().filter_map(|path| std::fs::read(path).ok()));
    let name = family_of(&files[0]).ok_or("no single TrueType or OpenType font")?;
    files.retain(|data| family_of(data).as_ref() == Some(&name));
    let mut loaded = loaded();
    if let Some(known) = loaded.files.iter().find(|known| known.0 == files) {
        return Ok(known.1);
    }
    if loaded.library.family(&name).is_some() {
        return Err(format!("another font of the family \"{name}\" is loaded already"));
    }
    if name.contains('\'') || name.chars().any(char::is_control) {
        return Err(format!("an SVG cannot name its family, {name:?}"));
    }
    // Figures may be drawn with it for as long as the program runs.
    let files: Vec<&'static [u8]> = files.into_iter().map(|data| &*data.leak()).collect();
    let mut library = loaded.library.clone();
    files.iter().for_each(|data| drop(library.add(data)));
    let family = library.family(&name).ok_or("a font without the tables that place its letters")?;
    let family = &*Box::leak(Box::new(family));
    loaded.library = library;
    loaded.files.push((files, family));
    Ok(family)
}

fn family_of(data: &[u8]) -> Option<String> {
    let mut alone = fontdb::Database::new();
    alone.load_font_data(data.to_vec());
    let mut faces = alone.faces();
    let name = faces.next()?.families.first()?.0.clone();
    let drawn = ttf_parser::Face::parse(data, 0).is_ok_and(|face| face.glyph_index('0').is_some());
    (faces.next().is_none() && drawn).then_some(name)
}

/// Where the bold and the italic cut of a font may lie.
fn siblings(path: &Path) -> Vec<PathBuf> {
    let (Some(stem), Some(ending)) = (path.file_stem(), path.extension()) else { return Vec::new() };
    let (stem, ending) = (stem.to_string_lossy(), ending.to_string_lossy());
    let name = stem.strip_suffix("-Regular").unwrap_or(&stem);
    ["Bold", "Italic", "Oblique"].map(|cut| path.with_file_name(format!("{name}-{cut}.{ending}"))).into()
}

/// How the renderer is to find fonts: all that are loaded, and for a missing character the same stand-ins with which
/// texts are measured, whatever else is loaded.
pub(crate) fn renderer() -> (Arc<fontdb::Database>, usvg::FontResolver<'static>) {
    let has = |database: &fontdb::Database, id: fontdb::ID, c: char| {
        let found =
            |data: &[u8], index| Some(ttf_parser::Face::parse(data, index).ok()?.glyph_index(c).is_some());
        database.with_face_data(id, found).flatten().unwrap_or(false)
    };
    let resolver = usvg::FontResolver {
        select_fallback: Box::new(move |c, used, database| {
            embedded().stand_in_ids.into_iter().find(|id| !used.contains(id) && has(database, *id, c))
        }),
        ..usvg::FontResolver::default()
    };
    (loaded().library.database.clone(), resolver)
}

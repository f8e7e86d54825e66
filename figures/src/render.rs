//! From SVG to PDF and PNG. Only the embedded fonts and those the program read are used, so the result does not depend
//! on the machine.

use resvg::{tiny_skia, usvg};

use crate::canonical;
use crate::error::{Error, Result};
use crate::font;

/// Reads an SVG so that its user unit is the point.
fn tree(svg: &str) -> Result<usvg::Tree> {
    let (fontdb, font_resolver) = font::renderer();
    let options = usvg::Options { dpi: 72.0, fontdb, font_resolver, ..usvg::Options::default() };
    usvg::Tree::from_str(svg, &options).map_err(|e| Error::Svg(e.to_string()))
}

/// The figure as a PDF page of its printed size, text as text in embedded font subsets.
///
/// # Errors
/// When `svg` is not an SVG, or the PDF cannot be written.
pub fn pdf(svg: &str) -> Result<Vec<u8>> {
    let page = svg2pdf::PageOptions { dpi: 72.0 };
    let pdf = svg2pdf::to_pdf(&tree(svg)?, svg2pdf::ConversionOptions::default(), page)
        .map_err(|e| Error::Pdf(e.to_string()))?;
    Ok(canonical::ordered(&pdf).unwrap_or(pdf))
}

/// The figure as a PNG on white at `dpi` dots an inch (300 for print); the file says so, and so is
/// placed at its printed size.
///
/// # Errors
/// When `svg` is not an SVG, or `dpi` gives no image or one of more than 400 million dots.
pub fn png(svg: &str, dpi: f64) -> Result<Vec<u8>> {
    let tree = tree(svg)?;
    let scale = (dpi / 72.0) as f32;
    let (width, height) = (tree.size().width() * scale, tree.size().height() * scale);
    if !(1.0..=4e8).contains(&(width * height)) {
        return Err(Error::Png(format!("{width} x {height} dots at {dpi} dpi")));
    }
    let mut image = tiny_skia::Pixmap::new(width.round() as u32, height.round() as u32)
        .ok_or_else(|| Error::Png(format!("no room for {width} x {height} dots")))?;
    image.fill(tiny_skia::Color::WHITE);
    // To whole dots, so that no edge of a dark ground mixes with white.
    let (x, y) = (width.round() / tree.size().width(), height.round() / tree.size().height());
    resvg::render(&tree, tiny_skia::Transform::from_scale(x, y), &mut image.as_mut());
    let png = image.encode_png().map_err(|e| Error::Png(e.to_string()))?;
    Ok(with_resolution(&png, dpi))
}

/// Signature and IHDR of a PNG: 8 bytes, then length, name, 13 bytes and checksum.
const HEADER: usize = 8 + 4 + 4 + 13 + 4;

/// Adds the pHYs chunk (dots a metre) after the header.
fn with_resolution(png: &[u8], dpi: f64) -> Vec<u8> {
    let per_metre = ((dpi / 0.0254).round() as u32).to_be_bytes();
    let mut chunk = b"pHYs".to_vec();
    chunk.extend([per_metre, per_metre].concat());
    chunk.push(1);
    let sum = crc32(&chunk).to_be_bytes();
    let (head, rest) = png.split_at(HEADER.min(png.len()));
    [head, &9u32.to_be_bytes(), &chunk, &sum, rest].concat()
}

/// The checksum of PNG chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 })
    })
}

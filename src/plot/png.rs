//! SVG → PNG, with the embedded font: the same pixels whatever fonts the system has, but for letters that the font lacks.

use super::fallback;
use resvg::{tiny_skia, usvg};
use std::sync::Arc;

static FONTS: [&[u8]; 2] = [include_bytes!("fonts/inter-regular.otf"), include_bytes!("fonts/inter-semibold.otf")];

/// A picture that could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("not an SVG that can be rendered: {0}")]
    Svg(#[from] usvg::Error),
    #[error("no room for a picture of {width}×{height} pixels")]
    Size { width: u32, height: u32 },
    #[error("cannot encode the picture: {0}")]
    Encode(String),
}

/// Renders a picture of this module at `scale` pixels for each of its own (2 is right for a README).
///
/// # Errors
/// When `svg` is none, or the picture is too large.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>, PictureError> {
    let tree = parse(svg)?;
    let size = tree.size();
    let (width, height) = ((size.width() * scale).ceil() as u32, (size.height() * scale).ceil() as u32);
    let mut pixels = tiny_skia::Pixmap::new(width, height).ok_or(PictureError::Size { width, height })?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| PictureError::Encode(e.to_string()))
}

/// Lays the picture out, texts in the embedded font as far as that has their letters.
pub(super) fn parse(svg: &str) -> Result<usvg::Tree, PictureError> {
    let mut options = usvg::Options { font_family: "Inter".to_owned(), ..usvg::Options::default() };
    let fonts = Arc::make_mut(&mut options.fontdb);
    for font in FONTS {
        fonts.load_font_data(font.to_vec());
    }
    // Both weights have the same letters.
    let svg = fallback::complete(svg, FONTS[0], fonts);
    Ok(usvg::Tree::from_str(&svg, &options)?)
}

//! Where a command's results go: standard output, files, pictures.

use super::Failure;
use crate::plot;
use crate::record::{atomic, console};
use anyhow::Context as _;
use std::io::Write;
use std::path::Path;

/// Pixels of a PNG for each unit of the drawing.
const PNG_SCALE: f32 = 2.0;

/// Whether a file argument stands for standard output.
pub fn is_stdout(to: &Path) -> bool {
    to == Path::new("-")
}

/// Columns that a table may take: the terminal's, or 100 where there is none.
pub fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0))
}

/// Prints a text that may hold colours, which are left out where they are not wanted.
///
/// # Errors
/// When standard output cannot be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    to_stdout(|| anstream::stdout().write_all(text.as_bytes()))
}

/// Says what a person should know on standard error.
pub fn notice(text: &str) {
    anstream::eprintln!("{}", console::notice(text, console::stderr_width()));
}

/// Writes bytes to a file, replaced as a whole, or with `-` to standard output.
///
/// # Errors
/// When it cannot be written.
pub fn write(to: &Path, rows: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> anyhow::Result<()> {
    if is_stdout(to) {
        return to_stdout(|| rows(&mut std::io::stdout().lock()));
    }
    Ok(atomic::write_with(to, |out| rows(out))?)
}

/// What a picture's name says it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFormat {
    Svg,
    Png,
}

impl PictureFormat {
    /// By the extension of `to`, which argument `flag` gave.
    ///
    /// # Errors
    /// A usage error for any other extension; ask before the work, not after it.
    pub fn of(to: &Path, flag: &str) -> Result<Self, Failure> {
        match to.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => Err(Failure::Usage(format!("{flag} {}: the name must end in .svg or .png", to.display()))),
        }
    }
}

/// Writes a drawing as SVG or PNG, by its name.
///
/// # Errors
/// A usage error for another extension; when it cannot be drawn or written.
pub fn picture(to: &Path, flag: &str, svg: String) -> Result<(), Failure> {
    let bytes = match PictureFormat::of(to, flag)? {
        PictureFormat::Svg => svg.into_bytes(),
        PictureFormat::Png => plot::png(&svg, PNG_SCALE).context("cannot draw the picture")?,
    };
    Ok(atomic::write(to, &bytes).map_err(anyhow::Error::from)?)
}

/// Writes to standard output; a reader that has seen enough, as `head`, is no error.
fn to_stdout(write: impl FnOnce() -> std::io::Result<()>) -> anyhow::Result<()> {
    match write() {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

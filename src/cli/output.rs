//! Where a command's results go: standard output, files, pictures.

use super::Failure;
use crate::config::spec::{SetSpec, Spec};
use crate::data::{Request, Root, sets};
use crate::plot;
use crate::record::folder::file;
use crate::record::{RecordError, atomic, console};
use crate::sweep::file::{LOGS, POINTS, TRIALS};
use crate::task;
use anyhow::Context as _;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Pixels of a PNG for each unit of the drawing.
const PNG_SCALE: f32 = 2.0;

/// What stands for standard output. Under the system's names it may be a file, which must not be replaced while it is written.
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Below these lie files that are open already: the shell made them for this process.
const OPENED: [&str; 3] = ["/dev/fd", "/dev/stderr", "/proc/self/fd"];

/// So many links are followed, by the system too: they may lead in a circle.
const MOST_LINKS: usize = 40;

/// What is wrong with an output that takes the place of an input.
const IS_READ: &str = "that is what is read, and would be lost\nhelp: name another file";

/// Whether a file argument stands for standard output.
pub fn is_stdout(to: &Path) -> bool {
    STDOUT.iter().any(|name| to == Path::new(name))
}

/// Where a command's options send its results: seen to before the work, not after it.
#[derive(Default)]
pub struct Outputs<'a> {
    /// Options that print something else than the usual tables.
    printing: Vec<&'static str>,
    files: Vec<(&'static str, &'a Path)>,
}

impl<'a> Outputs<'a> {
    /// With an option that prints something else than the usual tables, where it is given.
    pub fn prints(mut self, flag: &'static str, is_given: bool) -> Self {
        self.printing.extend(is_given.then_some(flag));
        self
    }

    /// With the files that an option names.
    pub fn file(mut self, flag: &'static str, to: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        self.files.extend(to.into_iter().map(|to| (flag, to.as_path())));
        self
    }

    /// Whether standard output is wanted for something else than the usual tables.
    pub fn take_stdout(&self) -> bool {
        !self.on_stdout().is_empty()
    }

    /// The options that want standard output, as they were given.
    fn on_stdout(&self) -> Vec<String> {
        let files = self.files.iter().filter(|(_, to)| is_stdout(to));
        let files = files.map(|(flag, to)| format!("{flag} {}", to.display()));
        self.printing.iter().map(|flag| (*flag).to_owned()).chain(files).collect()
    }

    /// Sees to it that every result has a place of its own, and that none takes that of `inputs`.
    ///
    /// # Errors
    /// A usage error, which names the options.
    pub fn check(&self, inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<(), Failure> {
        if let [one, other, ..] = &self.on_stdout()[..] {
            let message = format!("{one} and {other} both want standard output: name a file for one");
            return Err(Failure::Usage(message));
        }
        let inputs: Vec<PathBuf> = inputs.into_iter().map(|input| place(input.as_ref())).collect();
        let mut taken: Vec<(PathBuf, String)> = Vec::new();
        for (flag, to) in self.files.iter().filter(|(_, to)| !is_stdout(to)) {
            let (argument, place) = (format!("{flag} {}", to.display()), place(to));
            check_folder(&argument, to)?;
            if is_of_run(&place) {
                let message = format!("{argument}: a run or sweep keeps its records there\nhelp: name another file");
                return Err(Failure::Usage(message));
            }
            if inputs.contains(&place) {
                return Err(Failure::Usage(format!("{argument}: {IS_READ}")));
            }
            if let Some((_, other)) = taken.iter().find(|(taken, _)| *taken == place) {
                let message = format!("{other} and {argument} are the same file: name another for one");
                return Err(Failure::Usage(message));
            }
            taken.push((place, argument));
        }
        Ok(())
    }

    /// Sees that none takes the place of what an experiment reads besides its own files: of weights, of pictures that are painted, of
    /// an image or what else is in the folder of a set. `others`: images that are read besides.
    ///
    /// # Errors
    /// A usage error, which names the option.
    pub fn spare(&self, spec: &Spec, others: Option<&Path>) -> Result<(), Failure> {
        // Where nothing is, nothing is lost; and to look for a set may take a while.
        let is_there = |to: &Path| !is_stdout(to) && to.is_file();
        let there: Vec<_> = self.files.iter().filter(|(_, to)| is_there(to)).collect();
        if there.is_empty() {
            return Ok(());
        }
        let read: Vec<PathBuf> = read_by(spec).into_iter().chain(others.map(Path::to_owned)).collect();
        let folders: Vec<PathBuf> =
            read.iter().filter(|path| path.is_dir()).filter_map(|folder| fs::canonicalize(folder).ok()).collect();
        let files: Vec<PathBuf> = read.iter().map(|path| place(path)).collect();
        for (flag, to) in there {
            let (argument, place) = (format!("{flag} {}", to.display()), place(to));
            if files.contains(&place) {
                return Err(Failure::Usage(format!("{argument}: {IS_READ}")));
            }
            if let Some(folder) = folders.iter().find(|folder| place.starts_with(folder)) {
                let message = format!("{argument}: it is there, in the folder of images {}", folder.display());
                return Err(Failure::Usage(format!("{message}\nhelp: write to another place")));
            }
        }
        Ok(())
    }
}

/// Files and folders that an experiment names: its weights; what it paints with, or its sets and their lists of validation images.
fn read_by(spec: &Spec) -> Vec<PathBuf> {
    let weights = spec.model.weights.iter().cloned();
    if let Some(painting) = task::painting(spec.task.as_ref()) {
        return weights.chain(painting.files().into_iter().map(|(_, file)| file.clone())).collect();
    }
    let of_set = |set: SetSpec| {
        let root = Root::find(set.root.as_deref(), Request::ROOT);
        let folder = root.and_then(|root| sets::make(&set.dataset).locate(&root.path));
        let list =
            set.dataset.settings.opt_text("val_list").zip(folder.as_ref()).map(|(list, folder)| folder.join(list));
        folder.into_iter().chain(list)
    };
    weights.chain(spec.sets().into_iter().flat_map(of_set)).collect()
}

/// Sees to it that there is a folder for the file of an argument.
fn check_folder(argument: &str, to: &Path) -> Result<(), Failure> {
    let path = followed(to);
    let folder = folder_of(&path);
    let shown = folder.display();
    let problem = match (to.is_dir(), folder.is_dir(), folder.exists()) {
        (true, ..) => "that is a folder\nhelp: name a file in it".to_owned(),
        (_, true, _) => return Ok(()),
        (.., true) => format!("{shown} is a file, not a folder"),
        (.., false) => format!("there is no folder {shown}\nhelp: `mkdir -p {shown}` makes it"),
    };
    Err(Failure::Usage(format!("{argument}: {problem}")))
}

/// Whether a place is that of a file by which a run or a sweep is known, in its folder, or is in a folder that it has there for itself.
fn is_of_run(place: &Path) -> bool {
    is_own_file(place) || place.parent().is_some_and(is_own_folder)
}

fn is_own_file(place: &Path) -> bool {
    let beside = |name: &str| place.with_file_name(name).exists();
    let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let of_run =
        [file::EXPERIMENT, file::RUN, file::PLAN, file::METRICS, file::TRACE, file::LOG, file::LOCK, file::MLFLOW];
    let is_model = name.starts_with("model") && name.ends_with(".safetensors");
    (beside(file::RUN) && (of_run.contains(&name) || is_model))
        || (beside(file::SWEEP) && [file::SWEEP, TRIALS, file::LOCK].contains(&name))
}

fn is_own_folder(place: &Path) -> bool {
    let beside = |name: &str| place.with_file_name(name).exists();
    let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    (beside(file::RUN) && name == file::CHECKPOINT) || (beside(file::SWEEP) && [POINTS, LOGS].contains(&name))
}

/// Where a path leads when its links are followed, whether a file is there or not.
fn followed(to: &Path) -> PathBuf {
    let mut path = to.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            // Beside the link; where it is absolute, it alone counts.
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => break,
        }
    }
    path
}

/// One name for a file, whatever way leads to it.
fn place(path: &Path) -> PathBuf {
    let path = followed(path);
    match (fs::canonicalize(folder_of(&path)), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a path is no file to replace, but takes what comes: a device, a pipe, what the shell has opened.
fn is_stream(to: &Path) -> bool {
    OPENED.iter().any(|opened| to.starts_with(opened)) || fs::metadata(to).is_ok_and(|found| !found.is_file())
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

/// Prints on standard error what a person reads, where standard output has what a program reads.
pub fn aside(text: impl FnOnce(usize) -> String) {
    anstream::eprint!("{}", text(console::stderr_width()));
}

/// Says what a person should know on standard error.
pub fn notice(text: &str) {
    anstream::eprintln!("{}", console::notice(text, console::stderr_width()));
}

/// Writes to a file that a person named, or with `-` to standard output.
///
/// A file is replaced as a whole, at the end of its links and with the permissions that it had; a device or a pipe is written to.
///
/// # Errors
/// When it cannot be written.
pub fn write(to: &Path, rows: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let rows = |out: &mut dyn Write| rows(out).map_err(plain);
    if is_stdout(to) {
        return to_stdout(|| {
            let mut out = io::stdout().lock();
            rows(&mut out)?;
            out.flush()
        });
    }
    if is_stream(to) {
        return Ok(pass_on(to, rows).map_err(RecordError::io("write", to))?);
    }
    Ok(atomic::write_over(&followed(to), |out| rows(out))?)
}

/// As [`write`], of bytes that are there as a whole.
///
/// # Errors
/// Those of [`write`].
pub fn write_bytes(to: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write(to, |out| out.write_all(bytes))
}

/// Writes to something that takes what comes.
fn pass_on(to: &Path, rows: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // Behind what is there: a file that the shell opened by `>>` keeps what it held.
    let mut out = BufWriter::new(OpenOptions::new().append(true).open(to)?);
    unless_closed(rows(&mut out).and_then(|()| out.flush()))
}

/// The file that a path leads to, for what cannot be written to anything else.
///
/// # Errors
/// A usage error where the path is something else: a folder, a device, a pipe.
pub fn file_only(to: &Path, flag: &str) -> Result<PathBuf, Failure> {
    match is_stream(to) || is_stdout(to) {
        true => Err(Failure::Usage(format!("{flag} {}: that is no file\nhelp: name a file", to.display()))),
        false => Ok(followed(to)),
    }
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
    Ok(write_bytes(to, &bytes)?)
}

fn to_stdout(write: impl FnOnce() -> io::Result<()>) -> anyhow::Result<()> {
    unless_closed(write()).context("cannot write to standard output")
}

/// A reader that has seen enough, as `head`, is no error.
fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// What the system said, out of the error that a writer of CSV has made of it: its kind tells what to do.
fn plain(error: io::Error) -> io::Error {
    match error.downcast::<csv::Error>() {
        Ok(error) if error.is_io_error() => match error.into_kind() {
            csv::ErrorKind::Io(cause) => cause,
            other => io::Error::other(format!("{other:?}")),
        },
        Ok(error) => io::Error::other(error),
        Err(error) => error,
    }
}

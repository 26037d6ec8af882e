//! `runner data info`.

use super::overview::{Counts, Overview};
use super::pack::name_skipped;
use super::sheet::{self, Served};
use super::verify::{self, Verified};
use super::{RootArg, experiment};
use crate::cli::output::{self, Outputs, PictureFormat};
use crate::cli::{Exit, Failure, Overrides, prepare};
use crate::config::Loaded;
use crate::data::sets::{self, Origin, SetReader};
use crate::data::{DataError, Dataset, Facts, Root};
use crate::registry::{Choice, Value, find};
use crate::units::{classes, count};
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Of an absent set it shows the official figures and how to get it, with exit code 3.

Examples:
  runner data info cifar10 --sheet sheet.png
  runner data info configs/dawnbench.toml --sheet sheet.png --augmented
  runner data info folder --root photos --set data.dataset.size=64
  runner data info mnist --json | jq .training.images")]
pub struct InfoArgs {
    /// A data set, or an experiment file, whose set, folder and settings are then used
    #[arg(value_name = "NAME|CONFIG")]
    name: String,
    #[command(flatten)]
    root: RootArg,
    #[command(flatten)]
    overrides: Overrides,
    /// Draw images of each class
    #[arg(long, value_name = "FILE.png|FILE.svg")]
    sheet: Option<PathBuf>,
    /// Draw the training images as the experiment's first phase serves them: resized and augmented
    #[arg(long, requires = "sheet")]
    augmented: bool,
    /// Decode every image, and name all that are damaged and all files that are none (exit code 3; 0 where `skip_bad` leaves them out)
    #[arg(long)]
    verify: bool,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Reads the set and shows it.
pub fn run(args: &InfoArgs) -> Result<Exit, Failure> {
    if args.augmented && find(sets::ENTRIES, &args.name).is_some() {
        let message = "--augmented: name an experiment file, whose first phase says how its images are served";
        return Err(Failure::Usage(message.to_owned()));
    }
    let format = args.sheet.as_deref().map(|to| PictureFormat::of(to, "--sheet")).transpose()?;
    let outputs = Outputs::default().file("--sheet", &args.sheet);
    outputs.check([&args.name])?;
    let Loaded { mut spec, source: text } = experiment(&args.name, &args.overrides.list())?;
    outputs.check(text.files())?;
    if let Some(root) = &args.root.root {
        spec.data.root = Some(root.clone());
    }
    // Its `[data]` says nothing: the set of the defaults would be shown.
    prepare::trains(&spec)?;
    outputs.spare(&spec, None)?;
    let choice = &spec.data.dataset;
    let source = if args.root.root.is_some() { "--root" } else { "data.root" };
    let (set, root) = (sets::make(choice), Root::find(spec.data.root.as_deref(), source));
    let folder = match set.origin() {
        Origin::Generated => None,
        _ => match root.as_ref().and_then(|root| set.locate(&root.path)) {
            Some(folder) => Some(folder),
            None => return absent(args, &choice.kind, &*set, root.as_ref(), spec.data.root.is_some()),
        },
    };
    let place = folder.as_deref().unwrap_or(Path::new(""));
    let skips = choice.settings.opt_bool(SKIP_BAD);
    let dataset = match (args.verify, skips) {
        // Without them, so that all are found; what keeps it from being opened so is better said of the set as it is.
        (true, Some(false)) => sets::make(&without_bad(choice)).read(place).or_else(|_| set.read(place))?,
        _ => set.read(place)?,
    };
    if !args.verify {
        name_skipped(&dataset.skipped);
    }
    // With such files there is no set to be shown.
    if skips != Some(false) || dataset.skipped.is_empty() {
        let overview = overview(&choice.kind, &dataset, folder);
        match args.json {
            true => output::print(&(overview.json()? + "\n"))?,
            false => output::print(&overview.text(output::width()))?,
        }
    }
    if args.verify {
        let verified = Verified { set: &dataset, is_decoded: skips.is_some(), skips: skips == Some(true) };
        verify::run(verified, args.json)?;
    }
    if let (Some(to), Some(format)) = (&args.sheet, format) {
        let served = if args.augmented { Served::FirstPhase(&spec) } else { Served::AsStored };
        let sheet = sheet::make(dataset, served)?;
        sheet::write(&sheet, to, format)?;
    }
    Ok(Exit::Done)
}

/// The setting of sets of files, which are decoded.
const SKIP_BAD: &str = "skip_bad";

/// The set without the files that cannot be part of it.
fn without_bad(choice: &Choice) -> Choice {
    let mut choice = choice.clone();
    choice.settings.0.insert(SKIP_BAD.to_owned(), Value::Bool(true));
    choice
}

fn overview(kind: &str, set: &Dataset, folder: Option<PathBuf>) -> Overview {
    let summary = find(sets::ENTRIES, kind).map_or("", |entry| entry.summary);
    let classes = set.facts.classes;
    Overview {
        name: set.facts.name.clone(),
        summary,
        folder,
        size: set.facts.size,
        channels: set.facts.channels,
        class_names: set.class_names.clone(),
        training: Counts::of(&set.train.labels, classes),
        validation: Counts::of(&set.val.labels, classes),
        mean: set.mean.clone(),
        deviation: set.std.clone(),
        digest: set.digest.clone(),
        skipped: set.skipped.len(),
        on_disk: set.train.stored().is_some(),
    }
}

/// Shows what is known of a set that is not there; the error says how to get it, into the same folder if that was `named`
/// by the command or the experiment.
fn absent(args: &InfoArgs, name: &str, set: &dyn SetReader, root: Option<&Root>, named: bool) -> Result<Exit, Failure> {
    let place = match root {
        Some(Root { path, source }) => format!("{} ({source})", path.display()),
        None => "any folder: there is no home folder".to_owned(),
    };
    if args.json {
        let official = set.official();
        output::print(
            &(serde_json::json!({ "name": name, "present": false, "official": official }).to_string() + "\n"),
        )?;
    } else if let Some(facts) = set.official() {
        output::print(&official(&facts))?;
    }
    let remedy = match set.origin() {
        Origin::Published(_) => {
            let to = root.filter(|_| named).map(|root| format!(" --root {}", root.path.display()));
            format!("`runner data fetch {name}{}` gets it", to.unwrap_or_default())
        }
        Origin::Elsewhere(how) => format!("{how} with --root DIR"),
        Origin::Own | Origin::Generated => {
            "name the folder that holds train/ and val/, or the class folders, with --root DIR".to_owned()
        }
    };
    Err(DataError::Absent { why: format!("`{name}` is not in {place}"), remedy }.into())
}

fn official(facts: &Facts) -> String {
    format!(
        "{}, officially: {} training and {} validation images of {}×{}, {} channel{}, {}\n",
        facts.name,
        count(facts.train_images as u64),
        count(facts.val_images as u64),
        facts.size,
        facts.size,
        facts.channels,
        if facts.channels == 1 { "" } else { "s" },
        classes(facts.classes)
    )
}

//! `runner data info`.

use super::overview::{Counts, Overview};
use super::pack::name_skipped;
use super::sheet::{self, Served};
use super::{RootArg, experiment, verify};
use crate::cli::output::{self, Outputs, PictureFormat};
use crate::cli::{Exit, Failure, Overrides};
use crate::config::Loaded;
use crate::data::sets::{self, Origin, SetReader};
use crate::data::{DataError, Dataset, Facts, Root};
use crate::registry::find;
use crate::units::count;
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
    /// Decode every image of a set that stays on disk, and name those that are damaged (exit code 3)
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
    let dataset = set.read(folder.as_deref().unwrap_or(Path::new("")))?;
    name_skipped(&dataset.skipped);
    let overview = overview(&choice.kind, &dataset, folder);
    if args.json {
        output::print(&(overview.json()? + "\n"))?;
    } else {
        output::print(&overview.text(output::width()))?;
    }
    if args.verify {
        verify::run(&dataset)?;
    }
    if let (Some(to), Some(format)) = (&args.sheet, format) {
        let served = if args.augmented { Served::FirstPhase(&spec) } else { Served::AsStored };
        let sheet = sheet::make(dataset, served)?;
        sheet::write(&sheet, to, format)?;
    }
    Ok(Exit::Done)
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
        "{}, officially: {} training and {} validation images of {}×{}, {} channel{}, {} classes\n",
        facts.name,
        count(facts.train_images as u64),
        count(facts.val_images as u64),
        facts.size,
        facts.size,
        facts.channels,
        if facts.channels == 1 { "" } else { "s" },
        facts.classes
    )
}

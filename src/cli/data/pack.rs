//! `runner data pack`.

use super::experiment;
use crate::cli::output::{self, Outputs};
use crate::cli::{Exit, Failure};
use crate::config::{Loaded, Override};
use crate::data::sets;
use crate::data::stored::Skipped;
use crate::data::stored::pack::{Form, Options, differences, is_pack, write};
use crate::data::{DataError, Root};
use crate::record::console::Counter;
use crate::units::count;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Every file is decoded on the way, so what is damaged is found. A pack is used as a data folder is, by its name: \
root = \"FILE\". It holds the files as they are, unless they are to be smaller, of another quality, or decoded. A pack \
that was stopped goes on where it was when given again. In the place of another file, or within the folder that is packed, nothing \
is written.

Examples:
  runner data pack photos -o photos.pack --short-side 256              # JPEG, smaller
  runner data pack photos -o photos.pack --short-side 160 --decoded    # nothing is left to decode
  runner train mine.toml --set data.root=photos.pack --set data.dataset.keep=disk")]
pub struct PackArgs {
    /// The folder with train/ and val/, or with the class folders
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The file to write
    #[arg(long, short, visible_alias = "output", value_name = "FILE")]
    out: PathBuf,
    /// Bring images whose shorter side is longer than this to it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    short_side: Option<u16>,
    /// Store JPEG files of this quality [default: files as they are, 90 where they are made smaller]
    #[arg(long, value_name = "Q", value_parser = clap::value_parser!(u8).range(1..=100), conflicts_with = "decoded")]
    quality: Option<u8>,
    /// Store pixels: larger, and quicker to read
    #[arg(long)]
    decoded: bool,
    /// Leave out files that are no images or cannot be decoded, and name them
    #[arg(long)]
    skip_bad: bool,
    /// Replace a pack that is there, though it was made with other settings or of other images
    #[arg(long)]
    force: bool,
    /// The data set whose files these are
    #[arg(long, value_name = "NAME", default_value = "folder", value_parser = ["folder", "imagenet"])]
    set_name: String,
    /// Replace a setting of the data set, as `--set data.dataset.val=0.1` (repeatable)
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
}

/// Packs.
pub fn run(args: &PackArgs) -> Result<Exit, Failure> {
    let to = output::file_only(&args.out, "--out")?;
    let outputs = Outputs::default().file("--out", [&args.out]);
    outputs.check([&args.folder])?;
    if to.exists() && !is_pack(&to) {
        return Err(misplaced(args, "that is no pack, and would be lost\nhelp: name another file"));
    }
    // What is no image is left out where the files are listed.
    let skip_bad = args.skip_bad.then(|| "data.dataset.skip_bad=true".to_owned());
    let changes: Vec<Override> = args.set.iter().cloned().chain(skip_bad).map(Override::Set).collect();
    let Loaded { spec, .. } = experiment(&args.set_name, &changes)?;
    let set = sets::make(&spec.data.dataset);
    let root = Root { path: args.folder.clone(), source: "DIR" };
    let absent = || DataError::Absent {
        why: format!("there are no class folders of images in {}", root.path.display()),
        remedy: "name the folder that holds train/ and val/, or the class folders".to_owned(),
    };
    if is_pack(&root.path) {
        return Err(Failure::Usage(format!("{} is a pack already", root.path.display())));
    }
    let folder = set.locate(&root.path).ok_or_else(absent)?;
    if is_inside(&to, &folder) {
        return Err(misplaced(
            args,
            "it lies in the folder that is packed, which is for images\nhelp: name a file elsewhere",
        ));
    }
    let listing = set.to_pack(&folder).ok_or_else(absent)??;
    // Where there is nothing yet, nothing is lost; and to look at a million images takes a while.
    if to.exists() {
        let list = listing.val_list.iter().map(|list| listing.root.join(list));
        outputs.check(listing.files.iter().map(|(image, _)| image.clone()).chain(list))?;
    }
    let form = match args.decoded {
        true => Form::Pixels,
        false => Form::Files { quality: args.quality },
    };
    let options = Options { short_side: args.short_side.map(usize::from), form, skip_bad: args.skip_bad };
    let others = if to.exists() && !args.force { differences(&to, &listing, options) } else { Vec::new() };
    if !others.is_empty() {
        let problem = format!("the pack that is there is another one: {}", others.join(", "));
        return Err(misplaced(args, &format!("{problem}\nhelp: replace it with --force, or name another file")));
    }
    let counter = Counter::new("packing", "images", listing.files.len() as u64);
    let packed = write(&listing, options, &to, |done| counter.at(done as u64))?;
    drop(counter);
    if packed.resumed > 0 {
        anstream::eprintln!("{} files had been packed before", count(packed.resumed as u64));
    }
    name_skipped(&packed.skipped);
    let (images, megabytes) = (count(packed.images as u64), packed.bytes.div_ceil(1_000_000));
    output::print(&format!("{}: {images} images, {} MB\n", args.out.display(), count(megabytes)))?;
    Ok(Exit::Done)
}

/// That a pack cannot be written where the arguments say.
fn misplaced(args: &PackArgs, problem: &str) -> Failure {
    Failure::Usage(format!("--out {}: {problem}", args.out.display()))
}

/// Whether a file lies in a folder or below it, or would.
fn is_inside(file: &Path, folder: &Path) -> bool {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let real = |path: &Path| fs::canonicalize(path).ok();
    real(parent).zip(real(folder)).is_some_and(|(parent, folder)| parent.starts_with(folder))
}

/// Names files that were left out, on standard error.
pub fn name_skipped(skipped: &[Skipped]) {
    for Skipped { path, problem } in skipped {
        anstream::eprintln!("left out: {}: {problem}", path.display());
    }
}

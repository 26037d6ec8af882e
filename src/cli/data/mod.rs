//! `runner data`: which sets there are and where, fetching one, looking at one.

mod fetch;
mod info;
mod list;
mod overview;
mod pack;
mod sheet;
mod verify;

use super::{Exit, Failure};
use crate::config::suggest::{nearest, quoted};
use crate::config::{self, Loaded, Override, Text, sweep};
use crate::data::sets;
use crate::registry::find;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  runner data                                  # which sets there are, and where
  runner data fetch cifar10
  runner data fetch vgg16-weights              # weights to start from
  runner data info cifar10 --sheet sheet.png
  runner data pack photos -o photos.pack --short-side 256
  RUNNER_DATA=/data runner data"
)]
pub struct DataArgs {
    #[command(subcommand)]
    command: Option<DataCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(clap::Subcommand, Debug)]
enum DataCommand {
    /// Fetch a data set or published weights into the data folder
    Fetch(fetch::FetchArgs),
    /// Show what a data set holds; draw a contact sheet
    Info(info::InfoArgs),
    /// Put the images of class folders into one file, smaller or decoded if you like
    Pack(pack::PackArgs),
}

/// Lists, fetches or shows.
pub fn run(args: &DataArgs) -> Result<Exit, Failure> {
    match &args.command {
        Some(DataCommand::Fetch(args)) => fetch::run(args),
        Some(DataCommand::Info(args)) => info::run(args),
        Some(DataCommand::Pack(args)) => pack::run(args),
        None => list::run(&args.list),
    }
}

/// The data folder that a command is to look in.
#[derive(clap::Args, Debug)]
struct RootArg {
    /// The data folder [default: $RUNNER_DATA, else the user's cache folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// The experiment of a file, or for the name of a data set the least one that uses it: so both take the same `--set`.
fn experiment(name: &str, changes: &[Override]) -> Result<Loaded, Failure> {
    if find(sets::ENTRIES, name).is_none() {
        if !Path::new(name).is_file() {
            return Err(unknown(name));
        }
        let path = Path::new(name);
        let loaded = config::load_with(path, changes);
        return Ok(loaded.map_err(|errors| sweep::given_as_experiment(path).unwrap_or(errors))?);
    }
    let content = format!(
        "name = \"data\"\n[data]\ndataset = {{ kind = \"{name}\" }}\n[model]\nbackbone = \"shallow\"\n\
         [[phases]]\nepochs = 1\nbatch = 1\noptimizer = \"sgd\"\nlr = 0.1\n"
    );
    Ok(config::read_with(Text { name: name.to_owned(), content, folder: PathBuf::new() }, changes)?)
}

/// Neither a data set nor a file.
fn unknown(name: &str) -> Failure {
    let names = || sets::ENTRIES.iter().map(|entry| entry.name);
    let near = nearest(name, names()).map(|near| format!("\nhelp: did you mean `{near}`?")).unwrap_or_default();
    Failure::Usage(format!(
        "`{name}` is neither a data set nor an experiment file\n   the data sets are {}{near}",
        quoted(names())
    ))
}

/// Breaks a line between words so that no part is wider than `width`, where words allow.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

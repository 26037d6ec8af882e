//! `runner data`: the sets, and where each was found.

use super::{RootArg, wrap};
use crate::cli::{Exit, Failure, output};
use crate::data::sets::{self, Origin};
use crate::data::{DataError, Root};
use crate::units::count;
use anstyle::{Effects, Style};

const BOLD: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);

#[derive(clap::Args, Debug)]
pub struct ListArgs {
    #[command(flatten)]
    root: RootArg,
}

/// Lists each set with the folder it was found in.
pub fn run(args: &ListArgs) -> Result<Exit, Failure> {
    let root = Root::find(args.root.root.as_deref(), "--root");
    let mut text = match &root {
        Some(root) => format!("data folder: {} ({})\n\n", root.path.display(), root.source),
        None => {
            "data folder: none, as there is no home folder; name one with --root DIR or RUNNER_DATA=DIR\n\n".to_owned()
        }
    };
    let width = sets::ENTRIES.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in sets::ENTRIES {
        let lines = [entry.summary.to_owned(), place(entry.name, root.as_ref())?];
        for (k, line) in lines.iter().enumerate() {
            let name = if k == 0 { entry.name } else { "" };
            let style = if k == 0 { Style::new() } else { DIM };
            let indent = width + 2;
            let wrapped = wrap(line, output::width().saturating_sub(indent).max(40));
            for (j, part) in wrapped.iter().enumerate() {
                let name = if j == 0 { name } else { "" };
                text += &format!("{BOLD}{name:indent$}{BOLD:#}{style}{part}{style:#}\n");
            }
        }
    }
    output::print(&text)?;
    Ok(Exit::Done)
}

/// Where a set is, or how to get it.
fn place(name: &str, root: Option<&Root>) -> Result<String, Failure> {
    // Where a set lies does not depend on its settings.
    let set = sets::make(&super::experiment(name, &[])?.spec.data.dataset);
    let found = root.and_then(|root| set.locate(&root.path));
    Ok(match (found, set.origin()) {
        (_, Origin::Generated) => "always there: drawn in memory".to_owned(),
        (Some(folder), _) => match set.count(&folder) {
            Ok(facts) => {
                let (train, val) = (count(facts.train_images as u64), count(facts.val_images as u64));
                format!("in {}: {train} + {val} images", folder.display())
            }
            Err(error) => {
                // What a set of one's own lacks may be a setting.
                let but = match error {
                    DataError::Unusable { .. } | DataError::Io { .. } => "",
                    _ => "not whole: ",
                };
                format!("in {}, but {but}{}", folder.display(), first_line(&error.to_string()))
            }
        },
        (None, Origin::Published(publication)) => {
            format!("absent; `runner data fetch {name}` gets it ({} MB)", publication.bytes().div_ceil(1_000_000))
        }
        (None, Origin::Elsewhere(_)) => format!("absent; `runner data info {name}` says how to get it"),
        (None, Origin::Own) => "images of your own: name their folder with data.root or --root".to_owned(),
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

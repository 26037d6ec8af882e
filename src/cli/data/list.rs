//! `runner data`: the sets, and where each was found.

use super::{RootArg, wrap};
use crate::cli::{Exit, Failure, output};
use crate::data::sets::{self, Origin};
use crate::data::weights::{PUBLISHED, PublishedWeights};
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
    let names = sets::ENTRIES.iter().map(|entry| entry.name).chain(PUBLISHED.iter().map(|weights| weights.name));
    let width = names.map(str::len).max().unwrap_or(0);
    for entry in sets::ENTRIES {
        text += &item(
            entry.name,
            width,
            &[(Style::new(), entry.summary.to_owned()), (DIM, place(entry.name, root.as_ref())?)],
        );
    }
    text += "\nweights of nets trained on ImageNet, torchvision's, for [model] weights:\n";
    for weights in PUBLISHED {
        text += &item(weights.name, width, &[(DIM, place_of_weights(weights, root.as_ref()))]);
    }
    output::print(&text)?;
    Ok(Exit::Done)
}

/// A name, and what is to be said of it beside it.
fn item(name: &str, width: usize, lines: &[(Style, String)]) -> String {
    let indent = width + 2;
    let (mut text, mut name) = (String::new(), name);
    for (style, line) in lines {
        for part in wrap(line, output::width().saturating_sub(indent).max(40)) {
            text += &format!("{BOLD}{name:indent$}{BOLD:#}{style}{part}{style:#}\n");
            name = "";
        }
    }
    text
}

/// Where weights are, or how to get them.
fn place_of_weights(weights: &PublishedWeights<'_>, root: Option<&Root>) -> String {
    let name = weights.name;
    match root.map(|root| (root, weights.is_in(&root.path, false))) {
        Some((root, Ok(true))) => format!("in {}", weights.path(&root.path).display()),
        Some((_, Err(error))) => format!("not whole: {}", first_line(&error.to_string())),
        _ => {
            let megabytes = weights.publication.bytes().div_ceil(1_000_000);
            format!("absent; `runner data fetch {name}` gets them ({megabytes} MB)")
        }
    }
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
                    DataError::Unusable { .. } | DataError::Several { .. } | DataError::Io { .. } => "",
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

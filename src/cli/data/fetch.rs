//! `runner data fetch`: a data set, or the published weights of a net.

use super::RootArg;
use crate::cli::fetching::Fetching;
use crate::cli::{Exit, Failure, output};
use crate::config::suggest::{nearest, quoted};
use crate::data::fetch::{FetchError, Options, fetch};
use crate::data::publication::Publication;
use crate::data::sets::{self, Origin};
use crate::data::weights::{PUBLISHED, PublishedWeights};
use crate::data::{DataError, Root};
use crate::registry::find;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
A fetch that breaks off, or is stopped, goes on where it was when given again.
HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are honoured.
Exit code 3: no mirror gave the set or the weights.

Examples:
  runner data fetch cifar10
  runner data fetch mnist --root /data
  runner data fetch vgg16-weights
  runner data fetch cifar100 --mirror https://example.org/cifar")]
pub struct FetchArgs {
    /// The data set, or the net's name with `-weights`
    name: String,
    #[command(flatten)]
    root: RootArg,
    /// The URL of a folder with the published files, asked before the known mirrors (repeatable)
    #[arg(long = "mirror", value_name = "URL")]
    mirrors: Vec<String>,
}

/// Fetches, unless it is there.
pub fn run(args: &FetchArgs) -> Result<Exit, Failure> {
    let name = args.name.as_str();
    if let Some(weights) = PUBLISHED.iter().find(|weights| weights.name == name) {
        return fetch_weights(weights, args);
    }
    if find(sets::ENTRIES, name).is_none() {
        return Err(unknown_here(name));
    }
    let set = sets::make(&super::experiment(name, &[])?.spec.data.dataset);
    let publication = match set.origin() {
        Origin::Published(publication) => publication,
        Origin::Generated => {
            output::print(&format!("{name} is always there: it is drawn in memory\n"))?;
            return Ok(Exit::Done);
        }
        Origin::Elsewhere(how) => {
            return Err(Failure::Usage(format!("`{name}` cannot be fetched\nhelp: {how} with data.root or --root")));
        }
        Origin::Own => {
            let message =
                format!("`{name}` cannot be fetched: it is for images of your own, wherever they are (data.root)");
            return Err(Failure::Usage(message));
        }
    };
    let root = root(args)?;
    if let Some(folder) = set.locate(&root.path) {
        // Only what is whole is there.
        set.count(&folder)?;
        return done(name, "is already in", &folder);
    }
    let folder = bring(name, publication, &root, args)?;
    set.count(&folder)?;
    done(name, "is in", &folder)
}

/// Fetches a file of weights, unless it is there, and says how an experiment starts from it.
fn fetch_weights(weights: &PublishedWeights<'_>, args: &FetchArgs) -> Result<Exit, Failure> {
    let root = root(args)?;
    let is = match weights.is_in(&root.path, true)? {
        true => "is already in",
        false => {
            bring(weights.name, &weights.publication, &root, args)?;
            weights.is_in(&root.path, false)?;
            "is in"
        }
    };
    let path = std::path::absolute(weights.path(&root.path)).map_err(anyhow::Error::from)?;
    done(weights.name, is, path.parent().unwrap_or(&path))?;
    output::print(&format!("\n{}", setting(weights.backbone, &path)))?;
    Ok(Exit::Done)
}

/// The lines of an experiment that starts from a file.
fn setting(backbone: &str, path: &Path) -> String {
    let model = toml::Table::from_iter(
        [("backbone", backbone.to_owned()), ("weights", path.display().to_string())]
            .map(|(key, value)| (key.to_owned(), toml::Value::String(value))),
    );
    toml::Table::from_iter([("model".to_owned(), toml::Value::Table(model))]).to_string()
}

/// The data folder, once the arguments are seen to be right.
fn root(args: &FetchArgs) -> Result<Root<'_>, Failure> {
    if let Some(bad) = args.mirrors.iter().find(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        return Err(Failure::Usage(format!("--mirror {bad}: a URL begins with http:// or https://")));
    }
    Root::find(args.root.root.as_deref(), "--root")
        .ok_or_else(|| Failure::Usage("there is no home folder: name the data folder with --root DIR".to_owned()))
}

/// Fetches, and shows how it goes.
fn bring(name: &str, publication: &Publication<'_>, root: &Root<'_>, args: &FetchArgs) -> Result<PathBuf, Failure> {
    let options = Options { mirrors: args.mirrors.clone(), ..Options::default() };
    let mut fetching = Fetching::new();
    let folder = fetch(publication, &root.path, &options, &mut |event| fetching.show(event)).map_err(|e| match e {
        FetchError::Local(error) => error,
        FetchError::Unreachable(why) => DataError::Absent {
            why: format!("`{name}` cannot be fetched: {why}"),
            remedy: "try again later, or name another place that has the files with --mirror URL".to_owned(),
        },
    })?;
    Ok(folder)
}

fn done(name: &str, is: &str, folder: &Path) -> Result<Exit, Failure> {
    output::print(&format!("{name} {is} {}\n", folder.display()))?;
    Ok(Exit::Done)
}

/// Neither a data set nor weights.
fn unknown_here(name: &str) -> Failure {
    let weights = || PUBLISHED.iter().map(|weights| weights.name);
    let sets = || sets::ENTRIES.iter().map(|entry| entry.name);
    let near = nearest(name, sets().chain(weights())).map(|near| format!("\nhelp: did you mean `{near}`?"));
    Failure::Usage(format!(
        "`{name}` is neither a data set nor published weights\n   the data sets are {}; there are {}{}",
        quoted(sets()),
        quoted(weights()),
        near.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_starts_from_the_file_whatever_its_path() {
        let text = setting("vgg16", Path::new("/data/vgg16-weights/vgg16.pth"));
        assert_eq!(text, "[model]\nbackbone = \"vgg16\"\nweights = \"/data/vgg16-weights/vgg16.pth\"\n");
        for path in ["C:\\data\\new.pth", "/a \"quoted\" one", "/it's"] {
            let read: toml::Table = setting("resnet50", Path::new(path)).parse().unwrap();
            assert_eq!(read["model"]["weights"].as_str(), Some(path));
        }
    }
}

//! `runner data fetch`.

use super::{RootArg, unknown};
use crate::cli::fetching::Fetching;
use crate::cli::{Exit, Failure, output};
use crate::data::fetch::{FetchError, Options, fetch};
use crate::data::sets::{self, Origin};
use crate::data::{DataError, Root};
use crate::registry::find;
use std::path::Path;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
A fetch that breaks off, or is stopped, goes on where it was when given again.
HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are honoured.
Exit code 3: no mirror gave the set.

Examples:
  runner data fetch cifar10
  runner data fetch mnist --root /data
  runner data fetch cifar100 --mirror https://example.org/cifar")]
pub struct FetchArgs {
    /// The data set
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
    if find(sets::ENTRIES, name).is_none() {
        return Err(unknown(name));
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
    if let Some(bad) = args.mirrors.iter().find(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        return Err(Failure::Usage(format!("--mirror {bad}: a URL begins with http:// or https://")));
    }
    let root = Root::find(args.root.root.as_deref(), "--root")
        .ok_or_else(|| Failure::Usage("there is no home folder: name the data folder with --root DIR".to_owned()))?;
    if let Some(folder) = set.locate(&root.path) {
        // Only what is whole is there.
        set.count(&folder)?;
        return done(name, "is already in", &folder);
    }
    let options = Options { mirrors: args.mirrors.clone(), ..Options::default() };
    let mut fetching = Fetching::new();
    let folder = fetch(publication, &root.path, &options, &mut |event| fetching.show(event)).map_err(|e| match e {
        FetchError::Local(error) => error,
        FetchError::Unreachable(why) => DataError::Absent {
            why: format!("`{name}` cannot be fetched: {why}"),
            remedy: "try again later, or name another place that has the files with --mirror URL".to_owned(),
        },
    })?;
    drop(fetching);
    set.count(&folder)?;
    done(name, "is in", &folder)
}

fn done(name: &str, is: &str, folder: &Path) -> Result<Exit, Failure> {
    output::print(&format!("{name} {is} {}\n", folder.display()))?;
    Ok(Exit::Done)
}

//! `runner schema`.

use super::output;
use super::{Exit, Failure};
use crate::config::{json_schema, reference};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
An editor with Taplo or Tombi checks and completes a file whose first line names the schema, by a path that starts from the \
file's folder:
  #:schema experiment.schema.json

Examples:
  runner schema > experiment.schema.json
  runner schema sweep | less
  runner schema --markdown | less")]
pub struct SchemaArgs {
    /// Which files to describe
    #[arg(value_enum, default_value_t = Sort::Experiment)]
    sort: Sort,
    /// Print a page for people instead: every setting with what it takes, its default and meaning, in Markdown
    #[arg(long)]
    markdown: bool,
}

/// A sort of file that people write.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Sort {
    /// What to train, on what, and how
    Experiment,
    /// Which experiments to try
    Sweep,
}

/// Prints the JSON Schema, or the page.
pub fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    // The alternate form of a JSON value is indented.
    let text = match (args.sort, args.markdown) {
        (Sort::Experiment, false) => format!("{:#}\n", json_schema::experiment()),
        (Sort::Sweep, false) => format!("{:#}\n", json_schema::sweep()),
        (Sort::Experiment, true) => reference::experiment(),
        (Sort::Sweep, true) => reference::sweep(),
    };
    output::print(&text)?;
    Ok(Exit::Done)
}

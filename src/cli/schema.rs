//! `runner schema`.

use super::output;
use super::{Exit, Failure};
use crate::config::json_schema;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
An editor with Taplo or Tombi checks and completes a file whose first line names
the schema, by a path that starts from the file's folder:
  #:schema experiment.schema.json

Examples:
  runner schema > experiment.schema.json
  runner schema sweep | less")]
pub struct SchemaArgs {
    /// Which files to describe
    #[arg(value_enum, default_value_t = Sort::Experiment)]
    sort: Sort,
}

/// A sort of file that people write.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Sort {
    /// What to train, on what, and how
    Experiment,
    /// Which experiments to try
    Sweep,
}

/// Prints the JSON Schema.
pub fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.sort {
        Sort::Experiment => json_schema::experiment(),
        Sort::Sweep => json_schema::sweep(),
    };
    // The alternate form of a JSON value is indented.
    output::print(&format!("{schema:#}\n"))?;
    Ok(Exit::Done)
}

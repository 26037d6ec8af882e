//! `runner export dawnbench`.

use crate::cli::compare::price;
use crate::cli::output::{self, Outputs};
use crate::cli::{Exit, Failure, paths};
use crate::compare::dawnbench::{Author, Entry};
use crate::record::RecordError;
use crate::record::folder::file;
use crate::record::reader::RunReader;
use std::path::PathBuf;

/// An entry of DAWNBench: `<author>_<model>_<hardware>_runner.tsv` and `.json`.
///
/// The table has the evaluations' accuracies over hours of training, evaluations and checkpoints left out, of a run that goes over to another data set those on the last one alone. Where the entry of another run
/// has that name, the seed stands behind it.
#[derive(clap::Args, Debug)]
pub struct DawnbenchArgs {
    /// The run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    #[arg(long, value_name = "NAME", value_parser = words)]
    author: String,
    #[arg(long, value_name = "ADDRESS", value_parser = words)]
    email: String,
    /// What the net is called [default: its parts]
    #[arg(long, value_name = "NAME", value_parser = words)]
    model: Option<String>,
    /// The machine [default: device, instruction set and threads]
    #[arg(long, value_name = "TEXT", value_parser = words)]
    hardware: Option<String>,
    /// Where the code is
    #[arg(long, value_name = "URL", value_parser = words)]
    code: Option<String>,
    /// What an hour of the machine costs, in US dollars
    #[arg(long, value_name = "PRICE", value_parser = price, allow_negative_numbers = true)]
    cost_per_hour: Option<f64>,
    /// The folder to write both files to
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    output: PathBuf,
}

/// A text that says something.
fn words(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// Writes both files.
pub fn run(args: &DawnbenchArgs) -> Result<Exit, Failure> {
    let usage = |error: RecordError| Failure::Usage(error.to_string());
    let reader = RunReader::open(paths::run(&args.run)?).map_err(usage)?;
    let info = reader.info().map_err(usage)?;
    let rows = reader.metrics().map_err(usage)?.rows;
    if let Some(what) = info.cut_short(rows.last().map(|row| row.step)) {
        return Err(Failure::Usage(format!("{}: {what}", args.run.join(file::METRICS).display())));
    }
    let author = Author {
        name: args.author.clone(),
        email: args.email.clone(),
        model: args.model.clone(),
        hardware: args.hardware.clone(),
        code: args.code.clone(),
        cost_per_hour: args.cost_per_hour,
    };
    let entry = Entry::of(&info, &rows, &author).map_err(|error| Failure::Usage(error.to_string()))?;
    let files_of = |stem: &str| {
        [("tsv", &entry.tsv), ("json", &entry.json)]
            .map(|(ending, text)| (args.output.join(format!("{stem}.{ending}")), text))
    };
    let check = |files: &[(PathBuf, &String)]| {
        Outputs::default().file("--output", files.iter().map(|(path, _)| path)).check([&args.run])
    };
    check(&files_of(&entry.stem))?;
    let stem = entry.stem_in(&args.output).ok_or_else(|| {
        let shown = args.output.join(&entry.stem);
        let message =
            format!("{} is the entry of another run, and so is that with the seed in its name", shown.display());
        Failure::Usage(format!("{message}\nhelp: name another folder by --output, or the net by --model"))
    })?;
    let files = files_of(&stem);
    check(&files)?;
    for (path, text) in &files {
        output::write_bytes(path, text.as_bytes())?;
        output::print(&format!("{}\n", path.display()))?;
    }
    if let Some(what) = &entry.left_out {
        anstream::eprintln!("{what}");
    }
    Ok(Exit::Done)
}

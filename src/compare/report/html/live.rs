//! The page over runs that are still written, and what it asks for again and again.

use super::data::{self, Schedule, Schedules};
use super::{LIVE, SCRIPT, page, policy};
use crate::compare::axes::axes;
use crate::compare::report::sheets::Sheet;
use crate::compare::report::{Scale, json, picture, span};
use crate::compare::{Comparison, Outcome, Watched};
use crate::record::Status;
use crate::record::folder::file;
use crate::record::reader::last_row;
use crate::record::rows::TraceRow;
use crate::units::{count, number};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A page that follows the runs in a folder.
pub struct Live {
    watched: Watched,
    /// The folder that links to files start from.
    root: PathBuf,
    schedules: Schedules,
    /// Tells what this process shows from what another one did.
    begun: u128,
    /// Of the comparison as it was when the runs had changed so often.
    shown: Option<(u64, Arc<Shown>)>,
}

/// The page's data at some moment.
#[derive(Debug)]
pub struct Shown {
    /// Another one for other data.
    pub version: String,
    /// The page's data as JSON; `live` holds the news of that moment.
    pub data: String,
    /// The object of `runner compare --json`.
    pub report: String,
    title: String,
    folder: String,
    /// Why there is nothing to compare, if so.
    trouble: Option<String>,
    /// The runs that are being written, for the news.
    under_way: Vec<Outcome>,
    scale: Scale,
    metric: String,
}

impl Live {
    /// `root`: the folder that is served; the watched one may lie in it.
    pub fn new(watched: Watched, root: PathBuf) -> Self {
        let begun = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
        Self { watched, root, schedules: Schedules::default(), begun, shown: None }
    }

    /// Looks at the runs, and compares them again where one of them changed.
    pub fn look(&mut self) -> Arc<Shown> {
        let looked = self.watched.look();
        if let (Ok(changes), Some((at, shown))) = (&looked, &self.shown)
            && at == changes
        {
            return Arc::clone(shown);
        }
        let changes = looked.as_ref().ok().copied();
        let shown = Arc::new(match looked {
            Ok(changes) => self.compare(&format!("{:x}-{changes}", self.begun)),
            Err(error) => self.nothing("unreadable", error.to_string()),
        });
        self.shown = changes.map(|changes| (changes, Arc::clone(&shown)));
        shown
    }

    fn compare(&mut self, version: &str) -> Shown {
        match self.watched.comparison() {
            Ok(comparison) => self.show(version, comparison, None),
            Err(error) => self.nothing(version, error.to_string()),
        }
    }

    fn nothing(&mut self, version: &str, trouble: String) -> Shown {
        let none = self.watched.nothing();
        self.show(version, none, Some(trouble))
    }

    fn show(&mut self, version: &str, mut comparison: Comparison, trouble: Option<String>) -> Shown {
        let mut schedules: Vec<Option<Arc<Schedule>>> = Vec::new();
        for found in self.schedules.of(&comparison) {
            schedules.push(found.unwrap_or_else(|error| {
                comparison.notes.push(format!("a schedule is not drawn: {error}"));
                None
            }));
        }
        let running = |run: &&Outcome| run.info.status == Status::Running && run.live != Some(false);
        let mut report = json(&comparison, &[]);
        // The page has it from the news.
        if let (Some(trouble), Some(notes)) = (&trouble, report["notes"].as_array_mut()) {
            notes.push(Value::from(trouble.as_str()));
        }
        let mut shown = Shown {
            version: version.to_owned(),
            data: String::new(),
            report: format!("{report:#}\n"),
            title: picture::title(&comparison),
            folder: self.watched.folder().display().to_string(),
            trouble,
            under_way: comparison.groups.iter().flat_map(|group| &group.runs).filter(running).cloned().collect(),
            scale: Scale::of_metric(&comparison.options),
            metric: comparison.options.metric.clone(),
        };
        let mut data = data::data(&comparison, &[], schedules, axes(&comparison.groups));
        data["live"] = shown.news(&[]);
        for (group, data) in comparison.groups.iter().zip(data["groups"].as_array_mut().into_iter().flatten()) {
            data["files"] = group.runs.iter().map(|run| self.files(run)).collect();
        }
        shown.data = data.to_string();
        shown
    }

    /// Where a run's files are, for links to them.
    fn files(&self, run: &Outcome) -> Value {
        let inside = run.path.strip_prefix(&self.root).unwrap_or(Path::new(""));
        json!({ "seed": run.info.seed, "path": inside.to_string_lossy() })
    }
}

impl Shown {
    /// Why there is nothing to compare, if so.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The page itself, its data inside.
    pub fn page(&self) -> String {
        page(&self.title, &self.data, &script(), &live_policy())
    }

    /// What changes with every step: how far the runs are that are being written; and what is the matter. `folders`: those
    /// inside that hold further runs.
    pub fn news(&self, folders: &[String]) -> Value {
        json!({
            "version": self.version,
            "folder": self.folder,
            "folders": folders,
            "error": self.trouble,
            "under_way": self.under_way(),
        })
    }

    fn under_way(&self) -> Sheet {
        let unit = self.scale.unit();
        let metric = format!("{}{unit}", self.metric);
        let heads = ["run", "seed", "step", "phase", "epoch", "loss", "lr", &metric, "training"];
        Sheet {
            heads: heads.map(str::to_owned).to_vec(),
            rows: self.under_way.iter().map(|run| self.row(run)).collect(),
            numbers: 2..9,
        }
    }

    fn row(&self, run: &Outcome) -> Vec<String> {
        let dash = || "–".to_owned();
        // A table that does not read is said where the runs are compared; here it is a run without a step.
        let step = last_row::<TraceRow>(&run.path.join(file::TRACE)).ok().flatten();
        let of_step = |show: &dyn Fn(&TraceRow) -> String| step.as_ref().map_or_else(dash, show);
        let value = run.last();
        vec![
            run.path.to_string_lossy().into_owned(),
            run.info.seed.to_string(),
            format!("{} of {}", of_step(&|row| count(row.step + 1)), count(run.info.steps)),
            of_step(&|row| (row.phase + 1).to_string()),
            of_step(&|row| (row.epoch + 1).to_string()),
            of_step(&|row| format!("{:.4}", row.loss)),
            of_step(&|row| number(format!("{:.3e}", row.lr).parse().unwrap_or(row.lr))),
            if value.is_nan() { dash() } else { self.scale.show(value) },
            run.seconds.last().map_or_else(dash, |seconds| span(*seconds)),
        ]
    }
}

fn script() -> String {
    SCRIPT.concat() + LIVE
}

/// What the page of a server may do: what any page may, and ask its server.
pub fn live_policy() -> String {
    policy(&script(), "; connect-src 'self'")
}

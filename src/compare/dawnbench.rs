//! Entries of DAWNBench: read as baselines, written for runs.
//!
//! An entry is a table of training progress, tab-separated (`epoch`, `hours`, `top1Accuracy` and for ImageNet `top5Accuracy`, in per
//! cent), and a JSON file of the same name that says who trained what on which machine.

use super::outcome::{Outcome, Read, Without, last_set};
use super::{CompareError, Options};
use crate::record::rows::MetricsRow;
use crate::record::run_json::RunInfo;
use crate::record::text::plural;
use crate::record::{RecordError, reader};
use crate::units::number;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const TABLE: &str = "tsv";
const ABOUT: &str = "json";

/// Metrics of ours, and their columns there.
const COLUMNS: [(&str, &str); 2] = [("val_acc", "top1Accuracy"), ("val_acc_top5", "top5Accuracy")];

/// The table of the entry that a path names by either of its files; `None` for all other paths.
pub fn table(path: &Path) -> Option<PathBuf> {
    let is = |ending: &str| path.extension().is_some_and(|extension| extension == ending);
    let table = path.with_extension(TABLE);
    ((is(TABLE) || is(ABOUT)) && table.is_file()).then_some(table)
}

/// The table that a file about an entry lacks; `None` for other files.
pub fn lacking(path: &Path) -> Option<PathBuf> {
    path.extension().is_some_and(|extension| extension == ABOUT).then(|| path.with_extension(TABLE))
}

/// The names of the tables in a folder.
pub fn tables(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut tables: Vec<String> = names.filter(|name| name.ends_with(".tsv")).collect();
    tables.sort();
    tables
}

/// Reads an entry.
///
/// # Errors
/// When a file of it cannot be read, or is none of an entry.
pub fn read(table: &Path, options: &Options) -> Result<Read, RecordError> {
    let about = about(&table.with_extension(ABOUT))?;
    let bytes = reader::read_file(table).map_err(RecordError::io("read", table))?;
    let malformed = |line: u64, what: String| RecordError::Malformed { path: table.to_owned(), line, what };
    let mut rows =
        csv::ReaderBuilder::new().delimiter(b'\t').trim(csv::Trim::All).flexible(true).from_reader(&bytes[..]);
    let header = rows.headers().map_err(|error| malformed(1, error.to_string()))?.clone();
    let place = |name: &str| header.iter().position(|column| column == name);
    let Some(hours) = place("hours") else {
        let what = "it has no column `hours`: the table of a DAWNBench entry is `epoch`, `hours`, `top1Accuracy`, tab-separated";
        return Err(malformed(1, what.to_owned()));
    };
    let metrics = COLUMNS.into_iter().filter_map(|(ours, theirs)| Some((ours, place(theirs)?)));
    let Some((_, accuracy)) = metrics.clone().find(|(ours, _)| *ours == options.metric) else {
        let columns = metrics.map(|(ours, _)| ours.to_owned()).collect();
        return Ok(Read::Without(Without { has_words: false, columns }));
    };
    let (mut metric, mut seconds) = (Vec::new(), Vec::new());
    // As it is called there, for what is wrong in it.
    let (hours_said, accuracy_said) = (&header[hours], &header[accuracy]);
    let mut before = 0.0;
    for record in rows.records() {
        let record =
            record.map_err(|error| malformed(error.position().map_or(1, csv::Position::line), error.to_string()))?;
        let line = record.position().map_or(1, csv::Position::line);
        let number = |k: usize| {
            let text = record.get(k).unwrap_or_default();
            text.parse::<f64>().map_err(|_| malformed(line, format!("`{text}` of column {} is no number", &header[k])))
        };
        let (percent, so_far) = (number(accuracy)?, number(hours)?);
        if !(0.0..=100.0).contains(&percent) {
            return Err(malformed(line, format!("{percent} of column {accuracy_said} is no accuracy in per cent")));
        }
        if !so_far.is_finite() || so_far < 0.0 {
            return Err(malformed(line, format!("{so_far} of column {hours_said} is no time")));
        }
        if so_far < before {
            let what = format!("{so_far} of column {hours_said} is less than {before}, of the row before it");
            return Err(malformed(line, what));
        }
        before = so_far;
        metric.push(percent / 100.0);
        seconds.push(so_far * 3600.0);
    }
    // An entry that was written here is in per cent, however little was learnt.
    let is_ours = about["misc"]["spec_hash"].is_string();
    let best = metric.iter().copied().reduce(f64::max);
    if !is_ours && best.is_some_and(|best| best > 0.0 && best <= 0.01) {
        let what = format!("no value of column {accuracy_said} is above 1: it is in per cent, as 94.1, not 0.941");
        return Err(malformed(1, what));
    }
    // How many images an epoch had, the entry does not say.
    let images = vec![f64::NAN; metric.len()];
    let price = about["costPerHour"].as_f64();
    let info = info(table, &about, &bytes);
    let columns = [metric, seconds, images, Vec::new()];
    Ok(Read::Run(Box::new(Outcome::of(table.to_owned(), None, info, columns, price, options))))
}

fn about(path: &Path) -> Result<Value, RecordError> {
    let bytes = match reader::read_file(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Value::Null),
        other => other.map_err(RecordError::io("read", path))?,
    };
    serde_json::from_slice(&bytes).map_err(|error| RecordError::Malformed {
        path: path.to_owned(),
        line: error.line() as u64,
        what: error.to_string(),
    })
}

/// What stands for `run.json`: `ResNet 56 (Stanford DAWN)`.
fn info(table: &Path, about: &Value, content: &[u8]) -> RunInfo {
    let said = |key: &str| about[key].as_str().filter(|text| !text.is_empty());
    let stem = table.file_stem().unwrap_or_default().to_string_lossy();
    let name = match (said("model"), said("author")) {
        (Some(model), Some(author)) => format!("{model} ({author})"),
        (Some(model), None) => model.to_owned(),
        _ => stem.into_owned(),
    };
    let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    RunInfo::of_others(
        &name,
        &hash,
        said("hardware").unwrap_or("other hardware"),
        said("timestamp").unwrap_or_default(),
    )
}

/// What an entry says besides what the run does.
#[derive(Clone, Debug)]
pub struct Author {
    pub name: String,
    pub email: String,
    /// Of the run's record when absent.
    pub model: Option<String>,
    pub hardware: Option<String>,
    pub code: Option<String>,
    pub cost_per_hour: Option<f64>,
}

/// An entry's files.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `author_model_hardware_framework`
    pub stem: String,
    /// The run's.
    pub seed: u64,
    pub json: String,
    pub tsv: String,
    /// What is said of evaluations that are not in it.
    pub left_out: Option<String>,
}

impl Entry {
    /// The entry of a run with these evaluations, of which those on the last data set alone are in it.
    ///
    /// # Errors
    /// When the run has no evaluation on it.
    pub fn of(info: &RunInfo, rows: &[MetricsRow], author: &Author) -> Result<Self, CompareError> {
        if rows.is_empty() {
            let what = format!("{} has no evaluation yet: there is no entry to write", info.name);
            return Err(CompareError::Group { what });
        }
        let set = last_set(info);
        let before = rows.iter().take_while(|row| row.phase < info.last_set_since).count();
        let (others, rows) = rows.split_at(before);
        let names = || {
            let all = [&info.dataset].into_iter().chain(&info.further_datasets).map(|of| of.name.as_str());
            all.filter(|name| *name != set.name).collect::<Vec<_>>().join(", ")
        };
        if rows.is_empty() {
            let what = format!(
                "{} has no evaluation on {} yet, its last data set, but on {}: an entry is of one set, and there is none to write",
                info.name,
                set.name,
                names()
            );
            return Err(CompareError::Group { what });
        }
        let left_out = (!others.is_empty()).then(|| {
            let evaluations = plural(others.len() as u64, "evaluation");
            format!("left out: {evaluations} on {}; an entry is of one data set, here the last, {}", names(), set.name)
        });
        let model = author.model.clone().unwrap_or_else(|| info.model.clone());
        let machine = format!("{} ({}), {} threads", info.device, info.instruction_set, info.threads);
        let hardware = author.hardware.clone().unwrap_or(machine);
        let mut about = json!({
            "version": "v1.0",
            "author": author.name,
            "authorEmail": author.email,
            "framework": format!("runner {}", info.version),
        });
        let optional = [
            ("codeURL", author.code.clone().map(Value::from)),
            ("model", Some(model.clone().into())),
            ("hardware", Some(hardware.clone().into())),
            ("costPerHour", author.cost_per_hour.map(Value::from)),
            ("timestamp", Some(info.created.get(..10).unwrap_or_default().into())),
            (
                "misc",
                Some(json!({ "dataset": set, "seed": info.seed, "spec_hash": info.spec_hash, "created": info.created,
                        "settings": info.settings })),
            ),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                about[key] = value;
            }
        }
        let stem = [author.name.as_str(), &model, &hardware, "runner"].map(tag).join("_");
        Ok(Self { stem, seed: info.seed, json: format!("{about:#}\n"), tsv: tsv(info, rows), left_out })
    }

    /// What its files are called in a folder: `stem`, or where an entry of another run is called so, that with the seed. `None` where
    /// another is called so, too.
    pub fn stem_in(&self, folder: &Path) -> Option<String> {
        let stems = [self.stem.clone(), format!("{}-seed-{}", self.stem, self.seed)];
        let path = |stem: &String, ending: &str| folder.join(format!("{stem}.{ending}"));
        let is_own = |stem: &&String| fs::read(path(stem, ABOUT)).is_ok_and(|there| self.is_of_same_run(&there));
        let is_free = |stem: &&String| [TABLE, ABOUT].iter().all(|ending| !path(stem, ending).exists());
        stems.iter().find(is_own).or_else(|| stems.iter().find(is_free)).cloned()
    }

    /// Whether what a JSON file says of a run is said of this one. Older entries do not say when it began.
    fn is_of_same_run(&self, there: &[u8]) -> bool {
        let [own, there] =
            [self.json.as_bytes(), there].map(|json| serde_json::from_slice::<Value>(json).unwrap_or_default());
        let same = |key: &str| own["misc"][key] == there["misc"][key];
        same("seed") && same("spec_hash") && (same("created") || there["misc"]["created"].is_null())
    }
}

fn tsv(info: &RunInfo, rows: &[MetricsRow]) -> String {
    let top5 = last_set(info).name.contains("imagenet");
    let mut text = format!("epoch\thours\ttop1Accuracy{}\n", if top5 { "\ttop5Accuracy" } else { "" });
    let one_set = info.further_datasets.is_empty() && info.dataset.images > 0;
    for row in rows {
        let passes = row.images as f64 / info.dataset.images as f64;
        let epoch = if one_set { (passes * 1e3).round() / 1e3 } else { row.epoch as f64 + 1.0 };
        let percent = |accuracy: f64| number((accuracy * 1e6).round() / 1e4);
        text += &format!("{}\t{}\t{}", number(epoch), number(row.train_seconds / 3600.0), percent(row.val_acc));
        text += &if top5 { format!("\t{}\n", percent(row.val_acc_top5)) } else { "\n".to_owned() };
    }
    text
}

/// A part of a file's name: letters and digits, what is between them as one stroke.
fn tag(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Quantity, compare};
    use crate::record::testing::Run;

    const TSV: &str = "epoch\thours\ttop1Accuracy\n1\t0.01\t54.10\n2\t0.02\t93.88\n3\t0.03\t94.20\n";
    const JSON: &str = r#"{"version": "v1.0", "author": "Somebody", "framework": "PyTorch", "model": "ResNet9",
        "hardware": "1 V100", "costPerHour": 3.6, "timestamp": "2019-10-15", "misc": {}}"#;

    fn options() -> Options {
        Options { target: Some(0.94), price: Some(1.0), ..Options::default() }
    }

    #[test]
    fn entries_are_baselines_beside_runs() {
        let root = tempfile::tempdir().unwrap();
        let settings = json!({ "phases[0].lr": 0.1 });
        let other = json!({ "phases[0].lr": 0.2 });
        Run { settings, accuracies: &[0.5, 0.95], ..Run::default() }.write(root.path(), "a");
        Run { settings: other, hash: "b", ..Run::default() }.write(root.path(), "b");
        let (tsv, json) = (root.path().join("entry.tsv"), root.path().join("entry.json"));
        fs::write(&tsv, TSV).unwrap();
        fs::write(&json, JSON).unwrap();
        let runs = ["a", "b"].map(|name| root.path().join(name));
        let paths = [json, tsv.clone(), runs[0].clone(), runs[1].clone()];
        let comparison = compare(&paths, Options { by: Quantity::Time, ..options() }).unwrap();
        let names: Vec<&str> = comparison.groups.iter().map(|group| group.name.as_str()).collect();
        // Its settings are not known, so they are not what tells the runs apart.
        assert_eq!(names, ["ResNet9 (Somebody)", "phases[0].lr=0.1", "phases[0].lr=0.2"]);
        let time = |k: usize| comparison.groups[k].time_to_target(&comparison.options).unwrap();
        let seconds = time(0).seconds.unwrap().mean;
        assert!((seconds - 108.0).abs() < 1e-9, "the first row of 94 % or more: {seconds}");
        assert!((time(0).cost.unwrap() - 0.108).abs() < 1e-9, "at the entry's own price");
        assert_eq!(time(1).seconds.unwrap().mean, 20.0);
        assert!((comparison.contrasts[0].difference + 88.0).abs() < 1e-9);
        assert!(comparison.notes.iter().any(|note| note.contains("1 V100")), "{:?}", comparison.notes);
    }

    #[test]
    fn what_is_no_entry_says_where() {
        let root = tempfile::tempdir().unwrap();
        let tsv = root.path().join("entry.tsv");
        let error = |text: &str| {
            fs::write(&tsv, text).unwrap();
            compare(std::slice::from_ref(&tsv), options()).unwrap_err().to_string()
        };
        assert!(error("a\tb\n1\t2\n").contains("entry.tsv:1: it has no column `hours`"));
        assert!(error(&TSV.replace("0.02", "soon")).contains("entry.tsv:3: `soon` of column hours"));
        for (from, to, words) in [
            ("93.88", "150", "entry.tsv:3: 150 of column top1Accuracy is no accuracy in per cent"),
            ("93.88", "NaN", "entry.tsv:3: NaN of column top1Accuracy is no accuracy"),
            ("0.03", "0.015", "entry.tsv:4: 0.015 of column hours is less than 0.02, of the row before it"),
            ("0.02", "-1", "entry.tsv:3: -1 of column hours is no time"),
            ("0.03", "inf", "entry.tsv:4: inf of column hours is no time"),
        ] {
            let said = error(&TSV.replace(from, to));
            assert!(said.contains(words), "{words}: {said}");
        }
        let fractions = error("epoch\thours\ttop1Accuracy\n1\t0.01\t0.54\n2\t0.02\t0.941\n");
        assert!(
            fractions.contains("entry.tsv:1: no value of column top1Accuracy is above 1: it is in per cent"),
            "{fractions}"
        );
        let lost = Options { metric: "val_loss".to_owned(), ..options() };
        fs::write(&tsv, TSV).unwrap();
        let lost = compare(std::slice::from_ref(&tsv), lost).unwrap_err().to_string();
        assert!(lost.contains("`val_loss`") && lost.ends_with("the columns are val_acc"), "{lost}");
        fs::write(root.path().join("entry.json"), "{").unwrap();
        assert!(error(TSV).contains("entry.json:1"));
        // What is no entry at all.
        let said = |name: &str| compare(&[root.path().join(name)], options()).unwrap_err().to_string();
        assert!(said("").ends_with("; entries of DAWNBench are named by their files: entry.tsv"), "{}", said(""));
        for name in ["alone.json", "base.toml"] {
            fs::write(root.path().join(name), "{").unwrap();
        }
        assert!(said("alone.json").contains("alone.json is a file, and no entry of DAWNBench: there is no "));
        assert!(
            said("base.toml").ends_with("is a file, and neither a run folder nor an entry of DAWNBench (.tsv, .json)")
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        let root = tempfile::tempdir().unwrap();
        let path = Run { accuracies: &[0.5, 0.945], ..Run::default() }.write(root.path(), "a");
        let info = RunInfo::read(&path.join("run.json")).unwrap();
        let rows: Vec<MetricsRow> = [(1, 0.5, 3600.0), (2, 0.945, 7200.0)]
            .map(|(epoch, val_acc, train_seconds)| MetricsRow {
                epoch: epoch - 1,
                images: 5000 * epoch,
                train_seconds,
                val_acc,
                ..crate::record::rows::tests::metrics(epoch, val_acc)
            })
            .to_vec();
        let author = Author {
            name: "Some Body".to_owned(),
            email: "some@body.example".to_owned(),
            model: Some("ResNet 9".to_owned()),
            hardware: None,
            code: None,
            cost_per_hour: Some(0.5),
        };
        let entry = Entry::of(&info, &rows, &author).unwrap();
        assert_eq!(entry.stem, "Some-Body_ResNet-9_cpu-avx2-2-threads_runner");
        assert_eq!(entry.tsv, "epoch\thours\ttop1Accuracy\n1\t1\t50\n2\t2\t94.5\n");
        let tsv = root.path().join("entry.tsv");
        fs::write(&tsv, &entry.tsv).unwrap();
        fs::write(root.path().join("entry.json"), &entry.json).unwrap();
        let Read::Run(back) = read(&tsv, &options()).unwrap() else { panic!("an entry") };
        assert_eq!((back.metric, back.seconds, back.price), (vec![0.5, 0.945], vec![3600.0, 7200.0], Some(0.5)));
        assert_eq!(back.info.name, "ResNet 9 (Some Body)");
        assert!(Entry::of(&info, &[], &author).is_err());
        // Chance among a hundred classes: of a stranger's table it is a fraction.
        let rows = [MetricsRow { val_acc: 0.01, ..rows[0].clone() }];
        let entry = Entry::of(&info, &rows, &author).unwrap();
        fs::write(&tsv, &entry.tsv).unwrap();
        fs::write(root.path().join("entry.json"), &entry.json).unwrap();
        let Read::Run(back) = read(&tsv, &options()).unwrap() else { panic!("an entry") };
        assert_eq!(back.metric, [0.01]);
        fs::remove_file(root.path().join("entry.json")).unwrap();
        assert!(read(&tsv, &options()).is_err());
    }

    /// Accuracies of different images are no progress on any.
    #[test]
    fn an_entry_is_of_the_last_data_set_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = Run { last_set_since: 1, ..Run::default() }.write(root.path(), "a");
        let further = r#""further_datasets":[{"name":"imagenet","images":1,"val_images":1,"digest":"","stand_in":false,
            "stands_in_for":null}],"seed":0"#;
        let text = fs::read_to_string(path.join("run.json")).unwrap().replacen(r#""seed":0"#, further, 1);
        fs::write(path.join("run.json"), text).unwrap();
        let info = RunInfo::read(&path.join("run.json")).unwrap();
        let row = |phase: usize, val_acc: f64| MetricsRow {
            phase,
            epoch: phase as u64,
            train_seconds: 3600.0 * (phase + 1) as f64,
            ..crate::record::rows::tests::metrics(1, val_acc)
        };
        let author = Author {
            name: "A".to_owned(),
            email: String::new(),
            model: None,
            hardware: None,
            code: None,
            cost_per_hour: None,
        };
        let rows = [row(0, 0.9), row(1, 0.25), row(2, 0.5)];
        let entry = Entry::of(&info, &rows, &author).unwrap();
        let column = |k: usize| entry.tsv.lines().map(|line| line.split('\t').nth(k).unwrap()).collect::<Vec<_>>();
        assert_eq!(column(1), ["hours", "2", "3"], "all of the training counts");
        assert_eq!(column(2), ["top1Accuracy", "25", "50"]);
        assert!(entry.tsv.contains("top5Accuracy"), "as of the last set");
        let about: Value = serde_json::from_str(&entry.json).unwrap();
        assert_eq!(about["misc"]["dataset"]["name"], "imagenet");
        let said = "left out: 1 evaluation on shapes; an entry is of one data set, here the last, imagenet";
        assert_eq!(entry.left_out.as_deref(), Some(said));
        let error = Entry::of(&info, &rows[..1], &author).unwrap_err().to_string();
        assert!(error.contains("a has no evaluation on imagenet yet, its last data set, but on shapes"), "{error}");
    }

    #[test]
    fn an_entry_takes_no_place_of_another_runs() {
        let root = tempfile::tempdir().unwrap();
        let author = Author {
            name: "A".to_owned(),
            email: String::new(),
            model: Some("M".to_owned()),
            hardware: Some("H".to_owned()),
            code: None,
            cost_per_hour: None,
        };
        let rows = [crate::record::rows::tests::metrics(1, 0.5)];
        let entry = |seed: u64, hash: &str| {
            let path = Run { seed, hash, ..Run::default() }.write(root.path(), "a");
            Entry::of(&RunInfo::read(&path.join("run.json")).unwrap(), &rows, &author).unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let write = |entry: &Entry| {
            let stem = entry.stem_in(folder.path())?;
            for (ending, text) in [(TABLE, &entry.tsv), (ABOUT, &entry.json)] {
                fs::write(folder.path().join(format!("{stem}.{ending}")), text).unwrap();
            }
            Some(stem)
        };
        let (first, second, other) = (entry(1, "a"), entry(2, "a"), entry(2, "b"));
        for _ in 0..2 {
            assert_eq!(write(&first).as_deref(), Some("A_M_H_runner"));
            assert_eq!(write(&second).as_deref(), Some("A_M_H_runner-seed-2"));
            assert_eq!(write(&other), None);
        }
        // One that is no entry of ours, and a table alone.
        fs::write(folder.path().join("A_M_H_runner.json"), "{}").unwrap();
        assert_eq!(write(&first).as_deref(), Some("A_M_H_runner-seed-1"));
        fs::remove_file(folder.path().join("A_M_H_runner.json")).unwrap();
        assert_eq!(write(&other), None);
    }
}

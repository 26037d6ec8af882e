//! What is done with bytes that may be anything: each function reads them as one kind of file and must come back, with a
//! result or with an error. The fuzzer's targets (`fuzz/`) and the test of kept cases (`tests/damaged`) share them.

use runner::config::{self, Loaded, Text};
use runner::data::sets;
use runner::data::{Facts, FactsSource};
use runner::model;
use runner::nn::{Params, Shape};
use runner::plan::Plan;
use runner::record::folder::file;
use runner::record::reader::RunReader;
use runner::registry::Choice;
use runner::train::net::{fresh_params, parts};
use runner::train::{Rules, Weights, checkpoint};
use std::path::{Path, PathBuf};

/// Reads bytes as one kind of file.
pub type Target = fn(&[u8]);

/// By name; a fuzz target of the same name runs each.
pub const TARGETS: &[(&str, Target)] = &[
    ("experiment", experiment),
    ("sweep", sweep),
    ("cifar", cifar),
    ("idx", idx),
    ("image", image),
    ("pack", pack),
    ("run_folder", run_folder),
    ("compare", compare),
    ("checkpoint", checkpoint),
    ("weights", weights),
];

/// Between the files of an input that is several; no UTF-8 text has this byte.
const SEPARATOR: u8 = 0xff;

fn files(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == SEPARATOR)
}

/// A folder of this process's own, in memory where the system has such a place; emptied by each use.
fn folder(name: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let path = base.join(format!("runner-damaged-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a temporary folder can be made");
    path
}

fn write(path: &Path, data: &[u8]) {
    std::fs::write(path, data).expect("a temporary file can be written");
}

/// An experiment file, then arguments of `--set`; what is right goes on to a plan, a net and back to a file.
pub fn experiment(data: &[u8]) {
    let mut parts = files(data).map(|part| String::from_utf8_lossy(part).into_owned());
    let content = parts.next().unwrap_or_default();
    let sets: Vec<String> = parts.collect();
    let text = Text { name: "fuzzed.toml".to_owned(), content, folder: PathBuf::from("nowhere") };
    match config::read(text, &sets) {
        Err(errors) => assert!(!errors.to_string().is_empty()),
        Ok(loaded) => go_on(&loaded),
    }
}

fn go_on(loaded: &Loaded) {
    let spec = &loaded.spec;
    let again = Text { name: "again".to_owned(), content: config::write(spec), folder: PathBuf::new() };
    let again = config::read(again, &[]).expect("what is written back is right").spec;
    assert_eq!(config::write(&again), config::write(spec));
    let facts = Facts {
        name: "fuzzed".to_owned(),
        train_images: 5000,
        val_images: 1000,
        classes: 10,
        channels: 3,
        size: 32,
        source: FactsSource::File,
    };
    if let Ok(plan) = Plan::compile(spec, &vec![facts.clone(); spec.sets().len()]) {
        let _ = (plan.at(0), plan.at(plan.total_steps - 1), plan.table(80));
        let _ = plan.sample(100);
    }
    let size = spec.phases[0].size.unwrap_or(facts.size).min(64);
    let _ = model::build(&self::parts(spec, facts.classes), Shape::new(size, size, facts.channels));
}

/// A sweep file over a base that is right, and the experiments of its first points.
pub fn sweep(data: &[u8]) {
    use runner::config::sweep::{self, Method};
    use runner::sweep::propose;
    let folder = folder("sweep");
    write(&folder.join("base.toml"), SMALL.as_bytes());
    let content = String::from_utf8_lossy(data).into_owned();
    match sweep::read(Text { name: "fuzzed.toml".to_owned(), content, folder }) {
        Err(errors) => assert!(!errors.to_string().is_empty()),
        Ok(sweep) => {
            let seed = if let Method::Random(draws) = sweep.method { draws.seed } else { 0 };
            let values: Vec<_> = sweep.axes.iter().map(|axis| axis.values.clone()).collect();
            for number in 0..3 {
                let point = propose::random(&values, seed, number);
                let _ = sweep.experiment(&point).map_err(|e| e.to_string());
                let _ = sweep.allows(&point);
            }
        }
    }
}

/// The same bytes as every file of CIFAR-10 and of CIFAR-100.
pub fn cifar(data: &[u8]) {
    for (name, files) in [
        (
            "cifar10",
            &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"][..],
        ),
        ("cifar100", &["train", "test"]),
    ] {
        let folder = folder(name);
        for file in files {
            write(&folder.join(format!("{file}.bin")), data);
        }
        read_set(&choice(&format!("'{name}'")), &folder);
    }
}

/// An IDX file in all the places of MNIST's, packed where it looks so.
pub fn idx(data: &[u8]) {
    let folder = folder("idx");
    let ending = if data.starts_with(&[0x1f, 0x8b]) { ".gz" } else { "" };
    for file in
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
    {
        write(&folder.join(format!("{file}{ending}")), data);
    }
    read_set(&choice("'mnist'"), &folder);
}

/// An image of a class folder.
pub fn image(data: &[u8]) {
    let folder = folder("image");
    for place in ["train/a", "val/a"] {
        std::fs::create_dir_all(folder.join(place)).expect("a temporary folder can be made");
        write(&folder.join(place).join("x.png"), data);
    }
    read_set(&choice("{ kind = 'folder', size = 8 }"), &folder);
    read_set(&choice("{ kind = 'folder', keep = 'disk', size = 8 }"), &folder);
}

/// A pack of images.
pub fn pack(data: &[u8]) {
    let path = folder("pack").join("all.pack");
    write(&path, data);
    read_set(&choice("{ kind = 'folder', keep = 'disk', size = 8 }"), &path);
}

/// A data set as an experiment names it, with its default settings.
fn choice(dataset: &str) -> Choice {
    let content = SMALL.replace("'shapes'", dataset);
    let loaded = config::read(Text { name: String::new(), content, folder: PathBuf::new() }, &[]);
    loaded.expect("the small experiment is right").spec.data.dataset
}

fn read_set(choice: &Choice, folder: &Path) {
    let set = sets::make(choice);
    let counted = set.count(folder).map_err(|e| e.to_string());
    let read = set.read(folder).map(|set| set.facts).map_err(|e| e.to_string());
    if let (Ok(counted), Ok(read)) = (counted, read) {
        assert_eq!((counted.train_images, counted.size), (read.train_images, read.size));
    }
}

/// `run.json`, `metrics.csv`, `trace.csv`, `plan.csv`, in this order.
fn run(data: &[u8]) -> PathBuf {
    let folder = folder("run");
    for (name, part) in [file::RUN, file::METRICS, file::TRACE, file::PLAN].into_iter().zip(files(data)) {
        write(&folder.join(name), part);
    }
    folder
}

/// A run folder as `eval`, `plot` and `train --resume` read it.
pub fn run_folder(data: &[u8]) {
    let Ok(run) = RunReader::open(&run(data)) else { return };
    let _ = run.info().map_err(|e| e.to_string());
    let _ = run.metrics().map_err(|e| e.to_string());
    let _ = run.trace().map_err(|e| e.to_string());
    let _ = run.plan().map_err(|e| e.to_string());
}

/// A run folder as `compare` reads it, beside another.
pub fn compare(data: &[u8]) {
    use runner::compare::{self, Options};
    let folder = run(data);
    let options = Options { target: Some(0.5), price: Some(1.0), ..Options::default() };
    if let Ok(found) = compare::compare(&[folder], options) {
        let _ = compare::report::terminal(&found, &[], 80);
        let _ = compare::report::json(&found, &[]).to_string();
    }
}

/// A checkpoint of a small net.
pub fn checkpoint(data: &[u8]) {
    let path = folder("checkpoint").join("state.safetensors");
    write(&path, data);
    let (params, plan) = small();
    let _ = checkpoint::load(&path, params, &Rules::default(), &plan).map(drop).map_err(|e| e.to_string());
}

/// Weights to start a small net from.
pub fn weights(data: &[u8]) {
    let path = folder("weights").join("model.safetensors");
    write(&path, data);
    let (mut params, _) = small();
    match Weights::read(&path) {
        Ok(weights) => drop(weights.start(&mut params, &[]).map_err(|e| e.to_string())),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A net small enough for a fuzzer's inputs.
pub fn small() -> (Params, Plan) {
    let text = Text { name: String::new(), content: SMALL.to_owned(), folder: PathBuf::new() };
    let spec = config::read(text, &[]).expect("the small experiment is right").spec;
    let facts = sets::make(&spec.data.dataset).official().expect("the generated set has figures");
    let params = fresh_params(&spec, &facts, 8).expect("the small net can be built");
    (params, Plan::compile(&spec, &[facts]).expect("the small experiment can be planned"))
}

const SMALL: &str = "\
name = 'small'
[data]
dataset = 'shapes'
[model]
backbone = { kind = 'shallow', width = 2 }
[[phases]]
epochs = 1
batch = 4
optimizer = 'sgd'
lr = 0.1
";

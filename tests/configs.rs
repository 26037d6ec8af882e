//! The shipped experiments: each checks, plans, says where it comes from, and survives being written back.

mod common;

use runner::config;
use runner::config::spec::Spec;
use runner::data::{Facts, FactsSource};
use runner::model;
use runner::nn::Shape;
use runner::plan::Plan;
use runner::train::net::parts;
use std::path::{Path, PathBuf};

fn shipped() -> Vec<PathBuf> {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let entries = [configs.clone(), configs.join("schedules")].map(|folder| std::fs::read_dir(folder).unwrap());
    let entries = entries.into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files
}

fn cifar10() -> Facts {
    Facts {
        name: "cifar10".into(),
        train_images: 50_000,
        val_images: 10_000,
        classes: 10,
        channels: 3,
        size: 32,
        source: FactsSource::Official,
    }
}

/// What an experiment is planned with here, for each of its sets: the figures that it gives, else those of CIFAR-10.
fn facts(spec: &Spec) -> Vec<Facts> {
    let (data, other) = (&spec.data, cifar10());
    let (train_images, val_images) = (data.train_images, data.val_images);
    let facts = Facts {
        train_images: train_images.unwrap_or(other.train_images),
        val_images: val_images.unwrap_or(other.val_images),
        classes: data.classes.unwrap_or(other.classes),
        ..other
    };
    vec![facts; spec.sets().len()]
}

#[test]
fn shipped_experiments_are_right_and_say_what_they_are() {
    assert!(!shipped().is_empty());
    for file in shipped() {
        let loaded = config::load(&file, &[]).unwrap_or_else(|errors| panic!("{errors}"));
        Plan::compile(&loaded.spec, &facts(&loaded.spec))
            .unwrap_or_else(|errors| panic!("{}: {errors:?}", file.display()));
        assert_eq!(loaded.spec.name, file.file_stem().unwrap().to_str().unwrap(), "named as its file");
        let head: String = std::fs::read_to_string(&file).unwrap().lines().take_while(|l| l.starts_with('#')).collect();
        for word in ["source", "command", "expected"] {
            assert!(head.contains(word), "{}: the head comment has no `{word}`", file.display());
        }
    }
}

#[test]
fn an_experiment_written_back_is_the_same_plan() {
    for file in shipped() {
        let spec = config::load(&file, &[]).unwrap().spec;
        let text = config::Text { name: "back.toml".into(), content: config::write(&spec), folder: PathBuf::new() };
        let back = config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec;
        // But for where in which file a phase stands.
        let spec = without_sources(spec);
        assert_eq!(without_sources(back.clone()), spec, "{}", file.display());
        let plan = |spec| Plan::compile(spec, &facts(spec)).unwrap();
        assert_eq!(plan(&without_sources(back)), plan(&spec), "{}", file.display());
    }
}

fn without_sources(mut spec: Spec) -> Spec {
    spec.phases.iter_mut().for_each(|phase| (phase.source, phase.recipe) = (0, None));
    spec
}

/// `runner plan --expand` prints an experiment of plain phases, of which every number is that of the recipe.
#[test]
fn an_expanded_experiment_uses_what_its_recipes_do() {
    let dir = tempfile::tempdir().unwrap();
    for file in shipped().into_iter().filter(|file| std::fs::read_to_string(file).unwrap().contains("recipe =")) {
        let run = |file: &Path, arguments: &[&str]| {
            let output = common::runner().arg("plan").arg(file).args(arguments).output().unwrap();
            common::assert_exit(&output, 0);
            String::from_utf8(output.stdout).unwrap()
        };
        let (plain, expanded) = (dir.path().join("plain.toml"), run(&file, &["--expand"]));
        assert!(!expanded.contains("recipe"), "{expanded}");
        std::fs::write(&plain, &expanded).unwrap();
        assert_eq!(run(&plain, &["--trace", "-"]), run(&file, &["--trace", "-"]), "{}", file.display());
        assert_eq!(run(&plain, &["--expand"]), expanded);
    }
}

#[test]
fn dawnbench_is_as_small_as_it_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/dawnbench.toml");
    let spec = config::load(&file, &[]).unwrap().spec;
    let graph = model::build(&parts(&spec, 10), Shape::new(32, 32, 3)).unwrap();
    assert!(graph.flops() <= 200_000_000, "{} floating-point operations forward", graph.flops());
    let plan = Plan::compile(&spec, &[cifar10()]).unwrap();
    assert!(plan.total_images <= 6 * 50_000 && plan.phases.iter().all(|phase| phase.batch <= 128));
    let sizes: Vec<usize> = plan.phases.iter().map(|phase| phase.size).collect();
    assert_eq!((sizes[0], sizes[1], sizes[2]), (16, 24, 32));
    assert_eq!((plan.phases[0].optimizer.kind.as_str(), plan.phases[1].optimizer.kind.as_str()), ("rmsprop", "sgd"));
}

/// A stretch of a published schedule: epochs `from` until the next row begins, side, images a step, and the rates that its
/// first epoch begins with and that it goes to.
struct Published {
    from: u64,
    size: usize,
    batch: u64,
    lr: [f64; 2],
}

const fn row(from: u64, size: usize, batch: u64, from_lr: f64, to_lr: f64) -> Published {
    Published { from, size, batch, lr: [from_lr, to_lr] }
}

/// Each epoch of the plan begins with the size, the batch and the rate that the table gives for it.
fn assert_published(config: &str, epochs: u64, table: &[Published]) {
    let spec = config::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(config), &[]).unwrap().spec;
    let facts = runner::data::sets::make(&spec.data.dataset).official().unwrap();
    assert_eq!((facts.train_images, facts.val_images, facts.classes), (1_281_167, 50_000, 1000));
    let plan = Plan::compile(&spec, &vec![facts; spec.sets().len()]).unwrap();
    let mut seen = 0;
    for step in 0..plan.total_steps {
        let at = plan.at(step);
        if at.epoch < seen {
            continue;
        }
        let k = table.iter().rposition(|row| row.from <= at.epoch).unwrap();
        let end = table.get(k + 1).map_or(epochs, |next| next.from);
        let Published { from, size, batch, lr } = table[k];
        let lr = lr[0] + (lr[1] - lr[0]) * (at.epoch - from) as f64 / (end - from) as f64;
        assert_eq!((at.size, at.images as u64), (size, batch), "{config}: epoch {}", at.epoch);
        assert!((at.hypers.lr / lr - 1.0).abs() < 1e-9, "{config}: epoch {}: {} is not {lr}", at.epoch, at.hypers.lr);
        assert_eq!(at.hypers.momentum, 0.9);
        seen += 1;
    }
    assert_eq!(seen, epochs);
}

/// fast.ai's tables, by hand: eight GPUs.
#[test]
fn three_hours_of_imagenet_are_as_published() {
    let table = [
        row(0, 128, 1536, 0.004, 0.4),
        row(4, 128, 1536, 0.4, 0.4),
        row(19, 224, 1536, 0.4, 0.4),
        row(21, 224, 1536, 0.04, 0.04),
        row(35, 224, 1536, 0.004, 0.004),
        row(41, 288, 1024, 0.004, 0.004),
        row(43, 288, 1024, 0.0004, 0.0004),
    ];
    assert_published("configs/imagenet-fastai-3h.toml", 45, &table);
}

/// 128 GPUs; 1.88 and its multiples by 2, 1, .3, .03, .02 and .002.
#[test]
fn eighteen_minutes_of_imagenet_are_as_published() {
    let table = [
        row(0, 128, 8192, 1.88, 3.76),
        row(6, 128, 16_384, 3.76, 3.76),
        row(16, 224, 8192, 1.88, 1.88),
        row(19, 224, 24_576, 0.564, 0.564),
        row(31, 224, 24_576, 0.0564, 0.0564),
        row(37, 288, 16_384, 0.0376, 0.0376),
        row(38, 288, 16_384, 0.00376, 0.00376),
    ];
    assert_published("configs/imagenet-fastai-18min.toml", 40, &table);
}

/// FFCV's `get_cyclic_lr` and `get_resolution` of `rn50_16_epochs.yaml`: 1.7 at epoch 2, nothing at 16; 192 pixels from 12 on.
#[test]
fn sixteen_epochs_of_ffcv_are_as_published() {
    let at_12 = 1.7 * 4.0 / 14.0;
    let table = [row(0, 160, 4096, 1.7e-4, 1.7), row(2, 160, 4096, 1.7, at_12), row(12, 192, 4096, at_12, 0.0)];
    assert_published("configs/imagenet-ffcv-16.toml", 16, &table);
}

/// Epochs served, and the highest rate, of each CIFAR-10 recipe.
#[test]
fn recipes_of_cifar10_are_as_long_and_as_steep_as_published() {
    for (name, epochs, peak) in [
        ("fastai-1gpu", 30.0, 1.5),
        ("fastai-8gpu", 40.0, 2.0),
        ("bkj", 40.0, 0.105),
        ("page-2018", 24.0, 0.4),
        ("page-final", 10.0, 1.0),
        ("airbench94-sgd", 9.9, 1.5),
        ("airbench96", 37.0, 9.0 / (1.0 + 1.0 / 0.15)),
        ("hiverge", 7.59, 88.0),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("configs/cifar10-{name}.toml"));
        let plan = Plan::compile(&config::load(&file, &[]).unwrap().spec, &[cifar10()]).unwrap();
        let served: f64 = plan.rows().iter().map(|row| row.epochs).sum();
        let highest = (0..plan.total_steps).map(|step| plan.at(step).hypers.lr).fold(0.0, f64::max);
        assert!((served - epochs).abs() < 0.02, "{name}: {served} epochs");
        assert!((highest / peak - 1.0).abs() < 1e-4, "{name}: {highest}");
    }
}

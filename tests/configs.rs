//! The shipped experiments: each checks, plans, says where it comes from, and survives being written back.

use runner::config;
use runner::data::{Facts, FactsSource};
use runner::model;
use runner::nn::Shape;
use runner::plan::Plan;
use runner::train::net::parts;
use std::path::{Path, PathBuf};

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
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

#[test]
fn shipped_experiments_are_right_and_say_what_they_are() {
    assert!(!shipped().is_empty());
    for file in shipped() {
        let loaded = config::load(&file, &[]).unwrap_or_else(|errors| panic!("{errors}"));
        Plan::compile(&loaded.spec, &cifar10()).unwrap_or_else(|errors| panic!("{}: {errors:?}", file.display()));
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
        assert_eq!(back, spec, "{}", file.display());
        assert_eq!(Plan::compile(&back, &cifar10()).unwrap(), Plan::compile(&spec, &cifar10()).unwrap());
    }
}

#[test]
fn dawnbench_is_as_small_as_it_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/dawnbench.toml");
    let spec = config::load(&file, &[]).unwrap().spec;
    let graph = model::build(&parts(&spec, 10), Shape::new(32, 32, 3)).unwrap();
    assert!(graph.flops() <= 200_000_000, "{} floating-point operations forward", graph.flops());
    let plan = Plan::compile(&spec, &cifar10()).unwrap();
    assert!(plan.total_images <= 6 * 50_000 && plan.phases.iter().all(|phase| phase.batch <= 128));
    let sizes: Vec<usize> = plan.phases.iter().map(|phase| phase.size).collect();
    assert_eq!((sizes[0], sizes[1], sizes[2]), (16, 24, 32));
    assert_eq!((plan.phases[0].optimizer.kind.as_str(), plan.phases[1].optimizer.kind.as_str()), ("rmsprop", "sgd"));
}

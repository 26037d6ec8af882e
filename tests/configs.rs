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

/// What an experiment is planned with here: the figures that it gives, else those of CIFAR-10.
fn facts(spec: &Spec) -> Facts {
    let (data, other) = (&spec.data, cifar10());
    let (train_images, val_images) = (data.train_images, data.val_images);
    Facts {
        train_images: train_images.unwrap_or(other.train_images),
        val_images: val_images.unwrap_or(other.val_images),
        classes: data.classes.unwrap_or(other.classes),
        ..other
    }
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
    spec.phases.iter_mut().for_each(|phase| phase.source = 0);
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
    let plan = Plan::compile(&spec, &cifar10()).unwrap();
    assert!(plan.total_images <= 6 * 50_000 && plan.phases.iter().all(|phase| phase.batch <= 128));
    let sizes: Vec<usize> = plan.phases.iter().map(|phase| phase.size).collect();
    assert_eq!((sizes[0], sizes[1], sizes[2]), (16, 24, 32));
    assert_eq!((plan.phases[0].optimizer.kind.as_str(), plan.phases[1].optimizer.kind.as_str()), ("rmsprop", "sgd"));
}

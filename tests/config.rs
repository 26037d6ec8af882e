//! What the program says of experiments that are wrong, and that right ones survive being written back.
//!
//! Each `tests/fixtures/errors/NAME.toml` has its errors beside it as `NAME.txt`; lines `# --set PATH=VALUE` at its top
//! are overrides. After a change of wording, `BLESS=1 cargo test --test config` writes the texts anew: read the diff.

use runner::config::spec::Length;
use runner::config::{self, Diagnostics, Loaded, Text};
use std::path::{Path, PathBuf};

fn read(name: &str, content: &str, sets: &[&str]) -> Result<Loaded, Diagnostics> {
    let file = Text { name: name.into(), content: content.into(), folder: PathBuf::new() };
    config::read(file, &sets.iter().map(|set| (*set).to_owned()).collect::<Vec<_>>())
}

/// The same, for an experiment that is right.
fn right(content: &str, sets: &[&str]) -> Loaded {
    read("whole.toml", content, sets).unwrap_or_else(|errors| panic!("{errors}\n{content}"))
}

#[test]
fn errors_say_where_what_and_what_instead() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/errors");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut wrong = Vec::new();
    for file in &files {
        let content = std::fs::read_to_string(file).unwrap();
        let sets: Vec<&str> = content.lines().map_while(|line| line.strip_prefix("# --set ")).collect();
        let name = file.file_name().unwrap().to_str().unwrap();
        let found = match read(name, &content, &sets) {
            Ok(_) => "no error\n".to_owned(),
            Err(errors) => errors.to_string(),
        };
        let expected_file = file.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected_file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
        if found != expected {
            wrong.push(format!("==== {name}: expected\n{expected}\n==== found\n{found}"));
        }
    }
    assert!(!files.is_empty() && wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Something of every section, in short forms and with carry-over.
const WHOLE: &str = r#"
name = "whole"
seed = 7

[data]
dataset = "cifar10"
stand_in = "shapes"
root = "sets/\"odd\" one"
augment = ["flip-alternating", { translate = 2 }, { cutout = 8 }]
last_batch = "drop"

[model]
backbone = "resnet9"

[train]
precision = "bf16"
label_smoothing = 0.1
eval_every = "100step"

[[params]]
role = "norm"
weight_decay = 0

[[params]]
match = "head.*"
lr = 0.3333333333333333

[[phases]]
epochs = 0.5
size = 24
batch = 1024
optimizer = { kind = "rmsprop", alpha = 0.95 }
lr = { from = 1e-5, to = 0.1 }
weight_decay = 5e-4
beta = 0.9

[[phases]]
steps = 30
lr = 0.1

[[phases]]
epochs = 4
size = 32
augment = []
optimizer = "sgd"
carry = true
lr = { from = 0.4, curve = { poly = 0.9 } }
momentum = { from = 0.95, to = 0.85, curve = "cosine" }
"#;

#[test]
fn a_phase_takes_over_what_it_leaves_out() {
    let spec = right(WHOLE, &[]).spec;
    let [first, second, third] = &spec.phases[..] else { panic!("three phases") };
    assert_eq!((second.size, second.batch), (Some(24), 1024));
    assert_eq!((&second.augment, &second.augment), (&first.augment, &spec.data.augment));
    assert_eq!((&second.optimizer, &second.beta), (&first.optimizer, &first.beta));
    assert_eq!(second.weight_decay, first.weight_decay);
    assert_eq!((first.momentum.from, third.momentum.from), (0.0, 0.95));
    assert_eq!((third.size, third.batch, third.augment.len()), (Some(32), 1024, 0));
    assert_eq!(second.length, Length::Steps(30));
    // An end that is left out is zero, a curve linear; a plain number has neither.
    assert_eq!((first.lr.curve.kind.as_str(), first.lr.to), ("linear", Some(0.1)));
    assert_eq!((third.lr.curve.kind.as_str(), third.lr.to), ("poly", Some(0.0)));
    assert_eq!((second.lr.curve.kind.as_str(), second.lr.to), ("constant", None));
    assert_eq!(spec.train.checkpoint_every.to_string(), "1ep");
}

#[test]
fn what_is_written_back_is_the_same_experiment() {
    let spec = right(WHOLE, &[]).spec;
    let written = config::write(&spec);
    let again = right(&written, &[]).spec;
    assert_eq!(again, spec, "{written}");
    assert_eq!(config::write(&again), written);
    for explicit in ["padding = \"reflect\"", "checkpoint_every = \"1ep\"", "eps = 1e-8", "momentum = 0.0"] {
        assert!(written.contains(explicit), "{explicit} in\n{written}");
    }
}

#[test]
fn overrides_are_as_if_written() {
    let set = |sets: &[&str]| right(WHOLE, sets).spec;
    let spec = set(&[
        "phases[1].lr.to=0.4",
        "phases[2].optimizer.nesterov=true",
        "phases[2].lr.curve.power=2",
        "data.augment[1].translate=3",
        "name=other",
        "model.backbone=shallow",
        "train.eval_every=2ep",
    ]);
    assert_eq!((spec.phases[1].lr.from, spec.phases[1].lr.to), (0.1, Some(0.4)));
    assert!(spec.phases[2].optimizer.settings.bool("nesterov"));
    assert_eq!(spec.phases[2].lr.curve.settings.float("power"), 2.0);
    assert_eq!(spec.data.augment[1].settings.int("pixels"), 3);
    assert_eq!((spec.name.as_str(), spec.model.backbone.kind.as_str()), ("other", "shallow"));
    // Later ones win, and another kind leaves no settings of the one before.
    let spec = set(&["seed=8", "seed=9", "phases[2].optimizer.nesterov=true", "phases[2].optimizer.kind=rmsprop"]);
    assert_eq!((spec.seed, spec.phases[2].optimizer.kind.as_str()), (9, "rmsprop"));
}

#[test]
fn the_hash_tells_experiments_apart_and_runs_of_one_not() {
    let hash = |sets: &[&str], set: &str, digest: &str| right(WHOLE, sets).spec.hash(set, digest);
    let plain = hash(&[], "shapes", "sha256:1");
    assert_eq!(plain.len(), 64);
    for same in ["seed=8", "name=other", "data.root=elsewhere", "phases[1].size=24", "phases[1].momentum=0.0"] {
        assert_eq!(hash(&[same], "shapes", "sha256:1"), plain, "{same}");
    }
    for other in ["phases[1].lr=0.2", "train.precision=f32", "model.backbone=shallow"] {
        assert_ne!(hash(&[other], "shapes", "sha256:1"), plain, "{other}");
    }
    assert_ne!(hash(&[], "cifar10", "sha256:1"), plain);
    assert_ne!(hash(&[], "shapes", "sha256:2"), plain);
    // The experiment written back by a run on the stand-in names that set alone, and is the same experiment.
    let used = right(WHOLE, &[]).spec.using("shapes");
    assert_eq!((used.data.dataset.kind.as_str(), &used.data.stand_in), ("shapes", &None));
    let again = right(&config::write(&used), &[]).spec;
    assert_eq!(again.hash("shapes", "sha256:1"), plain);
}

#[test]
fn relative_paths_start_from_the_file_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    std::fs::write(&file, WHOLE).unwrap();
    let root = |sets: &[String]| config::load(&file, sets).unwrap().spec.data.root.unwrap();
    assert_eq!(root(&[]), folder.path().join("sets/\"odd\" one"));
    assert_eq!(root(&["data.root=here".into()]), std::env::current_dir().unwrap().join("here"));
}

#[test]
fn files_that_cannot_be_read_are_diagnostics_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    let first_line = || config::load(&file, &[]).unwrap_err().to_string().lines().next().unwrap().to_owned();
    assert!(first_line().starts_with(&format!("{}:1:1: error: cannot read the file: ", file.display())));
    std::fs::write(&file, b"name = 'a'\nseed = \xff\n").unwrap();
    assert_eq!(first_line(), format!("{}:2:8: error: the file is not UTF-8 text", file.display()));
}

#[test]
fn later_stages_point_at_the_setting_a_problem_stems_from() {
    let Loaded { source, .. } = right(WHOLE, &["phases[1].lr.to=0.4"]);
    let shown = |path: &str| {
        let error = source.diagnostic(path, "too small").help("larger");
        source.diagnostics(vec![error]).to_string().lines().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(shown("phases[0].size"), ["whole.toml:30:8: error: too small", " 30 | size = 24"]);
    // Taken over from the phase before.
    assert_eq!(shown("phases[1].size"), shown("phases[0].size"));
    assert_eq!(shown("phases[1].lr.to"), ["--set:1:17: error: too small", " 1 | phases[1].lr.to=0.4"]);
    // Written nowhere: the phase's header.
    assert_eq!(shown("phases[2].weight_decay"), ["whole.toml:34:16: error: too small", " 34 | weight_decay = 5e-4"]);
    assert_eq!(shown("phases[1].carry"), ["whole.toml:37:1: error: too small", " 37 | [[phases]]"]);
}

#[test]
fn no_damage_is_more_than_an_error() {
    for (at, character) in WHOLE.char_indices() {
        let after = &WHOLE[at + character.len_utf8()..];
        for damage in ["", "\"", "[", "=", "{ ", "\n", "nan", "é"] {
            let damaged = format!("{}{damage}{after}", &WHOLE[..at]);
            if let Err(errors) = read("damaged.toml", &damaged, &[]) {
                assert!(errors.to_string().starts_with("damaged.toml:"), "{errors}");
            }
        }
        if let Err(errors) = read("cut.toml", &WHOLE[..at], &[]) {
            assert!(errors.to_string().starts_with("cut.toml:"), "{errors}");
        }
    }
    let argument = "phases[1].lr.\"to\"={ from = 1, curve = 'é' }";
    for (at, character) in argument.char_indices() {
        for damage in ["", "\"", "[", "=", ".", "é"] {
            let damaged = format!("{}{damage}{}", &argument[..at], &argument[at + character.len_utf8()..]);
            assert!(read("a.toml", WHOLE, &[&damaged]).is_err(), "{damaged}");
        }
    }
}

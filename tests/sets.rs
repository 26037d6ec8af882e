//! Trainings that go over to another data set. That they are the same after an interruption: `resume.rs`.

mod common;

use common::{SETS, assert_exit, only_run, photographs, runner, text, timeless};
use runner::record::reader::RunReader;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A folder with [`SETS`] and its photographs.
fn workplace() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("sets.toml");
    std::fs::write(&config, SETS).unwrap();
    photographs(&dir.path().join("photographs"));
    (dir, config)
}

fn run(config: &Path, arguments: &[&str]) -> Output {
    let mut command = runner();
    command.arg("train").arg(config).args(arguments).current_dir(config.parent().unwrap());
    command.output().unwrap()
}

/// The run that is trained in a folder of its own.
fn train(config: &Path, runs: &str, arguments: &[&str]) -> PathBuf {
    assert_exit(&run(config, &[&["--quiet", "--runs-dir", runs], arguments].concat()), 0);
    only_run(&config.parent().unwrap().join(runs))
}

/// What a command says, which must succeed.
fn said(command: &mut std::process::Command) -> String {
    let output = command.output().unwrap();
    assert_exit(&output, 0);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_phase_trains_and_is_evaluated_on_its_own_set() {
    let (dir, config) = workplace();
    let run = train(&config, "runs", &[]);
    let reader = RunReader::open(&run).unwrap();
    let rows = reader.metrics().unwrap().rows;
    let places: Vec<_> = rows.iter().map(|row| (row.step, row.epoch, row.phase, row.images)).collect();
    let of_photographs = (1..7).map(|epoch| (19 + 4 * epoch, epoch, 1, 5000 + 60 * epoch));
    assert_eq!(places, [(19, 0, 0, 5000)].into_iter().chain(of_photographs).collect::<Vec<_>>());
    // Shares of the validation images that each set has: thousandths, and twenty-firsts.
    for row in &rows {
        for accuracy in [row.val_acc, row.val_acc_avg.unwrap()] {
            let right = accuracy * if row.phase == 0 { 1000.0 } else { 21.0 };
            assert!((right - right.round()).abs() < 1e-9, "{row:?}");
        }
    }
    let last = rows.last().unwrap();
    assert!(last.val_acc > 0.9 && last.train_acc > 0.9, "three colours are told apart: {last:?}");
    let trace = reader.trace().unwrap().rows;
    assert_eq!(
        trace.iter().map(|row| row.batch).collect::<Vec<_>>(),
        [&[250; 20][..], &[16, 16, 16, 12].repeat(6)].concat()
    );

    let info = reader.info().unwrap();
    let names: Vec<_> = info.datasets().map(|set| (set.name.as_str(), set.images, set.val_images)).collect();
    assert_eq!(names, [("shapes", 5000, 1000), ("folder", 60, 21)]);
    assert_eq!((info.last_set_since, info.best.unwrap().step > 19), (1, true));
    let plan = timeless(&run.join("plan.csv"));
    assert_eq!(plan.iter().map(|row| row.last().unwrap().as_str()).collect::<Vec<_>>(), ["shapes", "folder"]);

    // The experiment that it leaves can be run from anywhere, and is the same.
    let copy = dir.path().join("elsewhere").join("copy.toml");
    std::fs::create_dir(copy.parent().unwrap()).unwrap();
    std::fs::copy(run.join("experiment.toml"), &copy).unwrap();
    let again = train(&copy, "runs", &["--threads", "1"]);
    assert_eq!(timeless(&again.join("metrics.csv")), timeless(&run.join("metrics.csv")));
    assert_eq!(RunReader::open(&again).unwrap().info().unwrap().spec_hash, info.spec_hash);

    // Its weights are evaluated on the set that they were trained on at last, which may have been moved meanwhile.
    let moved = dir.path().join("moved");
    std::fs::rename(dir.path().join("photographs"), &moved).unwrap();
    assert_exit(&runner().arg("eval").arg(&run).output().unwrap(), 3);
    let found = said(runner().arg("eval").arg(&run).arg("--json").env("RUNNER_DATA", &moved));
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(
        (&found["dataset"], &found["same_data"], &found["images"]),
        (&"folder".into(), &true.into(), &21.into())
    );
    assert_eq!(found["val_loss"].as_f64().unwrap().to_bits(), last.val_loss.to_bits());
    // Its head has an output for each class of the set that has the most.
    assert_eq!((found["classes"].as_array().unwrap().len(), found["outputs"].as_array().unwrap().len()), (3, 10));
}

#[test]
fn a_target_waits_for_the_last_set() {
    let (_dir, config) = workplace();
    // Reached at any evaluation.
    let run = train(&config, "runs", &["--set", "train.stop_at={ val_loss = 1e9 }"]);
    let info = RunReader::open(&run).unwrap().info().unwrap();
    assert!(info.exit_reason.as_deref().is_some_and(|reason| reason.starts_with("target reached")), "{info:?}");
    assert_eq!(info.steps_done, 24);
}

#[test]
fn events_and_tables_name_the_set_that_a_phase_goes_over_to() {
    let (dir, config) = workplace();
    let output = run(&config, &["--json", "--runs-dir", "runs", "--set", "phases[1].epochs=1"]);
    assert_exit(&output, 0);
    let events: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let begins: Vec<&Value> = events.iter().filter(|event| event["event"] == "phase_begins").collect();
    assert_eq!([&begins[0]["dataset"], &begins[1]["dataset"]], [&Value::Null, &Value::from("folder")]);
    assert_eq!(events[0]["facts"]["further_datasets"][0]["name"], "folder");
    let log = std::fs::read_to_string(only_run(&dir.path().join("runs")).join("log.txt")).unwrap();
    assert!(log.contains("phase 2/2 begins: folder, sgd"), "{log}");

    let plan = said(runner().arg("plan").arg(&config));
    let drawn = "shapes: 5,000 training and 1,000 validation images of 10 classes (drawn in memory)";
    for words in [drawn, "folder: 60 training and 21 validation"] {
        assert!(plan.contains(words), "{plan}");
    }
    let model = said(runner().arg("model").arg(&config));
    assert!(model.contains("10 classes") && model.contains("folder: 60 training"), "{model}");
    let arguments = ["--phase", "1", "--seeds", "1", "--steps", "40", "--json"];
    let found = runner().arg("find-lr").arg(&config).args(arguments).output().unwrap();
    let found: Value = serde_json::from_slice(&found.stdout).unwrap_or_else(|_| panic!("{}", text(&found)));
    assert_eq!((&found["dataset"], &found["batch"]), (&"folder".into(), &16.into()));
}

#[test]
fn a_run_is_not_taken_up_with_other_images_of_a_later_set() {
    let (dir, config) = workplace();
    let run = train(&config, "runs", &["--set", "phases[1].epochs=1"]);
    let path = run.join("run.json");
    let interrupted = std::fs::read_to_string(&path).unwrap().replace("\"done\"", "\"interrupted\"");
    std::fs::write(&path, interrupted).unwrap();
    let image = |number| dir.path().join(format!("photographs/train/class 1/{number}.png"));
    std::fs::copy(image(1), image(2)).unwrap();
    let refused = runner().args(["train", "--resume"]).arg(&run).output().unwrap();
    assert_exit(&refused, 2);
    assert!(text(&refused).contains("begun with other images: `folder` had digest"), "{}", text(&refused));
}

#[test]
fn absent_sets_are_planned_stood_in_for_or_missed_by_their_settings() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("sets.toml");
    let content = SETS.replace("dataset = \"shapes\"", "dataset = \"cifar10\"").replace("batch = 250", "batch = 500");
    let other = content.replace("{ dataset = \"folder\", root = \"photographs\" }", "{ dataset = \"cifar100\" }");
    std::fs::write(&config, &other).unwrap();
    let plan = said(runner().arg("plan").arg(&config));
    assert_eq!(plan.matches("the set is absent: its official figures").count(), 2, "{plan}");
    assert!(plan.contains("cifar100: 50,000 training"), "{plan}");
    let model = said(runner().arg("model").arg(&config));
    assert!(model.contains("100 classes"), "{model}");

    // Two sets that the stand-in takes the place of are one.
    let arguments = ["--runs-dir", "runs", "--set", "data.stand_in=shapes", "--set", "phases[1].epochs=0.05"];
    let output = run(&config, &arguments);
    assert_exit(&output, 0);
    for set in ["`cifar10` IS NOT USED", "`cifar100` IS NOT USED"] {
        assert!(text(&output).contains(set), "{}", text(&output));
    }
    let info = RunReader::open(&only_run(&dir.path().join("runs"))).unwrap().info().unwrap();
    assert_eq!((info.dataset.stands_in_for.as_deref(), info.further_datasets.len()), (Some("cifar10"), 0));

    // What is missed is named by the setting that would find it.
    let content = content.replace("\"cifar10\"", "\"shapes\"");
    std::fs::write(&config, content.replace("\"folder\"", "{ kind = \"folder\", size = 12 }")).unwrap();
    let missed = run(&config, &[]);
    assert_exit(&missed, 3);
    assert!(text(&missed).contains("`data` of phases[1]: there are no class folders"), "{}", text(&missed));
    let figures = ["train_images=60", "val_images=21", "classes=3"].map(|figure| format!("phases[1].data.{figure}"));
    let figures: Vec<&str> = figures.iter().flat_map(|figure| ["--set", figure]).collect();
    let missed = run(&config, &figures);
    assert_exit(&missed, 3);
    assert!(text(&missed).contains("--set phases[1].data.root=DIR"), "{}", text(&missed));
}

/// A set that is absent, for which another stands in.
const ABSENT: &str = r#"
name = "absent"
[data]
dataset = "cifar10"
stand_in = "shapes"
[model]
backbone = "shallow"
[[phases]]
epochs = 1
size = 8
batch = 100
optimizer = "sgd"
lr = 0.1
"#;

/// What was printed with its lines joined: where they are broken depends on a width.
fn joined(printed: &[u8]) -> String {
    String::from_utf8_lossy(printed).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn figures_of_a_stand_in_are_said_to_be_that() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("absent.toml");
    std::fs::write(&config, ABSENT).unwrap();
    let of = |arguments: &[&str]| {
        let output = runner().args(arguments).arg(&config).current_dir(dir.path()).output().unwrap();
        assert_exit(&output, 0);
        output
    };
    for command in ["plan", "model"] {
        let output = of(&[command]);
        let said = joined(&output.stdout);
        assert!(said.contains("the stand-in: the set itself is absent"), "{said}");
        assert!(output.stderr.is_empty(), "the table says so: {}", text(&output));
    }
    let silent = [&["plan", "--csv", "-"][..], &["plan", "--trace", "-"], &["plan", "--expand"], &["model", "--json"]];
    for arguments in silent {
        let output = of(arguments);
        let said = joined(&output.stderr);
        for words in ["the figures of `shapes`, which stands in for `cifar10`", "shapes: 5,000 training and 1,000"] {
            assert!(said.contains(words), "{arguments:?}: {said}");
        }
        assert!(!String::from_utf8_lossy(&output.stdout).contains("NOTICE"), "{}", text(&output));
    }
    let net: Value = serde_json::from_slice(&of(&["model", "--json"]).stdout).unwrap();
    assert_eq!((&net["dataset"], &net["stands_in_for"]), (&"shapes".into(), &"cifar10".into()));
    let net: Value = serde_json::from_slice(&of(&["model", "--json", "--set", "data.dataset=shapes"]).stdout).unwrap();
    assert_eq!((&net["dataset"], &net["stands_in_for"]), (&"shapes".into(), &Value::Null));
}

#[test]
fn what_fits_an_absent_set_alone_is_planned_with_its_official_figures() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("absent.toml");
    std::fs::write(&config, ABSENT).unwrap();
    let of = |arguments: &[&str], batch: &str, exit: i32| {
        let set = format!("phases[0].batch={batch}");
        let mut command = runner();
        command.args(arguments).arg(&config).args(["--set", &set]).current_dir(dir.path());
        let output = command.output().unwrap();
        assert_exit(&output, exit);
        output
    };
    let official = "the official figures of `cifar10`: what is asked for does not fit the stand-in `shapes`";
    let figures = "cifar10: 50,000 training and 10,000 validation images";
    for command in ["plan", "model"] {
        let output = of(&[command], "6000", 0);
        assert!(joined(&output.stdout).contains(figures), "{}", text(&output));
        let said = joined(&output.stderr);
        assert!(said.contains(official) && !said.contains(figures), "{said}");
    }
    for arguments in [&["plan", "--trace", "-"][..], &["model", "--json"]] {
        let said = joined(&of(arguments, "6000", 0).stderr);
        assert!(said.contains(official) && said.contains(figures), "{said}");
    }
    let net: Value = serde_json::from_slice(&of(&["model", "--json"], "6000", 0).stdout).unwrap();
    assert_eq!((&net["dataset"], &net["stands_in_for"]), (&"cifar10".into(), &Value::Null));
    // What fits neither is refused by the figures that are planned with otherwise.
    let refused = of(&["plan"], "60000", 2);
    assert!(text(&refused).contains("a batch of 60,000 from 5,000 training images"), "{}", text(&refused));
    // A set of one's own has no official figures.
    let own = ["plan", "--set", "data.dataset={ kind = 'folder', size = 8 }"];
    let refused = of(&own, "6000", 2);
    assert!(text(&refused).contains("a batch of 6,000 from 5,000 training images"), "{}", text(&refused));
}

#[test]
#[cfg(unix)]
fn a_path_that_begins_with_a_tilde_lies_in_the_home_folder() {
    let dir = tempfile::tempdir().unwrap();
    // As the program sees the current folder.
    let here = dir.path().canonicalize().unwrap();
    let (home, config) = (here.join("home"), here.join("top.toml"));
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join("absent.toml"), ABSENT).unwrap();
    let root = |extends: &str, arguments: &[&str]| {
        std::fs::write(&config, format!("extends = '{extends}'\n[data]\nroot = '~/written'\n")).unwrap();
        let mut command = runner();
        command.env("HOME", &home).current_dir(&here).args(["plan", "top.toml", "--expand"]).args(arguments);
        let expanded: toml::Table = said(&mut command).parse().unwrap();
        PathBuf::from(expanded["data"]["root"].as_str().unwrap())
    };
    assert_eq!(root("~/absent.toml", &[]), home.join("written"));
    assert_eq!(root("home/absent.toml", &["--set", "data.root=~/set"]), home.join("set"));
    assert_eq!(root("~/absent.toml", &["--set", "data.root=~"]), home);
    // What is really called so.
    assert_eq!(root("~/absent.toml", &["--set", "data.root=./~"]), here.join("~"));
    std::fs::create_dir(here.join("~")).unwrap();
    std::fs::rename(home.join("absent.toml"), here.join("~/absent.toml")).unwrap();
    assert_eq!(root("./~/absent.toml", &["--set", "data.root=~you"]), here.join("~you"));
}

//! Sweeps as a user runs them: the shipped ones are right, and a sweep that is killed comes to the same end.

mod common;

use common::{SMALL, assert_exit, only_run, runner, text, timeless};
use runner::config::spec::SetSpec;
use runner::config::sweep;
use runner::data::Facts;
use runner::plan::Plan;
use runner::sweep::ledger::Ledger;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[test]
fn shipped_sweeps_are_right_and_of_the_schemas_form() {
    let schema = runner::config::json_schema::sweep();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let committed = configs.join("sweep.schema.json");
    let printed = format!("{schema:#}\n");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&committed, &printed).unwrap();
    }
    assert!(std::fs::read_to_string(&committed).unwrap_or_default() == printed, "BLESS=1 cargo test --test sweep");

    let mut seen = 0;
    for entry in std::fs::read_dir(configs.join("sweeps")).unwrap() {
        let path = entry.unwrap().path();
        let content = std::fs::read_to_string(&path).unwrap();
        assert!(content.starts_with("#:schema ../sweep.schema.json\n"), "{}", path.display());
        let table: toml::Table = content.parse().unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&serde_json::to_value(table).unwrap()).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        let sweep = sweep::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(sweep.name, path.file_stem().unwrap().to_str().unwrap(), "named as its file");
        for trial in runner::sweep::missing(&sweep, &Ledger::new(PathBuf::new(), vec![]), &|point| sweep.allows(point))
        {
            let spec = sweep.experiment(&trial.values).unwrap_or_else(|errors| panic!("{errors}")).spec;
            let known = |set: &SetSpec| {
                let official = runner::data::sets::make(&set.dataset).official();
                official.unwrap_or_else(|| runner::data::facts(&spec.request(set), &set.given()).unwrap())
            };
            let facts: Vec<Facts> = spec.sets().iter().map(known).collect();
            Plan::compile(&spec, &facts).unwrap_or_else(|errors| panic!("{}: {errors:?}", path.display()));
        }
        seen += 1;
    }
    assert!(seen > 0);
}

/// Two rates, of which one diverges, by two seeds.
const SWEEP: &str = r#"
name = "rates"
base = "small.toml"
seeds = [1, 2]
[axes]
"phases[0].lr" = [0.01, 1e30]
"#;

fn workplace() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small.toml"), SMALL).unwrap();
    let file = folder.path().join("rates.toml");
    std::fs::write(&file, SWEEP).unwrap();
    (folder, file)
}

fn begin(file: &Path, runs: &Path) -> Command {
    let mut command = runner();
    command.arg("sweep").arg(file).args(["--jobs", "2", "--runs-dir"]).arg(runs);
    command
}

#[test]
fn a_sweep_that_is_killed_comes_to_the_same_end() {
    let (work, file) = workplace();
    let (whole, torn) = (work.path().join("whole"), work.path().join("torn"));
    let output = begin(&file, &whole).output().unwrap();
    assert_exit(&output, 0);
    let whole = only_run(&whole);
    let states: Vec<String> = timeless(&whole.join("trials.csv")).iter().map(|row| row[2].clone()).collect();
    assert_eq!(states, ["done", "done", "diverged", "diverged"], "{}", text(&output));

    let mut child = begin(&file, &torn).spawn().unwrap();
    for _ in 0..3 {
        // At a random moment, from the making of the folder on.
        let wait = RandomState::new().build_hasher().finish() % 1500;
        while !torn.is_dir() || !has_a_sweep(&torn) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        child = resume(&only_run(&torn)).spawn().unwrap();
    }
    child.wait().unwrap();
    assert_exit(&resume(&only_run(&torn)).output().unwrap(), 0);
    let torn = only_run(&torn);
    assert_eq!(timeless(&torn.join("trials.csv")), timeless(&whole.join("trials.csv")));
    for run in ["t000-s1", "t000-s2"] {
        let model = |sweep: &Path| std::fs::read(sweep.join(run).join("model.safetensors")).unwrap();
        assert!(model(&torn) == model(&whole), "{run} has other weights");
    }

    // More seeds: only what is new is run.
    let kept = whole.join("sweep.toml");
    let content = std::fs::read_to_string(&kept).unwrap().replace("seeds = [1, 2]", "seeds = [1, 2, 3]");
    std::fs::write(&kept, content).unwrap();
    let before = std::fs::metadata(whole.join("t000-s1/run.json")).unwrap().modified().unwrap();
    assert_exit(&resume(&whole).output().unwrap(), 0);
    assert_eq!(timeless(&whole.join("trials.csv")).len(), 6);
    assert_eq!(std::fs::metadata(whole.join("t000-s1/run.json")).unwrap().modified().unwrap(), before);

    let best = runner().args(["sweep", "--best"]).arg(&whole).output().unwrap();
    assert_exit(&best, 0);
    let best = String::from_utf8(best.stdout).unwrap();
    let of_best = work.path().join("best.toml");
    std::fs::write(&of_best, &best).unwrap();
    assert!(best.contains("phases[0].lr=0.01"), "{best}");
    assert_exit(&runner().arg("plan").arg(&of_best).output().unwrap(), 0);

    let compared = runner().arg("compare").arg(&whole).args(["--json"]).output().unwrap();
    assert_exit(&compared, 0);
    let compared: serde_json::Value = serde_json::from_slice(&compared.stdout).unwrap();
    assert_eq!(compared["groups"][0]["name"], "phases[0].lr=0.01");
    assert_eq!((compared["groups"][0]["n"].as_u64(), compared["groups"][1]["n"].as_u64()), (Some(3), Some(0)));
}

fn has_a_sweep(runs: &Path) -> bool {
    std::fs::read_dir(runs).unwrap().flatten().any(|entry| entry.path().join("sweep.toml").is_file())
}

fn resume(folder: &Path) -> Command {
    let mut command = runner();
    command.args(["sweep", "--jobs", "2", "--resume"]).arg(folder);
    command
}

#[test]
fn a_dry_run_lists_and_makes_nothing() {
    let (work, file) = workplace();
    let runs = work.path().join("runs");
    let output = begin(&file, &runs).arg("--dry-run").output().unwrap();
    assert_exit(&output, 0);
    let said = text(&output);
    for words in ["phases[0].lr", "1e30", "1 2", "104", "4 trials"] {
        assert!(said.contains(words), "`{words}` is not in\n{said}");
    }
    assert!(!runs.exists());
}

/// What a dry run of a sweep over one phase on CIFAR-10, which is absent, lists and says.
fn dry_run_without_the_set(content: &str) -> String {
    let (work, file) = workplace();
    let base = "name = 'b'\n[data]\ndataset = 'cifar10'\nstand_in = 'shapes'\n[model]\nbackbone = 'shallow'\n\
                [[phases]]\nepochs = 1\nbatch = 500\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n";
    std::fs::write(work.path().join("small.toml"), base).unwrap();
    std::fs::write(&file, format!("name = 's'\nbase = 'small.toml'\n{content}")).unwrap();
    let output = begin(&file, &work.path().join("runs")).arg("--dry-run").output().unwrap();
    assert_exit(&output, 0);
    // Where a notice is broken depends on its width.
    text(&output).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn points_are_planned_with_a_stand_ins_figures_or_all_with_official_ones() {
    let said = dry_run_without_the_set("[axes]\n'phases[0].batch' = [500, 1000]\n");
    let stand_in = "planned with the figures of `shapes`, which stands in for `cifar10` shapes: 5,000 training";
    assert!(said.contains(stand_in) && said.matches("NOTICE").count() == 1, "{said}");
    assert!(said.contains("2 trials, 10,000 images"), "{said}");

    // One that does not fit the stand-in is no reason to refuse it; the others are told by the same figures.
    let official = "planned with the official figures of `cifar10`: what is asked for does not fit the stand-in `shapes` \
                    cifar10: 50,000 training";
    let said = dry_run_without_the_set("[axes]\n'phases[0].batch' = [500, 6000]\n");
    assert!(said.contains(official) && said.matches("NOTICE").count() == 1, "{said}");
    assert!(said.contains("2 trials, 100,000 images"), "{said}");

    // Nor to leave it out where points are to cost as much.
    let equal = "equal = { images = 'phases[0].epochs' }\n[axes]\n'phases[0].batch' = [500, 10000]\n";
    let said = dry_run_without_the_set(equal);
    assert!(said.contains(official) && said.contains("2 trials, 100,000 images"), "{said}");
}

#[test]
fn points_that_are_left_out_are_named_with_the_reason() {
    let (work, file) = workplace();
    let dry_run = |content: &str| {
        std::fs::write(&file, format!("name = 's'\nbase = 'small.toml'\n{content}")).unwrap();
        begin(&file, &work.path().join("runs")).arg("--dry-run").output().unwrap()
    };
    let equal = "equal = { images = 'phases[1].epochs' }\n[axes]\n'phases[0].steps' = ";
    let output = dry_run(&format!("{equal}[5, 30]\n"));
    assert_exit(&output, 0);
    let said = text(&output);
    let words = "left out, for no `phases[1].epochs` makes the point cost what the base does, to one in a hundred: 1 of 2 points: \
                 phases[0].steps=30\n";
    assert!(said.contains(words) && said.contains("1 trial, "), "{said}");
    let output = dry_run(&format!("{equal}[30]\n"));
    assert_exit(&output, 2);
    let said = text(&output);
    assert!(said.contains(": 1 of 1 point: phases[0].steps=30\n"), "{said}");
    assert!(
        said.contains("error: none of 1 point is left\nhelp: widen the axes, or fit the length of another"),
        "{said}"
    );

    // What is evaluated more often has less time to train, unless evaluations are not counted.
    let images = |measure: &str| {
        let axes = "[axes]\n'train.eval_every' = ['20step', '10step']\n";
        let output = dry_run(&format!("equal = {{ {measure} = 'phases[1].epochs' }}\n{axes}"));
        assert_exit(&output, 0);
        let said = text(&output);
        let row = |point: char| said.lines().find(|line| line.trim_start().starts_with(point)).unwrap().to_owned();
        ['0', '1'].map(|point| row(point).split_whitespace().nth(3).unwrap().to_owned())
    };
    let [seldom, often] = images("training");
    assert_eq!(seldom, often);
    let [seldom, often] = images("time");
    assert_ne!(seldom, often);

    let constraint = "constraints = ['phases[0].lr < 1']\n[axes]\n'phases[0].lr' = [0.01, 2.0, 3.0]\n";
    let output = dry_run(constraint);
    assert_exit(&output, 0);
    let words = "left out, for `phases[0].lr < 1` does not hold: 2 of 3 points: phases[0].lr=2.0; phases[0].lr=3.0\n";
    assert!(text(&output).contains(words), "{}", text(&output));
    let drawn = "constraints = ['phases[0].lr > 1']\nmethod = 'random'\npoints = 2\n[axes]\n'phases[0].lr' = { uniform = [0, 1] }\n";
    let output = dry_run(drawn);
    assert_exit(&output, 2);
    let words = "the constraints leave 0 of 2 points\nhelp: widen the axes or the constraints\n";
    assert!(text(&output).contains(words), "{}", text(&output));
}

#[test]
fn a_dry_run_says_how_many_points_are_the_same_and_what_computes_them() {
    let said = dry_run_without_the_set("method = 'random'\npoints = 20\n[axes]\n'phases[0].lr' = [0.1, 0.2]\n");
    assert!(said.contains("20 trials, ") && said.contains("18 points have the values of others"), "{said}");
    let (work, file) = workplace();
    let mut command = runner();
    command.arg("sweep").arg(&file).args(["--dry-run", "--jobs", "1", "--threads", "1"]).current_dir(work.path());
    let said = text(&command.output().unwrap());
    let place = match std::thread::available_parallelism().unwrap().get() {
        1 => "on all cores of this machine".to_owned(),
        cores => format!("on 1 of the {cores} cores of this machine"),
    };
    assert!(said.contains(&place), "{said}");
}

#[test]
fn an_experiment_is_no_sweep_and_a_sweep_no_experiment() {
    let (work, _) = workplace();
    let said = |arguments: &[&str]| {
        let output = runner().args(arguments).current_dir(work.path()).output().unwrap();
        assert_exit(&output, 2);
        assert!(text(&output).ends_with(&format!("\n1 error in {}\n", arguments[1])), "{}", text(&output));
        text(&output)
    };
    for arguments in
        [&["plan", "rates.toml"][..], &["train", "rates.toml"], &["model", "rates.toml", "--set", "seed=1"]]
    {
        let said = said(arguments);
        assert!(said.starts_with("rates.toml:5:2: error: this is a sweep file, not an experiment\n"), "{said}");
        assert!(said.contains("help: `runner sweep rates.toml` runs it\n"), "{said}");
    }
    let output = runner().args(["data", "info", "rates.toml"]).current_dir(work.path()).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).starts_with("rates.toml:5:2: error: this is a sweep file"), "{}", text(&output));
    let experiment = said(&["sweep", "small.toml", "--dry-run"]);
    assert!(experiment.contains("error: this is an experiment, not a sweep file\n"), "{experiment}");
    assert!(
        experiment.contains("[[phases]]\n") && experiment.contains("`runner train small.toml` runs it"),
        "{experiment}"
    );

    // One that takes its phases from another is one too, and what lacks its axes is still a sweep.
    std::fs::write(work.path().join("top.toml"), "extends = 'small.toml'\nseed = 2\n").unwrap();
    let experiment = said(&["sweep", "top.toml"]);
    assert!(experiment.starts_with("top.toml:1:1: error: this is an experiment"), "{experiment}");
    std::fs::write(work.path().join("seeds.toml"), "name = 's'\nbase = 'small.toml'\nseeds = [1, 2]\n").unwrap();
    let sweep = said(&["plan", "seeds.toml"]);
    assert!(sweep.starts_with("seeds.toml:2:1: error: this is a sweep file"), "{sweep}");
    // Beside settings of an experiment the key is misspelt.
    std::fs::write(work.path().join("top.toml"), "base = 'small.toml'\n[train]\nlabel_smoothing = 0.1\n").unwrap();
    let output = runner().args(["plan", "top.toml"]).current_dir(work.path()).output().unwrap();
    assert!(text(&output).contains("did you mean `extends`?"), "{}", text(&output));
}

/// L-BFGS evaluates a batch as often as its search along a line needs: how long a step takes cannot be measured before.
#[test]
fn a_dry_run_says_where_the_time_cannot_be_told() {
    let (work, file) = workplace();
    std::fs::write(work.path().join("small.toml"), common::SEARCH).unwrap();
    std::fs::write(&file, SWEEP.replace("0.01, 1e30", "1.0, 0.5")).unwrap();
    let output = begin(&file, &work.path().join("runs")).arg("--dry-run").output().unwrap();
    assert_exit(&output, 0);
    let said = text(&output);
    for words in ["unknown", "4 trials", "how long is unknown"] {
        assert!(said.contains(words), "`{words}` is not in\n{said}");
    }
    assert!(!said.contains("GFLOP/s"), "{said}");
}

/// Changes states in the ledger of a sweep; those of one seed.
fn relabel(sweep: &Path, seed: u64, from: &str, to: &str) {
    let path = sweep.join("trials.csv");
    let table = std::fs::read_to_string(&path).unwrap();
    let row = |row: &str| match row.split(',').nth(1) == Some(&seed.to_string()) {
        true => row.replacen(&format!(",{from},"), &format!(",{to},"), 1) + "\n",
        false => format!("{row}\n"),
    };
    std::fs::write(&path, table.lines().map(row).collect::<String>()).unwrap();
}

#[test]
fn trials_that_are_tried_again_run_side_by_side_and_are_counted_once() {
    let (work, file) = workplace();
    std::fs::write(work.path().join("small.toml"), tiny()).unwrap();
    std::fs::write(&file, SWEEP.replace("0.01, 1e30", "0.01")).unwrap();
    let runs = work.path().join("runs");
    // Nobody reads what it says.
    let mut child = begin(&file, &runs).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let sweep = only_run(&runs);

    relabel(&sweep, 2, "done", "failed");
    let best = runner().args(["sweep", "--best"]).arg(&sweep).output().unwrap();
    assert_exit(&best, 0);
    assert!(text(&best).contains("on average over 1 seed\n# of its 2 seeds 1 failed; no point"), "{}", text(&best));

    relabel(&sweep, 1, "done", "failed");
    let output = resume(&sweep).arg("--retry-failed").output().unwrap();
    assert_exit(&output, 0);
    let said = text(&output);
    assert!(said.contains("2 trials, 0 of them over; 2 at a time"), "{said}");
    assert!(said.contains("[1/2]") && said.contains("[2/2]") && !said.contains("[3/2]"), "{said}");

    // Killed before it wrote down that one was done.
    relabel(&sweep, 1, "done", "running");
    relabel(&sweep, 2, "done", "failed");
    let output = resume(&sweep).arg("--retry-failed").output().unwrap();
    assert_exit(&output, 0);
    assert!(text(&output).contains("[2/2]"), "{}", text(&output));
    let best = runner().args(["sweep", "--best"]).arg(&sweep).output().unwrap();
    assert!(text(&best).contains("on average over 2 seeds\n"), "{}", text(&best));
}

/// A sweep's folder as it would be on disk, with rows of `trials.csv` for points that differ in one rate.
fn recorded(work: &Path, rows: &[&str]) -> PathBuf {
    let sweep = work.join("recorded");
    std::fs::create_dir_all(sweep.join("points")).unwrap();
    std::fs::write(sweep.join("sweep.toml"), SWEEP.replace("small.toml", "../small.toml")).unwrap();
    let head = "trial,seed,state,run,objective,seconds,reason,phases[0].lr,saved_steps,saved_seconds\n";
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(sweep.join("trials.csv"), format!("{head}{rows}")).unwrap();
    for point in ["t000", "t001"] {
        std::fs::write(sweep.join("points").join(format!("{point}.toml")), SMALL).unwrap();
    }
    sweep
}

#[test]
fn a_dry_run_of_a_sweep_that_is_there_lists_what_is_left() {
    let (work, _) = workplace();
    let said = |sweep: &Path, options: &[&str]| {
        let output = resume(sweep).arg("--dry-run").args(options).output().unwrap();
        assert_exit(&output, 0);
        text(&output)
    };
    let rows = [
        "0,1,done,t000-s1,0.9,1,,0.01,,",
        "0,2,interrupted,t000-s2,,,,0.01,,",
        "1,1,failed,t001-s1,,1,no space,1e30,,",
        "1,2,planned,t001-s2,,,,1e30,,",
    ];
    let sweep = recorded(work.path(), &rows);
    let some = said(&sweep, &[]);
    assert!(some.contains("2 trials, ") && some.contains("1e30") && !some.contains("begun before"), "{some}");
    std::fs::create_dir(sweep.join("t000-s2")).unwrap();
    std::fs::write(sweep.join("t000-s2/run.json"), "{}").unwrap();
    let more = said(&sweep, &["--retry-failed"]);
    assert!(more.contains("3 trials, ") && more.contains("counted whole, though begun before: 1 trial\n"), "{more}");
    let rows = rows.map(|row| row.replace("interrupted", "done").replace("planned", "done"));
    let sweep = recorded(work.path(), &rows.each_ref().map(String::as_str));
    assert_eq!(said(&sweep, &[]), "there is nothing left to run\n");

    // Of a search what is still to be proposed is counted from what is there.
    let search = "name = 's'\nbase = '../small.toml'\nmethod = 'tpe'\npoints = 7\nstartup = 1\nseeds = [1, 2]\n\
                  [axes]\n'phases[0].lr' = { log_uniform = [0.001, 0.1] }\n";
    std::fs::write(sweep.join("sweep.toml"), search).unwrap();
    assert_eq!(said(&sweep, &[]), "5 further points follow from the results of those that are there\n");
    let failed = said(&sweep, &["--retry-failed"]);
    assert!(
        failed.contains("1 trial, ") && failed.contains("\n5 further points follow from the results of these"),
        "{failed}"
    );
}

#[test]
fn what_was_planned_for_values_that_were_taken_out_is_left_out() {
    let (work, _) = workplace();
    let done = ["0,1,done,t000-s1,0.9,1,,0.01,,", "0,2,done,t000-s2,0.8,1,,0.01,,"];
    let planned = ["1,1,planned,t001-s1,,,,1e30,,", "1,2,planned,t001-s2,,,,1e30,,"];
    let sweep = recorded(work.path(), &[done, planned].concat());
    let own = sweep.join("sweep.toml");
    let content = std::fs::read_to_string(&own).unwrap();
    std::fs::write(&own, content.replace("[0.01, 1e30]", "[0.01]")).unwrap();
    let words = "left out, for sweep.toml has the point or the seed no more: 2 planned trials: \
                 t001-s1 (phases[0].lr=1e30); t001-s2 (phases[0].lr=1e30)\n";
    let dry = resume(&sweep).arg("--dry-run").output().unwrap();
    assert_exit(&dry, 0);
    assert!(text(&dry).contains(words) && text(&dry).contains("there is nothing left to run\n"), "{}", text(&dry));
    assert_eq!(timeless(&sweep.join("trials.csv")).len(), 4);
    // While their rows cannot be taken out, their experiments stay.
    let in_the_way = sweep.join(".trials.csv.tmp");
    std::fs::create_dir(&in_the_way).unwrap();
    assert!(!resume(&sweep).output().unwrap().status.success());
    assert!(timeless(&sweep.join("trials.csv")).len() == 4 && sweep.join("points/t001.toml").is_file());
    std::fs::remove_dir(&in_the_way).unwrap();
    let output = resume(&sweep).output().unwrap();
    assert_exit(&output, 0);
    assert!(text(&output).contains(words) && text(&output).contains("2 trials: 2 done\n"), "{}", text(&output));
    assert_eq!(timeless(&sweep.join("trials.csv")).len(), 2);
    assert!(sweep.join("points/t000.toml").is_file() && !sweep.join("points/t001.toml").exists());
    assert!(!text(&resume(&sweep).output().unwrap()).contains("left out"));
}

/// Its constraint, too, may have been tightened since.
#[test]
fn a_sweep_that_is_there_goes_on_though_a_new_one_would_be_refused() {
    let (work, file) = workplace();
    let rows = ["0,1,done,t000-s1,0.9,1,,0.01,,", "0,2,done,t000-s2,0.8,1,,0.01,,"];
    let sweep = recorded(work.path(), &[rows[0], rows[1], "1,1,planned,t001-s1,,,,1e30,,"]);
    let own = sweep.join("sweep.toml");
    let content = std::fs::read_to_string(&own).unwrap();
    let older = |content: &str| content.replace("seeds = [1, 2]", "seeds = [1, 2, 2]\nconstraints = ['0 > 1']");
    std::fs::write(&own, older(&content)).unwrap();
    assert_exit(&best_of(&sweep), 0);
    assert_exit(&runner().args(["export", "optuna"]).arg(&sweep).output().unwrap(), 0);
    let dry = resume(&sweep).arg("--dry-run").output().unwrap();
    assert_exit(&dry, 0);
    let said = text(&dry);
    assert!(said.contains("1 trial, ") && said.contains("1e30") && !said.contains("no more"), "{said}");
    assert!(said.contains("left out, for `0 > 1` does not hold: 1 of 2 points: phases[0].lr=1e30\n"), "{said}");

    std::fs::write(&file, older(SWEEP)).unwrap();
    let output = begin(&file, &work.path().join("runs")).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("error: `2` is there twice\n"), "{}", text(&output));
}

#[test]
fn where_trials_failed_the_summary_says_where_to_look_and_what_to_do() {
    let (work, _) = workplace();
    let rows = ["0,1,done,t000-s1,0.9,1,,0.01,,", "0,2,failed,t000-s2,,1,no space,0.01,,"];
    let others = ["1,1,done,t001-s1,0.5,1,,1e30,,", "1,2,done,t001-s2,0.7,1,,1e30,,"];
    let sweep = recorded(work.path(), &[rows, others].concat());
    let output = resume(&sweep).output().unwrap();
    assert_exit(&output, 5);
    let said = text(&output);
    for words in
        ["1 failed: trials.csv says why, ", "/logs what each wrote", " --retry-failed` runs what failed once more\n"]
    {
        assert!(said.contains(words), "`{words}` is not in\n{said}");
    }
}

fn best_of(sweep: &Path) -> std::process::Output {
    runner().args(["sweep", "--best"]).arg(sweep).output().unwrap()
}

/// All that goes by the sweep file of a sweep that is there.
fn taken_up(sweep: &Path) -> [std::process::Output; 4] {
    [
        resume(sweep).output().unwrap(),
        resume(sweep).arg("--dry-run").output().unwrap(),
        runner().args(["export", "optuna"]).arg(sweep).output().unwrap(),
        best_of(sweep),
    ]
}

#[test]
fn a_point_of_which_a_seed_diverged_does_not_win_by_the_others() {
    let (work, _) = workplace();
    let lucky = ["0,1,done,t000-s1,0.9,1,,0.01,,", "0,2,diverged,t000-s2,,1,loss is NaN,0.01,,"];
    let steady = ["1,1,done,t001-s1,0.5,1,,1e30,,", "1,2,done,t001-s2,0.7,1,,1e30,,"];
    let sweep = recorded(work.path(), &[lucky, steady].concat());
    let best = best_of(&sweep);
    assert_exit(&best, 0);
    let said = text(&best);
    assert!(said.contains("of sweep rates: phases[0].lr=1e30\n"), "{said}");
    assert!(said.contains("# val_acc 0.6000 on average over 2 seeds\n\n"), "{said}");
    // All is over, so there is a summary at once.
    let output = resume(&sweep).output().unwrap();
    assert_exit(&output, 0);
    let said = text(&output);
    assert!(said.contains("best: point 1, 0.6000 on average over 2 seeds: phases[0].lr=1e30\n"), "{said}");

    let worse = ["1,1,failed,t001-s1,,1,,1e30,,", "1,2,diverged,t001-s2,,1,,1e30,,"];
    let best = best_of(&recorded(work.path(), &[lucky, worse].concat()));
    let said = text(&best);
    assert!(said.contains("# val_acc 0.9000 on average over 1 seed\n# of its 2 seeds 1 diverged; no point"), "{said}");
}

#[test]
fn what_no_run_will_measure_is_no_metric() {
    let (work, file) = workplace();
    let base = |train: &str| {
        let base = "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n\
                    [[phases]]\nsteps = 12\nbatch = 32\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n";
        std::fs::write(work.path().join("small.toml"), format!("{base}[train]\n{train}\n")).unwrap();
    };
    let dry_run = |metric: &str, axes: &str| {
        let content = format!("name = 's'\nbase = 'small.toml'\nmetric = \"{metric}\"\n[axes]\n{axes}\n");
        std::fs::write(&file, content).unwrap();
        begin(&file, &work.path().join("runs")).arg("--dry-run").output().unwrap()
    };
    let rates = "'phases[0].lr' = [0.1, 0.2]";
    let views = "'train.tta' = ['mirror', 'none']";
    let refused = [
        ("", "val_accuracy", rates, "no column of numbers `val_accuracy`", "did you mean `val_acc`?"),
        ("", "optimizer", rates, "no column of numbers `optimizer`", ""),
        ("", "val_acc_avg", rates, "looks at `val_acc_avg`, which is not measured\n", "`average = \"swa\"`"),
        ("average = 'swa'", "val_acc_avg_tta", rates, "which is not measured\n", "experiment: `tta = \"mirror\"`"),
        ("tta = 'mirror'", "val_acc_tta", views, "not measured\n", "help: that is at the point train.tta='none'\n"),
    ];
    for (train, metric, axes, message, help) in refused {
        base(train);
        let output = dry_run(metric, axes);
        assert_exit(&output, 2);
        let said = text(&output);
        assert!(said.contains("rates.toml:3:10: error: ") && said.contains(message) && said.contains(help), "{said}");
    }
    base("");
    // What the axes bring is there.
    let average = "{ kind = 'ema', every = '3step', start = '6step' }";
    assert_exit(&dry_run("val_acc_avg", &format!("'train.average' = [{average}]")), 0);
    base(&format!("average = {average}"));
    assert_exit(&dry_run("val_loss_avg", rates), 0);
    assert!(!work.path().join("runs").exists());
}

#[test]
fn why_no_point_is_best_is_told() {
    let (work, _) = workplace();
    let said = |rows: &[&str]| {
        let best = best_of(&recorded(work.path(), rows));
        assert_exit(&best, 2);
        text(&best)
    };
    let [done, over] = ["0,1,done,t000-s1,,1,,0.01,,", "0,2,diverged,t000-s2,,1,,0.01,,"];
    let words = said(&[done, over]);
    assert!(words.contains("has a value of `val_acc`: 1 diverged, 1 done\nhelp: `runner compare"), "{words}");
    let words = said(&[over]);
    assert!(words.contains("has a result: 1 diverged"), "{words}");
    let words = said(&[over, "0,1,planned,t000-s1,,,,0.01,,"]);
    assert!(words.contains("is done yet"), "{words}");
}

#[test]
fn a_sweep_goes_on_with_the_base_that_it_began_with() {
    let (work, file) = workplace();
    let (below, base) = (work.path().join("below.toml"), work.path().join("small.toml"));
    std::fs::write(&below, tiny()).unwrap();
    let extending = "name = 'upper'\nextends = 'below.toml'\n";
    std::fs::write(&base, extending).unwrap();
    std::fs::write(&file, SWEEP.replace("0.01, 1e30", "0.01").replace("[1, 2]", "[1]")).unwrap();
    let runs = work.path().join("runs");
    assert_exit(&begin(&file, &runs).output().unwrap(), 0);
    let sweep = only_run(&runs);
    let kept = std::fs::read_to_string(sweep.join("base.toml")).unwrap();
    assert!(kept.contains("label_smoothing = 0.1") && !kept.contains("extends"), "{kept}");

    // Names and comments make no other experiment.
    std::fs::write(&base, format!("# the same\n{}", extending.replace("upper", "other"))).unwrap();
    assert_exit(&resume(&sweep).output().unwrap(), 0);

    std::fs::write(&below, tiny().replace("label_smoothing = 0.1", "label_smoothing = 0.2")).unwrap();
    let own = sweep.join("sweep.toml");
    let content = std::fs::read_to_string(&own).unwrap();
    std::fs::write(&own, content.replace("[0.01]", "[0.01, 0.02]")).unwrap();
    for options in [&["--dry-run"][..], &[]] {
        let output = resume(&sweep).args(options).output().unwrap();
        assert_exit(&output, 2);
        let said = text(&output);
        assert!(said.contains("began, in `train.label_smoothing`: ") && said.contains("start a new sweep"), "{said}");
    }
    assert!(!sweep.join("points/t001.toml").exists());
    // The best of it is still told.
    assert_exit(&best_of(&sweep), 0);

    // With the old one what is new runs; so it does in a folder of an older version.
    std::fs::write(&below, tiny()).unwrap();
    assert_exit(&resume(&sweep).output().unwrap(), 0);
    assert!(sweep.join("points/t001.toml").exists());
    std::fs::write(&below, tiny().replace("label_smoothing = 0.1", "label_smoothing = 0.2")).unwrap();
    std::fs::remove_file(sweep.join("base.toml")).unwrap();
    assert_exit(&resume(&sweep).output().unwrap(), 0);
}

#[test]
fn a_sweep_goes_on_with_the_alternatives_that_its_points_were_made_of() {
    let (work, file) = workplace();
    let part = work.path().join("smooth.toml");
    let smoothing = |of: &str| std::fs::write(&part, format!("# {of}\n[train]\nlabel_smoothing = {of}\n")).unwrap();
    std::fs::write(work.path().join("small.toml"), tiny()).unwrap();
    smoothing("0.2");
    let axes = "shape = { alternatives = ['smooth.toml'] }\nrate = { paths = ['phases[0].lr'], values = [0.01] }\n";
    std::fs::write(&file, format!("name = 'parts'\nbase = 'small.toml'\nseeds = [1]\n[axes]\n{axes}")).unwrap();
    let runs = work.path().join("runs");
    assert_exit(&begin(&file, &runs).output().unwrap(), 0);
    let sweep = only_run(&runs);
    let own = sweep.join("sweep.toml");
    let content = std::fs::read_to_string(&own).unwrap();
    let with = |plain: &str| {
        let end = "smooth.toml\"] }";
        assert!(content.contains(end), "{content}");
        let table = format!("{{ name = '{plain}', train = {{ label_smoothing = 0.05 }} }}");
        content.replace(end, &format!("smooth.toml\", {table}] }}"))
    };
    let refused = |name: &str, setting: &str, point: &str| {
        for options in [&["--dry-run"][..], &[]] {
            let output = resume(&sweep).args(options).output().unwrap();
            assert_exit(&output, 2);
            let said = text(&output);
            for words in [name, setting, point] {
                assert!(said.contains(words), "`{words}` is not in\n{said}");
            }
        }
    };

    // Its file has changed, before a further point is made.
    std::fs::write(&own, with("plain")).unwrap();
    smoothing("0.3");
    refused("`shape=smooth`, `rate=0.01` stands for has changed", ", in `train.label_smoothing`: ", "points/t000.toml");
    assert!(!sweep.join("points/t001.toml").exists());
    // With the old one, which may be written otherwise, that point runs.
    smoothing("0.20");
    assert_exit(&resume(&sweep).output().unwrap(), 0);
    assert!(sweep.join("points/t001.toml").exists());

    // The same of a table in the sweep file, and of what an axis sets.
    let changed = with("plain").replace("0.05", "0.06");
    std::fs::write(&own, &changed).unwrap();
    refused("`shape=plain`", "`train.label_smoothing`", "points/t001.toml");
    std::fs::write(&own, with("plain").replace("'phases[0].lr'", "'phases[0].lr', 'phases[1].lr.from'")).unwrap();
    refused("`rate=0.01`", "`phases[1].lr.from`", "points/t000.toml");
    // Another name is another point.
    std::fs::write(&own, changed.replace("'plain'", "'plainer'")).unwrap();
    assert_exit(&resume(&sweep).output().unwrap(), 0);
    assert_eq!(timeless(&sweep.join("trials.csv")).len(), 3);
}

#[test]
fn a_sweep_goes_on_with_the_metric_that_its_trials_were_judged_by() {
    let (work, file) = workplace();
    std::fs::write(work.path().join("small.toml"), tiny()).unwrap();
    std::fs::write(&file, SWEEP.replace("0.01, 1e30", "0.01").replace("[1, 2]", "[1]")).unwrap();
    let runs = work.path().join("runs");
    assert_exit(&begin(&file, &runs).output().unwrap(), 0);
    let sweep = only_run(&runs);
    let own = sweep.join("sweep.toml");
    let more = std::fs::read_to_string(&own).unwrap().replace("[0.01]", "[0.01, 0.02]");
    let trials = std::fs::read(sweep.join("trials.csv")).unwrap();
    std::fs::write(&own, format!("metric = \"val_loss\"\n{more}")).unwrap();
    for output in taken_up(&sweep) {
        assert_exit(&output, 2);
        let said = text(&output);
        assert!(said.contains("sweep.toml:1:10: error: `metric` has changed: "), "{said}");
        assert!(said.contains("put the old one back") && said.contains(" --metric val_loss` judges"), "{said}");
    }
    assert_eq!(std::fs::read(sweep.join("trials.csv")).unwrap(), trials);
    assert!(!sweep.join("points/t001.toml").exists() && !sweep.join("optuna-journal.log").exists());

    // With the old one what is new runs.
    std::fs::write(&own, more).unwrap();
    assert_exit(&resume(&sweep).output().unwrap(), 0);
    assert_eq!(timeless(&sweep.join("trials.csv")).len(), 2);
}

#[test]
fn a_sweep_goes_on_with_the_axes_that_its_trials_have() {
    let (work, _) = workplace();
    let sweep = recorded(work.path(), &["0,1,done,t000-s1,0.9,1,,0.01,,"]);
    let own = sweep.join("sweep.toml");
    let content = std::fs::read_to_string(&own).unwrap();
    std::fs::write(&own, format!("{content}'phases[0].momentum' = [0.9]\n")).unwrap();
    for output in taken_up(&sweep) {
        assert_exit(&output, 2);
        let said = text(&output);
        let words = "sweep.toml:5:2: error: the axes have changed: the trials that are there are of `phases[0].lr`\n";
        assert!(said.contains(words) && said.contains("start a new sweep"), "{said}");
    }
}

#[test]
fn a_sweep_of_which_all_diverge_is_no_success() {
    let (work, file) = workplace();
    std::fs::write(&file, SWEEP.replace("0.01, 1e30", "1e30")).unwrap();
    let runs = work.path().join("runs");
    let output = begin(&file, &runs).output().unwrap();
    assert_exit(&output, 5);
    let said = text(&output);
    assert!(said.contains("2 trials: 2 diverged\nno trial has a result; trials.csv says why\n"), "{said}");
    // It is the same for a sweep that has nothing left to run.
    assert_exit(&resume(&only_run(&runs)).output().unwrap(), 5);
    let best = best_of(&only_run(&runs));
    assert_exit(&best, 2);
    assert!(text(&best).contains("has a result: 2 diverged"), "{}", text(&best));
}

/// The other process may be in the middle of writing what would be read.
#[test]
fn a_sweep_is_not_read_while_another_process_runs_it() {
    let (work, file) = workplace();
    let sweep = work.path().join("sweep");
    std::fs::create_dir(&sweep).unwrap();
    let content = std::fs::read_to_string(&file).unwrap().replace("small.toml", "../small.toml");
    std::fs::write(sweep.join("sweep.toml"), content).unwrap();
    std::fs::write(sweep.join("trials.csv"), "not of this sweep\n").unwrap();
    let lock = std::fs::File::create(sweep.join("lock")).unwrap();
    lock.lock().unwrap();
    let output = resume(&sweep).output().unwrap();
    assert_exit(&output, 75);
    assert!(text(&output).contains("is being written by another process"), "{}", text(&output));
    drop(lock);
    let output = resume(&sweep).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("trials.csv:1"), "{}", text(&output));
}

#[test]
fn a_point_that_is_wrong_is_found_before_anything_runs() {
    let (work, file) = workplace();
    std::fs::write(&file, SWEEP.replace("1e30", "-1")).unwrap();
    let output = begin(&file, &work.path().join("runs")).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("out of range"), "{}", text(&output));
    assert!(!work.path().join("runs").exists());

    // All that is wrong, each at its value, and at which points.
    let more = "'phases[0].batch' = [128, 0]\n";
    std::fs::write(&file, format!("{}{more}", SWEEP.replace("1e30", "-1"))).unwrap();
    let output = begin(&file, &work.path().join("runs")).output().unwrap();
    assert_exit(&output, 2);
    let said = text(&output);
    for words in [
        "rates.toml:6:25: error: ",
        "help: that is at the point phases[0].lr=-1, phases[0].batch=128 and 1 more\n",
        "rates.toml:7:27: error: ",
        "help: that is at the point phases[0].lr=0.01, phases[0].batch=0 and 1 more\n",
        "2 errors in ",
    ] {
        assert!(said.contains(words), "`{words}` is not in\n{said}");
    }

    // Drawn values are others at each point, and wrong for one reason.
    let drawn = "name = 's'\nbase = 'small.toml'\nmethod = 'random'\npoints = 20\n[axes]\n'phases[0].lr' = ";
    std::fs::write(&file, format!("{drawn}{{ uniform = [-2, -1] }}\n")).unwrap();
    let output = begin(&file, &work.path().join("runs")).output().unwrap();
    assert_exit(&output, 2);
    let said = text(&output);
    assert!(said.contains("rates.toml:6:18: error: ") && said.contains("\n1 error in "), "{said}");
}

#[test]
#[cfg(unix)]
fn the_base_of_a_sweep_may_lie_in_the_home_folder() {
    let (work, file) = workplace();
    let home = work.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::rename(work.path().join("small.toml"), home.join("small.toml")).unwrap();
    std::fs::write(&file, SWEEP.replace("small.toml", "~/small.toml").replace("1e30", "-1")).unwrap();
    let output = begin(&file, &work.path().join("runs")).env("HOME", &home).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("out of range"), "the base was read: {}", text(&output));
    let output = begin(&file, &work.path().join("runs")).env("HOME", work.path()).output().unwrap();
    assert!(text(&output).contains("there is no file"), "{}", text(&output));
}

/// Proposals follow from results: with other numbers of jobs, and killed in between, the same points are tried.
#[test]
fn a_search_that_is_killed_comes_to_the_same_end() {
    let (work, file) = workplace();
    let base = "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n\
                [[phases]]\nsteps = 12\nbatch = 32\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n";
    std::fs::write(work.path().join("small.toml"), base).unwrap();
    let search = "name = 'search'\nbase = 'small.toml'\nmethod = 'tpe'\npoints = 7\nstartup = 3\nparallel = 2\nseeds = [1]\n\
                  constraints = ['phases[0].lr > 0.002']\n[axes]\n'phases[0].lr' = { log_uniform = [0.001, 0.1] }\n";
    std::fs::write(&file, search).unwrap();
    let (whole, torn) = (work.path().join("whole"), work.path().join("torn"));
    let output = begin(&file, &whole).output().unwrap();
    assert_exit(&output, 0);
    let said = text(&output);
    assert!(said.contains("[1/7]") && said.contains("[7/7]") && !said.contains("/3]"), "{said}");
    let trials = timeless(&only_run(&whole).join("trials.csv"));
    let rates: std::collections::BTreeSet<&String> = trials.iter().map(|row| &row[6]).collect();
    assert_eq!((trials.len(), rates.len()), (7, 7), "{trials:?}");
    assert!(trials.iter().all(|row| row[2] == "done" && row[6].parse::<f64>().unwrap() > 0.002), "{trials:?}");

    let mut command = runner();
    command.arg("sweep").arg(&file).args(["--jobs", "1", "--runs-dir"]).arg(&torn);
    let mut child = command.spawn().unwrap();
    let proposed = || {
        let table = torn.is_dir().then(|| only_run(&torn).join("trials.csv"));
        table.filter(|path| path.is_file()).map_or(0, |path| timeless(&path).len())
    };
    while proposed() < 5 {
        std::thread::sleep(Duration::from_millis(20));
        assert!(child.try_wait().unwrap().is_none(), "it came to its end before it was killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_exit(&resume(&only_run(&torn)).output().unwrap(), 0);
    assert_eq!(timeless(&only_run(&torn).join("trials.csv")), trials);
}

#[test]
fn a_length_is_fitted_until_points_cost_what_the_base_does() {
    let (_work, file) = workplace();
    let content = "name = 's'\nbase = 'small.toml'\nequal = { images = 'phases[1].epochs' }\n\
                   [axes]\n'phases[0].steps' = [5, 13, 20, 30]\n";
    std::fs::write(&file, content).unwrap();
    let sweep = sweep::load(&file).unwrap();
    let facts = runner::data::sets::make(&sweep.base().unwrap().spec.data.dataset).official().unwrap();
    let images = |loaded: &runner::config::Loaded| -> Option<f64> {
        let plan = Plan::compile(&loaded.spec, std::slice::from_ref(&facts)).ok()?;
        Some(plan.phases.iter().map(|phase| phase.images as f64).sum())
    };
    let target = images(&sweep.base().unwrap()).unwrap();
    for (first, fits) in [("5", true), ("13", true), ("20", true), ("30", false)] {
        let point = [first.to_owned()];
        let found = runner::sweep::fit::fitted(&sweep, sweep.equal.as_ref().unwrap(), &point, target, &images).unwrap();
        assert_eq!(found.is_some(), fits, "{first}");
        let cost = found.map_or(target, |loaded| images(&loaded).unwrap());
        assert!((cost - target).abs() <= 64.0, "{first}: {cost} images for {target}, with batches of 128");
    }
}

#[test]
fn a_sweep_that_prunes_comes_to_the_same_end() {
    let (work, file) = workplace();
    let base = "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n[train]\neval_every = '50step'\n\
                [[phases]]\nsteps = 1500\nbatch = 32\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n";
    std::fs::write(work.path().join("small.toml"), base).unwrap();
    let sweep = "name = 'pruned'\nbase = 'small.toml'\nparallel = 2\nprune = { rule = 'median', at = [0.1, 0.2], startup = 2 }\n\
                 [axes]\n'phases[0].lr' = [0.1, 0.2, 0.15, 1e-9, 2e-9, 0.12]\n";
    std::fs::write(&file, sweep).unwrap();
    let (whole, torn) = (work.path().join("whole"), work.path().join("torn"));
    assert_exit(&begin(&file, &whole).output().unwrap(), 0);
    let trials = timeless(&only_run(&whole).join("trials.csv"));
    assert!(trials[0][2] == "done" && trials[3][2] == "pruned" && trials[4][2] == "pruned", "{trials:?}");
    assert!(trials[3][5].starts_with("at 10 % of its steps: "), "{trials:?}");
    for run in ["t003-s0", "t004-s0"] {
        let info = std::fs::read(only_run(&whole).join(run).join("run.json")).unwrap();
        let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
        let early = info["steps_done"].as_u64().unwrap() < 1500;
        assert!(early && info["status"] == "interrupted", "it was given up, but trained on: {info}");
        let table = std::fs::read_to_string(only_run(&whole).join("trials.csv")).unwrap();
        let row = table.lines().find(|row| row.contains(run)).unwrap();
        assert!(row.split(',').nth(5).unwrap().parse::<f64>().unwrap() > 0.0, "what it cost is not on record: {row}");
    }

    let mut command = runner();
    command.arg("sweep").arg(&file).args(["--jobs", "1", "--runs-dir"]).arg(&torn);
    let mut child = command.spawn().unwrap();
    while !torn.is_dir() || !has_a_sweep(&torn) || !only_run(&torn).join("t003-s0/metrics.csv").is_file() {
        std::thread::sleep(Duration::from_millis(5));
        assert!(child.try_wait().unwrap().is_none(), "it came to its end before it was killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_exit(&resume(&only_run(&torn)).output().unwrap(), 0);
    assert_eq!(timeless(&only_run(&torn).join("trials.csv")), trials);
}

/// A sweep that was killed so many times, at any moment, and resumed until it came to its end.
fn killed_and_resumed(file: &Path, runs: &Path, times: usize) -> PathBuf {
    let mut child = begin(file, runs).spawn().unwrap();
    for _ in 0..times {
        while !runs.is_dir() || !has_a_sweep(runs) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(RandomState::new().build_hasher().finish() % 700));
        child.kill().unwrap();
        child.wait().unwrap();
        child = resume(&only_run(runs)).spawn().unwrap();
    }
    child.wait().unwrap();
    let sweep = only_run(runs);
    assert_exit(&resume(&sweep).output().unwrap(), 0);
    sweep
}

/// Four points: all have the first phase in common, two and two of them the second.
const ALIKE: &str = r#"
name = "alike"
base = "small.toml"
seeds = [1]
[axes]
"phases[1].lr.to" = [0.1, 0.08]
"phases[2].lr.from" = [0.1, 0.05]
"#;

/// The runs of two sweeps are the same: weights to the byte, and all rows but for what measures time.
#[track_caller]
fn assert_same_runs(sweep: &Path, other: &Path, runs: &[&str]) {
    for run in runs {
        let [mine, theirs] = [sweep, other].map(|sweep| sweep.join(run));
        for file in ["model.safetensors", "model-ema.safetensors", "experiment.toml", "plan.csv"] {
            let [mine, theirs] = [&mine, &theirs].map(|run| std::fs::read(run.join(file)).ok());
            assert!(mine.is_some() || file == "model-ema.safetensors", "{run}/{file} is not there");
            assert!(mine == theirs, "{run}/{file} differs");
        }
        for table in ["trace.csv", "metrics.csv"] {
            assert_eq!(timeless(&mine.join(table)), timeless(&theirs.join(table)), "{run}/{table}");
        }
    }
}

/// The rows of `trials.csv`, as far as they do not tell who trained what.
fn results(sweep: &Path) -> Vec<Vec<String>> {
    let mut rows = timeless(&sweep.join("trials.csv"));
    rows.iter_mut().for_each(|row| row.truncate(8));
    rows
}

/// The small experiment, made smaller.
fn tiny() -> String {
    SMALL.replace("steps = 81", "steps = 20").replace("size = 16", "size = 8").replace("size = 12", "size = 8")
}

#[test]
fn what_trials_have_in_common_is_trained_once_and_makes_no_difference() {
    let (work, file) = workplace();
    std::fs::write(work.path().join("small.toml"), format!("{}[record]\ntensorboard = true\n", tiny())).unwrap();
    let runs = ["t000-s1", "t001-s1", "t002-s1", "t003-s1"];
    std::fs::write(&file, format!("share = false\n{ALIKE}")).unwrap();
    let alone = work.path().join("alone");
    assert_exit(&begin(&file, &alone).output().unwrap(), 0);
    let alone = only_run(&alone);

    std::fs::write(&file, ALIKE).unwrap();
    let dry = begin(&file, &work.path().join("none")).arg("--dry-run").output().unwrap();
    assert!(text(&dry).contains("of beginnings that trials have in common"), "{}", text(&dry));
    let shared = work.path().join("shared");
    let output = begin(&file, &shared).output().unwrap();
    assert_exit(&output, 0);
    assert!(text(&output).contains("3 began where another trial had come to: 59 steps"), "{}", text(&output));
    let shared = only_run(&shared);
    assert_same_runs(&shared, &alone, &runs);
    assert_eq!(results(&shared), results(&alone));
    // Other programs are told of the beginning too: numbers in event files have the same lengths whatever they are.
    let events = |sweep: &Path, run: &str| -> u64 {
        let files = std::fs::read_dir(sweep.join(run)).unwrap().map(|entry| entry.unwrap());
        let files = files.filter(|file| file.file_name().to_string_lossy().starts_with("events."));
        files.map(|file| file.metadata().unwrap().len()).sum()
    };
    assert_eq!(runs.map(|run| events(&shared, run)), runs.map(|run| events(&alone, run)));

    // Phases of 13 and 10 steps.
    let saved = |sweep: &Path| -> Vec<String> {
        timeless(&sweep.join("trials.csv")).iter().map(|row| row.last().unwrap().clone()).collect()
    };
    assert_eq!(
        (saved(&alone), saved(&shared)),
        (vec![String::new(); 4], ["", "23", "13", "23"].map(Into::into).to_vec())
    );
    let head = |run: &str, rows: usize| -> Vec<String> {
        let trace = std::fs::read_to_string(shared.join(run).join("trace.csv")).unwrap();
        trace.lines().take(1 + rows).map(str::to_owned).collect()
    };
    assert_eq!((head("t001-s1", 23), head("t003-s1", 23)), (head("t000-s1", 23), head("t002-s1", 23)), "seconds too");
    let info: serde_json::Value =
        serde_json::from_slice(&std::fs::read(shared.join("t003-s1/run.json")).unwrap()).unwrap();
    let fork = &info["forked_from"];
    assert_eq!((&fork["run"], &fork["phase"], &fork["steps"]), (&"t002-s1".into(), &2.into(), &23.into()), "{info}");
    assert!(fork["seconds"].as_f64().unwrap() > 0.0 && info["seconds"]["train"].as_f64() > fork["seconds"].as_f64());

    // Killed ten times, at any moment: nothing is lost, and nothing is other.
    let torn = killed_and_resumed(&file, &work.path().join("torn"), 10);
    assert_same_runs(&torn, &alone, &runs);
    assert_eq!((results(&torn), saved(&torn)), (results(&alone), saved(&shared)));

    // More values: what was kept serves later points, too.
    let kept = shared.join("sweep.toml");
    let content = std::fs::read_to_string(&kept).unwrap().replace("[0.1, 0.05]", "[0.1, 0.05, 0.02]");
    std::fs::write(&kept, content).unwrap();
    assert_exit(&resume(&shared).output().unwrap(), 0);
    assert_eq!(saved(&shared), ["", "23", "13", "23", "23", "23"]);
}

/// Points of a search are not known beforehand: each keeps its state where others may leave it.
#[test]
fn a_search_trains_once_what_its_points_have_in_common() {
    let (work, file) = workplace();
    let base = "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n\
                [[phases]]\nsteps = 9\nbatch = 32\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n\
                [[phases]]\nsteps = 5\nlr = 0.1\n[[phases]]\nsteps = 4\nlr = 0.01\n";
    std::fs::write(work.path().join("small.toml"), base).unwrap();
    let search = "name = 'search'\nbase = 'small.toml'\nmethod = 'tpe'\npoints = 8\nstartup = 3\nparallel = 2\nseeds = [1]\n\
                  [axes]\n'phases[0].lr' = [0.1, 0.05]\n'phases[1].lr' = { log_uniform = [0.001, 0.1] }\n";
    std::fs::write(&file, format!("share = false\n{search}")).unwrap();
    let alone = work.path().join("alone");
    assert_exit(&begin(&file, &alone).output().unwrap(), 0);
    std::fs::write(&file, search).unwrap();
    let shared = work.path().join("shared");
    let output = begin(&file, &shared).output().unwrap();
    assert_exit(&output, 0);
    let torn = killed_and_resumed(&file, &work.path().join("torn"), 3);
    let [alone, shared] = [alone, shared].map(|runs| only_run(&runs));
    let names = std::array::from_fn::<String, 8, _>(|k| format!("t{k:03}-s1"));
    for sweep in [&shared, &torn] {
        assert_same_runs(sweep, &alone, &names.each_ref().map(String::as_str));
        assert_eq!(results(sweep), results(&alone));
    }
    let saved = |sweep: &Path| -> Vec<String> {
        timeless(&sweep.join("trials.csv")).iter().map(|row| row.last().unwrap().clone()).collect()
    };
    assert_eq!(saved(&torn), saved(&shared));
    // Two rates in the first phase: the first point with each trains it. The second phase is never twice the same.
    assert!(text(&output).contains("6 began where another trial had come to: 54 steps"), "{}", text(&output));
    let kept = |phase: usize| shared.join(format!("t000-s1/checkpoint/before-phase-{phase}")).is_dir();
    assert_eq!([1, 2].map(kept), [true, false]);
}

/// A beginning that is of another experiment is not taken, and the run says so.
#[test]
fn a_beginning_that_does_not_fit_is_trained_anew() {
    let (work, _) = workplace();
    let experiment = work.path().join("small.toml");
    std::fs::write(&experiment, tiny()).unwrap();
    let [first, second, third] = ["first", "second", "third"].map(|name| work.path().join(name));
    let train = |run: &Path, options: &[&str]| {
        let mut command = runner();
        command.args(["train", "--quiet", "--run-folder"]).arg(run).arg(&experiment).args(options);
        let output = command.output().unwrap();
        assert_exit(&output, 0);
        text(&output)
    };
    train(&first, &["--keep-prefix", "1"]);
    let kept = first.join("checkpoint/before-phase-1");
    let from = ["--prefix", kept.to_str().unwrap()];
    assert!(!train(&second, &[&["--set", "phases[2].lr=0.2"], &from[..]].concat()).contains("trained here"));
    let said = train(&third, &[&["--set", "phases[0].lr=0.2"], &from[..]].concat());
    let log = |run: &Path| std::fs::read_to_string(run.join("log.txt")).unwrap();
    assert!(log(&second).contains("the first 13 steps are those of first"), "{}", log(&second));
    let otherwise =
        "all steps are trained here: first begins otherwise: with other settings (phases[0].lr is 0.2, there ";
    assert!(log(&third).contains(otherwise), "{}", log(&third));
    // It takes as long as if nobody had asked for it: that is said though nothing else is.
    assert!(said.contains("all steps are trained here"), "{said}");
    assert_eq!(timeless(&third.join("trace.csv")).len(), 43);
}

/// A folder without a beginning, and a phase before which there is none, are mistakes: nothing is trained.
#[test]
fn a_beginning_that_is_not_there_is_refused() {
    let (work, _) = workplace();
    let experiment = work.path().join("small.toml");
    std::fs::write(&experiment, tiny()).unwrap();
    let [first, second] = ["first", "second"].map(|name| work.path().join(name));
    let train = |run: &Path, options: [&str; 2]| {
        let mut command = runner();
        command.args(["train", "--quiet", "--run-folder"]).arg(run).arg(&experiment).args(options);
        command.output().unwrap()
    };
    for phase in ["0", "7"] {
        let output = train(&first, ["--keep-prefix", phase]);
        assert_exit(&output, 2);
        assert!(text(&output).contains("there are phases 0 to 2: give one from 1 on"), "{}", text(&output));
    }
    assert!(!first.exists());
    assert_exit(&train(&first, ["--keep-prefix", "1"]), 0);
    for (from, help) in [
        (first.as_path(), "first/checkpoint/before-phase-1`: name that"),
        (work.path(), "that a run with `--keep-prefix PHASE` has kept"),
    ] {
        let output = train(&second, ["--prefix", from.to_str().unwrap()]);
        assert_exit(&output, 2);
        assert!(text(&output).contains(help), "{}", text(&output));
    }
    assert!(!second.exists());
}

/// The end of a training is the beginning of one with further phases, to the byte; what is done at an end alone stands in the way.
#[test]
fn a_longer_training_begins_with_the_end_of_a_shorter_one() {
    const SHORT: &str = r#"
name = "short"
[data]
dataset = "shapes"
augment = ["flip"]
[model]
backbone = { kind = "resnet9", width = 4 }
[train]
eval_every = "7step"
eval_phases = true
lookahead = { every = 4, at_epoch_end = true }
[record]
best = true
[[phases]]
epochs = 1
size = 8
batch = 500
optimizer = "sgd"
lr = { from = 0.05, to = 0.1 }
[[phases]]
epochs = 1
lr = { from = 0.1, to = 0.02, curve = "cosine" }
"#;
    let (work, _) = workplace();
    let [experiment, longer] = ["short.toml", "longer.toml"].map(|name| work.path().join(name));
    std::fs::write(&experiment, SHORT).unwrap();
    std::fs::write(&longer, "extends = \"short.toml\"\n[phases.2]\nepochs = 1\nlr = 0.01\n").unwrap();
    let [short, second, whole, other] = ["short", "second", "whole", "other"].map(|name| work.path().join(name));
    let train = |run: &Path, config: &Path, options: &[&str]| {
        let mut command = runner();
        command.args(["train", "--quiet", "--run-folder"]).arg(run).arg(config).args(options);
        command.output().unwrap()
    };
    for (set, words) in [
        ("train.eval_phases=false", "give `train.eval_phases = true`"),
        ("phases[1].epochs=0.7", "in the middle of an epoch"),
        ("train.lookahead.at_epoch_end=false", "lookahead's slow ones"),
    ] {
        let refused =
            train(&short, &experiment, &["--keep-prefix", "end", "--set", set, "--set", "train.lookahead.every=3"]);
        assert_exit(&refused, 2);
        assert!(text(&refused).contains(words) && !short.exists(), "{}", text(&refused));
    }
    assert_exit(&train(&short, &experiment, &["--keep-prefix", "1,end"]), 0);
    let kept = short.join("checkpoint/before-phase-2");
    assert!(kept.is_dir() && short.join("checkpoint/before-phase-1").is_dir());
    let from = ["--prefix", kept.to_str().unwrap()];
    assert_exit(&train(&second, &longer, &from), 0);
    assert_exit(&train(&whole, &longer, &[]), 0);
    let log = |run: &Path| std::fs::read_to_string(run.join("log.txt")).unwrap();
    assert!(log(&second).contains("the first 20 steps are those of short, which begins alike"), "{}", log(&second));
    for table in ["trace.csv", "metrics.csv"] {
        assert_eq!(timeless(&second.join(table)), timeless(&whole.join(table)), "{table}");
    }
    for name in ["model.safetensors", "model-best.safetensors"] {
        let [second, whole] = [&second, &whole].map(|run| std::fs::read(run.join(name)).unwrap());
        assert!(second == whole, "{name}");
    }
    let otherwise = [&from[..], &["--set", "phases[1].lr.to=0.03"]].concat();
    assert_exit(&train(&other, &longer, &otherwise), 0);
    assert!(log(&other).contains("(phases[1].lr.to is 0.03, there 0.02)"), "{}", log(&other));
}

/// Weights that are kept on the way are those of all steps, whoever took them.
#[test]
fn what_a_beginning_kept_of_its_weights_is_handed_on() {
    let (work, _) = workplace();
    let experiment = work.path().join("small.toml");
    // The last phase spoils what the first ones have learnt.
    let wild = tiny() + "[record]\nbest = true\nphases = true\n";
    std::fs::write(&experiment, wild).unwrap();
    let [first, second, whole] = ["first", "second", "whole"].map(|name| work.path().join(name));
    let train = |run: &Path, options: &[&str]| {
        let mut command = runner();
        command.args(["train", "--quiet", "--run-folder"]).arg(run).arg(&experiment).args(options);
        assert_exit(&command.output().unwrap(), 0);
    };
    train(&first, &["--keep-prefix", "2"]);
    let kept = first.join("checkpoint/before-phase-2");
    train(&second, &["--set", "phases[2].lr=8", "--prefix", kept.to_str().unwrap()]);
    train(&whole, &["--set", "phases[2].lr=8"]);
    for name in ["model-best.safetensors", "model-phase-0.safetensors", "model-phase-1.safetensors"] {
        let [second, whole] = [&second, &whole].map(|run| std::fs::read(run.join(name)).unwrap());
        assert!(second == whole, "{name}");
    }
}

/// What was kept is damaged: the run fails, and what its folder says is enough to go on, from its start.
#[test]
fn a_run_that_could_not_begin_is_taken_up_by_the_same_command() {
    let (work, _) = workplace();
    let experiment = work.path().join("small.toml");
    std::fs::write(&experiment, tiny()).unwrap();
    let [first, second] = ["first", "second"].map(|name| work.path().join(name));
    let train = |run: &Path, options: &[&str]| {
        let mut command = runner();
        command.args(["train", "--quiet", "--go-on", "--run-folder"]).arg(run).arg(&experiment).args(options);
        command.output().unwrap()
    };
    assert_exit(&train(&first, &["--keep-prefix", "1"]), 0);
    let kept = first.join("checkpoint/before-phase-1");
    let state = std::fs::read(kept.join("state.safetensors")).unwrap();
    std::fs::write(kept.join("state.safetensors"), &state[..state.len() / 2]).unwrap();
    assert_exit(&train(&second, &["--prefix", kept.to_str().unwrap()]), 1);
    let info: serde_json::Value = serde_json::from_slice(&std::fs::read(second.join("run.json")).unwrap()).unwrap();
    assert_eq!(info["status"], "failed", "{info}");
    // As a sweep says it once there is a record.
    assert_exit(&train(&second, &[]), 0);
    for table in ["trace.csv", "metrics.csv"] {
        assert_eq!(timeless(&second.join(table)), timeless(&first.join(table)), "{table}");
    }
    let model = |run: &Path| std::fs::read(run.join("model.safetensors")).unwrap();
    assert!(model(&second) == model(&first), "it has other weights");
}

//! The program from outside: exit codes, what is printed, what is left behind.

mod common;

use common::{SMALL, assert_exit, only_run, runner, text};
use std::path::Path;

fn write(dir: &Path, name: &str, content: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// [`SMALL`], shorter.
fn short() -> String {
    SMALL.replace("steps = 13", "steps = 3").replace("epochs = 0.25", "steps = 3").replace("steps = 81", "steps = 3")
}

#[test]
fn a_bad_file_is_exit_code_2_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let bad = SMALL.replace("nesterov", "nestorov").replace("batch = 96", "batch = 0");
    let config = write(dir.path(), "bad.toml", &bad);
    let output = runner().current_dir(dir.path()).arg("bad.toml").output().unwrap();
    assert_exit(&output, 2);
    let said = text(&output);
    for (words, column) in [("batch = 0", 9), ("nestorov", 29)] {
        let line = 1 + bad.lines().position(|line| line.contains(words)).unwrap();
        assert!(said.contains(&format!("bad.toml:{line}:{column}: error:")), "{said}");
    }
    assert!(said.contains("did you mean `nesterov`?") && said.contains("2 errors in bad.toml"), "{said}");
    assert!(!dir.path().join("runs").exists(), "nothing is made");
    let output = runner().arg("plan").arg(&config).output().unwrap();
    assert_exit(&output, 2);
}

#[test]
fn what_only_shows_when_parts_meet_has_its_place_too() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        (("size = 12", "size = 7"), "images of 7×7 are too small", "the smallest size that this net takes is 8"),
        (("steps = 81", "epochs = 0.001"), "a phase of no steps", "give more epochs"),
        (
            ("[[phases]]\nsteps = 13", "[[params]]\nmatch = \"layer7.*\"\nlr = 0.1\n\n[[phases]]\nsteps = 13"),
            "matches no parameter",
            "layer1.0.conv.weight",
        ),
        (("batch = 96", "batch = 5001"), "a batch of 5,001 from 5,000 training images", "1 to 5,000"),
    ];
    for ((old, new), problem, help) in cases {
        write(dir.path(), "small.toml", &SMALL.replace(old, new));
        let output = runner().current_dir(dir.path()).args(["plan", "small.toml"]).output().unwrap();
        assert_exit(&output, 2);
        let said = text(&output);
        assert!(said.contains("small.toml:") && said.contains(": error:"), "{said}");
        assert!(said.contains(problem) && said.contains(help), "{new}:\n{said}");
    }
}

#[test]
fn absent_data_is_exit_code_3_and_says_how_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", &short().replace("\"shapes\"", "\"cifar10\""));
    let output = runner().env("RUNNER_DATA", dir.path()).arg(&config).current_dir(dir.path()).output().unwrap();
    assert_exit(&output, 3);
    for words in ["cifar-10-batches-bin", "data.root=DIR", "RUNNER_DATA", "data.stand_in=shapes"] {
        assert!(text(&output).contains(words), "no {words} in {}", text(&output));
    }
    assert!(!dir.path().join("runs").exists(), "nothing is made");
}

#[test]
fn a_stand_in_is_said_loudly_and_in_every_record() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", &short().replace("\"shapes\"", "\"cifar10\"\nstand_in = \"shapes\""));
    let runs = dir.path().join("runs");
    let output = runner().env("RUNNER_DATA", dir.path()).arg(&config).arg("--runs-dir").arg(&runs).output().unwrap();
    assert_exit(&output, 0);
    let loud = "`cifar10` IS NOT USED";
    assert!(text(&output).contains(loud) && text(&output).contains("NOTICE"), "{}", text(&output));
    let run = only_run(&runs);
    let info = runner::record::reader::RunReader::open(&run).unwrap().info().unwrap();
    assert_eq!((info.dataset.name.as_str(), info.dataset.stand_in), ("shapes", true));
    assert_eq!(info.dataset.stands_in_for.as_deref(), Some("cifar10"));
    assert!(std::fs::read_to_string(run.join("log.txt")).unwrap().contains(loud));
    assert!(std::fs::read_to_string(run.join("experiment.toml")).unwrap().contains("dataset = \"shapes\""));
}

#[test]
fn damaged_data_is_exit_code_3_even_where_a_set_could_stand_in() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", &short().replace("\"shapes\"", "\"cifar10\"\nstand_in = \"shapes\""));
    let root = dir.path().join("data");
    std::fs::create_dir_all(root.join("cifar-10-batches-bin")).unwrap();
    std::fs::write(root.join("cifar-10-batches-bin/data_batch_1.bin"), [0; 3073]).unwrap();
    let root = format!("data.root={:?}", root.to_str().unwrap());
    let output = runner().arg(&config).args(["--set", &root]).current_dir(dir.path()).output().unwrap();
    assert_exit(&output, 3);
    let said = text(&output);
    assert!(said.contains("data_batch_") && said.contains("help:"), "{said}");
    assert!(!dir.path().join("runs").exists(), "nothing is made");
}

#[test]
fn a_plan_is_told_to_programs_with_all_that_moves() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/schedules/across-phases.toml");
    let output = runner().arg("plan").arg(&file).args(["--json", "--set", "train.eval_size=32"]).output().unwrap();
    assert_exit(&output, 0);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&plan["name"], &plan["steps"], &plan["evaluations"]),
        (&"across-phases".into(), &300.into(), &3.into())
    );
    assert_eq!(plan["datasets"][0]["train_images"], 5000);
    assert_eq!(plan["settings"]["phases[1].lr.across_phases"], true);
    let phases = plan["phases"].as_array().unwrap();
    assert_eq!(phases.len(), 4);
    assert_eq!((&phases[3]["first_step"], &phases[3]["eval_size"]), (&200.into(), &32.into()));
    assert_eq!(phases[0]["lr"], serde_json::json!({ "from": 0.01, "to": 0.2, "curve": "linear" }));
    for (before, after) in phases[1..].iter().zip(&phases[2..]) {
        assert_eq!(before["lr"]["to"], after["lr"]["from"]);
        assert_eq!(
            (&after["lr"]["over_phases"], &after["lr"]["curve"]),
            (&serde_json::json!([1, 3]), &"cosine".into())
        );
    }
    assert_eq!((&phases[0]["beta"], &phases[3]["lr"]["to"]), (&serde_json::Value::Null, &0.0.into()));
}

/// What optimizers use of beta, bounds on gradients, and decays that are another from phase to phase, on a device too.
#[test]
fn what_a_plan_says_of_each_step_is_what_optimizers_apply() {
    let content = "name = 'all'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = { resnet9 = 4 }\n\
                   [train]\neval_every = '9step'\neval_phases = true\n\
                   [[params]]\nrole = 'norm'\nweight_decay = 0.0\nmomentum = { from = 0.5, to = 0.9 }\n\
                   [[phases]]\nsteps = 4\nbatch = 10\nsize = 8\noptimizer = 'adamw'\nlr = 0.01\n\
                   beta = { from = 0.9, to = 0.99 }\nclip_norm = { from = 2.0, to = 1.0 }\nweight_decay_groups = { head = 0.1 }\n\
                   [[phases]]\nsteps = 3\noptimizer = 'sgd'\nlr = 0.01\nweight_decay_groups = { head = 0.0 }\n\
                   [[phases]]\nsteps = 3\noptimizer = { kind = 'lion', beta2 = 0.8 }\nlr = 0.001\n";
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "all.toml", content);
    let planned = runner().arg("plan").arg(&config).args(["--trace", "-"]).output().unwrap();
    assert_exit(&planned, 0);
    let planned = String::from_utf8(planned.stdout).unwrap();
    let header = "clip_norm,beta,weight_decay.head,weight_decay.norm,momentum.norm";
    assert!(planned.lines().next().unwrap().ends_with(header), "{planned}");
    for device in ["cpu", "emulated"] {
        let runs = dir.path().join(device);
        let output =
            runner().arg(&config).arg("--runs-dir").arg(&runs).args(["--quiet", "--device", device]).output().unwrap();
        assert_exit(&output, 0);
        let trained = std::fs::read_to_string(only_run(&runs).join("trace.csv")).unwrap();
        assert_eq!(planned.lines().count(), trained.lines().count());
        for (planned, trained) in planned.lines().zip(trained.lines()) {
            let (planned, trained) = (planned.split(',').collect::<Vec<_>>(), trained.split(',').collect::<Vec<_>>());
            assert_eq!((&planned[..9], &planned[9..]), (&trained[..9], &trained[12..trained.len() - 1]), "{device}");
        }
    }
}

#[test]
fn the_trace_of_the_plan_is_the_trace_of_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", SMALL);
    let runs = dir.path().join("runs");
    let output = runner().arg(&config).arg("--runs-dir").arg(&runs).arg("--quiet").output().unwrap();
    assert_exit(&output, 0);
    let run = only_run(&runs);
    let planned = runner().arg("plan").arg(&config).args(["--trace", "-"]).output().unwrap();
    assert_exit(&planned, 0);
    let planned = String::from_utf8(planned.stdout).unwrap();
    let trained = std::fs::read_to_string(run.join("trace.csv")).unwrap();
    assert_eq!(planned.lines().count(), trained.lines().count());
    // Before what is measured stands what all runs have, behind it what rules and groups have of their own.
    for (planned, trained) in planned.lines().zip(trained.lines()) {
        let (planned, trained) = (planned.split(',').collect::<Vec<_>>(), trained.split(',').collect::<Vec<_>>());
        assert_eq!(planned[..9], trained[..9]);
        assert_eq!(planned[9..], trained[12..]);
    }
    let rules = ",weight_decay,lr.conv,lr.stem.*.norm.*,lr.norm,";
    let groups = "lr.head,lr.layer1.conv,lr.layer2.conv,lr.layer1.norm,lr.layer2.norm";
    let own = ",lookahead_decay,weight_decay.norm,weight_decay.layer2.norm,momentum.conv,momentum.layer2.conv";
    let columns = planned.lines().next().unwrap();
    assert!(columns.ends_with(&format!("{rules}{groups}{own}")), "{columns}");
    let rate = |name: &str, step: usize| {
        let place = columns.split(',').position(|column| column == name).unwrap();
        planned.lines().nth(1 + step).unwrap().split(',').nth(place).unwrap().parse::<f64>().unwrap()
    };
    assert!(rate("lr.stem.*.norm.*", 29) > 0.0, "trained until step 30");
    assert!((30..104).all(|step| rate("lr.stem.*.norm.*", step) == 0.0), "and frozen from there on");
    assert!(
        (0..104).all(|step| (rate("lr.layer2.conv", step) == 0.0) == (13..23).contains(&step)),
        "the second phase's"
    );
    let phases = runner().arg("plan").arg(&config).args(["--csv", "-"]).output().unwrap();
    assert_eq!(phases.stdout, std::fs::read(run.join("plan.csv")).unwrap());
    for file in
        ["experiment.toml", "run.json", "metrics.csv", "model.safetensors", "schedule.svg", "curves.svg", "log.txt"]
    {
        assert!(run.join(file).metadata().unwrap().len() > 0, "{file}");
    }
}

#[test]
fn pictures_are_drawn_before_training() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", SMALL);
    for (name, begins) in [("s.svg", &b"<svg"[..]), ("s.png", &b"\x89PNG"[..])] {
        let to = dir.path().join(name);
        let output = runner().arg("plan").arg(&config).arg("--plot").arg(&to).output().unwrap();
        assert_exit(&output, 0);
        let bytes = std::fs::read(&to).unwrap();
        assert!(bytes.windows(begins.len()).take(200).any(|window| window == begins), "{name}");
        assert!(text(&output).contains("rmsprop"), "{}", text(&output));
    }
    let output = runner().arg("plan").arg(&config).args(["--plot", "s.gif"]).output().unwrap();
    assert_exit(&output, 2);
}

/// A picture of a plan over what is asked for; the decay of lookahead, which moves here, has a panel.
#[test]
fn plans_are_drawn_over_steps_epochs_or_images() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", SMALL);
    let draw = |args: &[&str]| {
        let to = dir.path().join("s.svg");
        let output = runner().arg("plan").arg(&config).arg("--plot").arg(&to).args(args).output().unwrap();
        assert_exit(&output, 0);
        std::fs::read_to_string(&to).unwrap()
    };
    let plain = draw(&[]);
    assert!(plain.contains(">lookahead's decay</text>"));
    assert_eq!(draw(&["--across", "steps"]), plain);
    for (across, above, below) in
        [("steps", "step", "epoch"), ("epochs", "epoch", "step"), ("images", "images", "step")]
    {
        let picture = draw(&["--across", across]);
        let place = |ruler: &str| picture.find(&format!(">{ruler}</text>"));
        assert!(place(above).is_some() && place(above) < place(below), "{across}");
    }
    let log = draw(&["--log", "--across", "epochs"]);
    assert!(log.contains(">learning rate, log scale</text>") && !plain.contains("log scale"));
    for (args, said) in [
        (&["--across", "epochs"][..], "--plot"),
        (&["--log"][..], "--plot"),
        (&["--plot", "s.svg", "--across", "seconds"][..], "images"),
    ] {
        let output = runner().current_dir(dir.path()).args(["plan", "small.toml"]).args(args).output().unwrap();
        assert_exit(&output, 2);
        assert!(text(&output).contains(said), "{}", text(&output));
    }
}

#[test]
fn divergence_is_exit_code_4_and_keeps_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(
        dir.path(),
        "wild.toml",
        &short().replace("lr = { from = 1e-3, to = 2e-3, curve = \"linear\" }", "lr = 1e30"),
    );
    let runs = dir.path().join("runs");
    let output = runner().arg(&config).arg("--runs-dir").arg(&runs).output().unwrap();
    assert_exit(&output, 4);
    let run = only_run(&runs);
    let info = runner::record::reader::RunReader::open(&run).unwrap();
    assert_eq!(info.info().unwrap().status, runner::record::Status::Diverged);
    assert!(info.info().unwrap().exit_reason.unwrap().contains("not finite at step"));
    let trace = info.trace().unwrap().rows;
    assert!(!trace.is_empty() && trace.len() < 9, "{} rows", trace.len());
}

#[test]
fn a_place_that_cannot_be_written_is_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", &short());
    let blocked = write(dir.path(), "blocked", "");
    let output = runner().arg(&config).arg("--runs-dir").arg(&blocked).output().unwrap();
    assert_exit(&output, 1);
    assert!(text(&output).contains("blocked") && text(&output).contains("--runs-dir"), "{}", text(&output));
}

#[test]
fn a_bad_instruction_set_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", &short());
    let output = runner().env("RUNNER_ISA", "sse9").arg(&config).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("portable, avx2, avx512 or avx512bf16"), "{}", text(&output));
}

/// [`short`] with rates at which small differences stay small.
fn calm() -> String {
    short()
        .replace("from = 1e-3, to = 2e-3", "from = 1e-5, to = 2e-5")
        .replace("from = 0.05, to = 0.1", "from = 1e-3, to = 2e-3")
        .replace("from = 0.04, to = 0.01", "from = 4e-4, to = 1e-4")
        .replace("{ from = 0.1, curve", "{ from = 1e-3, curve")
}

/// The losses of a run with those words behind the command.
fn losses(config: &Path, runs: &Path, isa: &str, words: &[&str]) -> Vec<f64> {
    let output =
        runner().env("RUNNER_ISA", isa).arg(config).args(words).arg("--json").arg("--runs-dir").arg(runs).output();
    let output = output.unwrap();
    assert_exit(&output, 0);
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let run = runner::record::reader::RunReader::open(&only_run(runs)).unwrap();
    assert_eq!(run.info().unwrap().instruction_set, isa);
    run.trace().unwrap().rows.iter().map(|row| row.loss).collect()
}

#[test]
fn every_instruction_set_precision_and_algorithm_trains() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", &calm());
    let losses = |isa: &str, setting: &str| {
        losses(&config, &dir.path().join(format!("{isa}-{setting}")), isa, &["--set", &format!("train.{setting}")])
    };
    let portable = losses("portable", "precision=f32");
    for isa in runner::kernels::Isa::available() {
        let plain = if isa.name() == "portable" { portable.clone() } else { losses(isa.name(), "precision=f32") };
        for (a, b) in plain.iter().zip(&portable) {
            assert!((a - b).abs() < 1e-3, "{isa}: {a} against portable's {b}");
        }
        for (a, b) in losses(isa.name(), "precision=bf16").iter().zip(&portable) {
            assert!((a - b).abs() < 0.05, "{isa} in bf16: {a} against f32's {b}");
        }
        for (a, b) in losses(isa.name(), "precision=f16").iter().zip(&portable) {
            assert!((a - b).abs() < 0.01, "{isa} in f16: {a} against f32's {b}");
        }
    }
    let isa = runner::kernels::Isa::detect().unwrap().name();
    let (fastest, direct) = (losses(isa, "winograd=true"), losses(isa, "winograd=false"));
    assert_ne!(fastest, direct, "the sums are others");
    for (a, b) in fastest.iter().zip(&direct) {
        assert!((a - b).abs() < 1e-3, "{a} by Winograd's algorithm, {b} directly");
    }
}

/// The cells of a table but for those of the clock.
fn timeless(table: &str) -> Vec<Vec<String>> {
    let header: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    let cells = |row: &str| {
        let timeless = row.split(',').zip(&header).filter(|(_, name)| !name.contains("seconds"));
        timeless.map(|(cell, _)| cell.to_owned()).collect()
    };
    table.lines().map(cells).collect()
}

#[test]
fn one_two_and_more_threads_leave_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", &short());
    let left = |precision: &str, threads: &str| {
        let runs = dir.path().join(format!("{precision}-{threads}"));
        let setting = format!("train.precision={precision}");
        let words = ["--quiet", "--set", &setting, "--threads", threads, "--runs-dir"];
        assert_exit(&runner().arg(&config).args(words).arg(&runs).output().unwrap(), 0);
        let run = only_run(&runs);
        let rows = ["metrics.csv", "trace.csv"].map(|file| std::fs::read_to_string(run.join(file)).unwrap());
        let rows = rows.map(|table| timeless(&table));
        (std::fs::read(run.join("model.safetensors")).unwrap(), rows)
    };
    for precision in ["f32", "bf16"] {
        let (model, rows) = left(precision, "1");
        for threads in ["2", "3", "5"] {
            let (other, others) = left(precision, threads);
            assert_eq!(others, rows, "{precision}, {threads} threads");
            assert!(other == model, "{precision}, {threads} threads: other weights");
        }
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    let output = runner().arg("--help").output().unwrap();
    assert_exit(&output, 0);
    assert!(text(&output).contains("runner configs/dawnbench.toml") && text(&output).contains("75"));
    for command in ["train", "plan", "eval", "plot"] {
        let output = runner().args([command, "--help"]).output().unwrap();
        assert_exit(&output, 0);
        assert!(text(&output).contains(&format!("Examples:\n  runner {command} ")), "{}", text(&output));
        assert!(text(&output).lines().all(|line| line.chars().count() <= 100), "{}", text(&output));
    }
    // Without arguments: the short help, and no success.
    for arguments in [&[][..], &["train"], &["eval"], &["plot"]] {
        let output = runner().args(arguments).output().unwrap();
        assert_exit(&output, 2);
        assert!(text(&output).contains("Usage: runner") && text(&output).contains("Examples:"), "{}", text(&output));
    }
}

#[test]
fn help_is_broken_where_a_line_is_full() {
    let commands: [&[&str]; 18] = [
        &["train"],
        &["plan"],
        &["sweep"],
        &["compare"],
        &["plot"],
        &["model"],
        &["list"],
        &["find-lr"],
        &["eval"],
        &["bench"],
        &["data", "pack"],
        &["data", "info"],
        &["data", "fetch"],
        &["export"],
        &["export", "dawnbench"],
        &["export", "optuna"],
        &["serve"],
        &["schema"],
    ];
    for command in commands {
        let output = runner().args(command).arg("--help").env("COLUMNS", "100").output().unwrap();
        assert_exit(&output, 0);
        let said = text(&output);
        let lines: Vec<&str> = said.lines().collect();
        for pair in lines.windows(2) {
            let ends = pair[0].ends_with(['.', ':', ';']) || pair[0].is_empty();
            if ends || pair.iter().any(|line| line.starts_with(' ')) {
                continue;
            }
            let Some(next) = pair[1].split(' ').next().filter(|word| !word.is_empty()) else { continue };
            let full = pair[0].chars().count() + 1 + next.chars().count() > 100;
            assert!(full, "{command:?}: a line ends in the middle of a sentence: {pair:?}");
        }
    }
}

#[test]
fn paths_that_are_not_there_are_answered_with_what_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    let configs = dir.path().join("configs");
    std::fs::create_dir(&configs).unwrap();
    write(&configs, "small.toml", &short());
    let run = dir.path().join("runs/20260131T235959Z-small-00aa");
    std::fs::create_dir_all(&run).unwrap();
    write(&run, "run.json", "{}");
    for name in ["dawn", "dawn-factored"] {
        let run = dir.path().join("runs").join(name);
        std::fs::create_dir_all(&run).unwrap();
        write(&run, "run.json", "{}");
    }
    let cases: [(&[&str], &[&str]); 12] = [
        (&["configs/small"], &["there is no file configs/small", "did you mean configs/small.toml?"]),
        (&["plan", "smal.toml"], &["did you mean configs/small.toml?"]),
        (&["configs/small.tml"], &["did you mean configs/small.toml?"]),
        (&["configs/smalll.toml"], &["did you mean configs/small.toml?"]),
        (&["train", "configs"], &["is a folder", "it holds configs/small.toml"]),
        (&["train", "runs/20260131T235959Z-small-00aa"], &["is a run folder", "--resume runs/", "runner eval runs/"]),
        (&["train", "--resume", "runs/small"], &["did you mean runs/20260131T235959Z-small-00aa?"]),
        (&["eval", "dawn"], &["there is no folder dawn", "did you mean runs/dawn?"]),
        (&["eval", "fact"], &["did you mean runs/dawn-factored?"]),
        // No run's name has it, only the folder's.
        (&["eval", "ru"], &["there is no folder ru", "name a folder that `runner train` made"]),
        (&["nothing-like-it"], &["there is no file nothing-like-it", "runner --help"]),
        (&["evl"], &["there is no file evl", "did you mean the command `runner eval`?"]),
    ];
    for (arguments, words) in cases {
        let output = runner().current_dir(dir.path()).args(arguments).output().unwrap();
        assert_exit(&output, 2);
        words.iter().for_each(|word| assert!(text(&output).contains(word), "no {word} in {}", text(&output)));
    }
}

#[test]
fn bench_measures_steps_of_any_net() {
    let small = ["--batch", "4", "--size", "16", "--steps", "2", "--threads", "1"];
    let bench = |more: &[&str]| runner().arg("bench").args(small).args(more).output().unwrap();
    let output = bench(&["--json", "--set", "model.backbone.width=2", "--precision", "bf16"]);
    assert_exit(&output, 0);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let rates = ["images_per_second", "images_per_second_min", "images_per_second_max"];
    let want = [
        &[
            "net",
            "data",
            "precision",
            "batch",
            "size",
            "device",
            "device_name",
            "device_versions",
            "threads",
            "instruction_set",
        ][..],
        &rates,
        &["percent_of_peak", "peak_memory_mib", "device_memory_mib", "recorded_steps", "waiting_seconds"],
    ];
    assert_eq!(keys, want.concat());
    assert_eq!((&json["net"], &json["precision"], &json["batch"]), (&"resnet9".into(), &"bf16".into(), &4.into()));
    let number = |key: &str| json[key].as_f64().unwrap();
    assert!(number("percent_of_peak") > 0.0 && json["device"] == "cpu");
    assert!(
        ["device_name", "device_versions", "device_memory_mib", "data", "waiting_seconds"]
            .iter()
            .all(|key| json[key].is_null()),
        "{json}"
    );
    assert!(0.0 < number(rates[1]) && number(rates[1]) <= number(rates[0]) && number(rates[0]) <= number(rates[2]));

    let output = bench(&["--net", "airbench94", "--set", "model.backbone.widths=[4]", "--by-layer"]);
    assert_exit(&output, 0);
    let said = text(&output);
    for words in
        ["net=airbench94 precision=f32 batch=4 size=16: median ", "% of the peak", "whiten → airbench94 → max-pool"]
    {
        assert!(said.contains(words), "no {words} in\n{said}");
    }
    let row =
        |name: &str| said.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in\n{said}"));
    assert!(row("stem.conv").contains("conv 2×2, frozen") && row("total").contains("100.0 %"), "{said}");

    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", SMALL);
    let output = bench(&["--config", config.to_str().unwrap()]);
    assert_exit(&output, 0);
    assert!(text(&output).contains("net=small precision=f32"), "{}", text(&output));
    let output = runner().args(["bench", "--size", "3"]).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("the net takes no images of 3×3"), "{}", text(&output));
}

#[test]
fn bench_takes_steps_on_batches_that_are_made_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "small.toml", SMALL);
    let config = config.to_str().unwrap();
    let bench = |more: &[&str]| {
        runner().args(["bench", "--data", config, "--batch", "4", "--steps", "2"]).args(more).output().unwrap()
    };
    let net = ["--net", "resnet9", "--set", "model.backbone.width=2"];
    let output = bench(&[&net[..], &["--json"]].concat());
    assert_exit(&output, 0);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["net"], &json["data"], &json["batch"]), (&"resnet9".into(), &"shapes".into(), &4.into()));
    let number = |key: &str| json[key].as_f64().unwrap();
    assert!(number("images_per_second_min") <= number("images_per_second"), "{json}");
    assert!(number("images_per_second") <= number("images_per_second_max"), "{json}");
    assert!(number("waiting_seconds") >= 0.0, "{json}");
    // The net's own data are not looked at.
    let absent = SMALL.replace("dataset = \"shapes\"", "dataset = \"folder\"");
    assert_ne!(absent, SMALL);
    let net_of = write(dir.path(), "absent.toml", &absent);
    let output = bench(&["--config", net_of.to_str().unwrap(), "--set", "data.augment=['flip']", "--by-layer"]);
    assert_exit(&output, 0);
    for words in ["data=shapes precision=f32 batch=4", "s for images", "images: waiting for them"] {
        assert!(text(&output).contains(words), "no {words} in {}", text(&output));
    }

    let output = bench(&[&net[..], &["--set", "model.classes=3"]].concat());
    assert_exit(&output, 2);
    assert!(text(&output).contains("the net tells 3 classes apart, and `shapes` has 10"), "{}", text(&output));
    for option in [&["--by-layer"][..], &["--precision", "bf16"], &["--device", "cpu"]] {
        let output = bench(option);
        assert_exit(&output, 2);
        assert!(text(&output).contains("means nothing without a net"), "{}", text(&output));
    }
}

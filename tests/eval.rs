//! `runner eval`: the figures of the run come out again, and what cannot be evaluated is said.

mod common;

use common::{assert_exit, only_run, photographs, runner, text};
use runner::record::confusion::ClassRow;
use runner::record::predictions::PredictionRow;
use runner::record::reader::RunReader;
use std::path::{Path, PathBuf};

/// Two sizes, so that the one to evaluate at has to be chosen; 20 steps.
const TINY: &str = r#"
name = "tiny"
[data]
dataset = "shapes"
[model]
backbone = { kind = "resnet9", width = 4 }
[train]
eval_batch = 300
checkpoint_every = "6step"
[[phases]]
steps = 12
size = 8
batch = 50
optimizer = "sgd"
lr = 0.1
[[phases]]
steps = 8
size = 12
lr = 0.05
"#;

fn train(dir: &Path, sets: &[&str]) -> PathBuf {
    let config = dir.join("tiny.toml");
    std::fs::write(&config, TINY).unwrap();
    let runs = dir.join("runs");
    let mut command = runner();
    command.arg(&config).arg("--quiet").arg("--runs-dir").arg(&runs);
    command.args(sets.iter().flat_map(|set| ["--set", *set]));
    let output = command.output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", text(&output));
    only_run(&runs)
}

fn eval(run: &Path, args: &[&str]) -> std::process::Output {
    runner().arg("eval").arg(run).args(args).output().unwrap()
}

fn json(output: &std::process::Output) -> serde_json::Value {
    assert_exit(output, 0);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}\n{}", text(output)))
}

#[test]
fn the_last_row_of_the_run_comes_out_again_to_the_bit() {
    for precision in ["f32", "bf16"] {
        let dir = tempfile::tempdir().unwrap();
        let run = train(dir.path(), &[&format!("train.precision={precision}")]);
        let last = RunReader::open(&run).unwrap().metrics().unwrap().rows.pop().unwrap();
        for threads in ["1", "2"] {
            let found = json(&eval(&run, &["--json", "--threads", threads]));
            for (key, value) in
                [("val_loss", last.val_loss), ("val_acc", last.val_acc), ("val_acc_top5", last.val_acc_top5)]
            {
                assert_eq!(found[key].as_f64().unwrap().to_bits(), value.to_bits(), "{precision}: {key}");
            }
            assert_eq!((found["size"].as_u64(), found["step"].as_u64()), (Some(12), Some(20)));
            assert_eq!(found["same_data"], true);
        }
        let other = json(&eval(&run, &["--json", "--size", "16"]));
        assert_eq!(other["size"], 16);
        assert_ne!(other["val_loss"].as_f64(), Some(last.val_loss));
    }
}

#[test]
fn images_are_normalised_as_a_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let output = runner().args(["data", "info", "shapes", "--json"]).output().unwrap();
    let info = json(&output);
    let last = |name: &str, sets: &[&str]| {
        let dir = dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        let run = train(&dir, sets);
        let row = RunReader::open(&run).unwrap().metrics().unwrap().rows.pop().unwrap();
        (run, row.val_loss)
    };
    let (_, own) = last("own", &[]);
    // The set's own, by hand: the same training, to the bit.
    let [mean, deviation] = ["mean", "deviation"].map(|key| format!("data.{key}={}", info[key]));
    assert_eq!(last("by-hand", &[&mean, &deviation]).1.to_bits(), own.to_bits());
    let imagenet = ["data.mean=[0.485, 0.456, 0.406]", "data.deviation=[0.229, 0.224, 0.225]"];
    let (run, other) = last("imagenet", &imagenet);
    assert_ne!(other.to_bits(), own.to_bits());
    // And it is evaluated by what it was trained with.
    let found = json(&eval(&run, &["--json"]));
    assert_eq!(found["val_loss"].as_f64().unwrap().to_bits(), other.to_bits(), "{found}");
    let device = |name: &str, sets: &[&str]| {
        let dir = dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        let config = dir.join("tiny.toml");
        std::fs::write(&config, TINY).unwrap();
        let mut command = runner();
        command.args(["train", "--quiet", "--device", "emulated", "--runs-dir"]).arg(dir.join("runs")).arg(&config);
        command.args(sets.iter().flat_map(|set| ["--set", *set])).args(["--set", "phases[0].steps=3"]);
        command.args(["--set", "phases[1].steps=2"]);
        assert_exit(&command.output().unwrap(), 0);
        RunReader::open(&only_run(&dir.join("runs"))).unwrap().metrics().unwrap().rows.pop().unwrap().val_loss
    };
    let short = ["phases[0].steps=3", "phases[1].steps=2"];
    let host = last("host", &[&imagenet[..], &short].concat()).1;
    let emulated = device("emulated", &imagenet);
    assert!((host - emulated).abs() < 1e-3 * host, "{host} {emulated}");
}

#[test]
fn averaged_weights_are_a_model_of_their_own() {
    for average in ["{ kind = 'ema', decay = 0.8 }", "{ kind = 'swa', start = '12step', every = '4step' }"] {
        let dir = tempfile::tempdir().unwrap();
        let sets = [&format!("train.average={average}"), "train.tta='mirror'", "train.eval_every='5step'"];
        let run = train(dir.path(), &sets);
        let rows = RunReader::open(&run).unwrap().metrics().unwrap().rows;
        let kind = if average.contains("ema") { "ema" } else { "swa" };
        let filled = rows.iter().filter(|row| row.val_acc_avg.is_some()).count();
        assert_eq!(filled, if kind == "ema" { 4 } else { 2 }, "from its first update on: {rows:?}");
        let last = rows.last().unwrap();
        for (level, acc) in [("none", last.val_acc_avg), ("mirror", last.val_acc_avg_tta)] {
            let found = json(&eval(&run, &["--json", "--average", "--tta", level]));
            assert_eq!((found["average"].as_str(), found["val_acc"].as_f64()), (Some(kind), acc), "{level}");
            assert!(level != "none" || found["val_loss"].as_f64() == last.val_loss_avg, "{kind}");
            assert_ne!(found["val_loss"].as_f64(), Some(last.val_loss));
        }
        let score = RunReader::open(&run).unwrap().info().unwrap().last.unwrap();
        assert_eq!((score.val_acc_avg, score.val_loss_avg), (last.val_acc_avg, last.val_loss_avg));
        let table = text(&eval(&run, &["--average"]));
        assert!(table.contains(&format!("averaged: {kind}")), "{table}");
        std::fs::remove_file(run.join(format!("model-{kind}.safetensors"))).unwrap();
        let gone = eval(&run, &["--average"]);
        assert_exit(&gone, 2);
        assert!(text(&gone).contains("before weights were averaged, or the file was removed"), "{}", text(&gone));
    }
    let dir = tempfile::tempdir().unwrap();
    let none = eval(&train(dir.path(), &[]), &["--average"]);
    assert_exit(&none, 2);
    assert!(text(&none).contains("kept no averaged weights"), "{}", text(&none));
}

#[test]
fn slow_weights_are_a_model_of_their_own() {
    let slow = ["train.lookahead={ every = 3, decay = 0.8 }", "train.average='lookahead'", "train.eval_every='5step'"];
    let dir = tempfile::tempdir().unwrap();
    let run = train(dir.path(), &slow);
    let rows = RunReader::open(&run).unwrap().metrics().unwrap().rows;
    assert_eq!(rows.len(), 4);
    for row in &rows {
        // After 15 steps they were just mixed, and at the end the trained ones have become them.
        let alike = row.val_loss_avg.unwrap().to_bits() == row.val_loss.to_bits();
        assert_eq!(alike, [14, 19].contains(&row.step), "{row:?}");
    }
    let files = ["model.safetensors", "model-lookahead.safetensors"].map(|file| std::fs::read(run.join(file)).unwrap());
    assert!(files[0] == files[1]);

    // They are what remains of a training that is over then.
    let dir = tempfile::tempdir().unwrap();
    let shorter = "phases=[{ steps = 5, size = 8, batch = 50, optimizer = 'sgd', lr = 0.1 }]";
    let short = RunReader::open(&train(dir.path(), &[slow[0], shorter])).unwrap().metrics().unwrap().rows;
    assert_eq!((short.len(), Some(short[0].val_loss)), (1, rows[0].val_loss_avg));

    // Where a target ends it, what was evaluated remains, and they beside it.
    let dir = tempfile::tempdir().unwrap();
    let run = train(dir.path(), &[slow[0], slow[1], slow[2], "train.stop_at={ val_loss = 1e9 }"]);
    let ended = RunReader::open(&run).unwrap().metrics().unwrap().rows;
    assert_eq!((ended.len(), ended[0].val_loss, ended[0].val_loss_avg), (1, rows[0].val_loss, rows[0].val_loss_avg));
    for (args, loss) in [(&["--json"][..], Some(ended[0].val_loss)), (&["--json", "--average"], ended[0].val_loss_avg)]
    {
        assert_eq!(json(&eval(&run, args))["val_loss"].as_f64(), loss, "{args:?}");
    }
}

#[test]
fn images_are_evaluated_at_the_size_that_a_file_gives_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let run = train(dir.path(), &["train.eval_size=16", "train.eval_phases=true", "train.eval_every='100%'"]);
    let rows = RunReader::open(&run).unwrap().metrics().unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.size).collect::<Vec<_>>(), [8, 12], "that of the phase, which is trained at");
    let found = |args: &[&str]| json(&eval(&run, args));
    assert_eq!(found(&["--json"])["size"], 16);
    assert_eq!(found(&["--json"])["val_loss"].as_f64(), Some(rows[1].val_loss));
    assert_ne!(found(&["--json", "--size", "12"])["val_loss"].as_f64(), Some(rows[1].val_loss));
    let small = runner().arg("plan").arg(dir.path().join("tiny.toml")).args(["--set", "train.eval_size=2"]).output();
    let said = text(&small.unwrap());
    assert!(said.contains("error: images of 2×2 are too small") && said.contains("train.eval_size=2"), "{said}");
    let plan = runner().arg("plan").arg(dir.path().join("tiny.toml")).args(["--set", "train.eval_size=12"]).output();
    assert!(text(&plan.unwrap()).contains("evaluated at 12 px\n"));
}

#[test]
fn averaging_over_views_gives_the_figure_of_the_last_row() {
    for (at, filled) in [("every", 4), ("last", 1)] {
        let dir = tempfile::tempdir().unwrap();
        let sets = ["train.tta='mirror-translate'", &format!("train.tta_at='{at}'"), "train.eval_every='5step'"];
        let run = train(dir.path(), &sets);
        let reader = RunReader::open(&run).unwrap();
        let rows = reader.metrics().unwrap().rows;
        assert_eq!(rows.iter().filter(|row| row.val_acc_tta.is_some()).count(), filled, "{at}");
        let last = rows.last().unwrap();
        let score = reader.info().unwrap().last.unwrap();
        assert_eq!((score.val_acc_tta, score.val_acc), (last.val_acc_tta, last.val_acc));

        let mut losses = Vec::new();
        for (level, acc) in [("none", Some(last.val_acc)), ("mirror", None), ("mirror-translate", last.val_acc_tta)] {
            let found = json(&eval(&run, &["--json", "--tta", level]));
            assert!(acc.is_none_or(|acc| found["val_acc"].as_f64() == Some(acc)), "{level}: {acc:?}");
            assert_eq!(found["tta"], level);
            let diagonal = (0..10).map(|k| found["confusion"][k][k].as_u64().unwrap()).sum::<u64>();
            assert_eq!(found["val_acc"].as_f64().unwrap(), diagonal as f64 / found["images"].as_f64().unwrap());
            losses.push(found["val_loss"].as_f64().unwrap());
        }
        assert!(losses[0] == last.val_loss && losses[1] != losses[0] && losses[2] != losses[1], "{losses:?}");
        let table = text(&eval(&run, &["--tta", "mirror"]));
        assert!(table.contains("averaged over views: mirror"), "{table}");
    }
}

#[test]
fn classes_and_matrix_add_up_to_the_accuracy() {
    let dir = tempfile::tempdir().unwrap();
    let run = train(dir.path(), &[]);
    let at = |name: &str| dir.path().join(name);
    let files = ["m.csv", "m.svg", "m.png", "c.csv"].map(|name| at(name).to_str().unwrap().to_owned());
    let [table, svg, png, classes] = &files;
    let args = ["--confusion", table, "--confusion", svg, "--confusion", png, "--csv", classes];
    let output = eval(&run, &args);
    assert_exit(&output, 0);
    let said = text(&output);
    assert!(said.contains("1,000 validation images of shapes, 12 px") && said.contains("most confused with"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");

    let found = json(&eval(&run, &["--json"]));
    let rows: Vec<ClassRow> = csv::Reader::from_path(at("c.csv")).unwrap().deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 10);
    let correct: u64 = rows.iter().map(|row| row.correct).sum();
    assert_eq!(correct as f64 / 1000.0, found["val_acc"].as_f64().unwrap());
    assert_eq!(rows.iter().map(|row| row.images).sum::<u64>(), 1000);
    let mut matrix = csv::Reader::from_path(at("m.csv")).unwrap();
    let names: Vec<String> = matrix.headers().unwrap().iter().skip(1).map(str::to_owned).collect();
    assert!(names.iter().eq(rows.iter().map(|row| &row.name)), "{names:?}");
    for (k, record) in matrix.records().enumerate() {
        let record = record.unwrap();
        assert_eq!(record[0], names[k]);
        let counts: Vec<u64> = record.iter().skip(1).map(|field| field.parse().unwrap()).collect();
        assert_eq!((counts.iter().sum::<u64>(), counts[k]), (rows[k].images, rows[k].correct));
        assert_eq!(found["confusion"][k][k].as_u64(), Some(counts[k]));
    }
    assert!(std::fs::read_to_string(at("m.svg")).unwrap().contains("tiny: accuracy"));
    assert!(std::fs::read(at("m.png")).unwrap().starts_with(b"\x89PNG"));
    let printed = eval(&run, &["--csv", "-"]);
    assert_eq!(printed.stdout, std::fs::read(at("c.csv")).unwrap());
}

#[test]
fn a_run_that_is_not_done_is_evaluated_from_its_checkpoint_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    // The second phase diverges, after the checkpoint of step 12.
    let run = train(dir.path(), &["phases[1].lr=1e30"]);
    let output = eval(&run, &[]);
    assert_exit(&output, 0);
    let said = text(&output);
    assert!(said.contains("THE RUN IS NOT DONE") && said.contains("after 12 of 20 steps"), "{said}");
    let found = json(&eval(&run, &["--json"]));
    assert_eq!(
        (found["step"].as_u64(), found["size"].as_u64()),
        (Some(12), Some(8)),
        "the phase that the weights are of"
    );
    std::fs::remove_dir_all(run.join("checkpoint")).unwrap();
    let output = eval(&run, &[]);
    assert_exit(&output, 1);
    assert!(text(&output).contains("holds no weights"), "{}", text(&output));
}

/// In a checkpoint of schedule-free rules are the weights that gradients are taken at. The model is the mean that follows from them,
/// with statistics that it has on the training images: what training had evaluated.
#[test]
fn a_mean_that_optimizers_keep_comes_out_of_a_checkpoint_as_training_evaluated_it() {
    let dir = tempfile::tempdir().unwrap();
    let free = ["phases[0].optimizer='schedule-free-sgd'", "data.augment=['flip']", "train.eval_every='6step'"];
    let ruined = train(dir.path(), &[&free[..], &["phases[1].lr=1e30", "train.tta='mirror'"]].concat());
    let row = RunReader::open(&ruined).unwrap().metrics().unwrap().rows.swap_remove(1);
    assert_eq!(row.step, 11);
    let output = eval(&ruined, &["--json"]);
    // Where a notice is broken depends on its width.
    let said = text(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["evaluating the mean that its optimizer keeps", "after 12 of 20 steps", "on the training images"] {
        assert!(said.contains(words), "no {words} in {said}");
    }
    let found = json(&output);
    assert_eq!((found["step"].as_u64(), found["size"].as_u64()), (Some(12), Some(8)));
    assert_eq!(
        ["val_loss", "val_acc", "val_acc_top5"].map(|figure| found[figure].as_f64().unwrap()),
        [row.val_loss, row.val_acc, row.val_acc_top5]
    );
    let averaged = json(&eval(&ruined, &["--json", "--tta", "mirror", "--threads", "1"]));
    assert_eq!(averaged["val_acc"].as_f64(), row.val_acc_tta);

    // The statistics are those on the run's own images, whatever is evaluated.
    let (dir, run) = of_photographs();
    let config = dir.path().join("photos.toml");
    let content = PHOTOS.replace("\"sgd\"", "\"schedule-free-sgd\"") + "[[phases]]\nsteps = 2\nlr = 1e30\n";
    std::fs::write(&config, content + "[train]\neval_phases = true\ncheckpoint_every = \"12step\"\n").unwrap();
    let runs = dir.path().join("free");
    assert_exit(&runner().arg(&config).arg("--quiet").arg("--runs-dir").arg(&runs).output().unwrap(), 4);
    let free = only_run(&runs);
    let rows = RunReader::open(&free).unwrap().metrics().unwrap().rows;
    let row = rows.iter().find(|row| row.step == 11).unwrap();
    for data in ["photographs", "photographs/val"] {
        let found = json(&eval(&free, &["--json", "--data", dir.path().join(data).to_str().unwrap()]));
        assert_eq!((found["step"].as_u64(), found["val_loss"].as_f64()), (Some(12), Some(row.val_loss)), "{data}");
    }
    // Other weights are not measured for.
    assert!(!text(&eval(&run, &[])).contains("mean"));
}

/// Weights that were kept on the way are evaluated as they were then: at the size of their phase, on its set.
#[test]
fn weights_that_were_kept_on_the_way_are_evaluated_as_of_then() {
    let dir = tempfile::tempdir().unwrap();
    // The second phase ruins what the first has learned.
    let run =
        train(dir.path(), &["record.phases=true", "record.best=true", "train.eval_phases=true", "phases[1].lr=3.0"]);
    let rows = RunReader::open(&run).unwrap().metrics().unwrap().rows;
    let [first, last] = [11, 19].map(|step| rows.iter().find(|row| row.step == step).unwrap());
    assert!(first.val_acc > last.val_acc, "{rows:?}");
    for (file, row, size) in [
        ("model-phase-0.safetensors", first, 8),
        ("model-best.safetensors", first, 8),
        ("model-phase-1.safetensors", last, 12),
        ("model.safetensors", last, 12),
    ] {
        let found = json(&eval(&run, &["--json", "--weights", run.join(file).to_str().unwrap()]));
        let told = (found["step"].as_u64(), found["size"].as_u64(), found["val_loss"].as_f64());
        assert_eq!(told, (Some(row.step + 1), Some(size), Some(row.val_loss)), "{file}");
    }
    let said = text(&eval(&run, &["--weights", run.join("model-best.safetensors").to_str().unwrap()]));
    assert!(said.contains("done, after 12 of 20 steps"), "{said}");
}

#[test]
fn what_cannot_be_evaluated_is_said_with_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let run = train(dir.path(), &[]);
    let said = |output: std::process::Output, code: i32, words: &[&str]| {
        assert_exit(&output, code);
        words.iter().for_each(|word| assert!(text(&output).contains(word), "no {word} in {}", text(&output)));
    };
    said(eval(dir.path(), &[]), 2, &["is not a run folder"]);
    said(eval(&dir.path().join("runs"), &[]), 2, &["the newest is", "-tiny-"]);
    said(eval(&dir.path().join("runs/tiny"), &[]), 2, &["did you mean", "-tiny-"]);
    said(eval(&dir.path().join("tiny.toml"), &[]), 2, &["is a file, not a run folder"]);
    said(eval(&run, &["--size", "7"]), 2, &["--size 7", "the smallest size that this net takes is 8"]);
    said(eval(&run, &["--confusion", "a.gif"]), 2, &["must end in .csv, .svg or .png"]);
    said(eval(&run, &["--json", "--csv", "-"]), 2, &["both want standard output"]);

    let edit = |name: &str, from: &str, to: &str| {
        let content = std::fs::read_to_string(run.join(name)).unwrap();
        std::fs::write(run.join(name), content.replacen(from, to, 1)).unwrap();
        content
    };
    let before = edit("run.json", "\"digest\": \"sha256:", "\"digest\": \"sha256:00");
    said(eval(&run, &[]), 0, &["OTHER IMAGES"]);
    std::fs::write(run.join("run.json"), &before).unwrap();
    edit("run.json", "\"format\": 1", "\"format\": 2");
    said(eval(&run, &[]), 2, &["newer than what this program reads", "update runner"]);
    std::fs::write(run.join("run.json"), before).unwrap();
    let before = edit("experiment.toml", "\"shapes\"", "\"cifar10\"");
    said(eval(&run, &[]), 3, &["cifar10", "RUNNER_DATA"]);
    std::fs::write(run.join("experiment.toml"), before).unwrap();

    let model = run.join("model.safetensors");
    let whole = std::fs::read(&model).unwrap();
    std::fs::write(&model, &whole[..whole.len() - 5]).unwrap();
    said(eval(&run, &[]), 1, &["model.safetensors", "not a whole safetensors file"]);
    std::fs::write(&model, "").unwrap();
    said(eval(&run, &[]), 1, &["model.safetensors", "not a whole safetensors file"]);
    std::fs::remove_file(&model).unwrap();
    said(eval(&run, &[]), 0, &["its model.safetensors is gone"]);
}

/// Class folders of one's own.
const PHOTOS: &str = r#"
name = "photos"
[data]
dataset = "folder"
root = "photographs"
[model]
backbone = { kind = "resnet9", width = 4 }
[[phases]]
steps = 12
size = 8
batch = 20
optimizer = "sgd"
lr = 0.05
"#;

/// A folder with photographs, and a run that was trained on them.
fn of_photographs() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    photographs(&dir.path().join("photographs"));
    let config = dir.path().join("photos.toml");
    std::fs::write(&config, PHOTOS).unwrap();
    let runs = dir.path().join("runs");
    assert_exit(&runner().arg(&config).arg("--quiet").arg("--runs-dir").arg(&runs).output().unwrap(), 0);
    let run = only_run(&runs);
    (dir, run)
}

fn rows(path: &Path) -> Vec<PredictionRow> {
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

#[test]
fn other_images_are_taken_as_the_runs_own_are() {
    let (dir, run) = of_photographs();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let last = RunReader::open(&run).unwrap().metrics().unwrap().rows.pop().unwrap();
    let figures = |args: &[&str]| {
        let found = json(&eval(&run, &[args, &["--json"]].concat()));
        let words = ["chosen", "data"].map(|key| found[key].as_str().map(str::to_owned));
        (found["val_loss"].as_f64(), found["images"].as_u64(), found["same_data"].as_bool(), words)
    };
    let word = |word: &str| Some(word.to_owned());
    let (loss, own) =
        (Some(last.val_loss), |from| (Some(last.val_loss), Some(21), Some(true), [word("validation"), from]));
    assert_eq!(figures(&[]), own(None));
    assert_eq!(figures(&["--data", &at("photographs")]), own(word(&at("photographs"))));
    // The same pictures elsewhere: all of some class folders; beside others to train on, whose colours change nothing.
    photographs(&dir.path().join("test"));
    let all = at("test/val");
    assert_eq!(figures(&["--data", &all]), (loss, Some(21), Some(false), [word("all"), word(&all)]));
    std::fs::remove_dir_all(at("test/train")).unwrap();
    for class in 0..3 {
        let folder = dir.path().join(format!("test/train/class {class}"));
        std::fs::create_dir_all(&folder).unwrap();
        image::RgbImage::new(12, 12).save(folder.join("black.png")).unwrap();
    }
    let split = at("test");
    assert_eq!(figures(&["--data", &split]), (loss, Some(21), Some(false), [word("validation"), word(&split)]));
    // Some of them, by a list.
    std::fs::copy(at("test/val/class 1/3.png"), at("one.png")).unwrap();
    let (list, table) = (at("list.txt"), at("list.csv"));
    std::fs::write(&list, "test/val/class 2/4.png\none.png\tclass 1\n").unwrap();
    let (_, images, _, words) = figures(&["--data", &list, "--predictions", &table]);
    assert_eq!((images, words), (Some(2), [word("listed"), word(&list)]));
    let listed: Vec<(String, String)> = rows(Path::new(&table)).into_iter().map(|row| (row.image, row.label)).collect();
    assert_eq!(listed, [(at("test/val/class 2/4.png"), "class 2".to_owned()), (at("one.png"), "class 1".to_owned())]);

    let said = |args: &[&str], code: i32, words: &[&str]| {
        let output = eval(&run, args);
        assert_exit(&output, code);
        words.iter().for_each(|word| assert!(text(&output).contains(word), "no {word} in {}", text(&output)));
    };
    said(&["--data", &all], 0, &["21 images, all of ", "test/val, 8 px"]);
    said(&["--data", &list], 0, &["2 images listed in "]);
    said(&["--data", &at("photographs/train")], 0, &["THE RUN WAS TRAINED ON THESE IMAGES", "60 images, all of "]);
    said(&["--data", &at("none")], 3, &["none: there is no such folder", "help: name a folder of class folders"]);
    std::fs::rename(at("test/val/class 1"), at("test/val/clas 1")).unwrap();
    said(&["--data", &all], 3, &["not among them: `clas 1`; without images here: `class 1`"]);
    said(&["--data", &list, "--predictions", &list], 2, &["that is what is read, and would be lost"]);
}

#[test]
fn what_each_image_is_taken_for_is_told_in_the_sets_order() {
    let (dir, run) = of_photographs();
    let table = dir.path().join("p.csv");
    let to = table.to_str().unwrap();
    for tta in ["none", "mirror"] {
        let found = json(&eval(&run, &["--json", "--tta", tta, "--predictions", to]));
        let rows = rows(&table);
        let images: Vec<PathBuf> =
            (0..21).map(|k| dir.path().join(format!("photographs/val/class {}/{}.png", k / 7, k % 7))).collect();
        assert!(rows.iter().map(|row| Path::new(&row.image)).eq(images.iter().map(PathBuf::as_path)), "{rows:?}");
        let right = rows.iter().filter(|row| row.label == row.predicted).count();
        assert_eq!(found["val_acc"].as_f64(), Some(right as f64 / 21.0));
        let loss = rows.iter().map(|row| -row.label_probability.ln()).sum::<f64>() / 21.0;
        assert!((loss - found["val_loss"].as_f64().unwrap()).abs() < 1e-5, "{loss}: {found}");
        assert!(rows.iter().all(|row| row.probability >= row.label_probability && row.probability <= 1.0), "{rows:?}");
    }
    // Images that are no files have their numbers.
    let image = dir.path().join("photographs/val/class 0/0.png");
    let before = std::fs::read(&image).unwrap();
    let refused = eval(&run, &["--predictions", image.to_str().unwrap()]);
    assert_exit(&refused, 2);
    assert!(text(&refused).contains("it is there, in the folder of images"), "{}", text(&refused));
    assert!(std::fs::read(&image).unwrap() == before);
    let drawn = tempfile::tempdir().unwrap();
    let run = train(drawn.path(), &[]);
    let printed = eval(&run, &["--predictions", "-"]);
    assert_exit(&printed, 0);
    let lines = String::from_utf8(printed.stdout).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!((lines.len(), lines[0]), (1001, "image,label,predicted,probability,label_probability"));
    assert!(lines[1].starts_with("0,disc,") && lines[1000].starts_with("999,checker,"), "{} {}", lines[1], lines[1000]);
    let twice = eval(&run, &["--csv", to, "--predictions", to]);
    assert_exit(&twice, 2);
    assert!(text(&twice).contains("are the same file"), "{}", text(&twice));
}

#[test]
fn images_that_have_moved_are_missed_where_they_were_and_found_where_they_are() {
    let (dir, run) = of_photographs();
    let (before, now) = (dir.path().join("photographs"), dir.path().join("moved"));
    let last = RunReader::open(&run).unwrap().metrics().unwrap().rows.pop().unwrap();
    std::fs::rename(&before, &now).unwrap();
    let absent =
        format!("the run was trained on images in {}, where they are no more, nor in /nonexistent", before.display());
    let missed = |command: &[&str], words: &[&str]| {
        let output = runner().args(command).output().unwrap();
        assert_exit(&output, 3);
        let said = text(&output);
        words.iter().for_each(|word| assert!(said.contains(word), "no {word} in {said}"));
        assert!(said.contains(&absent) && !said.contains("--set"), "{said}");
    };
    let run_shown = run.to_str().unwrap();
    let other = dir.path().join("other");
    photographs(&other);
    std::fs::remove_dir_all(other.join("train")).unwrap();
    let val = other.join("val");
    let info = std::fs::read_to_string(run.join("run.json")).unwrap();
    for is_mount_point in [false, true] {
        if is_mount_point {
            std::fs::create_dir(&before).unwrap();
        }
        missed(
            &["eval", run_shown],
            &[&format!(
                "help: name the folder that they are in now in front of the command: RUNNER_DATA=DIR runner eval {run_shown}"
            )],
        );
        missed(
            &["eval", run_shown, "--data", val.to_str().unwrap()],
            &["they tell the classes", "RUNNER_DATA=DIR runner eval"],
        );
        std::fs::write(run.join("run.json"), info.replace("\"done\"", "\"interrupted\"")).unwrap();
        missed(&["train", "--resume", run_shown], &[&format!("RUNNER_DATA=DIR runner train --resume {run_shown}")]);
        std::fs::write(run.join("run.json"), &info).unwrap();
        for found in [
            json(&runner().args(["eval", run_shown, "--json"]).env("RUNNER_DATA", &now).output().unwrap()),
            json(&eval(&run, &["--json", "--data", now.to_str().unwrap()])),
        ] {
            assert_eq!((found["same_data"].as_bool(), found["val_loss"].as_f64()), (Some(true), Some(last.val_loss)));
        }
    }
    // Where the experiment names a folder that is there, that has the first word.
    std::fs::write(before.join("notes.txt"), "no images").unwrap();
    let output = eval(&run, &[]);
    assert_exit(&output, 3);
    let said = text(&output);
    assert!(said.contains("as `root` in ") && said.contains("experiment.toml") && !said.contains("--set"), "{said}");
}

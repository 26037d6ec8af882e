//! Photographs that stay on disk, and packs of them.

use crate::common::{assert_exit, only_run, runner, text};
use image::{ImageBuffer, Rgb};
use runner::record::predictions::PredictionRow;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

const EXPERIMENT: &str = r#"
name = "photographs"
[data]
dataset = { kind = "folder", keep = "disk" }
root = "photographs"
augment = [{ random-resized-crop = 0.2 }, "flip"]
[model]
backbone = { shallow = 4 }
[train]
checkpoint_every = "2step"
eval_batch = 4
[[phases]]
epochs = 2
size = 12
batch = 4
optimizer = "sgd"
lr = 0.01
[[phases]]
epochs = 2
size = 20
lr = 0.001
"#;

/// Twenty training images of two classes, of several shapes, in JPEG and PNG, and eight to validate on; and the experiment.
fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (split, count) in [("train", 10u32), ("val", 4)] {
        for (k, class) in ["beech", "oak tree"].iter().enumerate() {
            let folder = dir.path().join("photographs").join(split).join(class);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..count {
                let (width, height) = if i % 3 == 0 { (50, 70 + i) } else { (90 + i, 60) };
                let colour = |x: u32, y: u32| Rgb([100 * k as u8 + 20, (x * 3) as u8, (y * 3 + i) as u8]);
                let image = ImageBuffer::from_fn(width, height, colour);
                image.save(folder.join(format!("{i}.{}", if i % 2 == 0 { "jpg" } else { "png" }))).unwrap();
            }
        }
    }
    fs::write(dir.path().join("photographs.toml"), EXPERIMENT).unwrap();
    dir
}

fn train(dir: &Path, runs: &str, arguments: &[&str]) -> Output {
    let mut command = runner();
    command.current_dir(dir).args(["train", "photographs.toml", "--quiet", "--runs-dir", runs]).args(arguments);
    command.output().unwrap()
}

/// `trace.csv` without the columns of time, and the weights.
fn result(run: &Path) -> (Vec<String>, Vec<u8>) {
    let trace = fs::read_to_string(run.join("trace.csv")).unwrap();
    let row = |line: &str| line.rsplit_once(',').unwrap().0.to_owned();
    (trace.lines().map(row).collect(), fs::read(run.join("model.safetensors")).unwrap())
}

fn info(run: &Path) -> Value {
    serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap()
}

/// Damages photographs behind their headers, which stay whole: a JPEG file ends before its image does, a PNG file in its middle.
fn damage(dir: &Path, files: &[&str]) {
    for file in files {
        let path = dir.join("photographs").join(file);
        let bytes = fs::read(&path).unwrap();
        let kept = if file.ends_with(".png") { bytes.len() / 2 } else { bytes.len() - 9 };
        fs::write(&path, &bytes[..kept]).unwrap();
    }
}

/// A training that is killed in the middle of an epoch, and gone on with.
fn killed_and_resumed(dir: &Path, arguments: &[&str]) -> PathBuf {
    let killed = dir.join("killed");
    let mut child = runner()
        .current_dir(dir)
        .args(["train", "photographs.toml", "--json", "--run-folder", "killed"])
        .args(arguments)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    for line in lines {
        let line = line.unwrap();
        if line.contains("\"checkpoint\"") && line.contains("\"step\":12,") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_exit(&runner().args(["train", "--quiet", "--resume"]).arg(&killed).output().unwrap(), 0);
    killed
}

#[test]
fn training_from_disk_gives_the_same_bytes_with_any_threads_and_when_resumed() {
    let dir = workplace();
    let run = |runs: &str, threads: &str| {
        assert_exit(&train(dir.path(), runs, &["--threads", threads]), 0);
        only_run(&dir.path().join(runs))
    };
    let (one, three) = (run("one", "1"), run("three", "3"));
    let whole = result(&one);
    assert!(whole.0.len() == 21 && whole == result(&three));
    // A longer one.
    let longer = ["--set", "phases[*].epochs=40"];
    let killed = killed_and_resumed(dir.path(), &longer);
    let long = train(dir.path(), "long", &longer);
    assert_exit(&long, 0);
    assert!(result(&killed) == result(&only_run(&dir.path().join("long"))));
}

#[test]
fn a_pack_is_made_shown_verified_and_trained_on() {
    let dir = workplace();
    let run = |arguments: &[&str]| runner().current_dir(dir.path()).args(arguments).output().unwrap();
    let pack = run(&["data", "pack", "photographs", "-o", "all.pack"]);
    assert_exit(&pack, 0);
    assert!(text(&pack).contains("all.pack: 28 images"), "{}", text(&pack));
    let small = run(&["data", "pack", "photographs", "-o", "small.pack", "--short-side", "24", "--decoded"]);
    assert_exit(&small, 0);
    assert_exit(&run(&["data", "pack", "all.pack", "-o", "again.pack"]), 2);
    assert_exit(&run(&["data", "pack", "nowhere", "-o", "again.pack"]), 3);

    // A pack of the files as they are trains as they do.
    assert_exit(&train(dir.path(), "files", &[]), 0);
    assert_exit(&train(dir.path(), "packed", &["--set", "data.root=all.pack"]), 0);
    let [files, packed] = ["files", "packed"].map(|runs| only_run(&dir.path().join(runs)));
    assert!(result(&files) == result(&packed));
    assert_exit(&train(dir.path(), "small", &["--set", "data.root=small.pack"]), 0);

    let disk = ["--set", "data.dataset.keep=disk"];
    let shown = run(&[&["data", "info", "folder", "--root", "all.pack", "--verify"][..], &disk].concat());
    assert_exit(&shown, 0);
    for words in ["20 images", "oak tree", "their own, on disk", "\n28 of 28 images decoded\n"] {
        assert!(text(&shown).contains(words), "{}", text(&shown));
    }
    let rates = run(&["bench", "--data", "photographs.toml", "--batch", "8", "--steps", "3", "--json"]);
    assert_exit(&rates, 0);
    let rates: Value = serde_json::from_slice(&rates.stdout).unwrap();
    assert!(rates["images_per_second"].as_f64().unwrap() > 0.0 && rates["size"] == 12, "{rates}");
}

#[test]
fn a_file_that_is_no_image_is_left_out_of_a_pack_and_of_a_set_where_that_is_asked_for() {
    let dir = workplace();
    fs::write(dir.path().join("photographs/train/beech/notes.txt"), "x").unwrap();
    let run = |arguments: &[&str]| runner().args(arguments).current_dir(dir.path()).output().unwrap();
    let pack = ["data", "pack", "photographs", "-o", "all.pack"];
    let refused = run(&pack);
    assert_exit(&refused, 3);
    assert!(text(&refused).contains("notes.txt: not a .png"), "{}", text(&refused));
    let packed = run(&[&pack[..], &["--skip-bad"]].concat());
    assert_exit(&packed, 0);
    let said = text(&packed);
    assert!(said.contains("notes.txt: not a .png") && said.contains("all.pack: 28 images"), "{said}");
    let info = ["data", "info", "folder", "--root", "photographs", "--set", "data.dataset.keep=disk"];
    let info = run(&[&info[..], &["--set", "data.dataset.skip_bad=true"]].concat());
    assert_exit(&info, 0);
    assert!(text(&info).contains("left out: ") && text(&info).contains("notes.txt"), "{}", text(&info));
}

#[test]
fn damaged_files_stop_a_run_or_are_counted() {
    let dir = workplace();
    let bad = dir.path().join("photographs/train/beech/1.png");
    fs::write(&bad, "no image").unwrap();
    let refused = train(dir.path(), "runs", &[]);
    assert_exit(&refused, 3);
    assert!(text(&refused).contains("beech/1.png: cannot be decoded"), "{}", text(&refused));
    assert!(!dir.path().join("runs").exists(), "nothing was begun");
    let skip = ["--set", "data.dataset.skip_bad=true"];
    let done = train(dir.path(), "skipped", &skip);
    assert_exit(&done, 0);
    let run = only_run(&dir.path().join("skipped"));
    assert_eq!((&info(&run)["dataset"]["skipped"], &info(&run)["dataset"]["images"]), (&1.into(), &19.into()));
    let log = fs::read_to_string(run.join("log.txt")).unwrap();
    assert!(log.contains("1 file of `folder` left out") && log.contains("beech/1.png"), "{log}");

    // A header alone promises an image that is not there: that shows while training, which says which.
    fs::remove_file(&bad).unwrap();
    let cut = dir.path().join("photographs/val/beech/2.jpg");
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 9]).unwrap();
    let failed = train(dir.path(), "failed", &[]);
    assert_exit(&failed, 3);
    assert!(text(&failed).contains("beech/2.jpg: cannot be decoded: it ends at byte"), "{}", text(&failed));
    assert_eq!(info(&only_run(&dir.path().join("failed")))["status"], "failed");
    let done = train(dir.path(), "left-out", &skip);
    assert_exit(&done, 0);
    let log = fs::read_to_string(only_run(&dir.path().join("left-out")).join("log.txt")).unwrap();
    assert!(log.contains("NOTICE: damaged files of `folder`: 1 validation image left out"), "{log}");
    let verify = |arguments: &[&str]| {
        let mut command = runner();
        command.current_dir(dir.path()).args(["data", "info", "photographs.toml", "--verify"]).args(arguments);
        command.output().unwrap()
    };
    let verified = verify(&[]);
    assert_exit(&verified, 3);
    let said = text(&verified);
    assert!(
        said.contains("error: 1 of 27 files cannot be used\n") && said.contains("2.jpg: cannot be decoded"),
        "{said}"
    );
    let verified = verify(&skip);
    assert_exit(&verified, 0);
    let said = text(&verified);
    assert!(said.contains("2.jpg: cannot be decoded") && !said.contains("skip_bad"), "{said}");
    assert!(said.contains("\n26 of 27 images decoded, 1 file left out\n"), "{said}");
}

#[test]
fn validation_is_of_the_images_that_can_be_read() {
    let dir = workplace();
    let bad = ["val/beech/1.png", "val/oak tree/2.jpg"];
    damage(dir.path(), &bad);
    let skip = ["--set", "data.dataset.skip_bad=true", "--set", "train.tta=mirror"];
    let trained = |runs: &str, more: &[&str]| {
        assert_exit(&train(dir.path(), runs, &[&skip[..], more].concat()), 0);
        only_run(&dir.path().join(runs))
    };
    let evaluated = |run: &Path| -> Value {
        let output = runner().args(["eval", "--json"]).arg(run).output().unwrap();
        assert_exit(&output, 0);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let run = trained("damaged", &[]);
    let (facts, found) = (info(&run), evaluated(&run));
    assert_eq!((&facts["dataset"]["val_images"], &facts["dataset"]["val_left_out"]), (&8.into(), &2.into()));
    assert!(facts["dataset"].get("skipped").is_none() && facts["dataset"].get("train_replaced").is_none(), "{facts}");
    assert_eq!((&found["images"], &found["left_out"], &found["skipped"]), (&6.into(), &2.into(), &0.into()));
    assert_eq!([&found["classes"][0]["images"], &found["classes"][1]["images"]], [3, 3]);
    for key in ["val_loss", "val_acc", "val_acc_top5"] {
        assert_eq!(found[key], facts["final"][key], "{key}");
    }
    let words = text(&runner().arg("eval").arg(&run).output().unwrap());
    assert!(words.contains("6 validation images of folder (without 2 damaged files), 20 px"), "{words}");
    let predicted = |run: &Path| -> Vec<PredictionRow> {
        let table = dir.path().join("predictions.csv");
        let output = runner().arg("eval").arg(run).arg("--predictions").arg(&table).output().unwrap();
        assert_exit(&output, 0);
        csv::Reader::from_path(&table).unwrap().deserialize().map(Result::unwrap).collect()
    };
    let predictions = predicted(&run);

    // As of a set that the files are no part of: the same images, in other batches.
    for file in bad {
        fs::write(dir.path().join("photographs").join(file), "no image").unwrap();
    }
    let without = trained("without", &[]);
    assert!(result(&run) == result(&without), "training is the same");
    let of = info(&without);
    assert_eq!((&of["dataset"]["val_images"], &of["dataset"]["skipped"]), (&6.into(), &2.into()));
    for key in ["val_loss", "val_acc", "val_acc_tta"] {
        let [one, other] = [&facts, &of].map(|facts| facts["final"][key].as_f64().unwrap());
        assert!((one - other).abs() < 1e-5, "{key}: {one} and {other}");
    }
    assert_eq!((&evaluated(&without)["left_out"], &evaluated(&without)["skipped"]), (&0.into(), &2.into()));
    // Each row is of its own image, whatever was left out before it.
    let whole = ["beech/0.jpg", "beech/2.jpg", "beech/3.png", "oak tree/0.jpg", "oak tree/1.png", "oak tree/3.png"];
    let others = predicted(&without);
    assert_eq!((predictions.len(), others.len()), (whole.len(), whole.len()));
    for ((file, one), other) in whole.iter().zip(&predictions).zip(&others) {
        assert!(Path::new(&one.image).ends_with(Path::new("val").join(file)), "{file}: {one:?}");
        assert_eq!((&one.image, &one.label), (&other.image, &other.label));
        assert!(file.starts_with(&one.label), "{file}: {one:?}");
        assert!((one.label_probability - other.label_probability).abs() < 1e-5, "{one:?} and {other:?}");
    }
}

/// None is another class's, and a batch of nothing else is none.
#[test]
fn a_class_of_damaged_images_has_none() {
    let dir = workplace();
    damage(dir.path(), &["val/beech/0.jpg", "val/beech/1.png", "val/beech/2.jpg", "val/beech/3.png"]);
    let skip = ["--set", "data.dataset.skip_bad=true"];
    for (runs, rectangular) in [("square", "false"), ("rectangular", "true")] {
        let shape = format!("data.dataset.rectangular={rectangular}");
        let more = ["--set", &shape, "--set", "phases[*].size=32", "--set", "train.average=\"swa\""];
        assert_exit(&train(dir.path(), runs, &[&skip[..], &more].concat()), 0);
        let run = only_run(&dir.path().join(runs));
        assert_eq!(info(&run)["dataset"]["val_left_out"], 4);
        let none: [&str; 0] = [];
        for arguments in [&none[..], &["--average"], &["--tta", "mirror"]] {
            let output = runner().args(["eval", "--json"]).arg(&run).args(arguments).output().unwrap();
            assert_exit(&output, 0);
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            let images = [&found["classes"][0]["images"], &found["classes"][1]["images"], &found["images"]];
            assert_eq!(images, [0, 4, 4], "{runs}: {arguments:?}");
            assert_eq!(found["left_out"], 4);
        }
    }
    // What is through of what there is is told, and what there is not.
    let mut command = runner();
    command.current_dir(dir.path()).args(["train", "photographs.toml", "--json", "--runs-dir", "told"]).args(skip);
    let output = command.output().unwrap();
    assert_exit(&output, 0);
    let lines = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    assert!(of("evaluating").iter().all(|event| (&event["images"], &event["of"]) == (&4.into(), &4.into())), "{lines}");
    let damaged = serde_json::json!({ "event": "damaged", "set": 0, "train_replaced": 0, "val_left_out": 4 });
    assert_eq!(of("damaged"), [&damaged], "once");

    damage(dir.path(), &["val/oak tree/0.jpg", "val/oak tree/1.png", "val/oak tree/2.jpg", "val/oak tree/3.png"]);
    let none = train(dir.path(), "none", &skip);
    assert_exit(&none, 3);
    assert!(text(&none).contains("none of 8 images"), "{}", text(&none));
}

#[test]
fn images_that_were_replaced_are_on_record_and_a_resumed_run_has_the_same() {
    let dir = workplace();
    damage(dir.path(), &["train/beech/1.png", "train/oak tree/4.jpg", "train/oak tree/5.png", "val/beech/2.jpg"]);
    let arguments = ["--set", "phases[*].epochs=40", "--set", "data.dataset.skip_bad=true"];
    assert_exit(&train(dir.path(), "whole", &arguments), 0);
    let whole = only_run(&dir.path().join("whole"));
    let killed = killed_and_resumed(dir.path(), &arguments);
    assert!(result(&killed) == result(&whole));
    for run in [&whole, &killed] {
        let set = &info(run)["dataset"];
        assert_eq!((&set["train_replaced"], &set["val_left_out"]), (&3.into(), &1.into()));
        let log = fs::read_to_string(run.join("log.txt")).unwrap();
        let words = "NOTICE: damaged files of `folder`: 3 training images replaced by others of the same class, 1 validation \
                     image left out";
        assert!(log.contains(words), "{log}");
    }
}

#[test]
fn all_files_that_cannot_be_used_are_named_by_verifying() {
    let dir = workplace();
    damage(dir.path(), &["train/beech/1.png", "train/beech/2.jpg", "train/oak tree/4.jpg", "val/beech/2.jpg"]);
    let odd = ["train/oak tree/readme.txt", "val/oak tree/empty.jpg"];
    for file in odd.iter().chain(&["train/beech/Thumbs.db", "val/beech/desktop.ini"]) {
        fs::write(dir.path().join("photographs").join(file), "").unwrap();
    }
    let info = |keep: &str, more: &[&str]| {
        let keep = format!("data.dataset.keep={keep}");
        let mut command = runner();
        command.current_dir(dir.path()).args(["data", "info", "folder", "--root", "photographs", "--set", &keep]);
        command.args(["--set", "data.dataset.size=16"]).args(more).output().unwrap()
    };
    let named = [
        "beech/1.png: ",
        "train/beech/2.jpg: ",
        "oak tree/4.jpg: ",
        "val/beech/2.jpg: ",
        "readme.txt: ",
        "empty.jpg: ",
    ];
    for keep in ["disk", "memory"] {
        let output = info(keep, &["--verify"]);
        assert_exit(&output, 3);
        let said = text(&output);
        assert!(said.contains("error: 6 of 30 files cannot be used\n"), "{keep}: {said}");
        assert!(named.iter().all(|name| said.matches(name).count() == 1), "{keep}: {said}");
        assert_eq!(said.matches("skip_bad = true").count(), 1, "{keep}: {said}");
        // Without it what can be known at once.
        let output = info(keep, &[]);
        assert_exit(&output, 3);
        assert!(text(&output).contains("2 files cannot be used\n"), "{keep}: {}", text(&output));
        let output = info(keep, &["--verify", "--set", "data.dataset.skip_bad=true"]);
        assert_exit(&output, 0);
        let said = text(&output);
        assert!(named.iter().all(|name| said.matches(name).count() == 1), "{keep}: {said}");
        assert_eq!(said.matches("left out: ").count(), 6, "{keep}: {said}");
        let read = if keep == "disk" { "" } else { " as they were read" };
        assert!(said.contains(&format!("\n24 of 30 files decoded{read}, 6 files left out\n")), "{keep}: {said}");
    }
}

#[test]
fn a_pack_takes_no_place_that_is_not_its_own() {
    let dir = workplace();
    let run = |arguments: &[&str]| {
        let mut command = runner();
        command.current_dir(dir.path()).args(["data", "pack", "photographs", "-o"]).args(arguments);
        command.output().unwrap()
    };
    let refused = |arguments: &[&str], words: &str| {
        let output = run(arguments);
        assert_exit(&output, 2);
        assert!(text(&output).contains(words) && text(&output).contains("help: "), "{}", text(&output));
    };
    fs::write(dir.path().join("results.csv"), "a,b\n1,2\n").unwrap();
    for force in [&["results.csv"][..], &["results.csv", "--force"]] {
        refused(force, "--out results.csv: that is no pack, and would be lost");
    }
    assert_eq!(fs::read_to_string(dir.path().join("results.csv")).unwrap(), "a,b\n1,2\n");
    refused(&["photographs/train/beech/1.png"], "that is no pack");
    for inside in
        ["photographs/all.pack", "photographs/train/beech/all.pack", "photographs/../photographs/val/all.pack"]
    {
        refused(&[inside], "it lies in the folder that is packed");
        assert!(!dir.path().join(inside).exists());
    }

    assert_exit(&run(&["all.pack"]), 0);
    let before = fs::read(dir.path().join("all.pack")).unwrap();
    assert_exit(&run(&["all.pack"]), 0);
    refused(
        &["all.pack", "--short-side", "24"],
        "--out all.pack: the pack that is there is another one: without --short-side",
    );
    refused(&["all.pack", "--decoded"], "without --decoded");
    fs::remove_file(dir.path().join("photographs/train/beech/1.png")).unwrap();
    refused(&["all.pack"], "of other images, 28 in all");
    assert!(fs::read(dir.path().join("all.pack")).unwrap() == before);
    assert_exit(&run(&["all.pack", "--short-side", "24", "--force"]), 0);
    refused(&["all.pack"], "with --short-side 24");
}

#[test]
fn images_that_are_enlarged_are_told_once() {
    let dir = workplace();
    let pack = ["data", "pack", "photographs", "-o", "small.pack", "--short-side", "16"];
    assert_exit(&runner().current_dir(dir.path()).args(pack).output().unwrap(), 0);
    let memory = vec!["--set", "data.dataset.keep=memory", "--set", "data.dataset.size=16"];
    for (runs, arguments, words) in [
        ("memory", memory, "to 20 pixels: in memory they have 16"),
        ("pack", vec!["--set", "data.root=small.pack"], "to 20 pixels: none has a shorter side of more than 16"),
        ("files", vec![], ""),
    ] {
        assert_exit(&train(dir.path(), runs, &arguments), 0);
        let log = fs::read_to_string(only_run(&dir.path().join(runs)).join("log.txt")).unwrap();
        let told = log.matches("all images of `folder` are enlarged").count();
        assert_eq!(told, usize::from(!words.is_empty()), "{log}");
        assert!(log.contains(words), "{log}");
    }
}

#[test]
fn validation_images_keep_their_shape_where_that_is_asked_for() {
    let dir = workplace();
    let rectangular = ["--set", "data.dataset.rectangular=true", "--set", "phases[*].size=32"];
    assert_exit(&train(dir.path(), "runs", &[&rectangular[..], &["--set", "train.tta=mirror"]].concat()), 0);
    let run = only_run(&dir.path().join("runs"));
    let evaluated = runner().args(["eval", "--json"]).arg(&run).output().unwrap();
    assert_exit(&evaluated, 0);
    let found: Value = serde_json::from_slice(&evaluated.stdout).unwrap();
    let last = &info(&run)["final"];
    assert_eq!((&found["val_loss"], &found["images"]), (&last["val_loss"], &8.into()));
    let memory = train(
        dir.path(),
        "no",
        &[&rectangular[..], &["--set", "data.dataset.keep=memory", "--set", "data.dataset.size=32"]].concat(),
    );
    assert_exit(&memory, 3);
    assert!(text(&memory).contains("images in memory are square"), "{}", text(&memory));
}

//! Photographs that stay on disk, and packs of them.

use crate::common::{assert_exit, only_run, runner, text};
use image::{ImageBuffer, Rgb};
use serde_json::Value;
use std::fs;
use std::path::Path;
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
    // A longer one, killed in the middle of an epoch.
    let killed = dir.path().join("killed");
    let mut child = runner()
        .current_dir(dir.path())
        .args(["train", "photographs.toml", "--json", "--run-folder", "killed", "--set", "phases[*].epochs=40"])
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
    let long = train(dir.path(), "long", &["--set", "phases[*].epochs=40"]);
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
    // In the place of an image, or of the list that says which are for validation.
    let list = dir.path().join("photographs/val.txt");
    fs::write(&list, "beech/0.jpg\n").unwrap();
    for (to, set) in [("train/beech/1.png", "val=0.5"), ("val.txt", "val_list=\"val.txt\"")] {
        let (path, set) = (format!("photographs/{to}"), format!("data.dataset.{set}"));
        let before = fs::read(dir.path().join(&path)).unwrap();
        let over = run(&["data", "pack", "photographs", "-o", &path, "--set", &set]);
        assert_exit(&over, 2);
        assert!(text(&over).contains(&format!("--out {path}: that is what is read")), "{}", text(&over));
        assert!(fs::read(dir.path().join(&path)).unwrap() == before, "{path}");
    }
    fs::remove_file(&list).unwrap();

    // A pack of the files as they are trains as they do.
    assert_exit(&train(dir.path(), "files", &[]), 0);
    assert_exit(&train(dir.path(), "packed", &["--set", "data.root=all.pack"]), 0);
    let [files, packed] = ["files", "packed"].map(|runs| only_run(&dir.path().join(runs)));
    assert!(result(&files) == result(&packed));
    assert_exit(&train(dir.path(), "small", &["--set", "data.root=small.pack"]), 0);

    let disk = ["--set", "data.dataset.keep=disk"];
    let shown = run(&[&["data", "info", "folder", "--root", "all.pack", "--verify"][..], &disk].concat());
    assert_exit(&shown, 0);
    for words in ["20 images", "oak tree", "their own, on disk"] {
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
    let done = train(dir.path(), "replaced", &skip);
    assert_exit(&done, 0);
    let log = fs::read_to_string(only_run(&dir.path().join("replaced")).join("log.txt")).unwrap();
    assert!(log.contains("1 damaged images of `folder` were replaced"), "{log}");
    let verified =
        runner().current_dir(dir.path()).args(["data", "info", "photographs.toml", "--verify"]).output().unwrap();
    assert_exit(&verified, 3);
    assert!(text(&verified).contains("2.jpg: cannot be decoded"), "{}", text(&verified));
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

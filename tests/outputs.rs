//! Where results go: files, links, pipes, standard output; what is refused before anything is written; what `--help` says to type.

mod common;

use common::{SMALL, assert_exit, runner, text};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Output;

/// A folder with an experiment, `small.toml`.
fn small() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("small.toml"), SMALL).unwrap();
    dir
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    runner().current_dir(dir).args(arguments).output().unwrap()
}

/// What `runner plan small.toml` prints with these arguments.
fn planned(dir: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = run(dir, &[&["plan", "small.toml"][..], arguments].concat());
    assert_exit(&output, 0);
    output.stdout
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Each of the commands is refused with exit code 2 and these words.
#[track_caller]
fn refused(dir: &Path, cases: &[(&[&str], &[&str])]) {
    for (arguments, words) in cases {
        let output = run(dir, arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}\n{said}");
        assert!(output.stdout.is_empty(), "{arguments:?}\n{said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{arguments:?}: no {word} in\n{said}"));
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::fs::{File, OpenOptions};
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
    use std::path::PathBuf;
    use std::process::{Command, Stdio};

    /// More steps than a pipe has room for.
    const LONG: [&str; 2] = ["--set", "phases[2].steps=20000"];

    fn fifo(dir: &Path) -> PathBuf {
        let path = dir.join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    fn is_fifo(path: &Path) -> bool {
        fs::symlink_metadata(path).unwrap().file_type().is_fifo()
    }

    #[test]
    fn a_pipe_is_written_to_and_stays_one() {
        let dir = small();
        let expected = planned(dir.path(), &["--trace", "-"]);
        let pipe = fifo(dir.path());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        let output = run(dir.path(), &["plan", "small.toml", "--trace", "pipe"]);
        assert_exit(&output, 0);
        assert!(is_fifo(&pipe), "it was replaced");
        assert_eq!(reader.join().unwrap(), expected);
        assert_eq!(names(dir.path()), ["pipe", "small.toml"]);
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error() {
        let dir = small();
        let header = |from: &mut dyn std::io::Read| {
            let mut line = String::new();
            BufReader::with_capacity(64, from).read_line(&mut line).unwrap();
            assert!(line.starts_with("step,epoch,phase,"), "{line}");
        };
        let pipe = fifo(dir.path());
        let reader = std::thread::spawn(move || header(&mut File::open(pipe).unwrap()));
        assert_exit(&run(dir.path(), &[&["plan", "small.toml", "--trace", "pipe"][..], &LONG].concat()), 0);
        reader.join().unwrap();

        let mut command = runner();
        command.current_dir(dir.path()).args(["plan", "small.toml", "--trace", "-"]).args(LONG);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        header(&mut child.stdout.take().unwrap());
        assert_exit(&child.wait_with_output().unwrap(), 0);
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_written() {
        let dir = small();
        let expected = planned(dir.path(), &["--csv", "-"]);
        fs::create_dir(dir.path().join("there")).unwrap();
        fs::write(dir.path().join("there/old.csv"), "old").unwrap();
        // By way of another link, from its own folder; to a file that is not there yet.
        symlink("old.csv", dir.path().join("there/second")).unwrap();
        symlink("there/second", dir.path().join("first")).unwrap();
        symlink(dir.path().join("there/new.csv"), dir.path().join("absolute")).unwrap();
        for (link, target) in [("first", "there/old.csv"), ("absolute", "there/new.csv")] {
            planned(dir.path(), &["--csv", link]);
            assert!(dir.path().join(link).is_symlink(), "{link} was replaced");
            assert_eq!(fs::read(dir.path().join(target)).unwrap(), expected, "{link}");
        }
        assert!(dir.path().join("there/second").is_symlink());
        assert_eq!(names(&dir.path().join("there")), ["new.csv", "old.csv", "second"]);
    }

    #[test]
    fn a_file_keeps_its_permissions() {
        let dir = small();
        for (option, name) in [("--csv", "p.csv"), ("--trace", "t.csv"), ("--plot", "s.svg"), ("--plot", "s.png")] {
            let path = dir.path().join(name);
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            planned(dir.path(), &[option, name]);
            assert_ne!(fs::read(&path).unwrap(), b"old", "{name}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
    }

    /// Its file may be one, which everything else goes to as well.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_systems_name_for_standard_output_is_it() {
        let dir = small();
        let expected = planned(dir.path(), &["--csv", "-"]);
        for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            let path = dir.path().join("out.csv");
            let file = File::create(&path).unwrap();
            let mut command = runner();
            command.current_dir(dir.path()).args(["plan", "small.toml", "--csv", name]);
            let output = command.stdout(file.try_clone().unwrap()).output().unwrap();
            assert_exit(&output, 0);
            assert_eq!(fs::read(&path).unwrap(), expected, "{name}");
            assert_eq!(file.metadata().unwrap().ino(), fs::metadata(&path).unwrap().ino(), "{name}: a new file");
        }
        let twice = ["plan", "small.toml", "--csv", "-", "--trace", "/dev/stdout"];
        refused(dir.path(), &[(&twice, &["--csv - and --trace /dev/stdout both want standard output"])]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_that_the_shell_opened_keeps_what_it_held() {
        let dir = small();
        let expected = planned(dir.path(), &["--csv", "-"]);
        let path = dir.path().join("log");
        fs::write(&path, "before\n").unwrap();
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        let mut command = runner();
        command.current_dir(dir.path()).args(["plan", "small.toml", "--csv", "/dev/fd/0"]);
        assert_exit(&command.stdin(file.try_clone().unwrap()).output().unwrap(), 0);
        assert_eq!(fs::read(&path).unwrap(), [&b"before\n"[..], &expected].concat());
        assert_eq!(file.metadata().unwrap().ino(), fs::metadata(&path).unwrap().ino(), "a new file");
    }

    #[test]
    fn two_ways_to_one_file_are_seen_through() {
        let dir = small();
        symlink("small.toml", dir.path().join("link.csv")).unwrap();
        symlink("absent.csv", dir.path().join("other.csv")).unwrap();
        refused(
            dir.path(),
            &[
                (&["plan", "small.toml", "--csv", "link.csv"], &["--csv link.csv", "what is read"]),
                (&["plan", "link.csv", "--csv", "./small.toml"], &["--csv ./small.toml", "what is read"]),
                (&["plan", "small.toml", "--csv", "other.csv", "--trace", "absent.csv"], &["are the same file"]),
            ],
        );
        assert_eq!(fs::read_to_string(dir.path().join("small.toml")).unwrap(), SMALL);
    }

    #[test]
    fn a_pack_is_a_file() {
        let dir = small();
        let pipe = fifo(dir.path());
        refused(dir.path(), &[(&["data", "pack", "photographs", "-o", "pipe"], &["--out pipe", "no file"])]);
        assert!(is_fifo(&pipe));
    }
}

#[test]
fn results_in_each_others_place_are_refused_before_anything_is_written() {
    let dir = small();
    fs::create_dir_all(dir.path().join("folder/run")).unwrap();
    fs::write(dir.path().join("folder/run/run.json"), "{}").unwrap();
    let plan = |arguments: &[&'static str]| [&["plan", "small.toml"][..], arguments].concat();
    refused(
        dir.path(),
        &[
            (&plan(&["--csv", "m.csv", "--trace", "m.csv"]), &["--csv m.csv and --trace m.csv are the same file"]),
            (&plan(&["--csv", "m.csv", "--trace", "folder/../m.csv"]), &["are the same file"]),
            (&plan(&["--csv", "small.toml"]), &["--csv small.toml", "what is read", "name another file"]),
            (&plan(&["--trace", "folder/../small.toml"]), &["what is read"]),
            (&plan(&["--csv", "-", "--trace", "-"]), &["--csv - and --trace - both want standard output"]),
            (&plan(&["--expand", "--trace", "-"]), &["--expand and --trace - both want standard output"]),
            (&["eval", "run", "--csv", "m.csv", "--confusion", "m.csv"], &["are the same file"]),
            (&["eval", "run", "--confusion", "m.svg", "--confusion", "m.svg"], &["are the same file"]),
            (&["compare", "folder", "--csv", "m.csv", "--html", "./m.csv"], &["are the same file"]),
            (&["compare", "a.tsv", "--csv", "a.tsv"], &["--csv a.tsv", "what is read"]),
            (&["find-lr", "small.toml", "--csv", "small.toml"], &["what is read"]),
            (&["find-lr", "small.toml", "--csv", "m.svg", "--plot", "m.svg"], &["are the same file"]),
            (&plan(&["--trace", "folder/run/trace.csv"]), &["a run or sweep keeps its records there"]),
            (&["compare", "folder", "--csv", "folder/run/metrics.csv"], &["a run or sweep keeps its records there"]),
        ],
    );
    assert_eq!(names(&dir.path().join("folder/run")), ["run.json"]);
    assert_eq!(names(dir.path()), ["folder", "small.toml"]);
    assert_eq!(fs::read_to_string(dir.path().join("small.toml")).unwrap(), SMALL);
}

/// Files that the experiment extends are read as well.
#[test]
fn results_in_the_place_of_a_base_are_refused() {
    let dir = small();
    fs::create_dir(dir.path().join("bases")).unwrap();
    fs::write(dir.path().join("bases/ff.toml"), "extends = \"../small.toml\"\n").unwrap();
    fs::write(dir.path().join("lo.toml"), "extends = \"bases/ff.toml\"\nname = \"lo\"\n").unwrap();
    fs::write(dir.path().join("base.png"), SMALL).unwrap();
    fs::write(dir.path().join("sheet.toml"), "extends = \"base.png\"\n").unwrap();
    refused(
        dir.path(),
        &[
            (&["plan", "lo.toml", "--csv", "bases/ff.toml"], &["--csv bases/ff.toml", "what is read"]),
            (&["plan", "lo.toml", "--origins", "--trace", "small.toml"], &["--trace small.toml", "what is read"]),
            (&["plan", "sheet.toml", "--plot", "base.png"], &["--plot base.png", "what is read"]),
            (&["find-lr", "lo.toml", "--csv", "bases/../small.toml"], &["what is read"]),
            (&["data", "info", "sheet.toml", "--sheet", "base.png"], &["--sheet base.png", "what is read"]),
        ],
    );
    assert_eq!(fs::read_to_string(dir.path().join("small.toml")).unwrap(), SMALL);
    assert_eq!(fs::read_to_string(dir.path().join("base.png")).unwrap(), SMALL);
    assert_eq!(names(&dir.path().join("bases")), ["ff.toml"]);
    assert_exit(&run(dir.path(), &["plan", "lo.toml", "--csv", "bases/plan.csv"]), 0);
}

/// Nor what else an experiment reads: images, lists of them, packs, weights, what is painted.
#[test]
fn results_in_the_place_of_an_image_are_refused() {
    let dir = small();
    let at = |name: &str| dir.path().join(name);
    for name in ["train/oak/1.png", "train/elm/1.png", "val/oak/1.png", "val/elm/1.png"] {
        fs::create_dir_all(at("photos").join(name).parent().unwrap()).unwrap();
        image::RgbImage::new(8, 8).save(at("photos").join(name)).unwrap();
    }
    let photos = SMALL.replace("\"shapes\"", "{ kind = \"folder\", size = 8 }\nroot = \"photos\"");
    fs::write(at("photos.toml"), &photos).unwrap();
    fs::write(at("list.png"), "val/oak/1.png\n").unwrap();
    let listed = photos.replace("size = 8 }", "size = 8, val_list = \"../list.png\" }");
    fs::write(at("listed.toml"), listed).unwrap();
    fs::write(at("packed.toml"), photos.replace("\"photos\"\n", "\"photos.png\"\n")).unwrap();
    assert_exit(&run(dir.path(), &["data", "pack", "photos", "-o", "photos.png"]), 0);
    fs::write(at("content.png"), fs::read(at("photos/train/oak/1.png")).unwrap()).unwrap();
    let painted = "name = \"p\"\n[task]\nkind = \"style-transfer\"\ncontent = [\"content.png\"]\n\
                   losses = [\"content\"]\n[model]\nbackbone = \"vgg11\"\n\
                   [[phases]]\nsteps = 1\nsize = 32\noptimizer = \"adam\"\nlr = 0.1\n";
    fs::write(at("painted.toml"), painted).unwrap();
    let image = "photos/train/oak/1.png";
    let inputs = [image, "list.png", "photos.png", "content.png"];
    let before = inputs.map(|name| fs::read(at(name)).unwrap());
    let folder = "it is there, in the folder of images";
    refused(
        dir.path(),
        &[
            (&["plan", "photos.toml", "--plot", image], &["--plot photos/train/oak/1.png: ", folder]),
            (&["plan", "photos.toml", "--csv", "photos/../photos/val/elm/1.png"], &["--csv photos/..", folder]),
            (&["find-lr", "photos.toml", "--plot", image], &["--plot photos", folder]),
            (&["data", "info", "photos.toml", "--sheet", image], &["--sheet photos", folder]),
            (&["data", "info", "folder", "--root", "photos", "--sheet", image], &["--sheet photos", folder]),
            (&["plan", "listed.toml", "--plot", "list.png"], &["--plot list.png: that is what is read"]),
            (&["plan", "packed.toml", "--plot", "photos.png"], &["--plot photos.png: that is what is read"]),
            (&["plan", "painted.toml", "--plot", "content.png"], &["--plot content.png: that is what is read"]),
        ],
    );
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(image, at("link.png")).unwrap();
        refused(dir.path(), &[(&["plan", "photos.toml", "--plot", "link.png"], &["--plot link.png: ", folder])]);
    }
    assert_eq!(inputs.map(|name| fs::read(at(name)).unwrap()), before);
    // Beside the images is a place as any other, again and again.
    for _ in 0..2 {
        assert_exit(&run(dir.path(), &["data", "info", "photos.toml", "--sheet", "sheet.png"]), 0);
    }
}

#[test]
fn the_records_of_a_sweep_are_not_overwritten_by_its_export() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["points", "logs"] {
        fs::create_dir_all(dir.path().join("s").join(folder)).unwrap();
    }
    for name in ["sweep.toml", "trials.csv", "points/t000.toml"] {
        fs::write(dir.path().join("s").join(name), name).unwrap();
    }
    let own = ["a run or sweep keeps its records there", "name another file"];
    refused(
        dir.path(),
        &[
            (&["export", "optuna", "s", "-o", "s/trials.csv"], &own),
            (&["export", "optuna", "s", "-o", "s/sweep.toml"], &own),
            (&["export", "optuna", "s", "-o", "s/points/../points/t000.toml"], &own),
            (&["export", "optuna", "s", "-o", "s/logs/a.log"], &own),
            (&["export", "optuna", "s", "-o", "none/a.log"], &["there is no folder none"]),
        ],
    );
    for name in ["sweep.toml", "trials.csv", "points/t000.toml"] {
        assert_eq!(fs::read_to_string(dir.path().join("s").join(name)).unwrap(), name);
    }
}

#[test]
#[cfg(unix)]
fn an_entry_of_dawnbench_takes_no_place_of_a_record() {
    let dir = study();
    let table = dir.path().join("runs/a0/metrics.csv");
    let columns = "step,epoch,phase,optimizer,size,batch,lr,momentum,train_loss,train_acc,val_loss,val_acc,val_acc_top5,images,\
                   train_seconds,eval_seconds,wall_seconds";
    let rows = format!("{columns}\n0,0,0,sgd,8,10,0.1,0.9,1.0,0.5,1.0,0.5,0.9,1000,10.0,1.0,11.0\n");
    fs::write(&table, &rows).unwrap();
    for folder in ["entry", "links", "runs/a0/checkpoint"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let export = |to: &'static str| {
        ["export", "dawnbench", "runs/a0", "--author", "A. Body", "--email", "a.body@example.org", "--output", to]
    };
    for empty in ["--author", "--email"] {
        let mut arguments = export("entry");
        let at = arguments.iter().position(|argument| *argument == empty).unwrap();
        arguments[at + 1] = " ";
        refused(dir.path(), &[(&arguments, &[empty, "it is empty"])]);
    }
    assert_exit(&run(dir.path(), &export("entry")), 0);
    let written = names(&dir.path().join("entry"));
    assert!(written.len() == 2 && written[0].ends_with(".json") && written[1].ends_with(".tsv"), "{written:?}");
    // Its names are none of a run's, but a link of that name may lead to one.
    std::os::unix::fs::symlink("../runs/a0/metrics.csv", dir.path().join("links").join(&written[1])).unwrap();
    let own = ["a run or sweep keeps its records there", "name another file"];
    refused(
        dir.path(),
        &[
            (&export("runs/a0/checkpoint"), &own),
            (&export("links"), &own),
            (&export("none"), &["--output none/", "there is no folder none", "mkdir -p none"]),
        ],
    );
    assert_eq!(fs::read_to_string(&table).unwrap(), rows);
    assert_eq!(names(&dir.path().join("links")), written[1..]);
    assert!(names(&dir.path().join("runs/a0/checkpoint")).is_empty());
    assert_exit(&run(dir.path(), &export("runs/a0")), 0);
    // A run that does not read is no failure of the program.
    fs::write(&table, rows.replace("0.9,1000", "0.9,many")).unwrap();
    refused(dir.path(), &[(&export("entry"), &["metrics.csv:2: ", "restore the file"])]);
    fs::write(dir.path().join("runs/a0/run.json"), "{").unwrap();
    refused(dir.path(), &[(&export("entry"), &["run.json:1: ", "restore the file"])]);
}

/// Of a folder that is not even there, so that nothing else is looked at before.
#[test]
fn a_pack_takes_no_place_of_a_record() {
    let dir = study();
    let own = ["--out runs/a0/", "a run or sweep keeps its records there", "name another file"];
    refused(
        dir.path(),
        &[
            (&["data", "pack", "photographs", "-o", "runs/a0/metrics.csv"], &own),
            (&["data", "pack", "photographs", "-o", "runs/a0/model.safetensors"], &own),
            (&["data", "pack", "photographs", "-o", "none/a.pack"], &["there is no folder none", "mkdir -p none"]),
        ],
    );
    assert_eq!(names(&dir.path().join("runs/a0")), ["metrics.csv", "run.json"]);
}

/// Of runs that are not even there, so that nothing else is looked at before.
#[test]
fn the_folder_of_a_result_is_looked_for_before_the_work() {
    let dir = small();
    let mut cases: Vec<Vec<&str>> = Vec::new();
    for option in ["--csv", "--html", "--plot"] {
        cases.push(vec!["compare", "runs", option, "none/at/all.svg"]);
    }
    for option in ["--csv", "--confusion"] {
        cases.push(vec!["eval", "runs/a", option, "none/at/all.csv"]);
    }
    cases.push(vec!["plan", "small.toml", "--trace", "none/at/all.csv"]);
    cases.push(vec!["data", "info", "shapes", "--sheet", "none/at/all.png"]);
    for case in &cases {
        let argument = case[case.len() - 2..].join(" ");
        refused(dir.path(), &[(case, &[&argument, "there is no folder none/at", "mkdir -p none/at"])]);
    }
    refused(
        dir.path(),
        &[
            (&["eval", "runs/a", "--csv", "small.toml/a.csv"], &["small.toml is a file, not a folder"]),
            (&["eval", "runs/a", "--csv", "."], &["--csv .: that is a folder"]),
        ],
    );
    assert_eq!(names(dir.path()), ["small.toml"]);
}

/// Three seeds of two experiments; the second is better by 0.05.
fn study() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for seed in 0..3 {
        for (tag, rate, accuracy) in
            [("a", 0.1, 0.80 + 0.002 * f64::from(seed)), ("b", 0.4, 0.85 - 0.002 * f64::from(seed))]
        {
            let folder = dir.path().join("runs").join(format!("{tag}{seed}"));
            fs::create_dir_all(&folder).unwrap();
            let info = json!({
                "format": 1, "name": tag, "status": "done", "exit_reason": null, "created": "2026-01-01T00:00:00Z",
                "updated": "2026-01-01T00:01:00Z", "resumes": 0, "argv": [], "seed": seed, "spec_hash": tag.repeat(8),
                "git_commit": null, "git_dirty": null, "version": "0.1.0", "device": "cpu", "instruction_set": "avx2",
                "threads": 2, "precision": "f32",
                "dataset": { "name": "shapes", "images": 5000, "val_images": 1000, "digest": "", "stand_in": false,
                    "stands_in_for": null },
                "model": "", "parameters": 1, "settings": { "phases[0].lr.to": rate }, "steps": 100, "steps_done": 100,
                "seconds": { "train": 0.0, "eval": 0.0, "data_wait": 0.0, "checkpoint": 0.0 },
                "best": null, "final": null,
            });
            fs::write(folder.join("run.json"), info.to_string()).unwrap();
            let rows = format!("0,0,0.5,3,1000,10\n1,0,{accuracy},2,2000,20\n");
            let table = format!("step,phase,val_acc,val_loss,images,train_seconds\n{rows}");
            fs::write(folder.join("metrics.csv"), table).unwrap();
        }
    }
    dir
}

#[test]
fn a_comparison_prints_one_thing() {
    let dir = study();
    let both = ["both want standard output"];
    refused(
        dir.path(),
        &[
            (&["compare", "runs", "--json", "--csv", "-"], &["--json and --csv - both want standard output"]),
            (&["compare", "runs", "--csv", "-", "--html", "-"], &both),
            (&["compare", "runs", "--markdown", "--csv", "-"], &both),
            (&["compare", "runs", "--markdown", "--html", "-"], &both),
            (&["compare", "runs", "--json", "--markdown"], &["cannot be used with"]),
        ],
    );
    for (arguments, begins) in
        [(&["--csv", "-"][..], "group,name,"), (&["--html", "-"][..], "<!"), (&["--json"][..], "{")]
    {
        let output = run(dir.path(), &[&["compare", "runs"][..], arguments].concat());
        assert_exit(&output, 0);
        assert!(output.stdout.starts_with(begins.as_bytes()), "{arguments:?}: {}", text(&output));
    }
    let output = run(dir.path(), &["compare", "runs", "--json", "--csv", "c.csv"]);
    assert_exit(&output, 0);
    serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    assert!(dir.path().join("c.csv").is_file());
}

#[test]
fn a_claim_that_does_not_hold_is_said_where_no_table_says_it() {
    let dir = study();
    let claimed = |claim: &str, more: &[&str], code: i32| {
        let output = run(dir.path(), &[&["compare", "runs", "--expect", claim][..], more].concat());
        assert_exit(&output, code);
        let [out, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (out, error)
    };
    let (wrong, right) = ("#1 > #2 at 0.05", "#2 > #1 at 0.05");
    for more in [&["--csv", "-"][..], &["--html", "-"], &["--json"]] {
        let (_, error) = claimed(wrong, more, 6);
        assert!(error.starts_with("DOES NOT HOLD: #1 > #2 at 0.05 (difference -4.60 %, p "), "{more:?}: {error}");
        let (_, error) = claimed(right, more, 0);
        assert_eq!(error, "", "{more:?}");
    }
    for more in [&[][..], &["--markdown"], &["--csv", "c.csv"]] {
        let (out, error) = claimed(wrong, more, 6);
        assert!(out.contains("DOES NOT HOLD: #1 > #2 at 0.05") && error.is_empty(), "{more:?}: {out}{error}");
    }
}

#[test]
fn runs_that_all_diverged_end_as_one_does() {
    let dir = study();
    let runs = dir.path().join("runs");
    let diverge = |name: &str| {
        let path = runs.join(name).join("run.json");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(r#""status":"done""#, r#""status":"diverged""#)).unwrap();
    };
    for name in ["a0", "a1", "a2", "b0", "b1"] {
        diverge(name);
    }
    assert_exit(&run(dir.path(), &["compare", "runs"]), 0);
    diverge("b2");
    let output = run(dir.path(), &["compare", "runs"]);
    assert_exit(&output, 4);
    assert!(text(&output).contains(" diverged") && !text(&output).contains("too few"), "{}", text(&output));
    assert_exit(&run(dir.path(), &["compare", "runs", "--expect", "#1 > #2 at 0.05"]), 6);
}

#[test]
fn numbers_that_make_no_sense_are_told_by_what_they_are() {
    let dir = study();
    let number = ["invalid value", "expected a number"];
    let of = |argument: &'static str, value: &'static str| vec!["compare", "runs", "--target", "0.8", argument, value];
    refused(
        dir.path(),
        &[
            (&["compare", "runs", "--target", "90"], &["--target 90", "a fraction", "did you mean 0.9?"]),
            (&["compare", "runs", "--target", "93.1"], &["did you mean 0.931?"]),
            (&["compare", "runs", "--target", "-1"], &["--target -1", "between 0 and 1"]),
            (&["compare", "runs", "--metric", "train_acc", "--target", "90"], &["train_acc is a fraction"]),
            (&["serve", "runs", "--target", "90"], &["did you mean 0.9?"]),
            (&["compare", "runs", "--target", "nan"], &["'nan' for '--target", number[0], number[1]]),
            (&["compare", "runs", "--target", "inf"], &number),
            (&of("--price", "nan"), &["'nan' for '--price", number[0], number[1]]),
            (&of("--price", "-2"), &["'-2' for '--price", "not below 0"]),
            (&of("--alpha", "-0.1"), &["'-0.1' for '--alpha", number[1]]),
            (&of("--margin", "0"), &["'0' for '--margin", "above 0"]),
            (&of("--margin", "-1"), &["'-1' for '--margin", "above 0"]),
        ],
    );
    for arguments in [&["--target", "0.8", "--price", "0"][..], &["--metric", "val_loss", "--target", "2.5"]] {
        assert_exit(&run(dir.path(), &[&["compare", "runs"][..], arguments].concat()), 0);
    }
}

/// Points of per cent of an accuracy, else the unit of what is compared.
#[test]
fn a_margin_is_given_as_differences_are_shown() {
    let dir = study();
    let cases: [(&[&str], f64); 4] = [
        (&["--margin", "50"], 0.5),
        (&["--margin", "0.3"], 0.003),
        (&["--margin", "0.3", "--metric", "val_loss"], 0.3),
        (&["--margin", "0.3", "--target", "0.8", "--by", "time"], 0.3),
    ];
    for (arguments, margin) in cases {
        let output = run(dir.path(), &[&["compare", "runs", "--json"][..], arguments].concat());
        assert_exit(&output, 0);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["margin"], margin, "{arguments:?}");
        // Of three runs a side no interval is wide enough.
        assert_eq!(found["groups"][1]["contrast"]["same"], false, "{arguments:?}");
    }
    let output = run(dir.path(), &["compare", "runs", "--margin", "0.3"]);
    assert!(text(&output).contains("; the same: interval within ±0.3 %"), "{}", text(&output));
    let found: serde_json::Value =
        serde_json::from_slice(&run(dir.path(), &["compare", "runs", "--json"]).stdout).unwrap();
    assert!(found["margin"].is_null() && found["groups"][1]["contrast"]["same"].is_null(), "{found}");
}

#[test]
fn a_seed_has_its_option_where_an_experiment_is_read() {
    let dir = small();
    let expanded = String::from_utf8(planned(dir.path(), &["--expand", "--seed", "9"])).unwrap();
    assert!(expanded.lines().any(|line| line == "seed = 9"), "{expanded}");
    let origins = String::from_utf8(planned(dir.path(), &["--origins", "--seed", "9", "--set", "seed=8"])).unwrap();
    let row = origins.lines().find(|line| line.starts_with("seed ")).unwrap();
    assert!(row.contains(" 9 ") && row.contains("--seed"), "{row}");
    for command in ["model", "train", "find-lr", "bench"] {
        let help = text(&run(dir.path(), &[command, "--help"]));
        assert!(help.contains("--seed <N>"), "{command}: {help}");
    }
    assert_exit(&run(dir.path(), &["model", "small.toml", "--seed", "9"]), 0);
    assert_exit(&run(dir.path(), &["data", "info", "shapes", "--seed", "9", "--json"]), 0);
    let resumed = ["train", "--resume", "runs/a", "--seed", "9"];
    refused(dir.path(), &[(&resumed, &["cannot be used with"]), (&["plan", "small.toml", "--seed", "x"], &["'x'"])]);
    // A pack takes its file by the name that other commands have for it.
    assert_exit(&run(dir.path(), &["data", "pack", "nowhere", "--output", "a.pack"]), 3);
    assert!(text(&run(dir.path(), &["bench", "--help"])).contains("auto, cpu, cuda or cuda:N"));
}

/// Lines of examples that are broken for the width, or that a shell takes otherwise.
#[test]
fn examples_can_be_pasted() {
    let commands: [&[&str]; 11] = [
        &[],
        &["train"],
        &["plan"],
        &["eval"],
        &["compare"],
        &["serve"],
        &["export"],
        &["bench"],
        &["data"],
        &["data", "info"],
        &["data", "pack"],
    ];
    let words = ["runner ", "RUNNER_DATA=", "MLFLOW_TRACKING_URI=", "head ", "optuna-dashboard "];
    for command in commands {
        let help = text(&run(Path::new("."), &[command, &["--help"]].concat()));
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        let examples = help.lines().skip_while(|line| *line != "Examples:").skip(1).take_while(|line| !line.is_empty());
        let examples: Vec<&str> = examples.collect();
        assert!(!examples.is_empty(), "{help}");
        for (k, line) in examples.iter().enumerate() {
            let goes_on = k > 0 && examples[k - 1].ends_with(" \\");
            let begins = |word: &&str| line.strip_prefix("  ").is_some_and(|line| line.starts_with(*word));
            assert!(goes_on || words.iter().any(begins), "{command:?}: broken at\n{line}");
            let is_open = |at: usize| line[..at].matches('\'').count() % 2 == 1;
            let bare = |at: usize| !is_open(at) && !line[at..].starts_with("# ");
            assert!(!line.match_indices(['[', '#']).any(|(at, _)| bare(at)), "{command:?}: to be quoted in\n{line}");
            assert_eq!(line.matches('\'').count() % 2, 0, "{command:?}: {line}");
        }
    }
}

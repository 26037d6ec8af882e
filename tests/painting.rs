//! Style transfer from the command line: what a run leaves, that it goes on to the same bytes, what is said of mistakes.

mod common;

use common::{assert_exit, only_run, runner, skipped, text, timeless};
use runner::data::resize::Extent;
use runner::paint::Picture;
use std::path::{Path, PathBuf};

/// Waves of colour: three frequencies, so that content and style differ.
fn picture(path: &Path, width: usize, height: usize, waves: [f32; 3]) {
    let value = |k: usize| {
        let (x, y, c) = ((k / 3 % width) as f32, (k / 3 / width) as f32, k % 3);
        0.5 + 0.4 * (waves[c] * x + 0.7 * waves[(c + 1) % 3] * y).sin()
    };
    let pixels = (0..width * height * 3).map(value).collect();
    std::fs::write(path, Picture { extent: Extent { width, height }, pixels }.png()).unwrap();
}

/// A folder with pictures and an experiment of two phases, two sizes and two optimizers.
fn workplace() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    picture(&dir.path().join("content.png"), 60, 45, [0.1, 0.2, 0.05]);
    picture(&dir.path().join("second.png"), 50, 50, [0.3, 0.1, 0.2]);
    picture(&dir.path().join("style.png"), 40, 52, [0.9, 1.3, 0.6]);
    picture(&dir.path().join("mask.png"), 60, 45, [0.1, 0.1, 0.1]);
    let config = dir.path().join("paint.toml");
    std::fs::write(&config, PAINT).unwrap();
    (dir, config)
}

const PAINT: &str = r#"
name = "paint"
seed = 2

[task]
kind = "style-transfer"
content = ["content.png"]
style = ["style.png"]
init = { kind = "noise", median = 3 }
losses = [
    { kind = "content", layers = ["before-pool-2"], weight = 1.0 },
    { kind = "style", layers = ["features.1", "before-pool-2"], weights = [2.0, 1.0], weight = 10.0 },
    { total-variation = 0.01 },
]
snapshot_every = "4step"

[model]
backbone = { kind = "vgg11", width = 4 }

[train]
checkpoint_every = "3step"

[[phases]]
steps = 6
size = 32
optimizer = { kind = "lbfgs", iterations = 3 }
lr = 1.0

[[phases]]
steps = 5
size = 48
optimizer = "adam"
lr = { from = 0.05, to = 0.01, curve = "cosine" }
"#;

fn begin(config: &Path, runs: &Path, more: &[&str]) -> std::process::Output {
    let mut command = runner();
    command.arg(config).args(["--quiet", "--runs-dir"]).arg(runs).args(more);
    command.output().unwrap()
}

fn extent(path: &Path) -> Extent {
    Picture::read(path).unwrap().extent
}

#[test]
fn a_painting_leaves_pictures_and_every_term_of_its_loss() {
    let (dir, config) = workplace();
    let runs = dir.path().join("runs");
    assert_exit(&begin(&config, &runs, &[]), 0);
    let run = only_run(&runs);
    let mut trace = csv::Reader::from_path(run.join("trace.csv")).unwrap();
    let columns: Vec<String> = trace.headers().unwrap().iter().map(str::to_owned).collect();
    let terms = ["content.features.4", "style.features.1", "style.features.4", "total-variation", "evaluations"];
    assert_eq!(&columns[columns.len() - 5..], &terms);
    let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let rows: Vec<Vec<f64>> = trace
        .records()
        .map(|row| row.unwrap().iter().map(|field| field.parse().unwrap_or(f64::NAN)).collect())
        .collect();
    assert_eq!(rows.len(), 11);
    for row in &rows {
        let sum: f64 = terms[..4].iter().map(|term| row[at(term)]).sum();
        assert!((sum - row[at("loss")]).abs() <= 1e-9 * sum, "{row:?}");
        assert!(row[at("style.features.1")] > 0.0 && row[at("total-variation")] > 0.0);
    }
    assert!(rows[5][at("loss")] < 0.5 * rows[0][at("loss")], "it goes down: {rows:?}");
    assert!(rows[10][at("loss")] < rows[6][at("loss")]);
    assert!(rows[0][at("evaluations")] > 1.0, "L-BFGS looks again");
    let log = std::fs::read_to_string(run.join("log.txt")).unwrap();
    assert!(log.contains("NOTICE: no `model.weights`: the net's filters are random (He et al. 2015)"), "{log}");
    assert!(log.contains("after step 6/11  loss before it "), "{log}");
    assert_eq!(rows[10][at("evaluations")], 1.0);

    let snapshots: Vec<String> = ["000004.png", "000006.png", "000008.png", "000011.png"].map(str::to_owned).into();
    let mut found: Vec<String> = std::fs::read_dir(run.join("snapshots"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, snapshots);
    assert_eq!(extent(&run.join("snapshots/000006.png")), Extent { width: 32, height: 24 });
    assert_eq!(extent(&run.join("result.png")), Extent { width: 48, height: 36 });
    assert_eq!(
        std::fs::read(run.join("result.png")).unwrap(),
        std::fs::read(run.join("snapshots/000011.png")).unwrap()
    );
    assert!(run.join("sheet.png").is_file() && run.join("curves.svg").is_file() && run.join("schedule.svg").is_file());
    assert!(!run.join("model.safetensors").exists());

    let of = |command: &str| runner().arg(command).arg(&run).output().unwrap();
    assert_exit(&of("eval"), 2);
    assert!(text(&of("eval")).contains("`paint` paints: it has no data set"));
    assert_exit(&of("compare"), 0);
    let curves = dir.path().join("curves.svg");
    assert_exit(&runner().arg("plot").arg(&run).arg("--output").arg(&curves).output().unwrap(), 0);
    assert_exit(&runner().args(["train", "--resume"]).arg(&run).output().unwrap(), 2);
}

/// By the start of nets that are trained, each layer leaves a sixth of the squares it is given.
#[test]
fn random_filters_hand_on_what_they_see_through_ten_layers() {
    let (dir, config) = workplace();
    let runs = dir.path().join("runs");
    let sets = [
        "model.backbone={ kind = 'vgg16', width = 4 }",
        "task.losses=[{ kind = 'content', layers = ['before-pool-4'] }]",
        "task.style=[]",
        "phases[0].steps=2",
        "phases[1].steps=1",
    ];
    let more: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    assert_exit(&begin(&config, &runs, &more), 0);
    let mut trace = csv::Reader::from_path(only_run(&runs).join("trace.csv")).unwrap();
    let columns = trace.headers().unwrap().clone();
    let first = trace.records().next().unwrap().unwrap();
    let of = |name: &str| first[columns.iter().position(|column| column == name).unwrap()].parse::<f64>().unwrap();
    let (content, evaluations) = (of("content.features.22"), of("evaluations"));
    assert!(content > 1e-3 && evaluations > 1.0, "{content}, {evaluations} evaluations");
}

#[test]
fn an_image_that_is_not_finite_is_not_kept() {
    let (dir, config) = workplace();
    let runs = dir.path().join("runs");
    let sets = ["phases[0].optimizer='sgd'", "phases[0].lr=1e60", "phases[0].steps=1"];
    let more: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    assert_exit(&begin(&config, &runs, &more), 4);
    let run = only_run(&runs);
    let log = std::fs::read_to_string(run.join("log.txt")).unwrap();
    assert!(log.contains("the image is not finite after step 0"), "{log}");
    assert!(!run.join("snapshots").exists() && !run.join("result.png").exists());
}

#[test]
fn a_painting_goes_on_to_the_same_bytes_on_any_number_of_threads() {
    let (dir, config) = workplace();
    let reference = dir.path().join("reference");
    assert_exit(&begin(&config, &reference, &["--threads", "2"]), 0);
    let reference = only_run(&reference);
    // Each time as much as the steps of a few milliseconds take: interrupted here and there, at last to the end.
    let mut interrupted = 0;
    for (k, seconds) in [0.0, 0.01, 0.05, 0.2].into_iter().enumerate() {
        let runs = dir.path().join(format!("runs{k}"));
        let mut command = runner();
        command.arg(&config).args(["--quiet", "--threads", "1", "--runs-dir"]).arg(&runs).arg("--until-stdin-closes");
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        while !runs.exists() || std::fs::read_dir(&runs).unwrap().next().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_secs_f64(seconds));
        drop(child.stdin.take());
        let code = child.wait().unwrap().code();
        let run = only_run(&runs);
        if code != Some(0) {
            assert_eq!(code, Some(75), "it stopped between two steps");
            interrupted += 1;
            let output = runner().args(["train", "--quiet", "--resume"]).arg(&run).output().unwrap();
            assert_exit(&output, 0);
        }
        assert_same(&run, &reference);
    }
    assert!(interrupted > 0, "all were done before they were stopped");
}

fn assert_same(run: &Path, reference: &Path) {
    assert_eq!(timeless(&run.join("trace.csv")), timeless(&reference.join("trace.csv")));
    for file in ["result.png", "sheet.png", "experiment.toml", "plan.csv"] {
        assert!(std::fs::read(run.join(file)).unwrap() == std::fs::read(reference.join(file)).unwrap(), "{file}");
    }
}

#[test]
fn killed_anywhere_a_painting_goes_on() {
    let (dir, config) = workplace();
    let reference = dir.path().join("reference");
    assert_exit(&begin(&config, &reference, &[]), 0);
    let reference = only_run(&reference);
    for (k, millis) in [0, 20, 60, 110, 170].into_iter().enumerate() {
        let runs = dir.path().join(format!("runs{k}"));
        let mut child = runner().arg(&config).args(["--quiet", "--runs-dir"]).arg(&runs).spawn().unwrap();
        while !std::fs::read_dir(&runs)
            .is_ok_and(|mut runs| runs.next().is_some_and(|run| run.unwrap().path().join("run.json").is_file()))
        {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it had a folder");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(millis));
        child.kill().unwrap();
        let ended = child.wait().unwrap().code().is_some();
        let run = only_run(&runs);
        if !ended {
            let output = runner().args(["train", "--quiet", "--resume"]).arg(&run).output().unwrap();
            assert_exit(&output, 0);
        }
        assert_same(&run, &reference);
    }
}

#[test]
fn outside_of_the_mask_nothing_changes_and_colours_can_stay() {
    let (dir, config) = workplace();
    // Black on the left, white on the right.
    let (width, height) = (60, 45);
    let side = |k: usize| if k / 3 % width < width / 2 { 0.0 } else { 1.0 };
    let mask = Picture { extent: Extent { width, height }, pixels: (0..width * height * 3).map(side).collect() };
    std::fs::write(dir.path().join("mask.png"), mask.png()).unwrap();
    let run = |more: &[&str], name: &str| {
        let runs = dir.path().join(name);
        let mut all = vec!["--set", "task.init='content'", "--set", "phases[1].size=60"];
        all.extend(more);
        assert_exit(&begin(&config, &runs, &all), 0);
        Picture::read(&only_run(&runs).join("result.png")).unwrap()
    };
    let content = Picture::read(&dir.path().join("content.png")).unwrap();
    let mask = format!("task.mask='{}'", dir.path().join("mask.png").display());
    let masked = run(&["--set", &mask, "--set", "task.feather=0"], "masked");
    let change = |of: &Picture, right: bool| {
        let differs = |(k, (a, b)): (usize, (&f32, &f32))| {
            let is_right = k / 3 % width >= width / 2 + 2;
            let is_left = k / 3 % width < width / 2 - 2;
            if (right && is_right) || (!right && is_left) { (a - b).abs() } else { 0.0 }
        };
        of.pixels.iter().zip(&content.pixels).enumerate().map(differs).fold(0.0, f32::max)
    };
    assert!(change(&masked, false) < 0.5 / 255.0, "{}", change(&masked, false));
    assert!(change(&masked, true) > 0.05);

    let light = run(&["--set", "task.keep_color=true"], "light");
    // I of YIQ, where nothing was cut at black or white.
    let colour = |pixel: &[f32]| 0.596 * pixel[0] - 0.274 * pixel[1] - 0.322 * pixel[2];
    let inside = |pixel: &[f32]| pixel.iter().all(|value| (0.02..0.98).contains(value));
    let pairs = light.pixels.chunks_exact(3).zip(content.pixels.chunks_exact(3)).filter(|(a, _)| inside(a));
    let (mut count, mut worst) = (0, 0.0f32);
    pairs.for_each(|(a, b)| (count, worst) = (count + 1, worst.max((colour(a) - colour(b)).abs())));
    assert!(count > 1000 && worst < 3.0 / 255.0, "{count} pixels, {worst}");
    assert!(change(&light, true) > 0.05);
}

/// As one whose shape is in its transparency, which is not looked at.
#[test]
fn a_mask_that_bounds_nothing_is_said() {
    let (dir, config) = workplace();
    let whole = image::RgbaImage::from_fn(60, 45, |x, _| image::Rgba([255, 255, 255, if x < 30 { 0 } else { 255 }]));
    whole.save(dir.path().join("white.png")).unwrap();
    let log = |mask: &str, name: &str| {
        let (runs, mask) = (dir.path().join(name), format!("task.mask='{}'", dir.path().join(mask).display()));
        assert_exit(
            &begin(&config, &runs, &["--set", &mask, "--set", "phases[0].steps=1", "--set", "phases[1].steps=1"]),
            0,
        );
        std::fs::read_to_string(only_run(&runs).join("log.txt")).unwrap()
    };
    let words = "`task.mask` is white everywhere";
    let said = log("white.png", "white");
    assert!(said.contains(words), "{said}");
    let said = log("mask.png", "bounds");
    assert!(!said.contains(words), "{said}");
}

#[test]
fn several_contents_are_painted_at_once_and_several_styles_are_mixed() {
    let (dir, config) = workplace();
    let runs = dir.path().join("runs");
    let list = |key: &str, files: [&str; 2]| {
        let [a, b] = files.map(|file| dir.path().join(file).display().to_string());
        format!("task.{key}=['{a}', '{b}']")
    };
    let (content, style) = (list("content", ["content.png", "second.png"]), list("style", ["style.png", "second.png"]));
    let more =
        ["--set", &content, "--set", &style, "--set", "task.style_weights=[3, 1]", "--set", "train.precision='bf16'"];
    assert_exit(&begin(&config, &runs, &more), 0);
    let run = only_run(&runs);
    for file in ["result-1.png", "result-2.png", "snapshots/000006-2.png"] {
        assert!(run.join(file).is_file(), "{file}");
    }
    assert_ne!(std::fs::read(run.join("result-1.png")).unwrap(), std::fs::read(run.join("result-2.png")).unwrap());
}

#[test]
fn a_net_trained_here_paints_and_what_is_unused_of_it_is_passed_over() {
    let (dir, config) = workplace();
    let train = dir.path().join("train.toml");
    let net = "name = \"net\"\n[data]\ndataset = \"shapes\"\n[model]\nbackbone = { kind = \"vgg11\", width = 4 }\nhead = \"avg-pool\"\n\
               [[phases]]\nsteps = 2\nbatch = 16\nsize = 32\noptimizer = \"sgd\"\nlr = 0.01\n";
    std::fs::write(&train, net).unwrap();
    let runs = dir.path().join("nets");
    assert_exit(&begin(&train, &runs, &[]), 0);
    let weights = format!("model.weights='{}'", only_run(&runs).join("model.safetensors").display());
    let runs = dir.path().join("runs");
    assert_exit(&begin(&config, &runs, &["--set", &weights]), 0);
    let log = std::fs::read_to_string(only_run(&runs).join("log.txt")).unwrap();
    assert!(log.contains("starting from") && log.contains("all 408 parameters"), "{log}");
    let output = begin(&config, &dir.path().join("other"), &["--set", &weights, "--set", "model.backbone.width=8"]);
    assert_exit(&output, 2);
    assert!(text(&output).contains("of another shape: `features.0.bias`"), "{}", text(&output));
}

#[test]
fn mistakes_are_named_where_they_stand() {
    let (dir, config) = workplace();
    let runs = dir.path().join("runs");
    let cases: &[(&[&str], &str, i32)] = &[
        (&["task.content=[]"], "a term of kind `content` without a content image", 2),
        (&["task.style=[]"], "a term of kind `style` without a style image", 2),
        (&["task.losses=[{ total-variation = 1.0 }]"], "no term looks at the net", 2),
        (&["task.losses[0].layers=['features.99']"], "the net has no layer `features.99`", 2),
        (&["task.losses[0].layers=['before-pool-9']"], "the net has 5 poolings", 2),
        (&["task.losses[1].weights=[1.0]"], "1 weights for 2 layers", 2),
        (&["task.losses[1].weights=[]", "task.losses[1].layers=[]"], "a term that looks at no layer", 2),
        (&["task.losses[0].layers=[]"], "name some, or leave `layers` out", 2),
        (&["task.style_weights=[1.0, 2.0]"], "2 weights for 1 style images", 2),
        (&["data.dataset='shapes'"], "`data` means nothing to task `style-transfer`", 2),
        (&["phases[0].batch=4"], "`batch` means nothing to task `style-transfer`", 2),
        (&["train.label_smoothing=0.1"], "`label_smoothing` means nothing to task `style-transfer`", 2),
        (&["phases[0].label_smoothing=0.1"], "`label_smoothing` means nothing to task `style-transfer`", 2),
        (&["train.loss='bce'"], "`loss` means nothing to task `style-transfer`", 2),
        (&["train.precision='f16'"], "precision `f16` for task `style-transfer`", 2),
        (&["task.content=['nowhere.png']"], "nowhere.png: cannot read", 3),
        (&["task.style=['Cargo.toml']"], "Cargo.toml: cannot be decoded", 3),
        (&["phases[0].size=4"], "images of 4×3 are too small", 2),
        (&["task.init={ image = 'nowhere.png' }"], "nowhere.png: cannot read", 3),
    ];
    for (sets, message, code) in cases {
        let more: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let output = begin(&config, &runs, &more);
        assert!(text(&output).contains(message), "{sets:?}: {}", text(&output));
        assert_exit(&output, *code);
        assert!(!runs.exists() || std::fs::read_dir(&runs).unwrap().next().is_none(), "{sets:?} left a run");
    }
    for command in [&["find-lr"][..], &["bench", "--data"], &["data", "info"], &["data", "info", "--json"]] {
        let output = runner().args(command).arg(&config).output().unwrap();
        assert_exit(&output, 2);
        assert!(text(&output).contains("`paint` paints: it has no data set"), "{}", text(&output));
    }
}

#[test]
fn pictures_that_are_not_there_are_named_where_the_experiment_names_them() {
    let (dir, config) = workplace();
    let runs = dir.path().join("runs");
    std::fs::remove_file(dir.path().join("style.png")).unwrap();
    std::fs::write(dir.path().join("content.png"), "no picture").unwrap();
    let said = |output: std::process::Output, words: [&str; 2]| {
        assert_exit(&output, 3);
        words.iter().for_each(|word| assert!(text(&output).contains(word), "no {word} in {}", text(&output)));
    };
    said(begin(&config, &runs, &[]), ["paint.toml:8:10: error: ", "style.png: cannot read: "]);
    said(begin(&config, &runs, &[]), ["   help: check the path", " 8 | style = [\"style.png\"]"]);
    picture(&dir.path().join("style.png"), 40, 52, [0.9, 1.3, 0.6]);
    said(begin(&config, &runs, &[]), ["paint.toml:7:12: error: ", "content.png: "]);
    said(begin(&config, &runs, &["--set", "task.mask='no.png'"]), ["--set:1:11: error: ", "no.png: cannot read: "]);
    assert!(!runs.exists(), "nothing was begun");
}

#[test]
fn the_plan_of_a_painting_needs_no_picture() {
    let (dir, config) = workplace();
    std::fs::remove_file(dir.path().join("content.png")).unwrap();
    let output = runner().arg("plan").arg(&config).output().unwrap();
    assert_exit(&output, 0);
    assert!(text(&output).contains("lbfgs") && text(&output).contains("pictures: 1 at a time"), "{}", text(&output));
    let output = runner().arg("plan").arg(&config).arg("--expand").output().unwrap();
    assert_exit(&output, 0);
    std::fs::write(dir.path().join("expanded.toml"), &output.stdout).unwrap();
    let again = runner().arg("plan").arg(dir.path().join("expanded.toml")).arg("--expand").output().unwrap();
    assert_exit(&again, 0);
    assert_eq!(again.stdout, output.stdout, "it reads back to the same");
}

#[test]
fn the_net_of_a_painting_is_listed_as_far_as_it_is_looked_at() {
    let (dir, config) = workplace();
    std::fs::remove_file(dir.path().join("content.png")).unwrap();
    // Smaller than the whole net takes.
    let of = |more: &[&str]| {
        runner().arg("model").arg(&config).args(["--set", "phases[0].size=20"]).args(more).output().unwrap()
    };
    let output = of(&[]);
    assert_exit(&output, 0);
    let said = text(&output);
    assert!(said.contains("paint: none → vgg11; images of 48×48×3\n") && said.contains("features.4"), "{said}");
    assert!(!said.contains("features.5") && !said.contains("head") && !said.contains("classes"), "{said}");
    assert_exit(&of(&["--size", "8"]), 0);
    let output = of(&["--size", "1"]);
    assert_exit(&output, 2);
    assert!(text(&output).contains("the net takes no images of 1×1"), "{}", text(&output));
}

#[test]
fn a_painting_that_does_not_fit_into_memory_is_refused_with_the_size_that_would() {
    let (dir, config) = workplace();
    let runs = dir.path().join("runs");
    if runner::train::free_bytes().is_none_or(|free| free > 40 << 30) {
        skipped("this machine does not say how much memory is free, or has much");
        return;
    }
    let output = begin(&config, &runs, &["--set", "phases[1].size=8192", "--set", "model.backbone.width=64"]);
    assert_exit(&output, 2);
    let said = text(&output);
    assert!(said.contains("--set:1:16: error: images of 8192×6144 take ") && said.contains(" are free"), "{said}");
    let size =
        said.split("help: size ").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|size| size.parse().ok());
    assert!(size.is_some_and(|size: usize| (100..8192).contains(&size)), "{said}");
    assert!(!runs.exists(), "nothing was begun");
}

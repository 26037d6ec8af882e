//! `[model] weights`: starting from a file.

mod common;

use common::{assert_exit, only_run, runner, text};
use runner::record::reader::RunReader;
use runner::record::rows::TraceRow;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rates of zero: what is trained is what it started from.
const FROZEN: &str = r#"
name = "frozen"
[data]
dataset = "shapes"
[model]
backbone = { kind = "resnet9", width = 4 }
head = "avg-pool"
[[phases]]
steps = 6
size = 8
batch = 50
optimizer = "sgd"
lr = 0.0
"#;

fn train(dir: &Path, name: &str, sets: &[&str]) -> (std::process::Output, PathBuf) {
    let config = dir.join("frozen.toml");
    std::fs::write(&config, FROZEN).unwrap();
    let runs = dir.join(name);
    let mut command = runner();
    command.arg(&config).arg("--runs-dir").arg(&runs).args(["--set", &format!("name={name}")]);
    command.args(sets.iter().flat_map(|set| ["--set", *set]));
    (command.output().unwrap(), runs)
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR")))
}

#[track_caller]
fn trained(dir: &Path, name: &str, sets: &[&str]) -> (String, PathBuf) {
    let (output, runs) = train(dir, name, sets);
    assert_exit(&output, 0);
    (text(&output), only_run(&runs))
}

fn first_row(run: &Path) -> TraceRow {
    RunReader::open(run).unwrap().trace().unwrap().rows.swap_remove(0)
}

/// All tensors of a file by name: dtype, shape, bytes.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter().map(|(name, t)| (name.to_owned(), (t.dtype(), t.shape().to_vec(), t.data().to_vec()))).collect()
}

fn write(path: &Path, tensors: &Tensors) {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Every `f32` tensor through `convert`.
fn converted(tensors: &Tensors, dtype: Dtype, convert: impl Fn(f32) -> Vec<u8>) -> Tensors {
    let each = |(name, (_, shape, data)): (&String, &(Dtype, Vec<usize>, Vec<u8>))| {
        let floats: Vec<f32> = bytemuck::pod_collect_to_vec(data);
        (name.clone(), (dtype, shape.clone(), floats.into_iter().flat_map(&convert).collect()))
    };
    tensors.iter().map(each).collect()
}

#[test]
fn a_run_starts_from_the_weights_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let (_, teacher) = trained(dir.path(), "teacher", &["phases[0].lr=0.1"]);
    let file = teacher.join("model.safetensors");
    let set = format!("model.weights={:?}", file.to_str().unwrap());
    let (_, fresh) = trained(dir.path(), "fresh", &[]);
    let (said, run) = trained(dir.path(), "pupil", &[&set]);
    assert!(said.contains("tensors, all ") && said.contains(" parameters"), "{said}");
    assert!(said.contains("NOTICE") && said.contains("starting from") && !said.contains("NEW HEAD"), "{said}");
    assert_ne!(first_row(&run).loss, first_row(&fresh).loss);
    // With rates of zero only the running statistics move.
    let (taught, learnt) = (tensors(&file), tensors(&run.join("model.safetensors")));
    let same = taught.iter().filter(|(name, tensor)| learnt[*name] == **tensor).count();
    let statistics = taught.keys().filter(|name| name.contains("running")).count();
    assert_eq!(same, taught.len() - statistics);

    // The file's content is part of what the experiment is, its place is not.
    let moved = dir.path().join("moved.safetensors");
    std::fs::copy(&file, &moved).unwrap();
    let (_, again) = trained(dir.path(), "again", &[&format!("model.weights={:?}", moved.to_str().unwrap())]);
    let info = |run: &Path| RunReader::open(run).unwrap().info().unwrap();
    assert_eq!(info(&again).spec_hash, info(&run).spec_hash);
    assert_ne!(info(&fresh).spec_hash, info(&run).spec_hash);
    let weights = info(&again).weights.unwrap();
    assert_eq!((weights.path.as_str(), weights.sha256.len()), (moved.to_str().unwrap(), 64));
    assert_eq!(Some(weights.sha256), info(&run).weights.map(|weights| weights.sha256));
    assert_eq!(info(&fresh).weights, None);
    let written = std::fs::read_to_string(again.join("experiment.toml")).unwrap();
    assert!(written.contains(&format!("weights = {:?}", moved.to_str().unwrap())), "{written}");
    assert_eq!(first_row(&again).loss, first_row(&run).loss);

    // Another content is another experiment.
    let mut other = taught;
    other.get_mut("head.fc.bias").unwrap().2[..4].copy_from_slice(&1f32.to_le_bytes());
    write(&moved, &other);
    let (_, third) = trained(dir.path(), "third", &[&format!("model.weights={:?}", moved.to_str().unwrap())]);
    assert_ne!(info(&third).spec_hash, info(&run).spec_hash);
}

#[test]
fn a_head_of_another_shape_starts_afresh_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (_, teacher) = trained(dir.path(), "teacher", &["phases[0].lr=0.1"]);
    let file = teacher.join("model.safetensors");
    let set = format!("model.weights={:?}", file.to_str().unwrap());
    let (said, run) = trained(dir.path(), "pupil", &[&set, "model.classes=12"]);
    let log = std::fs::read_to_string(run.join("log.txt")).unwrap();
    for words in
        ["A NEW HEAD starts afresh", "`head.fc.weight` is 10×", "and 12×", "`head.fc.bias` is 10 there and 12 here"]
    {
        assert!(log.contains(words), "no {words} in {log}");
    }
    assert!(said.contains("A NEW HEAD"), "{said}");
    let (taught, learnt) = (tensors(&file), tensors(&run.join("model.safetensors")));
    assert_eq!(learnt["layer1.0.conv.weight"], taught["layer1.0.conv.weight"]);
    assert_eq!(learnt["head.fc.bias"].1, [12]);
    // The head's start is that of a run without weights.
    let (_, fresh) = trained(dir.path(), "fresh", &["model.classes=12"]);
    assert_eq!(learnt["head.fc.weight"], tensors(&fresh.join("model.safetensors"))["head.fc.weight"]);

    // A layer is of one piece: what fits of one that has another shape was trained with that.
    let mut wider = taught;
    let (_, shape, data) = wider.get_mut("head.fc.weight").unwrap();
    shape[1] += 1;
    data.extend(vec![0; 4 * shape[0]]);
    wider.get_mut("head.fc.bias").unwrap().2.fill(0x3f);
    let file = dir.path().join("wider.safetensors");
    write(&file, &wider);
    let (said, run) = trained(dir.path(), "narrow", &[&format!("model.weights={:?}", file.to_str().unwrap())]);
    assert!(said.contains("`head.fc.bias` (of a layer of another shape there)"), "{said}");
    let (_, fresh) = trained(dir.path(), "narrow-fresh", &[]);
    let [learnt, fresh] = [run, fresh].map(|run| tensors(&run.join("model.safetensors")));
    assert_eq!(learnt["head.fc.bias"], fresh["head.fc.bias"]);
    assert_eq!(learnt["layer1.0.conv.weight"], wider["layer1.0.conv.weight"]);
}

#[test]
fn other_element_types_and_pytorchs_counters_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (_, teacher) = trained(dir.path(), "teacher", &["phases[0].lr=0.1"]);
    let taught = tensors(&teacher.join("model.safetensors"));
    let loss = |name: &str, file: &Tensors| {
        let path = dir.path().join(name);
        write(&path, file);
        first_row(
            &trained(dir.path(), &format!("of-{name}"), &[&format!("model.weights={:?}", path.to_str().unwrap())]).1,
        )
        .loss
    };
    let plain = loss("f32", &taught);
    let wide = converted(&taught, Dtype::F64, |x| f64::from(x).to_le_bytes().to_vec());
    assert_eq!(loss("f64", &wide), plain);
    let halves = converted(&taught, Dtype::F16, |x| half::f16::from_f32(x).to_le_bytes().to_vec());
    assert!((loss("f16", &halves) - plain).abs() < 1e-2);
    let mut brains = converted(&taught, Dtype::BF16, |x| half::bf16::from_f32(x).to_le_bytes().to_vec());
    brains.insert("layer1.0.norm.num_batches_tracked".to_owned(), (Dtype::I64, vec![], vec![0; 8]));
    assert!((loss("bf16", &brains) - plain).abs() < 0.1);
}

/// Both forms of `torch.save`, under the names that torchvision publishes weights by.
#[test]
fn files_of_torch_save_start_the_net_that_they_are_of() {
    let dir = tempfile::tempdir().unwrap();
    let published = tensors(&fixture("torch/vision_nets.safetensors"));
    let net = [
        "model.backbone={ kind = \"vgg11\", width = 2 }",
        "model.head={ kind = \"fully-connected\", hidden = [8, 8], hidden_dropout = 0.0 }",
        "phases[0].size=32",
        "phases[0].steps=1",
    ];
    for name in ["vgg11", "vgg11-legacy"] {
        let file = fixture(&format!("pth/{name}.pth"));
        let set = format!("model.weights={:?}", file.to_str().unwrap());
        let (said, run) = trained(dir.path(), name, &[&net[..], &[set.as_str()]].concat());
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("22 tensors, all 15,582 parameters") && !words.contains("NEW HEAD"), "{said}");
        let learnt = tensors(&run.join("model.safetensors"));
        let renames =
            [("head.hidden1.", "classifier.0."), ("head.hidden2.", "classifier.3."), ("head.fc.", "classifier.6.")];
        for (ours, (_, _, numbers)) in &learnt {
            let rename = renames.iter().find(|(ours_, _)| ours.starts_with(ours_));
            let theirs = rename.map_or(ours.clone(), |(ours_, theirs)| ours.replacen(ours_, theirs, 1));
            assert_eq!(numbers, &published[&format!("vgg11/before/{theirs}")].2, "{name}: {ours}");
        }
    }
}

#[test]
fn what_does_not_fit_is_said_at_its_place_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let (_, teacher) = trained(dir.path(), "teacher", &[]);
    let taught = tensors(&teacher.join("model.safetensors"));
    let path = dir.path().join("w.safetensors");
    let set = format!("model.weights={:?}", path.to_str().unwrap());
    let refused = |words: &[&str], sets: &[&str]| {
        let sets: Vec<&str> = [set.as_str()].into_iter().chain(sets.iter().copied()).collect();
        let (output, runs) = train(dir.path(), "refused", &sets);
        assert_exit(&output, 2);
        let said = text(&output);
        assert!(said.contains("--set:1:") && said.contains("error: cannot start from"), "{said}");
        words.iter().for_each(|word| assert!(said.contains(word), "no {word} in {said}"));
        assert!(!runs.exists(), "nothing is made");
    };
    refused(&["w.safetensors", "cannot be read"], &[]);
    std::fs::write(&path, "PK\x03\x04 and so on").unwrap();
    refused(&["not a whole file of torch.save", "copy or fetch the file again"], &[]);
    std::fs::copy(fixture("pth/module.pth"), &path).unwrap();
    refused(&["no state dict but torch.nn.modules.linear.Linear", "torch.save(net.state_dict(), FILE)"], &[]);
    std::fs::copy(fixture("pth/zip.pth"), &path).unwrap();
    refused(&["does not fit the net", "not of this net: `brain`, `conv.bias`", "and 5 more"], &[]);
    std::fs::write(&path, [0xff; 64]).unwrap();
    refused(&["not a whole safetensors file"], &[]);

    let prefixed = taught.iter().map(|(name, tensor)| (format!("module.{name}"), tensor.clone())).collect();
    write(&path, &prefixed);
    refused(&["`module.…`", "removeprefix"], &[]);
    let mut other = taught.clone();
    let tensor = other.remove("layer1.0.conv.weight").unwrap();
    write(&path, &other);
    refused(&["missing: `layer1.0.conv.weight`", "matched by name"], &[]);
    other.insert("layer1.0.conv_weight".to_owned(), tensor);
    write(&path, &other);
    refused(&["not of this net: `layer1.0.conv_weight`", "called `layer1.0.conv.weight` here"], &[]);
    write(&path, &taught);
    refused(
        &["of another shape", "`layer1.0.conv.weight` is 8×4×3×3 there and 10×5×3×3 here"],
        &["model.backbone.width=5"],
    );
    other = taught.clone();
    other.get_mut("layer1.0.conv.weight").unwrap().2[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    write(&path, &other);
    refused(&["`layer1.0.conv.weight` holds NaN at place 1", "did not diverge"], &[]);
    other = converted(&taught, Dtype::I32, |x| (x as i32).to_le_bytes().to_vec());
    write(&path, &other);
    refused(&["holds I32", "weights are real numbers", "v.float()", "load_file(FILE)"], &[]);
    other = taught.clone();
    other.remove("head.fc.bias").unwrap();
    write(&path, &other);
    refused(
        &["half a layer: `head.fc.bias` is missing, and `head.fc.weight` is there", "taken whole or starts afresh"],
        &[],
    );
    std::fs::copy(teacher.join("checkpoint/state.safetensors"), &path).unwrap();
    refused(&["checkpoint of a run", "model.safetensors"], &[]);
}

/// Filters that are computed from the images: the same for any seed and any rates, untouched by training and by decay, in the
/// records as others are, and not computed anew where the weights come from a file.
#[test]
fn whitening_filters_depend_on_the_images_alone_and_stay() {
    let dir = tempfile::tempdir().unwrap();
    let net = ["model.backbone={ airbench94 = [4] }", "model.head=max-pool", "phases[0].weight_decay=0.1"];
    let run = |name: &str, more: &[&str]| trained(dir.path(), name, &[&net[..], more].concat()).1;
    let (still, other) = (run("still", &[]), run("other", &["seed=5", "phases[0].lr=0.1", "phases[0].steps=9"]));
    let (a, b) = (tensors(&still.join("model.safetensors")), tensors(&other.join("model.safetensors")));
    assert_eq!(a["stem.conv.weight"], b["stem.conv.weight"]);
    assert_eq!(a["layer1.norm1.weight"], b["layer1.norm1.weight"], "a scale that is not trained");
    assert!(["stem.conv.bias", "layer1.conv1.weight", "layer1.norm1.bias"].into_iter().all(|name| a[name] != b[name]));
    let info = RunReader::open(&still).unwrap().info().unwrap();
    let numbers = |name: &str| a[name].2.len() as u64 / 4;
    let frozen = ["stem.conv.weight", "layer1.norm1.weight", "layer1.norm2.weight"].map(numbers);
    let all: u64 = a.keys().filter(|name| !name.contains("running")).map(|name| numbers(name)).sum();
    assert_eq!(info.parameters, all - frozen.iter().sum::<u64>(), "trained ones");

    let mut given = a.clone();
    given.get_mut("stem.conv.weight").unwrap().2.fill(0);
    let file = dir.path().join("given.safetensors");
    write(&file, &given);
    let pupil = run("pupil", &[&format!("model.weights={:?}", file.to_str().unwrap())]);
    assert_eq!(tensors(&pupil.join("model.safetensors"))["stem.conv.weight"], given["stem.conv.weight"]);
}

/// A plan does without them, and says so; a run folder is answered with the file in it.
#[test]
fn weights_that_are_not_there_are_said_before_training() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("frozen.toml");
    std::fs::write(&config, FROZEN).unwrap();
    let said = |command: &[&str], path: &str| {
        let set = format!("model.weights={path:?}");
        let output = runner().current_dir(dir.path()).args(command).args(["--set", &set]).output().unwrap();
        (output.status.code(), text(&output))
    };
    for command in [["plan", "frozen.toml"], ["model", "frozen.toml"]] {
        let (code, words) = said(&command, "nope.safetensors");
        assert!(code == Some(0) && words.contains("there is no file") && words.contains("nope.safetensors"), "{words}");
    }
    let run = dir.path().join("run");
    std::fs::create_dir(&run).unwrap();
    std::fs::write(run.join("model.safetensors"), "").unwrap();
    let (_, words) = said(&["plan", "frozen.toml"], run.to_str().unwrap());
    assert!(words.contains("names a folder") && words.contains("run/model.safetensors"), "{words}");
    let (code, words) = said(&["train", "frozen.toml"], run.to_str().unwrap());
    assert!(code == Some(2) && words.contains("name the file in that folder"), "{words}");
}

/// What is there is looked at as training does.
#[test]
fn weights_that_do_not_fit_are_said_by_plan_and_model() {
    let dir = tempfile::tempdir().unwrap();
    let file = trained(dir.path(), "teacher", &[]).1.join("model.safetensors");
    let path = dir.path().join("w.safetensors");
    let set = format!("model.weights={:?}", path.to_str().unwrap());
    let of = |command: &str, more: &[&str]| {
        let mut process = runner();
        process.arg(command).arg(dir.path().join("frozen.toml")).args(["--set", &set]).args(more).output().unwrap()
    };
    for command in ["plan", "model"] {
        let refused = |words: &str, more: &[&str]| {
            let output = of(command, more);
            assert_exit(&output, 2);
            let said = text(&output);
            assert!(said.contains("--set:1:15: error: cannot start from") && said.contains(words), "{said}");
        };
        std::fs::write(&path, [0xff; 64]).unwrap();
        refused("not a whole safetensors file", &[]);
        std::fs::copy(&file, &path).unwrap();
        refused("of another shape", &["--set", "model.backbone.width=5"]);
        assert_exit(&of(command, &[]), 0);
        // Which set is used is open: a head of other classes starts afresh, and what is no file of weights is none for either.
        let absent = ["--set", "data.dataset=cifar100", "--set", "data.stand_in=shapes"];
        assert_exit(&of(command, &absent), 0);
        std::fs::write(&path, [0xff; 64]).unwrap();
        refused("not a whole safetensors file", &absent);
    }
}

/// The weights of the best evaluation and those at the ends of phases, also of a run that was killed and went on.
#[test]
fn weights_on_the_way_are_kept_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("kept.toml");
    let phases = |rates: [f64; 3]| rates.map(|lr| format!("[[phases]]\nsteps = 5\nlr = {lr}\n")).concat();
    let first = "[[phases]]\nsize = 8\nbatch = 50\noptimizer = \"sgd\"";
    let head = &FROZEN[..FROZEN.find("[[phases]]").unwrap()];
    // The last phase ruins what the others have learned.
    let content = format!(
        "{head}[train]\neval_every = \"5step\"\ncheckpoint_every = \"4step\"\n[record]\nbest = true\nphases = true\n{}",
        phases([0.02, 0.005, 3.0]).replacen("[[phases]]", first, 1)
    );
    std::fs::write(&config, content).unwrap();
    let train = |runs: &Path| {
        let mut command = runner();
        command.arg(&config).arg("--runs-dir").arg(runs).arg("--quiet");
        command
    };
    let whole = dir.path().join("whole");
    assert_exit(&train(&whole).output().unwrap(), 0);
    let run = only_run(&whole);
    let read = |run: &Path, name: &str| std::fs::read(run.join(name)).unwrap();
    let rows = RunReader::open(&run).unwrap().metrics().unwrap().rows;
    let best =
        rows.iter().enumerate().fold(0, |best, (k, row)| if row.val_acc > rows[best].val_acc { k } else { best });
    assert!(best < 2, "{rows:?}");
    assert!(read(&run, "model-best.safetensors") == read(&run, &format!("model-phase-{best}.safetensors")));
    // But for the step in its metadata.
    let tensors = |name: &str| -> BTreeMap<String, Vec<u8>> {
        let bytes = read(&run, name);
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect()
    };
    assert!(tensors("model.safetensors") == tensors("model-phase-2.safetensors"));
    assert!(tensors("model-phase-0.safetensors") != tensors("model-phase-1.safetensors"));
    // Evaluated, they give the figures of that row.
    let weights = run.join("model-best.safetensors");
    let output = runner().arg("eval").arg(&run).arg("--weights").arg(&weights).arg("--json").output().unwrap();
    assert_exit(&output, 0);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["val_acc"].as_f64(), Some(rows[best].val_acc));
    assert_eq!(found["weights"].as_str(), weights.to_str());
    let gone = run.join("model-worst.safetensors");
    assert_exit(&runner().arg("eval").arg(&run).arg("--weights").arg(&gone).output().unwrap(), 2);

    // The best evaluation lies behind the checkpoint that a killed run goes on from.
    let killed = dir.path().join("killed");
    let mut child = train(&killed).spawn().unwrap();
    let kept = loop {
        let kept = std::fs::read_dir(&killed).ok().and_then(|mut runs| runs.next()).map(|run| run.unwrap().path());
        match kept.filter(|run| run.join("model-phase-0.safetensors").exists()) {
            Some(run) => break run,
            None => assert!(child.try_wait().unwrap().is_none_or(|status| status.success())),
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    if RunReader::open(&kept).unwrap().info().unwrap().status != runner::record::Status::Done {
        assert_exit(&runner().args(["train", "--quiet", "--resume"]).arg(&kept).output().unwrap(), 0);
    }
    for name in
        ["model.safetensors", "model-best.safetensors", "model-phase-0.safetensors", "model-phase-2.safetensors"]
    {
        assert_eq!(read(&kept, name), read(&run, name), "{name}");
    }
}

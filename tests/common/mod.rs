//! Running the program as a user does, for the tests that need that.
#![allow(dead_code)] // each test file uses its part

use runner::config::spec::Spec;
use runner::config::{self, Text};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program, unaffected by the environment that the tests run in.
pub fn runner() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
    command.env("RUNNER_DATA", "/nonexistent").env("NO_COLOR", "1").env_remove("RUNNER_ISA").env_remove("RUST_LOG");
    // No test reaches the network: all requests go to a port that nobody listens on.
    for proxy in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy"] {
        command.env(proxy, "http://127.0.0.1:1");
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    command
}

/// An experiment with a net, given by the lines of `[model]`.
pub fn net(model: &str) -> Spec {
    let content = format!(
        "name = \"net\"\n[data]\ndataset = \"shapes\"\n[model]\n{model}\n\
         [[phases]]\nsteps = 1\nbatch = 8\noptimizer = \"sgd\"\nlr = 0.1\n"
    );
    let text = Text { name: "net.toml".into(), content: content.clone(), folder: PathBuf::new() };
    config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}\n{content}")).spec
}

/// A small experiment with one entry of `[[phases]]`, given by its lines.
pub fn spec_of(phase: &str) -> Spec {
    let content = format!(
        "name = \"phase\"\n[data]\ndataset = \"shapes\"\n[model]\nbackbone = \"shallow\"\n[[phases]]\n{phase}\n"
    );
    let text = Text { name: "phase.toml".into(), content: content.clone(), folder: PathBuf::new() };
    config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}\n{content}")).spec
}

/// Says that a test did not run, past the harness, which keeps to itself what passing tests print.
pub fn skipped(why: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "skipped: {why}");
}

/// What came out, as text.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The exit code, with what was printed where it is not the expected one.
#[track_caller]
pub fn assert_exit(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "{:?}\n{}", output.status, text(output));
}

/// The one run folder under `runs`.
#[track_caller]
pub fn only_run(runs: &Path) -> PathBuf {
    let folders: Vec<PathBuf> = std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

/// A CSV file without the columns that measure time.
pub fn timeless(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let keep: Vec<bool> = reader.headers().unwrap().iter().map(|column| !column.contains("seconds")).collect();
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            record.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(field, _)| field.to_owned()).collect()
        })
        .collect()
}

/// A small experiment on generated images: three phases, two optimizers besides that of a rule, three sizes, borders in
/// mid-epoch; groups with rates of their own; parameters that are frozen in the last phase, and for a while.
pub const SMALL: &str = r#"
name = "small"
seed = 3

[data]
dataset = "shapes"
augment = ["flip-alternating", { translate = 2 }, { cutout = 4 }]

[model]
backbone = { kind = "resnet9", width = 4 }

[train]
label_smoothing = 0.1
checkpoint_every = "7step"
eval_every = "11step"
tta = "mirror"
tta_at = "last"
average = { kind = "ema", decay = 0.9, every = "3step", start = "9step" }
lookahead = { every = 4, decay = { to = 0.7, from = 0, curve = { power = 2 } }, start = "17step", at_epoch_end = true }

[[params]]
role = "conv"
optimizer = { kind = "muon", iterations = 2, renormalise = true }
lr = { from = 0.04, to = 0.01 }
momentum = 0.6

[[params]]
group = "stem"
match = "*.norm.*"
until = "30step"

[[params]]
role = "norm"
lr_factor = 0.5
weight_decay = 0.0

[[phases]]
steps = 13
size = 8
batch = 96
optimizer = "rmsprop"
lr = { from = 1e-3, to = 2e-3, curve = "linear" }
momentum = 0.5

[[phases]]
epochs = 0.25
size = 12
batch = 128
accumulate = 3
optimizer = { kind = "sgd", nesterov = true }
carry = true
lr = { from = 0.05, to = 0.1, curve = "cosine" }
lr_groups = { head = 0.5, layer1 = 2.0 }
freeze = ["layer2"]
momentum = { from = 0.95, to = 0.85, curve = { poly = 2.0 } }
weight_decay = { from = 5e-4, to = 1e-4, curve = "exponential" }

[[phases]]
steps = 81
size = 16
lr = { from = 0.1, curve = "linear" }
lr_values = { head = { from = 0.04, to = 0.01 } }
freeze = []
momentum = 0.9
weight_decay = 5e-4
"#;

/// From RMSProp over a mix of rules to SGD, with bounds on the gradients.
pub const TRANSITION: &str = r#"
name = "transition"
seed = 2

[data]
dataset = "shapes"

[model]
backbone = { kind = "resnet9", width = 4 }

[train]
checkpoint_every = "4step"

[[phases]]
steps = 6
size = 8
batch = 64
optimizer = "rmsprop"
lr = 1e-3
momentum = 0.9
clip_norm = { from = 0.5, to = 0.25 }

[[phases]]
steps = 8
optimizer = { kind = "mix", from = "rmsprop", to = { kind = "sgd", nesterov = true }, from_rate = 0.02 }
carry = true
lr = 0.05
clip_value = 0.1

[[phases]]
steps = 6
optimizer = { kind = "sgd", nesterov = true }
carry = true
lr = 0.05
clip_norm = 0
clip_value = 0
weight_decay_groups = { head = { from = 0.5, to = 0.0 } }
"#;

/// A few steps of L-BFGS; the norms by a rule of their own.
pub const SEARCH: &str = r#"
name = "search"
seed = 2

[data]
dataset = "shapes"

[model]
backbone = { kind = "resnet9", width = 4 }

[train]
checkpoint_every = "2step"

[[params]]
role = "norm"
optimizer = "lion"
lr = 1e-3

[[phases]]
steps = 8
size = 8
batch = 64
optimizer = { kind = "lbfgs", history = 3, iterations = 3 }
lr = 1.0
weight_decay = 1e-4
"#;

/// Schedule-free rules for all parameters, with a rate that rises from 0 and stays and a momentum that moves, and an average besides.
pub const SCHEDULE_FREE: &str = r#"
name = "schedule-free"
seed = 2

[data]
dataset = "shapes"

[model]
backbone = { kind = "resnet9", width = 4 }

[train]
checkpoint_every = "2step"
eval_every = "5step"
average = "ema"

[[params]]
role = "norm"
optimizer = "schedule-free-adamw"
lr = 1e-3

[[phases]]
steps = 6
size = 8
batch = 64
optimizer = "schedule-free-sgd"
lr = { from = 0.0, to = 0.5 }
momentum = { from = 0.95, to = 0.85 }
weight_decay = 1e-4
clip_norm = 2.0

[[phases]]
steps = 12
batch = 50
lr = 0.5
"#;

/// Half precision with a scale that is too large at first: steps are left out, before a checkpoint and after.
pub const SCALED: &str = r#"
name = "scaled"
seed = 2

[data]
dataset = "shapes"

[model]
backbone = { kind = "resnet9", width = 4 }

[train]
precision = "f16"
loss_scale = { kind = "dynamic", initial = 16777216.0, every = 3 }
checkpoint_every = "4step"

[[phases]]
steps = 24
size = 8
batch = 64
optimizer = "sgd"
lr = { from = 0.2, to = 0.0 }
clip_norm = 5.0
"#;

/// All that is drawn anew at each step, in one part and in several: mixtures of images, dropout; in ghost batches, by binary
/// cross-entropy, with another smoothing of labels from the second phase on.
pub const REGULARISED: &str = r#"
name = "regularised"
seed = 5

[data]
dataset = "shapes"
augment = ["flip"]

[model]
backbone = { kind = "resnet9", width = 4 }
head = { kind = "max-pool", dropout = 0.3 }

[train]
loss = { bce = 0.2 }
label_smoothing = 0.1
checkpoint_every = "4step"
ghost_batch = 16

[[phases]]
steps = 7
size = 8
batch = 64
mix_images = [{ mixup = 0.4 }]
optimizer = "sgd"
lr = 0.05

[[phases]]
steps = 9
mix_images = [{ kind = "mixup", probability = 0.5 }, "cutmix"]
label_smoothing = 0.3
accumulate = 3
lr = 0.05

[[phases]]
steps = 6
batch = 50
accumulate = 1
optimizer = { kind = "lbfgs", history = 3, iterations = 3 }
lr = 1.0
"#;

/// Epochs that leave images out in each way, and all images before and behind.
pub const PRUNED: &str = r#"
name = "pruned"
seed = 5

[data]
dataset = "shapes"

[model]
backbone = { kind = "resnet9", width = 2 }

[train]
checkpoint_every = "5step"
eval_every = "1ep"

[[phases]]
epochs = 1
size = 8
batch = 250
optimizer = "sgd"
lr = 0.05

[[phases]]
epochs = 2
prune_images = { kind = "infobatch", easy = 0.8, keep = 0.25 }
lr = { from = 0.05, to = 0.02 }

[[phases]]
epochs = 1
accumulate = 2
prune_images = { hardest = 0.5 }
lr = 0.02

[[phases]]
epochs = 1
accumulate = 1
prune_images = { random = 0.5 }
lr = 0.02

[[phases]]
steps = 5
prune_images = "none"
lr = 0.01
"#;

/// Something of every section, in short forms and with carry-over.
pub const WHOLE: &str = r#"
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
group = "head"
optimizer = { kind = "adamw", eps = 1e-7 }
lr = { from = 0.3333333333333333, curve = "cosine" }
momentum = { from = 0.8, to = 0.9 }
until = "3ep"

[[params]]
role = "bias"
lr_factor = 2

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
mix_images = [{ mixup = 0.2 }, { kind = "cutmix", probability = 0.5 }]

[[phases]]
epochs = 4
size = 32
augment = []
optimizer = "sgd"
carry = true
lr = { from = 0.4, curve = { poly = 0.9 } }
momentum = { from = 0.95, to = 0.85, curve = "cosine" }
"#;

/// One epoch of the generated set, then six of [`photographs`], which lie beside the file.
pub const SETS: &str = r#"
name = "sets"
seed = 4

[data]
dataset = "shapes"
augment = ["flip"]

[model]
backbone = { kind = "resnet9", width = 4 }

[train]
checkpoint_every = "5step"
average = { kind = "swa", start = "1ep" }

[[phases]]
epochs = 1
size = 8
batch = 250
optimizer = "sgd"
lr = 0.05

[[phases]]
epochs = 6
data = { dataset = "folder", root = "photographs" }
batch = 16
lr = { from = 0.05, to = 0.01 }
"#;

/// 60 training and 21 validation images of 12×12, of three classes that a colour tells apart.
pub fn photographs(root: &Path) {
    for (split, count) in [("train", 20), ("val", 7)] {
        for class in 0..3u8 {
            let folder = root.join(split).join(format!("class {class}"));
            std::fs::create_dir_all(&folder).unwrap();
            for number in 0..count {
                let colour = |x: u32, y: u32| {
                    let ground = ((x * 7 + y * 13 + number * 29) % 64) as u8;
                    let mut pixel = [ground; 3];
                    pixel[usize::from(class)] += 128;
                    image::Rgb(pixel)
                };
                image::ImageBuffer::from_fn(12, 12, colour).save(folder.join(format!("{number}.png"))).unwrap();
            }
        }
    }
}

//! `--device`, with the emulation in a GPU's place: what trains there goes on there, is looked at there, and may go elsewhere.

mod common;

use common::{assert_exit, only_run, photographs, runner, text, timeless};
use runner::record::Status;
use runner::record::reader::RunReader;
use runner::record::rows::TraceRow;
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

/// Few small images, for the emulation is slow.
const TINY: &str = r#"
name = "tiny"
seed = 2

[data]
dataset = "folder"
root = "photographs"
augment = ["flip"]

[model]
backbone = { kind = "resnet9", width = 4 }

[train]
eval_batch = 16
eval_every = "5step"
checkpoint_every = "3step"
average = { kind = "ema", decay = 0.9, every = "2step" }

[[phases]]
steps = 20
size = 8
batch = 8
optimizer = { kind = "sgd", nesterov = true }
lr = { from = 0.05, to = 0.01 }
momentum = 0.9
weight_decay = 5e-4
"#;

/// A folder with the experiment, `tiny.toml`, and its images.
fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tiny.toml"), TINY).unwrap();
    photographs(&folder.path().join("photographs"));
    folder
}

/// The program in that folder.
fn run(folder: &Path, words: &[&str]) -> Output {
    command(folder, words).output().unwrap()
}

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = runner();
    command.current_dir(folder).args(words);
    command
}

/// What trains the experiment into that folder of runs.
fn train(folder: &Path, runs: &str, words: &[&str]) -> Command {
    command(folder, &[&["train", "tiny.toml", "--quiet", "--runs-dir", runs][..], words].concat())
}

/// A run of a few steps on that device.
fn short_run(folder: &Path, device: &str) -> PathBuf {
    let words = ["--device", device, "--set", "phases[0].steps=4"];
    assert_exit(&train(folder, "short", &words).output().unwrap(), 0);
    only_run(&folder.join("short"))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}\n{}", text(output)))
}

/// What was printed, with a blank between words: lines are broken to the width of the terminal.
fn words(output: &Output) -> String {
    text(output).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whole rows of `trace.csv` so far.
fn rows(run: &Path) -> usize {
    let bytes = std::fs::read(run.join("trace.csv")).unwrap_or_default();
    bytes.iter().filter(|byte| **byte == b'\n').count().saturating_sub(1)
}

/// Waits until the run has recorded so many steps, and kills it.
fn killed_after(steps: usize, mut child: Child, runs: &Path) -> PathBuf {
    let begun = Instant::now();
    loop {
        let run = std::fs::read_dir(runs).ok().and_then(|mut folder| folder.next()).map(|entry| entry.unwrap().path());
        if let Some(run) = run.filter(|run| run.join("run.json").is_file() && rows(run) >= steps) {
            child.kill().unwrap();
            assert_eq!(child.wait().unwrap().signal(), Some(9), "the run ended before it was killed");
            return run;
        }
        assert!(child.try_wait().unwrap().is_none(), "the run ended before step {steps}");
        assert!(begun.elapsed() < Duration::from_secs(300), "no step {steps} in five minutes");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_run_that_is_killed_goes_on_to_the_same_bytes_on_its_device() {
    let work = workplace();
    assert_exit(&train(work.path(), "whole", &["--device", "emulated"]).output().unwrap(), 0);
    let whole = only_run(&work.path().join("whole"));
    assert_eq!((RunReader::open(&whole).unwrap().info().unwrap().device.as_str(), rows(&whole)), ("emulated", 20));

    let child = train(work.path(), "torn", &["--device", "emulated"]).spawn().unwrap();
    let torn = killed_after(7, child, &work.path().join("torn"));
    // Where it was, though nothing says so here.
    assert_exit(&run(work.path(), &["train", "--quiet", "--resume", torn.to_str().unwrap()]), 0);
    let info = RunReader::open(&torn).unwrap().info().unwrap();
    assert_eq!((info.status, info.device.as_str(), info.resumes), (Status::Done, "emulated", 1));
    for table in ["metrics.csv", "trace.csv", "plan.csv"] {
        assert_eq!(timeless(&torn.join(table)), timeless(&whole.join(table)), "{table}");
    }
    for file in ["model.safetensors", "model-ema.safetensors"] {
        assert!(std::fs::read(torn.join(file)).unwrap() == std::fs::read(whole.join(file)).unwrap(), "{file}");
    }
}

/// The mean that schedule-free rules keep on a device, in a run that is killed there, beside steps that are left out, and as on the
/// host.
#[test]
fn what_schedule_free_rules_keep_on_a_device_is_evaluated() {
    let work = workplace();
    let free = [
        "phases[0].optimizer='schedule-free-sgd'",
        "phases[0].lr={ from = 0.0, to = 0.05 }",
        "phases[0].momentum={ from = 0.9, to = 0.8 }",
        "params=[{ role = 'norm', optimizer = 'schedule-free-adamw', lr = 1e-3 }]",
        "train.average='ema'",
        "record={ phases = true, best = true }",
    ];
    let on = |device: &str, runs: &str, more: &[&str]| {
        let sets: Vec<&str> = free.iter().chain(more).flat_map(|set| ["--set", *set]).collect();
        train(work.path(), runs, &[&["--device", device][..], &sets].concat())
    };
    let trained = |device: &str, runs: &str, more: &[&str]| {
        assert_exit(&on(device, runs, more).output().unwrap(), 0);
        only_run(&work.path().join(runs))
    };
    let whole = trained("emulated", "whole", &[]);
    let torn = killed_after(7, on("emulated", "torn", &[]).spawn().unwrap(), &work.path().join("torn"));
    assert_exit(&run(work.path(), &["train", "--quiet", "--resume", torn.to_str().unwrap()]), 0);
    assert_eq!(timeless(&torn.join("metrics.csv")), timeless(&whole.join("metrics.csv")));
    for file in ["model.safetensors", "model-best.safetensors", "model-phase-0.safetensors", "model-ema.safetensors"] {
        assert!(std::fs::read(torn.join(file)).unwrap() == std::fs::read(whole.join(file)).unwrap(), "{file}");
    }

    let losses = |device: &str| {
        let run = trained(device, &format!("few-{device}"), &["phases[0].steps=5"]);
        let row = RunReader::open(&run).unwrap().metrics().unwrap().rows.pop().unwrap();
        [row.train_loss, row.val_loss, row.val_loss_avg.unwrap()]
    };
    let (here, there) = (losses("cpu"), losses("emulated"));
    let near = here.iter().zip(there).all(|(here, there)| (here - there).abs() < 1e-3 * here);
    assert!(near && here[1] != here[2], "{here:?}, on the device {there:?}");

    let scaled = [
        "train.precision='f16'",
        "train.loss_scale={kind='dynamic',initial=16777216.0,every=3}",
        "phases[0].clip_norm=5.0",
    ];
    let info = RunReader::open(&trained("emulated", "scaled", &scaled)).unwrap().info().unwrap();
    assert!(info.skipped_steps.is_some_and(|skipped| (2..15).contains(&skipped)), "{:?}", info.skipped_steps);
}

/// What comes behind schedule-free rules begins at the mean that they kept, there too.
#[test]
fn what_comes_behind_a_mean_begins_at_it_on_a_device() {
    let work = workplace();
    for (name, next, stays) in
        [("other", "optimizer = \"adamw\"", true), ("fresh", "fresh = true", true), ("same", "", false)]
    {
        // At rates of 0 the weights of the second phase are those that it begins with.
        let content = TINY.replace("kind = \"sgd\", nesterov = true", "kind = \"schedule-free-sgd\"");
        let content = format!("{content}\n[[phases]]\nsteps = 2\nlr = 0.0\n{next}\n[record]\nphases = true\n");
        std::fs::write(work.path().join("tiny.toml"), content).unwrap();
        let words = ["--device", "emulated", "--set", "phases[0].steps=6"];
        assert_exit(&train(work.path(), name, &words).output().unwrap(), 0);
        let run = only_run(&work.path().join(name));
        let weights = |phase: usize| {
            let bytes = std::fs::read(run.join(format!("model-phase-{phase}.safetensors"))).unwrap();
            let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            file.tensor("layer1.0.conv.weight").unwrap().data().to_vec()
        };
        assert_eq!(weights(0) == weights(1), stays, "{name}");
    }
}

/// A phase whose optimizer begins anew, and a mean whose decay moves, do so there as on the CPU; a kill does not show.
#[test]
fn a_fresh_optimizer_and_a_moving_decay_are_those_of_the_cpu() {
    let work = workplace();
    let next = "\n[[phases]]\nsteps = 12\nfresh = true\nlr = 1e-3\n";
    std::fs::write(work.path().join("tiny.toml"), format!("{TINY}{next}")).unwrap();
    let average = "train.average={kind='ema',decay={from=0.5,to=0.9},warmup_power=0.75,every='2step'}";
    // So small that what is rounded otherwise in one step does not show in the next.
    let sets = ["--set", average, "--set", "phases[0].steps=6", "--set", "phases[0].lr=1e-3"];
    let trained = |runs: &str, device: &str| {
        let words = [&["--device", device][..], &sets].concat();
        assert_exit(&train(work.path(), runs, &words).output().unwrap(), 0);
        only_run(&work.path().join(runs))
    };
    let (there, here) = (trained("emulated", "emulated"), trained("cpu", "cpu"));
    let rows = |run: &Path| RunReader::open(run).unwrap().trace().unwrap().rows;
    for (a, b) in rows(&there).iter().zip(&rows(&here)) {
        assert!((a.loss - b.loss).abs() < 1e-3 * b.loss.abs(), "step {}: {} and {}", a.step, a.loss, b.loss);
        assert_eq!(a.average_decay.map(f64::to_bits), b.average_decay.map(f64::to_bits));
    }
    let measured = |run: &Path| RunReader::open(run).unwrap().metrics().unwrap().rows;
    for (a, b) in measured(&there).iter().zip(&measured(&here)) {
        let (a, b) = (a.val_loss_avg.unwrap(), b.val_loss_avg.unwrap());
        assert!((a - b).abs() < 1e-3 * b.abs(), "{a} and {b}");
    }
    let child = train(work.path(), "torn", &[&["--device", "emulated"][..], &sets].concat()).spawn().unwrap();
    let torn = killed_after(9, child, &work.path().join("torn"));
    assert_exit(&run(work.path(), &["train", "--quiet", "--resume", torn.to_str().unwrap()]), 0);
    for file in ["model.safetensors", "model-ema.safetensors"] {
        assert!(std::fs::read(torn.join(file)).unwrap() == std::fs::read(there.join(file)).unwrap(), "{file}");
    }
}

/// A step that the loss scale leaves out moves running statistics and nothing else; what takes part in them goes on.
#[test]
fn steps_are_left_out_beside_averages_and_lookahead() {
    let work = workplace();
    let scaled = [
        "--device",
        "emulated",
        "--set",
        "train.precision='f16'",
        "--set",
        "train.loss_scale={kind='dynamic',initial=16777216.0,every=3}",
        "--set",
        "phases[0].clip_norm=5.0",
    ];
    let average = "train.average={kind='ema',decay=0.9,every='1step'}";
    let lookahead = "train.lookahead={every=2,decay=0.5}";
    for (runs, more) in [("ema", average), ("slow", lookahead)] {
        let words = [&scaled[..], &["--set", more]].concat();
        assert_exit(&train(work.path(), runs, &words).output().unwrap(), 0);
        let info = RunReader::open(&only_run(&work.path().join(runs))).unwrap().info().unwrap();
        assert!(info.skipped_steps.is_some_and(|skipped| (2..15).contains(&skipped)), "{:?}", info.skipped_steps);
    }
}

/// Images in memory lie on the device, which makes the batches of them: those on which the CPU trains.
#[test]
fn images_served_on_the_device_are_those_that_the_host_serves() {
    let work = workplace();
    let ways = [
        ("{ translate = 2 }, 'flip', { cutout = 3 }", "", 12),
        ("{ rotate = 30 }, 'flip-alternating', { color-jitter = 0.4 }", "{ mixup = 0.4 }", 8),
        ("'random-resized-crop', { kind = 'translate', pixels = 3, padding = 'zero' }", "'cutmix'", 15),
    ];
    for (k, (augment, mix, size)) in ways.into_iter().enumerate() {
        let losses = |device: &str| {
            let runs = format!("{device}-{k}");
            let sets = [
                format!("data.augment=[{augment}]"),
                format!("phases[0].mix_images=[{mix}]"),
                format!("phases[0].size={size}"),
                "phases[0].accumulate=3".to_owned(),
                "phases[0].steps=12".to_owned(),
                // So small that what is rounded otherwise in one step does not show in the next.
                "phases[0].lr=1e-6".to_owned(),
            ];
            let words = ["--device", device].into_iter().chain(sets.iter().flat_map(|set| ["--set", set]));
            let words: Vec<&str> = words.collect();
            let output = train(work.path(), &runs, &words).env("RUST_LOG", "runner=trace").output().unwrap();
            assert_exit(&output, 0);
            assert_eq!(text(&output).contains("takes images by number"), device == "emulated", "{}", text(&output));
            let run = RunReader::open(&only_run(&work.path().join(runs))).unwrap();
            let steps = run.trace().unwrap().rows.into_iter().map(|row| row.loss);
            steps.chain(run.metrics().unwrap().rows.into_iter().map(|row| row.val_loss)).collect::<Vec<f64>>()
        };
        let (there, here) = (losses("emulated"), losses("cpu"));
        assert_eq!(there.len(), 12 + 3);
        for (step, (there, here)) in there.iter().zip(&here).enumerate() {
            assert!((there - here).abs() < 1e-4 * here.abs(), "{augment}, step {step}: {there}, and {here} on the CPU");
        }
    }
}

/// Targets follow from the step, whatever is recorded: smoothing is another one from the second phase on.
#[test]
fn binary_losses_and_smoothing_by_phase_are_those_of_the_host() {
    let work = workplace();
    let more = "mix_images = ['mixup']\n[[phases]]\nsteps = 6\nlabel_smoothing = 0.4\nmix_images = []\nlr = 1e-6\n";
    std::fs::write(work.path().join("tiny.toml"), TINY.to_owned() + more).unwrap();
    let losses = |runs: &str, device: &str, sets: &[&str]| {
        // So small a rate that what is rounded otherwise in one step does not show in the next.
        let sets = [&["phases[0].steps=7", "phases[0].lr=1e-6", "train.label_smoothing=0.1"], sets].concat();
        let words = ["--device", device].into_iter().chain(sets.iter().flat_map(|set| ["--set", *set]));
        let words: Vec<&str> = words.collect();
        assert_exit(&train(work.path(), runs, &words).output().unwrap(), 0);
        let run = RunReader::open(&only_run(&work.path().join(runs))).unwrap();
        let steps: Vec<f64> = run.trace().unwrap().rows.into_iter().map(|row| row.loss).collect();
        let evaluated: Vec<f64> = run.metrics().unwrap().rows.into_iter().map(|row| row.val_loss).collect();
        [steps, evaluated]
    };
    for (name, loss) in [("soft", "'cross-entropy'"), ("binary", "'bce'"), ("above", "{ bce = 0.25 }")] {
        let loss = format!("train.loss={loss}");
        let [there, here] = ["emulated", "cpu"].map(|device| losses(&format!("{name}-{device}"), device, &[&loss]));
        for (there, here) in there.concat().iter().zip(here.concat()) {
            assert!((there - here).abs() < 1e-4 * here.abs(), "{name}: {there}, and {here} on the CPU");
        }
        let [steps, evaluated] = &here;
        assert_eq!((steps.len(), evaluated.len()), (13, 3));
        let [plain, plainly_evaluated] = losses(name, "cpu", &[&loss, "phases[1].label_smoothing=0.1"]);
        assert_eq!(steps[..7], plain[..7]);
        // Held against a threshold, 0.1 and 0.4 come to the same targets.
        let same = steps[7..].iter().zip(&plain[7..]).all(|(found, plain)| found == plain);
        assert_eq!(same, name == "above", "{steps:?}, {plain:?}");
        for (found, plain) in evaluated.iter().zip(&plainly_evaluated) {
            assert!((found - plain).abs() < 1e-3 * plain, "{name}: evaluations are not smoothed");
        }
    }
}

/// The losses of images that stay on a device for a while are those that the host knows at once: both leave the same images out.
#[test]
fn images_are_pruned_by_losses_on_a_device_as_on_the_host() {
    let work = workplace();
    let config = TINY.replace("steps = 20", "epochs = 2")
        + "[[phases]]\nepochs = 2\nlr = 1e-7\nprune_images = { infobatch = 0.5 }\n\
           [[phases]]\nepochs = 2\nlr = 1e-7\naccumulate = 2\nprune_images = { hardest = 0.6 }\n";
    std::fs::write(work.path().join("tiny.toml"), config).unwrap();
    let trained = |runs: &str, words: &[&str]| {
        // So small a rate that what is rounded otherwise in one step does not show in the next.
        let words = [words, &["--set", "phases[0].lr=1e-7"]].concat();
        assert_exit(&train(work.path(), runs, &words).output().unwrap(), 0);
        let run = RunReader::open(&only_run(&work.path().join(runs))).unwrap();
        run.trace().unwrap().rows.into_iter().map(|row| row.loss).collect::<Vec<f64>>()
    };
    let (there, here) = (trained("there", &["--device", "emulated"]), trained("here", &["--device", "cpu"]));
    assert_eq!(there.len(), here.len());
    for (step, (there, here)) in there.iter().zip(&here).enumerate() {
        assert!((there - here).abs() < 1e-4 * here.abs(), "step {step}: {there}, and {here} on the CPU");
    }
    let other = trained("other", &["--device", "cpu", "--set", "phases[1].prune_images={ random = 0.5 }"]);
    assert!(there.iter().zip(&other).any(|(there, other)| (there - other).abs() > 1e-3 * other.abs()));
}

/// Where a device cannot do what is done to images, the host makes the batches of that phase: those on which the CPU trains.
#[test]
fn images_that_the_host_edits_train_a_device_too() {
    let work = workplace();
    let second = "[[phases]]\nsteps = 9\nsize = 12\nlr = 1e-6\naugment = ['random-resized-crop', 'flip', \
                  { kind = 'rand-augment', magnitude = 6, deviation = 0.5, probability = 0.5 }, 'trivial-augment', \
                  { kind = 'random-erasing', value = 'noise' }]\n";
    let first = TINY.replace("lr = { from = 0.05, to = 0.01 }", "lr = 1e-6");
    std::fs::write(work.path().join("tiny.toml"), format!("{first}\n{second}")).unwrap();
    let losses = |device: &str| {
        let output =
            train(work.path(), device, &["--device", device]).env("RUST_LOG", "runner=trace").output().unwrap();
        assert_exit(&output, 0);
        let all = text(&output);
        let by_number = |step: &u64| all.contains(&format!(" step {step} takes images by number"));
        let steps = if device == "emulated" { 20 } else { 0 };
        assert!((0..29).filter(by_number).eq(0..steps), "{all}");
        let run = RunReader::open(&only_run(&work.path().join(device))).unwrap();
        run.trace().unwrap().rows.into_iter().map(|row| row.loss).collect::<Vec<f64>>()
    };
    let (there, here) = (losses("emulated"), losses("cpu"));
    assert_eq!(there.len(), 29);
    for (step, (there, here)) in there.iter().zip(&here).enumerate() {
        assert!((there - here).abs() < 1e-4 * here.abs(), "step {step}: {there}, and {here} on the CPU");
    }
}

/// Where a device's memory does not hold both, the net comes before the images: the host makes the batches then, of which the same
/// comes, and where it does not hold the net, that is said.
#[test]
fn images_give_way_to_the_net_in_a_small_memory() {
    let work = workplace();
    let outcome = |memory: Option<u64>| {
        let device = memory.map_or("emulated".to_owned(), |bytes| format!("emulated:{bytes}"));
        let runs = format!("runs-{}", memory.unwrap_or(0));
        let sets = ["phases[0].steps=6", "phases[0].size=16", "train.eval_every='3step'"].map(|set| ["--set", set]);
        let words = [&["--device", &device][..], &sets.concat()].concat();
        let output = train(work.path(), &runs, &words).output().unwrap();
        let run = only_run(&work.path().join(&runs));
        let log = std::fs::read_to_string(run.join("log.txt")).unwrap();
        (output.status.code(), text(&output) + &log, std::fs::read(run.join("model.safetensors")).ok())
    };
    let (_, _, whole) = outcome(None);
    assert!(whole.is_some());
    let (mut gave_way, mut full, mut fit) = (0, 0, 0);
    // From too little for the net to enough for all.
    let (mut low, mut high) = (0, 1 << 24);
    let mut look = |memory: u64| {
        let (code, said, model) = outcome(Some(memory));
        match code {
            Some(0) => {
                assert!(model == whole, "{memory}: another model");
                let gives = said.contains("images gave way to the net in the device's memory");
                if gives {
                    gave_way += 1
                } else {
                    fit += 1
                }
                true
            }
            _ => {
                assert!(said.contains("the GPU's memory is full"), "{memory}: {said}");
                full += 1;
                false
            }
        }
    };
    assert!(look(high));
    while high - low > 1 << 12 {
        let middle = low.midpoint(high);
        if look(middle) { high = middle } else { low = middle }
    }
    assert!(gave_way > 0 && full > 0 && fit > 0, "{gave_way} gave way, {full} were full, {fit} had room");

    // Killed in the least memory that does and gone on with there, it is the run that had enough and was never killed.
    let sets = ["--set", "phases[0].size=16", "--set", "train.eval_every='3step'"];
    let on = |device: &str, runs: &str| train(work.path(), runs, &[&["--device", device][..], &sets].concat());
    assert_exit(&on("emulated", "whole").output().unwrap(), 0);
    let whole = only_run(&work.path().join("whole"));
    let least = format!("emulated:{high}");
    let torn = killed_after(7, on(&least, "torn").spawn().unwrap(), &work.path().join("torn"));
    let words = ["train", "--quiet", "--device", &least, "--resume", torn.to_str().unwrap()];
    assert_exit(&run(work.path(), &words), 0);
    let log = std::fs::read_to_string(torn.join("log.txt")).unwrap();
    assert_eq!(log.matches("images gave way to the net in the device's memory").count(), 2, "once a session: {log}");
    for table in ["metrics.csv", "trace.csv"] {
        assert_eq!(timeless(&torn.join(table)), timeless(&whole.join(table)), "{table}");
    }
    for file in ["model.safetensors", "model-ema.safetensors"] {
        assert!(std::fs::read(torn.join(file)).unwrap() == std::fs::read(whole.join(file)).unwrap(), "{file}");
    }
}

/// Losses stay on the device for a while, and no column tells; a bound that nothing reaches has them read at once.
#[test]
fn numbers_that_are_read_together_are_those_that_are_read_at_once() {
    let work = workplace();
    let cases: [(&str, &[&str], i32); 3] = [
        ("whole", &["phases[0].accumulate=3", "train.lookahead={ every = 4, decay = 0.5 }"], 0),
        // Infinite after some steps.
        ("infinite", &["phases[0].lr={ from = 0.05, to = 1e30, curve = 'exponential' }"], 4),
        ("divergent", &["phases[0].lr={ from = 0.05, to = 20.0, curve = 'exponential' }", "train.stop_div=true"], 4),
    ];
    for (name, sets, exit) in cases {
        let of = |runs: &str, more: &[&str]| {
            let sets = sets.iter().chain(more).flat_map(|set| ["--set", *set]);
            let words: Vec<&str> =
                ["--device", "emulated", "--set", "train.eval_every='20step'"].into_iter().chain(sets).collect();
            let words = [&words[..], &["--set", "train.checkpoint_every='20step'"]].concat();
            let runs = format!("{name}-{runs}");
            assert_exit(&train(work.path(), &runs, &words).output().unwrap(), exit);
            let reader = RunReader::open(&only_run(&work.path().join(runs))).unwrap();
            let info = reader.info().unwrap();
            let seconds: Vec<f64> = reader.trace().unwrap().rows.iter().map(|row| row.seconds).collect();
            let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
            // Steps that are read together have their mean; on a machine with much else to do each takes too long for that.
            let grouped = seconds.windows(2).any(|pair| pair[0] == pair[1]);
            assert!(grouped == more.is_empty() || mean > 0.05, "{name}: {seconds:?}");
            let bits = |row: &TraceRow| (row.step, row.batch, row.loss.to_bits(), row.grad_norm.to_bits());
            let steps: Vec<_> = reader.trace().unwrap().rows.iter().map(bits).collect();
            let rows = reader.metrics().unwrap().rows.into_iter();
            let metrics: Vec<_> =
                rows.map(|row| (row.train_loss.to_bits(), row.train_acc.to_bits(), row.val_loss.to_bits())).collect();
            assert_eq!(steps.len() as u64, info.steps_done, "{name}");
            (steps, metrics, info.status, info.exit_reason)
        };
        let (together, at_once) = (of("together", &[]), of("at-once", &["phases[0].clip_norm=3e38"]));
        assert!(together == at_once, "{name}: {together:?}, at once {at_once:?}");
        assert_eq!(together.0.len() == 20, exit == 0, "{name}");
    }
}

#[test]
fn a_run_goes_on_elsewhere_where_that_is_asked_for_and_says_so() {
    let work = workplace();
    let child = train(work.path(), "runs", &["--device", "emulated"]).spawn().unwrap();
    let torn = killed_after(4, child, &work.path().join("runs"));
    let resumed = run(work.path(), &["train", "--device", "cpu", "--resume", torn.to_str().unwrap()]);
    assert_exit(&resumed, 0);
    let notice = "the run was begun on emulated and goes on on cpu";
    assert!(words(&resumed).contains(notice), "{}", text(&resumed));
    assert!(std::fs::read_to_string(torn.join("log.txt")).unwrap().contains(notice));
    let info = RunReader::open(&torn).unwrap().info().unwrap();
    assert_eq!((info.status, info.steps_done, rows(&torn)), (Status::Done, 20, 20));
}

#[test]
fn a_run_is_evaluated_where_it_was_trained_or_nearly_so_elsewhere() {
    let work = workplace();
    let trained = short_run(work.path(), "emulated");
    let last = RunReader::open(&trained).unwrap().metrics().unwrap().rows.pop().unwrap();
    let eval = |words: &[&str]| {
        let output = run(work.path(), &[&["eval", trained.to_str().unwrap()][..], words].concat());
        assert_exit(&output, 0);
        output
    };
    let there = eval(&["--json"]);
    assert!(!words(&there).contains("NOTICE"), "{}", text(&there));
    let there = json(&there);
    assert_eq!((&there["device"], &there["images"]), (&"emulated".into(), &21.into()));
    assert_eq!(there["val_loss"].as_f64().map(f64::to_bits), Some(last.val_loss.to_bits()), "to the bit");
    assert_eq!(there["val_acc"].as_f64(), Some(last.val_acc));

    let here = eval(&["--json", "--device", "cpu"]);
    let notice = "the run was trained on emulated and is evaluated on cpu";
    assert!(words(&here).contains(notice), "{}", text(&here));
    let here = json(&here);
    assert_eq!(here["device"], "cpu");
    let [a, b] = [&there, &here].map(|found| found["val_loss"].as_f64().unwrap());
    assert!((a - b).abs() < 1e-3 * b.abs().max(1.0), "{a} there, {b} here");

    let table = words(&eval(&["--device", "emulated"]));
    assert!(table.contains("device emulated (kernels for CUDA, emulated by a CPU)"), "{table}");
    assert!(words(&eval(&["--device", "cpu"])).contains("device cpu"));
}

/// A run that was brought here from a machine with more GPUs.
#[test]
fn a_run_of_a_device_that_is_not_here_is_evaluated_on_the_cpu() {
    let work = workplace();
    let trained = short_run(work.path(), "cpu");
    let path = trained.join("run.json");
    let content = std::fs::read_to_string(&path).unwrap();
    let elsewhere = content.replacen("\"device\": \"cpu\"", "\"device\": \"cuda:1000000\"", 1);
    assert_ne!(content, elsewhere);
    std::fs::write(&path, elsewhere).unwrap();
    let output = run(work.path(), &["eval", trained.to_str().unwrap(), "--json"]);
    assert_exit(&output, 0);
    assert_eq!(json(&output)["device"], "cpu");
    let said = words(&output);
    for part in ["trained on cuda:1000000 and is evaluated on cpu", "cuda:1000000 cannot be used here"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    let asked = run(work.path(), &["eval", trained.to_str().unwrap(), "--device", "cuda:1000000"]);
    assert_exit(&asked, 2);
}

#[test]
fn rates_are_found_on_the_device_that_is_asked_for() {
    let work = workplace();
    let find = |words: &[&str]| {
        let fixed = ["--seeds", "1", "--steps", "40", "--lr-from", "1e-4", "--lr-to", "0.1"];
        run(work.path(), &[&["find-lr"][..], words, &fixed].concat())
    };
    let losses = |device: &str| -> Vec<f64> {
        let output = find(&["tiny.toml", "--set", "phases[0].batch=4", "--device", device, "--csv", "-"]);
        let mut reader = csv::Reader::from_reader(&output.stdout[..]);
        reader.deserialize::<(u64, usize, f64, f64, f64)>().map(|row| row.unwrap().3).collect()
    };
    let (there, here) = (losses("emulated"), losses("cpu"));
    assert!(there.len() > 3 && here.len() > 3, "{there:?} {here:?}");
    for (a, b) in there.iter().zip(&here).take(3) {
        assert!((a - b).abs() < 1e-3 * b.abs().max(1.0), "{a} there, {b} here");
    }

    let trained = short_run(work.path(), "emulated");
    let from = ["--from", trained.to_str().unwrap(), "--json"];
    let found = find(&from);
    assert_eq!(json(&found)["device"], "emulated", "where the run was trained: {}", text(&found));
    assert!(!words(&found).contains("NOTICE"), "{}", text(&found));
    let found = find(&[&from[..], &["--device", "cpu"]].concat());
    assert_eq!(json(&found)["device"], "cpu");
    assert!(words(&found).contains("trained on emulated and is swept on cpu"), "{}", text(&found));
}

#[test]
fn trials_run_on_the_device_that_the_sweep_is_told() {
    let work = workplace();
    let sweep = "name = 'few'\nbase = 'tiny.toml'\nseeds = [1]\n[axes]\n'phases[0].steps' = [2, 3]\n";
    std::fs::write(work.path().join("few.toml"), sweep).unwrap();
    let sweep =
        |words: &[&str]| run(work.path(), &[&["sweep", "few.toml", "--device", "emulated"][..], words].concat());
    let dry = sweep(&["--dry-run"]);
    assert_exit(&dry, 0);
    assert!(words(&dry).contains("on emulated (kernels for CUDA, emulated by a CPU) ("), "{}", text(&dry));
    assert_exit(&sweep(&["--jobs", "2", "--runs-dir", "swept"]), 0);
    let swept = only_run(&work.path().join("swept"));
    for trial in ["t000-s1", "t001-s1"] {
        let info = RunReader::open(&swept.join(trial)).unwrap().info().unwrap();
        assert_eq!((info.status, info.device.as_str()), (Status::Done, "emulated"), "{trial}");
    }
}

#[test]
fn bench_names_the_device_and_holds_it_against_no_cpu() {
    let bench = |words: &[&str]| {
        let fixed = ["bench", "--device", "emulated", "--batch", "2", "--size", "8", "--steps", "1"];
        let output = runner().args(fixed).args(["--set", "model.backbone.width=2"]).args(words).output().unwrap();
        assert_exit(&output, 0);
        output
    };
    let found = json(&bench(&["--json"]));
    assert_eq!(found["device"], "emulated");
    assert_eq!(found["device_name"], "kernels for CUDA, emulated by a CPU");
    assert!(found["device_versions"].is_object() && found["percent_of_peak"].is_null(), "{found}");
    assert!(
        found["device_memory_mib"].as_f64().is_some() && found["images_per_second"].as_f64() > Some(0.0),
        "{found}"
    );

    let said = text(&bench(&["--by-layer"]));
    assert!(said.starts_with("device emulated (kernels for CUDA, emulated by a CPU)\n"), "{said}");
    for part in ["runner ", " emulated threads=", "planned on the device for activations, gradients and scratch"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert!(said.contains("GFLOP/s") && !said.contains("peak:") && !said.contains("of peak"), "{said}");
}

/// Each command that computes, without its `--device`.
const COMMANDS: [&[&str]; 4] = [&["train", "tiny.toml"], &["find-lr", "tiny.toml"], &["sweep", "few.toml"], &["bench"]];

#[cfg(not(feature = "cuda"))]
#[test]
fn a_program_without_cuda_says_how_to_get_one_that_has_it() {
    let work = workplace();
    let trained = short_run(work.path(), "cpu");
    let sweep = "name = 'few'\nbase = 'tiny.toml'\nseeds = [1]\n[axes]\n'phases[0].steps' = [2, 3]\n";
    std::fs::write(work.path().join("few.toml"), sweep).unwrap();
    let eval = ["eval", trained.to_str().unwrap()];
    for command in COMMANDS.into_iter().chain([&eval[..]]) {
        for device in ["cuda", "cuda:1"] {
            let output = run(work.path(), &[command, &["--device", device]].concat());
            assert_exit(&output, 2);
            assert!(text(&output).contains("--features cuda"), "{command:?}: {}", text(&output));
        }
    }
    assert!(!work.path().join("runs").exists(), "nothing is made");
}

#[test]
fn a_device_that_is_none_is_answered_with_those_that_are() {
    for command in COMMANDS.into_iter().chain([&["eval", "runs/a"][..]]) {
        let output = runner().args(command).args(["--device", "cudda"]).output().unwrap();
        assert_exit(&output, 2);
        let said = words(&output);
        assert!(said.contains("cudda") && said.contains("known are auto, cpu, cuda and cuda:N"), "{said}");
        let help = runner().args([command[0], "--help"]).output().unwrap();
        assert_exit(&help, 0);
        assert!(words(&help).contains("--device <DEVICE>"), "{}", text(&help));
        // It is for tests.
        assert!(![said, words(&help)].iter().any(|said| said.contains("emulated")), "{command:?}");
    }
}

//! What an experiment that paints leaves out, and what of it does not go together.

use super::build::Builder;
use super::check::default_choice;
use super::schema::{PHASE, TRAIN};
use super::spec::{DataSpec, LastBatch};
use crate::data::sets;
use crate::registry::{Settings, Value};
use crate::task::Painting;

/// Of `[train]`, what a painting knows.
const TRAIN_KEYS: [&str; 5] = ["precision", "checkpoint_every", "winograd", "deterministic", "stop_after"];
/// Of a phase, what it does not.
const FOREIGN: [&str; 11] = [
    "data",
    "batch",
    "accumulate",
    "augment",
    "mix_images",
    "prune_images",
    "label_smoothing",
    "lr_groups",
    "lr_values",
    "weight_decay_groups",
    "freeze",
];

/// Reports settings that mean nothing to a painting, and those of its own that do not go together.
pub fn check(builder: &mut Builder<'_>, painting: &Painting, settings: &Settings) {
    let mut foreign: Vec<String> = vec!["data".to_owned(), "params".to_owned()];
    let known = |key: &str| TRAIN_KEYS.contains(&key);
    foreign.extend(TRAIN.iter().filter(|param| !known(param.key)).map(|param| format!("train.{}", param.key)));
    foreign.extend(["best", "phases"].map(|key| format!("record.{key}")));
    let phases = match settings.0.get("phases") {
        Some(Value::List(phases)) => phases.len(),
        _ => 0,
    };
    let of_phase = PHASE.iter().filter(|param| FOREIGN.contains(&param.key));
    let keys: Vec<&str> = of_phase.map(|param| param.key).collect();
    foreign.extend((0..phases).flat_map(|k| keys.iter().map(move |key| format!("phases[{k}].{key}"))));
    foreign.retain(|path| builder.source.is_given(path));
    for path in &foreign {
        let key = path.rsplit('.').next().unwrap_or(path);
        let message = format!("`{key}` means nothing to task `style-transfer`");
        let help = match key {
            "data" => "its images are those that `[task]` names: leave it out",
            "best" | "phases" => "it has no weights that change: leave it out",
            "batch" => "a step takes all images that `[task]` names: leave it out",
            _ => "the net stays as it is, and pixels are what is trained: leave it out",
        };
        let error = builder.source.diagnostic(path, message).help(help);
        builder.error(error);
    }
    let train = settings.opt_table("train").unwrap_or_default();
    if train.opt_text("precision").as_deref() == Some("f16") {
        let error = builder.source.diagnostic("train.precision", "precision `f16` for task `style-transfer`");
        builder.error(error.help("gradients of pixels vanish in it: take `f32`, or `bf16`"));
    }
    for problem in painting.problems() {
        let error = builder.source.diagnostic(&format!("task.{}", problem.path), problem.message);
        builder.error(error.help(problem.help));
    }
}

/// What stands in place of the data of an experiment that has none: a set that is never opened.
pub fn no_data() -> DataSpec {
    DataSpec {
        dataset: default_choice(&sets::FAMILY, sets::shapes::ENTRY.name),
        root: None,
        stand_in: None,
        augment: Vec::new(),
        last_batch: LastBatch::Serve,
        train_images: None,
        val_images: None,
        classes: None,
        statistics: None,
    }
}

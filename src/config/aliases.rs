//! What settings and choices are called elsewhere: in PyTorch, Keras, fast.ai and timm.

/// Names of other programs, as [`fold`](super::suggest::fold)ed, and what is called so here: a setting, an entry or a word.
const ALIASES: &[(&str, &[&str])] = &[
    ("lr", &["learning-rate", "max-lr", "lr-max", "base-lr", "lr0", "initial-lr", "init-lr", "eta"]),
    ("momentum", &["mom", "moms", "beta1", "beta-1", "b1"]),
    ("beta", &["beta2", "beta-2", "b2", "rho"]),
    ("weight_decay", &["wd", "l2", "l2-reg", "weightdecay"]),
    (
        "clip_norm",
        &["grad-clip", "gradient-clip", "max-norm", "max-grad-norm", "clip-grad-norm", "clip-grad", "clipnorm"],
    ),
    ("clip_value", &["clip-grad-value", "clipvalue"]),
    ("history", &["history-size"]),
    ("evaluations", &["max-eval"]),
    ("search", &["line-search-fn", "line-search"]),
    ("trust", &["trust-coefficient", "trust-coef", "eeta"]),
    ("epochs", &["num-epochs", "n-epochs", "nb-epochs", "max-epochs", "n-epoch"]),
    ("steps", &["num-steps", "max-steps", "total-steps", "iterations", "iters", "num-iterations", "updates"]),
    ("batch", &["batch-size", "bs", "train-batch-size", "mini-batch", "minibatch"]),
    (
        "accumulate",
        &["accumulate-grad-batches", "gradient-accumulation-steps", "grad-accum", "accum-steps", "accum-iter"],
    ),
    ("ghost_batch", &["ghost-batch-size", "virtual-batch-size", "ghost-batch-norm", "ghost-bn", "num-splits"]),
    ("size", &["sz", "img-size", "image-size", "imgsz", "resolution", "input-size", "res"]),
    ("optimizer", &["opt", "optim", "opt-func", "optimiser", "algorithm"]),
    ("curve", &["schedule", "anneal", "annealing", "anneal-strategy", "shape"]),
    ("from", &["start", "begin", "first", "initial"]),
    ("to", &["end", "final", "until", "stop", "last", "target", "min", "eta-min"]),
    ("augment", &["transforms", "transform", "tfms", "augmentation", "augmentations", "aug", "data-augmentation"]),
    ("prune_images", &["prune", "pruning", "data-pruning", "infobatch", "selective-backprop", "subset", "keep-images"]),
    ("mix_images", &["mix", "mixing", "batch-augment", "batch-transforms"]),
    ("dropout", &["drop", "drop-rate", "dropout-rate", "dropout-prob", "ps"]),
    ("drop_path", &["drop-path-rate", "stochastic-depth", "stochastic-depth-prob"]),
    ("dataset", &["set", "data-set", "name-of-dataset"]),
    ("root", &["data-dir", "data-path", "data-root", "folder", "dir", "path", "directory"]),
    ("deviation", &["std", "stdev", "stddev", "image-std", "img-std", "data-std"]),
    ("mean", &["image-mean", "img-mean", "data-mean"]),
    (
        "exif_orientation",
        &[
            "orientation",
            "exif-transpose",
            "exif",
            "apply-exif",
            "auto-orient",
            "autorotate",
            "auto-rotate",
            "rotate-exif",
        ],
    ),
    ("classes", &["num-classes", "n-classes", "nclasses", "num-outputs", "c-out"]),
    ("backbone", &["arch", "architecture", "net", "network", "model-name", "body", "encoder"]),
    ("head", &["classifier", "custom-head", "fc", "neck"]),
    ("stem", &["input-layer", "conv1"]),
    ("model", &["network", "architecture"]),
    ("train", &["training", "trainer"]),
    ("params", &["param-groups", "parameters", "groups"]),
    ("phases", &["stages", "schedule", "training-phases"]),
    ("precision", &["dtype", "amp", "mixed-precision", "fp16", "f16", "half", "bf16"]),
    (
        "recompute",
        &["gradient-checkpointing", "activation-checkpointing", "grad-checkpointing", "use-checkpoint", "remat"],
    ),
    ("best", &["save-best", "save-best-only", "best-save-name", "keep-best"]),
    ("phases", &["cycle-save-name", "save-cycles", "save-phases", "snapshots"]),
    ("deterministic", &["cudnn-deterministic", "use-deterministic-algorithms", "reproducible"]),
    ("loss_scale", &["loss-scaling", "grad-scaler", "gradscaler", "fp16-scale", "static-loss-scale", "scaler"]),
    ("initial", &["init-scale"]),
    ("growth", &["growth-factor"]),
    ("backoff", &["backoff-factor"]),
    ("loss", &["criterion", "loss-func", "loss-fn", "loss-function", "loss-type"]),
    ("cross-entropy", &["ce", "crossentropy", "crossentropyloss", "softmax-cross-entropy", "categorical-crossentropy"]),
    (
        "bce",
        &[
            "binary-cross-entropy",
            "bce-loss",
            "bceloss",
            "bcewithlogits",
            "bcewithlogitsloss",
            "binary-crossentropy",
            "binarycrossentropy",
        ],
    ),
    ("threshold", &["target-threshold", "target-thresh", "bce-target-thresh"]),
    ("label_smoothing", &["smoothing", "label-smooth", "smooth"]),
    ("eval_every", &["val-every", "eval-interval", "validate-every", "eval-freq", "validation-interval", "eval-steps"]),
    ("eval_batch", &["val-batch-size", "val-batch", "test-batch-size", "eval-batch-size", "val-bs"]),
    ("eval_size", &["val-size", "test-size", "val-res", "val-resolution", "eval-res", "test-resolution", "test-res"]),
    ("checkpoint_every", &["save-every", "checkpoint-interval", "save-freq", "ckpt-every", "save-interval"]),
    ("last_batch", &["drop-last", "drop-remainder"]),
    ("seed", &["random-seed", "manual-seed", "rng-seed", "random-state"]),
    ("name", &["experiment", "run-name", "title", "exp-name"]),
    ("extends", &["base", "inherit", "inherits", "include", "extend", "defaults"]),
    ("match", &["pattern", "regex", "names"]),
    ("constant", &["const", "fixed", "flat"]),
    ("cosine", &["cos", "cosineannealing", "cosineannealinglr", "sched-cos"]),
    ("exponential", &["exp", "geometric", "explr"]),
    ("translate", &["random-crop", "randomcrop", "crop", "pad-crop", "shift"]),
    ("cutout", &["coarse-dropout"]),
    ("random-erasing", &["randomerasing", "erase", "reprob"]),
    ("rand-augment", &["randaugment", "rand-aug", "aa"]),
    ("trivial-augment", &["trivialaugment", "trivialaugmentwide", "trivial-augment-wide", "ta-wide"]),
    ("operations", &["num-ops", "num-layers"]),
    ("deviation", &["mstd", "magnitude-std"]),
    ("cifar10", &["cifar"]),
    ("norm", &["bn", "batch-norm", "batchnorm", "layernorm", "ln"]),
    ("linear", &["fc", "dense", "lin"]),
    ("lbfgs", &["l-bfgs", "bfgs"]),
    ("schedule-free-sgd", &["sgdschedulefree", "sgd-schedule-free", "schedulefree-sgd"]),
    ("schedule-free-adamw", &["adamwschedulefree", "adamw-schedule-free", "schedulefree-adamw"]),
    ("bf16", &["bfloat16", "amp"]),
    ("f16", &["fp16", "half", "float16"]),
    ("f32", &["fp32", "float32", "float", "single"]),
    ("one-cycle", &["onecycle", "1cycle", "onecyclelr", "use-clr-beta"]),
    ("trapezoid", &["flat-cos", "flat-cosine", "fit-flat-cos", "trapezoidal", "wsd", "warmup-stable-decay"]),
    ("sgdr", &["cosineannealingwarmrestarts", "warm-restarts", "cosine-restarts"]),
    ("cyclical", &["cyclic", "cycliclr", "clr", "triangular"]),
    ("step", &["steplr", "step-lr", "multisteplr", "multistep"]),
    ("piecewise", &["piecewise-linear", "piecewiselinear", "knots", "interp"]),
    ("lr-range", &["lr-find", "range-test", "lr-range-test"]),
    ("warmup", &["linearlr", "warm-up-linear"]),
    ("rise", &["pct-start"]),
    ("div", &["div-factor"]),
    ("final_div", &["final-div-factor"]),
    ("min_momentum", &["base-momentum"]),
    ("at", &["milestones", "epochs-at"]),
    ("every", &["step-size", "decay-epochs"]),
    ("gamma", &["cycle-decay"]),
    ("cycle_len", &["t-0", "cycle-length"]),
    ("cycle_mult", &["t-mult"]),
    ("val_acc", &["val-accuracy", "validation-accuracy", "valid-acc", "accuracy", "acc", "acc1", "top1", "test-acc"]),
    ("val_loss", &["validation-loss", "valid-loss", "test-loss"]),
];

/// What to do instead, for settings of other programs that have no counterpart here.
const INSTEAD: &[(&[&str], &str)] = &[
    (&["device", "gpu", "cuda", "gpus"], "where to compute is chosen on the command line: `--device`"),
    (
        &["num-workers", "workers", "threads", "n-jobs"],
        "how many threads to use is chosen on the command line: `--threads`",
    ),
    (
        &["output", "output-dir", "out-dir", "save-dir", "log-dir", "runs-dir"],
        "where runs lie is chosen on the command line: `--runs-dir`",
    ),
    (
        &["scheduler", "lr-scheduler", "lr-schedule", "lr-decay", "lr-policy", "sched"],
        "a schedule is written where the value is, and changes from phase to phase: `lr = { from = 0.4, to = 0.0, curve = \"cosine\" }`",
    ),
    (
        &["warmup-epochs", "warmup-steps", "warm-up"],
        "a warm-up is a phase of its own, before the others: `recipe = \"warmup\"`, `epochs = 5`, `lr = 0.4`",
    ),
    (&["betas"], "the two betas of Adam are two settings here: `momentum` is the first, `beta` the second"),
    (
        &["lr-steps", "step-size"],
        "a rate that falls in steps is a recipe: `recipe = \"step\"`, `epochs = 90`, `lr = 0.1`, `at = [30, 60]` or `every = 30`",
    ),
    (
        &["decay-rate", "decay-steps", "lr-decay-rate"],
        "a rate that decays is written where it is: `lr = { from = 0.4, to = 0.001, curve = \"exponential\" }`",
    ),
    (
        &["mixup-alpha", "cutmix-alpha", "mixup-prob", "cutmix-prob", "mixup-switch-prob", "randommixup"],
        "images are mixed by phase: `mix_images = [{ mixup = 0.2 }, { cutmix = 1.0 }]`, of which each batch draws one",
    ),
    (&["shuffle"], "training images are shuffled anew in every epoch, always"),
    (
        &["normalize", "normalise"],
        "images are normalised by their set's own mean and deviation, or by those that `[data]` gives: \
         `mean = [0.485, 0.456, 0.406]`, `deviation = [0.229, 0.224, 0.225]`",
    ),
];

/// The names here that `word`, folded, may stand for.
pub fn names(word: &str) -> impl Iterator<Item = &'static str> {
    ALIASES.iter().filter(move |(_, aliases)| aliases.contains(&word)).map(|(name, _)| *name)
}

/// What to do instead of setting `word`, folded.
pub fn instead(word: &str) -> Option<&'static str> {
    INSTEAD.iter().find(|(words, _)| words.contains(&word)).map(|(_, help)| *help)
}

#[cfg(test)]
mod tests {
    use super::super::schema::{EXPERIMENT, FAMILIES, RAMP};
    use super::super::suggest::fold;
    use super::*;
    use crate::registry::{Kind, Param};

    /// Every key and entry that a file can hold, and every word.
    fn known() -> (Vec<&'static str>, Vec<&'static str>) {
        fn walk(params: &[Param], names: &mut Vec<&'static str>, words: &mut Vec<&'static str>) {
            for param in params {
                names.push(param.key);
                match param.kind {
                    Kind::Table(inner) | Kind::Tables(inner) => walk(inner, names, words),
                    Kind::Word(those) => words.extend(those),
                    _ => {}
                }
            }
        }
        let (mut names, mut words) = (Vec::new(), Vec::new());
        walk(EXPERIMENT, &mut names, &mut words);
        walk(RAMP, &mut names, &mut words);
        for entry in FAMILIES.iter().flat_map(|family| (family.entries)()) {
            names.push(entry.name());
            walk(entry.params(), &mut names, &mut words);
        }
        (names, words)
    }

    #[test]
    fn aliases_lead_to_what_there_is_and_are_nothing_themselves() {
        let (known, known_words) = known();
        for (name, aliases) in ALIASES {
            assert!(known.contains(name) || known_words.contains(name), "`{name}` is declared nowhere");
            assert!(aliases.iter().all(|alias| *alias == fold(alias) && fold(name) != *alias), "{name}");
        }
        // These are looked up for keys and entries alone.
        for (words, _) in INSTEAD {
            assert!(words.iter().all(|word| *word == fold(word) && !known.contains(word)), "{words:?}");
        }
    }
}

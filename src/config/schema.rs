//! Every setting of an experiment file: type, default, range and doc, in one place.

use super::spec;
use crate::registry::{Beside, Default, Family, Interval, Kind, Param};
use crate::{average, criterion, data, loss_scale, model, optim, schedule, task};

/// The most that counts of images, pixels or classes may be: far above any use, low enough for arithmetic to be safe.
pub const COUNT: i64 = 1 << 30;

/// All that a name can be chosen from, in the order in which an experiment comes to speak of them.
pub static FAMILIES: &[&Family] = &[
    &data::sets::FAMILY,
    &data::augment::FAMILY,
    &data::mix::FAMILY,
    &data::prune::FAMILY,
    &model::stems::FAMILY,
    &model::backbones::FAMILY,
    &model::heads::FAMILY,
    &model::activations::FAMILY,
    &optim::FAMILY,
    &schedule::FAMILY,
    &schedule::recipes::FAMILY,
    &average::FAMILY,
    &criterion::FAMILY,
    &loss_scale::FAMILY,
    &task::FAMILY,
    &task::losses::FAMILY,
    &task::starts::FAMILY,
];

/// The key of the phases of training.
pub const PHASES: &str = "phases";

/// A whole experiment file.
pub static EXPERIMENT: &[Param] = &[
    Param {
        key: "extends",
        kind: Kind::Path,
        default: Default::Absent,
        doc: "an experiment file that this one adds to: tables are merged, arrays and choices of another kind replaced; `[phases.1]` \
              says what is other in its second phase, `[phases.\"*\"]` in all, the number behind the last one adds one; `[params.0]` likewise",
    },
    Param {
        key: "name",
        kind: Kind::Name,
        default: Default::Required,
        doc: "name of the experiment, part of the run folder's name",
    },
    Param {
        key: "seed",
        kind: Kind::Int { min: 0, max: i64::MAX },
        default: Default::Toml("0"),
        doc: "all randomness derives from it",
    },
    Param {
        key: "task",
        kind: Kind::Choice(&task::FAMILY),
        default: Default::Absent,
        doc: "what is trained: left out, a net on labelled images; `style-transfer`: pixels",
    },
    Param {
        key: "data",
        kind: Kind::Table(DATA),
        default: Default::Absent,
        doc: "what is trained on; left out where `task` names images itself, and there alone",
    },
    Param { key: "model", kind: Kind::Table(MODEL), default: Default::Required, doc: "the network" },
    Param {
        key: "train",
        kind: Kind::Table(TRAIN),
        default: Default::Toml("{}"),
        doc: "what holds in all phases of training",
    },
    Param {
        key: "record",
        kind: Kind::Table(RECORD),
        default: Default::Toml("{}"),
        doc: "what is written about the run besides the files of every run",
    },
    Param {
        key: "params",
        kind: Kind::Tables(PARAMS),
        default: Default::Toml("[]"),
        doc: "ordered rules for some of the parameters: the first that matches holds, one that matches none is an error; one that \
              changes nothing keeps its parameters from later ones",
    },
    Param {
        key: PHASES,
        kind: Kind::Tables(PHASE),
        default: Default::Required,
        doc: "the phases of training, in order",
    },
];

/// A share of something that is neither none nor all of it.
const SHARE: Interval = Interval { min: 0.0, max: 1.0, min_open: true, max_open: true };

/// `prune` of a sweep file
pub const PRUNE: &[Param] = &[
    Param {
        key: "rule",
        kind: Kind::Word(&["median", "asha"]),
        default: Default::Required,
        doc: "which trials go: those that are worse than the median of others, or all but the best (successive halving)",
    },
    Param {
        key: "at",
        kind: Kind::List(&Kind::Float(SHARE)),
        default: Default::Toml("[0.25, 0.5]"),
        doc: "the shares of its steps at which a trial is held against others at the same share of theirs, by the first evaluation \
              there or later; that at a trial's end does not count",
    },
    Param {
        key: "startup",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Toml("4"),
        doc: "no trial goes before so many others have come there",
    },
    Param {
        key: "keep",
        kind: Kind::Int { min: 2, max: COUNT },
        default: Default::Toml("3"),
        doc: "of `asha`: of those that come there, one in so many goes on",
    },
];

/// `equal` of a sweep file
pub const EQUAL: &[Param] = &[
    Param {
        key: "images",
        kind: Kind::Text,
        default: Default::Absent,
        doc: "the length of a phase (`phases[1].epochs`) that is fitted until as many images are trained on as in the base",
    },
    Param {
        key: "training",
        kind: Kind::Text,
        default: Default::Absent,
        doc: "likewise until the estimated time of training is the base's, which is what `train_seconds` and `compare` count: arithmetic, by \
              image size and net, with the passes over the training images that measure the statistics of means of weights",
    },
    Param {
        key: "time",
        kind: Kind::Text,
        default: Default::Absent,
        doc: "the same with evaluations: of all views (`tta`), and of averaged weights where they have some",
    },
];

/// A sweep file, its axes aside.
pub const SWEEP: &[Param] = &[
    Param {
        key: "name",
        kind: Kind::Name,
        default: Default::Required,
        doc: "name of the sweep, part of its folder's name",
    },
    Param { key: "base", kind: Kind::Path, default: Default::Required, doc: "the experiment that points differ from" },
    Param {
        key: "method",
        kind: Kind::Word(&["grid", "random", "sobol", "tpe"]),
        default: Default::Toml("'grid'"),
        doc: "whether all combinations of the axes' values are tried, or points drawn: at random, evenly (a scrambled Sobol \
              sequence), or where earlier points did well (tree of Parzen estimators, Bergstra et al. 2011)",
    },
    Param {
        key: "points",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Absent,
        doc: "number of points of a sweep that is no grid",
    },
    Param {
        key: "seed",
        kind: Kind::Int { min: 0, max: i64::MAX },
        default: Default::Toml("0"),
        doc: "what points are drawn from; it has nothing to do with those of the trials",
    },
    Param {
        key: "startup",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Toml("10"),
        doc: "of `tpe`: so many points are drawn at random, before results guide the others",
    },
    Param {
        key: "parallel",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Toml("4"),
        doc: "of `tpe` and `prune`: so many points may be under way together, for a point follows from the results of all before \
              it but the last `parallel - 1`; it is the same however many trials run at a time",
    },
    Param {
        key: "constraints",
        kind: Kind::List(&Kind::Text),
        default: Default::Toml("[]"),
        doc: "what must hold for a point to be tried: `phases[0].epochs + phases[1].epochs == 10`, `peak * 0.1 >= phases[1].lr.to`; of axes, \
              paths and numbers, with `+`, `-`, `*`, `/` and brackets, by `<`, `<=`, `>`, `>=`, `==`; numbers have units where settings \
              have them (`train.average.start < 5ep`), and `20%` is 0.2",
    },
    Param {
        key: "prune",
        kind: Kind::Table(PRUNE),
        default: Default::Absent,
        doc: "gives trials up that do badly at some share of their steps",
    },
    Param {
        key: "equal",
        kind: Kind::Table(EQUAL),
        default: Default::Absent,
        doc: "gives every point as many images, or as much estimated time, as the base has, to one in a hundred, by fitting one setting; a point for \
              which no value does is left out",
    },
    Param {
        key: "share",
        kind: Kind::Bool,
        default: Default::Toml("true"),
        doc: "trials that are the same, to the byte, up to the border of two phases train that part once: the first keeps its state \
              there, and the others begin from it",
    },
    Param {
        key: "seeds",
        kind: Kind::List(&Kind::Int { min: 0, max: i64::MAX }),
        default: Default::Toml("[0]"),
        doc: "every point is trained once with each of these; an axis cannot vary `seed`",
    },
    Param {
        key: "metric",
        kind: Kind::Text,
        default: Default::Toml("'val_acc'"),
        doc: "the column of metrics.csv that trials are judged by, at their last evaluation",
    },
];

/// `[data]`
pub const DATA: &[Param] = &[
    DATASET,
    Param {
        key: "root",
        kind: Kind::Path,
        default: Default::Absent,
        doc: "folder of the set's files; left out: $RUNNER_DATA, else the user's cache folder",
    },
    Param {
        key: "stand_in",
        kind: Kind::Choice(&data::sets::FAMILY),
        default: Default::Absent,
        doc: "generated set to use when the real one is neither present nor reachable; left out: fail instead",
    },
    Param {
        key: "augment",
        kind: AUGMENT,
        default: Default::Toml("[]"),
        doc: "random changes to the training images, in order, until a phase names its own",
    },
    Param {
        key: "last_batch",
        kind: Kind::Word(spec::LastBatch::WORDS),
        default: Default::Toml("'serve'"),
        doc: "whether an epoch's last, short batch is served",
    },
    TRAIN_IMAGES,
    VAL_IMAGES,
    CLASSES,
    Param {
        doc: "mean of each channel that pixels of 0 to 1 are normalised by, `(pixel - mean) / deviation`: those that published \
              weights were trained with, `[0.485, 0.456, 0.406]` for ImageNet's; padding and rotations that fill with the mean \
              take it too. Left out, or `[]`: of the set's training images",
        ..MEAN
    },
    Param {
        doc: "likewise the standard deviations, `[0.229, 0.224, 0.225]` for ImageNet's; `mean` and `deviation` go together",
        ..DEVIATION
    },
];

/// `data` of a phase
pub const PHASE_DATA: &[Param] = &[
    DATASET,
    Param {
        key: "root",
        kind: Kind::Path,
        default: Default::Absent,
        doc: "folder of the set's files; left out: that of `[data]`, where neither or both are a `folder`",
    },
    TRAIN_IMAGES,
    VAL_IMAGES,
    CLASSES,
    MEAN,
    DEVIATION,
];

const DATASET: Param = Param {
    key: "dataset",
    kind: Kind::Choice(&data::sets::FAMILY),
    default: Default::Required,
    doc: "the images to train and to validate on",
};

const TRAIN_IMAGES: Param = Param {
    key: "train_images",
    kind: Kind::Int { min: 1, max: COUNT },
    default: Default::Absent,
    doc: "number of training images to plan with while the data is absent; left out: the set's official figure",
};

const VAL_IMAGES: Param = Param {
    key: "val_images",
    kind: Kind::Int { min: 1, max: COUNT },
    default: Default::Absent,
    doc: "number of validation images to plan with while the data is absent; left out: the set's official figure",
};

const CLASSES: Param = Param {
    key: "classes",
    kind: Kind::Int { min: 1, max: COUNT },
    default: Default::Absent,
    doc: "number of classes to plan with while the data is absent; left out: the set's official figure",
};

const MEAN: Param = Param {
    key: "mean",
    kind: Kind::List(&Kind::Float(Interval::closed(0.0, 1.0))),
    default: Default::Absent,
    doc: "mean of each channel that this set's images are normalised by; left out: that of `[data]`, where it is given, for the \
          net is the same; `[]`: of this set's training images",
};

const DEVIATION: Param = Param {
    key: "deviation",
    // That of a byte's steps is larger.
    kind: Kind::List(&Kind::Float(Interval::closed(0.001, 1.0))),
    default: Default::Absent,
    doc: "likewise the standard deviations; `mean` and `deviation` go together",
};

/// `[model]`
pub const MODEL: &[Param] = &[
    Param {
        key: "stem",
        kind: Kind::Choice(&model::stems::FAMILY),
        default: Default::Absent,
        doc: "the first layers; left out: the backbone's own",
    },
    Param {
        key: "backbone",
        kind: Kind::Choice(&model::backbones::FAMILY),
        default: Default::Required,
        doc: "the network between stem and head",
    },
    Param {
        key: "head",
        kind: Kind::Choice(&model::heads::FAMILY),
        default: Default::Absent,
        doc: "from features to classes; left out: the backbone's own",
    },
    Param {
        key: "classes",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Absent,
        doc: "outputs of the head; left out: the data set's classes, the most of those of several sets",
    },
    Param {
        key: "weights",
        kind: Kind::Path,
        default: Default::Absent,
        doc: "file of safetensors or torch.save to start from, names as in model.safetensors or published weights; a head of another shape \
              starts afresh; left out: all does",
    },
];

/// `[train]`
pub const TRAIN: &[Param] = &[
    Param {
        key: "precision",
        kind: Kind::Word(spec::Precision::WORDS),
        default: Default::Toml("'f32'"),
        doc: "number format of the activations; parameters and sums are f32 always; `f32-strict`: on a GPU factors are \
              not rounded to TF32, which `f32` allows there; on the CPU the two are the same",
    },
    Param {
        key: "loss_scale",
        kind: Kind::Choice(&loss_scale::FAMILY),
        default: Default::Absent,
        doc: "a factor on the loss while gradients are computed, so that small ones are not lost in half precision; left \
              out: `dynamic` with precision `f16`, else none",
    },
    Param {
        key: "loss",
        kind: Kind::Choice(&criterion::FAMILY),
        default: Default::Absent,
        doc: "what is minimised, and what `train_loss` and `val_loss` are: of runs with another one accuracies alone can be compared; \
              `\"bce\"`, or `{ bce = 0.2 }` with timm's threshold on targets; left out: `cross-entropy`",
    },
    Param {
        key: SMOOTHING.key,
        kind: SMOOTHING.kind,
        default: Default::Toml("0.0"),
        doc: "share of the target that is spread evenly over all classes, in training alone, until a phase gives its own: `train_loss` \
              is with it, `val_loss` without",
    },
    Param {
        key: "lr_batch",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Absent,
        doc: "the batch that the phases' `lr` and `lr_values` are written for: a phase of another batch has them times its \
              batch / lr_batch; left out: they are used as they are written. What a run keeps (`experiment.toml`, `settings` of \
              `run.json`) and `plan --expand` have the rates that come out, without it: whoever changes a batch there changes rates too",
    },
    Param {
        key: "epochs",
        kind: Kind::Float(Interval { min: 0.0, max: MOST_EPOCHS, min_open: true, max_open: false }),
        default: Default::Absent,
        doc: "what the lengths of phases that are given as shares (`epochs = \"25%\"`) are shares of, in passes over the training set; where all are, they \
              add up to 100 %. What a run keeps and `plan --expand` have the lengths that come out, without it",
    },
    Param {
        key: "stretch",
        kind: Kind::Float(Interval::above(0.0)),
        default: Default::Toml("1.0"),
        doc: "every phase lasts so many times its `epochs` or `steps` (to the nearest step, at least one): the same schedule, \
              shorter or longer; `until` and the `start` of averages and lookahead move along, cadences stay. What a run keeps and `plan --expand` have the lengths that come out, without it",
    },
    Param {
        key: "checkpoint_every",
        kind: Kind::Duration { unit: None },
        default: Default::Toml("'1ep'"),
        doc: "how often a checkpoint is written, to resume from",
    },
    Param {
        key: "eval_every",
        kind: Kind::Duration { unit: None },
        default: Default::Toml("'1ep'"),
        doc: "how often the validation set is evaluated; at the end of training it always is",
    },
    Param {
        key: "eval_phases",
        kind: Kind::Bool,
        default: Default::Toml("false"),
        doc: "whether it is evaluated at the end of each phase too, wherever `eval_every` falls",
    },
    Param {
        key: "eval_batch",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Toml("500"),
        doc: "images a batch in evaluation; results do not depend on it but in rounding, or where batches have shapes of their own \
              (`rectangular` of `folder`)",
    },
    Param {
        key: "eval_size",
        kind: SIZE.kind,
        default: Default::Absent,
        doc: "side of the validation images in every evaluation, as 224 of a training at 160, or one size for all of a training \
              whose images grow; left out: that of the phase",
    },
    Param {
        key: "winograd",
        kind: Kind::Bool,
        default: Default::Toml("true"),
        doc: "whether 3×3 convolutions may be computed by Winograd's algorithm: a quarter of the products, rounding errors \
              of 1.4 to 1.9 times the size; in bf16 by a CPU's instructions for it (`avx512bf16`), errors of 1.2 to \
              1.4 % of what comes out instead of 0.2 %",
    },
    Param {
        key: "deterministic",
        kind: Kind::Bool,
        default: Default::Toml("false"),
        doc: "whether, on a GPU, libraries use only algorithms that give the same bytes each time, chosen without \
              measuring which are fastest; on the CPU they always do",
    },
    Param {
        key: "recompute",
        kind: Kind::Bool,
        default: Default::Toml("false"),
        doc: "whether activations between blocks alone are kept for the backward pass, and those within a block computed \
              a second time in it: less memory, for a larger batch or image, and up to a third more time; on the CPU the \
              results are the same to the byte",
    },
    Param {
        key: "ghost_batch",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Absent,
        doc: "in training, batch norm takes the statistics of about so many images at a time, and not of the whole batch; \
              left out: of the batch",
    },
    Param {
        key: "tta",
        kind: Kind::Word(spec::Tta::WORDS),
        default: Default::Toml("'none'"),
        doc: "test-time augmentation, for a column `val_acc_tta`: outputs are averaged over each image and its mirror \
              image, or over those and both moved by a pixel, which is six passes",
    },
    Param {
        key: "tta_at",
        kind: Kind::Word(spec::TtaAt::WORDS),
        default: Default::Toml("'every'"),
        doc: "the evaluations that `tta` is part of: every one, or the last alone",
    },
    Param {
        key: "lookahead",
        kind: Kind::Table(LOOKAHEAD),
        default: Default::Absent,
        doc: "slow weights and running statistics, mixed with the trained ones every few steps: they are what remains",
    },
    Param {
        key: "average",
        kind: Kind::Choice(&average::FAMILY),
        default: Default::Absent,
        doc: "a mean of the weights over training, evaluated for a column `val_acc_avg` and saved as a model of its own",
    },
    Param {
        key: "stop_div",
        kind: Kind::Bool,
        default: Default::Toml("false"),
        doc: "whether training ends as diverged when the smoothed loss exceeds four times its best; it always does when the \
              loss is not finite",
    },
    Param {
        key: "stop_at",
        kind: Kind::Table(STOP_AT),
        default: Default::Absent,
        doc: "training ends at the evaluation that reaches all of these: `{ val_acc = 0.94 }`",
    },
    Param {
        key: "stop_after",
        kind: Kind::Time,
        default: Default::Absent,
        doc: "training ends with the step that has used up so much training time, evaluations and checkpoints not counted",
    },
    Param {
        key: "patience",
        kind: Kind::Table(PATIENCE),
        default: Default::Absent,
        doc: "training ends when so many evaluations in a row bring nothing better",
    },
];

/// `[record]`
pub const RECORD: &[Param] = &[
    Param {
        key: "tensorboard",
        kind: Kind::Bool,
        default: Default::Toml("false"),
        doc: "whether event files for TensorBoard are written into the run folder: loss, rates, momentum and others by \
              step, evaluations, the settings as hyper-parameters",
    },
    Param {
        key: "best",
        kind: Kind::Bool,
        default: Default::Toml("false"),
        doc: "whether the weights of the evaluation with the highest `val_acc` are kept: `model-best.safetensors`",
    },
    Param {
        key: "phases",
        kind: Kind::Bool,
        default: Default::Toml("false"),
        doc: "whether the weights at the end of each phase are kept, such as those of each cycle: \
              `model-phase-0.safetensors` and so on",
    },
];

/// An accuracy that is to be reached.
const REACHED: Interval = Interval { min: 0.0, max: 1.0, min_open: true, max_open: false };

const fn accuracy(key: &'static str, doc: &'static str) -> Param {
    Param { key, kind: Kind::Float(REACHED), default: Default::Absent, doc }
}

const fn loss(key: &'static str, doc: &'static str) -> Param {
    Param { key, kind: Kind::Float(Interval::above(0.0)), default: Default::Absent, doc }
}

/// `[train] stop_at`: a key for each [`Metric`](spec::Metric), a test sees to that.
pub const STOP_AT: &[Param] = &[
    accuracy("val_acc", "at least this accuracy on the validation set"),
    accuracy("val_acc_top5", "at least this share of validation images with the label among the five highest outputs"),
    accuracy("val_acc_tta", "at least this accuracy with `tta`"),
    accuracy("val_acc_avg", "at least this accuracy of the averaged weights, with `average`"),
    loss("val_loss", "at most this loss on the validation set"),
    loss("val_loss_avg", "at most this loss of the averaged weights, with `average`"),
    accuracy("train_acc", "at least this accuracy over the images trained on since the evaluation before"),
    loss("train_loss", "at most this loss over the images trained on since the evaluation before"),
];

/// `[train] patience`
pub const PATIENCE: &[Param] = &[
    Param {
        key: "evaluations",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Required,
        doc: "so many without improvement end the training",
    },
    Param {
        key: "metric",
        kind: Kind::Word(spec::Metric::WORDS),
        default: Default::Toml("'val_acc'"),
        doc: "the column of metrics.csv that is to improve: an accuracy rises, a loss falls",
    },
    Param {
        key: "min_change",
        kind: Kind::Float(Interval::at_least(0.0)),
        default: Default::Toml("0.0"),
        doc: "what is better by no more than this is no improvement",
    },
];

/// `[train] lookahead`
pub const LOOKAHEAD: &[Param] = &[
    Param {
        key: "every",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Toml("5"),
        doc: "steps from one mixing to the next, counted from the start of training",
    },
    Param {
        key: "decay",
        kind: Kind::Ramp(Interval::closed(0.0, 1.0)),
        default: Default::Toml("0.5"),
        doc: "share of themselves that the slow weights keep; a curve runs from the start of training to its end",
    },
    Param {
        key: "start",
        kind: Kind::Duration { unit: None },
        default: Default::Toml("'0step'"),
        doc: "how much of training is over when the slow weights begin, as the trained ones are then",
    },
    Param {
        key: "at_epoch_end",
        kind: Kind::Bool,
        default: Default::Toml("false"),
        doc: "whether the trained weights go back to the slow ones at each epoch's end too, and not at that of training alone",
    },
];

/// Of these a rule of `[[params]]` gives one or more.
pub const RULE_SUBJECT: [&str; 3] = ["role", "match", "group"];

/// Of these too, unless it keeps parameters from a later rule.
pub const RULE_EFFECT: [&str; 6] = ["optimizer", "lr", "lr_factor", "momentum", "weight_decay", "until"];

/// Of these at most one.
pub const RULE_RATE: [&str; 2] = ["lr", "lr_factor"];

/// `[[params]]`
pub const PARAMS: &[Param] = &[
    Param {
        key: "role",
        kind: Kind::Word(spec::Role::WORDS),
        default: Default::Absent,
        doc: "the parameters of one role; with `match` or `group` beside it, those of which all is true",
    },
    Param {
        key: "match",
        kind: Kind::Text,
        default: Default::Absent,
        doc: "the parameters whose name matches: `layer1.*`",
    },
    Param {
        key: "group",
        kind: Kind::Word(spec::PartKind::WORDS),
        default: Default::Absent,
        doc: "the parameters of one part of the net",
    },
    Param {
        key: "optimizer",
        kind: Kind::Choice(&optim::FAMILY),
        default: Default::Absent,
        doc: "the rule that updates them in all phases, in place of the phase's",
    },
    Param {
        key: "lr",
        kind: RATE,
        default: Default::Absent,
        doc: "learning rate in place of the phases'; a curve runs from the start of training to `until`, else to the end",
    },
    Param {
        key: "lr_factor",
        kind: Kind::Float(Interval::at_least(0.0)),
        default: Default::Absent,
        doc: "factor on the phase's learning rate; either this or `lr`",
    },
    Param {
        key: "momentum",
        kind: Kind::Ramp(Interval::half_open(0.0, 1.0)),
        default: Default::Absent,
        doc: "momentum in place of the phases'; a curve runs as that of `lr`",
    },
    Param {
        key: "weight_decay",
        kind: Kind::Float(Interval::at_least(0.0)),
        default: Default::Absent,
        doc: "in place of the phase's weight decay",
    },
    Param {
        key: "until",
        kind: Kind::Duration { unit: None },
        default: Default::Absent,
        doc: "how much of training trains them: \"3ep\"; from then on they stay as they are; left out: all",
    },
];

/// Of these a phase gives one.
pub const PHASE_LENGTH: [&str; 2] = ["epochs", "steps"];

/// The longest phase.
pub const MOST_EPOCHS: f64 = 1e6;

/// How a phase names a recipe, which stands for several phases.
pub static RECIPE: Beside = Beside {
    family: &schedule::recipes::FAMILY,
    adds: RECIPE_ADDS,
    replaces: &["epochs", "steps", "lr", "momentum", "lr_values"],
};

/// What a recipe may say of each of its phases in turn, in place of one for all: the plural, and the setting.
pub const EACH: [(&str, &str); 3] = [("sizes", "size"), ("batches", "batch"), ("optimizers", "optimizer")];

const RECIPE_ADDS: &[Param] = &[
    Param {
        key: "lr_values",
        kind: Kind::Map(&Kind::Float(Interval::at_least(0.0))),
        default: Default::Absent,
        doc: "highest learning rates of groups of parameters in place of the recipe's, whose shape they follow, over this recipe alone",
    },
    Param {
        key: EACH[0].0,
        kind: Kind::List(&SIZE.kind),
        default: Default::Absent,
        doc: "`size` of each of the phases that the recipe stands for, in place of one for all",
    },
    Param {
        key: EACH[1].0,
        kind: Kind::List(&BATCH.kind),
        default: Default::Absent,
        doc: "`batch` of each of the phases that the recipe stands for, in place of one for all",
    },
    Param {
        key: EACH[2].0,
        kind: Kind::List(&OPTIMIZER.kind),
        default: Default::Absent,
        doc: "`optimizer` of each of the phases that the recipe stands for, in place of one for all",
    },
];

const SIZE: Param = Param {
    key: EACH[0].1,
    kind: Kind::Int { min: 1, max: 8192 },
    default: Default::Absent,
    doc: "side of the square images; left out: as in the phase before, at first the set's own",
};

const SMOOTHING: Param = Param {
    key: "label_smoothing",
    kind: Kind::Float(Interval::half_open(0.0, 1.0)),
    default: Default::Absent,
    doc: "share of the target that is spread evenly over all classes; left out: as in the phase before, at first that of `[train]`",
};

const BATCH: Param = Param {
    key: EACH[1].1,
    kind: Kind::Int { min: 1, max: COUNT },
    default: Default::Absent,
    doc: "images a step; left out: as in the phase before, the first phase must give it",
};

const OPTIMIZER: Param = Param {
    key: EACH[2].1,
    kind: Kind::Choice(&optim::FAMILY),
    default: Default::Absent,
    doc: "the rule that updates the weights; left out: as in the phase before, the first phase must give it",
};

/// A learning rate.
pub const RATE: Kind = Kind::Ramp(Interval::at_least(0.0));

/// What the first phase cannot take over from any other.
pub const FIRST_PHASE: [&str; 3] = ["batch", "optimizer", "lr"];

/// `[[phases]]`
pub const PHASE: &[Param] = &[
    Param {
        key: "recipe",
        kind: Kind::Beside(&RECIPE),
        default: Default::Absent,
        doc: "the name of a schedule that stands for several phases; its settings stand beside it, in place of length, lr and momentum",
    },
    Param {
        key: "epochs",
        kind: Kind::Share(Interval { min: 0.0, max: MOST_EPOCHS, min_open: true, max_open: false }),
        default: Default::Absent,
        doc: "length in passes over the training set, may be fractional, or as a share of `train.epochs`: `\"25%\"`; either this or `steps`: `--set` of one takes the other out",
    },
    Param {
        key: "steps",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Absent,
        doc: "length in optimizer steps; either this or `epochs`",
    },
    Param {
        key: "data",
        kind: Kind::Table(PHASE_DATA),
        default: Default::Absent,
        doc: "another data set to train and to validate on from here on, at the end of an epoch; left out: as in the phase \
              before, at first that of `[data]`",
    },
    SIZE,
    BATCH,
    Param {
        key: "accumulate",
        kind: Kind::Int { min: 1, max: COUNT },
        default: Default::Absent,
        doc: "a step's images pass through the net in so many parts, of which the gradients add up: memory is needed for one \
              part; left out: as in the phase before, at first 1",
    },
    Param {
        key: "augment",
        kind: AUGMENT,
        default: Default::Absent,
        doc: "random changes to the training images; left out: as in the phase before, at first `data.augment`",
    },
    Param {
        key: "mix_images",
        kind: Kind::List(&Kind::Choice(&data::mix::FAMILY)),
        default: Default::Absent,
        doc: "the images of each batch, and their labels, are blended with each other by one of these, which is drawn; left \
              out: as in the phase before, at first `[]`, which mixes none",
    },
    Param {
        key: "prune_images",
        kind: Kind::Choice(&data::prune::FAMILY),
        default: Default::Absent,
        doc: "which training images an epoch leaves out: its epochs are so much shorter; another one begins at the end of an epoch; left out: as in the \
              phase before, at first `\"none\"`. `train_loss` is of what is served, weighted as it counts",
    },
    SMOOTHING,
    OPTIMIZER,
    Param {
        key: "carry",
        kind: Kind::Bool,
        default: Default::Toml("false"),
        doc: "whether the momentum buffer outlives a change of optimizer, and all that a rule of a mix remembers the way into \
              the mix and out of it",
    },
    Param {
        key: "fresh",
        kind: Kind::Bool,
        default: Default::Absent,
        doc: "whether the optimizer begins anew, without the momentum and whatever else it remembers of the phases before; left out: not while its kind \
              stays the same. Rules with an optimizer of their own keep it as it is",
    },
    Param {
        key: "lr",
        kind: RATE,
        default: Default::Absent,
        doc: "learning rate; it does not carry over: every phase gives its own, or lies below a curve that runs on from before",
    },
    Param {
        key: "momentum",
        kind: Kind::Ramp(Interval::half_open(0.0, 1.0)),
        default: Default::Absent,
        doc: "momentum, beta 1 of Adam-like optimizers, of schedule-free ones the share of the mean; left out: a curve that runs on from before, else 0.9, for rmsprop 0",
    },
    Param {
        key: "weight_decay",
        kind: Kind::Ramp(Interval::at_least(0.0)),
        default: Default::Absent,
        doc: "pull of the weights towards zero; left out: as in the phase before, at first 0",
    },
    Param {
        key: "beta",
        kind: Kind::Ramp(Interval::half_open(0.0, 1.0)),
        default: Default::Absent,
        doc: "beta 2 of Adam-like optimizers, alpha of rmsprop; left out: as in the phase before, unless the phase's `optimizer` gives its own; at first the optimizer's",
    },
    Param {
        key: "clip_norm",
        kind: Kind::Ramp(Interval::at_least(0.0)),
        default: Default::Absent,
        doc: "a longer gradient is scaled down to this norm, over all weights together; 0: none is; left out: as in the \
              phase before, at first none",
    },
    Param {
        key: "clip_value",
        kind: Kind::Ramp(Interval::at_least(0.0)),
        default: Default::Absent,
        doc: "larger values of the gradient are cut to this size, before `clip_norm`; 0: none is; left out: as in the \
              phase before, at first none",
    },
    Param {
        key: "lr_groups",
        kind: Kind::Map(&Kind::Float(Interval::at_least(0.0))),
        default: Default::Absent,
        doc: "factors on the rate of groups of parameters: `stem`, `backbone`, `head`, what lies below a name such as `layer1`, \
              or a pattern, `*.res.*`. No two may share a parameter, but for `stem`, `backbone` and `head`, which give way to others. \
              Left out: as in the phase before; given, it takes the place of all that was said there",
    },
    Param {
        key: "lr_values",
        kind: Kind::Map(&Kind::Ramp(Interval::at_least(0.0))),
        default: Default::Absent,
        doc: "learning rates of groups of parameters in place of the phase's, over this phase alone, or, \
              as curves that run on, those after it too",
    },
    Param {
        key: "weight_decay_groups",
        kind: Kind::Map(&Kind::Ramp(Interval::at_least(0.0))),
        default: Default::Absent,
        doc: "weight decay of groups of parameters in place of the phase's; left out: what it came to in the phase before; given, it \
              takes the place of all that was said there",
    },
    Param {
        key: "freeze",
        kind: Kind::List(&Kind::Text),
        default: Default::Absent,
        doc: "groups of parameters that are not trained (their batch norms go on measuring, as PyTorch's do: running means and \
              variances move); left out: as in the phase before; given, it takes the place of that list, so `[]` trains all again",
    },
];

const AUGMENT: Kind = Kind::List(&Kind::Choice(&data::augment::FAMILY));

/// The table that a hyper-parameter which varies over its phase is given as; see [`ramp`].
pub const RAMP: &[Param] = &[
    Param {
        key: "from",
        kind: Kind::Float(Interval::unbounded()),
        default: Default::Required,
        doc: "the value that the phase begins with",
    },
    Param {
        key: "to",
        kind: Kind::Float(Interval::unbounded()),
        default: Default::Absent,
        doc: "where the curve ends, which is where the next phase may begin; left out: 0",
    },
    Param {
        key: "curve",
        kind: Kind::Choice(&schedule::FAMILY),
        default: Default::Absent,
        doc: "how it goes there; left out: linear where `to` is given, else constant",
    },
    Param {
        key: ACROSS,
        kind: Kind::Bool,
        default: Default::Absent,
        doc: "whether it runs on over the phases that follow, up to one that gives its own, by their shares of the images: one \
              curve while sizes and batches change. Beside a recipe it runs over all of the recipe's phases and on. Of phases alone: rules \
              and lookahead have theirs over all of training anyway",
    },
];

/// The setting of a curve of a phase that has it run on.
pub const ACROSS: &str = "across_phases";

/// [`RAMP`] for a hyper-parameter in this interval: both ends lie in it.
pub fn ramp(interval: Interval) -> Vec<Param> {
    let inside = |param: &Param| match param.kind {
        Kind::Float(_) => Param { kind: Kind::Float(interval), ..*param },
        _ => *param,
    };
    RAMP.iter().map(inside).collect()
}

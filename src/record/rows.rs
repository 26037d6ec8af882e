//! Rows of the CSV files, one struct a file; field order is column order.

/// A row that knows its header, which is written before the first row exists. A test holds it against the fields.
pub trait Row: serde::Serialize + serde::de::DeserializeOwned {
    /// Names of the fields in order.
    const COLUMNS: &'static [&'static str];
}

/// One row of `trace.csv`: a step, with the values that it used, read back from the optimizer.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TraceRow {
    pub step: u64,
    pub epoch: u64,
    pub phase: usize,
    pub optimizer: String,
    pub size: usize,
    /// Images in this step.
    pub batch: usize,
    pub lr: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    /// Mean training loss over the batch.
    pub loss: f64,
    /// L2 norm of the whole gradient.
    pub grad_norm: f64,
    /// Seconds this step took.
    pub seconds: f64,
    /// The share of a mix's second rule. A column of its own, behind the others, in runs with a mix.
    #[serde(default, skip_serializing)]
    pub mix: Option<f64>,
    /// The beta that a phase gives, and its bounds on the gradient, likewise.
    #[serde(default, skip_serializing)]
    pub beta: Option<f64>,
    #[serde(default, skip_serializing)]
    pub clip_norm: Option<f64>,
    #[serde(default, skip_serializing)]
    pub clip_value: Option<f64>,
    /// Of lookahead's slow weights after the step, likewise, in runs where it moves; NaN where none were mixed in.
    #[serde(default, skip_serializing)]
    pub lookahead_decay: Option<f64>,
    /// Of the mean of the weights after the step, likewise; NaN where it took nothing in, and of the first weights, which are all of it.
    #[serde(default, skip_serializing)]
    pub average_decay: Option<f64>,
}

/// One row of `metrics.csv`: an evaluation, after step `step`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct MetricsRow {
    pub step: u64,
    pub epoch: u64,
    pub phase: usize,
    pub optimizer: String,
    pub size: usize,
    pub batch: usize,
    pub lr: f64,
    pub momentum: f64,
    /// Mean over the images trained on since the row before.
    pub train_loss: f64,
    pub train_acc: f64,
    pub val_loss: f64,
    pub val_acc: f64,
    pub val_acc_top5: f64,
    /// Images trained on so far.
    pub images: u64,
    /// Cumulative; without evaluation and checkpoints.
    pub train_seconds: f64,
    /// This evaluation's.
    pub eval_seconds: f64,
    /// Since the run's start, interruptions left out.
    pub wall_seconds: f64,
    /// With outputs averaged over views of each image. A column of its own, behind the others, in runs that ask for it;
    /// empty in rows of evaluations that went without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_acc_tta: Option<f64>,
    /// Of the averaged weights, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_acc_avg: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_loss_avg: Option<f64>,
    /// Of the averaged weights, with outputs averaged over views.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_acc_avg_tta: Option<f64>,
}

impl MetricsRow {
    /// The columns that a run has behind [`MetricsRow::COLUMNS`], in order, if it uses test-time augmentation, and if it keeps
    /// averaged weights.
    pub fn further_columns(tta: bool, average: bool) -> Vec<&'static str> {
        let columns = [
            ("val_acc_tta", tta),
            ("val_acc_avg", average),
            ("val_loss_avg", average),
            ("val_acc_avg_tta", average && tta),
        ];
        columns.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
    }

    /// Whether a run writes numbers in that column.
    pub fn is_number(column: &str) -> bool {
        let own = Self::COLUMNS.contains(&column) && column != "optimizer";
        own || Self::further_columns(true, true).contains(&column)
    }

    /// Takes those columns out of the row and gives their values: what a row leaves out must not shift columns.
    pub fn split(mut self, columns: &[&str]) -> (Self, Vec<Option<f64>>) {
        let values = [
            ("val_acc_tta", self.val_acc_tta.take()),
            ("val_acc_avg", self.val_acc_avg.take()),
            ("val_loss_avg", self.val_loss_avg.take()),
            ("val_acc_avg_tta", self.val_acc_avg_tta.take()),
        ];
        let values = values.into_iter().filter(|(name, _)| columns.contains(name)).map(|(_, value)| value).collect();
        (self, values)
    }
}

/// One row of `plan.csv`: a phase.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PlanRow {
    pub phase: usize,
    pub source: usize,
    pub optimizer: String,
    pub epochs: f64,
    pub steps: u64,
    pub images: u64,
    pub size: usize,
    pub batch: usize,
    pub lr_from: f64,
    pub lr_to: f64,
    pub lr_curve: String,
    pub momentum_from: f64,
    pub momentum_to: f64,
    pub momentum_curve: String,
    /// The data set, by name. A column of its own, behind the others, in plans with several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
}

/// What an [`OwnLine`] is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnQuantity {
    Lr,
    WeightDecay,
    Momentum,
}

/// What some rule or group uses, over steps.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnLine {
    pub quantity: OwnQuantity,
    /// `stem`, `head.norm`
    pub name: String,
    pub points: Vec<OwnPoint>,
}

/// 0 while it is frozen. The last of a phase lies behind its last step, where its curve ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnPoint {
    pub phase: usize,
    pub step: u64,
    pub value: f64,
}

/// Where the curves of a phase end that `plan.csv` says nothing of; NaN where it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhaseEnds {
    pub weight_decay: f64,
    pub mix: f64,
    pub beta: f64,
    pub clip_norm: f64,
    pub clip_value: f64,
}

/// One row of `runner plan --trace`: a step, with the values that it will use. The columns are the first ones of
/// [`TraceRow`], and are printed alike.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PlannedStepRow {
    pub step: u64,
    pub epoch: u64,
    pub phase: usize,
    pub optimizer: String,
    pub size: usize,
    /// Images in this step.
    pub batch: usize,
    pub lr: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    /// As in [`TraceRow`].
    #[serde(default, skip_serializing)]
    pub mix: Option<f64>,
    #[serde(default, skip_serializing)]
    pub beta: Option<f64>,
    #[serde(default, skip_serializing)]
    pub clip_norm: Option<f64>,
    #[serde(default, skip_serializing)]
    pub clip_value: Option<f64>,
    /// As in [`TraceRow`]; of a plan also where none are mixed in, as it would be.
    #[serde(default, skip_serializing)]
    pub lookahead_decay: Option<f64>,
    /// Likewise.
    #[serde(default, skip_serializing)]
    pub average_decay: Option<f64>,
}

impl From<&TraceRow> for PlannedStepRow {
    fn from(row: &TraceRow) -> Self {
        Self {
            step: row.step,
            epoch: row.epoch,
            phase: row.phase,
            optimizer: row.optimizer.clone(),
            size: row.size,
            batch: row.batch,
            lr: row.lr,
            momentum: row.momentum,
            weight_decay: row.weight_decay,
            mix: row.mix,
            beta: row.beta,
            clip_norm: row.clip_norm,
            clip_value: row.clip_value,
            lookahead_decay: row.lookahead_decay,
            average_decay: row.average_decay,
        }
    }
}

impl Row for TraceRow {
    const COLUMNS: &'static [&'static str] = &[
        "step",
        "epoch",
        "phase",
        "optimizer",
        "size",
        "batch",
        "lr",
        "momentum",
        "weight_decay",
        "loss",
        "grad_norm",
        "seconds",
    ];
}

impl Row for PlannedStepRow {
    const COLUMNS: &'static [&'static str] = TraceRow::COLUMNS.split_at(9).0;
}

impl Row for MetricsRow {
    const COLUMNS: &'static [&'static str] = &[
        "step",
        "epoch",
        "phase",
        "optimizer",
        "size",
        "batch",
        "lr",
        "momentum",
        "train_loss",
        "train_acc",
        "val_loss",
        "val_acc",
        "val_acc_top5",
        "images",
        "train_seconds",
        "eval_seconds",
        "wall_seconds",
    ];
}

impl Row for PlanRow {
    const COLUMNS: &'static [&'static str] = &[
        "phase",
        "source",
        "optimizer",
        "epochs",
        "steps",
        "images",
        "size",
        "batch",
        "lr_from",
        "lr_to",
        "lr_curve",
        "momentum_from",
        "momentum_to",
        "momentum_curve",
    ];
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn trace(step: u64) -> TraceRow {
        TraceRow {
            step,
            epoch: step / 100,
            phase: 1,
            optimizer: "sgd".to_owned(),
            size: 24,
            batch: 128,
            lr: 0.1 + 1e-9 * step as f64,
            momentum: 0.95,
            weight_decay: 5e-4,
            loss: 1.0 / (step as f64 + 3.0),
            grad_norm: 1.5e-7,
            seconds: 0.25,
            mix: None,
            beta: None,
            clip_norm: None,
            clip_value: None,
            lookahead_decay: None,
            average_decay: None,
        }
    }

    pub fn metrics(step: u64, val_acc: f64) -> MetricsRow {
        MetricsRow {
            step,
            epoch: step / 100,
            phase: 1,
            optimizer: "sgd".to_owned(),
            size: 24,
            batch: 128,
            lr: 0.1,
            momentum: 0.95,
            train_loss: 1.25,
            train_acc: 0.5,
            val_loss: 1.5,
            val_acc,
            val_acc_top5: 0.9,
            images: 128 * (step + 1),
            train_seconds: 12.5,
            eval_seconds: 0.5,
            wall_seconds: 14.0,
            val_acc_tta: None,
            val_acc_avg: None,
            val_loss_avg: None,
            val_acc_avg_tta: None,
        }
    }

    pub fn plan(phase: usize) -> PlanRow {
        PlanRow {
            phase,
            source: 0,
            optimizer: "rmsprop".to_owned(),
            epochs: 1.5,
            steps: 60,
            images: 7500,
            size: 16,
            batch: 128,
            lr_from: 0.001,
            lr_to: 0.01,
            lr_curve: "poly(0.9)".to_owned(),
            momentum_from: 0.9,
            momentum_to: 0.9,
            momentum_curve: "constant".to_owned(),
            dataset: None,
        }
    }

    fn field_names<R: Row>(row: &R) -> Vec<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(row).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        text.lines().next().unwrap().split(',').map(str::to_owned).collect()
    }

    #[test]
    fn headers_name_the_fields_in_order() {
        assert_eq!(field_names(&trace(0)), TraceRow::COLUMNS);
        assert_eq!(field_names(&metrics(0, 0.5)), MetricsRow::COLUMNS);
        assert_eq!(field_names(&plan(0)), PlanRow::COLUMNS);
    }
}

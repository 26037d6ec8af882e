//! The table by layer: where the time of a step goes.

use super::super::table::{Align, BOLD, DIM, Table};
use super::Measured;
use crate::config::spec::Spec;
use crate::nn::cost::{self, Cost};
use crate::train::Rehearsal;
use crate::train::net::dtype;

/// A row: what it is, its seconds a step, and what it did in them.
struct Row {
    layer: String,
    pass: &'static str,
    seconds: f64,
    /// Operations and bytes of a step; zero where they are not counted.
    flops: f64,
    bytes: f64,
}

/// One row a layer and pass, in the order of the net; loss, update and the rest of the step; totals.
pub fn table(rehearsal: &Rehearsal, spec: &Spec, measured: &Measured) -> String {
    use Align::{Left, Right};
    let columns = [
        ("layer", Left),
        ("what", Left),
        ("pass", Left),
        ("ms", Right),
        ("share", Right),
        ("GFLOP", Right),
        ("GFLOP/s", Right),
    ];
    let of_peak = measured.peak.map(|_| ("of peak", Right));
    let columns = columns.into_iter().chain(of_peak).chain([("MB", Right), ("GB/s", Right)]);
    let step = measured.rates.seconds / measured.rates.steps as f64;
    let mut table = Table::new(columns);
    let rows = rows(rehearsal, spec, measured, step);
    let (mut sum, mut by_pass) = (Row::empty("total", ""), [Row::empty("forward", ""), Row::empty("backward", "")]);
    for (what, row) in &rows {
        table.row(row.cells(what, step, measured.peak));
        sum.add(row);
        by_pass.iter_mut().filter(|total| total.layer == row.pass).for_each(|total| total.add(row));
    }
    for total in &by_pass {
        table.styled(DIM, total.cells("all layers", step, measured.peak));
    }
    table.styled(BOLD, sum.cells("", step, measured.peak));
    format!(
        "{}a step on average; MB: activations, parameters and gradients, each counted once a pass: what must move at the \
         least, from caches or memory\n",
        table.render()
    )
}

/// The rows, each with its layer's description.
fn rows(rehearsal: &Rehearsal, spec: &Spec, measured: &Measured, step: f64) -> Vec<(String, Row)> {
    let Some(timings) = rehearsal.tape.timings() else { return Vec::new() };
    let (steps, batch) = (measured.rates.steps as f64, measured.batch as f64);
    let element = dtype(spec).size() as f64;
    let row = |layer: &str, pass, seconds: f64, cost: Cost| Row {
        layer: layer.to_owned(),
        pass,
        seconds: seconds / steps,
        flops: cost.flops as f64 * batch,
        bytes: cost.activations as f64 * batch * element + cost.parameters as f64 * 4.0,
    };
    let mut rows = Vec::new();
    for (k, (node, cost)) in rehearsal.graph.nodes().iter().zip(cost::training_step(&rehearsal.graph)).enumerate() {
        rows.push((node.layer.describe(), row(&node.name, "forward", timings.forward[k], cost.forward)));
        if let Some(backward) = cost.backward {
            rows.push((String::new(), row("", "backward", timings.backward[k], backward)));
        }
    }
    if spec.train.recompute {
        let what = "activations that were not kept, by second runs".to_owned();
        rows.push((what, row("again", "", timings.again, Cost::default())));
    }
    rows.push((spec.train.loss_name().to_owned(), row("loss", "", timings.loss, Cost::default())));
    // Parameters, gradients and one buffer of state are read, parameters and state written.
    let numbers =
        rehearsal.graph.params().iter().filter(|decl| !decl.frozen).map(|decl| decl.len() as u64).sum::<u64>();
    let cost = Cost { parameters: 5 * numbers, ..Cost::default() };
    rows.push((spec.phases[0].optimizer.kind.clone(), row("update", "", rehearsal.update, cost)));
    let timed: f64 = rows.iter().map(|(_, row)| row.seconds).sum();
    rows.push((
        "images: waiting for them, into the tape; and the like".to_owned(),
        Row { seconds: step - timed, ..Row::empty("rest", "") },
    ));
    rows
}

impl Row {
    fn empty(layer: &str, pass: &'static str) -> Self {
        Self { layer: layer.to_owned(), pass, seconds: 0.0, flops: 0.0, bytes: 0.0 }
    }

    fn add(&mut self, other: &Row) {
        self.seconds += other.seconds;
        self.flops += other.flops;
        self.bytes += other.bytes;
    }

    /// One a column: that of the peak where there is one.
    fn cells(&self, what: &str, step: f64, peak: Option<f64>) -> Vec<String> {
        let Self { layer, pass, seconds, flops, bytes } = self;
        let counted = |amount: f64, text: String| if amount == 0.0 { String::new() } else { text };
        let of_peak = peak.map(|peak| counted(*flops, format!("{:.1} %", 100.0 * flops / seconds / peak)));
        let time = [
            layer.clone(),
            what.to_owned(),
            (*pass).to_owned(),
            format!("{:.2}", seconds * 1e3),
            format!("{:.1} %", 100.0 * seconds / step),
            counted(*flops, format!("{:.2}", flops / 1e9)),
            counted(*flops, format!("{:.1}", flops / seconds / 1e9)),
        ];
        let memory =
            [counted(*bytes, format!("{:.1}", bytes / 1e6)), counted(*bytes, format!("{:.1}", bytes / seconds / 1e9))];
        time.into_iter().chain(of_peak).chain(memory).collect()
    }
}

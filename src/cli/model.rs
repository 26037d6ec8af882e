//! `runner model`.

use super::prepare::Planned;
use super::table::{Align, BOLD, DIM, Table, wrap};
use super::{Exit, Failure, Overrides, output, paths, plan, prepare, rules};
use crate::config::spec::Spec;
use crate::data::Facts;
use crate::data::resize::Extent;
use crate::model::summary::{Figures, PartSummary};
use crate::model::{self, Member, Parts, Summary};
use crate::nn::Shape;
use crate::paint::Objective;
use crate::plan::{Plan, PlannedPhase};
use crate::task::{self, Painting};
use crate::train::needs;
use crate::train::net::{self, parts};
use crate::units::{self, count, number};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  runner model configs/dawnbench.toml
  runner model configs/dawnbench.toml --size 64 --set model.backbone.width=64
  runner model configs/dawnbench.toml --json

Neither the data set nor a network is needed. FLOPs are multiplications and additions of the forward pass of one image, two \
for each multiply-add; a training step takes about three times as many. `sees`: rows and columns of the image that a pixel of \
the output depends on, the receptive field. Of an experiment that paints, the layers are listed up to the last that a loss \
looks at.")]
pub struct ModelArgs {
    /// The experiment: a TOML file
    config: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
    /// Side of the images that the layers are listed for [default: the largest of the phases]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8192))]
    size: Option<u16>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Lists the layers of the net, and what it takes in each phase.
pub fn run(args: &ModelArgs) -> Result<Exit, Failure> {
    let loaded = paths::load(&args.config, &args.overrides.list())?;
    let Planned { plan, facts } = prepare::planned(&loaded)?;
    prepare::weights_there(&loaded, &facts)?;
    for notice in prepare::notices(&loaded.spec, &facts, !args.json) {
        output::notice(&notice);
    }
    let (spec, first) = (&loaded.spec.for_sets(&facts), &facts[0]);
    let parts = parts(spec, first.classes);
    let painting = task::painting(spec.task.as_ref());
    let of = |size: usize| {
        let image = Shape::new(size, size, first.channels);
        let summary = match &painting {
            Some(painting) => looked_at(&parts, image, painting),
            None => Summary::of(&parts, image, spec.train.recompute).map_err(anyhow::Error::new),
        };
        summary.map_err(|error| Failure::Usage(format!("the net takes no images of {size}×{size}: {error}")))
    };
    let largest = plan.phases.iter().map(|phase| phase.size).max().unwrap_or(first.size);
    let net = of(args.size.map_or(largest, usize::from))?;
    let phases: Vec<Phase> = plan
        .phases
        .iter()
        .enumerate()
        .map(|(index, phase)| Phase::new(index, phase, spec, &facts, &of(phase.size)?))
        .collect::<Result<_, Failure>>()?;
    let members = prepare::members(spec, first)?;
    let text = if args.json {
        let value = json!({
            "name": spec.name,
            "dataset": first.name,
            "stands_in_for": prepare::is_stand_in(first).then_some(&spec.data.dataset.kind),
            "classes": parts.classes,
            "net": net,
            "phases": phases,
            "rules": rules_as_json(spec, &plan, &members),
        });
        format!("{value:#}\n")
    } else {
        let heading = heading(spec, &parts, &net);
        let tables = format!("{}\n{}\n{}", layers(&net), totals(&net), table_of(&phases, painting.is_some()));
        let rules = rules_in_words(spec, &plan, &members);
        let data: Vec<String> = facts.iter().flat_map(|of| wrap(&plan::data_line(of), output::width())).collect();
        format!("{heading}\n\n{tables}\n{rules}{}\n", data.join("\n"))
    };
    output::print(&text)?;
    Ok(Exit::Done)
}

/// The net as far as a painting's losses look at it.
fn looked_at(parts: &Parts<'_>, image: Shape, painting: &Painting) -> anyhow::Result<Summary> {
    let (net, _) = model::build_some(parts, image)?;
    Ok(Summary::looked_at(parts, &net, &Objective::values(painting, &net)?))
}

/// What the net takes in one phase.
#[derive(serde::Serialize)]
struct Phase {
    phase: usize,
    size: usize,
    batch: usize,
    /// Of one image's forward pass.
    flops: u64,
    /// Bytes of activations and gradients for the images that pass at a time.
    tape_bytes: usize,
    /// Bytes of activations for those that are evaluated at a time; a painting is evaluated by looking at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_bytes: Option<usize>,
}

impl Phase {
    fn new(index: usize, phase: &PlannedPhase, spec: &Spec, facts: &[Facts], net: &Summary) -> Result<Self, Failure> {
        let eval_bytes = match spec.task {
            Some(_) => None,
            None => {
                let extent = Extent::square(phase.eval_size);
                Some(needs(spec, facts, phase, extent).map_err(anyhow::Error::new)?.evaluation.bytes())
            }
        };
        let element = net::dtype(spec).size();
        Ok(Self {
            phase: index,
            size: phase.size,
            batch: phase.batch,
            flops: net.figures.flops,
            tape_bytes: net.training_elements() * phase.batch.div_ceil(phase.accumulate) * element,
            eval_bytes,
        })
    }
}

/// The table of the rules, and the names of the parameters that each takes.
fn rules_in_words(spec: &Spec, plan: &Plan, members: &[Member]) -> String {
    let mut text = rules::table(spec, plan, members);
    for (rule, members) in plan.rules.iter().zip(rules::groups(spec, members).iter().skip(1)) {
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        let lines = wrap(&format!("{}: {}", rule.label, names.join(", ")), output::width());
        text += &format!("{}\n", lines.join("\n    "));
    }
    if text.is_empty() { text } else { text + "\n" }
}

fn rules_as_json(spec: &Spec, plan: &Plan, members: &[Member]) -> Vec<Value> {
    let groups = rules::groups(spec, members);
    let names = |group: &[&Member]| group.iter().map(|member| member.name.clone()).collect::<Vec<_>>();
    let taken = plan.rules.iter().zip(&groups[1..]);
    taken.map(|(rule, group)| json!({ "rule": rule.label, "parameters": names(group) })).collect()
}

/// `dawnbench: conv3x3 → resnet9 → max-pool; images of 32×32×3, 10 classes`; of a painting's net no one asks for classes.
fn heading(spec: &Spec, parts: &Parts<'_>, net: &Summary) -> String {
    let [h, w, c] = net.image;
    let kinds: Vec<&str> = net.parts.iter().map(|part| part.kind.as_str()).collect();
    let Spec { name, .. } = spec;
    let classes = match spec.task {
        Some(_) => String::new(),
        None => format!(", {}", units::classes(parts.classes)),
    };
    format!("{BOLD}{name}{BOLD:#}: {}; images of {h}×{w}×{c}{classes}", kinds.join(" → "))
}

fn layers(net: &Summary) -> String {
    use Align::{Left, Right};
    let columns =
        [("layer", Left), ("what", Left), ("output", Right), ("sees", Right), ("parameters", Right), ("MFLOP", Right)];
    let mut table = Table::new(columns);
    for PartSummary { part, kind, figures, layers } in &net.parts {
        for layer in layers {
            let [h, w, c] = layer.output;
            table.row(
                [layer.name.clone(), layer.what.clone(), format!("{h}×{w}×{c}"), field(layer.receptive_field)]
                    .into_iter()
                    .chain(work(&layer.figures)),
            );
        }
        let title = [format!("  {part} {kind}"), String::new(), String::new(), String::new()];
        table.styled(DIM, title.into_iter().chain(work(figures)));
    }
    table.styled(
        BOLD,
        ["total".to_owned(), String::new(), String::new(), String::new()].into_iter().chain(work(&net.figures)),
    );
    table.render()
}

/// How much of the image a pixel depends on.
fn field(field: Option<[usize; 2]>) -> String {
    field.map_or_else(|| "all".to_owned(), |[h, w]| format!("{h}×{w}"))
}

/// The columns of parameters and of work; nothing where there are none.
fn work(figures: &Figures) -> [String; 2] {
    let parameters = if figures.parameters == 0 { String::new() } else { count(figures.parameters) };
    [parameters, format!("{:.3}", figures.flops as f64 / 1e6)]
}

fn totals(net: &Summary) -> String {
    let Figures { parameters, frozen, statistics, flops } = net.figures;
    let [h, w, _] = net.image;
    let frozen = if frozen == 0 { String::new() } else { format!(" ({} of them frozen)", count(frozen)) };
    let mflop = number((flops as f64 / 1e3).round() / 1e3);
    format!(
        "{} parameters{frozen}, {} running statistics\n\
         {mflop} MFLOP an image of {h}×{w}: multiplications and additions, forward\n",
        count(parameters),
        count(statistics),
    )
}

fn table_of(phases: &[Phase], paints: bool) -> String {
    use Align::Right;
    let mut columns =
        vec![("phase", Right), ("size", Right), ("batch", Right), ("MFLOP an image", Right), ("tape", Right)];
    columns.extend((!paints).then_some(("evaluation", Right)));
    let mut table = Table::new(columns);
    for phase in phases {
        let numbers = [phase.phase, phase.size, phase.batch].map(|n| n.to_string());
        let mflop = format!("{:.3}", phase.flops as f64 / 1e6);
        let bytes = [Some(phase.tape_bytes), phase.eval_bytes].into_iter().flatten().map(prepare::memory);
        table.row(numbers.into_iter().chain([mflop]).chain(bytes));
    }
    let tape = match paints {
        true => "activations and gradients of a step, all in memory at once, up to the last layer that a loss looks at",
        false => {
            "activations and gradients of a training step, all in memory at once; evaluation: beside it, activations of \
             `eval_batch` images"
        }
    };
    format!("{}tape: {tape}\n", table.render())
}

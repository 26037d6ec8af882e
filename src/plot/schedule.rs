//! The picture of a schedule: lr and momentum over steps, epochs or images.

use super::axis::{Axis, Scale, TINY, is_drawable, lowest_on_log};
use super::curves::Across;
use super::frame::{self, Frame, Heading, Stages};
use super::places::{Places, epoch_borders};
use super::style::{BLUE, GREEN, GREY, ORANGE, OWN};
use super::svg::{Stroke, Svg};
use super::thin::thin;
use crate::record::rows::{OwnLine, OwnPoint, OwnQuantity, PhaseEnds, PlanRow, PlannedStepRow};
use crate::units::{count, number};

/// An exponential curve over more than this many decades is drawn on a log scale.
const DECADES: f64 = 2.0;
const COLUMNS: usize = 900;
/// Lines that are nowhere so many pixels apart look like one.
const APART: f64 = 0.5;
/// Of a line where so many others lie already: each leaves half of the one below it to be seen.
const DASHES: [&str; 4] = ["", "12 12", "6 18", "3 21"];

/// Whether something is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    #[default]
    Yes,
    No,
}

/// How the axis of learning rates is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LrScale {
    /// Logarithmic where a rate goes through decades evenly, else linear.
    #[default]
    ByCurves,
    Log,
}

/// What a picture of a schedule shows beyond the lr, and along which axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScheduleOptions {
    /// Optimizer, image size and batch of each phase.
    pub labels: Shown,
    pub momentum: Shown,
    /// Seconds are in no plan: steps stand for them.
    pub across: Across,
    pub lr: LrScale,
}

/// What the steps of a schedule use.
#[derive(Clone, Copy)]
pub struct Scheduled<'a> {
    /// Of the plan or of a trace, in order; they need not be all, but should have both ends of every phase.
    pub steps: &'a [PlannedStepRow],
    /// What rules and groups use that differs from it.
    pub own: &'a [OwnLine],
    /// Where the curves of each phase end, where that is known.
    pub ends: &'a [PhaseEnds],
}

/// A panel below that of the learning rate.
struct Panel {
    caption: (&'static str, &'static str),
    height: f64,
    lines: Lines,
    /// Of rules and groups, with their colours.
    own: Vec<(Lines, &'static str)>,
    axis: MakeAxis,
}

/// An axis for values of a range, onto pixels.
type MakeAxis = fn((f64, f64), (f64, f64)) -> Axis;

impl Panel {
    fn new(caption: (&'static str, &'static str), lines: Lines, axis: MakeAxis) -> Self {
        Self { caption, height: 80.0, lines, own: Vec::new(), axis }
    }

    /// The lowest and the highest value of all lines.
    fn range(&self) -> (f64, f64) {
        with_own(&self.lines, &self.own)
    }
}

/// Draws lr and momentum from left to right, with the phases' borders, as SVG; what rules and groups have of their own beside
/// the phases', dashed where another line is; beta, weight decay, bounds on the gradient, the decays of lookahead and of an average,
/// where they move; where two rules are mixed, their shares too.
///
/// A phase's line ends where its curve does: at `lr_to`, which is where the next phase begins and no step's value.
pub fn schedule(title: &str, phases: &[PlanRow], scheduled: Scheduled<'_>, options: ScheduleOptions) -> String {
    let own: Vec<&OwnLine> = scheduled
        .own
        .iter()
        .filter(|line| options.momentum == Shown::Yes || line.quantity != OwnQuantity::Momentum)
        .collect();
    let places = Places::new(phases, options.across);
    let stages = Stages { phases, borders: places.borders.clone(), labels: options.labels };
    let colours = Colours::of(&own);
    let panels = panels(&places, scheduled, options.momentum, |quantity| colours.lines(&places, &own, quantity));
    let highest = if options.momentum == Shown::Yes { 250.0 } else { 280.0 };
    let heights = [highest].into_iter().chain(panels.iter().map(|panel| panel.height)).collect();
    let heading = Heading { legend: colours.legend(), ..Heading::new(title, subtitle(phases)) };
    let frame = Frame::new(heading.bottom(), &stages, places.room(), heights);
    let rulers = places.rulers(&frame.x);
    let frames = [frame.with_rulers(rulers)];
    let mut svg = frame::start(&heading, &frames);
    let [frame] = &frames;

    let lr = Lines::new(&places, scheduled.steps, |s| s.lr, |p| p.lr_to);
    let rates = colours.lines(&places, &own, OwnQuantity::Lr);
    let y = lr_axis(options.lr, phases, &lr, &rates, frame.heights(0));
    let caption = if y.scale == Scale::Log { "learning rate, log scale" } else { "learning rate" };
    frame.panel(&mut svg, &y, (caption, BLUE), "");
    frame.within(&mut svg, &y, |svg| {
        lr.draw(svg, &frame.x, &y, BLUE);
        draw_beside(&rates, &lr, svg, (&frame.x, &y));
    });
    for (k, panel) in panels.iter().enumerate() {
        let y = (panel.axis)(panel.range(), frame.heights(1 + k));
        frame.panel(&mut svg, &y, panel.caption, "");
        frame.within(&mut svg, &y, |svg| {
            panel.lines.draw(svg, &frame.x, &y, panel.caption.1);
            draw_beside(&panel.own, &panel.lines, svg, (&frame.x, &y));
        });
    }
    svg.finish(title)
}

/// The panels that have something to show; `own`: the lines of rules and groups.
fn panels(
    places: &Places<'_>,
    scheduled: Scheduled<'_>,
    momentum: Shown,
    own: impl Fn(OwnQuantity) -> Vec<(Lines, &'static str)>,
) -> Vec<Panel> {
    let Scheduled { steps, ends, .. } = scheduled;
    let lines = |value: fn(&PlannedStepRow) -> f64, end: fn(&PhaseEnds) -> f64| {
        Lines::new(places, steps, value, |phase| ends.get(phase.phase).map_or(f64::NAN, end))
    };
    let mut panels = Vec::new();
    if momentum == Shown::Yes {
        let lines = Lines::new(places, steps, |s| s.momentum, |p| p.momentum_to);
        let own = own(OwnQuantity::Momentum);
        panels.push(Panel { own, height: 110.0, ..Panel::new(("momentum", ORANGE), lines, close_axis) });
    }
    let beta: fn(&PlannedStepRow) -> f64 = |s| s.beta.unwrap_or(f64::NAN);
    if moves(steps, beta) {
        panels.push(Panel::new(("beta", ORANGE), lines(beta, |ends| ends.beta), close_axis));
    }
    let mix = lines(|s| s.mix.unwrap_or(f64::NAN), |ends| ends.mix);
    if mix.values().next().is_some() {
        panels.push(Panel::new(("share of the mix's second rule", GREEN), mix, share_axis));
    }
    let decays = own(OwnQuantity::WeightDecay);
    if moves(steps, |s| s.weight_decay) || !decays.is_empty() {
        let lines = lines(|s| s.weight_decay, |ends| ends.weight_decay);
        panels.push(Panel { own: decays, ..Panel::new(("weight decay", GREY), lines, amount_axis) });
    }
    let norm: fn(&PlannedStepRow) -> f64 = |s| s.clip_norm.unwrap_or(f64::NAN);
    if moves(steps, norm) {
        let lines = lines(norm, |ends| ends.clip_norm);
        panels.push(Panel::new(("bound on the gradient's norm", GREY), lines, amount_axis));
    }
    let value: fn(&PlannedStepRow) -> f64 = |s| s.clip_value.unwrap_or(f64::NAN);
    if moves(steps, value) {
        let lines = lines(value, |ends| ends.clip_value);
        panels.push(Panel::new(("bound on the gradient's values", GREY), lines, amount_axis));
    }
    let mut decays = |caption, decay: Lines| {
        let (lowest, highest) = decay.range();
        if lowest < highest {
            panels.push(Panel::new((caption, GREEN), decay, close_axis));
        }
    };
    let after_steps =
        |of: fn(&PlannedStepRow) -> Option<f64>| Lines::after_steps(places, steps, |s| of(s).unwrap_or(f64::NAN));
    decays("lookahead's decay", after_steps(|s| s.lookahead_decay));
    decays("the average's decay", after_steps(|s| s.average_decay));
    panels
}

/// Whether a value changes within a phase.
fn moves(steps: &[PlannedStepRow], value: fn(&PlannedStepRow) -> f64) -> bool {
    steps.windows(2).any(|pair| {
        let [before, after] = [value(&pair[0]), value(&pair[1])];
        pair[0].phase == pair[1].phase && is_drawable(before) && is_drawable(after) && before != after
    })
}

/// Draws the lines of rules and groups over those of the phases.
fn draw_beside(own: &[(Lines, &'static str)], phases: &Lines, svg: &mut Svg, axes: (&Axis, &Axis)) {
    let mut below = vec![phases];
    for (lines, colour) in own {
        lines.draw_over(&below, svg, axes, colour);
        below.push(lines);
    }
}

/// The colours of rules and groups: as many as can be told apart, the others are left out. Those that use the same have one.
struct Colours<'a>(Vec<(Vec<&'a str>, &'static str)>);

impl<'a> Colours<'a> {
    fn of(own: &[&'a OwnLine]) -> Self {
        let mut colours: Vec<(Vec<&str>, &'static str)> = Vec::new();
        for name in own.iter().map(|line| line.name.as_str()) {
            if colours.iter().any(|(names, _)| names.contains(&name)) {
                continue;
            }
            match colours.iter().position(|(names, _)| used_by(own, names[0]).eq(used_by(own, name))) {
                Some(place) => colours[place].0.push(name),
                None if colours.len() < OWN.len() => colours.push((vec![name], OWN[colours.len()])),
                None => {}
            }
        }
        Self(colours)
    }

    fn legend(&self) -> Vec<(String, &'static str)> {
        self.0.iter().map(|(names, colour)| (names.join(", "), *colour)).collect()
    }

    /// The lines of a quantity, of equal ones one, with their colours.
    fn lines(&self, places: &Places<'_>, own: &[&OwnLine], quantity: OwnQuantity) -> Vec<(Lines, &'static str)> {
        let coloured = |line: &&OwnLine| {
            let (_, colour) = self.0.iter().find(|(names, _)| names[0] == line.name)?;
            Some((Lines::of_own(places, line), *colour))
        };
        own.iter().filter(|line| line.quantity == quantity).filter_map(coloured).collect()
    }
}

/// What the rule or group of that name uses, quantity by quantity.
fn used_by<'a>(own: &'a [&OwnLine], name: &'a str) -> impl Iterator<Item = (OwnQuantity, &'a [OwnPoint])> {
    own.iter().filter(move |line| line.name == name).map(|line| (line.quantity, line.points.as_slice()))
}

fn subtitle(phases: &[PlanRow]) -> String {
    let steps = phases.iter().fold(0, |sum: u64, p| sum.saturating_add(p.steps));
    let images = phases.iter().fold(0, |sum: u64, p| sum.saturating_add(p.images));
    let epochs = (epoch_borders(phases)[phases.len()] * 100.0).round() / 100.0;
    let plural = |n: u64, what: &str| format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" });
    let parts = [
        plural(phases.len() as u64, "phase"),
        plural(steps, "step"),
        format!("{} {}", number(epochs), if epochs == 1.0 { "epoch" } else { "epochs" }),
        plural(images, "image"),
    ];
    parts.join(" · ")
}

/// The points of each phase that can be drawn, of phases, steps and values.
fn by_phase(phases: &[PlanRow], points: impl Iterator<Item = (usize, u64, f64)>) -> Vec<Vec<(f64, f64)>> {
    let mut lines = vec![Vec::new(); phases.len()];
    for (phase, step, value) in points.filter(|(.., value)| is_drawable(*value)) {
        if let Some(line) = lines.get_mut(phase) {
            line.push((step as f64, value));
        }
    }
    lines
}

/// One line a phase, in values of the axes, empty where the phase has no such value; or one over all of them.
struct Lines(Vec<Vec<(f64, f64)>>);

impl Lines {
    fn new(
        places: &Places<'_>,
        steps: &[PlannedStepRow],
        value: impl Fn(&PlannedStepRow) -> f64,
        end: impl Fn(&PlanRow) -> f64,
    ) -> Self {
        let mut lines = by_phase(places.phases, steps.iter().map(|step| (step.phase, step.step, value(step))));
        for ((line, phase), border) in lines.iter_mut().zip(places.phases).zip(&places.steps[1..]) {
            // The rows of a run may break off before that.
            if line.last().is_some_and(|(step, _)| *step + 1.0 == *border) && is_drawable(end(phase)) {
                line.push((*border, end(phase)));
            }
        }
        Self(lines).laid(places)
    }

    fn of_own(places: &Places<'_>, own: &OwnLine) -> Self {
        let points = own.points.iter().map(|point| (point.phase, point.step, point.value));
        Self(by_phase(places.phases, points)).laid(places)
    }

    /// One line through all phases, of what comes after steps, not after each perhaps.
    fn after_steps(places: &Places<'_>, steps: &[PlannedStepRow], value: impl Fn(&PlannedStepRow) -> f64) -> Self {
        let points = steps.iter().map(|row| (row.step as f64 + 1.0, value(row)));
        Self(vec![points.filter(|(_, value)| is_drawable(*value)).collect()]).laid(places)
    }

    /// From steps to their places.
    fn laid(mut self, places: &Places<'_>) -> Self {
        self.0.iter_mut().flatten().for_each(|(x, _)| *x = places.of(*x));
        self
    }

    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.0.iter().flatten().map(|(_, y)| *y)
    }

    fn range(&self) -> (f64, f64) {
        self.values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)))
    }

    /// Thinner, and dashed in phases in which those below look the same, so that all show. What is 0 lies on the axis.
    fn draw_over(&self, below: &[&Self], svg: &mut Svg, (x, y): (&Axis, &Axis), colour: &'static str) {
        for line in &self.0 {
            let points: Vec<_> = thin(line, COLUMNS).into_iter().map(|(a, b)| (x.px(a), y.px(b))).collect();
            let hidden = below.iter().filter(|lines| lines.show(line, y)).count();
            svg.polyline(&points, Stroke::new(colour, 1.3).dashed(DASHES[hidden.min(DASHES.len() - 1)]));
        }
    }

    /// Whether one of them looks like this one.
    fn show(&self, line: &[(f64, f64)], y: &Axis) -> bool {
        let same = |a: &(f64, f64), b: &(f64, f64)| a.0 == b.0 && (y.px(a.1) - y.px(b.1)).abs() < APART;
        self.0.iter().any(|own| own.len() == line.len() && own.iter().zip(line).all(|(a, b)| same(a, b)))
    }

    fn draw(&self, svg: &mut Svg, x: &Axis, y: &Axis, colour: &'static str) {
        let mut before: Option<(f64, f64)> = None;
        for line in &self.0 {
            let points: Vec<_> = thin(line, COLUMNS).into_iter().map(|(a, b)| (x.px(a), y.px(b))).collect();
            // An area says how much there is: only where the axis begins at nothing.
            if y.scale == Scale::Linear && y.low == 0.0 {
                svg.area(&points, y.from, colour, 0.07);
            }
            if let (Some(before), Some(first)) = (before, points.first()) {
                svg.polyline(&[before, *first], Stroke::new(colour, 1.2).faint(0.4));
            }
            svg.polyline(&points, Stroke::new(colour, 1.8));
            // Of a phase without such a value there is none: what comes behind it is not joined to what was before.
            before = points.last().copied();
        }
    }
}

/// Whether a phase's learning rate goes through decades evenly: then it is drawn on a log scale.
pub fn spans_decades(phase: &PlanRow) -> bool {
    phase.lr_curve == "exponential" && (phase.lr_to / phase.lr_from).log10().abs() > DECADES
}

/// The lowest and the highest value of all lines.
fn with_own(lines: &Lines, own: &[(Lines, &str)]) -> (f64, f64) {
    own.iter().map(|(lines, _)| lines.range()).fold(lines.range(), |a, b| (a.0.min(b.0), a.1.max(b.1)))
}

fn lr_axis(scale: LrScale, phases: &[PlanRow], lr: &Lines, own: &[(Lines, &str)], pixels: (f64, f64)) -> Axis {
    let (low, high) = with_own(lr, own);
    if scale == LrScale::Log {
        let lines = own.iter().map(|(lines, _)| lines).chain([lr]).flat_map(|lines| &lines.0);
        let shown = lines.map(|line| lowest_on_log(line.iter().map(|(_, rate)| *rate))).fold(f64::INFINITY, f64::min);
        // Rates that are all 0 have no logarithmic axis. Where some are, they lie at the lowest tick, which says so: a gap
        // would look like a phase without a rate, and a line that falls to 0 would end in nothing.
        if shown.is_finite() {
            return Axis::decades_down_to(shown, (low, high), pixels);
        }
    }
    let values = own.iter().flat_map(|(lines, _)| lines.values()).chain(lr.values());
    let lowest = values.filter(|v| *v > TINY).fold(f64::INFINITY, f64::min);
    match phases.iter().any(spans_decades) && low >= 0.0 && lowest.is_finite() {
        true if low <= TINY => Axis::decades_over_zero(lowest, high, pixels),
        true => Axis::decades(lowest, high, pixels),
        false => Axis::around(low.min(0.0), high.max(0.0), 6, pixels),
    }
}

/// From zero to one, but close to the values where they lie close together: 0.85 to 0.95 is a usual range of momentum.
fn close_axis((low, high): (f64, f64), pixels: (f64, f64)) -> Axis {
    let close = high > low && high - low < 0.3 * high;
    if close { Axis::around(low, high, 3, pixels) } else { Axis::around(low.min(0.0), high.max(1.0), 3, pixels) }
}

fn share_axis(_: (f64, f64), pixels: (f64, f64)) -> Axis {
    Axis::around(0.0, 1.0, 2, pixels)
}

fn amount_axis((_, high): (f64, f64), pixels: (f64, f64)) -> Axis {
    Axis::around(0.0, high.max(0.0), 3, pixels)
}

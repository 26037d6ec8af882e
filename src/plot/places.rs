//! Where the steps of a plan lie from left to right.

use super::axis::{Axis, Tick, is_drawable};
use super::curves::Across;
use super::frame::Ruler;
use super::style::{RIGHT, SMALL};
use super::svg::Weight;
use super::text;
use crate::record::rows::PlanRow;
use crate::units::count;

/// A plan's phases, and where they and their steps lie.
pub struct Places<'a> {
    pub phases: &'a [PlanRow],
    /// Where the phases begin, and the end: one more than phases.
    pub borders: Vec<f64>,
    /// The same in steps.
    pub steps: Vec<f64>,
    corners: Corners,
}

impl<'a> Places<'a> {
    pub fn new(phases: &'a [PlanRow], across: Across) -> Self {
        let (borders, corners) = (borders(phases, across), Corners::new(phases, across));
        Self { phases, borders, steps: step_borders(phases), corners }
    }

    pub fn of(&self, step: f64) -> f64 {
        self.corners.place(step)
    }

    /// What runs from left to right, and below it what it is held against: epochs under steps, steps under all else.
    pub fn rulers(&self, x: &Axis) -> Vec<Ruler> {
        match self.corners.across {
            Across::Steps | Across::Seconds => vec![Ruler { name: "step", ticks: counts(x) }, epoch_ruler(self.phases)],
            Across::Epochs => vec![Ruler { name: "epoch", ticks: x.ticks(10) }, self.step_ruler()],
            Across::Images => vec![Ruler { name: "images", ticks: counts(x) }, self.step_ruler()],
        }
    }

    /// Not evenly spaced where the batch size changes.
    fn step_ruler(&self) -> Ruler {
        let axis = Axis::exact(0.0, self.steps[self.steps.len() - 1], (0.0, 1.0));
        let ticks = counts(&axis).into_iter().map(|t| Tick { value: self.of(t.value), ..t });
        Ruler { name: "step", ticks: ticks.collect() }
    }

    /// Room at the right edge: half of a label that may stand there, at least the usual.
    pub fn room(&self) -> f64 {
        let half = |borders: &[f64]| {
            let last = count(borders[borders.len() - 1] as u64);
            text::width(&last, SMALL, Weight::Regular) / 2.0
        };
        RIGHT.max(half(&self.borders)).max(half(&self.steps))
    }
}

/// A phase of more epochs than this has none that is as wide as a pixel: where short batches lie in them does not show.
const MOST_EPOCHS: f64 = 1000.0;

/// Steps whose places are known, in order: where phases meet, and in each where a short batch, the last of its epoch, lies among
/// whole ones. All between is straight.
pub struct Corners {
    across: Across,
    steps: Vec<f64>,
    places: Vec<f64>,
}

impl Corners {
    /// Those of a plan, which knows no seconds: steps stand for them.
    pub fn new(phases: &[PlanRow], across: Across) -> Self {
        let (borders, first_steps) = (borders(phases, across), step_borders(phases));
        let mut corners = Self { across, steps: vec![0.0], places: vec![0.0] };
        let mut offset = 0;
        for (k, phase) in phases.iter().enumerate() {
            let per_image = (borders[k + 1] - borders[k]) / phase.images.max(1) as f64;
            if matches!(across, Across::Epochs | Across::Images) {
                for (step, images) in around_short_batches(phase, offset) {
                    corners.push(first_steps[k] + step as f64, borders[k] + images as f64 * per_image);
                }
            }
            offset = offset.saturating_add(phase.images).checked_rem(epoch_images(phase)).unwrap_or(0);
            corners.push(first_steps[k + 1], borders[k + 1]);
        }
        corners
    }

    /// Places that were measured.
    pub fn measured(across: Across, steps: Vec<f64>, places: Vec<f64>) -> Self {
        Self { across, steps, places }
    }

    fn push(&mut self, step: f64, place: f64) {
        self.steps.push(step);
        self.places.push(place);
    }

    pub fn place(&self, step: f64) -> f64 {
        if self.across == Across::Steps { step } else { carry_over(step, &self.steps, &self.places) }
    }

    fn step(&self, place: f64) -> f64 {
        carry_over(place, &self.places, &self.steps)
    }

    /// The place of the last.
    pub fn end(&self) -> Option<f64> {
        self.places.last().copied()
    }
}

/// Images of one of the phase's epochs.
fn epoch_images(phase: &PlanRow) -> u64 {
    // A division that does not come out even is undone by rounding; what is no number is 0.
    (phase.images as f64 / phase.epochs).round() as u64
}

/// The steps of a phase between which and their neighbours batches are short, with the images that the phase has served before them: both
/// from its beginning, `offset` images into an epoch. Nothing where all batches are whole, or where the row's numbers do not
/// agree with each other.
fn around_short_batches(phase: &PlanRow, offset: u64) -> Vec<(u64, u64)> {
    let (batch, epoch) = (phase.batch as u64, epoch_images(phase));
    let all_whole = phase.steps.checked_mul(batch).is_none_or(|images| images <= phase.images);
    if all_whole || epoch <= offset || phase.epochs > MOST_EPOCHS {
        return Vec::new();
    }
    let mut corners = Vec::new();
    let (mut steps, mut images, mut left) = (0, 0, epoch - offset);
    while steps < phase.steps && images < phase.images {
        let taken = left.div_ceil(batch).min(phase.steps - steps);
        let served = left.min(taken.saturating_mul(batch));
        (steps, images, left) = (steps + taken, images + served, epoch);
        let short = served % batch;
        if short > 0 {
            corners.extend([(steps - 1, images - short), (steps, images)]);
        }
    }
    if (steps, images) == (phase.steps, phase.images) { corners } else { Vec::new() }
}

/// Where phases begin, and the end of the last. Seconds are in no plan: steps stand for them.
pub fn borders(phases: &[PlanRow], across: Across) -> Vec<f64> {
    match across {
        Across::Steps | Across::Seconds => step_borders(phases),
        Across::Epochs => epoch_borders(phases),
        Across::Images => sums(phases, |phase| phase.images as f64),
    }
}

/// The first step of each phase, and the end of the last.
pub fn step_borders(phases: &[PlanRow]) -> Vec<f64> {
    sums(phases, |phase| phase.steps as f64)
}

/// The epochs served before each phase, and in all.
pub fn epoch_borders(phases: &[PlanRow]) -> Vec<f64> {
    sums(phases, |phase| if is_drawable(phase.epochs) { phase.epochs.max(0.0) } else { 0.0 })
}

fn sums(phases: &[PlanRow], of: impl Fn(&PlanRow) -> f64) -> Vec<f64> {
    let mut borders = vec![0.0];
    for phase in phases {
        borders.push(borders[borders.len() - 1] + of(phase));
    }
    borders
}

/// Where `x` lies on `to`, when the corners of `from` lie on those of `to` and all between is straight.
fn carry_over(x: f64, from: &[f64], to: &[f64]) -> f64 {
    let last = from.len().min(to.len()).saturating_sub(1);
    let right = from.partition_point(|f| *f < x).clamp(1.min(last), last);
    let left = right.saturating_sub(1);
    let width = from[right] - from[left];
    if width > 0.0 { to[left] + (x - from[left]) / width * (to[right] - to[left]) } else { to[right] }
}

/// Ticks of whole numbers, thousands set apart.
pub fn counts(x: &Axis) -> Vec<Tick> {
    let whole = x.ticks(8).into_iter().filter(|t| t.value.fract() == 0.0);
    whole.map(|t| Tick { label: count(t.value as u64), ..t }).collect()
}

/// Epochs below the steps: not evenly spaced where the batch size changes.
pub fn epoch_ruler(phases: &[PlanRow]) -> Ruler {
    let corners = Corners::new(phases, Across::Epochs);
    let axis = Axis::exact(0.0, corners.places[corners.places.len() - 1], (0.0, 1.0));
    let ticks = axis.ticks(10).into_iter().map(|t| Tick { value: corners.step(t.value), ..t });
    Ruler { name: "epoch", ticks: ticks.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::rows::tests::plan;

    /// Phases of a set of so many images, each of so many steps and a batch; and the images that each step serves, one after the other.
    fn phases(epoch: u64, of: &[(u64, u64)]) -> (Vec<PlanRow>, Vec<u64>) {
        let (mut offset, mut batches) = (0, Vec::new());
        let row = |(k, &(steps, batch)): (usize, &(u64, u64))| {
            let own: Vec<u64> = (0..steps)
                .map(|_| {
                    let images = batch.min(epoch - offset);
                    offset = (offset + images) % epoch;
                    images
                })
                .collect();
            let images = own.iter().sum();
            batches.extend(own);
            PlanRow { steps, images, epochs: images as f64 / epoch as f64, batch: batch as usize, ..plan(k) }
        };
        (of.iter().enumerate().map(row).collect(), batches)
    }

    #[test]
    fn each_step_lies_where_its_images_do() {
        let cases: [(u64, &[(u64, u64)]); 6] = [
            (1000, &[(8, 300)]),
            (1000, &[(9, 300), (7, 130), (3, 1000), (11, 999)]),
            (1000, &[(20, 100), (5, 250)]),
            (7, &[(3, 3), (1, 2), (9, 5)]),
            (1, &[(5, 1)]),
            (50_000, &[(391 * 3 + 17, 128), (98, 512)]),
        ];
        for (epoch, of) in cases {
            let (rows, batches) = phases(epoch, of);
            let places = [Across::Images, Across::Epochs].map(|across| Places::new(&rows, across));
            let of_epochs = Corners::new(&rows, Across::Epochs);
            let mut served = 0;
            for (step, images) in batches.iter().chain([&0]).enumerate() {
                let close = |place: f64, want: f64| (place - want).abs() < 1e-9 * want.max(1.0);
                let (step, epochs) = (step as f64, served as f64 / epoch as f64);
                assert!(close(places[0].of(step), served as f64), "{of:?}: {step} is at {}", places[0].of(step));
                assert!(close(places[1].of(step), epochs), "{of:?}: {step} is at {}", places[1].of(step));
                assert!(close(of_epochs.step(epochs), step), "{of:?}: {epochs} is at {}", of_epochs.step(epochs));
                served += images;
            }
        }
    }

    #[test]
    fn numbers_that_do_not_agree_are_spread_evenly() {
        let even = PlanRow { epochs: 2.0, steps: 8, images: 2000, batch: 300, ..plan(0) };
        let wrong: [fn(&mut PlanRow); 5] = [
            |row| row.epochs = f64::NAN,
            |row| row.epochs = 0.0,
            |row| row.images = 1999,
            |row| row.steps = u64::MAX,
            |row| row.batch = 0,
        ];
        assert_eq!(around_short_batches(&even, 0).len(), 4);
        for change in wrong {
            let mut row = even.clone();
            change(&mut row);
            assert_eq!(around_short_batches(&row, 0), [], "{row:?}");
        }
    }
}

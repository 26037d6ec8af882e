//! Images that lie on a device, as bytes.

use crate::data::augment::{self, Border, Change, Move};
use crate::data::{Batch, Dataset, Images as Stored, Numbers, Split, mix, resize};
use crate::gpu::ops::serve::{self, Beyond, Pictures, Set};
use crate::gpu::{Buffer, DType, Device, Error};
use crate::nn::device::{Images, There};
use crate::plan::{Plan, PlannedPhase};
use std::sync::Arc;

/// Bytes of all training sets together, and of a validation set: the memory is the net's.
fn room(device: &Device) -> u64 {
    device.facts().memory / 8
}

/// The training sets that lie on a device, by their places in the plan; none by default.
#[derive(Default)]
pub struct DeviceSets(Vec<Option<DeviceSet>>);

/// Images of a set that lie on a device.
pub struct DeviceSet {
    images: Buffer,
    /// See [`serve::Set::table`].
    table: Buffer,
    mean: [u8; 3],
    size: usize,
    channels: usize,
}

impl DeviceSets {
    /// Puts those there that are in memory and of which some phase from that step on takes images by number, as far as there is
    /// room for them.
    ///
    /// # Errors
    /// Those of the device, but for too little memory.
    pub fn new(device: &Device, datasets: &[Arc<Dataset>], plan: &Plan, from: u64) -> Result<Self, Error> {
        let mut room = room(device);
        let mut there = |(k, set): (usize, &Arc<Dataset>)| {
            let by_number = |phase: &PlannedPhase| phase.end() > from && phase.set == k && is_told(phase);
            let is_of_use = plan.phases.iter().any(by_number);
            let Some(bytes) = in_memory(&set.train).filter(|bytes| is_of_use && *bytes <= room) else {
                return Ok(None);
            };
            let there = if_it_fits(DeviceSet::new(device, set, &set.train))?;
            room -= there.as_ref().map_or(0, |_| bytes);
            Ok(there)
        };
        datasets.iter().enumerate().map(&mut there).collect::<Result<_, _>>().map(Self)
    }

    /// Gives up their memory, which the net comes before: images can do without the device's. Whether there were any.
    pub fn give_up(&mut self) -> bool {
        !std::mem::take(self).at_hand().is_empty()
    }

    /// The places of those that are there.
    pub fn at_hand(&self) -> Vec<usize> {
        (0..self.0.len()).filter(|k| self.0[*k].is_some()).collect()
    }

    /// Whether a phase takes its images by number: the set is there, and the device can do what is done to them.
    pub fn serve(&self, phase: &PlannedPhase) -> bool {
        self.0.get(phase.set).is_some_and(Option::is_some) && is_told(phase)
    }

    /// The images of a batch. `room` is for what [`pictures`] makes of one by number.
    ///
    /// # Panics
    /// When it is by number, of a set that is not there.
    pub fn images<'a>(&'a self, batch: &'a Batch, room: &'a mut Pictures) -> Images<'a> {
        let Some(numbers) = &batch.numbers else { return Images::Here(&batch.images) };
        *room = pictures(numbers, batch.size);
        self.0[numbers.set].as_ref().expect("images are served by number of sets that are there").images(room)
    }
}

impl DeviceSet {
    /// The validation images of a set, where they lie in memory and there is room for them.
    ///
    /// # Errors
    /// Those of the device, but for too little memory.
    pub fn to_validate(device: &Device, set: &Dataset) -> Result<Option<Self>, Error> {
        match in_memory(&set.val) {
            Some(bytes) if bytes <= room(device) => if_it_fits(Self::new(device, set, &set.val)),
            _ => Ok(None),
        }
    }

    fn new(device: &Device, set: &Dataset, split: &Split) -> Result<Self, Error> {
        let images = device.allocate(DType::U8, split.bytes().len())?;
        device.write(images.view(), split.bytes())?;
        let table = device.upload(&set.normalised_bytes())?;
        let mut mean = [0; 3];
        mean.iter_mut().zip(set.mean_color()).for_each(|(to, byte)| *to = byte);
        Ok(Self { images, table, mean, size: split.size, channels: split.channels })
    }

    pub fn images<'a>(&'a self, pictures: &'a Pictures) -> Images<'a> {
        let Self { images, table, mean, size, channels } = self;
        let set = Set { images: images.view(), size: *size, channels: *channels, table: table.view(), mean: *mean };
        Images::There(There::all(set, pictures))
    }
}

/// Whether numbers say what is done to a phase's images: otherwise the host makes them.
fn is_told(phase: &PlannedPhase) -> bool {
    augment::chain(&phase.augment).is_told()
}

/// How many bytes it takes, where it is.
fn in_memory(split: &Split) -> Option<u64> {
    match &split.images {
        Stored::Memory(bytes) => Some(bytes.len() as u64),
        Stored::Stored(_) => None,
    }
}

/// `None` in place of too little memory.
fn if_it_fits<T>(there: Result<T, Error>) -> Result<Option<T>, Error> {
    match there {
        Ok(there) => Ok(Some(there)),
        Err(Error::OutOfMemory { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A batch by number, of side `size`, as a device makes it.
fn pictures(numbers: &Numbers, size: usize) -> Pictures {
    let Numbers { images, windows, changes, mixture, .. } = numbers;
    Pictures {
        numbers: images.clone(),
        windows: windows.iter().map(window).collect(),
        size,
        changes: changes.iter().map(change).collect(),
        mixture: mixture.as_ref().map(|mix::Mixture { blend, others }| serve::Mixture {
            blend: match blend {
                mix::Blend::Sum(own) => serve::Blend::Sum(*own),
                mix::Blend::Patch(patch) => serve::Blend::Patch(window(patch)),
            },
            others: others.clone(),
        }),
    }
}

fn window(of: &resize::Window) -> serve::Window {
    let resize::Window { left, top, width, height } = *of;
    serve::Window { left, top, width, height }
}

fn change(of: &Change) -> serve::Change {
    match *of {
        Change::Move(step) => serve::Change::Move(match step {
            Move::Stay => serve::Move::Stay,
            Move::Mirror => serve::Move::Mirror,
            Move::Shift { dy, dx, border } => {
                serve::Move::Shift { dy: dy as i32, dx: dx as i32, beyond: beyond(border) }
            }
            Move::Cover { top, left, side } => {
                let [top, left, side] = [top, left, side].map(|at| at as i32);
                serve::Move::Cover { top, left, side }
            }
        }),
        Change::Turn(augment::Turn { sin, cos, left, top, border }) => {
            serve::Change::Turn(serve::Turn { sin, cos, left, top, beyond: beyond(border) })
        }
        Change::Tones(tones) => serve::Change::Tones(tones.map(|tone| match tone {
            augment::Tone::Stay => serve::Tone::Stay,
            augment::Tone::Brightness(factor) => serve::Tone::Brightness(factor),
            augment::Tone::Contrast(factor) => serve::Tone::Contrast(factor),
            augment::Tone::Saturation(factor) => serve::Tone::Saturation(factor),
            augment::Tone::Hue(turn) => serve::Tone::Hue(turn),
        })),
    }
}

fn beyond(border: Border) -> Beyond {
    match border {
        Border::Reflect => Beyond::Reflect,
        Border::Zero => Beyond::Black,
        Border::Mean => Beyond::Mean,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::augment::chain;
    use crate::data::mix::mixer;
    use crate::data::{BatchPlan, Facts, FactsSource, Loader, Training};
    use crate::gpu::device::Order;
    use crate::gpu::ops::serve::Serving;
    use crate::registry::{Choice, Value};

    /// Images of 9×9 that vary from pixel to pixel.
    pub fn dataset(channels: usize) -> Dataset {
        let split = |count: usize| Split {
            images: Stored::Memory((0..count * 81 * channels).map(|i| (i * i * 31 % 251) as u8).collect()),
            labels: (0..count).map(|k| k as u32 % 2).collect(),
            size: 9,
            channels,
        };
        let facts = Facts {
            name: "test".to_owned(),
            train_images: 20,
            val_images: 5,
            classes: 2,
            channels,
            size: 9,
            source: FactsSource::Data,
        };
        Dataset::new(facts, Vec::new(), split(20), split(5))
    }

    /// What a device makes of images that lie there.
    pub fn made(device: &Device, images: Images<'_>) -> Vec<f32> {
        let Images::There(There { set, pictures, first, count }) = images else { panic!("they lie on the device") };
        let to = device.allocate(DType::F32, count * pictures.size * pictures.size * set.channels).unwrap();
        let mut serving = Serving::new(device).unwrap();
        serving.serve(device, set, pictures, first..first + count, to.view()).unwrap();
        device.read_f32(to.view()).unwrap()
    }

    /// Every augmentation, in lists of which the last begins with a crop.
    fn lists() -> [Vec<Choice>; 4] {
        let float = |key, value| (key, Value::Float(value));
        let with = |kind: &str, setting, padding: &str| {
            Choice::with(kind, [setting, ("padding", Value::Text(padding.to_owned()))])
        };
        let shift = |padding: &str| with("translate", ("pixels", Value::Int(4)), padding);
        let turn = |padding: &str| with("rotate", float("degrees", 60.0), padding);
        let (flip, cutout) = (Choice::plain("flip"), Choice::with("cutout", [("size", Value::Int(3))]));
        let jitter = Choice::with("color-jitter", [float("strength", 0.8), float("hue", 0.5)]);
        let crop = [float("min_scale", 0.1), float("max_scale", 1.0), float("ratio", 2.0)];
        [
            vec![],
            vec![shift("reflect"), cutout.clone(), flip.clone(), shift("zero"), Choice::plain("flip-alternating")],
            vec![jitter.clone(), turn("mean"), cutout, turn("reflect"), turn("zero"), flip.clone()],
            vec![Choice::with("random-resized-crop", crop), flip, jitter, shift("reflect")],
        ]
    }

    #[test]
    fn a_device_serves_what_the_host_serves() {
        let one = |key, value| (key, Value::Float(value));
        let mixes: Vec<Vec<Choice>> = ["mixup", "cutmix"]
            .map(|kind| vec![Choice::with(kind, [one("alpha", 1.0), one("probability", 1.0)])])
            .into_iter()
            .chain([vec![]])
            .collect();
        let all = lists();
        let ways = all.iter().flat_map(|list| [5, 9, 14].map(|size| (list, size))).zip(mixes.iter().cycle());
        for (((list, size), mix), channels) in ways.flat_map(|way| [1, 3].map(|channels| (way, channels))) {
            let set = Arc::new(dataset(channels));
            let batches = |at_hand: Vec<usize>| -> Vec<Batch> {
                let (augment, mix) = (vec![chain(list)], vec![mixer(mix)]);
                let training = Training { datasets: vec![Arc::clone(&set)], seed: 5, augment, mix, at_hand };
                let cut =
                    move |step| BatchPlan { epoch: step, first: 3, images: 11, size, phase: 0, set: 0, pruned: false };
                let mut loader = Loader::training(training, 0, move |step| (step < 3).then(|| cut(step)));
                let mut batches = Vec::new();
                while let Some((batch, _)) = loader.next_batch().unwrap() {
                    batches.push(batch.clone());
                }
                batches
            };
            let (here, there) = (batches(vec![]), batches(vec![0]));
            assert_eq!((here.len(), there.len()), (3, 3));
            for order in [Order::Ascending, Order::Descending] {
                let device = Device::emulated(order);
                // The second of the plan's sets: no other is there.
                let sets = DeviceSets(vec![None, Some(DeviceSet::new(&device, &set, &set.train).unwrap())]);
                assert_eq!(sets.at_hand(), [1]);
                for (want, got) in here.iter().zip(&there) {
                    assert_eq!((&want.labels, &want.mixed), (&got.labels, &got.mixed));
                    let mut got = got.clone();
                    got.numbers.as_mut().unwrap().set = 1;
                    let mut pictures = Pictures::default();
                    let images = sets.images(&got, &mut pictures);
                    assert_eq!(made(&device, images), want.images, "{list:?}, {mix:?}, {size}");
                    // As a batch in parts takes them.
                    let each = size * size * channels;
                    assert_eq!(made(&device, images.part(11, 2..6)), want.images[2 * each..6 * each]);
                }
            }
        }
    }
}

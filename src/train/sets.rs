//! Images that lie on a device, as bytes.

use crate::data::augment::{Border, Move, chain};
use crate::data::loader::by_number;
use crate::data::mix::mixer;
use crate::data::{Dataset, Images as Stored, Numbers, Split};
use crate::gpu::ops::serve::{self, Beyond, Set};
use crate::gpu::{Buffer, DType, Device, Error};
use crate::nn::device::{Images, There};
use crate::plan::Plan;
use std::sync::Arc;

/// Bytes of all training sets together, and of a validation set: the memory is the net's.
const MOST: u64 = 1 << 30;

/// So many of them, but of a device's at most an eighth.
fn room(device: &Device) -> u64 {
    MOST.min(device.facts().memory / 8)
}

/// The training sets that lie on a device, by their places in the plan.
pub struct DeviceSets(Vec<Option<DeviceSet>>);

/// Images of a set that lie on a device.
pub struct DeviceSet {
    images: Buffer,
    /// See [`serve::Set::table`].
    table: Buffer,
    size: usize,
    channels: usize,
}

impl DeviceSets {
    /// Puts those there of which some phase from that step on takes images that are at most moved or covered, as far as
    /// there is room for them.
    ///
    /// # Errors
    /// Those of the device, but for too little memory.
    pub fn new(device: &Device, datasets: &[Arc<Dataset>], plan: &Plan, from: u64) -> Result<Self, Error> {
        let mut room = room(device);
        let is_of_use = |k: usize| {
            let left = plan.phases.iter().filter(|phase| phase.end() > from);
            left.filter(|phase| phase.set == k).any(|phase| {
                let (chain, mixer) = (chain(&phase.augment), mixer(&phase.mix_images));
                by_number(&datasets[k].train, phase.size, &chain, &mixer).is_some()
            })
        };
        let mut there = |(k, set): (usize, &Arc<Dataset>)| {
            if !is_of_use(k) || set.train.bytes().len() as u64 > room {
                return Ok(None);
            }
            let there = if_it_fits(DeviceSet::new(device, set, &set.train))?;
            room -= there.as_ref().map_or(0, |_| set.train.bytes().len() as u64);
            Ok(there)
        };
        datasets.iter().enumerate().map(&mut there).collect::<Result<_, _>>().map(Self)
    }

    /// The places of those that are there.
    pub fn at_hand(&self) -> Vec<usize> {
        (0..self.0.len()).filter(|k| self.0[*k].is_some()).collect()
    }

    /// Images by number; `words` is what [`words`] makes of their moves.
    ///
    /// # Panics
    /// When the set is not there.
    pub fn images<'a>(&'a self, numbers: &'a Numbers, words: &'a [i32]) -> Images<'a> {
        let set = self.0[numbers.set].as_ref().expect("images are served by number of sets that are there");
        set.images(&numbers.images, words)
    }
}

impl DeviceSet {
    /// The validation images of a set, where they lie in memory as they are evaluated and there is room for them.
    ///
    /// # Errors
    /// Those of the device, but for too little memory.
    pub fn to_validate(device: &Device, set: &Dataset, size: usize) -> Result<Option<Self>, Error> {
        let is_of_use = matches!(&set.val.images, Stored::Memory(bytes) if bytes.len() as u64 <= room(device));
        if !is_of_use || set.val.size != size {
            return Ok(None);
        }
        if_it_fits(Self::new(device, set, &set.val))
    }

    fn new(device: &Device, set: &Dataset, split: &Split) -> Result<Self, Error> {
        let images = device.allocate(DType::U8, split.bytes().len())?;
        device.write(images.view(), split.bytes())?;
        let table = device.upload(&set.normalised_bytes())?;
        Ok(Self { images, table, size: split.size, channels: split.channels })
    }

    /// Images by number; `words` are those of as many moves for each.
    pub fn images<'a>(&'a self, numbers: &'a [u32], words: &'a [i32]) -> Images<'a> {
        let Self { images, table, size, channels } = self;
        let set = Set { images: images.view(), size: *size, channels: *channels, table: table.view() };
        Images::There(There { set, numbers, moves: words })
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

/// Moves as a device reads them.
pub fn words(moves: &[Move]) -> Vec<i32> {
    let there = |step: &Move| match *step {
        Move::Stay => serve::Move::Stay,
        Move::Mirror => serve::Move::Mirror,
        Move::Shift { dy, dx, border } => {
            let beyond = match border {
                Border::Reflect => Beyond::Reflect,
                Border::Zero => Beyond::Black,
                Border::Mean => Beyond::Mean,
            };
            serve::Move::Shift { dy: dy as i32, dx: dx as i32, beyond }
        }
        Move::Cover { top, left, side } => {
            let [top, left, side] = [top, left, side].map(|at| at as i32);
            serve::Move::Cover { top, left, side }
        }
    };
    moves.iter().flat_map(|step| there(step).words()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::mix::Mixer;
    use crate::data::{Batch, BatchPlan, Facts, FactsSource, Loader, Training};
    use crate::gpu::device::Order;
    use crate::registry::{Choice, Settings, Value};

    /// Images of 9×9 that vary from pixel to pixel.
    pub fn dataset(channels: usize) -> Dataset {
        let split = |count: usize| Split {
            images: Stored::Memory((0..count * 81 * channels).map(|i| (i * 31 % 251) as u8).collect()),
            labels: vec![0; count],
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

    #[test]
    fn a_device_serves_what_the_host_serves() {
        let setting = |key: &str, value: Value| (key.to_owned(), value);
        let choice = |kind: &str, list: Vec<(String, Value)>| Choice {
            kind: kind.to_owned(),
            settings: Settings(list.into_iter().collect()),
        };
        let shift = |padding: &str| {
            let padding = setting("padding", Value::Text(padding.to_owned()));
            choice("translate", vec![setting("pixels", Value::Int(4)), padding])
        };
        let list = [
            shift("reflect"),
            choice("cutout", vec![setting("size", Value::Int(3))]),
            Choice::plain("flip"),
            shift("zero"),
            Choice::plain("flip-alternating"),
        ];
        for channels in [1, 3] {
            let set = Arc::new(dataset(channels));
            let batches = |at_hand: Vec<usize>| -> Vec<Batch> {
                let (augment, mix) = (vec![chain(&list)], vec![Mixer::default()]);
                let training = Training { datasets: vec![Arc::clone(&set)], seed: 5, augment, mix, at_hand };
                let cut = |step| BatchPlan { epoch: step, first: 3, images: 11, size: 9, phase: 0, set: 0 };
                let mut loader = Loader::training(training, 0, move |step| (step < 3).then(|| cut(step)));
                let mut batches = Vec::new();
                while let Some((batch, _)) = loader.next_batch().unwrap() {
                    batches.push(batch.clone());
                }
                batches
            };
            let device = Device::emulated(Order::Ascending);
            // The second of the plan's sets: no other is there.
            let sets = DeviceSets(vec![None, Some(DeviceSet::new(&device, &set, &set.train).unwrap())]);
            assert_eq!(sets.at_hand(), [1]);
            let (here, there) = (batches(vec![]), batches(vec![0]));
            assert_eq!((here.len(), there.len()), (3, 3));
            for (want, got) in here.iter().zip(&there) {
                let numbers = &Numbers { set: 1, ..got.numbers.clone().unwrap() };
                let words = words(&numbers.moves);
                let Images::There(There { set, numbers, moves }) = sets.images(numbers, &words).part(11, 2..11) else {
                    panic!("they lie on the device")
                };
                let there = |len: usize| device.allocate(DType::U32, len).unwrap();
                let (numbers_there, moves_there) = (there(numbers.len()), there(moves.len()));
                device.write(numbers_there.view(), numbers).unwrap();
                device.write(moves_there.view(), moves).unwrap();
                let to = device.allocate(DType::F32, 9 * 81 * channels).unwrap();
                serve::serve(&device, set, numbers_there.view(), moves_there.view(), to.view()).unwrap();
                assert_eq!(device.read_f32(to.view()).unwrap(), want.images[2 * 81 * channels..]);
            }
        }
    }
}

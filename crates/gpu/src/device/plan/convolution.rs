//! Which of cuDNN's engines makes a convolution.

use crate::DType;
use crate::ops::conv::{Call, Direction, Shape};
use std::fmt;
use std::str::FromStr;

/// A convolution that an engine is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub direction: Direction,
    pub dtype: DType,
    pub shape: Shape,
    /// Whether the result is added to what is there.
    pub add: bool,
    /// Whether `f32` is multiplied as such, not as TF32; `false` for the other types.
    pub strict: bool,
    /// Whether the same input must give the same bytes.
    pub deterministic: bool,
}

impl Key {
    pub fn of(call: &Call, strict: bool, deterministic: bool) -> Self {
        let Call { direction, dtype, shape, add, .. } = *call;
        Self { direction, dtype, shape, add, strict: strict && dtype == DType::F32, deterministic }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { images, input: [h, w], cin, cout, kernel: [kh, kw], stride, groups, .. } = self.shape;
        let made = match self.direction {
            Direction::Forward => "forward",
            Direction::BackwardData => "gradient of the input",
            Direction::BackwardWeight => "gradient of the filters",
        };
        write!(f, "{made}, {kh}×{kw} of {cin} to {cout} channels")?;
        if groups > 1 {
            write!(f, " in {groups} groups")?;
        }
        match stride {
            [1, 1] => {}
            [a, b] if a == b => write!(f, ", stride {a}")?,
            [a, b] => write!(f, ", stride {a}×{b}")?,
        }
        write!(f, ", {images} images of {h}×{w}, {}", format!("{:?}", self.dtype).to_lowercase())
    }
}

/// An engine of cuDNN and the values of its knobs: a way to make a convolution. As text `62:2=0,13=1`, the engine's
/// number before the knobs' numbers and values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice {
    pub engine: i64,
    pub knobs: Vec<(i32, i64)>,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.engine)?;
        for (k, (knob, value)) in self.knobs.iter().enumerate() {
            write!(f, "{}{knob}={value}", if k == 0 { ':' } else { ',' })?;
        }
        Ok(())
    }
}

/// A text that names no engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the number of an engine, and numbers and values of its knobs after a colon")]
pub struct NoChoice;

impl FromStr for Choice {
    type Err = NoChoice;

    fn from_str(text: &str) -> Result<Self, NoChoice> {
        let (engine, knobs) = text.split_once(':').map_or((text, None), |(engine, knobs)| (engine, Some(knobs)));
        let knob = |text: &str| {
            let (knob, value) = text.split_once('=').ok_or(NoChoice)?;
            Ok((knob.parse().map_err(|_| NoChoice)?, value.parse().map_err(|_| NoChoice)?))
        };
        let knobs = knobs.map_or(Ok(Vec::new()), |knobs| knobs.split(',').map(knob).collect())?;
        Ok(Self { engine: engine.parse().map_err(|_| NoChoice)?, knobs })
    }
}

/// What cuDNN says of an engine's numbers: `cudnnBackendNumericalNote_t`.
mod note {
    /// Tensor cores: for `f32` with TF32.
    pub const TENSOR_CORE: i32 = 0;
    /// Operands are rounded to a smaller type, which no one asked for.
    pub const DOWN_CONVERT_INPUTS: i32 = 1;
    /// Sums of a smaller type than `f32`.
    pub const REDUCED_PRECISION_REDUCTION: i32 = 2;
    pub const NONDETERMINISTIC: i32 = 4;
}

/// What cuDNN says of what an engine does besides: `cudnnBackendBehaviorNote_t`.
mod behavior {
    /// It compiles a kernel, which takes seconds, and a library that need not be there.
    pub const RUNTIME_COMPILATION: i32 = 0;
}

/// Whether an engine of which cuDNN says that may be used.
pub fn allowed(key: &Key, notes: &[i32], behaviors: &[i32]) -> bool {
    let forbidden = [
        (note::DOWN_CONVERT_INPUTS, true),
        (note::REDUCED_PRECISION_REDUCTION, true),
        (note::TENSOR_CORE, key.strict),
        (note::NONDETERMINISTIC, key.deterministic),
    ];
    !behaviors.contains(&behavior::RUNTIME_COMPILATION)
        && !forbidden.iter().any(|(note, forbidden)| *forbidden && notes.contains(note))
}

/// How many contenders are measured: those further down cuDNN's list hardly ever win.
pub const MEASURED: usize = 8;

/// The sizes of a workspace to ask for in turn, until there is memory for one, when contenders that want so much are
/// tried: the first is enough for all of them, each later one for fewer.
pub fn rooms(workspaces: &[usize]) -> Vec<usize> {
    let mut rooms = workspaces.to_vec();
    rooms.sort_unstable_by(|a, b| b.cmp(a));
    rooms.dedup();
    rooms
}

/// How often contenders are timed, by turns, and how many runs in a row: short ones are over before the next is launched.
pub const ROUNDS: usize = 2;
pub const RUNS: usize = 3;

/// Whether a contender that took so long in the first round is timed again, where the fastest took that.
pub fn may_win(time: f32, fastest: f32) -> bool {
    time <= 1.5 * fastest
}

/// The place of the fastest of those that ran, which have a time; of equal ones the first.
pub fn winner(times: &[Option<f32>]) -> Option<usize> {
    let ran = times.iter().enumerate().filter_map(|(place, time)| time.map(|time| (place, time)));
    ran.reduce(|best, other| if other.1 < best.1 || best.1.is_nan() { other } else { best }).map(|(place, _)| place)
}

/// The most bytes of workspace on a card with that much memory: a 32nd of it, at least 256 MiB and at most 4 GiB.
pub fn workspace_limit(memory: u64) -> usize {
    (memory / 32).clamp(256 << 20, 4 << 30) as usize
}

/// The size that a workspace of `have` bytes gets when `need` are needed: grown by a half at least, so that it seldom
/// is.
pub fn grown(have: usize, need: usize, limit: usize) -> usize {
    need.max(have + have / 2).next_multiple_of(2 << 20).min(limit).max(need)
}

/// The sizes to ask for in turn, until there is memory for one, when a workspace of `have` bytes was given back since
/// more are needed: [`grown`], no more than is needed, and what there was, which others need.
pub fn sizes(have: usize, need: usize, limit: usize) -> Vec<usize> {
    let mut sizes = vec![grown(have, need, limit), need, have];
    sizes.dedup();
    sizes.retain(|bytes| *bytes > 0);
    sizes
}

/// The place of the one to take where there is no memory for a workspace of `want` bytes: that with the least, of equal
/// ones the first. A deterministic convolution may then be made with other bytes than where there is memory. `None`
/// where none does with less.
pub fn least(workspaces: &[usize], want: usize) -> Option<usize> {
    let less = workspaces.iter().enumerate().filter(|(_, workspace)| **workspace < want);
    less.min_by_key(|(_, workspace)| **workspace).map(|(place, _)| place)
}

/// A shape in cuDNN's order and numbers. It tells the groups by the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extents {
    /// Images, channels, rows, columns.
    pub x: [i64; 4],
    /// Channels made, channels of a group, rows, columns.
    pub w: [i64; 4],
    pub y: [i64; 4],
    pub padding: [i64; 2],
    pub stride: [i64; 2],
    pub dilation: [i64; 2],
}

/// Elements from one to the next along each axis, in cuDNN's order, of what lies channels-last.
pub fn channels_last([_, channels, rows, columns]: [i64; 4]) -> [i64; 4] {
    [rows * columns * channels, 1, columns * channels, channels]
}

impl Extents {
    /// `None` for what cuDNN does not take: nothing at all, 2³¹ elements or more in one operand, an output that is not
    /// as large as the input, padding and strides make it, groups that do not divide the channels.
    pub fn of(shape: &Shape) -> Option<Self> {
        let Shape { images, input, output, cin, cout, kernel, stride, padding, dilation, groups } = *shape;
        if groups == 0 || cin % groups != 0 || cout % groups != 0 || stride.contains(&0) || dilation.contains(&0) {
            return None;
        }
        for axis in 0..2 {
            let reach = dilation[axis] * kernel[axis].checked_sub(1)? + 1;
            if (input[axis] + 2 * padding[axis]).checked_sub(reach)? / stride[axis] + 1 != output[axis] {
                return None;
            }
        }
        let tensor = |extents: [usize; 4]| -> Option<[i64; 4]> {
            let elements = extents.iter().try_fold(1usize, |product, extent| product.checked_mul(*extent))?;
            (elements > 0 && i32::try_from(elements).is_ok()).then(|| extents.map(|extent| extent as i64))
        };
        let pair = |pair: [usize; 2]| Some([i32::try_from(pair[0]).ok()?.into(), i32::try_from(pair[1]).ok()?.into()]);
        Some(Self {
            x: tensor([images, cin, input[0], input[1]])?,
            w: tensor([cout, cin / groups, kernel[0], kernel[1]])?,
            y: tensor([images, cout, output[0], output[1]])?,
            padding: pair(padding)?,
            stride: pair(stride)?,
            dilation: pair(dilation)?,
        })
    }

    /// Elements of the operand that is made.
    pub fn made(&self, direction: Direction) -> usize {
        [self.x, self.w, self.y][direction.made()].iter().map(|extent| *extent as usize).product()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape {
            images: 2,
            input: [9, 7],
            output: [5, 3],
            cin: 6,
            cout: 4,
            kernel: [3, 3],
            stride: [2, 2],
            padding: [1, 0],
            dilation: [1, 1],
            groups: 2,
        }
    }

    fn key(dtype: DType, strict: bool, deterministic: bool) -> Key {
        let call = Call { direction: Direction::Forward, dtype, shape: shape(), x: 0, w: 0, y: 0, add: false };
        Key::of(&call, strict, deterministic)
    }

    #[test]
    fn an_engine_that_may_not_be_used_is_not_allowed() {
        let of = |key: &Key| -> Vec<bool> {
            // Nothing special, tensor cores, rounded operands, sums of a smaller type, not deterministic, FFT, Winograd.
            [&[][..], &[0], &[0, 1], &[2], &[4], &[3], &[5, 0]].iter().map(|notes| allowed(key, notes, &[])).collect()
        };
        assert_eq!(of(&key(DType::Bf16, false, false)), [true, true, false, false, true, true, true]);
        assert_eq!(of(&key(DType::F32, false, true)), [true, true, false, false, false, true, true]);
        assert_eq!(of(&key(DType::F32, true, false)), [true, false, false, false, true, true, false]);
        // Strictness is of f32 alone.
        let plain = key(DType::F16, false, false);
        assert_eq!(key(DType::F16, true, false), plain);
        assert!(!allowed(&plain, &[0], &[0]) && !allowed(&plain, &[], &[4, 0]) && allowed(&plain, &[0], &[4]));
    }

    #[test]
    fn the_fastest_of_those_that_ran_wins() {
        assert_eq!(rooms(&[10, 0, 30, 10, 50]), [50, 30, 10, 0]);
        assert!(rooms(&[]).is_empty());
        assert_eq!(winner(&[Some(3.0), None, Some(2.0), Some(2.0), Some(9.0)]), Some(2));
        assert_eq!(winner(&[Some(f32::NAN), None, None, None, Some(9.0)]), Some(4));
        assert_eq!([winner(&[None; 5]), winner(&[])], [None, None]);
        assert!(may_win(1.5, 1.0) && !may_win(1.6, 1.0) && !may_win(f32::NAN, 1.0));
    }

    #[test]
    fn a_convolution_is_told_in_words() {
        let bf16 = key(DType::Bf16, false, false);
        assert_eq!(bf16.to_string(), "forward, 3×3 of 6 to 4 channels in 2 groups, stride 2, 2 images of 9×7, bf16");
        let shape = Shape { groups: 1, stride: [1, 1], ..shape() };
        let of = Key { direction: Direction::BackwardWeight, shape, ..key(DType::F32, true, false) };
        assert_eq!(of.to_string(), "gradient of the filters, 3×3 of 6 to 4 channels, 2 images of 9×7, f32");
    }

    #[test]
    fn where_memory_is_short_less_of_it_is_asked_for() {
        let (mib, limit) = (1 << 20, 100 << 20);
        assert_eq!(sizes(0, 3 * mib, limit), [4 * mib, 3 * mib]);
        assert_eq!(sizes(0, 4 * mib, limit), [4 * mib]);
        assert_eq!(sizes(80 * mib, 90 * mib, limit), [limit, 90 * mib, 80 * mib]);
        assert_eq!(sizes(80 * mib, limit + 5, limit), [limit + 5, 80 * mib]);

        assert_eq!(least(&[900, 30, 10, 50, 10], 900), Some(2));
        assert_eq!(least(&[900, 30, 10, 50, 10], 11), Some(2));
        // What was taken last is not taken again: this comes to an end.
        assert_eq!(least(&[900, 30, 10, 50, 10], 10), None);
        assert_eq!(least(&[900, 0], 0), None);
        assert_eq!(least(&[], 5), None);
    }

    #[test]
    fn a_choice_comes_back_from_its_text() {
        let of = |engine, knobs: &[(i32, i64)]| Choice { engine, knobs: knobs.to_vec() };
        for (choice, text) in [(of(28, &[]), "28"), (of(62, &[(2, 0), (13, 1), (27, -8)]), "62:2=0,13=1,27=-8")] {
            assert_eq!(choice.to_string(), text);
            assert_eq!(text.parse(), Ok(choice));
        }
        for text in ["", "a", "62:", "62:2", "62:2=", "62:2=1,", "62,2=1", "257 "] {
            assert_eq!(text.parse::<Choice>(), Err(NoChoice), "{text}");
        }
    }

    #[test]
    fn a_workspace_grows_seldom_and_never_past_need_and_limit() {
        let (mib, limit) = (1 << 20, 100 << 20);
        assert_eq!(grown(0, 1, limit), 2 * mib);
        assert_eq!(grown(10 * mib, 11 * mib, limit), 16 * mib);
        assert_eq!(grown(80 * mib, 90 * mib, limit), limit);
        assert_eq!(grown(80 * mib, limit, limit), limit);
        // A choice of another run may want more than the limit of this card.
        assert_eq!(grown(0, limit + 5, limit), limit + 5);
        assert_eq!([1u64 << 30, 64 << 30, 1 << 40].map(workspace_limit), [256 << 20, 2 << 30, 4 << 30]);
    }

    #[test]
    fn extents_are_in_the_librarys_order_and_what_it_does_not_take_is_none() {
        let extents = Extents::of(&shape()).unwrap();
        assert_eq!((extents.x, extents.w, extents.y), ([2, 6, 9, 7], [4, 3, 3, 3], [2, 4, 5, 3]));
        assert_eq!((extents.padding, extents.stride, extents.dilation), ([1, 0], [2, 2], [1, 1]));
        assert_eq!(channels_last(extents.x), [378, 1, 42, 6]);
        let made = [Direction::Forward, Direction::BackwardData, Direction::BackwardWeight].map(|of| extents.made(of));
        assert_eq!(made, [120, 756, 108]);
        let none = |change: fn(&mut Shape)| {
            let mut shape = shape();
            change(&mut shape);
            assert_eq!(Extents::of(&shape), None, "{shape:?}");
        };
        none(|shape| shape.images = 0);
        none(|shape| shape.output[0] = 4);
        none(|shape| shape.kernel[1] = 0);
        none(|shape| shape.dilation = [5, 1]);
        none(|shape| shape.groups = 4);
        none(|shape| shape.stride[0] = 0);
        none(|shape| shape.images = (1 << 31) / (6 * 63) + 1);
        none(|shape| shape.images = usize::MAX);
    }
}

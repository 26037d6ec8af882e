//! Which of cuDNN's algorithms makes a convolution.

use crate::DType;
use crate::ops::conv::{Direction, Shape};

/// A convolution that an algorithm is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub direction: Direction,
    pub dtype: DType,
    pub shape: Shape,
    /// Whether `f32` is multiplied as such, not as TF32; `false` for the other types.
    pub strict: bool,
    /// Whether the same input must give the same bytes.
    pub deterministic: bool,
}

impl Key {
    pub fn new(direction: Direction, dtype: DType, shape: Shape, strict: bool, deterministic: bool) -> Self {
        Self { direction, dtype, shape, strict: strict && dtype == DType::F32, deterministic }
    }
}

/// Numbers of `cudnnMathType_t`.
mod math {
    /// Tensor cores where the types allow them: for `f32` with TF32.
    pub const TENSOR: u32 = 1;
    /// Tensor cores with rounding of `f32` to `f16`, which no one asked for.
    pub const CONVERSION: u32 = 2;
    /// Plain products and sums.
    pub const PLAIN: u32 = 3;
    pub const DEFAULT: u32 = 0;
}

/// What is to be said of the arithmetic when algorithms are asked for.
pub fn asked_math(key: &Key) -> u32 {
    match key.dtype {
        DType::F32 if key.strict => math::PLAIN,
        DType::F32 => math::DEFAULT,
        _ => math::TENSOR,
    }
}

/// An algorithm with its arithmetic, as cuDNN numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub algorithm: u32,
    pub math: u32,
}

impl Choice {
    /// Both in one number, for records.
    pub fn number(self) -> u32 {
        self.algorithm | self.math << 8
    }

    /// Of such a number; `None` where it is none.
    pub fn from_number(number: u32) -> Option<Self> {
        let choice = Self { algorithm: number & 0xff, math: number >> 8 };
        (choice.math <= math::PLAIN).then_some(choice)
    }
}

/// What cuDNN says of an algorithm. It lists them in the order in which it believes them to be fast.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    pub algorithm: u32,
    pub math: u32,
    pub supported: bool,
    pub deterministic: bool,
}

/// Those that may be used, in the order of the list, each once.
pub fn choices(key: &Key, listed: &[Listed]) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    for of in listed.iter().filter(|of| of.supported && (of.deterministic || !key.deterministic)) {
        // Whatever the list says of the arithmetic: an algorithm that cannot do without TF32 refuses later, asked for
        // its workspace.
        let math = if key.strict { math::PLAIN } else { of.math };
        let choice = Choice { algorithm: of.algorithm, math };
        if math <= math::PLAIN && math != math::CONVERSION && !choices.contains(&choice) {
            choices.push(choice);
        }
    }
    choices
}

/// A choice that cuDNN is ready to run, and the bytes of workspace that it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub choice: Choice,
    pub workspace: usize,
}

/// How many are measured: those further down the list hardly ever win.
const MEASURED: usize = 5;

/// Those worth a try, in order: the first few whose workspace is within the limit.
pub fn contenders(candidates: Vec<Candidate>, limit: usize) -> Vec<Candidate> {
    candidates.into_iter().filter(|candidate| candidate.workspace <= limit).take(MEASURED).collect()
}

/// The sizes of a workspace to ask for in turn, until there is memory for one, when contenders are tried: the first is
/// enough for all of them, each later one for fewer.
pub fn rooms(contenders: &[Candidate]) -> Vec<usize> {
    let mut rooms: Vec<usize> = contenders.iter().map(|candidate| candidate.workspace).collect();
    rooms.sort_unstable_by(|a, b| b.cmp(a));
    rooms.dedup();
    rooms
}

/// How often each contender runs: a first time and then as often as it is timed, or once where no clock decides.
pub fn turns(key: &Key) -> usize {
    if key.deterministic { 1 } else { 4 }
}

/// Whether the winner is among those tried, whatever becomes of others.
pub fn decided(key: &Key, tried: &[(Candidate, Option<f32>)]) -> bool {
    key.deterministic && tried.iter().any(|(_, time)| time.is_some())
}

/// The fastest of those that ran, which have a time; of equal ones the first. A deterministic convolution takes the
/// first that ran: clocks differ from run to run, and with them would the algorithm and so the bytes. Where none ran,
/// the first.
pub fn winner(key: &Key, tried: &[(Candidate, Option<f32>)]) -> Option<Candidate> {
    let mut ran = tried.iter().filter_map(|(candidate, time)| time.map(|time| (*candidate, time)));
    let best = if key.deterministic {
        ran.next()
    } else {
        ran.reduce(|best, other| if other.1 < best.1 || best.1.is_nan() { other } else { best })
    };
    best.map(|(candidate, _)| candidate).or(tried.first().map(|(candidate, _)| *candidate))
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

/// The one to take where there is no memory for a workspace of `want` bytes: that with the least, of equal ones the
/// first. A deterministic convolution may then be made with other bytes than where there is memory. `None` where none
/// does with less.
pub fn least(candidates: &[Candidate], want: usize) -> Option<Candidate> {
    let less = candidates.iter().filter(|candidate| candidate.workspace < want);
    less.min_by_key(|candidate| candidate.workspace).copied()
}

/// A shape in cuDNN's order and numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extents {
    /// Images, channels, rows, columns.
    pub x: [i32; 4],
    /// Channels made, channels of a group, rows, columns.
    pub w: [i32; 4],
    pub y: [i32; 4],
    pub padding: [i32; 2],
    pub stride: [i32; 2],
    pub dilation: [i32; 2],
    pub groups: i32,
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
        let tensor = |extents: [usize; 4]| -> Option<[i32; 4]> {
            let elements = extents.iter().try_fold(1usize, |product, extent| product.checked_mul(*extent))?;
            (elements > 0 && i32::try_from(elements).is_ok()).then(|| extents.map(|extent| extent as i32))
        };
        let pair = |pair: [usize; 2]| Some([i32::try_from(pair[0]).ok()?, i32::try_from(pair[1]).ok()?]);
        Some(Self {
            x: tensor([images, cin, input[0], input[1]])?,
            w: tensor([cout, cin / groups, kernel[0], kernel[1]])?,
            y: tensor([images, cout, output[0], output[1]])?,
            padding: pair(padding)?,
            stride: pair(stride)?,
            dilation: pair(dilation)?,
            groups: i32::try_from(groups).ok()?,
        })
    }

    /// Elements of the operand that is made.
    pub fn made(&self, direction: Direction) -> usize {
        let extents = match direction {
            Direction::Forward => self.y,
            Direction::BackwardData => self.x,
            Direction::BackwardWeight => self.w,
        };
        extents.iter().map(|extent| *extent as usize).product()
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
        Key::new(Direction::Forward, dtype, shape(), strict, deterministic)
    }

    fn listed(algorithm: u32, math: u32, deterministic: bool) -> Listed {
        Listed { algorithm, math, supported: true, deterministic }
    }

    #[test]
    fn an_algorithm_that_may_not_be_used_is_no_choice() {
        let mut list =
            vec![listed(3, 1, false), listed(1, 2, true), listed(1, 1, true), listed(0, 3, true), listed(1, 0, true)];
        list.push(Listed { algorithm: 7, math: 1, supported: false, deterministic: true });
        list.push(listed(1, 1, true));
        let of = |key: &Key| -> Vec<(u32, u32)> {
            choices(key, &list).iter().map(|choice| (choice.algorithm, choice.math)).collect()
        };
        assert_eq!(of(&key(DType::Bf16, false, false)), [(3, 1), (1, 1), (0, 3), (1, 0)]);
        assert_eq!(of(&key(DType::F32, false, true)), [(1, 1), (0, 3), (1, 0)]);
        // Strict: every algorithm, without TF32.
        assert_eq!(of(&key(DType::F32, true, true)), [(1, 3), (0, 3)]);
        assert_eq!(of(&key(DType::F32, true, false)), [(3, 3), (1, 3), (0, 3)]);
        // Strictness is of f32 alone.
        assert_eq!(key(DType::F16, true, false), key(DType::F16, false, false));
        assert_eq!([true, false].map(|strict| asked_math(&key(DType::F32, strict, false))), [3, 0]);
        assert_eq!(asked_math(&key(DType::Bf16, true, false)), 1);
    }

    #[test]
    fn the_fastest_within_the_limit_wins_and_a_deterministic_one_needs_no_clock() {
        let all: Vec<Candidate> = [900, 10, 0, 30, 40, 50, 60]
            .iter()
            .enumerate()
            .map(|(k, workspace)| Candidate { choice: Choice { algorithm: k as u32, math: 1 }, workspace: *workspace })
            .collect();
        let numbers =
            |list: &[Candidate]| -> Vec<u32> { list.iter().map(|candidate| candidate.choice.algorithm).collect() };
        let some = contenders(all.clone(), 100);
        assert_eq!(numbers(&some), [1, 2, 3, 4, 5]);
        assert_eq!(rooms(&some), [50, 40, 30, 10, 0]);
        assert_eq!(numbers(&contenders(all, 0)), [2]);
        assert_eq!((rooms(&[some[1], some[0], some[1]]), rooms(&[])), (vec![10, 0], vec![]));

        let (free, fixed) = (key(DType::Bf16, false, false), key(DType::Bf16, false, true));
        let tried = |times: [Option<f32>; 5]| -> Vec<_> { some.iter().copied().zip(times).collect() };
        let of = |key: &Key, times| winner(key, &tried(times)).unwrap().choice.algorithm;
        assert_eq!(of(&free, [Some(3.0), None, Some(2.0), Some(2.0), Some(9.0)]), 3);
        assert_eq!(of(&free, [None; 5]), 1);
        assert_eq!(of(&free, [Some(f32::NAN), None, None, None, Some(9.0)]), 5);
        assert_eq!(of(&fixed, [None, Some(3.0), Some(2.0), None, None]), 2);
        assert_eq!(of(&fixed, [None; 5]), 1);
        assert_eq!(winner(&free, &[]), None);

        // Nor need the others of a deterministic one run, nor it run twice.
        let decided = |key: &Key, times: [Option<f32>; 5], of: usize| decided(key, &tried(times)[..of]);
        assert!(!decided(&fixed, [None; 5], 5) && !decided(&fixed, [None, Some(3.0), None, None, None], 1));
        assert!(decided(&fixed, [None, Some(3.0), None, None, None], 2));
        assert!(!decided(&free, [Some(1.0); 5], 5));
        assert_eq!([&free, &fixed].map(turns), [4, 1]);
    }

    #[test]
    fn where_memory_is_short_less_of_it_is_asked_for() {
        let (mib, limit) = (1 << 20, 100 << 20);
        assert_eq!(sizes(0, 3 * mib, limit), [4 * mib, 3 * mib]);
        assert_eq!(sizes(0, 4 * mib, limit), [4 * mib]);
        assert_eq!(sizes(80 * mib, 90 * mib, limit), [limit, 90 * mib, 80 * mib]);
        assert_eq!(sizes(80 * mib, limit + 5, limit), [limit + 5, 80 * mib]);

        let of = |workspaces: &[usize], want| {
            let candidates: Vec<Candidate> = workspaces
                .iter()
                .enumerate()
                .map(|(k, workspace)| Candidate {
                    choice: Choice { algorithm: k as u32, math: 1 },
                    workspace: *workspace,
                })
                .collect();
            least(&candidates, want).map(|candidate| candidate.choice.algorithm)
        };
        assert_eq!(of(&[900, 30, 10, 50, 10], 900), Some(2));
        assert_eq!(of(&[900, 30, 10, 50, 10], 11), Some(2));
        // What was taken last is not taken again: this comes to an end.
        assert_eq!(of(&[900, 30, 10, 50, 10], 10), None);
        assert_eq!(of(&[900, 0], 0), None);
        assert_eq!(of(&[], 5), None);
    }

    #[test]
    fn a_choice_comes_back_from_its_number() {
        for algorithm in 0..8 {
            for math in 0..4 {
                let choice = Choice { algorithm, math };
                assert_eq!(Choice::from_number(choice.number()), Some(choice));
            }
        }
        assert_eq!(Choice::from_number(4 << 8), None);
        assert_eq!(Choice::from_number(u32::MAX), None);
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
        assert_eq!((extents.padding, extents.stride, extents.dilation, extents.groups), ([1, 0], [2, 2], [1, 1], 2));
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

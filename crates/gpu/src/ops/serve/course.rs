//! What is to be done to some pictures, in words that kernels read.

use super::{Beyond, Change, Move, Pictures, Set, Tone, Turn, Window};
use std::ops::Range;

/// Words of a window; of a move, a turn and the tones of a picture: as picture.cu has them.
pub const WINDOW: usize = 4;
const MOVE: usize = 4;
const TURN: usize = 10;
const TONES: usize = 8;

/// What is done to all pictures at a time, and where its words are.
#[derive(Debug)]
pub enum Stage {
    /// So many moves for each.
    Moves {
        each: usize,
        words: Range<usize>,
    },
    Turns(Range<usize>),
    Tones(Range<usize>),
}

/// The words, and what they are of.
#[derive(Debug, Default)]
pub struct Course {
    pub words: Vec<u32>,
    /// Pictures that are asked for.
    pub count: usize,
    /// Pictures that are made for it: behind those, where they are blended, the others that some of them are blended with.
    pub all: usize,
    /// Their side.
    pub size: usize,
    pub numbers: Range<usize>,
    /// The place among all of what each is blended with; none where they are not.
    pub others: Range<usize>,
    /// One for all, or one for each; `None` where they have the set's size.
    pub windows: Option<Range<usize>>,
    /// The most source pixels that a pixel is made of along an axis.
    pub most: usize,
    pub stages: Vec<Stage>,
}

impl Course {
    /// Says what makes some of the pictures.
    ///
    /// # Panics
    /// When they are not pictures of that set, or are changed in different ways.
    pub fn set(&mut self, set: &Set<'_>, pictures: &Pictures, part: Range<usize>) {
        let Pictures { numbers, windows, size, changes, mixture } = pictures;
        let (count, side) = (numbers.len(), set.size);
        assert!((1..1 << 15).contains(&side) && (1..1 << 15).contains(size), "pictures of side {size} of {side}");
        assert!([1, 3].contains(&set.channels), "images of {} channels", set.channels);
        let there = set.images.len() / (side * side * set.channels);
        assert!(numbers.iter().all(|number| (*number as usize) < there), "pictures of a set of {there}");
        assert!(!part.is_empty() && part.end <= count, "{part:?} of {count} pictures");
        assert!(windows.is_empty() || windows.len() == count, "a window for each picture");
        assert!(changes.len().is_multiple_of(count), "as many changes for each picture");

        let mut order: Vec<usize> = part.clone().collect();
        let mut places = vec![None; count];
        order.iter().enumerate().for_each(|(place, at)| places[*at] = Some(place as u32));
        let mut others: Vec<[u32; 1]> = Vec::new();
        for at in mixture.iter().flat_map(|mixture| &mixture.others[part.clone()]) {
            let place = *places[*at].get_or_insert(order.len() as u32);
            if place as usize == order.len() {
                order.push(*at);
            }
            others.push([place]);
        }
        (self.count, self.all, self.size) = (part.len(), order.len(), *size);
        self.words.clear();
        self.stages.clear();
        self.numbers = self.say(order.iter().map(|at| [numbers[*at]]));
        self.others = self.say(others.into_iter());

        let whole = Window { left: 0, top: 0, width: side, height: side };
        let wanted = match windows.is_empty() {
            true if *size == side => Vec::new(),
            true => vec![whole],
            false => order.iter().map(|at| windows[*at]).collect(),
        };
        let fits = |window: &Window| {
            let Window { left, top, width, height } = *window;
            width > 0 && height > 0 && left + width <= side && top + height <= side
        };
        assert!(wanted.iter().all(fits), "a window beyond an image of side {side}");
        // Pixels whose middles lie within the support to both sides, and one for rounding; of the widest window that there could be, so
        // that the room is the same for all batches.
        self.most = (2 * side.max(*size)).div_ceil(*size) + 2;
        self.windows = (!wanted.is_empty()).then(|| self.say(wanted.into_iter().map(words_of)));

        let each = changes.len() / count;
        let kind = |k: usize| std::mem::discriminant(&changes[k]);
        assert!((0..changes.len()).all(|k| kind(k) == kind(k % each)), "changes of the same kinds for all");
        let column = |k: usize| order.iter().map(move |at| &changes[at * each + k]);
        let mut k = 0;
        while k < each {
            let run = (k..each).take_while(|next| kind(*next) == kind(k)).count();
            let stage = match changes[k] {
                Change::Move(_) => {
                    let of_picture = |at: &usize| &changes[at * each + k..][..run];
                    let words = self.say(order.iter().flat_map(of_picture).map(words_of_move));
                    k += run;
                    Stage::Moves { each: run, words }
                }
                Change::Turn(_) => {
                    k += 1;
                    Stage::Turns(self.say(column(k - 1).map(words_of_turn)))
                }
                Change::Tones(_) => {
                    k += 1;
                    Stage::Tones(self.say(column(k - 1).map(words_of_tones)))
                }
            };
            self.stages.push(stage);
        }
    }

    /// Adds words, and says where they are.
    fn say<const N: usize>(&mut self, words: impl Iterator<Item = [u32; N]>) -> Range<usize> {
        let start = self.words.len();
        words.for_each(|words| self.words.extend_from_slice(&words));
        start..self.words.len()
    }
}

pub fn words_of(window: Window) -> [u32; WINDOW] {
    [window.left, window.top, window.width, window.height].map(|n| n as u32)
}

/// `MOVE_REFLECT` and those behind it.
fn beyond(beyond: Beyond) -> i32 {
    match beyond {
        Beyond::Reflect => 2,
        Beyond::Black => 3,
        Beyond::Mean => 4,
    }
}

/// # Panics
/// Where it is no move.
fn words_of_move(change: &Change) -> [u32; MOVE] {
    let Change::Move(step) = *change else { unreachable!("changes of one kind") };
    let words = match step {
        Move::Stay => [0; MOVE],
        Move::Mirror => [1, 0, 0, 0],
        Move::Shift { dy, dx, beyond: there } => [beyond(there), dy, dx, 0],
        Move::Cover { top, left, side } => [5, top, left, side],
    };
    words.map(|word| word as u32)
}

/// # Panics
/// Where it is no turn.
fn words_of_turn(change: &Change) -> [u32; TURN] {
    let Change::Turn(Turn { sin, cos, left, top, beyond: there }) = *change else {
        unreachable!("changes of one kind")
    };
    let mut words = [0; TURN];
    words[0] = beyond(there) as u32;
    for (to, number) in words[2..].as_chunks_mut::<2>().0.iter_mut().zip([sin, cos, left, top]) {
        let bits = number.to_bits();
        *to = [bits as u32, (bits >> 32) as u32];
    }
    words
}

/// # Panics
/// Where they are no tones.
fn words_of_tones(change: &Change) -> [u32; TONES] {
    let Change::Tones(tones) = *change else { unreachable!("changes of one kind") };
    let mut words = [0; TONES];
    for (to, tone) in words.as_chunks_mut::<2>().0.iter_mut().zip(tones) {
        *to = match tone {
            Tone::Stay => [0, 0],
            Tone::Brightness(factor) => [1, factor.to_bits()],
            Tone::Contrast(factor) => [2, factor.to_bits()],
            Tone::Saturation(factor) => [3, factor.to_bits()],
            Tone::Hue(turn) => [4, u32::from(turn)],
        };
    }
    words
}

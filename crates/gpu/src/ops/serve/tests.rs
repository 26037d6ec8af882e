use super::*;
use crate::device::Order;
use crate::ops::testing::{devices, rounded};

/// A set of so many images on a device, whose bytes and table go along.
struct There {
    bytes: Vec<u8>,
    columns: Vec<f32>,
    images: Buffer,
    table: Buffer,
    size: usize,
    channels: usize,
    serving: std::cell::RefCell<Serving>,
}

impl There {
    fn new(device: &Device, count: usize, size: usize, channels: usize) -> Self {
        let bytes: Vec<u8> = (0..count * size * size * channels).map(|k| (k * k * 37 % 251) as u8).collect();
        let columns: Vec<f32> = (0..channels * COLUMNS).map(|k| k as f32 / 100.0 - 1.0).collect();
        let images = device.allocate(DType::U8, bytes.len()).unwrap();
        device.write(images.view(), &bytes).unwrap();
        let table = device.upload(&columns).unwrap();
        let serving = std::cell::RefCell::new(Serving::new(device).unwrap());
        Self { bytes, columns, images, table, size, channels, serving }
    }

    fn serve(&self, dtype: DType, pictures: &Pictures, part: Range<usize>) -> Vec<f32> {
        let Self { size, channels, .. } = *self;
        let set = Set { images: self.images.view(), size, channels, table: self.table.view(), mean: [90, 100, 110] };
        let device = self.images.device();
        let to = device.allocate(dtype, part.len() * pictures.size * pictures.size * channels).unwrap();
        self.serving.borrow_mut().serve(device, set, pictures, part, to.view()).unwrap();
        device.read_f32(to.view()).unwrap()
    }
}

/// One move, pixel by pixel: the column of the table for each, or the place where its bytes are.
fn moved(image: &[Result<usize, usize>], size: i32, step: Move) -> Vec<Result<usize, usize>> {
    let at = |y: i32, x: i32| image[(y * size + x) as usize];
    let places = (0..size).flat_map(|y| (0..size).map(move |x| (y, x)));
    let inside = |y: i32, x: i32| (0..size).contains(&y) && (0..size).contains(&x);
    let fold = |k: i32| {
        // Step by step towards the image, turning round at its borders.
        let (mut at, mut by) = (0, 1);
        for _ in 0..k.abs() {
            if size == 1 {
                break;
            }
            by = if at == size - 1 {
                -1
            } else if at == 0 {
                1
            } else {
                by
            };
            at += by;
        }
        at
    };
    let one = |(y, x): (i32, i32)| match step {
        Move::Stay => at(y, x),
        Move::Mirror => at(y, size - 1 - x),
        Move::Shift { dy, dx, beyond: Beyond::Reflect } => at(fold(y + dy), fold(x + dx)),
        Move::Shift { dy, dx, .. } if inside(y + dy, x + dx) => at(y + dy, x + dx),
        Move::Shift { beyond: Beyond::Mean, .. } => Err(256),
        Move::Shift { .. } => Err(0),
        Move::Cover { top, left, side } => {
            if (top..top + side).contains(&y) && (left..left + side).contains(&x) {
                Err(256)
            } else {
                at(y, x)
            }
        }
    };
    places.map(one).collect()
}

#[test]
fn images_come_moved_and_normalised() {
    const IMAGES: usize = 5;
    let shift = |dy, dx, beyond| Move::Shift { dy, dx, beyond };
    let lists = [
        vec![[Move::Stay; 3], [Move::Mirror, Move::Stay, Move::Mirror]],
        vec![
            [shift(-2, 1, Beyond::Reflect), Move::Mirror, Move::Cover { top: 1, left: 0, side: 2 }],
            [Move::Mirror, shift(7, -9, Beyond::Reflect), shift(1, 1, Beyond::Black)],
            [Move::Cover { top: 0, left: 2, side: 1 }, shift(0, 2, Beyond::Mean), Move::Mirror],
            [shift(-1, 0, Beyond::Black), shift(0, -1, Beyond::Mean), shift(1, 1, Beyond::Reflect)],
        ],
    ];
    for (device, dtype) in devices() {
        for (size, channels) in [(1, 3), (4, 3), (5, 1)] {
            let there = There::new(&device, IMAGES, size, channels);
            for list in &lists {
                let numbers: Vec<u32> = (0..list.len() as u32).map(|k| (k * 3 + 1) % IMAGES as u32).collect();
                let changes = list.iter().flatten().copied().map(Change::Move).collect();
                let pictures = Pictures { numbers, changes, size, ..Pictures::default() };
                let got = there.serve(dtype, &pictures, 0..list.len());

                let mut want = Vec::new();
                for (index, moves) in pictures.numbers.iter().zip(list) {
                    let first = *index as usize * size * size;
                    let whole = (first..first + size * size).map(Ok).collect::<Vec<_>>();
                    let image = moves.iter().fold(whole, |image, step| moved(&image, size as i32, *step));
                    for (pixel, c) in image.iter().flat_map(|pixel| (0..channels).map(move |c| (pixel, c))) {
                        let column = match pixel {
                            Ok(place) => usize::from(there.bytes[place * channels + c]),
                            Err(column) => *column,
                        };
                        want.push(there.columns[c * COLUMNS + column]);
                    }
                }
                assert_eq!(got, rounded(dtype, &want), "{dtype:?}, {size}");
            }
        }
    }
}
/// Pictures of six images of side 11, in many ways.
fn ways() -> Vec<Pictures> {
    let stay = Change::Move(Move::Stay);
    let turn = |degrees: f64, size: f64, beyond| {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (left, top) = ((size * sin - size * cos + size) / 2.0, (-size * sin - size * cos + size) / 2.0);
        Change::Turn(Turn { sin, cos, left, top, beyond })
    };
    let tones = |k: usize| {
        let mut four = [
            Tone::Brightness(0.3 + k as f32 / 3.0),
            Tone::Contrast(1.7),
            Tone::Saturation(0.2),
            Tone::Hue(40 * k as u8),
        ];
        four.rotate_left(k % 4);
        Change::Tones(four)
    };
    let window = |k: usize| Window { left: k % 3, top: k % 2, width: 11 - k, height: 9 - k % 2 };
    let shift = |dy, dx, beyond| Change::Move(Move::Shift { dy, dx, beyond });
    let mixture = |blend| Some(Mixture { blend, others: vec![2, 0, 1, 5, 3, 4] });
    let of = |each: &dyn Fn(usize) -> Vec<Change>| (0..6).flat_map(each).collect::<Vec<_>>();
    let plain = Pictures { numbers: vec![3, 1, 4, 0, 5, 2], size: 11, ..Pictures::default() };
    vec![
        plain.clone(),
        Pictures { size: 7, ..plain.clone() },
        Pictures { size: 16, windows: (0..6).map(window).collect(), ..plain.clone() },
        Pictures { changes: of(&|k| vec![turn(17.0 * k as f64 - 40.0, 11.0, Beyond::Mean)]), ..plain.clone() },
        Pictures { changes: of(&|k| vec![stay, tones(k)]), size: 5, ..plain.clone() },
        Pictures { changes: of(&|k| vec![tones(k), tones(k + 1)]), ..plain.clone() },
        Pictures {
            windows: (0..6).map(window).collect(),
            size: 4,
            changes: of(&|k| {
                let cover = Change::Move(Move::Cover { top: 0, left: k as i32 % 3, side: 2 });
                let reflect = turn(90.0 + k as f64, 4.0, Beyond::Reflect);
                vec![shift(1, -1, Beyond::Mean), cover, reflect, shift(0, 1, Beyond::Black), tones(k), stay]
            }),
            mixture: mixture(Blend::Sum(0.3)),
            ..plain.clone()
        },
        Pictures {
            changes: of(&|k| vec![turn(5.0 * k as f64, 11.0, Beyond::Black), Change::Move(Move::Mirror)]),
            mixture: mixture(Blend::Patch(Window { left: 2, top: 1, width: 5, height: 9 })),
            ..plain
        },
    ]
}

/// The emulation is the twin of cards, and the host's loader, in `runner`'s tests, that of the emulation. All pictures come out of one
/// room, whose size changes with them.
#[test]
fn pictures_are_those_of_the_emulation() {
    for channels in [1, 3] {
        let emulated = There::new(&Device::emulated(Order::Ascending), 6, 11, channels);
        let wanted: Vec<Vec<f32>> = ways().iter().map(|way| emulated.serve(DType::F32, way, 0..6)).collect();
        assert!(wanted.iter().flatten().all(|x| x.is_finite()));
        for (device, dtype) in devices() {
            let there = There::new(&device, 6, 11, channels);
            let ways = ways();
            let all = ways.iter().zip(&wanted).enumerate();
            for (k, (pictures, want)) in all.clone().chain(all.rev()) {
                assert_eq!(there.serve(dtype, pictures, 0..6), rounded(dtype, want), "{k}: {dtype:?}");
                let each = want.len() / 6;
                let part = there.serve(dtype, pictures, 2..5);
                assert_eq!(part, rounded(dtype, &want[2 * each..5 * each]), "{k}: {dtype:?}, some of them");
            }
        }
    }
}

#[test]
fn pictures_shrink_and_grow_by_much() {
    for (of, to) in [(64, 3), (3, 64), (33, 32), (2, 1), (1, 5)] {
        let there = There::new(&Device::emulated(Order::Ascending), 1, of, 1);
        let pictures = Pictures { numbers: vec![0], size: to, ..Pictures::default() };
        let got = there.serve(DType::F32, &pictures, 0..1);
        // The triangle's weights straight away, rounded to a byte along each axis.
        let shares = |at: usize| -> Vec<f64> {
            let scale = of as f64 / to as f64;
            let (centre, support) = ((at as f64 + 0.5) * scale, scale.max(1.0));
            let near = |x: usize| (1.0 - ((x as f64 + 0.5 - centre) / support).abs()).max(0.0);
            let sum: f64 = (0..of).map(near).sum();
            (0..of).map(|x| near(x) / sum).collect()
        };
        let byte = |value: f64| (value + 0.5).floor();
        let across = |y: usize, x: usize| {
            byte((0..of).zip(shares(x)).map(|(k, share)| share * f64::from(there.bytes[y * of + k])).sum())
        };
        for (y, x) in (0..to).flat_map(|y| (0..to).map(move |x| (y, x))) {
            let value = byte((0..of).zip(shares(y)).map(|(k, share)| share * across(k, x)).sum());
            let found = got[y * to + x];
            // A half may be rounded either way.
            let near = [value - 1.0, value, value + 1.0].map(|byte| there.columns[byte.clamp(0.0, 255.0) as usize]);
            assert!(near.contains(&found), "{of} to {to} at {y}, {x}: {found}, not {near:?}");
        }
    }
}

/// More than there is room for are made some at a time.
#[test]
fn a_batch_beyond_the_room_is_made_in_parts() {
    let there = There::new(&Device::emulated(Order::Ascending), 2, 1024, 1);
    let mixture = Some(Mixture { blend: Blend::Sum(0.25), others: (0..70).map(|k| (k + 69) % 70).collect() });
    let pictures = Pictures { numbers: (0..70).map(|k| k % 2).collect(), size: 1000, mixture, ..Pictures::default() };
    const { assert!(2 * 1024 * 1000 * 70 > ROOM) };
    let all = there.serve(DType::F32, &pictures, 0..70);
    let each = all.len() / 70;
    // Each is blended with the other image.
    assert!(all[..each] == all[68 * each..69 * each] && all[each..2 * each] == all[69 * each..]);
    assert!(all[..each] != all[each..2 * each]);
}

#[test]
fn a_uniform_image_stays_so_and_a_window_of_the_same_side_is_copied() {
    let device = Device::emulated(Order::Descending);
    let mut there = There::new(&device, 2, 9, 1);
    device.write(there.images.view().part(0..81), &[77u8; 81]).unwrap();
    there.bytes[..81].fill(77);
    for size in [1, 4, 9, 20] {
        let pictures = Pictures { numbers: vec![0], size, ..Pictures::default() };
        assert!(there.serve(DType::F32, &pictures, 0..1).iter().all(|x| *x == there.columns[77]), "{size}");
    }
    let windows = vec![Window { left: 3, top: 2, width: 5, height: 5 }];
    let pictures = Pictures { numbers: vec![1], size: 5, windows, ..Pictures::default() };
    let at = |y: usize, x: usize| there.columns[usize::from(there.bytes[81 + y * 9 + x])];
    let want: Vec<f32> = (2..7).flat_map(|y| (3..8).map(move |x| (y, x))).map(|(y, x)| at(y, x)).collect();
    assert_eq!(there.serve(DType::F32, &pictures, 0..1), want);
}

#[test]
fn quarter_turns_move_pixels() {
    let there = There::new(&Device::emulated(Order::Ascending), 1, 5, 3);
    // Clockwise: the lower left corner comes to the upper left.
    let turn = Turn { sin: -1.0, cos: 0.0, left: 0.0, top: 5.0, beyond: Beyond::Black };
    let quarter = |times: usize| Pictures {
        numbers: vec![0],
        size: 5,
        changes: vec![Change::Turn(turn); times],
        ..Pictures::default()
    };
    let plain = there.serve(DType::F32, &quarter(0), 0..1);
    let turned = there.serve(DType::F32, &quarter(1), 0..1);
    for (y, x) in (0..5).flat_map(|y| (0..5).map(move |x| (y, x))) {
        assert_eq!(turned[(y * 5 + x) * 3..][..3], plain[((4 - x) * 5 + y) * 3..][..3], "{y}, {x}");
    }
    assert_eq!(there.serve(DType::F32, &quarter(4), 0..1), plain);
}

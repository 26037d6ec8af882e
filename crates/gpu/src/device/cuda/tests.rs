//! What needs a card to be tested; without one these tests say so and pass.

use super::super::plan::convolution::Key;
use super::super::{Buffer, DType, Device, Error};
use crate::GradTo;
use crate::ops::conv::{self, Direction, Shape};
use crate::ops::testing::{close, noise, rounded, upload};
use crate::ops::{Act, add, matmul};
use std::thread;

/// A device of this test alone, whose flags and algorithms it may change.
fn card() -> Option<Device> {
    match Device::cuda(0) {
        Ok(device) => Some(device),
        Err(error) => {
            eprintln!("not tested: {error}");
            None
        }
    }
}

#[test]
fn facts_are_those_of_the_card() {
    let Some(device) = card() else { return };
    let facts = device.facts();
    assert!(facts.device == "cuda:0" && !facts.name.is_empty() && facts.memory > 1 << 30, "{facts:?}");
    assert_eq!(facts.versions.len(), 3, "{facts:?}");
    let missing = facts.versions.iter().filter(|(_, version)| version == "none").count();
    assert_eq!(missing, facts.remarks.len(), "{facts:?}");
}

#[test]
fn what_is_written_is_read_whatever_becomes_of_the_source() {
    let Some(device) = card() else { return };
    for len in [0, 1, 255, 1000, (16 << 20) + 1, (70 << 20) + 3] {
        let mut source: Vec<u8> = (0..len).map(|k| (k * 7 % 251) as u8).collect();
        let want = source.clone();
        let [first, second] = [(); 2].map(|()| device.allocate(DType::U8, len).unwrap());
        device.write(first.view(), &source).unwrap();
        source.fill(1);
        device.copy(first.view(), second.view()).unwrap();
        let mut got = vec![0; len];
        device.read(second.view(), &mut got).unwrap();
        assert!(got == want, "{len} bytes");
        device.zero(second.view()).unwrap();
        device.read(second.view(), &mut got).unwrap();
        assert!(got.iter().all(|byte| *byte == 0));
    }
    // More uploads than there are events.
    let small: Vec<Buffer> = (0..1000).map(|k| device.upload(&[k as f32; 3]).unwrap()).collect();
    for (k, buffer) in small.iter().enumerate() {
        assert_eq!(device.read_f32(buffer.view()).unwrap(), [k as f32; 3]);
    }
}

/// What was given back comes back in the stream's order: where there is too little, the device waits for it.
#[test]
fn memory_that_was_given_back_is_waited_for() {
    let Some(device) = card() else { return };
    let most = device.facts().memory as usize / 5 * 3;
    // Another program may have the rest.
    let Ok(first) = device.allocate(DType::U8, most) else { return };
    drop(first);
    let second = device.allocate(DType::U8, most - (1 << 20)).expect("the first was given back");
    assert!(matches!(device.allocate(DType::U8, most), Err(Error::OutOfMemory { .. })));
    drop(second);
    device.allocate(DType::U8, most).expect("the second was, too");
}

#[test]
fn memory_is_aligned_and_its_end_is_an_error_that_says_how_much_there_is() {
    let Some(device) = card() else { return };
    let parts: Vec<Buffer> = (1..50).map(|len| device.allocate(DType::U8, len).unwrap()).collect();
    assert!(parts.iter().all(|part| part.view().address().is_multiple_of(256)));
    let error = device.allocate(DType::U8, 1 << 45).unwrap_err();
    assert!(
        matches!(error, Error::OutOfMemory { asked, free, all } if asked == 1 << 45 && 0 < free && free < all),
        "{error}"
    );
    // The device is as before.
    assert_eq!(device.read_f32(device.upload(&[2.5]).unwrap().view()).unwrap(), [2.5]);
}

#[test]
fn threads_share_a_device() {
    let Some(device) = card() else { return };
    thread::scope(|scope| {
        for seed in 0..4 {
            let device = &device;
            scope.spawn(move || {
                for round in 0..50 {
                    let values = noise(seed * 100 + round, 10_000);
                    let buffer = device.upload(&values).unwrap();
                    assert!(device.read_f32(buffer.view()).unwrap() == values);
                }
            });
        }
    });
}

/// Any shapes, the operands transposed or not, several at once, with and without adding.
#[test]
fn products_are_those_of_plain_loops() {
    let Some(device) = card() else { return };
    if device.facts().versions.iter().any(|(name, version)| name == "cublas" && version == "none") {
        return;
    }
    device.set_strict(true);
    for dtype in DType::ACTIVATIONS {
        for (rows, cols, inner, count) in [(3, 5, 4, 1), (64, 24, 40, 1), (1, 7, 33, 3), (17, 1, 9, 2)] {
            for (transposed, out) in (0..4).flat_map(|transposed| [(transposed, dtype), (transposed, DType::F32)]) {
                let [a, b] =
                    [(1, rows * inner), (2, inner * cols)].map(|(seed, len)| rounded(dtype, &noise(seed, len * count)));
                let before = rounded(out, &noise(3, rows * cols * count));
                let (a_at, b_at, c) =
                    (upload(&device, dtype, &a), upload(&device, dtype, &b), upload(&device, out, &before));
                let call = matmul::Call {
                    rows,
                    cols,
                    inner,
                    dtype,
                    out,
                    a: a_at.view().address(),
                    a_transposed: transposed & 1 != 0,
                    b: b_at.view().address(),
                    b_transposed: transposed & 2 != 0,
                    c: c.view().address(),
                    scale: 0.5,
                    add: transposed != 3,
                    count,
                    strict: false,
                };
                // SAFETY: the operands are as long as the call says.
                assert!(unsafe { device.backend().multiply(&call) }.unwrap(), "{call:?}");
                let mut want = Vec::new();
                for (batch, i, j) in
                    (0..count * rows * cols).map(|at| (at / (rows * cols), at / cols % rows, at % cols))
                {
                    let sum: f64 = (0..inner)
                        .map(|k| {
                            let a_part = if call.a_transposed { k * rows + i } else { i * inner + k };
                            let b_part = if call.b_transposed { j * inner + k } else { k * cols + j };
                            f64::from(a[batch * rows * inner + a_part]) * f64::from(b[batch * inner * cols + b_part])
                        })
                        .sum();
                    want.push(0.5 * sum + if call.add { f64::from(before[want.len()]) } else { 0.0 });
                }
                close(&device.read_f32(c.view()).unwrap(), &want, out, 1e-5);
            }
        }
    }
}

/// A convolution's three directions, by plain loops.
fn plain(shape: &Shape, direction: Direction, x: &[f32], w: &[f32], y: &[f32]) -> Vec<f64> {
    let Shape { images, input, output, cin, cout, kernel, stride, padding, dilation, groups } = *shape;
    let (from, to) = (cin / groups, cout / groups);
    let len = match direction {
        Direction::Forward => y.len(),
        Direction::BackwardData => x.len(),
        Direction::BackwardWeight => w.len(),
    };
    let mut made = vec![0.0; len];
    for (n, p, q, o) in (0..images * output[0] * output[1] * cout).map(|at| {
        (at / cout / output[1] / output[0], at / cout / output[1] % output[0], at / cout % output[1], at % cout)
    }) {
        for (r, s, c) in
            (0..kernel[0] * kernel[1] * from).map(|at| (at / from / kernel[1], at / from % kernel[1], at % from))
        {
            let (row, col) = (p * stride[0] + r * dilation[0], q * stride[1] + s * dilation[1]);
            if row < padding[0] || col < padding[1] || row - padding[0] >= input[0] || col - padding[1] >= input[1] {
                continue;
            }
            let x_at = ((n * input[0] + row - padding[0]) * input[1] + col - padding[1]) * cin + o / to * from + c;
            let w_at = ((o * kernel[0] + r) * kernel[1] + s) * from + c;
            let y_at = ((n * output[0] + p) * output[1] + q) * cout + o;
            match direction {
                Direction::Forward => made[y_at] += f64::from(x[x_at]) * f64::from(w[w_at]),
                Direction::BackwardData => made[x_at] += f64::from(y[y_at]) * f64::from(w[w_at]),
                Direction::BackwardWeight => made[w_at] += f64::from(x[x_at]) * f64::from(y[y_at]),
            }
        }
    }
    made
}

fn shapes() -> Vec<Shape> {
    let one = Shape {
        images: 3,
        input: [9, 7],
        output: [9, 7],
        cin: 16,
        cout: 24,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
    };
    vec![
        one,
        Shape { output: [5, 4], stride: [2, 2], ..one },
        Shape { output: [7, 3], padding: [1, 0], dilation: [2, 2], ..one },
        Shape { kernel: [1, 1], padding: [0, 0], cin: 3, ..one },
        Shape { kernel: [1, 3], padding: [0, 1], cin: 8, cout: 8, groups: 2, ..one },
    ]
}

/// A card that has cuDNN.
fn card_with_cudnn() -> Option<Device> {
    card().filter(|device| !device.facts().versions.iter().any(|(name, of)| name == "cudnn" && of == "none"))
}

/// A convolution's operands, what they are without being made, and what each direction makes of the others.
struct Example {
    dtype: DType,
    shape: Shape,
    values: [Vec<f32>; 3],
}

const DIRECTIONS: [Direction; 3] = [Direction::Forward, Direction::BackwardData, Direction::BackwardWeight];

impl Example {
    fn new(shape: Shape, dtype: DType) -> Self {
        let pixels = |of: [usize; 2]| shape.images * of[0] * of[1];
        let lens = [
            pixels(shape.input) * shape.cin,
            shape.cout * shape.kernel[0] * shape.kernel[1] * (shape.cin / shape.groups),
            pixels(shape.output) * shape.cout,
        ];
        Self { dtype, shape, values: [0, 1, 2].map(|k| rounded(dtype, &noise(k as u64 + 1, lens[k]))) }
    }

    /// The largest difference between what a library makes and what plain loops do, by the largest value of the latter; `None`
    /// where it does not take the convolution, and has done nothing.
    fn difference(&self, device: &Device, direction: Direction, add: bool) -> Option<f64> {
        let at = [0, 1, 2].map(|k| upload(device, self.dtype, &self.values[k]));
        let [x, w, y] = [0, 1, 2].map(|k| at[k].view().address());
        let call = conv::Call { direction, dtype: self.dtype, shape: self.shape, x, w, y, add };
        // SAFETY: the operands are as long as the shape says.
        let done = unsafe { device.backend().convolve(&call) }.unwrap();
        let (got, before) = (device.read_f32(at[direction.made()].view()).unwrap(), &self.values[direction.made()]);
        if !done {
            assert!(got == *before, "nothing is done of what is not taken");
            return None;
        }
        let [x, w, y] = [0, 1, 2].map(|k| &self.values[k]);
        let made = plain(&self.shape, direction, x, w, y);
        let want = made.iter().zip(before).map(|(made, before)| made + if add { f64::from(*before) } else { 0.0 });
        let want: Vec<f64> = want.collect();
        let largest = want.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let differences = got.iter().zip(&want).map(|(got, want)| (f64::from(*got) - want).abs() / largest);
        Some(differences.fold(0.0, |a, b| if a >= b { a } else { b }))
    }
}

/// What rounding of factors and results makes of a sum of a few hundred products, by the largest of the sums: half a unit in the
/// last place of the result, and of TF32 the factors' own.
fn tolerance(dtype: DType, strict: bool) -> f64 {
    match dtype {
        DType::Bf16 => 5e-3,
        DType::F16 => 1e-3,
        _ if strict => 2e-5,
        _ => 2e-3,
    }
}

#[test]
fn convolutions_are_those_of_plain_loops() {
    let Some(device) = card_with_cudnn() else { return };
    for (strict, deterministic) in [(true, false), (true, true), (false, false)] {
        device.set_strict(strict);
        device.set_deterministic(deterministic);
        for (shape, dtype) in shapes().into_iter().flat_map(|shape| DType::ACTIVATIONS.map(|dtype| (shape, dtype))) {
            let example = Example::new(shape, dtype);
            for (direction, add) in DIRECTIONS.into_iter().flat_map(|direction| [(direction, false), (direction, true)])
            {
                let difference = example.difference(&device, direction, add);
                let difference = difference.unwrap_or_else(|| panic!("cuDNN does not take {direction:?} of {shape:?}"));
                assert!(difference < tolerance(dtype, strict), "{direction:?} of {shape:?}, {dtype:?}: {difference:e}");
            }
        }
    }
    assert_eq!(device.take_remarks(), [""; 0]);
    // Choices are data: another device takes them.
    let algorithms = device.algorithms();
    assert!(!algorithms.is_empty() && algorithms.is_sorted());
    let Some(other) = card() else { return };
    other.set_algorithms(&algorithms);
    assert_eq!(other.algorithms(), algorithms);
}

#[test]
fn every_way_to_make_a_convolution_makes_that_of_plain_loops() {
    let Some(device) = card_with_cudnn() else { return };
    let mut wrong = Vec::new();
    let mut count = 0;
    for (strict, dtype) in [(true, DType::F32), (false, DType::F32), (false, DType::Bf16), (false, DType::F16)] {
        device.set_strict(strict);
        for shape in shapes() {
            let example = Example::new(shape, dtype);
            for (direction, add) in DIRECTIONS.into_iter().flat_map(|direction| [(direction, false), (direction, true)])
            {
                let call = conv::Call { direction, dtype, shape, x: 0, w: 0, y: 0, add };
                let key = Key::of(&call, strict, false);
                for way in device.backend().ways(&key) {
                    device.set_algorithms(&[(key, way.clone())]);
                    let difference = example.difference(&device, direction, add);
                    let taken = device.algorithms().contains(&(key, way.clone()));
                    count += 1;
                    if !taken || difference.is_none_or(|difference| difference >= tolerance(dtype, strict)) {
                        wrong.push(format!("{key}, {way}: {difference:?}, taken: {taken}"));
                    }
                }
            }
        }
    }
    println!("{count} ways, {} that fail or are wrong", wrong.len());
    assert!(count > 100 && wrong.is_empty(), "{}\n{}", wrong.join("\n"), device.take_remarks().join("\n"));
}

#[test]
fn convolutions_are_recorded_with_their_workspaces() {
    let Some(device) = card_with_cudnn() else { return };
    for dtype in DType::ACTIVATIONS {
        let shape = shapes()[0];
        let example = Example::new(shape, dtype);
        let at = [0, 1, 2].map(|k| upload(&device, dtype, &example.values[k]));
        let run = |direction| {
            let [x, w, y] = [0, 1, 2].map(|k| at[k].view());
            conv::run(&device, direction, &conv::Convolution { dtype, shape, x, w, y, add: false })
        };
        let read = || [0, 1, 2].map(|k| device.read_f32(at[k].view()).unwrap());
        let fill = || {
            (0..3).for_each(|k| device.copy(upload(&device, dtype, &example.values[k]).view(), at[k].view()).unwrap())
        };
        // Each of what the one before has made.
        let all = || DIRECTIONS.into_iter().try_for_each(run);
        all().unwrap();
        let want = read();
        fill();
        let graph = device.capture(&mut || all()).unwrap().expect("a card records");
        assert!(read() == want);
        for _ in 0..2 {
            fill();
            device.replay(&graph).unwrap();
            assert!(read() == want, "{dtype:?}");
        }
    }
}

#[test]
fn recorded_work_is_done_again_with_what_memory_holds_then() {
    let Some(device) = card() else { return };
    let (from, to) = (device.upload(&[1.0, -2.0, 3.0]).unwrap(), device.zeros(DType::F32, 3).unwrap());
    let kept = device.upload(&[10.0, 20.0, 30.0]).unwrap();
    let work = |kept: &Buffer| add::forward(&device, Act::None, from.view(), Some((kept.view(), 1.0)), to.view());
    work(&kept).unwrap();
    let mut kept = Some(kept);
    let graph = device.capture(&mut || {
        work(kept.as_ref().unwrap())?;
        // Dropped while it is recorded: it is kept for the graph.
        kept = None;
        Ok(())
    });
    let graph = graph.unwrap().expect("a card records");
    assert_eq!(device.read_f32(to.view()).unwrap(), [11.0, 18.0, 33.0]);
    device.write(from.view(), &[0f32, 0.0, 1.0]).unwrap();
    // Memory that would be that of `kept`, were it given back.
    let others: Vec<Buffer> = (0..8).map(|_| device.upload(&[7.0; 3]).unwrap()).collect();
    device.replay(&graph).unwrap();
    assert_eq!(device.read_f32(to.view()).unwrap(), [10.0, 20.0, 31.0]);
    drop((graph, others));
    device.synchronize().unwrap();
}

#[test]
fn what_cannot_be_recorded_is_an_error_and_the_device_goes_on() {
    let Some(device) = card() else { return };
    let buffer = device.upload(&[1.0; 4]).unwrap();
    let mut values = [0f32; 4];
    let mut refused = Vec::new();
    let graph = device.capture(&mut || {
        refused.push(device.allocate(DType::F32, 4).err());
        refused.push(device.write(buffer.view(), &[2f32; 4]).err());
        refused.push(device.read(buffer.view(), &mut values).err());
        refused.push(device.synchronize().err());
        refused.push(device.capture(&mut || Ok(())).err());
        // A kernel that has not run yet.
        let to = GradTo::overwrite(buffer.view());
        let saved = add::Saved { a: None, b: None };
        refused.push(add::backward(&device, (Act::None, 1.0), saved, buffer.view(), Some(to), None).err());
        device.zero(buffer.view())
    });
    assert!(graph.unwrap().is_some());
    assert_eq!(refused.len(), 6);
    for error in refused {
        assert!(error.unwrap().to_string().contains("recorded"));
    }
    assert_eq!(device.read_f32(buffer.view()).unwrap(), [0.0; 4]);

    let error = Error::Failed { doing: "a".to_owned(), said: "b".to_owned() };
    let failed = device.capture(&mut || {
        device.zero(buffer.view())?;
        Err(error.clone())
    });
    assert_eq!(failed.unwrap_err(), error);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| device.capture(&mut || panic!("work"))));
    assert!(panicked.is_err());
    assert_eq!(device.read_f32(device.upload(&[3.0]).unwrap().view()).unwrap(), [3.0]);
}

#[test]
fn other_threads_wait_while_one_records() {
    let Some(device) = card() else { return };
    let (buffer, other) = (device.upload(&[1.0; 4]).unwrap(), device.upload(&[1.0; 4]).unwrap());
    thread::scope(|scope| {
        let graph = device.capture(&mut || {
            let (of, other) = (device.clone(), other.view());
            scope.spawn(move || of.write(other, &[5f32; 4]).unwrap());
            thread::sleep(std::time::Duration::from_millis(50));
            device.zero(buffer.view())
        });
        assert!(graph.unwrap().is_some());
    });
    assert_eq!(device.read_f32(other.view()).unwrap(), [5.0; 4]);
    assert_eq!(device.read_f32(buffer.view()).unwrap(), [0.0; 4]);
}

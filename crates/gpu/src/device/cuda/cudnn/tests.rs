//! What cuDNN says of convolutions on a card that is described to it. That needs the library and no card; without the
//! library this says so and passes.

use super::super::super::DType;
use super::super::super::plan::convolution::{self, Extents, Key};
use super::graph::{Graph, Target};
use super::library::library;
use crate::ops::conv::{Call, Direction, Shape};
use std::ffi::CStr;
use std::rc::Rc;

/// An H200's, by the names that `libcudnn_graph` 9.8 to 9.28 reads, as `cudaGetDeviceProperties` would tell them.
const H200: &CStr = cr#"{"cudaDeviceId":0,"deviceName":"NVIDIA H200","deviceVer":900,"driverVer":13000,
    "multiProcessorCount":132,"smClockRateKHz":1980000,"memClockRateKHz":3201000,"totalGlobalMem":150754820096,
    "l2CacheSize":62914560,"warpSize":32,"regsPerBlock":65536,"maxRegistersPerSM":65536,"maxThreadsPerBlock":1024,
    "maxThreadsPerSM":2048,"maxCtasPerSM":32,"maxBlockSize":[1024,1024,64],"maxGridSize":[2147483647,65535,65535],
    "maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":232448,"reservedSharedMemoryPerBlock":1024,
    "oversizedSharedMemoryPerBlock":0,"pciDeviceId":0,"isTccDriver":0,"supportCoopLaunch":1}"#;
const MEMORY: u64 = 150_754_820_096;

fn h200() -> Option<Target> {
    let library = library().inspect_err(|error| eprintln!("not tested: {error}")).ok()?;
    if library.version_numbers() < [9, 8, 0] {
        eprintln!("not tested: cuDNN {} takes no description of a card", library.version_text());
        return None;
    }
    match Target::described(library, H200) {
        // Parts of 9.28 want a driver's library to be there, if only to be loaded.
        Err(failure) if failure.is_part_missing() => {
            eprintln!("not tested: {}", super::Error::from(failure));
            None
        }
        described => Some(described.expect("cuDNN takes the description of an H200")),
    }
}

/// A convolution of square images, with its output.
fn square(images: usize, size: usize, [cin, cout]: [usize; 2], kernel: [usize; 2], stride: usize) -> Shape {
    // Even kernels are those of stems without padding.
    let padding = kernel.map(|taps| if taps % 2 == 0 { 0 } else { taps / 2 });
    let along = |axis: usize| (size + 2 * padding[axis] - kernel[axis]) / stride + 1;
    Shape {
        images,
        input: [size; 2],
        output: [along(0), along(1)],
        cin,
        cout,
        kernel,
        stride: [stride; 2],
        padding,
        dilation: [1; 2],
        groups: 1,
    }
}

/// One of each kind that the program's nets have, at batches of recipes and at the short ones at an epoch's end.
fn shapes() -> Vec<Shape> {
    let mut shapes = vec![
        // ResNet-9 and ResNet-18 for small images.
        square(512, 32, [3, 64], [3, 3], 1),
        square(512, 32, [64, 128], [3, 3], 1),
        square(1024, 4, [512, 512], [3, 3], 1),
        square(512, 32, [64, 128], [3, 3], 2),
        square(512, 32, [64, 128], [1, 1], 2),
        square(336, 8, [256, 512], [3, 3], 2),
        // A wide ResNet-22.
        square(512, 32, [16, 96], [3, 3], 1),
        square(80, 32, [96, 192], [1, 1], 2),
        // airbench's nets.
        square(1024, 32, [3, 24], [2, 2], 1),
        square(1024, 31, [24, 64], [3, 3], 1),
        square(848, 7, [256, 256], [3, 3], 1),
        // ResNet-50 and stems for photographs.
        square(256, 224, [3, 64], [7, 7], 2),
        square(256, 56, [256, 64], [1, 1], 1),
        square(256, 56, [512, 1024], [1, 1], 2),
        square(64, 128, [3, 64], [1, 7], 2),
        square(64, 64, [64, 64], [7, 1], 1),
        square(7, 224, [3, 96], [4, 4], 4),
        // DenseNet's and odd ones.
        square(64, 28, [544, 128], [1, 1], 1),
        square(1, 13, [5, 9], [3, 3], 2),
    ];
    let block = square(128, 16, [64, 64], [3, 3], 1);
    shapes.push(Shape { groups: 32, ..block });
    shapes.push(Shape { padding: [2; 2], dilation: [2; 2], ..block });
    shapes.push(Shape { padding: [0; 2], output: [14; 2], ..block });
    shapes
}

/// Each direction of each shape, in each type, as training asks for it.
fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    for shape in shapes() {
        for dtype in DType::ACTIVATIONS {
            for direction in [Direction::Forward, Direction::BackwardData, Direction::BackwardWeight] {
                for (add, strict, deterministic) in
                    [(false, false, false), (true, false, false), (false, true, false), (true, true, true)]
                {
                    let call = Call { direction, dtype, shape, x: 0, w: 0, y: 0, add };
                    keys.push(Key::of(&call, strict, deterministic));
                }
            }
        }
    }
    keys
}

#[test]
fn an_h200_has_engines_for_every_kind_of_convolution() {
    let Some(target) = h200() else { return };
    let limit = convolution::workspace_limit(MEMORY);
    for key in keys() {
        let extents = Extents::of(&key.shape).unwrap();
        let graph = Graph::new(&target, &key, &extents).unwrap_or_else(|failure| panic!("{key:?}: {failure:?}"));
        let (plans, failed) = Rc::new(graph).plans(&key, convolution::MEASURED, limit);
        assert!(failed.is_none(), "{key:?}: {failed:?}");
        assert!(!plans.is_empty(), "{key:?}");
        assert!(plans.len() <= convolution::MEASURED && plans.iter().all(|plan| plan.workspace <= limit), "{key:?}");
        // Operands in any place, with a workspace and without.
        for workspace in [0, 1 << 20] {
            plans[0].of([1 << 30, 2 << 30, 3 << 30], workspace).unwrap();
        }
    }
}

#[test]
fn an_engine_and_its_knobs_are_found_again_by_their_text() {
    let Some(target) = h200() else { return };
    for key in keys() {
        let graph = Rc::new(Graph::new(&target, &key, &Extents::of(&key.shape).unwrap()).unwrap());
        for plan in graph.plans(&key, usize::MAX, usize::MAX).0 {
            let again = plan.choice().to_string().parse().unwrap();
            let again = graph.config(&again).and_then(|config| graph.plan(config));
            let again = again.unwrap_or_else(|failure| panic!("{key:?}, {}: {failure:?}", plan.choice()));
            assert_eq!((again.choice(), again.workspace), (plan.choice(), plan.workspace), "{key:?}");
        }
    }
}

#[test]
fn what_cudnn_does_not_know_is_refused() {
    let Some(target) = h200() else { return };
    let key = keys()[0];
    let graph = Rc::new(Graph::new(&target, &key, &Extents::of(&key.shape).unwrap()).unwrap());
    for choice in ["100000", "28:2=100000", "-1"] {
        let made = graph.config(&choice.parse().unwrap()).and_then(|config| graph.plan(config));
        let failure = made.err().unwrap_or_else(|| panic!("{choice} is an engine"));
        assert!(failure.is_refusal(), "{choice}: {failure:?}");
    }
}

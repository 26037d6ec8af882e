//! A training step in the steady state allocates next to nothing.

mod common;

use runner::kernels::{DType, Isa};
use runner::model;
use runner::nn::{Params, Shape, Tape, TapeOptions};
use runner::optim::{Flat, Hypers};
use runner::registry::{Choice, Value};
use runner::train::net::parts;
use runner::train::state::{make_optimizer, segments};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, counting bytes asked for and the largest request.
struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands on to the system's allocator and keeps its promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_step_allocates_nothing_large() {
    let spec = common::net("backbone = { kind = \"resnet9\", width = 8 }");
    let graph = model::build(&parts(&spec, 10), Shape::new(32, 32, 3)).unwrap();
    let mut params = Params::new(graph.params(), graph.stats(), 1);
    let sgd = Choice::with("sgd", [("nesterov", Value::Bool(true)), ("decay", Value::Text("coupled".into()))]);
    let mut optimizer = make_optimizer(&sgd, &params);
    let segments = segments(&params, &[]);
    let mut tape = Tape::new(&graph, &params, TapeOptions::train(32, DType::F32, Isa::detect().unwrap()));
    let (images, labels) = (vec![0.5f32; 32 * 32 * 32 * 3], vec![3u32; 32]);
    let hypers = Hypers { lr: 1e-3, momentum: 0.9, weight_decay: 0.0, beta: None };
    let mut step = || {
        tape.forward(&mut params, &images).unwrap();
        tape.loss(&labels, 0.1);
        tape.backward(&mut params).unwrap();
        let flat = Flat { params: &mut params.values, grads: &mut params.grads, segments: &segments };
        optimizer.step(flat, &hypers, &mut |_, _| unreachable!()).unwrap();
        params.touch();
    };
    step();
    step();
    BYTES.store(0, Ordering::Relaxed);
    LARGEST.store(0, Ordering::Relaxed);
    step();
    let (bytes, largest) = (BYTES.load(Ordering::Relaxed), LARGEST.load(Ordering::Relaxed));
    // Partial sums, a few kilobytes a layer; the net's activations and gradients take 13 MiB.
    assert!(largest <= 64 << 10 && bytes <= 1 << 20, "{bytes} bytes a step, {largest} at once");
}

//! A training step in the steady state allocates next to nothing.

mod common;

use runner::kernels::{DType, Isa};
use runner::model;
use runner::nn::{Params, Shape, Tape, TapeOptions};
use runner::optim::Hypers;
use runner::registry::{Choice, Value};
use runner::train::net::parts;
use runner::train::{Optimizers, Rule, Rules};
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
    let isa = Isa::detect().unwrap();
    // Muon on the matrices, SGD on the rest.
    let text = |text: &str| Value::Text(text.into());
    let settings = [("iterations", Value::Int(5)), ("nesterov", Value::Bool(true)), ("scale", text("none"))];
    let mut muon = Choice::with("muon", settings);
    muon.settings.0.extend([("renormalise".into(), Value::Bool(true)), ("precision".into(), text("bf16"))]);
    let sgd = Choice::with("sgd", [("nesterov", Value::Bool(true)), ("decay", text("coupled"))]);
    let matrices = params.directory().iter().filter(|(_, slot)| slot.shape.len() > 1);
    let parameters = matrices.map(|(name, _)| name.clone()).collect();
    let rules = Rules(vec![Rule { parameters, optimizer: Some(muon) }]);
    let mut optimizers = Optimizers::new(&params, &rules, &sgd);
    let options = TapeOptions { recompute: true, ..TapeOptions::train(32, DType::F32, isa) };
    let mut tape = Tape::new(&graph, &params, options);
    let (images, labels) = (vec![0.5f32; 32 * 32 * 32 * 3], vec![3u32; 32]);
    let hypers = Hypers { lr: 1e-3, momentum: 0.9, weight_decay: 0.0, beta: None, share: 1.0 };
    let mut step = || {
        tape.forward(&mut params, &images).unwrap();
        tape.loss(&labels, 0.1);
        tape.backward(&mut params).unwrap();
        optimizers.step(&mut params, isa, 0.0, &[Some(hypers); 2], &mut |_, _| unreachable!()).unwrap();
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

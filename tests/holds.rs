//! What is reckoned of a training's memory before it begins is what it really takes.

mod common;

use runner::config::spec::Spec;
use runner::config::{self, Text};
use runner::data::resize::Extent;
use runner::data::{Facts, FactsSource};
use runner::kernels::Isa;
use runner::nn::Params;
use runner::optim::Hypers;
use runner::plan::Plan;
use runner::record::Positions;
use runner::train::state::State;
use runner::train::{Average, Lookahead, checkpoint, needs, net};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, counting the bytes that are in use, and the most that were.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands on to the system's allocator and keeps its promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that are in use while `work` is done beyond those before.
fn most<T>(work: impl FnOnce() -> T) -> usize {
    let before = LIVE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    drop(work());
    MOST.load(Ordering::Relaxed) - before
}

fn spec(train: &str, optimizer: &str) -> Spec {
    let content = format!(
        "name = 'a'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = {{ kind = 'resnet9', width = 32 }}\n[train]\n{train}\n\
         [[phases]]\nsteps = 2\nbatch = 8\noptimizer = {optimizer}\nlr = 0.001\nmomentum = 0.0\n"
    );
    let text = Text { name: "a.toml".into(), content: content.clone(), folder: Default::default() };
    config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}\n{content}")).spec
}

/// Bytes that the parameters really take: two steps, of which a search looks at its batch again, and a checkpoint.
fn held(spec: &Spec, facts: &Facts, plan: &Plan) -> usize {
    let graph = net::graph(spec, facts, 32).unwrap();
    let rules = net::rules(spec, facts, 32).unwrap();
    let isa = Isa::Portable;
    most(|| {
        let params = Params::new(graph.params(), graph.stats(), 1);
        let mut state = State::new(params, &rules, &plan.phases[0].optimizer);
        state.lookahead = spec.train.lookahead.as_ref().map(|_| Lookahead::new(&state.params));
        state.average = spec.train.average.as_ref().map(|_| Average::new(&state.params));
        let hypers = vec![Some(Hypers { lr: 1e-3, momentum: 0.0, weight_decay: 0.0, beta: None, share: 0.5 }); 1];
        for _ in 0..2 {
            // Of a bowl whose steepness differs from weight to weight, so that a search has something to do.
            let bowl = |params: &[f32], grads: &mut [f32]| {
                let steep = |k: usize| 1.0 + (k % 7) as f32;
                grads.iter_mut().zip(params).enumerate().for_each(|(k, (g, p))| *g = steep(k) * p);
                params.iter().enumerate().map(|(k, p)| 0.5 * f64::from(steep(k) * p * p)).sum::<f64>()
            };
            // As the engine has it for a search.
            let mut probe = state.optimizers.reevaluates().then(|| state.params.clone());
            let values = state.params.values().to_vec();
            let loss = bowl(&values, state.params.grads_mut());
            drop(values);
            let State { params, optimizers, .. } = &mut state;
            let closure = &mut |params: &[f32], grads: &mut [f32]| {
                probe.as_mut().unwrap().values_mut().copy_from_slice(params);
                Ok(bowl(params, grads))
            };
            optimizers.step(params, isa, loss, &hypers, closure).unwrap();
        }
        checkpoint::encode(&state, &Positions::default(), &[])
    })
}

#[test]
fn parameters_take_what_is_reckoned_whatever_remembers_of_them() {
    let facts = Facts {
        name: "shapes".to_owned(),
        train_images: 100,
        val_images: 50,
        classes: 4,
        channels: 3,
        size: 32,
        source: FactsSource::File,
    };
    let average = "average = { kind = 'ema', decay = 0.9, every = '1step' }";
    let both = &format!("lookahead = {{ every = 2, decay = 0.5 }}\n{average}");
    let cases = [
        ("", "'sgd'"),
        ("", "'adamw'"),
        ("", "'rmsprop'"),
        ("", "'lamb'"),
        (both, "'adam'"),
        ("", "{ kind = 'mix', from = 'adam', to = 'adamw' }"),
        ("", "{ kind = 'lbfgs', history = 3 }"),
        ("", "{ kind = 'lbfgs', history = 1, search = 'fixed' }"),
        (average, "{ kind = 'lbfgs', history = 10 }"),
    ];
    for (train, optimizer) in cases {
        let spec = spec(train, optimizer);
        let plan = Plan::compile(&spec, std::slice::from_ref(&facts)).unwrap();
        let reckoned =
            needs(&spec, std::slice::from_ref(&facts), &plan.phases[0], Extent::square(32)).unwrap().parameters;
        let held = held(&spec, &facts, &plan);
        println!("{train} {optimizer}: {held} of {reckoned}");
        // Names, headers and tables beside the numbers.
        assert!(held <= reckoned + (128 << 10), "{train} {optimizer}: {held} of {reckoned}");
        assert!(held as f64 > 0.85 * reckoned as f64, "{train} {optimizer}: {held} of {reckoned}");
    }
}

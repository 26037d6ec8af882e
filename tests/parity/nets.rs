//! One step of each net, narrow: loss, gradients, running statistics; and the parameters of the whole nets.

use crate::common;
use crate::fixture::{Fixture, assert_close};
use runner::kernels::{DType, Isa};
use runner::model::{self, Summary};
use runner::nn::whitening::Patches;
use runner::nn::{Params, Shape, Tape, TapeOptions};
use runner::train::net::parts;

/// Fixture and case of it, our net as narrow as it is there, and as it is by default.
const NETS: [[&str; 4]; 14] = [
    ["nets", "resnet18", "backbone = { resnet18 = 2 }", "backbone = \"resnet18\""],
    ["nets", "wrn22", "backbone = { kind = \"wrn22\", width = 2, widen = 2 }", "backbone = \"wrn22\""],
    ["nets", "airbench94", "backbone = { airbench94 = [4, 6, 8] }", "backbone = \"airbench94\""],
    ["nets", "airbench96", "backbone = { airbench96 = [4, 6, 8] }", "backbone = \"airbench96\""],
    ["recipe_nets", "resnet50", "backbone = { resnet50 = 2 }", "backbone = \"resnet50\"\nclasses = 1000"],
    [
        "recipe_nets",
        "preact-resnet18",
        "backbone = { preact-resnet18 = [2, 3, 4, 4] }",
        "backbone = \"preact-resnet18\"",
    ],
    ["deep_nets", "resnet34", "backbone = { resnet34 = 2 }", "backbone = \"resnet34\"\nclasses = 1000"],
    ["deep_nets", "resnet101", "backbone = { resnet101 = 2 }", "backbone = \"resnet101\"\nclasses = 1000"],
    [
        "blurred_nets",
        "resnet18-blur-before",
        "backbone = { kind = \"resnet18\", width = 2, blur_before = true }",
        "backbone = \"resnet18\"",
    ],
    [
        "blurred_nets",
        "resnet50-blur-before",
        "backbone = { kind = \"resnet50\", width = 2, blur_before = true }",
        "backbone = \"resnet50\"\nclasses = 1000",
    ],
    [
        "blurred_nets",
        "resnet18-avg-down",
        "backbone = { kind = \"resnet18\", width = 2, avg_down = true }",
        "backbone = { kind = \"resnet18\", avg_down = true }",
    ],
    [
        "blurred_nets",
        "resnet50-avg-down",
        "backbone = { kind = \"resnet50\", width = 2, avg_down = true }",
        "backbone = { kind = \"resnet50\", avg_down = true }\nclasses = 1000",
    ],
    ["recipe_nets", "resnet9-page", PAGE[0], PAGE[1]],
    [
        "recipe_nets",
        "airbench94-silu",
        "backbone = { kind = \"airbench94\", widths = [4, 6, 8], act = \"silu\" }",
        "backbone = { kind = \"airbench94\", act = \"silu\" }",
    ],
];

/// The net of Page 2019, narrow and whole.
const PAGE: [&str; 2] = [
    "stem = { kind = \"whiten-conv\", width = 3, act = { celu = 0.3 }, norm_scale = false }\n\
     backbone = { kind = \"resnet9\", width = 3, act = { celu = 0.3 }, norm_scale = false, pool_first = true }",
    "stem = { kind = \"whiten-conv\", act = { celu = 0.3 }, norm_scale = false }\n\
     backbone = { kind = \"resnet9\", act = { celu = 0.3 }, norm_scale = false, pool_first = true }",
];

/// Sums in another order, through up to 22 layers with norms over few pixels, which magnify: PyTorch's own difference
/// between `f32` and `f64` on these nets is of this size.
const TOLERANCE: f64 = 3e-5;

#[test]
fn a_step_of_each_net_is_that_of_pytorch() {
    for [file, name, narrow, _] in NETS {
        let fixture = Fixture::read(file);
        let size = fixture.case(name)["size"].as_u64().unwrap() as usize;
        let spec = common::net(narrow);
        let graph = model::build(&parts(&spec, 10), Shape::new(size, size, 3)).unwrap();
        let images = fixture.f32s(&format!("{name}/images"));
        let (before, gradient, statistics) =
            (format!("{name}/before/"), format!("{name}/gradient/"), format!("{name}/statistics/"));
        for isa in Isa::available() {
            let mut params = Params::new(graph.params(), graph.stats(), 0);
            assert!(fixture.under(&before).eq(params.directory().keys()), "{name}: parameters by the same names");
            for (parameter, slot) in params.directory().clone() {
                let start = fixture.get(&format!("{before}{parameter}"));
                assert_eq!(start.shape, slot.shape, "{name}: {parameter}");
                params.values_mut()[slot.range].copy_from_slice(&start.f32s());
            }
            let mut tape = Tape::new(&graph, &params, TapeOptions::train(4, DType::F32, isa));
            tape.forward(&mut params, &images).unwrap();
            let loss = (tape.loss(&[0, 1, 2, 3], 0.1).sum / 4.0) as f32;
            tape.backward(&mut params).unwrap();
            assert_close(&format!("{isa} {name}: loss"), &[loss], fixture.get(&format!("{name}/loss")), TOLERANCE);
            for (parameter, slot) in params.directory() {
                let got = params.grad(parameter).unwrap();
                if slot.frozen {
                    assert!(got.iter().all(|g| *g == 0.0), "{name}: {parameter} is frozen");
                    assert!(!fixture.under(&gradient).any(|trained| trained == parameter), "{name}: {parameter}");
                } else {
                    let want = fixture.get(&format!("{gradient}{parameter}"));
                    assert_close(&format!("{isa} {name}: gradient of {parameter}"), got, want, TOLERANCE);
                }
            }
            for statistic in fixture.under(&statistics) {
                let want = fixture.get(&format!("{statistics}{statistic}"));
                assert_close(&format!("{isa} {name}: {statistic}"), params.stat(statistic).unwrap(), want, TOLERANCE);
            }
        }
    }
}

#[test]
fn whole_nets_have_as_many_parameters_as_pytorchs() {
    for [file, name, _, whole] in NETS {
        let fixture = Fixture::read(file);
        let spec = common::net(whole);
        let classes = spec.model.classes.unwrap_or(10);
        let figures = Summary::of(&parts(&spec, classes), Shape::new(64, 64, 3), false).unwrap().figures;
        let case = fixture.case(name);
        assert_eq!(case["parameters"].as_u64(), Some(figures.parameters), "{name}");
        assert_eq!(case["frozen"].as_u64(), Some(figures.frozen), "{name}");
    }
}

/// As `sum(p.numel() for p in torchvision.models.resnet18().parameters())` and the like say (torchvision 0.29.2).
#[test]
fn resnets_have_as_many_parameters_as_torchvisions() {
    let torchvisions = [
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
    ];
    for (name, parameters) in torchvisions {
        let spec = common::net(&format!("backbone = \"{name}\"\nclasses = 1000"));
        let figures = Summary::of(&parts(&spec, 1000), Shape::new(224, 224, 3), false).unwrap().figures;
        assert_eq!((figures.parameters, figures.frozen), (parameters, 0), "{name}");
    }
}

/// PyTorch's are computed in `f64` and stored as `f32`; ours sum the same `f32` values in another order.
#[test]
fn whitening_filters_are_pytorchs() {
    let fixture = Fixture::read("whitening");
    let (images, want) = (fixture.get("images"), fixture.get("filters"));
    let [_, h, w, c] = images.image_shape();
    let mut patches = Patches::new(&want.shape);
    patches.add(Shape::new(h, w, c), &images.f32s());
    assert_close("filters", &patches.filters(5e-4), want, 1e-6);
}

//! Narrow nets of torchvision and timm, from weights under their published names: evaluation, and one step of training.

use crate::common;
use crate::fixture::{Fixture, assert_close};
use runner::kernels::{DType, Isa};
use runner::model::{self, Summary, backbones};
use runner::nn::{Graph, Params, Shape, Tape, TapeOptions};
use runner::train::Weights;
use runner::train::net::parts;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Case of the fixture, our net as narrow as it is there, and the tolerance: PyTorch's own f32 is up to 6e-5 off in
/// densenet121, with 121 norms in a row, and up to 1.3e-5 in the others.
const NETS: [(&str, &str, f64); 6] = [
    ("densenet121", "backbone = { kind = \"densenet121\", growth = 2, width = 4 }", 1.5e-4),
    (
        "vgg11",
        "backbone = { kind = \"vgg11\", width = 2 }\nhead = { kind = \"fully-connected\", hidden = [8, 8], hidden_dropout = 0.0 }",
        1e-5,
    ),
    (
        "vgg16-bn",
        "backbone = { kind = \"vgg16-bn\", width = 2 }\nhead = { kind = \"fully-connected\", hidden = [8, 8], hidden_dropout = 0.0 }",
        3e-5,
    ),
    (
        "inception-resnet-v2",
        "backbone = { kind = \"inception-resnet-v2\", width = 2, blocks_a = 1, blocks_b = 2, blocks_c = 1 }",
        3e-5,
    ),
    ("resnet18-se", "backbone = { kind = \"resnet18\", width = 2, se = 2 }", 3e-5),
    ("resnet18-blur", "backbone = { kind = \"resnet18\", width = 2, blur = true }", 3e-5),
];

/// A file of weights as torchvision or timm would write them.
fn published_file(fixture: &Fixture, name: &str, folder: &Path) -> PathBuf {
    let before = format!("{name}/before/");
    let tensor = |key: &str| {
        let tensor = fixture.get(&format!("{before}{key}"));
        let bytes: Vec<u8> = tensor.f32s().into_iter().flat_map(f32::to_le_bytes).collect();
        (key.to_owned(), tensor.shape.clone(), bytes)
    };
    let mut tensors: Vec<_> = fixture.under(&before).map(tensor).collect();
    tensors.push(("some.norm.num_batches_tracked".to_owned(), vec![], vec![0; 4]));
    let views = tensors.iter().map(|(key, shape, bytes)| {
        (key.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many bytes as its shape says"))
    });
    let path = folder.join(format!("{name}.safetensors"));
    safetensors::serialize_to_file(views.collect::<BTreeMap<_, _>>(), None, &path).unwrap();
    path
}

/// The published name of one of our parameters.
fn their_name<'a>(ours: &str, mut names: impl Iterator<Item = &'a str>, published: &[(&str, &str)]) -> &'a str {
    let is_ours = |theirs: &&str| {
        let renamed = published.iter().find_map(|(from, to)| Some(format!("{to}{}", theirs.strip_prefix(from)?)));
        *theirs == ours || renamed.is_some_and(|renamed| renamed == ours)
    };
    names.find(is_ours).unwrap_or_else(|| panic!("nothing is called {ours}"))
}

fn build(model: &str, classes: usize, size: usize) -> (Graph, &'static [(&'static str, &'static str)]) {
    let spec = common::net(model);
    let graph = model::build(&parts(&spec, classes), Shape::new(size, size, 3)).unwrap();
    (graph, backbones::published(&spec.model.backbone))
}

#[test]
fn published_weights_give_published_outputs_and_gradients() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::read("vision_nets");
    for (name, model, tolerance) in NETS {
        let size = fixture.case(name)["size"].as_u64().unwrap() as usize;
        let (graph, published) = build(model, 10, size);
        let images = fixture.f32s(&format!("{name}/images"));
        let weights = Weights::read(&published_file(&fixture, name, folder.path())).unwrap();
        for isa in Isa::available() {
            let mut params = Params::new(graph.params(), graph.stats(), 0);
            let taken = weights.start(&mut params, published).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!((taken.parameters, taken.fresh.len(), taken.unused.len()), (params.count(), 0, 0), "{name}");
            let mut tape = Tape::new(&graph, &params, TapeOptions::evaluate(4, DType::F32, isa));
            tape.forward(&mut params, &images).unwrap();
            let what = |what: &str| format!("{isa} {name}: {what}");
            assert_close(&what("outputs"), &tape.output(), fixture.get(&format!("{name}/evaluated")), tolerance);

            let mut tape = Tape::new(&graph, &params, TapeOptions::train(4, DType::F32, isa));
            tape.forward(&mut params, &images).unwrap();
            let loss = (tape.loss(&[0, 1, 2, 3], 0.1).sum / 4.0) as f32;
            tape.backward(&mut params).unwrap();
            assert_close(&what("loss"), &[loss], fixture.get(&format!("{name}/loss")), tolerance);
            let (gradient, statistics) = (format!("{name}/gradient/"), format!("{name}/statistics/"));
            for ours in params.directory().keys() {
                let theirs = their_name(ours, fixture.under(&gradient), published);
                let want = fixture.get(&format!("{gradient}{theirs}"));
                assert_close(&what(&format!("gradient of {ours}")), params.grad(ours).unwrap(), want, tolerance);
            }
            for ours in params.stat_directory().keys() {
                let theirs = their_name(ours, fixture.under(&statistics), published);
                let want = fixture.get(&format!("{statistics}{theirs}"));
                assert_close(&what(ours), params.stat(ours).unwrap(), want, tolerance);
            }
        }
    }
}

/// As `scripts/make_vision_fixtures.py --counts` says (torchvision 0.29.2, timm 1.0.31).
#[test]
fn whole_nets_have_as_many_parameters_as_published_ones() {
    let published = [
        ("densenet121", 7_978_856),
        ("densenet161", 28_681_000),
        ("densenet169", 14_149_480),
        ("densenet201", 20_013_928),
        ("vgg11", 132_863_336),
        ("vgg11-bn", 132_868_840),
        ("vgg13", 133_047_848),
        ("vgg13-bn", 133_053_736),
        ("vgg16", 138_357_544),
        ("vgg16-bn", 138_365_992),
        ("vgg19", 143_667_240),
        ("vgg19-bn", 143_678_248),
        ("inception-resnet-v2", 55_843_464),
        ("darknet53", 41_609_928),
    ];
    for (name, parameters) in published {
        let spec = common::net(&format!("backbone = \"{name}\"\nclasses = 1000"));
        let figures = Summary::of(&parts(&spec, 1000), Shape::new(299, 299, 3), false).unwrap().figures;
        assert_eq!((figures.parameters, figures.frozen), (parameters, 0), "{name}");
    }
    // Its three mixtures; the rest of the net is a head of 384 inputs, as those of the stem's 35×35.
    let spec = common::net("stem = \"inception-v4\"\nbackbone = { kind = \"darknet\", blocks = [] }");
    let (graph, _) = build("stem = \"inception-v4\"\nbackbone = { kind = \"darknet\", blocks = [] }", 10, 299);
    let stem = graph.find("stem.mixed3.concat").expect("the stem's last layer");
    assert_eq!(graph.shape(stem), Shape::new(35, 35, 384));
    let figures = Summary::of(&parts(&spec, 10), Shape::new(299, 299, 3), false).unwrap().figures;
    assert_eq!(figures.parameters, 605_728 + 384 * 10 + 10);
}

/// Whole nets with random weights; `scripts/make_vision_fixtures.py --full DIR` makes them.
#[test]
#[ignore = "reads 1.1 GB that a script makes: RUNNER_VISION_NETS=DIR"]
fn whole_nets_give_published_outputs() {
    let folder = std::env::var_os("RUNNER_VISION_NETS").map(PathBuf::from).expect("RUNNER_VISION_NETS names a folder");
    let isa = Isa::detect().unwrap();
    for (name, size) in
        [("densenet121", 224), ("vgg16", 224), ("vgg16-bn", 224), ("resnet50", 224), ("inception-resnet-v2", 299)]
    {
        let (graph, published) = build(&format!("backbone = \"{name}\"\nclasses = 1000"), 1000, size);
        let mut params = Params::new(graph.params(), graph.stats(), 0);
        let weights = Weights::read(&folder.join(format!("{name}.weights.safetensors"))).unwrap();
        weights.start(&mut params, published).unwrap_or_else(|e| panic!("{name}: {e}"));
        let fixture = Fixture::open(&folder.join(format!("{name}.outputs.safetensors")));
        let mut tape = Tape::new(&graph, &params, TapeOptions::evaluate(2, DType::F32, isa));
        tape.forward(&mut params, &fixture.f32s("images")).unwrap();
        let (got, want) = (tape.output(), &fixture.get("outputs").values);
        let largest = want.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        let off = got.iter().zip(want).map(|(got, want)| (f64::from(*got) - want).abs()).fold(0.0, f64::max);
        println!("{name}: at most {:.1e} of the largest output off", off / largest);
        assert_eq!(got.len(), want.len());
        assert!(off < 1e-4 * largest, "{name}: {off} off, and the largest output is {largest}");
    }
}

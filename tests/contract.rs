//! What every entry of every family promises: a name, a summary, a source, settings that can be filled in, and that it
//! can be made from them.

use runner::config::schema::FAMILIES;
use runner::config::{self, Text};
use runner::criterion::Rule;
use runner::data::augment;
use runner::data::resize::Extent;
use runner::kernels::{DType, Isa};
use runner::model::{self, Parts, backbones, heads, stems};
use runner::nn::{Params, Shape, Tape, TapeOptions};
use runner::registry::{Choice, Default, Kind};
use runner::train::net::parts;
use runner::{average, criterion, optim, schedule};
use std::path::PathBuf;

#[test]
fn entries_describe_themselves() {
    for family in FAMILIES {
        assert!(!family.doc.is_empty());
        let entries = (family.entries)();
        assert!(!entries.is_empty(), "{} has no entries", family.name);
        for (k, entry) in entries.iter().enumerate() {
            let what = format!("{} `{}`", family.name, entry.name());
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(!entry.name().is_empty() && entry.name().chars().all(plain), "{what}: the name");
            assert!(!entries[..k].iter().any(|other| other.name() == entry.name()), "{what}: twice");
            assert!(!entry.summary().is_empty() && !entry.summary().contains('\n'), "{what}: one line of summary");
            assert!(!entry.cite().is_empty(), "{what}: no source");
            for (j, param) in entry.params().iter().enumerate() {
                assert!(!param.doc.is_empty(), "{what}: `{}` has no doc", param.key);
                assert!(
                    !entry.params()[..j].iter().any(|other| other.key == param.key),
                    "{what}: `{}` twice",
                    param.key
                );
                assert_ne!(param.key, "kind", "{what}: `kind` chooses the entry");
            }
            if let Some(key) = entry.shorthand() {
                assert!(entry.params().iter().any(|param| param.key == key), "{what}: shorthand `{key}` is no setting");
            }
        }
    }
}

/// An experiment with one line of its `[[phases]]`, `[data]` or `[model]` filled in.
fn experiment(data: &str, model: &str, phase: &str) -> config::Loaded {
    let content = format!(
        "name = \"contract\"\n[data]\ndataset = \"shapes\"\n{data}\n[model]\n{model}\n[[phases]]\nepochs = 1\nbatch = 8\n{phase}\n"
    );
    let text = Text { name: "contract.toml".into(), content: content.clone(), folder: PathBuf::new() };
    config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}\n{content}"))
}

/// How a file chooses the entry, with a 1 for each setting that must be given.
fn written(name: &str, params: &[runner::registry::Param]) -> String {
    let required: Vec<String> = params
        .iter()
        .filter(|param| param.default == Default::Required)
        .map(|param| match param.kind {
            Kind::Int { .. } | Kind::Float(_) => format!(", {} = 1", param.key),
            Kind::Choice(family) => format!(", {} = \"{}\"", param.key, (family.entries)()[0].name()),
            Kind::List(_) => format!(", {} = []", param.key),
            _ => panic!("`{name}`: give the required `{}` a value here", param.key),
        })
        .collect();
    format!("{{ kind = \"{name}\"{} }}", required.concat())
}

const SGD: &str = "optimizer = \"sgd\"\nlr = 0.1";

#[test]
fn every_loss_can_be_made_from_a_file() {
    for entry in (criterion::FAMILY.entries)() {
        let train = format!("[train]\nloss = {}", written(entry.name(), entry.params()));
        let loaded = experiment("", &format!("backbone = \"shallow\"\n{train}"), SGD);
        assert_eq!(loaded.spec.train.loss_name(), entry.name());
        let rule = loaded.spec.train.criterion();
        assert_eq!(rule == Rule::default(), entry.name() == "cross-entropy", "{}", entry.name());
    }
}

#[test]
fn every_optimizer_can_be_made_from_a_file() {
    for entry in (optim::FAMILY.entries)() {
        let phase = format!("optimizer = {}\nlr = 0.1", written(entry.name(), entry.params()));
        let loaded = experiment("", "backbone = \"shallow\"", &phase);
        let choice = &loaded.spec.phases[0].optimizer;
        let optimizer = (runner::registry::find(optim::ENTRIES, &choice.kind).unwrap().make)(&choice.settings, 16);
        assert!(optimizer.applied().is_none(), "{}: nothing is applied before a step", entry.name());
    }
}

#[test]
fn every_curve_goes_from_its_start_towards_its_end() {
    for entry in (schedule::FAMILY.entries)() {
        let curve = written(entry.name(), entry.params());
        let to = if entry.name() == "constant" { "" } else { "to = 0.01, " };
        let phase = format!("optimizer = \"sgd\"\nlr = {{ from = 0.1, {to}curve = {curve} }}");
        let loaded = experiment("", "backbone = \"shallow\"", &phase);
        let ramp = schedule::Ramp::new(&loaded.spec.phases[0].lr).unwrap();
        assert_eq!(ramp.at(0, 10), 0.1, "{}", entry.name());
        assert!((1..10).all(|i| ramp.at(i, 10) <= ramp.at(i - 1, 10)), "{} falls", entry.name());
    }
}

/// Settings with which a recipe can be made, beside which all others have their defaults.
fn example(recipe: &str) -> &'static str {
    match recipe {
        "one-cycle" | "cyclical" | "trapezoid" | "warmup" => "epochs = 2\nlr = 0.4",
        "sgdr" => "lr = 0.4",
        "step" => "epochs = 2\nlr = 0.4\nat = [0.5, 1.0]",
        "piecewise" => "at = [0, 0.5, 2]\nlr = [0.0, 0.4, 0.0]",
        "lr-range" => "steps = 100",
        other => panic!("give an example of `{other}` here"),
    }
}

#[test]
fn every_recipe_stands_for_phases_that_reach_its_rates() {
    for entry in (schedule::recipes::FAMILY.entries)() {
        let content = format!(
            "name = \"contract\"\n[data]\ndataset = \"shapes\"\n[model]\nbackbone = \"shallow\"\n\
             [[phases]]\nrecipe = \"{}\"\nbatch = 8\noptimizer = \"sgd\"\n{}\n",
            entry.name(),
            example(entry.name())
        );
        let text = Text { name: "contract.toml".into(), content: content.clone(), folder: PathBuf::new() };
        let phases = config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}\n{content}")).spec.phases;
        assert!(phases.iter().all(|phase| phase.source == 0 && phase.batch == 8), "{}", entry.name());
        let rates = phases.iter().flat_map(|phase| [Some(phase.lr.from), phase.lr.to]).flatten();
        let highest = rates.fold(0.0, f64::max);
        assert_eq!(highest, if entry.name() == "lr-range" { 10.0 } else { 0.4 }, "{}", entry.name());
    }
}

#[test]
fn every_average_takes_all_of_the_first_weights_and_less_of_later_ones() {
    for entry in (average::FAMILY.entries)() {
        let content = format!("lookahead = {{}}\naverage = {}", written(entry.name(), entry.params()));
        let loaded = experiment("", &format!("backbone = \"shallow\"\n[train]\n{content}"), SGD);
        let choice = loaded.spec.train.average.unwrap();
        let rule = (runner::registry::find(average::ENTRIES, &choice.kind).unwrap().make)(&choice.settings);
        assert_eq!(rule.share(0, 0.9), 1.0, "{}", entry.name());
        // Lookahead's slow weights are mixed already: they are copied as they are.
        let less = |share: f64| if entry.name() == "lookahead" { share == 1.0 } else { share > 0.0 && share < 1.0 };
        assert!((1..100).all(|k| less(rule.share(k, 0.9))), "{}", entry.name());
    }
}

#[test]
fn every_augmentation_can_be_made_and_keeps_the_size() {
    for entry in (augment::FAMILY.entries)() {
        // In its short form where it has one: without that setting, color-jitter rightly does nothing.
        let written = match entry.shorthand() {
            Some(_) => format!("{{ {} = 1 }}", entry.name()),
            None => written(entry.name(), entry.params()),
        };
        let data = format!("augment = [{written}]");
        let loaded = experiment(&data, "backbone = \"shallow\"", SGD);
        let chain = augment::chain(&loaded.spec.phases[0].augment);
        let stored = Extent { width: 40, height: 30 };
        for (size, channels) in [1, 2, 7, 9, 33].into_iter().flat_map(|size| [(size, 1), (size, 3)]) {
            let served = |epoch, index| {
                let mut image = augment::Image::new(vec![100; channels], vec![50.0; channels]);
                image.resize(size);
                image.pixels.iter_mut().enumerate().for_each(|(i, byte)| *byte = (i * 31 % 251) as u8);
                let mut draw = augment::Draw::new(1, epoch, index);
                let window = chain.window(stored, &mut draw);
                assert!(window.left + window.width <= 40 && window.top + window.height <= 30, "{}", entry.name());
                chain.apply(&mut image, &mut draw);
                assert_eq!((image.size, image.pixels.len()), (size, size * size * channels), "{}", entry.name());
                (window, image.pixels)
            };
            // A function of seed, epoch and image alone, which makes some difference.
            assert!((0..20).all(|index| served(1, index) == served(1, index)), "{}", entry.name());
            assert!(size < 7 || (0..20).any(|index| served(0, index) != served(1, index)), "{}", entry.name());
        }
    }
}

#[test]
fn every_pairing_of_parts_builds_or_says_which_part_cannot() {
    for backbone in (backbones::FAMILY.entries)() {
        let model = format!("backbone = {}", written(backbone.name(), backbone.params()));
        let loaded = experiment("", &model, SGD);
        let own = parts(&loaded.spec, 10);
        let smallest = model::smallest_size(&own, 3, 80).unwrap_or_else(|| panic!("{}: no size", backbone.name()));
        let graph = model::build(&own, Shape::new(smallest, smallest, 3)).unwrap();
        assert_eq!(graph.shape(graph.output()), Shape::new(1, 1, 10));
        for stem in (stems::FAMILY.entries)() {
            for head in (heads::FAMILY.entries)() {
                let model = format!(
                    "{model}\nstem = {}\nhead = {}",
                    written(stem.name(), stem.params()),
                    written(head.name(), head.params())
                );
                let loaded = experiment("", &model, SGD);
                // Where it fits at a size it fits at all larger ones.
                let mut fits = false;
                for size in [1, 8, 33, 100, 299] {
                    match model::build(&parts(&loaded.spec, 10), Shape::new(size, size, 3)) {
                        Ok(graph) => fits = graph.flops() > 0,
                        Err(e) => assert!(!fits && e.to_string().contains('`'), "{size}: {e}"),
                    }
                }
                assert!(fits, "{model} takes no photograph");
            }
        }
    }
}

#[test]
fn parameters_do_not_depend_on_the_image_size() {
    for backbone in (backbones::FAMILY.entries)() {
        let choice = Choice::plain(backbone.name());
        let loaded = experiment("", &format!("backbone = \"{}\"", choice.kind), SGD);
        let parts: Parts<'_> = parts(&loaded.spec, 10);
        let of = |size| model::build(&parts, Shape::new(size, size, 3)).unwrap().params().to_vec();
        let smallest = model::smallest_size(&parts, 3, 80).unwrap();
        assert_eq!(of(smallest), of(smallest + 15), "{}", backbone.name());
    }
}

/// Of every net, at a small size: that recomputed activations save memory, and of those that take no minute what they leave.
#[test]
fn every_backbone_learns_the_same_with_activations_made_again() {
    const LARGE: usize = 20_000_000;
    let isa = Isa::detect().unwrap();
    let mut smaller = Vec::new();
    for backbone in (backbones::FAMILY.entries)() {
        let loaded = experiment("", &format!("backbone = {}", written(backbone.name(), backbone.params())), SGD);
        let parts: Parts<'_> = parts(&loaded.spec, 10);
        let size = model::smallest_size(&parts, 3, 80).unwrap().max(16);
        let image = Shape::new(size, size, 3);
        let [more, less] =
            [false, true].map(|recompute| model::Summary::of(&parts, image, recompute).unwrap().training_elements());
        assert!(less <= more, "{}: {less} numbers an image, {more} where all is kept", backbone.name());
        smaller.extend((less < more).then_some(backbone.name()));
        let graph = model::build(&parts, image).unwrap();
        if graph.params().iter().map(|decl| decl.len()).sum::<usize>() > LARGE {
            continue;
        }
        let images: Vec<f32> = (0..2 * size * size * 3).map(|k| ((k * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
        let step = |recompute: bool| {
            let mut params = Params::new(graph.params(), graph.stats(), 1);
            let options = TapeOptions { recompute, ..TapeOptions::train(2, DType::F32, isa) };
            let mut tape = Tape::new(&graph, &params, options);
            tape.forward(&mut params, &images).unwrap();
            let loss = tape.loss(&[3, 7], 0.1);
            tape.backward(&mut params).unwrap();
            // Two images at so small a size make gradients infinite in the deepest nets.
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            (loss.sum.to_bits(), bits(params.grads()), bits(params.stats()))
        };
        assert!(step(false) == step(true), "{}", backbone.name());
    }
    for name in ["resnet18", "resnet50", "preact-resnet18", "wrn22", "densenet121", "vgg16", "airbench94", "resnet9"] {
        assert!(smaller.contains(&name), "{name} takes as much memory as where all is kept");
    }
}

/// As in timm's residual nets: `drop_path_rate * net_block_idx / (net_num_blocks - 1)`, after the gate and right before the sum.
#[test]
fn blocks_are_dropped_the_more_often_the_later_they_come() {
    let net = |backbone: &str| {
        let loaded = experiment("", &format!("backbone = {{ {backbone} }}"), SGD);
        let graph = model::build(&parts(&loaded.spec, 10), Shape::new(64, 64, 3)).unwrap();
        let layers: Vec<[String; 2]> =
            graph.nodes().iter().map(|node| [node.name.clone(), node.layer.describe()]).collect();
        (layers, graph.params().to_vec(), graph.stats().to_vec(), config::write(&loaded.spec).contains("drop_path"))
    };
    for (name, blocks) in [
        ("resnet18", 8),
        ("resnet34", 16),
        ("resnet50", 16),
        ("resnet101", 33),
        ("resnet152", 50),
        ("preact-resnet18", 8),
        ("wrn22", 9),
    ] {
        for options in ["", ", se = 16", ", blur = true"] {
            let of = |setting: &str| net(&format!("kind = \"{name}\"{options}{setting}"));
            let (plain, none, dropping) = (of(""), of(", drop_path = 0.0"), of(", drop_path = 0.3"));
            assert!(!plain.3 && none.3 && none.0 == plain.0, "{name}{options}: nothing to drop");
            assert!([&none, &dropping].iter().all(|net| (&net.1, &net.2) == (&plain.1, &plain.2)), "{name}{options}");
            let shares: Vec<f64> =
                dropping.0.iter().filter_map(|[_, what]| what.strip_prefix("drop path ")?.parse().ok()).collect();
            let want: Vec<f64> = (1..blocks).map(|block| 0.3 * f64::from(block) / f64::from(blocks - 1)).collect();
            assert_eq!(shares.len(), want.len(), "{name}{options}: the first block drops nothing");
            assert!(shares.iter().zip(&want).all(|(share, want)| (share - want).abs() < 6e-5), "{name}: {shares:?}");
            for pair in dropping.0.windows(2).filter(|pair| pair[0][1].starts_with("drop path")) {
                let of = |k: usize| pair[k][0].rsplit_once('.').unwrap();
                assert_eq!([of(0).1, of(1).1], ["drop_path", "add"]);
                assert_eq!(of(0).0, of(1).0, "in one block");
            }
        }
    }
}

/// By hand: 7 pixels of the stem's convolution, 3 of its pool over every second one, then each 3×3 convolution adds twice
/// the distance of its inputs. In ResNet-50 these lie 4 pixels apart in 4 blocks, 8 in 4, 16 in 6 and 32 in 2.
#[test]
fn receptive_fields_are_those_of_the_windows_on_the_way() {
    let summary = |model: &str| {
        let loaded = experiment("", model, SGD);
        model::Summary::of(&parts(&loaded.spec, 10), Shape::new(224, 224, 3), false).unwrap()
    };
    let of = |summary: &model::Summary, name: &str| {
        let mut layers = summary.parts.iter().flat_map(|part| &part.layers);
        layers.find(|layer| layer.name == name).unwrap_or_else(|| panic!("no layer {name}")).receptive_field
    };
    let resnet = summary("backbone = \"resnet50\"");
    assert_eq!(of(&resnet, "stem.conv"), Some([7; 2]));
    assert_eq!(of(&resnet, "stem.pool"), Some([11; 2]));
    assert_eq!(of(&resnet, "layer4.2.bn3"), Some([11 + 2 * (4 * 4 + 4 * 8 + 6 * 16 + 2 * 32); 2]));
    assert_eq!((of(&resnet, "head.pool"), of(&resnet, "head.fc")), (None, None));
    let factored = summary("backbone = \"resnet50\"\nstem = \"factored7x7\"");
    assert_eq!((of(&factored, "stem.conv1"), of(&factored, "stem.pool")), (Some([1, 7]), Some([11; 2])));
}

//! What the program says of experiments that are wrong, and that right ones survive being written back.
//!
//! Each `tests/fixtures/errors/FOLDER/NAME.toml` has what is said of it beside it as `NAME.txt`; lines `# --set PATH=VALUE`,
//! `# --seed N` and `# --name NAME` at its top are given on the command line. The folders:
//!
//! - `syntax`: not TOML, or not text
//! - `form`: TOML of another form than an experiment has; the JSON Schema refuses these too (`tests/schema.rs`)
//! - `meaning`: of the right form, but settings that do not go together
//! - `extends`: mistakes in or about other files, which lie in its folder `bases`
//! - `overrides`: mistakes on the command line
//! - `parts`: what shows only when the net meets the data, found by `runner plan`
//!
//! After a change of wording, `BLESS=1 cargo test --test config` writes the texts anew: read the diff.

mod common;

use common::WHOLE;
use runner::config::spec::{Length, PhaseSpec, SetSpec, Spec};
use runner::config::{self, Diagnostics, Loaded, Override, Provenance, Setting, Text, UsedSet};
use runner::criterion::Rule;
use runner::registry::Across;
use std::path::{Path, PathBuf};

fn read(name: &str, content: &str, sets: &[&str]) -> Result<Loaded, Diagnostics> {
    let file = Text { name: name.into(), content: content.into(), folder: PathBuf::new() };
    config::read(file, &sets.iter().map(|set| (*set).to_owned()).collect::<Vec<_>>())
}

/// The same, for an experiment that is right.
fn right(content: &str, sets: &[&str]) -> Loaded {
    read("whole.toml", content, sets).unwrap_or_else(|errors| panic!("{errors}\n{content}"))
}

/// The command line that the first lines of a file ask for.
fn overrides(file: &Path) -> Vec<Override> {
    let content = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    let one = |line: &str| {
        let (flag, value) = line.strip_prefix("# --")?.split_once(' ')?;
        let value = value.to_owned();
        match flag {
            "set" => Some(Override::Set(value)),
            "seed" => Some(Override::Flag { flag: "--seed", key: "seed", value }),
            "name" => Some(Override::Flag { flag: "--name", key: "name", value }),
            _ => None,
        }
    };
    content.lines().map_while(one).collect()
}

/// What the program says of a file, which it is given by its name in its own folder.
fn said(file: &Path) -> String {
    let (folder, overrides) = (file.parent().unwrap(), overrides(file));
    if overrides.is_empty() {
        let plan = common::runner().current_dir(folder).arg("plan").arg(file.file_name().unwrap()).output().unwrap();
        return common::text(&plan);
    }
    match config::load_with(file, &overrides) {
        Ok(_) => "no error\n".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn errors_say_where_what_and_what_instead() {
    let mut files = Vec::new();
    for folder in ["syntax", "form", "meaning", "extends", "overrides", "parts"] {
        // Relative, as people name files; tests run in the folder of the package.
        let folder = Path::new("tests/fixtures/errors").join(folder);
        files.extend(std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut wrong = Vec::new();
    for file in &files {
        let found = said(file);
        let expected_file = file.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected_file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
        if found != expected || !found.contains(": error: ") {
            wrong.push(format!("==== {}: expected\n{expected}\n==== found\n{found}", file.display()));
        }
    }
    assert!(files.len() >= 40 && wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_phase_takes_over_what_it_leaves_out() {
    let spec = right(WHOLE, &[]).spec;
    let [first, second, third] = &spec.phases[..] else { panic!("three phases") };
    assert_eq!((second.size, second.batch), (Some(24), 1024));
    assert_eq!((&second.augment, &second.augment), (&first.augment, &spec.data.augment));
    assert_eq!((&second.optimizer, &second.beta), (&first.optimizer, &first.beta));
    assert_eq!(second.weight_decay, first.weight_decay);
    assert_eq!((first.momentum.from, third.momentum.from), (0.0, 0.95));
    assert_eq!((third.size, third.batch, third.augment.len()), (Some(32), 1024, 0));
    assert_eq!(second.length, Length::Steps(30));
    // An end that is left out is zero, a curve linear; a plain number has neither.
    assert_eq!((first.lr.curve.kind.as_str(), first.lr.to), ("linear", Some(0.1)));
    assert_eq!((third.lr.curve.kind.as_str(), third.lr.to), ("poly", Some(0.0)));
    assert_eq!((second.lr.curve.kind.as_str(), second.lr.to), ("constant", None));
    assert_eq!(spec.train.checkpoint_every.to_string(), "1ep");
}

#[test]
fn an_optimizer_that_says_its_own_beta_does_not_take_over_that_of_the_phase_before() {
    let more = "[[phases]]\nepochs = 1\noptimizer = { kind = \"adamw\" }\nbeta = 0.9\nlr = 0.1\n\
                [[phases]]\nepochs = 1\noptimizer = \"adam\"\nlr = 0.1\n\
                [[phases]]\nepochs = 1\noptimizer = { kind = \"rmsprop\", alpha = 0.5 }\nlr = 0.1\n\
                [[phases]]\nepochs = 1\nlr = 0.1\n\
                [[phases]]\nepochs = 1\noptimizer = { kind = \"rmsprop\", alpha = 0.5 }\nbeta = 0.7\nlr = 0.1\n";
    let loaded = right(&(WHOLE.to_owned() + more), &[]);
    let betas: Vec<Option<f64>> =
        loaded.spec.phases[3..].iter().map(|phase| phase.beta.as_ref().map(|beta| beta.from)).collect();
    assert_eq!(betas, [Some(0.9), Some(0.9), None, None, Some(0.7)]);
    assert_eq!(right(&config::write(&loaded.spec), &[]).spec, loaded.spec, "what is written reads back");
}

/// Where they are not, an experiment is written and hashed as before there were such settings.
#[test]
fn a_loss_and_smoothing_by_phase_are_part_of_an_experiment_where_they_are_given() {
    let plain = right(WHOLE, &[]).spec;
    let json = serde_json::to_value(&plain).unwrap();
    assert!(json["train"].get("loss").is_none() && !config::write(&plain).contains("\nloss ="));
    assert!((0..3).all(|k| json["phases"][k].get("label_smoothing").is_none()));
    assert_eq!(config::write(&plain).matches("label_smoothing").count(), 1);
    assert_eq!(right(WHOLE, &["train.loss='cross-entropy'"]).spec, plain, "the default, said");

    for (loss, threshold) in [("'bce'", None), ("{ bce = 0.25 }", Some(0.25)), ("{ kind = 'bce' }", None)] {
        let spec = right(WHOLE, &[&format!("train.loss={loss}")]).spec;
        assert_eq!(spec.train.criterion(), Rule::Binary { threshold }, "{loss}");
        assert_eq!(right(&config::write(&spec), &[]).spec, spec, "{loss}");
    }

    let loaded = right(WHOLE, &["phases[1].label_smoothing=0.2"]);
    let own: Vec<Option<f64>> = loaded.spec.phases.iter().map(|phase| phase.label_smoothing).collect();
    assert_eq!((loaded.spec.train.label_smoothing, &own[..]), (0.1, &[None, Some(0.2), Some(0.2)][..]));
    assert_eq!(right(&config::write(&loaded.spec), &[]).spec, loaded.spec);
    let settings = config::settings(&loaded);
    let carried = settings.iter().find(|setting| setting.path == "phases[2].label_smoothing").unwrap();
    assert_eq!(carried.provenance, Provenance::TakenOver("phases[1].label_smoothing".to_owned()));
    assert!(!settings.iter().any(|setting| setting.path == "phases[0].label_smoothing"));
}

/// Phases that may follow [`WHOLE`]: on another set, on that again, on one of one's own, and back on that of `[data]`.
const SETS: &str = r#"
[[phases]]
epochs = 1
data = { dataset = { kind = "cifar100", labels = "coarse" }, train_images = 5000 }
lr = 0.1

[[phases]]
epochs = 1
lr = 0.1

[[phases]]
recipe = "sgdr"
cycles = 2
cycle_len = 1
lr = 0.1
data = { dataset = { kind = "folder", size = 32 }, root = "photos" }

[[phases]]
epochs = 1
data = { dataset = "cifar10" }
lr = 0.1
"#;

#[test]
fn a_phase_goes_over_to_a_data_set_which_later_ones_take_over() {
    let content = WHOLE.to_owned() + SETS;
    let loaded = right(&content, &[]);
    let spec = &loaded.spec;
    let (sets, by_phase) = spec.sets_by_phase();
    let names: Vec<String> = sets.into_iter().map(|set| set.dataset.kind).collect();
    assert_eq!(names, ["cifar10", "cifar100", "folder"]);
    assert_eq!(by_phase, [0, 0, 0, 1, 1, 2, 2, 2, 0]);
    // One without a folder lies where that of `[data]` does, unless one of them is a folder of images itself.
    let roots = |spec: &Spec| spec.sets().into_iter().map(|set| set.root).collect::<Vec<_>>();
    let here = |path: &str| Some(std::env::current_dir().unwrap().join(path));
    let (odd, photos) = (here("sets/\"odd\" one"), here("photos"));
    assert_eq!(roots(spec), [odd.clone(), odd.clone(), photos]);
    let left_out = right(&content, &["phases[5].data={ dataset = { kind = 'folder', size = 32 } }"]).spec;
    assert_eq!(roots(&left_out), [odd.clone(), odd, None]);
    // Which phase of the file names it is said where it is absent.
    let phases = spec.sets().iter().map(|set| spec.request(set).phase).collect::<Vec<_>>();
    assert_eq!(phases, [None, Some(3), Some(5)]);

    // Written back it is the same experiment, and where the images lie is no part of it.
    let written = config::write(spec);
    let again = right(&written, &[]).spec;
    assert_eq!(config::write(&again), written);
    let digests = [used("cifar10", "1"), used("cifar100", "2"), used("folder", "3")];
    let hash = |spec: &Spec, sets: &[UsedSet<'_>]| spec.hash(sets, None);
    let plain = hash(spec, &digests);
    assert_eq!(hash(&again, &digests), plain);
    let elsewhere = right(&content, &["phases[5].data.root=elsewhere"]).spec;
    assert_eq!(hash(&elsewhere, &digests), plain);
    assert!(!elsewhere.settings().keys().any(|path| path.ends_with("root")), "{:?}", elsewhere.settings());
    for digests in [[digests[0], digests[2], digests[1]], [digests[0], digests[1], used("folder", "4")]] {
        assert_ne!(hash(spec, &digests), plain);
    }
    let other = right(&content, &["phases[3].data.dataset.labels=fine"]).spec;
    assert_ne!(hash(&other, &digests), plain);

    // Where the stand-in takes the place of two sets, they are one.
    let really = spec.using(&["shapes", "shapes", "folder"]);
    let (sets, by_phase) = really.sets_by_phase();
    let names: Vec<String> = sets.into_iter().map(|set| set.dataset.kind).collect();
    assert_eq!((names, by_phase[3]), (vec!["shapes".to_owned(), "folder".to_owned()], 0));
}

#[test]
fn statistics_that_are_given_hold_for_all_sets_that_give_none() {
    let given = ["data.mean=[0.5, 0.4, 0.3]", "data.deviation=[0.25, 0.2, 0.1]"];
    let with = |more: &[&str]| right(&(WHOLE.to_owned() + SETS), &[&given[..], more].concat()).spec;
    let means = |spec: &Spec| -> Vec<Option<f64>> {
        let mean = |set: &SetSpec| set.statistics.as_ref().map(|statistics| statistics.mean[0]);
        spec.sets().iter().map(mean).collect()
    };
    let spec = with(&[]);
    assert_eq!(means(&spec), [Some(0.5); 3]);
    let own = "phases[3].data={ dataset = 'cifar100', mean = [0.1, 0.1, 0.1], deviation = [1, 1, 1] }";
    assert_eq!(means(&with(&[own])), [Some(0.5), Some(0.1), Some(0.5)]);
    // Its own images', and the same images in two ways are two sets.
    let images = "phases[3].data={ dataset = 'cifar100', mean = [], deviation = [] }";
    assert_eq!(means(&with(&[images])), [Some(0.5), None, Some(0.5)]);
    let last = "phases[6].data={ dataset = 'cifar10', mean = [], deviation = [] }";
    let twice = with(&[last]);
    let (sets, by_phase) = twice.sets_by_phase();
    assert_eq!((sets.len(), by_phase.last(), means(&twice).pop().unwrap()), (4, Some(&3), None));
    assert_eq!(twice.place_of_statistics(&sets[0]), "data");
    let own_sets = with(&[own]).sets();
    assert_eq!(with(&[own]).place_of_statistics(&own_sets[1]), "phases[3].data");
    for spec in [&spec, &with(&[own]), &with(&[images]), &twice] {
        let written = config::write(spec);
        let again = right(&written, &[]).spec;
        assert_eq!(
            (config::write(&again), again.sets_by_phase()),
            (written.clone(), spec.sets_by_phase()),
            "{written}"
        );
    }
    assert_eq!(spec.settings()["data.mean"], serde_json::json!([0.5, 0.4, 0.3]));

    // They are part of the hash, and where they are left out, or nothing is given, nothing is in it.
    let hash = |sets: &[&str]| right(WHOLE, sets).spec.hash(&[used("shapes", "sha256:1")], None);
    let plain = hash(&[]);
    assert_eq!(hash(&["data.mean=[]", "data.deviation=[]"]), plain);
    assert_ne!(hash(&given), plain);
    assert_ne!(hash(&[given[0], "data.deviation=[0.25, 0.2, 0.2]"]), hash(&given));
    assert!(serde_json::to_value(right(WHOLE, &[]).spec).unwrap()["data"].get("statistics").is_none());

    let wrong = |sets: &[&str]| read("a.toml", &(WHOLE.to_owned() + SETS), sets).err().unwrap().to_string();
    for (sets, words) in [
        (&given[..1], "`mean` without `deviation`"),
        (&given[1..], "`deviation` without `mean`"),
        (&[given[0], "data.deviation=[0.0, 0.2, 0.1]"], "out of range"),
        (&[given[0], "data.deviation=[nan, 0.2, 0.1]"], "nan"),
        (&["data.mean=[123.675, 116.28, 103.53]", given[1]], "out of range"),
        (&["phases[3].data.mean=[0.5]"], "phases[3].data.mean"),
    ] {
        let said = wrong(sets);
        assert!(said.contains(words), "{sets:?}: {said}");
    }
}

#[test]
fn what_is_written_back_is_the_same_experiment() {
    let spec = right(WHOLE, &[]).spec;
    let written = config::write(&spec);
    let again = right(&written, &[]).spec;
    assert_eq!(again, spec, "{written}");
    assert_eq!(config::write(&again), written);
    for explicit in ["padding = \"reflect\"", "checkpoint_every = \"1ep\"", "eps = 1e-8", "momentum = 0.0"] {
        assert!(written.contains(explicit), "{explicit} in\n{written}");
    }
}

#[test]
fn curves_that_run_on_are_written_back_where_they_begin() {
    let across = "across_phases = true";
    let phases = format!(
        "[[phases]]\nepochs = 1\nbatch = 50\nlr = {{ from = 0.1, {across} }}\nmomentum = {{ from = 0.9, to = 0.8, {across} }}\n\
         optimizer = {{ kind = \"mix\", from = \"adam\", to = \"sgd\", weight = {{ from = 0, to = 1, {across} }} }}\n\
         weight_decay = {{ from = 1e-3, to = 1e-4, curve = \"cosine\", {across} }}\n\
         lr_values = {{ head = {{ from = 0.1, to = 0.0, {across} }} }}\n\
         weight_decay_groups = {{ head = {{ from = 0.1, to = 0.0, {across} }}, stem = {{ from = 0.1, {across} }} }}\n\
         [[phases]]\nepochs = 1\nsize = 24\nlr_values = {{ stem = 0.3 }}\n\
         [[phases]]\nepochs = 1\nlr = 0.3\nmomentum = 0.9\noptimizer = \"adam\"\nlr_groups = {{ head = 0.5 }}\nbeta = 0.9\n"
    );
    let head = "name = \"a\"\n[data]\ndataset = \"shapes\"\n[model]\nbackbone = \"shallow\"\n";
    let spec = right(&format!("{head}{phases}"), &[]).spec;
    let written = config::write(&spec);
    let again = right(&written, &[]).spec;
    assert!(again == spec, "{written}");
    assert_eq!(config::write(&again), written);
    assert_eq!(written.matches(across).count(), 7, "{written}");
    let [first, second, third] = &spec.phases[..] else { panic!("three phases") };
    assert_eq!((first.lr_values.len(), second.lr_values.len(), third.lr_values.len()), (1, 2, 0));
    assert_eq!((second.lr.across, third.lr.across), (Across::Continues, Across::No));
    // Through phases that have no use for it, and beside optimizers that would say their own.
    let through = [
        format!("optimizer = \"adam\"\nbeta = {{ from = 0.9, to = 0.99, {across} }}\n"),
        String::new(),
        "optimizer = { kind = \"sgd\", nesterov = true }\n".to_owned(),
        "optimizer = { kind = \"adamw\", eps = 1e-6 }\n".to_owned(),
        "optimizer = { kind = \"mix\", from = \"adam\", to = \"sgd\", weight = 0.5 }\n".to_owned(),
    ];
    let momenta = [
        format!("optimizer = \"sgd\"\nmomentum = {{ from = 0.5, to = 0.9, {across} }}\n"),
        "optimizer = \"lbfgs\"\n".to_owned(),
        "optimizer = \"sgd\"\n".to_owned(),
        "optimizer = \"lbfgs\"\n".to_owned(),
    ];
    for phases in [&through[..], &momenta[..]] {
        let phase = |own: &String| format!("[[phases]]\nepochs = 1\nbatch = 50\nlr = 0.1\n{own}");
        let spec = right(&format!("{head}{}", phases.iter().map(phase).collect::<String>()), &[]).spec;
        let written = config::write(&spec);
        assert!(right(&written, &[]).spec == spec, "{written}");
        let runs = |of: fn(&PhaseSpec) -> Option<Across>| spec.phases.iter().map(of).collect::<Vec<_>>();
        let (begins, on) = (Some(Across::Begins), Some(Across::Continues));
        match phases.len() {
            5 => assert_eq!(runs(|phase| phase.beta.as_ref().map(|beta| beta.across)), [begins, on, None, on, on]),
            _ => assert_eq!(runs(|phase| Some(phase.momentum.across)), [begins, on, on, on]),
        }
    }
}

/// What may follow [`WHOLE`]: a recipe, and groups of parameters.
const RECIPE_AND_GROUPS: &str = r#"
[[phases]]
recipe = "one-cycle"
epochs = 2
lr = 1.5
pct = 20
sizes = [16, 24, 32]
lr_groups = { stem = 0.1, "layer1.*" = 0.5 }
weight_decay_groups = { stem = 1e-3 }
freeze = ["layer2"]

[[phases]]
epochs = 0.5
lr = 0.01
lr_groups = {}
lr_values = { head = { from = 0.02, to = 0.01 } }
weight_decay_groups = { stem = { from = 1e-3, to = 0.0, curve = "cosine" }, head = 5e-4 }
freeze = []
"#;

#[test]
fn a_recipe_is_the_phases_that_it_stands_for() {
    let content = format!("{WHOLE}{RECIPE_AND_GROUPS}");
    let loaded = right(&content, &[]);
    let spec = &loaded.spec;
    assert_eq!(spec.phases.iter().map(|phase| phase.source).collect::<Vec<_>>(), [0, 1, 2, 3, 3, 3, 4]);
    assert_eq!(spec.phases[3..].iter().map(|phase| phase.size).collect::<Vec<_>>(), [16, 24, 32, 32].map(Some));
    assert!(spec.phases[3..6].iter().all(|phase| phase.lr_groups.len() == 2 && phase.freeze.contains("layer2")));
    assert!(spec.phases[6].lr_groups.is_empty() && spec.phases[6].freeze.is_empty());
    let decay = |k: usize| spec.phases[k].weight_decay_groups.get("stem").map(|ramp| (ramp.from, ramp.to));
    assert_eq!([2, 3, 5, 6].map(decay), [None, Some((1e-3, None)), Some((1e-3, None)), Some((1e-3, Some(0.0)))]);

    // Written back it is plain, and the same experiment.
    let written = config::write(spec);
    let again = right(&written, &[]).spec;
    assert_eq!(config::write(&again), written);
    let hash = |spec: &Spec| spec.hash(&[used("shapes", "sha256:1")], None);
    assert_eq!(hash(&again), hash(spec));

    // Overrides speak of the file's phases, settings of those that are planned.
    let set = right(&content, &["phases[3].lr=3", "phases[3].pct=0", "phases[3].sizes=[16, 24]"]).spec;
    assert_eq!((set.phases.len(), set.phases[4].lr.from), (6, 3.0));
    let settings = config::settings(&loaded);
    let line_of = |path: &str| match &settings.iter().find(|setting| setting.path == path).unwrap().provenance {
        Provenance::File { line, .. } => content.lines().nth(line - 1).unwrap().to_owned(),
        other => panic!("{path}: {other:?}"),
    };
    for (path, line) in [("phases[4].lr.from", "lr = 1.5"), ("phases[5].epochs", "epochs = 2")] {
        assert_eq!(line_of(path), line);
    }
    assert_eq!(line_of("phases[4].momentum.to"), "recipe = \"one-cycle\"");
    assert_eq!(line_of("phases[4].size"), "sizes = [16, 24, 32]");
}

/// One phase more than [`WHOLE`] has.
fn with_phase(phase: &str) -> String {
    format!("{WHOLE}\n[[phases]]\n{phase}")
}

#[test]
fn recipes_in_shares_steps_and_jumps_are_written_back_as_plain_phases() {
    let (epochs, steps) = (Length::Epochs, Length::Steps);
    let shares = "recipe = \"piecewise\"\nepochs = 12.1\nat = [\"0%\", \"23%\", \"100%\"]\nlr = [0.0, 0.4, 0.0]\n\
                  momentum = [0.85, 0.95, 0.9]\n";
    let recipes = [
        (shares, vec![epochs(2.783), epochs(9.317)]),
        (
            "recipe = \"piecewise\"\nat = [0, \"100step\", \"100step\", \"200step\"]\nlr = [0.1, 0.3, 0.5, 0.2]\n",
            vec![steps(100), steps(100)],
        ),
        (
            "recipe = \"step\"\nsteps = 1000\nat = [\"30%\", \"600step\"]\nlr = 0.4\n",
            vec![steps(300), steps(300), steps(400)],
        ),
        (
            "recipe = \"step\"\nepochs = 6\nevery = 2.4\nlr = 0.256\ngamma = 0.97\n",
            vec![epochs(2.4), epochs(2.4), epochs(1.2)],
        ),
        (
            "recipe = \"sgdr\"\nlr = 0.4\ncycles = 2\ncycle_len = \"100step\"\ngamma = 0.5\nlead = 0\n",
            vec![steps(100), steps(100)],
        ),
        (
            "recipe = \"cyclical\"\nsteps = 1000\nlr = 1.0\nfrom = 0.2\nto = 0.07\nrise = 0.23\nmomentum = 0.85\n",
            vec![steps(230), steps(770)],
        ),
        (
            "recipe = \"one-cycle\"\nepochs = 10\nlr = 0.4\nthree_phase = false\nfinal_div = 0.5\nmomentum = 0.85\n",
            vec![epochs(5.0), epochs(5.0)],
        ),
    ];
    let lengths = |spec: &Spec| spec.phases[3..].iter().map(|phase| phase.length).collect::<Vec<_>>();
    for (recipe, expected) in recipes {
        let spec = right(&with_phase(recipe), &[]).spec;
        assert_eq!(lengths(&spec), expected, "{recipe}");
        let written = config::write(&spec);
        assert!(!written.contains("recipe"), "{written}");
        let again = right(&written, &[]).spec;
        assert_eq!(config::write(&again), written);
        assert_eq!(lengths(&again), expected, "{recipe}");
        for (phase, again) in spec.phases.iter().zip(&again.phases) {
            assert_eq!((&again.lr, &again.momentum), (&phase.lr, &phase.momentum), "{recipe}");
        }
    }
    // The length alone makes it another, in either unit.
    let set = |set: &str| lengths(&right(&with_phase(shares), &[set]).spec);
    assert_eq!(set("phases[3].epochs=24.2"), [epochs(5.566), epochs(18.634)]);
    assert_eq!(set("phases[3].steps=1000"), [steps(230), steps(770)]);
    assert_eq!(set("phases[3].at[1]=50%"), [epochs(6.05), epochs(6.05)]);
    let spec = right(&with_phase(shares), &["phases[3].momentum[1]=0.7"]).spec;
    assert_eq!((spec.phases[3].momentum.to, spec.phases[4].momentum.from), (Some(0.7), 0.7));
}

#[test]
fn groups_follow_the_shape_of_a_recipe_at_rates_of_their_own() {
    let recipe =
        with_phase("recipe = \"one-cycle\"\nepochs = 10\nlr = 0.3\ndiv = 30\nlr_values = { stem = 0.07, head = 0 }\n");
    let phases = right(&format!("{recipe}\n[[phases]]\nepochs = 1\nlr = 0.1\n"), &[]).spec.phases;
    let [.., up, down, out, after] = &phases[..] else { panic!("{phases:?}") };
    let ends = |phase: &runner::config::spec::PhaseSpec, group: &str| {
        let lr = &phase.lr_values[group];
        (lr.from, lr.to)
    };
    // As the rate goes, times 0.07/0.3; at the top exactly what is written.
    assert_eq!((ends(up, "stem").1, ends(down, "stem").0), (Some(0.07), 0.07));
    assert!((ends(up, "stem").0 - 0.07 / 30.0).abs() < 1e-15);
    assert!((ends(out, "stem").1.unwrap() - 0.07 / 3000.0).abs() < 1e-15);
    assert_eq!(ends(down, "head"), (0.0, None));
    assert!(after.lr_values.is_empty() && after.lr_groups.is_empty(), "over the recipe alone");
    // The batch that rates are written for is theirs too.
    let scaled = right(&recipe, &["train.lr_batch=512", "phases[3].batch=256"]).spec;
    assert_eq!(scaled.phases[3].lr_values["stem"].to, Some(0.035));
    let one = right(&recipe, &["phases[3].lr_values.stem=0.14"]).spec;
    assert_eq!(one.phases[3].lr_values["stem"].to, Some(0.14));
}

#[test]
fn a_mix_that_is_taken_over_stays_where_it_came_to() {
    let mix = "optimizer = { kind = \"mix\", from = \"rmsprop\", to = \"sgd\", weight = { from = 0.1, to = 0.8 } }";
    let content = with_phase(&format!("epochs = 1\nlr = 0.1\n{mix}\n\n[[phases]]\nepochs = 1\nlr = 0.1\n"));
    let phases = right(&content, &[]).spec.phases;
    let share = |k: usize| phases[k].optimizer.settings.ramp("weight");
    assert_eq!((share(3).from, share(3).to), (0.1, Some(0.8)));
    assert_eq!((share(4).from, share(4).to), (0.8, None));
}

#[test]
fn rates_are_scaled_with_the_batch_where_a_file_says_for_which_they_are_written() {
    let content = format!("{WHOLE}{RECIPE_AND_GROUPS}");
    let (plain, scaled) = (right(&content, &[]).spec, right(&content, &["train.lr_batch=512"]).spec);
    for (plain, scaled) in plain.phases.iter().zip(&scaled.phases) {
        assert_eq!(scaled.lr.from, plain.lr.from * plain.batch as f64 / 512.0);
        assert_eq!(scaled.lr.to, plain.lr.to.map(|to| to * plain.batch as f64 / 512.0));
        assert_eq!(scaled.lr_groups, plain.lr_groups);
    }
    assert_eq!(scaled.phases[6].lr_values["head"].from, 0.04);
    assert_eq!(right(&content, &["train.lr_batch=1024"]).spec, plain);
}

#[test]
fn a_schedule_is_stretched() {
    let content = format!("{WHOLE}{RECIPE_AND_GROUPS}");
    let (plain, half) = (right(&content, &[]).spec, right(&content, &["train.stretch=0.5"]).spec);
    assert!(plain.phases.iter().any(|phase| matches!(phase.length, Length::Steps(_))));
    for (plain, half) in plain.phases.iter().zip(&half.phases) {
        let want = match plain.length {
            Length::Epochs(epochs) => Length::Epochs(epochs / 2.0),
            Length::Steps(steps) => Length::Steps(steps / 2),
        };
        assert_eq!((&half.length, &half.lr), (&want, &plain.lr));
    }
    // At least a step is left; and what is written out says it all.
    let short = right(&content, &["train.stretch=0.001"]).spec;
    assert!(short.phases.iter().all(|phase| phase.length != Length::Steps(0)));
    let lengths = |spec: &Spec| spec.phases.iter().map(|phase| phase.length).collect::<Vec<_>>();
    assert_eq!(lengths(&right(&config::write(&half), &[]).spec), lengths(&half));
    assert!(right(&content, &["train.stretch=1"]).spec == plain);
}

/// What is refused by now is no reason to lose a run that was begun before; nor is what was written back of one.
#[test]
fn an_average_at_the_ends_of_phases_has_no_interval() {
    let file = Path::new("tests/fixtures/errors/meaning/average-every-beside-phases.toml");
    assert!(config::load_with(file, &[]).is_err());
    let begun = config::load_begun(file, &[]).unwrap().spec;
    assert_eq!(begun.train.average.unwrap().settings.duration("every").to_string(), "2ep");
    let plain = right(&std::fs::read_to_string(file).unwrap().replace("every = \"2ep\", ", ""), &[]).spec;
    let written = config::write(&plain);
    assert!(written.contains("every = \"1ep\"") && written.contains("phases = true"), "{written}");
    assert_eq!(right(&written, &[]).spec, plain);
}

/// A decay that does not move is hashed and written as the number that it was before there were curves.
#[test]
fn a_decay_of_averages_is_a_number_or_a_curve() {
    let with = |decay: &str| right(WHOLE, &[&format!("train.average={{ kind = 'ema', decay = {decay} }}")]).spec;
    let hash = |spec: &Spec| spec.hash(&[used("cifar10", "sha256:1")], None);
    let plain = with("0.99");
    assert_eq!(plain, with("{ from = 0.99 }"));
    assert_eq!(plain.train.average.as_ref().unwrap().settings.float("decay"), 0.99);
    assert!(
        config::write(&plain).contains("average = { kind = \"ema\", decay = 0.99, decay_warmup = false, evaluate = ")
    );
    let curve = with("{ from = 0.9, to = 0.99, curve = 'cosine' }");
    assert_ne!(hash(&curve), hash(&plain));
    let written = config::write(&curve);
    assert!(written.contains("decay = { from = 0.9, to = 0.99, curve = \"cosine\" }"), "{written}");
    assert_eq!(right(&written, &[]).spec, curve);
    assert_eq!(curve.settings()["train.average.decay.to"], 0.99);
    assert!(read("a.toml", WHOLE, &["train.average={ ema = { from = 0.9, to = 1.0 } }"]).is_err());
}

/// The same schedule over another whole; what is written back says lengths as they come out.
#[test]
fn lengths_are_shares_of_the_whole() {
    let phases = |lengths: [&str; 3]| {
        let [a, b, c] = lengths;
        format!(
            "name = 'a'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n[train]\nepochs = 16\n\
             [[phases]]\nepochs = {a}\nbatch = 8\noptimizer = 'sgd'\nlr = 0.1\n[[phases]]\nepochs = {b}\nlr = 0.2\n\
             [[phases]]\nrecipe = 'one-cycle'\nepochs = {c}\nlr = 0.3\n"
        )
    };
    let shares = phases(["'12.5%'", "'37.5%'", "'50%'"]);
    let plain = phases(["2", "6.0", "8"]).replace("[train]\nepochs = 16\n", "");
    let spec = right(&shares, &[]).spec;
    assert_eq!(spec, right(&plain, &[]).spec);
    let written = config::write(&spec);
    assert_eq!(config::write(&right(&written, &[]).spec), written);
    // As a sweep over the whole has it; and as it is stretched.
    let short = right(&shares, &["train.epochs=1.6"]).spec;
    let lengths = |spec: &Spec| spec.phases.iter().map(|phase| phase.length).collect::<Vec<_>>();
    assert_eq!(lengths(&short), lengths(&right(&plain, &["train.stretch=0.1"]).spec));
    assert_eq!(short.phases[0].length, Length::Epochs(0.2));
    assert_eq!(lengths(&right(&shares, &["train.stretch=0.1"]).spec), lengths(&short));
    // Beside one that has a length of its own they need not make up the whole, and one may be given in its place.
    let mixed = right(&shares, &["phases[0].epochs=1"]).spec;
    assert_eq!((mixed.phases[0].length, mixed.phases[1].length), (Length::Epochs(1.0), Length::Epochs(6.0)));
    let steps = right(&shares, &["phases[0].steps=7"]).spec;
    assert_eq!((steps.phases[0].length, steps.phases[1].length), (Length::Steps(7), Length::Epochs(6.0)));
}

#[test]
fn overrides_are_as_if_written() {
    let set = |sets: &[&str]| right(WHOLE, sets).spec;
    let spec = set(&[
        "phases[1].lr.to=0.4",
        "phases[2].optimizer.nesterov=true",
        "phases[2].lr.curve.power=2",
        "data.augment[1].translate=3",
        "name=other",
        "model.backbone=shallow",
        "train.eval_every=2ep",
    ]);
    assert_eq!((spec.phases[1].lr.from, spec.phases[1].lr.to), (0.1, Some(0.4)));
    assert!(spec.phases[2].optimizer.settings.bool("nesterov"));
    assert_eq!(spec.phases[2].lr.curve.settings.float("power"), 2.0);
    assert_eq!(spec.data.augment[1].settings.int("pixels"), 3);
    assert_eq!((spec.name.as_str(), spec.model.backbone.kind.as_str()), ("other", "shallow"));
    // Later ones win, and another kind leaves no settings of the one before.
    let spec = set(&["seed=8", "seed=9", "phases[2].optimizer.nesterov=true", "phases[2].optimizer.kind=rmsprop"]);
    assert_eq!((spec.seed, spec.phases[2].optimizer.kind.as_str()), (9, "rmsprop"));
    // Where the phase names no optimizer of its own, it and its settings may come in any order.
    let (kind, nesterov) = ("phases[1].optimizer.kind=sgd", "phases[1].optimizer.nesterov=true");
    for sets in [[kind, nesterov], [nesterov, kind]] {
        let optimizer = &set(&sets).phases[1].optimizer;
        assert!(optimizer.kind == "sgd" && optimizer.settings.bool("nesterov"), "{sets:?}: {optimizer:?}");
    }
}

#[test]
fn a_short_form_is_the_whole_choice_in_a_file_and_in_an_override() {
    let files = folder(&[("base.toml", &WHOLE.replace("\"resnet9\"", "{ kind = \"resnet9\", width = 32 }"))]);
    let (top, base) = (files.path().join("top.toml"), files.path().join("base.toml"));
    let whole = right(WHOLE, &[]).spec.model.backbone;
    for (form, width) in
        [("\"resnet9\"", None), ("{ resnet9 = 16 }", Some(16)), ("{ kind = \"resnet9\", width = 8 }", Some(8))]
    {
        std::fs::write(&top, format!("extends = 'base.toml'\nmodel.backbone = {form}")).unwrap();
        let over = config::load(&top, &[]).unwrap().spec.model.backbone;
        let set = config::load(&base, &[format!("model.backbone={form}")]).unwrap().spec.model.backbone;
        assert_eq!(over, set, "{form}");
        assert_eq!(over.settings.int("width"), width.unwrap_or(whole.settings.int("width")), "{form}");
    }
}

const fn used<'a>(name: &'a str, digest: &'a str) -> UsedSet<'a> {
    UsedSet { name, digest }
}

#[test]
fn the_hash_tells_experiments_apart_and_runs_of_one_not() {
    let hash = |sets: &[&str], set: &str, digest: &str| right(WHOLE, sets).spec.hash(&[used(set, digest)], None);
    let plain = hash(&[], "shapes", "sha256:1");
    assert_eq!(plain.len(), 64);
    for same in [
        "seed=8",
        "name=other",
        "data.root=elsewhere",
        "train.deterministic=false",
        "train.eval_phases=false",
        "phases[1].size=24",
        "phases[1].momentum=0.0",
    ] {
        assert_eq!(hash(&[same], "shapes", "sha256:1"), plain, "{same}");
    }
    for other in [
        "phases[1].lr=0.2",
        "train.precision=f32",
        "train.deterministic=true",
        "train.eval_phases=true",
        "model.backbone=shallow",
    ] {
        assert_ne!(hash(&[other], "shapes", "sha256:1"), plain, "{other}");
    }
    assert_ne!(hash(&[], "cifar10", "sha256:1"), plain);
    assert_ne!(hash(&[], "shapes", "sha256:2"), plain);
    // The experiment written back by a run on the stand-in names that set alone, and is the same experiment.
    let really = right(WHOLE, &[]).spec.using(&["shapes"]);
    assert_eq!((really.data.dataset.kind.as_str(), &really.data.stand_in), ("shapes", &None));
    let again = right(&config::write(&really), &[]).spec;
    assert_eq!(again.hash(&[used("shapes", "sha256:1")], None), plain);
}

#[test]
fn relative_paths_start_from_the_file_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    std::fs::write(&file, WHOLE).unwrap();
    let root = |sets: &[String]| config::load(&file, sets).unwrap().spec.data.root.unwrap();
    assert_eq!(root(&[]), folder.path().join("sets/\"odd\" one"));
    assert_eq!(root(&["data.root=here".into()]), std::env::current_dir().unwrap().join("here"));
    std::fs::write(&file, WHOLE.to_owned() + SETS).unwrap();
    let of_phase = config::load(&file, &[]).unwrap().spec.phases[5].data.clone().unwrap();
    assert_eq!(of_phase.root, Some(folder.path().join("photos")));
}

#[test]
fn files_that_cannot_be_read_are_diagnostics_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    let first_line = || config::load(&file, &[]).unwrap_err().to_string().lines().next().unwrap().to_owned();
    assert_eq!(first_line(), format!("{}:1:1: error: there is no such file", file.display()));
    std::fs::write(&file, b"name = 'a'\nseed = \xff\n").unwrap();
    assert!(first_line().starts_with(&format!("{}:2:8: error: the file is not UTF-8 text", file.display())));
    std::fs::remove_file(&file).unwrap();
    std::fs::write(folder.path().join("ab.toml"), "").unwrap();
    let said = config::load(&file, &[]).unwrap_err().to_string();
    assert!(said.contains(&format!("did you mean `{}`?", folder.path().join("ab.toml").display())), "{said}");
    let said = config::load(folder.path(), &[]).unwrap_err().to_string();
    assert!(said.contains("that is a folder, not a file"), "{said}");
    let large = folder.path().join("large.toml");
    std::fs::File::create(&large).unwrap().set_len(17 << 20).unwrap();
    let said = config::load(&large, &[]).unwrap_err().to_string();
    assert!(said.contains("the file is larger than 16 MiB"), "{said}");
    if cfg!(unix) {
        // It has no end.
        std::fs::write(&file, "extends = '/dev/zero'").unwrap();
        let said = config::load(&file, &[]).unwrap_err().to_string();
        assert!(said.contains("cannot extend `/dev/zero`: that is a pipe or a device, not a file"), "{said}");
    }
}

#[test]
fn a_hostile_file_is_dealt_with_in_time_that_grows_with_its_size() {
    let repeat = |line: &str| line.repeat(300_000 / line.len());
    let numbered = |line: &str| (0..20_000).map(|i| line.replace('#', &i.to_string())).collect::<String>();
    let files = [
        repeat("a = 1\n"),
        repeat("a 1\n"),
        repeat("a = b\n"),
        repeat("a = 1,\n"),
        repeat("[a]\n"),
        repeat("a: 1\n"),
        repeat("[[phases]]\n"),
        numbered("k# = 1\n"),
        numbered("[s#]\nkey = 1\n"),
        format!("a = {{{}}}", repeat("b = 1, ")),
        format!("a = {{ b = 1\n{}}}", numbered("c# = 1\n")),
        format!("a = [{}]", repeat("'flip', ")),
        format!("{} = 1", "k".repeat(300_000)),
        format!("name = \"{}\"", "k".repeat(300_000)),
        format!("a = {}", "b".repeat(300_000)),
        format!("[data]\naugment = [{}]\n{}", "'flip',".repeat(10_000), "[[phases]]\nbatch = 1\n".repeat(5_000)),
    ];
    for content in &files {
        let errors = read("hostile.toml", content, &[]).unwrap_err().to_string();
        let start = &content[..content.len().min(20)];
        assert!(errors.len() < 200_000, "{} bytes are said of {start:?}…", errors.len());
        assert!(errors.matches(": error: ").count() <= 100, "{start:?}…");
        assert!(!errors.contains(": error: \n"), "{start:?}…");
    }
    // One over the other, too.
    let files = folder(&[
        ("base.toml", &numbered("k# = 1\n")),
        ("top.toml", &format!("extends = 'base.toml'\n{}", numbered("k# = 2\n"))),
    ]);
    assert!(config::load(&files.path().join("top.toml"), &[]).unwrap_err().to_string().contains("\nand 19,904 more\n"));
}

#[test]
fn files_do_not_extend_each_other_without_end() {
    let files = folder(&[]);
    let at = |number: usize| files.path().join(format!("{number}.toml"));
    for number in 0..40 {
        std::fs::write(at(number), format!("extends = '{}.toml'", number + 1)).unwrap();
    }
    std::fs::write(at(40), WHOLE).unwrap();
    assert!(config::load(&at(9), &[]).is_ok());
    let said = config::load(&at(0), &[]).unwrap_err().to_string();
    assert!(said.contains("31.toml:1:11: error: more than 32 files extend each other"), "{said}");
}

#[test]
fn later_stages_point_at_the_setting_a_problem_stems_from() {
    let Loaded { source, .. } = right(WHOLE, &["phases[1].lr.to=0.4"]);
    let shown = |path: &str| {
        let error = source.diagnostic(path, "too small").help("larger");
        source.diagnostics(vec![error]).to_string().lines().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let at = |words: &str, column: usize| {
        let line = 1 + WHOLE.lines().position(|line| line.starts_with(words)).unwrap();
        let text = WHOLE.lines().nth(line - 1).unwrap();
        [format!("whole.toml:{line}:{column}: error: too small"), format!(" {line} | {text}")]
    };
    assert_eq!(shown("phases[0].size"), at("size = 24", 8));
    // Taken over from the phase before.
    assert_eq!(shown("phases[1].size"), shown("phases[0].size"));
    assert_eq!(shown("phases[1].lr.to"), ["--set:1:17: error: too small", " 1 | phases[1].lr.to=0.4"]);
    // Written nowhere: the phase's header.
    assert_eq!(shown("phases[2].weight_decay"), at("weight_decay = 5e-4", 16));
    let header = WHOLE.lines().position(|line| line == "steps = 30").unwrap();
    let header = [format!("whole.toml:{header}:1: error: too small"), format!(" {header} | [[phases]]")];
    assert_eq!(shown("phases[1].carry"), header);
}

#[test]
fn no_damage_is_more_than_an_error() {
    for (at, character) in WHOLE.char_indices() {
        let after = &WHOLE[at + character.len_utf8()..];
        for damage in ["", "\"", "[", "=", "{ ", "\n", "nan", "é"] {
            let damaged = format!("{}{damage}{after}", &WHOLE[..at]);
            if let Err(errors) = read("damaged.toml", &damaged, &[]) {
                assert!(errors.to_string().starts_with("damaged.toml:"), "{errors}");
            }
        }
        if let Err(errors) = read("cut.toml", &WHOLE[..at], &[]) {
            assert!(errors.to_string().starts_with("cut.toml:"), "{errors}");
        }
    }
    let argument = "phases[1].lr.\"to\"={ from = 1, curve = 'é' }";
    for (at, character) in argument.char_indices() {
        for damage in ["", "\"", "[", "=", ".", "é"] {
            let damaged = format!("{}{damage}{}", &argument[..at], &argument[at + character.len_utf8()..]);
            assert!(read("a.toml", WHOLE, &[&damaged]).is_err(), "{damaged}");
        }
    }
}

/// Writes files into a new folder.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

#[test]
fn an_experiment_is_laid_over_those_it_extends() {
    let files = folder(&[
        ("mine/top.toml", "extends = '../lab/middle.toml'\nname = 'top'\n[model]\nbackbone = 'shallow'"),
        ("lab/middle.toml", "extends = 'deep/bottom.toml'\n[train]\nlabel_smoothing = 0.2\n[data]\nroot = 'sets'"),
        ("lab/deep/bottom.toml", WHOLE),
    ]);
    let load = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        config::load(&files.path().join("mine/top.toml"), &sets).unwrap_or_else(|errors| panic!("{errors}")).spec
    };
    let (spec, bottom) = (load(&[]), right(WHOLE, &[]).spec);
    assert_eq!((spec.name.as_str(), spec.seed), ("top", 7));
    assert_eq!((spec.train.label_smoothing, spec.train.eval_every), (0.2, bottom.train.eval_every));
    assert_eq!((spec.model.backbone.kind.as_str(), &spec.phases), ("shallow", &bottom.phases));
    // A path starts from the folder of the file that names it, wherever the experiment lies.
    assert_eq!(spec.data.root, Some(files.path().join("mine/../lab/sets")));
    assert_eq!(load(&["train.label_smoothing=0.3", "phases[1].lr.to=0.4"]).phases[1].lr.to, Some(0.4));
    // What is written back stands alone.
    let written = config::write(&spec);
    assert!(!written.contains("extends"), "{written}");
    assert_eq!(right(&written, &[]).spec, spec);
}

#[test]
fn a_text_in_memory_extends_files_of_its_folder() {
    let files = folder(&[("base.toml", WHOLE)]);
    let content = "extends = 'base.toml'\nname = 'memory'".to_owned();
    let text = Text { name: "not-written.toml".into(), content, folder: files.path().to_owned() };
    assert_eq!(config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec.name, "memory");
}

#[test]
fn every_setting_knows_where_it_comes_from() {
    let files = folder(&[
        ("base.toml", WHOLE),
        (
            "top.toml",
            "extends = 'base.toml'\nname = 'top'\n[train]\nlabel_smoothing = 0.2\n[model]\nbackbone = { width = 32 }",
        ),
    ]);
    let (top, base) = (files.path().join("top.toml"), files.path().join("base.toml"));
    let sets = ["phases[1].lr.to=0.4".to_owned(), "train.eval_batch=100".to_owned()];
    let loaded = config::load(&top, &sets).unwrap_or_else(|errors| panic!("{errors}"));
    let settings = config::settings(&loaded);
    let of = |path: &str| {
        let setting = settings.iter().find(|setting| setting.path == path);
        let setting = setting.unwrap_or_else(|| panic!("no {path} among {settings:#?}"));
        (setting.value.as_str(), setting.provenance.clone())
    };
    let line = |file: &Path, text: &str| {
        let content = std::fs::read_to_string(file).unwrap();
        let line = content.lines().position(|line| line.contains(text)).unwrap() + 1;
        Provenance::File { name: file.display().to_string(), line }
    };
    let taken_over = |path: &str| Provenance::TakenOver(path.to_owned());
    assert_eq!(of("name"), ("\"top\"", line(&top, "name")));
    assert_eq!(of("seed"), ("7", line(&base, "seed")));
    assert_eq!(of("train.label_smoothing"), ("0.2", line(&top, "label_smoothing")));
    assert_eq!(of("train.precision"), ("\"bf16\"", line(&base, "precision")));
    assert_eq!(of("train.eval_batch"), ("100", Provenance::Flag("--set".into())));
    assert_eq!(of("train.checkpoint_every"), ("\"1ep\"", Provenance::Default));
    assert_eq!(of("model.backbone.kind"), ("\"resnet9\"", line(&base, "backbone")));
    assert_eq!(of("model.backbone.width"), ("32", line(&top, "width")));
    assert_eq!(of("model.stem.kind").1, Provenance::Default);
    assert_eq!(of("data.augment[1].pixels"), ("2", line(&base, "translate")));
    assert_eq!(of("data.augment[1].padding"), ("\"reflect\"", Provenance::Default));
    assert_eq!(of("phases[0].augment[2].size"), ("8", taken_over("data.augment")));
    assert_eq!(of("phases[0].lr.curve"), ("\"linear\"", Provenance::Default));
    assert_eq!(of("phases[0].optimizer.kind").1, line(&base, "optimizer = { kind = \"rmsprop\""));
    assert_eq!(of("phases[0].optimizer.eps").1, Provenance::Default);
    assert_eq!(of("phases[0].momentum"), ("0.0", Provenance::Default));
    assert_eq!(of("phases[1].lr.from"), ("0.1", line(&base, "lr = 0.1")));
    assert_eq!(of("phases[1].lr.to"), ("0.4", Provenance::Flag("--set".into())));
    assert_eq!(of("phases[1].batch"), ("1024", taken_over("phases[0].batch")));
    assert_eq!(of("phases[2].batch"), ("1024", taken_over("phases[0].batch")));
    assert_eq!(of("phases[2].weight_decay"), ("0.0005", taken_over("phases[0].weight_decay")));
    assert_eq!(of("phases[2].lr.curve.power"), ("0.9", line(&base, "poly")));
    assert_eq!(of("phases[2].augment"), ("[]", line(&base, "augment = []")));
    // What is written is at that path for `--set` too: setting it again changes nothing.
    let written = |setting: &&Setting| matches!(setting.provenance, Provenance::File { .. } | Provenance::Flag(_));
    for setting in settings.iter().filter(written) {
        let set = [format!("{}={}", setting.path, setting.value)];
        let again = config::load(&top, &[&sets[..], &set].concat()).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(again.spec, loaded.spec, "{set:?}");
    }
}

#[test]
fn plan_lists_origins() {
    let files = folder(&[("top.toml", "extends = 'small.toml'\nname = 'top'"), ("small.toml", common::SMALL)]);
    let run = |arguments: &[&str]| {
        let output =
            common::runner().current_dir(files.path()).args(["plan", "top.toml", "--origins"]).args(arguments).output();
        let output = output.unwrap();
        common::assert_exit(&output, 0);
        String::from_utf8(output.stdout).unwrap()
    };
    let table = run(&["--set", "phases[1].lr.to=0.4"]);
    let row = |path: &str| {
        let line = table.lines().find(|line| line.split(' ').next() == Some(path));
        line.unwrap_or_else(|| panic!("no {path} in\n{table}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("name"), "name \"top\" top.toml:2");
    assert_eq!(row("seed"), "seed 3 small.toml:3");
    assert_eq!(row("phases[1].lr.to"), "phases[1].lr.to 0.4 --set");
    assert_eq!(row("phases[2].batch"), "phases[2].batch 128 as phases[1]");
    assert_eq!(row("train.precision"), "train.precision \"f32\" default");
    // What others are made by, and what a run does not keep.
    assert_eq!(row("train.stretch"), "train.stretch 1.0 default");
    assert!(!table.contains("train.lr_batch") && !table.contains("train.epochs"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100 && !line.ends_with(' ')), "{table}");
    assert!(!table.contains('\u{1b}'), "no colours in a pipe");
    let plan = |arguments: &[&str]| {
        let mut runner = common::runner();
        runner.current_dir(files.path()).args(["plan", "top.toml", "--origins"]).args(arguments).output().unwrap()
    };
    // Where a setting comes from is told of a plan that cannot be made, too.
    let output = plan(&["--set", "phases[0].batch=9999999"]);
    common::assert_exit(&output, 2);
    assert!(String::from_utf8_lossy(&output.stdout).contains("phases[0].batch"), "{}", common::text(&output));
    // Standard output holds the one or the other.
    for csv in ["--csv", "--trace"] {
        let output = plan(&[csv, "-"]);
        common::assert_exit(&output, 2);
        assert!(output.stdout.is_empty() && common::text(&output).contains("--origins"), "{}", common::text(&output));
    }
}

/// What rates and lengths are made by stands in no plan, and is there to be set.
#[test]
fn plan_lists_what_others_are_made_by() {
    let content = "name = 'm'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n[train]\nlr_batch = 64\n\
                   epochs = 6\nstretch = 0.5\n\
                   [[phases]]\nepochs = '100%'\nbatch = 32\noptimizer = 'sgd'\nlr = 0.1\n";
    let files = folder(&[("made.toml", content)]);
    let mut runner = common::runner();
    runner.current_dir(files.path()).args(["plan", "made.toml", "--origins", "--set", "train.epochs=8"]);
    let output = runner.output().unwrap();
    common::assert_exit(&output, 0);
    let table = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<String> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in [
        "train.lr_batch 64 made.toml:7",
        "train.epochs 8.0 --set",
        "train.stretch 0.5 made.toml:9",
        "phases[0].epochs 4.0 made.toml:11",
        "phases[0].lr 0.05 made.toml:14",
    ] {
        assert!(rows.iter().any(|line| line == row), "{row}\n{table}");
    }
}

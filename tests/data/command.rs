//! `runner data` as a person and a script see it.

use crate::common::{assert_exit, only_run, runner, text};
use crate::server::{Reply, Server, dead_url};
use image::{ImageBuffer, Luma, Rgb};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Output;

fn data(root: &Path, arguments: &[&str]) -> Output {
    runner().arg("data").args(arguments).arg("--root").arg(root).output().unwrap()
}

#[track_caller]
fn says(output: &Output, exit: i32, words: &[&str]) {
    assert_exit(output, exit);
    for words in words {
        assert!(text(output).contains(words), "`{words}` is not in: {}", text(output));
    }
}

/// MNIST's files at their full sizes, not packed: class `k` is 6,000 + 1,000 images whose pixels are `25 k`.
fn mnist(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (split, count) in [("train", 60_000u32), ("t10k", 10_000)] {
        // The official labels' beginning, without which it is another set.
        let mut labels: Vec<u8> = vec![5, 0, 4, 1, 9, 2, 1, 3, 1, 4];
        if split == "t10k" {
            labels.clear();
        }
        let mut missing: Vec<u32> =
            (0..10).map(|k| count / 10 - labels.iter().filter(|l| **l == k).count() as u32).collect();
        while let Some(class) = (0..10).filter(|k| missing[*k] > 0).max_by_key(|k| missing[*k]) {
            labels.push(class as u8);
            missing[class] -= 1;
        }
        let header = |magic: u32, dimensions: &[u32]| {
            [magic].iter().chain(dimensions).flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>()
        };
        let mut images = header(0x803, &[count, 28, 28]);
        images.extend(labels.iter().flat_map(|label| [25 * label; 784]));
        fs::write(folder.join(format!("{split}-images-idx3-ubyte")), images).unwrap();
        fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), [header(0x801, &[count]), labels].concat())
            .unwrap();
    }
}

/// Two classes of photographs of different shapes, in two splits.
fn photographs(root: &Path) {
    for split in ["train", "val"] {
        for (k, class) in ["oak tree", "beech"].iter().enumerate() {
            let folder = root.join(split).join(class);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..6u32 {
                let path = folder.join(format!("{i}.png"));
                ImageBuffer::from_fn(20 + i, 24, |x, y| Rgb([100 * k as u8, (x * 10) as u8, (y * 10) as u8]))
                    .save(path)
                    .unwrap();
            }
        }
    }
}

#[test]
fn the_list_says_where_each_set_is() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("cifar-10-batches-bin")).unwrap();
    says(&data(root.path(), &[]), 0, &["absent; `runner data fetch cifar10` gets it"]);
    fs::write(root.path().join("cifar-10-batches-bin/test_batch.bin"), "cut").unwrap();
    let output = data(root.path(), &[]);
    let words = ["cifar10", "not whole", "cifar100", "absent; `runner data fetch cifar100` gets it (169 MB)"];
    says(&output, 0, &words);
    says(&output, 0, &["mnist", "fashion-mnist", "folder", "shapes", "drawn in memory", "(--root)"]);
    assert!(output.stdout.split(|byte| *byte == b'\n').skip(1).all(|line| line.len() <= 110), "{}", text(&output));
    says(&runner().env("RUNNER_DATA", root.path()).arg("data").output().unwrap(), 0, &["(RUNNER_DATA)"]);
}

#[test]
fn an_absent_set_is_described_and_is_exit_code_3() {
    let root = tempfile::tempdir().unwrap();
    let output = data(root.path(), &["info", "cifar100"]);
    says(&output, 3, &["officially: 50,000 training and 10,000 validation images of 32×32", "100 classes"]);
    says(&output, 3, &["`cifar100` is not in", "`runner data fetch cifar100 --root"]);
    let config = root.path().join("a.toml");
    let experiment = "name = \"a\"\n[data]\ndataset = \"cifar100\"\nroot = \"here\"\n[model]\nbackbone = \"shallow\"\n\
                      [[phases]]\nepochs = 1\nbatch = 1\noptimizer = \"sgd\"\nlr = 0.1\n";
    fs::write(&config, experiment).unwrap();
    let output = runner().args(["data", "info"]).arg(&config).output().unwrap();
    says(&output, 3, &["(data.root)", &format!("--root {}", root.path().join("here").display())]);
    let output = data(root.path(), &["info", "mnist", "--json"]);
    assert_exit(&output, 3);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["present"], &json["official"]["train_images"]), (&false.into(), &60_000.into()));
    says(&data(root.path(), &["info", "folder"]), 3, &["`folder` is not in", "train/ and val/"]);
    says(&data(root.path(), &["info", "imagenet"]), 3, &["1,281,167 training", "image-net.org", "--root DIR"]);
}

#[test]
fn what_is_no_set_is_exit_code_2() {
    let root = tempfile::tempdir().unwrap();
    says(
        &data(root.path(), &["info", "cifer10"]),
        2,
        &["neither a data set nor an experiment file", "did you mean `cifar10`?"],
    );
    says(&data(root.path(), &["fetch", "minst"]), 2, &["did you mean `mnist`?"]);
    says(&data(root.path(), &["fetch", "folder"]), 2, &["cannot be fetched", "images of your own"]);
    says(&data(root.path(), &["fetch", "imagenet"]), 2, &["cannot be fetched", "image-net.org"]);
    says(&data(root.path(), &["fetch", "cifar10", "--mirror", "example.org"]), 2, &["http://"]);
    says(&data(root.path(), &["info", "shapes", "--sheet", "a.gif"]), 2, &["--sheet a.gif", ".png"]);
    says(&data(root.path(), &["info", "shapes", "--sheet", "a.png", "--augmented"]), 2, &["an experiment file"]);
    says(&data(root.path(), &["fetch", "shapes"]), 0, &["always there"]);
}

#[test]
fn a_fetch_that_fails_names_every_mirror_and_leaves_nothing() {
    let server = Server::start(|_, _| Reply::status("404 Not Found"));
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("data");
    let mut command = runner();
    command.env("NO_PROXY", "127.0.0.1").args(["data", "fetch", "fashion-mnist", "--mirror", &server.url(), "--root"]);
    let output = command.arg(&inner).output().unwrap();
    says(&output, 3, &["404 Not Found", "zalandoresearch", "fashion-mnist.s3-website", "help: "]);
    assert!(!inner.exists());
}

#[test]
fn published_weights_are_fetched_listed_and_looked_at() {
    let server = Server::start(|_, _| Reply::whole(b"weights"));
    let root = tempfile::tempdir().unwrap();
    let fetch = |name: &str| {
        let mut command = runner();
        // Nothing is to come from the publisher.
        command.env("HTTPS_PROXY", dead_url()).env("NO_PROXY", "127.0.0.1");
        command.args(["data", "fetch", name, "--mirror", &server.url(), "--root"]).arg(root.path()).output().unwrap()
    };
    let words =
        ["it offers 7 bytes, and the file has 46830571", "download.pytorch.org/models/resnet18-f37072fd.pth", "help: "];
    says(&fetch("resnet18-weights"), 3, &words);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left");
    says(
        &fetch("resnet18-wieghts"),
        2,
        &["nor published weights", "`vgg16-weights`", "did you mean `resnet18-weights`?"],
    );
    says(&data(root.path(), &[]), 0, &["`runner data fetch vgg19-bn-weights` gets them (575 MB)"]);

    let folder = root.path().join("resnet18-weights");
    fs::create_dir(&folder).unwrap();
    let file = fs::File::create(folder.join("resnet18-f37072fd.pth")).unwrap();
    file.set_len(46_830_571).unwrap();
    says(&data(root.path(), &[]), 0, &["resnet18-weights/resnet18-f37072fd.pth"]);
    says(&fetch("resnet18-weights"), 3, &["its bytes are not those of the published file", "help: move"]);
    file.set_len(46_830_570).unwrap();
    says(&data(root.path(), &[]), 0, &["not whole:", "46830570"]);
}

#[test]
fn mnist_is_found_counted_drawn_and_not_fetched_again() {
    let root = tempfile::tempdir().unwrap();
    mnist(&root.path().join("MNIST/raw"));
    says(&data(root.path(), &["fetch", "mnist"]), 0, &["mnist is already in", "MNIST/raw"]);
    let sheet = root.path().join("sheet.png");
    let output = data(root.path(), &["info", "mnist", "--sheet", sheet.to_str().unwrap()]);
    says(
        &output,
        0,
        &["60,000 images", "10,000 images", "28×28, grey", "sha256:", "training 6,000 each, validation 1,000 each"],
    );
    let drawn = image::open(&sheet).unwrap().into_rgb8();
    for class in 0..10u8 {
        let ink = drawn.pixels().filter(|pixel| pixel.0 == [25 * class; 3]).count();
        assert!(ink >= 12 * 84 * 84, "class {class}: {ink} pixels");
    }
    let output = data(root.path(), &["info", "mnist", "--json", "--verify"]);
    says(&output, 0, &["70,000 images checked as they were read"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["classes"][9]["name"], &json["classes"][9]["training"]), (&"9".into(), &6_000.into()));
    assert!((json["mean"][0].as_f64().unwrap() - 112.5 / 255.0).abs() < 1e-6);

    // A packed file tells only when it is unpacked that it is cut.
    let raw = root.path().join("MNIST/raw");
    let images = raw.join("t10k-images-idx3-ubyte");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&fs::read(&images).unwrap()).unwrap();
    let packed = packer.finish().unwrap();
    let cut = raw.join("t10k-images-idx3-ubyte.gz");
    fs::write(&cut, &packed[..packed.len() - 20]).unwrap();
    let words = ["t10k-images-idx3-ubyte.gz", "gzip stream breaks off"];
    says(&data(root.path(), &["fetch", "mnist"]), 3, &words);
    says(&data(root.path(), &["info", "mnist"]), 3, &words);
    says(&data(root.path(), &[]), 0, &["not whole:", "t10k-images-idx3-ubyte.gz"]);
    fs::remove_file(&cut).unwrap();

    // The same files under the other set's name are recognised for what they are.
    fs::rename(root.path().join("MNIST"), root.path().join("FashionMNIST")).unwrap();
    says(&data(root.path(), &["info", "fashion-mnist"]), 3, &["files of `mnist`, not of `fashion-mnist`"]);
}

#[test]
fn class_folders_are_shown_drawn_and_trained_on() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("photographs");
    photographs(&root);
    says(&data(&root, &["info", "folder"]), 3, &["not square", "size = 64"]);
    let list = data(&root, &[]);
    says(&list, 0, &["not square"]);
    assert!(!text(&list).contains("not whole"), "{}", text(&list));
    let grey = ["info", "folder", "--set", "data.dataset.size=16", "--set", "data.dataset.colour=grey"];
    says(&data(&root, &grey), 0, &["16×16, grey"]);
    let bad = ["info", "folder", "--set", "data.dataset.colour=gray"];
    says(&data(&root, &bad), 2, &["data.dataset.colour", "`grey`"]);
    let sheet = dir.path().join("sheet.svg");
    let arguments = ["info", "folder", "--set", "data.dataset.size=16", "--sheet", sheet.to_str().unwrap()];
    says(&data(&root, &arguments), 0, &["12 images", "16×16, 3 channels", "oak tree", "6 each"]);
    assert_eq!(fs::read_to_string(&sheet).unwrap().matches("<image ").count(), 12);

    let config = dir.path().join("photographs.toml");
    fs::write(
        &config,
        "name = \"photographs\"\n[data]\ndataset = { kind = \"folder\", size = 16 }\nroot = \"photographs\"\n\
         augment = [\"flip\"]\n[model]\nbackbone = \"shallow\"\n\
         [[phases]]\nsteps = 2\nsize = 12\nbatch = 4\noptimizer = \"sgd\"\nlr = 0.01\n",
    )
    .unwrap();
    let augmented = dir.path().join("augmented.png");
    let mut info = runner();
    info.args(["data", "info"]).arg(&config).arg("--augmented").arg("--sheet").arg(&augmented);
    says(&info.output().unwrap(), 0, &["16×16"]);
    assert!(image::open(&augmented).is_ok());
    let runs = dir.path().join("runs");
    let output = runner().arg(&config).arg("--runs-dir").arg(&runs).arg("--quiet").output().unwrap();
    assert_exit(&output, 0);
    let experiment = fs::read_to_string(only_run(&runs).join("experiment.toml")).unwrap();
    assert!(experiment.contains("kind = \"folder\"") && experiment.contains("size = 16"), "{experiment}");
}

#[test]
fn a_bad_image_is_exit_code_3_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("photographs");
    photographs(&root);
    fs::write(root.join("val/beech/3.png"), b"\x89PNG\r\n\x1a\n and no more").unwrap();
    let output = data(&root, &["info", "folder", "--set", "data.dataset.size=16"]);
    says(&output, 3, &["val/beech/3.png", "cannot be decoded", "help: "]);
    // A grey one among colour ones is none.
    ImageBuffer::from_pixel(9, 9, Luma([7u8])).save(root.join("val/beech/3.png")).unwrap();
    says(&data(&root, &["info", "folder", "--set", "data.dataset.size=16"]), 0, &["16×16"]);
}

#[test]
fn planning_class_folders_that_are_absent_says_what_to_give() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("absent.toml");
    let experiment = |data: &str, set: &str| {
        format!(
            "name = \"absent\"\n[data]\ndataset = {{ kind = \"folder\"{set} }}\n{data}\n[model]\nbackbone = \"shallow\"\n\
             [[phases]]\nepochs = 1\nbatch = 4\noptimizer = \"sgd\"\nlr = 0.01\n"
        )
    };
    let plan = |content: String| {
        fs::write(&config, content).unwrap();
        runner().arg("plan").arg(&config).output().unwrap()
    };
    says(&plan(experiment("", "")), 3, &["`train_images`, `val_images` and `classes`"]);
    let given = "train_images = 100\nval_images = 10\nclasses = 3";
    says(&plan(experiment(given, "")), 3, &["size = 64"]);
    says(&plan(experiment(given, ", size = 16")), 0, &["100 training and 10 validation images of 3 classes"]);
}

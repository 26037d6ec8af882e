//! Lists of validation images.

use super::*;

#[test]
fn a_list_tells_validation_images() {
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    fs::remove_dir_all(root.path().join("val")).unwrap();
    for name in ["v1.JPEG", "v2.jpg", "v3.png"] {
        let png = root.path().join("val/x.png");
        image(&png, 4, 4, [77; 3]);
        fs::rename(png, root.path().join("val").join(name)).unwrap();
    }
    let list = |text: &str| {
        fs::write(root.path().join("val.txt"), text).unwrap();
        let set = Folder { val_list: Some("val.txt".to_owned()), ..ON_DISK };
        set.read(root.path()).map(|set| (set.train.labels, set.val.labels)).map_err(|error| error.to_string())
    };
    let train = vec![0, 1, 1];
    // By name, by number, in Kaggle's form.
    assert_eq!(list("# all\nv1.JPEG cat\n\nv2.jpg ant\nv3.png cat\n"), Ok((train.clone(), vec![1, 0, 1])));
    assert_eq!(list("v1.JPEG 1\nv2.jpg 0\n"), Ok((train.clone(), vec![1, 0])));
    assert_eq!(list("ImageId,PredictionString\nv1,cat 0 1 2 3 ant 4 5 6 7\n"), Ok((train.clone(), vec![1])));
    // Files of class folders are held out.
    assert_eq!(list("train/cat/a.jpg\n"), Ok((vec![0, 1], vec![1])));
    // Parted by tabs, after a mark of the order of bytes.
    assert_eq!(list("\u{feff}v1.JPEG\tcat\r\nv2\t0\tpassed over\r\n"), Ok((train, vec![1, 0])));
    let problems = [
        ("v1.JPEG cat\nv9.png cat", "line 2: there is no file v9.png"),
        ("v1.JPEG dog", "line 1: there is no class `dog`"),
        ("v1.JPEG 2", "no class `2`"),
        ("v1.JPEG", "no class `val`"),
        ("v1.JPEG 1\nv1.JPEG 1", "line 2: v1.JPEG is named twice"),
        ("# nothing", "it names no files"),
        ("v9\tcat", "there is no file v9"),
        ("\"my v1.JPEG\" cat", "there is no file my v1.JPEG"),
        ("my v1.JPEG cat", "there is no file my v1.JPEG"),
    ];
    for (text, words) in problems {
        let said = list(text).unwrap_err();
        assert!(said.contains(words) && said.contains("val.txt") && said.contains("help: "), "{said}");
    }
}

#[test]
fn a_list_may_have_paths_and_classes_with_spaces() {
    let root = tempfile::tempdir().unwrap();
    for class in ["oak", "oak tree", "red, or black"] {
        image(&root.path().join("train").join(class).join("1 a.png"), 4, 4, [1; 3]);
        image(&root.path().join("train").join(class).join("2.png"), 4, 4, [2; 3]);
    }
    for name in ["my tree.png", "my tree 2.png", "my.png", "2 trees, cut.png"] {
        image(&root.path().join("val").join(name), 4, 4, [3; 3]);
    }
    let list = |text: &str| {
        fs::write(root.path().join("val list.txt"), text).unwrap();
        let listed = Listed::new(root.path(), 0.2, Some("val list.txt"), false);
        let name = |file: &layout::File| file.path.file_name().unwrap().to_str().unwrap().to_owned();
        listed
            .map(|listed| listed.val.iter().map(|file| (name(file), file.class)).collect::<Vec<_>>())
            .map_err(|error| error.to_string())
    };
    let cases = [
        ("my tree.png oak tree", "my tree.png", 1),
        ("my tree.png oak", "my tree.png", 0),
        ("my tree.png,oak,passed over", "my tree.png", 0),
        ("my tree 2.png 2", "my tree 2.png", 2),
        ("my.png red, or black", "my.png", 2),
        ("my 1", "my.png", 1),
        // A path without its ending.
        ("my tree\toak tree", "my tree.png", 1),
        ("\"my tree\" 1", "my tree.png", 1),
        ("\"2 trees, cut.png\", \"oak tree\", passed over", "2 trees, cut.png", 1),
        ("2 trees, cut.png\tred, or black", "2 trees, cut.png", 2),
        ("train/oak tree/1 a.png", "1 a.png", 1),
        ("train/red, or black/2.png", "2.png", 2),
    ];
    for (text, name, class) in cases {
        assert_eq!(list(text), Ok(vec![(name.to_owned(), class)]), "{text}");
    }
    let said = list("my tree.png\toak trees").unwrap_err();
    assert!(said.contains("there is no class `oak trees`"), "{said}");
}

/// Whatever way a list leads to a file, it is not trained on.
#[test]
fn what_a_list_names_is_not_trained_on_by_any_path() {
    let root = tempfile::tempdir().unwrap();
    for name in ["ant/1.png", "ant/2.png", "cat/1.png", "cat/2.png"] {
        image(&root.path().join("train").join(name), 4, 4, [1; 3]);
    }
    let list = |text: &str| {
        fs::write(root.path().join("val.txt"), text).unwrap();
        let name = |file: layout::File| {
            let names: Vec<_> = file.path.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
            names[names.len() - 2..].join("/")
        };
        Listed::new(root.path(), 0.2, Some("val.txt"), false)
            .map(|listed| [listed.train, listed.val].map(|files| files.into_iter().map(name).collect::<Vec<_>>()))
            .map_err(|error| error.to_string())
    };
    let expected = |train: &[&str], val: &[&str]| {
        Ok([train, val].map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()))
    };
    let rest = ["ant/2.png", "cat/1.png", "cat/2.png"];
    let outside = root.path().join("train/ant/1.png");
    for path in ["train/ant/1.png", "./train//ant/./1.png", "train/cat/../ant/1.png", outside.to_str().unwrap()] {
        assert_eq!(list(path), expected(&rest, &["ant/1.png"]), "{path}");
    }
    let twice = list("train/ant/1.png\ntrain/cat/../ant/1.png").unwrap_err();
    assert!(twice.contains("line 2: train/cat/../ant/1.png is named twice"), "{twice}");
    let all = list("train/ant/1.png\ntrain/ant/2.png").unwrap_err();
    assert!(all.contains("it names all images of the class `ant`") && all.contains("help: leave some out"), "{all}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("train/ant", root.path().join("ants")).unwrap();
        assert_eq!(list("ants/1.png ant"), expected(&rest, &["ants/1.png"]));
        // A link beside the file leads to it, too, be the one named or the other.
        symlink("1.png", root.path().join("train/ant/3.png")).unwrap();
        for name in ["ant/1.png", "ant/3.png"] {
            assert_eq!(list(&format!("train/{name}")), expected(&rest, &[name]));
        }
    }
}

//! Which files belong to a set of class folders: sorted, so that the set is the same on every system.

use super::list;
use crate::DataError;
use crate::error::DAMAGED;
use crate::stored::{Skipped, check};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// What may hold the validation images beside `train`, in this order.
const VALIDATION: [&str; 2] = ["val", "test"];
/// What people call such a folder besides, which is not looked for; in letters of either case.
const OTHERWISE: [&str; 7] = ["val", "test", "valid", "validation", "testing", "eval", "dev"];
const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];
/// What systems leave in folders that a person has looked at, besides hidden files; in letters of either case.
const OF_SYSTEMS: [&str; 3] = ["thumbs.db", "ehthumbs.db", "desktop.ini"];
/// What is wrong with any other file in a class folder, and what helps.
const NO_IMAGE: &str = "not a .png, .jpg or .jpeg file";
const NO_IMAGE_REMEDY: &str =
    "convert it to PNG or JPEG, move it out of the class folder, or leave such files out with skip_bad = true";

/// How the class folders lie under a folder.
#[derive(Debug, PartialEq)]
pub enum Layout {
    /// `train/<class>/*` and `val/<class>/*` or `test/<class>/*`.
    Split,
    /// `<class>/*`
    Classes,
}

/// One image file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    pub path: PathBuf,
    pub class: u32,
}

/// All files of a set.
#[derive(Debug)]
pub struct Listed {
    /// Names of the class folders, sorted: a file's class is its folder's place here.
    pub classes: Vec<String>,
    /// By class, then by name; never empty, as no class is.
    pub train: Vec<File>,
    pub val: Vec<File>,
    /// What lies in class folders and is no image, where that is left out.
    pub skipped: Vec<Skipped>,
}

impl Layout {
    /// What there is, if anything looks like a set: `train` with folders in it, else a folder with images in it.
    pub fn of(root: &Path) -> Option<Self> {
        let train = root.join("train");
        if folders(&train).is_ok_and(|folders| !folders.is_empty()) {
            return Some(Self::Split);
        }
        let has_image = |folder: &PathBuf| entries(folder).is_ok_and(|inside| inside.iter().any(|path| is_image(path)));
        folders(root).ok()?.iter().any(has_image).then_some(Self::Classes)
    }
}

impl Listed {
    /// Lists the set under `root`. Where it is not split, `share` of the images are for validation: those whose path
    /// relative to `root`, hashed, falls below it. So a file stays on its side whatever files come and go.
    ///
    /// Files and folders whose names begin with a dot are passed over, and the files that Windows leaves in folders of pictures; so
    /// is what lies beside the class folders, but for images. In a class folder, everything else must be an image: what was silently
    /// left out would be missed too late. With `skip_bad`, files that are none are left out, and told of.
    ///
    /// # Errors
    /// What does not belong there, and what is missing.
    pub fn new(root: &Path, share: f64, val_list: Option<&str>, skip_bad: bool) -> Result<Self, DataError> {
        match (val_list, Layout::of(root)) {
            (Some(list), layout) => {
                let folder = if layout == Some(Layout::Split) { root.join("train") } else { root.to_owned() };
                let Found { classes, files, skipped } = all(&folder, skip_bad)?;
                Ok(Self { skipped, ..list::divide(root, &root.join(list), classes, files)? })
            }
            (None, Some(Layout::Split)) => Self::split(root, skip_bad),
            (None, _) => Self::by_share(root, share, skip_bad),
        }
    }

    fn split(root: &Path, skip_bad: bool) -> Result<Self, DataError> {
        let train = root.join("train");
        let Some(val) = VALIDATION.iter().map(|name| root.join(name)).find(|folder| folder.is_dir()) else {
            return no_validation(root);
        };
        let (of_train, of_val) = (classes(&train, skip_bad)?, classes(&val, skip_bad)?);
        refuse_strays(&[&of_train, &of_val], skip_bad)?;
        for (has, lacks, here, there) in
            [(&of_val.classes, &of_train.classes, &val, &train), (&of_train.classes, &of_val.classes, &train, &val)]
        {
            if let Some(odd) = has.iter().find(|name| !lacks.contains(name)) {
                let problem = format!("class `{odd}` is not in {}", there.display());
                return unusable(&here.join(odd), &problem, "both must have the same class folders, each with images");
            }
        }
        let skipped = [of_train.skipped, of_val.skipped].concat();
        Ok(Self { classes: of_train.classes, train: of_train.files, val: of_val.files, skipped })
    }

    fn by_share(root: &Path, share: f64, skip_bad: bool) -> Result<Self, DataError> {
        let Found { classes, files, skipped } = all(root, skip_bad)?;
        let (val, train): (Vec<File>, Vec<File>) =
            files.into_iter().partition(|file| place(file.path.strip_prefix(root).unwrap_or(&file.path)) < share);
        if let Some(name) = untrained(&classes, &train) {
            let problem = format!("all its images fall to validation, whose share is {share}");
            return unusable(&root.join(name), &problem, "add images to the class, or give a smaller share: `val`");
        }
        if val.is_empty() {
            let problem = format!("none of {} images falls to validation, whose share is {share}", train.len());
            return unusable(root, &problem, "add images, or give a larger share: `val`");
        }
        Ok(Self { classes, train, val, skipped })
    }
}

/// The first class that has no images among these to train on.
pub(super) fn untrained<'a>(classes: &'a [String], train: &[File]) -> Option<&'a str> {
    let trained: BTreeSet<u32> = train.iter().map(|file| file.class).collect();
    (0u32..).zip(classes).find(|(class, _)| !trained.contains(class)).map(|(_, name)| name.as_str())
}

/// The class folders of a folder.
pub struct Found {
    pub classes: Vec<String>,
    pub files: Vec<File>,
    /// What is no image.
    pub skipped: Vec<Skipped>,
}

/// Lists all class folders under a folder.
///
/// # Errors
/// What does not belong there, and what is missing.
pub fn all(folder: &Path, skip_bad: bool) -> Result<Found, DataError> {
    let found = classes(folder, skip_bad)?;
    refuse_strays(&[&found], skip_bad)?;
    Ok(found)
}

/// That nothing beside `train` has a name by which validation images are looked for; what may hold them is named.
fn no_validation(root: &Path) -> Result<Listed, DataError> {
    let mut names = folders(root).map_err(DataError::io(root, "read"))?.into_iter().map(|path| name(&path));
    let found = names.find(|name| OTHERWISE.contains(&name.to_lowercase().as_str()));
    let problem = "there is a folder train/ and neither val/ nor test/";
    match found {
        Some(found) => unusable(
            root,
            &format!("{problem}, but {found}/, which is not looked for"),
            &format!("rename {found}/ to val/, if it holds the validation images"),
        ),
        None => unusable(root, problem, "add the validation images"),
    }
}

/// Sees that there are images alone, where others are not left out. The error names with what is none the images that are damaged, so
/// that all are known at once.
fn refuse_strays(found: &[&Found], skip_bad: bool) -> Result<(), DataError> {
    let strays: Vec<Skipped> = found.iter().flat_map(|found| found.skipped.iter().cloned()).collect();
    if skip_bad || strays.is_empty() {
        return Ok(());
    }
    let images: Vec<&Path> = found.iter().flat_map(|found| &found.files).map(|file| file.path.as_path()).collect();
    let damaged = check(&images, false)?.into_iter().filter_map(Result::err);
    let files = strays.into_iter().chain(damaged).collect();
    DataError::of_files(files, [NO_IMAGE_REMEDY, DAMAGED[1]]).map_or(Ok(()), Err)
}

/// `skip_bad`: what is no image will be left out, and is not an error.
fn classes(folder: &Path, skip_bad: bool) -> Result<Found, DataError> {
    let beside = entries(folder).map_err(DataError::io(folder, "read"))?.into_iter().filter(|path| is_image(path));
    let strays = beside.map(|path| Skipped { path, problem: "the image is in no class folder".to_owned() }).collect();
    let remedies = ["move it into the folder of its class", "move them into the folders of their classes"];
    if let Some(error) = DataError::of_files(strays, remedies) {
        return Err(error);
    }
    let (mut names, mut files, mut skipped) = (Vec::new(), Vec::<File>::new(), Vec::new());
    for (class, path) in (0u32..).zip(folders(folder).map_err(DataError::io(folder, "read"))?) {
        let before = (files.len(), skipped.len());
        for file in entries(&path).map_err(DataError::io(&path, "read"))? {
            if file.is_dir() {
                return unusable(
                    &file,
                    "a folder inside a class folder",
                    "class folders hold images alone: move it away",
                );
            }
            match is_image(&file) {
                true => files.push(File { path: file, class }),
                false => skipped.push(Skipped { path: file, problem: NO_IMAGE.to_owned() }),
            }
        }
        // Where what is no image is not left out, it is an error of its own, which says more.
        if files.len() == before.0 && (skip_bad || skipped.len() == before.1) {
            return unusable(&path, "the class has no images", "add some, or remove the folder");
        }
        // What is shown of it is that of others, too: lists and other folders would take the one class for the other.
        let Some(name) = path.file_name().and_then(OsStr::to_str) else {
            return unusable(&path, "the name of this class folder is not UTF-8", "rename the folder");
        };
        names.push(name.to_owned());
    }
    if names.is_empty() {
        return unusable(folder, "there are no class folders", "give each class a folder with its images");
    }
    Ok(Found { classes: names, files, skipped })
}

pub(super) fn unusable<T>(path: &Path, problem: &str, remedy: &str) -> Result<T, DataError> {
    Err(DataError::Unusable { path: path.to_owned(), problem: problem.to_owned(), remedy: remedy.to_owned() })
}

/// What a folder holds, without hidden names and those of systems, sorted by name.
fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let is_of_system = |name: &str| name.starts_with('.') || OF_SYSTEMS.contains(&name.to_lowercase().as_str());
    paths.retain(|path| !is_of_system(&name(path)));
    paths.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    Ok(paths)
}

fn folders(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// By its name, in letters of either case.
fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    EXTENSIONS.iter().any(|known| extension == *known) && !path.is_dir()
}

/// A number in `[0, 1)` made of a relative path: the first eight bytes of its SHA-256, names joined by `/` on any system.
fn place(relative: &Path) -> f64 {
    let joined = relative.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join("/");
    let hash = Sha256::digest(joined.as_bytes());
    let number = hash[..8].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    (number >> 11) as f64 / (1u64 << 53) as f64
}

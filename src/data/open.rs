//! From a choice in a file to a set in memory: where to look, whether to fetch, what stands in.

use super::fetch::{FetchError, fetch};
use super::sets::{self, Archive, Origin, SetReader};
use super::{DataError, Dataset, Facts, FactsSource};
use crate::registry::Choice;
use etcetera::BaseStrategy;
use std::fmt;
use std::path::{Path, PathBuf};

/// The set that an experiment asks for.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub dataset: &'a Choice,
    /// `data.root`.
    pub root: Option<&'a Path>,
    /// A generated set, for when the other is neither present nor reachable.
    pub stand_in: Option<&'a Choice>,
}

/// The figures that a file may give of a set that is not there.
#[derive(Clone, Copy, Default)]
pub struct Given {
    pub train_images: Option<usize>,
    pub val_images: Option<usize>,
    pub classes: Option<usize>,
}

/// What a person should be told while a set is opened.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A fetch begins, which takes a while.
    Fetching { url: &'static str, bytes: u64, root: PathBuf },
    /// Training uses another set than the file asks for. To be said loudly.
    StandIn { set: String, stand_in: String, why: String, remedy: String },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Fetching { url, bytes, root } => {
                write!(f, "fetching {url} ({} MB) to {}", bytes / 1_000_000, root.display())
            }
            Notice::StandIn { set, stand_in, why, remedy } => write!(
                f,
                "`{set}` IS NOT USED: the generated set `{stand_in}` stands in for it
{why}
to use `{set}`: {remedy}"
            ),
        }
    }
}

/// Loads the set: from its folder, else fetched, else the stand-in.
///
/// Files that are there but damaged are an error, never a reason to fetch or to use the stand-in.
///
/// # Errors
/// When the set cannot be had and nothing stands in, or its files are not what they should be.
pub fn open(request: &Request<'_>, notify: &mut dyn FnMut(Notice)) -> Result<Dataset, DataError> {
    let set = sets::make(request.dataset);
    let Origin::Archive(archive) = set.origin() else {
        return set.read(Path::new(""));
    };
    let root = Root::find(request.root);
    if let Some(folder) = root.as_ref().and_then(|root| set.locate(&root.path)) {
        return set.read(&folder);
    }
    let (why, remedy) = match root {
        None => (
            format!("`{}` has no folder to be looked for in: there is no home folder", request.dataset.kind),
            "name one with --set data.root=DIR or RUNNER_DATA=DIR".to_owned(),
        ),
        Some(root) => {
            let announce =
                || notify(Notice::Fetching { url: archive.url, bytes: archive.bytes, root: root.path.clone() });
            match fetch(archive, &root.path, announce) {
                Ok(folder) => return set.read(&folder),
                Err(FetchError::Local(error)) => return Err(error),
                Err(FetchError::Unreachable(why)) => root.absent(&request.dataset.kind, archive, &why),
            }
        }
    };
    let Some(stand_in) = request.stand_in else { return Err(DataError::Absent { why, remedy }) };
    let (name, other) = (request.dataset.kind.clone(), stand_in.kind.clone());
    notify(Notice::StandIn { set: name.clone(), stand_in: other, why, remedy });
    let mut dataset = sets::make(stand_in).read(Path::new(""))?;
    dataset.stands_in_for = Some(name);
    Ok(dataset)
}

/// The figures that a plan needs, without network and without reading images: counted where the set is present, else
/// as given, else the stand-in's, else the official ones.
///
/// # Errors
/// When files of the set are there but missing, cut or too long.
pub fn facts(request: &Request<'_>, given: &Given) -> Result<Facts, DataError> {
    let set = sets::make(request.dataset);
    if let Some(facts) = present(&*set, request.root)? {
        return Ok(facts);
    }
    let official = set.official();
    if given.train_images.is_some() || given.val_images.is_some() || given.classes.is_some() {
        return Ok(Facts {
            train_images: given.train_images.unwrap_or(official.train_images),
            val_images: given.val_images.unwrap_or(official.val_images),
            classes: given.classes.unwrap_or(official.classes),
            source: FactsSource::File,
            ..official
        });
    }
    Ok(match request.stand_in {
        Some(stand_in) => Facts { source: FactsSource::StandIn, ..sets::make(stand_in).official() },
        None => official,
    })
}

/// What is there of the set, if anything is.
fn present(set: &dyn SetReader, root: Option<&Path>) -> Result<Option<Facts>, DataError> {
    if set.origin() == Origin::Generated {
        return set.count(Path::new("")).map(Some);
    }
    let folder = Root::find(root).and_then(|root| set.locate(&root.path));
    folder.map(|folder| set.count(&folder)).transpose()
}

/// The data folder, and who named it.
struct Root {
    path: PathBuf,
    source: &'static str,
}

impl Root {
    /// `data.root`, else `$RUNNER_DATA`, else the user's cache folder.
    fn find(root: Option<&Path>) -> Option<Self> {
        Self::choose(root, std::env::var_os("RUNNER_DATA").map(PathBuf::from), || {
            etcetera::choose_base_strategy().ok().map(|dirs| dirs.cache_dir().join("runner"))
        })
    }

    fn choose(root: Option<&Path>, env: Option<PathBuf>, cache: impl FnOnce() -> Option<PathBuf>) -> Option<Self> {
        if let Some(path) = root {
            return Some(Self { path: path.to_owned(), source: "data.root" });
        }
        // As with other such variables, empty is as good as unset.
        if let Some(path) = env.filter(|path| !path.as_os_str().is_empty()) {
            return Some(Self { path, source: "RUNNER_DATA" });
        }
        cache().map(|path| Self { path, source: "the user's cache folder" })
    }

    /// Why a set that is not here cannot be had, and what helps.
    fn absent(&self, set: &str, archive: &Archive, why: &str) -> (String, String) {
        let Root { path, source } = self;
        let (url, folder) = (archive.url, archive.folder);
        (
            format!("`{set}` is not in {} ({source}), and fetching {url} failed: {why}", path.display()),
            format!(
                "unpack that archive there, or name the folder that holds `{folder}` with --set data.root=DIR or \
                 RUNNER_DATA=DIR"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn request<'a>(dataset: &'a Choice, root: &'a Path, stand_in: Option<&'a Choice>) -> Request<'a> {
        Request { dataset, root: Some(root), stand_in }
    }

    #[test]
    fn the_file_names_the_folder_before_the_environment_and_the_cache() {
        let path = |p: &str| Some(PathBuf::from(p));
        let choose = |root: Option<&str>, env, cache: Option<PathBuf>| {
            Root::choose(root.map(Path::new), env, || cache).map(|root| (root.path, root.source))
        };
        assert_eq!(choose(Some("a"), path("b"), path("c")), Some(("a".into(), "data.root")));
        assert_eq!(choose(None, path("b"), path("c")), Some(("b".into(), "RUNNER_DATA")));
        assert_eq!(choose(None, path(""), path("c")), Some(("c".into(), "the user's cache folder")));
        assert_eq!(choose(None, None, None), None);
    }

    #[test]
    fn facts_of_an_absent_set_are_given_stand_ins_or_official() {
        let root = tempfile::tempdir().unwrap();
        let (cifar, shapes) = (Choice::plain("cifar10"), Choice::plain("shapes"));
        let figures = |stand_in, given: &Given| {
            let facts = facts(&request(&cifar, root.path(), stand_in), given).unwrap();
            (facts.name, facts.train_images, facts.val_images, facts.source)
        };
        let none = Given::default();
        let given = Given { train_images: Some(123), ..none };
        assert_eq!(figures(None, &none), ("cifar10".to_owned(), 50_000, 10_000, FactsSource::Official));
        assert_eq!(figures(Some(&shapes), &none), ("shapes".to_owned(), 5_000, 1_000, FactsSource::StandIn));
        assert_eq!(figures(Some(&shapes), &given), ("cifar10".to_owned(), 123, 10_000, FactsSource::File));
    }

    #[test]
    fn facts_of_a_generated_set_are_its_own() {
        let shapes = Choice::plain("shapes");
        let facts = facts(&request(&shapes, Path::new("nowhere"), None), &Given::default()).unwrap();
        assert_eq!((facts.train_images, facts.source), (5_000, FactsSource::Data));
    }

    #[test]
    fn damaged_files_are_an_error_even_where_another_set_could_stand_in() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("test_batch.bin"), "cut").unwrap();
        let (cifar, shapes) = (Choice::plain("cifar10"), Choice::plain("shapes"));
        let request = request(&cifar, root.path(), Some(&shapes));
        let said = open(&request, &mut |notice| panic!("{notice}")).err().map(|e| e.to_string());
        assert!(said.is_some_and(|said| said.contains("data_batch_1.bin: missing")));
        assert!(facts(&request, &Given::default()).is_err());
    }

    #[test]
    fn an_absent_set_says_where_it_was_sought_and_how_to_get_it() {
        let Origin::Archive(archive) = sets::make(&Choice::plain("cifar10")).origin() else { panic!("no archive") };
        let root = Root { path: "there".into(), source: "RUNNER_DATA" };
        let (why, remedy) = root.absent("cifar10", archive, "no network");
        let message = DataError::Absent { why, remedy }.to_string();
        for words in ["`cifar10`", "there (RUNNER_DATA)", "no network", archive.url, "data.root", "stand_in"] {
            assert!(message.contains(words), "`{words}` is not in: {message}");
        }
    }
}

//! From a choice in a file to a set in memory: where to look, whether to fetch, what stands in.

use super::fetch::{self, FetchError, fetch};
use super::publication::Publication;
use super::sets::{self, Origin, SetReader};
use super::{DataError, Dataset, Facts, FactsSource, Statistics};
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
    /// The phase of the file that goes over to the set; absent: it is that of `[data]`.
    pub phase: Option<usize>,
    /// A generated set, for when the other is neither present nor reachable.
    pub stand_in: Option<&'a Choice>,
    /// What the images, the stand-in's too, are normalised with; absent: what they themselves tell.
    pub statistics: Option<&'a Statistics>,
}

impl Request<'_> {
    /// The setting of `[data]` that names a folder.
    pub const ROOT: &'static str = "data.root";

    /// The setting that names this set's folder.
    fn root_setting(&self) -> String {
        match self.phase {
            Some(phase) => format!("phases[{phase}].{}", Self::ROOT),
            None => Self::ROOT.to_owned(),
        }
    }
}

/// The figures that a file may give of a set that is not there.
#[derive(Clone, Copy, Default)]
pub struct Given {
    pub train_images: Option<usize>,
    pub val_images: Option<usize>,
    pub classes: Option<usize>,
}

impl Given {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        self.train_images.is_none() && self.val_images.is_none() && self.classes.is_none()
    }
}

/// What a person should be told while a set is opened.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice<'a> {
    /// A fetch goes on, which takes a while.
    Fetching(fetch::Event<'a>),
    /// Training uses another set than the file asks for. To be said loudly.
    StandIn { set: String, stand_in: String, why: String, remedy: String },
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Fetching(event) => event.fmt(f),
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
/// When the set cannot be had and nothing stands in, or its files are not what they should be; when it is to be normalised
/// by statistics of other channels.
pub fn open(request: &Request<'_>, notify: &mut dyn FnMut(Notice<'_>)) -> Result<Dataset, DataError> {
    let set = as_is(request, notify)?;
    let Some(statistics) = request.statistics else { return Ok(set) };
    let channels = set.facts.channels;
    if [statistics.mean.len(), statistics.deviation.len()] != [channels; 2] {
        return Err(DataError::Absent {
            why: format!(
                "`mean` and `deviation` do not fit `{}`, whose images have {channels} channel(s)",
                set.facts.name
            ),
            remedy: "give a number for each channel".to_owned(),
        });
    }
    Ok(set.normalised_by(statistics))
}

/// The set with its own statistics.
fn as_is(request: &Request<'_>, notify: &mut dyn FnMut(Notice<'_>)) -> Result<Dataset, DataError> {
    let set = sets::make(request.dataset);
    if set.origin() == Origin::Generated {
        return set.read(Path::new(""));
    }
    let setting = request.root_setting();
    let root = Root::find(request.root, &setting);
    if let Some(folder) = root.as_ref().and_then(|root| set.locate(&root.path)) {
        return set.read(&folder);
    }
    let name = &request.dataset.kind;
    let (why, remedy) = match (root, set.origin()) {
        (None, _) => (
            format!("`{name}` has no folder to be looked for in: there is no home folder"),
            format!("name one with --set {setting}=DIR or RUNNER_DATA=DIR"),
        ),
        (Some(root), Origin::Published(publication)) => {
            let mut told = |event: fetch::Event<'_>| notify(Notice::Fetching(event));
            match fetch(publication, &root.path, &fetch::Options::default(), &mut told) {
                Ok(folder) => return set.read(&folder),
                Err(FetchError::Local(error)) => return Err(error),
                Err(FetchError::Unreachable(why)) => root.absent(name, publication, &why.to_string(), &setting),
            }
        }
        (Some(root), Origin::Elsewhere(how)) => root.elsewhere(name, how, &setting),
        (Some(root), Origin::Own | Origin::Generated) => root.empty(name, &setting),
    };
    let Some(stand_in) = request.stand_in else {
        let remedy = format!("{remedy}, or train on generated images with --set data.stand_in=shapes");
        return Err(DataError::Absent { why, remedy });
    };
    let (name, other) = (name.clone(), stand_in.kind.clone());
    notify(Notice::StandIn { set: name.clone(), stand_in: other, why, remedy });
    let mut dataset = sets::make(stand_in).read(Path::new(""))?;
    dataset.stands_in_for = Some(name);
    Ok(dataset)
}

/// The figures that a plan needs, without network and without reading images: counted where the set is present, else
/// as given, else the stand-in's, else the official ones.
///
/// # Errors
/// When files of the set are there but missing, cut or too long; when a set without official figures is absent and they
/// are not given.
pub fn facts(request: &Request<'_>, given: &Given) -> Result<Facts, DataError> {
    let set = sets::make(request.dataset);
    if let Some(facts) = present(&*set, request.root)? {
        return Ok(facts);
    }
    match request.stand_in {
        Some(stand_in) if given.is_empty() => {
            Ok(Facts { source: FactsSource::StandIn, ..sets::make(stand_in).outline(given)? })
        }
        _ => set.outline(given).map_err(|error| {
            let DataError::Absent { mut why, remedy } = error else { return error };
            if let Some(Root { path, source }) = Root::find(request.root, Request::ROOT) {
                let there = if path.exists() { "" } else { ", which does not exist" };
                why = format!("{why}; looked for in {} ({source}){there}", path.display());
            }
            if let Some(phase) = request.phase {
                why = format!("`data` of phases[{phase}]: {why}");
            }
            DataError::Absent { why, remedy }
        }),
    }
}

/// What is there of the set, if anything is.
fn present(set: &dyn SetReader, root: Option<&Path>) -> Result<Option<Facts>, DataError> {
    if set.origin() == Origin::Generated {
        return set.count(Path::new("")).map(Some);
    }
    let folder = Root::find(root, Request::ROOT).and_then(|root| set.locate(&root.path));
    folder.map(|folder| set.count(&folder)).transpose()
}

/// The data folder, and who named it.
#[derive(Clone, Debug, PartialEq)]
pub struct Root<'a> {
    pub path: PathBuf,
    /// `data.root`, `RUNNER_DATA` or words.
    pub source: &'a str,
}

impl<'a> Root<'a> {
    /// The folder that was given (by what is called `source`), else `$RUNNER_DATA`, else the user's cache folder; `None`
    /// where there is no home folder for that.
    pub fn find(given: Option<&Path>, source: &'a str) -> Option<Self> {
        let given = given.map(|path| Self { path: path.to_owned(), source });
        // As from a file of an environment, where no shell has put the home folder in its place.
        let env = std::env::var_os("RUNNER_DATA").map(|path| at_home(Path::new(&path), Self::home));
        Self::choose(given, env, || etcetera::choose_base_strategy().ok().map(|dirs| dirs.cache_dir().join("runner")))
    }

    /// The user's home folder, in which the cache folder lies where nothing else is said.
    pub fn home() -> Option<PathBuf> {
        etcetera::home_dir().ok()
    }

    fn choose(given: Option<Self>, env: Option<PathBuf>, cache: impl FnOnce() -> Option<PathBuf>) -> Option<Self> {
        if given.is_some() {
            return given;
        }
        // As with other such variables, empty is as good as unset.
        if let Some(path) = env.filter(|path| !path.as_os_str().is_empty()) {
            return Some(Self { path, source: "RUNNER_DATA" });
        }
        cache().map(|path| Self { path, source: "the user's cache folder" })
    }

    /// Why a published set that is not here cannot be had, and what helps.
    fn absent(&self, set: &str, publication: &Publication<'_>, why: &str, setting: &str) -> (String, String) {
        let Root { path, source } = self;
        (
            format!("`{set}` is not in {} ({source}), and fetching it failed: {why}", path.display()),
            format!(
                "put its folder `{}` there, or name the folder that holds it with --set {setting}=DIR or RUNNER_DATA=DIR",
                publication.folder
            ),
        )
    }

    /// Why a set that cannot be fetched is not here, and how to get it.
    fn elsewhere(&self, set: &str, how: &str, setting: &str) -> (String, String) {
        let Root { path, source } = self;
        let why = format!("`{set}` is not in {} ({source}), and cannot be fetched", path.display());
        (why, format!("{how} with --set {setting}=DIR"))
    }

    /// Why a set of the user's own is not here, and what helps.
    fn empty(&self, set: &str, setting: &str) -> (String, String) {
        let Root { path, source } = self;
        (
            format!("`{set}`: there are no class folders of images in {} ({source})", path.display()),
            format!("name the folder that holds train/ and val/, or the class folders, with --set {setting}=DIR"),
        )
    }
}

/// The path with the home folder in the place of a `~` that it begins with, as a shell has it at the start of a word alone (not
/// in `--set data.root=~/sets`). What is really called `~` is named `./~`.
pub fn at_home(path: &Path, home: impl FnOnce() -> Option<PathBuf>) -> PathBuf {
    let inside = path.strip_prefix("~").ok().and_then(|rest| Some(home()?.join(rest)));
    inside.unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Value;
    use std::fs;

    fn request<'a>(dataset: &'a Choice, root: &'a Path, stand_in: Option<&'a Choice>) -> Request<'a> {
        Request { dataset, root: Some(root), phase: None, stand_in, statistics: None }
    }

    /// A choice with the settings that class folders share, as checking fills them in.
    fn class_folders<const N: usize>(kind: &str, own: [(&str, Value); N]) -> Choice {
        let mut choice = Choice::with(kind, own);
        let no = || Value::Bool(false);
        let shared = [("margin", Value::Float(1.25)), ("skip_bad", no()), ("rectangular", no())];
        choice.settings.0.extend(shared.map(|(key, value)| (key.to_owned(), value)));
        choice
    }

    #[test]
    fn a_path_that_begins_with_a_tilde_lies_in_the_home_folder() {
        let home = || Some(PathBuf::from("/home/me"));
        let cases = [
            ("~/sets/cifar", "/home/me/sets/cifar"),
            ("~", "/home/me"),
            ("~/", "/home/me"),
            ("./~/sets", "./~/sets"),
            ("sets/~", "sets/~"),
            ("~you/sets", "~you/sets"),
            ("~.toml", "~.toml"),
            ("/sets", "/sets"),
            ("", ""),
        ];
        for (path, want) in cases {
            assert_eq!(at_home(Path::new(path), home), Path::new(want), "{path}");
        }
        assert_eq!(at_home(Path::new("~/sets"), || None), Path::new("~/sets"));
    }

    #[test]
    fn the_file_names_the_folder_before_the_environment_and_the_cache() {
        let path = |p: &str| Some(PathBuf::from(p));
        let choose = |root: Option<&str>, env, cache: Option<PathBuf>| {
            let given = root.map(|path| Root { path: path.into(), source: "data.root" });
            Root::choose(given, env, || cache).map(|root| (root.path, root.source))
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
        assert_eq!((facts.train_images, facts.source), (5_000, FactsSource::Drawn));
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
        let Origin::Published(publication) = sets::make(&Choice::plain("cifar10")).origin() else { panic!("no fetch") };
        let root = Root { path: "there".into(), source: "RUNNER_DATA" };
        let (why, remedy) = root.absent("cifar10", publication, "no network", "data.root");
        let message = DataError::Absent { why, remedy }.to_string();
        for words in ["`cifar10`", "there (RUNNER_DATA)", "no network", publication.folder, "data.root"] {
            assert!(message.contains(words), "`{words}` is not in: {message}");
        }
    }

    #[test]
    fn a_set_that_cannot_be_fetched_says_how_to_get_it() {
        let root = tempfile::tempdir().unwrap();
        let imagenet = class_folders("imagenet", [("size", Value::Int(32)), ("keep", Value::Text("disk".to_owned()))]);
        let said = open(&request(&imagenet, root.path(), None), &mut |n| panic!("{n}")).err().unwrap().to_string();
        for words in ["`imagenet` is not in", "cannot be fetched", "image-net.org", "train/", "data.root=DIR"] {
            assert!(said.contains(words), "{said}");
        }
        let facts = facts(&request(&imagenet, root.path(), None), &Given::default()).unwrap();
        assert_eq!((facts.train_images, facts.source), (1_281_167, FactsSource::Official));
    }

    #[test]
    fn class_folders_that_are_absent_need_figures_or_a_stand_in() {
        let root = tempfile::tempdir().unwrap();
        let text = |word: &str| Value::Text(word.to_owned());
        let folder = class_folders(
            "folder",
            [("colour", text("rgb")), ("keep", text("memory")), ("size", Value::Int(8)), ("val", Value::Float(0.2))],
        );
        let shapes = Choice::plain("shapes");
        let none = Given::default();
        let said = facts(&request(&folder, root.path(), None), &none).unwrap_err().to_string();
        assert!(said.contains("`train_images`"), "{said}");
        let stand_in = facts(&request(&folder, root.path(), Some(&shapes)), &none).unwrap();
        assert_eq!(stand_in.source, FactsSource::StandIn);
        let said = open(&request(&folder, root.path(), None), &mut |n| panic!("{n}")).err().unwrap().to_string();
        assert!(said.contains("no class folders") && said.contains("data.stand_in=shapes"), "{said}");
        let mut notices = Vec::new();
        let set = open(&request(&folder, root.path(), Some(&shapes)), &mut |n| notices.push(n.to_string())).unwrap();
        assert_eq!((set.stands_in_for.as_deref(), notices.len()), (Some("folder"), 1));
    }
}

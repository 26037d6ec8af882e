//! What is drawn of letters that the embedded font lacks: those of a font of the system or, where none has them, a box.

use resvg::usvg::fontdb::Database;
use skrifa::FontRef;
use skrifa::charmap::Charmap;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use unicode_width::UnicodeWidthChar;

/// A font of that one letter, drawn for this program.
static BOX: &[u8] = include_bytes!("fonts/replacement.ttf");
/// What stands for a letter that no font has.
const REPLACEMENT: char = '□';

/// Where systems keep their fonts.
const FOLDERS: [&str; 6] = [
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/run/current-system/sw/share/X11/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:\\Windows\\Fonts",
];
/// Those of a user, below the home folder.
const AT_HOME: [&str; 4] = [".fonts", ".local/share/fonts", "Library/Fonts", "AppData/Local/Microsoft/Windows/Fonts"];
const EXTENSIONS: [&str; 4] = ["ttf", "otf", "ttc", "otc"];
/// Folders in folders are looked into so deep.
const DEPTH: usize = 6;
/// More fonts than this are in no file.
const MOST_FACES: u32 = 64;
/// Of the names of fonts that do not look like the embedded one beside it.
const UNLIKE: [&str; 9] = ["mono", "serif", "bold", "italic", "oblique", "light", "thin", "black", "condensed"];

/// Adds to `fonts`, which hold the embedded one, those of the system that have the letters of a picture which that one lacks, and gives
/// the picture with a box in the place of each letter that none has. Of a picture without such letters no font is looked at: to
/// do so takes time.
pub fn complete<'a>(svg: &'a str, embedded: &[u8], fonts: &mut Database) -> Cow<'a, str> {
    complete_from(svg, embedded, fonts, system_fonts)
}

fn complete_from<'a>(
    svg: &'a str,
    embedded: &[u8],
    fonts: &mut Database,
    system: impl FnOnce() -> Vec<PathBuf>,
) -> Cow<'a, str> {
    let mut lacking = lacking(svg, embedded);
    if lacking.is_empty() {
        return Cow::Borrowed(svg);
    }
    for file in system() {
        let found = letters_in(&file, &lacking);
        if !found.is_empty()
            && let Ok(font) = fs::read(&file)
        {
            fonts.load_font_data(font);
            lacking.retain(|letter| !found.contains(letter));
        }
        if lacking.is_empty() {
            break;
        }
    }
    // Marks and joiners are no letters by themselves.
    lacking.retain(|letter| letter.width() != Some(0));
    if lacking.is_empty() {
        return Cow::Borrowed(svg);
    }
    fonts.load_font_data(BOX.to_vec());
    Cow::Owned(svg.chars().map(|letter| if lacking.contains(&letter) { REPLACEMENT } else { letter }).collect())
}

/// The letters of a text that a font lacks. All fonts have those of ASCII.
fn lacking(text: &str, font: &[u8]) -> BTreeSet<char> {
    let strange: BTreeSet<char> = text.chars().filter(|letter| !letter.is_ascii()).collect();
    let Ok(face) = FontRef::from_index(font, 0) else { return strange };
    let has = in_face(&face, &strange);
    strange.into_iter().filter(|letter| !has.contains(letter)).collect()
}

/// Those of the letters that a file of fonts has; none of a file that is no such.
fn letters_in(file: &Path, wanted: &BTreeSet<char>) -> BTreeSet<char> {
    let Ok(fonts) = fs::read(file) else { return BTreeSet::new() };
    let faces = (0..MOST_FACES).map_while(|index| FontRef::from_index(&fonts, index).ok());
    faces.flat_map(|face| in_face(&face, wanted)).collect()
}

fn in_face(face: &FontRef<'_>, wanted: &BTreeSet<char>) -> BTreeSet<char> {
    let glyphs = Charmap::new(face);
    wanted.iter().copied().filter(|letter| glyphs.map(*letter).is_some()).collect()
}

/// The files of the system's fonts, those first that look most like the embedded one.
fn system_fonts() -> Vec<PathBuf> {
    let home = ["HOME", "USERPROFILE"].into_iter().find_map(std::env::var_os);
    let at_home = home.iter().flat_map(|home| AT_HOME.iter().map(move |folder| Path::new(home).join(folder)));
    let mut files = Vec::new();
    FOLDERS.iter().map(PathBuf::from).chain(at_home).for_each(|folder| collect(&folder, DEPTH, &mut files));
    // In one order, whatever that of the disk is.
    files.sort_by_cached_key(|file| (unlikeness(file), file.clone()));
    files
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        // Links to folders may lead in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth > 0 {
                collect(&path, depth - 1, files);
            }
        } else if path.is_file() && is_font(&path) {
            files.push(path);
        }
    }
}

fn is_font(path: &Path) -> bool {
    path.extension().is_some_and(|ending| EXTENSIONS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// By its name: upright letters of usual weight without serifs are the most alike.
fn unlikeness(file: &Path) -> usize {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_other = UNLIKE.iter().any(|word| name.contains(word));
    usize::from(!name.contains("sans")) + 2 * usize::from(is_other)
}

#[cfg(test)]
mod tests {
    use super::*;

    static EMBEDDED: &[u8] = include_bytes!("fonts/inter-regular.otf");

    fn completed(svg: &str, system: Option<Vec<PathBuf>>) -> (String, usize) {
        let mut fonts = Database::new();
        let looked_at = || system.unwrap_or_else(|| panic!("no font of the system is needed"));
        let svg = complete_from(svg, EMBEDDED, &mut fonts, looked_at).into_owned();
        (svg, fonts.len())
    }

    #[test]
    fn fonts_of_the_system_are_looked_at_for_letters_that_are_lacking_alone() {
        for covered in ["plain & <simple>", "24 px · batch 1,024 → 10⁻⁵ ± 0.1 × 3 …", "β λ µ ≤ ∞"] {
            assert_eq!(completed(covered, None), (covered.to_owned(), 0));
        }
    }

    #[test]
    fn letters_that_no_font_has_are_boxes() {
        let (svg, fonts) = completed("Zürich ünï 猫 Ω", Some(Vec::new()));
        assert_eq!((svg.as_str(), fonts), ("Z□rich □n□ □ □", 1));
        // An accent of its own is left to the letter before it.
        assert_eq!(completed("e\u{301}", Some(Vec::new())), ("e\u{301}".to_owned(), 0));
    }

    #[test]
    fn a_font_that_has_some_of_the_letters_is_taken_for_these() {
        let dir = tempfile::tempdir().unwrap();
        let (font, other) = (dir.path().join("sans.TTF"), dir.path().join("none.otf"));
        std::fs::write(&font, BOX).unwrap();
        std::fs::write(&other, "no font").unwrap();
        let mut found = Vec::new();
        collect(dir.path(), 1, &mut found);
        found.sort();
        assert_eq!(found, [other, font.clone()]);
        assert_eq!(completed("a □", Some(found.clone())), ("a □".to_owned(), 1));
        assert_eq!(completed("ü □", Some(found)), ("□ □".to_owned(), 2));
        assert_eq!(letters_in(&font, &BTreeSet::from(['□', 'ü', 'a'])), BTreeSet::from(['□']));
    }

    #[test]
    fn what_looks_alike_comes_first() {
        let names = ["NotoSansCJK-Regular.ttc", "Gulim.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif-Bold.ttf"];
        assert_eq!(names.map(|name| unlikeness(Path::new(name))), [0, 1, 2, 3]);
    }
}

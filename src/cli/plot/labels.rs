//! What runs are called in a picture: their names, and of equal names what tells them apart.

use super::Read;
use crate::compare::points;
use std::collections::BTreeMap;

/// The longest name; what is cut out is its middle, as names of one series often differ at the end.
const LONGEST: usize = 28;

/// One label a run, no two alike: the name, or where experiments share it what was varied between them, as `compare` names
/// groups; with the seed where that tells the runs of a label apart, else with the end of the folder's name or, at last, a
/// number. Runs that are not done say how they stand.
pub fn labels(runs: &[Read]) -> Vec<String> {
    let names = names(runs);
    let facts: Vec<Facts<'_>> = runs
        .iter()
        .zip(&names)
        .map(|(run, name)| Facts {
            name,
            seed: run.info.seed,
            tag: run.folder.file_name().and_then(|name| name.to_str()?.rsplit('-').next()).unwrap_or(""),
            standing: run.standing(),
        })
        .collect();
    distinct(&facts)
}

/// What runs are called that need not be told apart by more.
fn names(runs: &[Read]) -> Vec<String> {
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        by_name.entry(&run.info.name).or_default().push(index);
    }
    let mut names: Vec<String> = runs.iter().map(|run| shorten(&run.info.name)).collect();
    for indices in by_name.values() {
        let points = points(indices.iter().map(|index| (&*runs[*index].folder, &runs[*index].info)));
        for (index, point) in indices.iter().zip(points) {
            let Some(point) = point else { continue };
            names[*index] = if by_name.len() > 1 { format!("{}: {point}", names[*index]) } else { point };
        }
    }
    names
}

struct Facts<'a> {
    /// Not too long.
    name: &'a str,
    seed: u64,
    /// The hexadecimal digits that the folder's name ends with.
    tag: &'a str,
    standing: Option<&'static str>,
}

fn distinct(runs: &[Facts<'_>]) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        groups.entry(run.name).or_default().push(index);
    }
    let mut labels = vec![String::new(); runs.len()];
    for (name, group) in groups {
        let ways: [&dyn Fn(usize) -> String; 3] =
            [&|_| String::new(), &|index| format!(" seed {}", runs[index].seed), &|index| {
                format!(" {}", runs[index].tag)
            }];
        let apart = |way: &&&dyn Fn(usize) -> String| {
            let mut ends: Vec<String> = group.iter().map(|index| way(*index)).collect();
            ends.sort();
            ends.windows(2).all(|pair| pair[0] != pair[1])
        };
        let way = ways.iter().find(apart);
        for (number, index) in group.iter().enumerate() {
            let end = way.map_or_else(|| format!(" {}", number + 1), |way| way(*index));
            let standing = runs[*index].standing.map(|word| format!(" ({word})")).unwrap_or_default();
            labels[*index] = format!("{name}{end}{standing}");
        }
    }
    labels
}

/// A name with its middle cut out where it is too long.
fn shorten(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= LONGEST {
        return name.to_owned();
    }
    let kept = LONGEST - 1;
    let (head, tail) = (kept / 2, kept - kept / 2);
    letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels_of(runs: &[(&str, u64, &str)]) -> Vec<String> {
        let names: Vec<String> = runs.iter().map(|(name, ..)| shorten(name)).collect();
        let named = runs.iter().zip(&names);
        let facts = named.map(|((_, seed, tag), name)| Facts { name, seed: *seed, tag, standing: None });
        distinct(&facts.collect::<Vec<_>>())
    }

    #[test]
    fn equal_names_are_told_apart_by_the_least_that_does() {
        assert_eq!(labels_of(&[("a", 1, "00aa"), ("b", 1, "00bb")]), ["a", "b"]);
        assert_eq!(labels_of(&[("a", 1, "00aa"), ("b", 1, "00bb"), ("a", 2, "00cc")]), ["a seed 1", "b", "a seed 2"]);
        assert_eq!(labels_of(&[("a", 1, "00aa"), ("a", 1, "00bb"), ("a", 2, "00cc")]), ["a 00aa", "a 00bb", "a 00cc"]);
        assert_eq!(labels_of(&[("a", 1, "00aa"), ("a", 1, "00aa")]), ["a 1", "a 2"]);
    }

    #[test]
    fn long_names_keep_both_ends_and_stay_apart() {
        let long = |end: &str| format!("{}-{end}", "x".repeat(60));
        let (a, b) = (long("lr0.1"), long("lr0.2"));
        let labels = labels_of(&[(&a, 1, "00aa"), (&b, 1, "00bb")]);
        assert!(labels[0].ends_with("lr0.1") && labels[1].ends_with("lr0.2") && labels[0].chars().count() == LONGEST);
        let middle = |name: &str| format!("{}{name}{}", "y".repeat(20), "z".repeat(20));
        let labels = labels_of(&[(&middle("a"), 1, "00aa"), (&middle("b"), 1, "00bb")]);
        assert!(labels[0].ends_with("00aa") && labels[1].ends_with("00bb"), "{labels:?}");
    }
}

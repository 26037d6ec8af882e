//! "Did you mean …?"

use super::aliases;

/// The candidate that `word` is most likely meant for: what other programs call so; else a slip, spelt alike but for case
/// and `-` or `_`, or within one edit for every three letters; else one that it contains (`poly` for `polynomial`) or
/// begins (`rms` for `rmsprop`). Swapped neighbours count as one edit.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = fold(word);
    let length = word.chars().count();
    let reach = (length / 3).max(1);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let find = |fits: &dyn Fn(&str) -> bool| candidates.iter().copied().find(|candidate| fits(candidate));
    let called_so_elsewhere = || aliases::names(&word).find_map(|name| find(&|candidate| candidate == name));
    let spelt_alike = || {
        candidates
            .iter()
            .copied()
            // The distance is no less than the difference in length, and costs memory to find out.
            .filter(|candidate| candidate.chars().count().abs_diff(length) <= reach)
            .map(|candidate| (strsim::damerau_levenshtein(&word, &fold(candidate)), candidate))
            .filter(|(distance, candidate)| *distance <= reach && *distance < candidate.len())
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, candidate)| candidate)
    };
    find(&|candidate| fold(candidate) == word)
        .or_else(called_so_elsewhere)
        .or_else(spelt_alike)
        .or_else(|| find(&|candidate| candidate.len() >= PART && word.contains(&fold(candidate))))
        .or_else(|| find(&|candidate| word.len() >= BEGINNING && fold(candidate).starts_with(&word)))
}

/// Letters that a name must have for a word that contains it to be taken for a longer form of it.
const PART: usize = 4;

/// Letters that a word must have to be taken for the beginning of a name.
const BEGINNING: usize = 3;

/// A word without its case, `_` and spaces as `-`.
pub fn fold(word: &str) -> String {
    word.to_lowercase().replace(['_', ' '], "-")
}

/// `` `a`, `b`, `c` ``
pub fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// `a, b and c`
pub fn enumerated(items: &[String]) -> String {
    match items {
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => items.concat(),
    }
}

/// ``one of `a`, `b` ``, or the only one there is.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let quoted = quoted(names.iter().copied());
    if names.len() == 1 { quoted } else { format!("one of {quoted}") }
}

/// `a head`, `an optimizer`
pub fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_with_an_and() {
        let enumerated = |items: &[&str]| enumerated(&items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
        assert_eq!(enumerated(&[]), "");
        assert_eq!(enumerated(&["a"]), "a");
        assert_eq!(enumerated(&["a", "b"]), "a and b");
        assert_eq!(enumerated(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let keys = ["epochs", "steps", "lr", "momentum", "weight_decay", "batch"];
        let near = |word| nearest(word, keys);
        assert_eq!(near("momentm"), Some("momentum"));
        assert_eq!(near("epoch"), Some("epochs"));
        assert_eq!(near("weight-decay"), Some("weight_decay"));
        assert_eq!(near("Batch"), Some("batch"));
        assert_eq!(near("rl"), Some("lr"));
        assert_eq!(near("batch_size"), Some("batch"));
        assert_eq!(near("colour"), None);
        assert_eq!(near("x"), None);
        assert_eq!(near("mom"), Some("momentum"));
        assert_eq!(near("learning_rate"), Some("lr"));
        assert_eq!(near("Num Epochs"), Some("epochs"));
        assert_eq!(nearest("rms", ["sgd", "rmsprop"]), Some("rmsprop"));
        assert_eq!(nearest("learning_rate", ["from", "to"]), None);
        assert_eq!(nearest("val_accuracy", ["val_acc_top5", "val_acc_avg", "val_acc"]), Some("val_acc"));
        assert_eq!(near(&"x".repeat(1_000_000)), None);
    }
}

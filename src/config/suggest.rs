//! "Did you mean …?"

/// The candidate that `word` is most likely a slip of: spelt alike but for case and `-` or `_`, or within one edit for
/// every three letters; else one that it contains: `poly` for `polynomial`. Swapped neighbours count as one edit.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = fold(word);
    let reach = (word.chars().count() / 3).max(1);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let spelt_alike = candidates
        .iter()
        .copied()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= reach && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate);
    let part_of = |candidate: &&str| candidate.len() >= PART && word.contains(&fold(candidate));
    spelt_alike.or_else(|| candidates.iter().copied().find(part_of))
}

/// Letters that a name must have for a word that contains it to be taken for a longer form of it.
const PART: usize = 4;

fn fold(word: &str) -> String {
    word.to_lowercase().replace('_', "-")
}

/// `` `a`, `b`, `c` ``
pub fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
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
    }
}

//! Tables that name an entry of a family and give its settings beside the name: `[[phases]]` with a `recipe`.

use super::wire::Table;
use crate::registry::{Beside, Describe, Family, Kind, Param};

/// The setting of a table that names such an entry, if it has one.
pub fn naming(params: &[Param]) -> Option<(&'static str, &'static Beside)> {
    params.iter().find_map(|param| match param.kind {
        Kind::Beside(beside) => Some((param.key, beside)),
        _ => None,
    })
}

/// The setting, in a list of `params`, that names the entries of a family.
pub fn naming_family(params: &[Param], family: &Family) -> Option<&'static str> {
    naming(params).filter(|(_, beside)| beside.family.name == family.name).map(|(key, _)| key)
}

/// The settings of a table that names `entry`: those of the entry, those that all of its family take, and the table's own
/// as far as they stay.
pub fn settings(params: &[Param], beside: &Beside, entry: &dyn Describe) -> Vec<Param> {
    let mut all: Vec<Param> = entry.params().iter().chain(beside.adds).copied().collect();
    let stays =
        |param: &&Param| !beside.replaces.contains(&param.key) && !entry.params().iter().any(|p| p.key == param.key);
    all.extend(params.iter().filter(stays));
    all
}

/// What is declared for the tables of an array, where `table` is one of them.
pub fn of_table(params: &'static [Param], table: &Table) -> std::borrow::Cow<'static, [Param]> {
    let named = naming(params).and_then(|(key, beside)| Some((beside, beside.family.get(table.text(key)?)?)));
    named.map_or(params.into(), |(beside, entry)| settings(params, beside, entry).into())
}

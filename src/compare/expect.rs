//! Claims that can be kept in CI: `a > b at 0.05`.

use super::contrast::{Contrast, Test, Untested};
use super::unlike::{Unlike, unlike};
use super::{CompareError, Comparison, Group, name};
use crate::stats::{Pairing, holm};
use std::str::FromStr;

/// A claim that one group's mean is above or below another's.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    pub left: String,
    pub order: Order,
    pub right: String,
    /// The p-value, corrected for the number of claims, must not exceed it.
    pub alpha: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Above,
    Below,
}

impl Order {
    /// As claims write it.
    pub fn sign(self) -> char {
        match self {
            Self::Above => '>',
            Self::Below => '<',
        }
    }
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub expectation: Expectation,
    pub difference: f64,
    /// After Holm's correction for the number of claims.
    pub p_adjusted: Option<f64>,
    /// How many claims that is: those that could be tested.
    pub claims: usize,
    /// What the table has in its place, corrected for the number of its comparisons; `None` where it does not compare the two.
    pub p_table: Option<f64>,
    /// The test that was done; it is another than was asked for where there are no pairs.
    pub test: Test,
    pub pairing: Pairing,
    /// Where there is no p.
    pub untested: Option<Untested>,
    /// Why it does not hold, whatever p is.
    pub against: Option<String>,
    /// That its values may be of different images, or the like.
    pub perhaps: Option<String>,
    pub holds: bool,
}

/// A text that is no claim.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{0}` is no expectation: write `A > B at 0.05`, with two groups as the table names them or numbers them (#1)")]
pub struct ExpectationError(String);

impl FromStr for Expectation {
    type Err = ExpectationError;

    fn from_str(text: &str) -> Result<Self, ExpectationError> {
        let error = || ExpectationError(text.to_owned());
        // From the right: names of groups may hold any of these words.
        let (claim, alpha) = text.rsplit_once(" at ").ok_or_else(error)?;
        let alpha: f64 = alpha.trim().parse().map_err(|_| error())?;
        let above = claim.split_once(" > ").map(|(left, right)| (left, Order::Above, right));
        let below = || claim.split_once(" < ").map(|(left, right)| (left, Order::Below, right));
        let (left, order, right) = above.or_else(below).ok_or_else(error)?;
        let [left, right] = [left, right].map(|name| name.trim().to_owned());
        let sound = alpha > 0.0 && alpha < 1.0 && !left.is_empty() && !right.is_empty();
        sound.then_some(Self { left, order, right, alpha }).ok_or_else(error)
    }
}

impl Comparison {
    /// Judges claims, each against its own pair of groups, with Holm's correction for their number, which is not that of the
    /// table's comparisons: claims are few and named beforehand. A difference in the wrong direction, or runs too few to test,
    /// do not hold; nor does a claim that is in favour of a group of which seeds were lost, or of values that are certainly of
    /// different images, by different losses, or the like.
    ///
    /// # Errors
    /// When a claim speaks of a group that is not there.
    pub fn judge(&self, expectations: &[Expectation]) -> Result<Vec<Verdict>, CompareError> {
        let group = |text: &str| name::resolve(&self.groups, text).map_err(|what| CompareError::Group { what });
        let mut contrasts = Vec::new();
        for expectation in expectations {
            let (left, right) = (group(&expectation.left)?, group(&expectation.right)?);
            contrasts.push(Contrast::between(&self.groups, left, right, &self.options));
        }
        let p: Vec<f64> = contrasts.iter().filter_map(|contrast| contrast.p).collect();
        let mut adjusted = holm(&p).into_iter();
        let judged = contrasts.into_iter().zip(expectations).map(|(contrast, expectation)| {
            let p_adjusted = contrast.p.and_then(|_| adjusted.next());
            let difference = contrast.difference;
            let direction = match expectation.order {
                Order::Above => difference > 0.0,
                Order::Below => difference < 0.0,
            };
            let sides = [contrast.group, contrast.baseline].map(|k| &self.groups[k]);
            let numbered = [(contrast.group, sides[0]), (contrast.baseline, sides[1])];
            let (surely, perhaps): (Vec<Unlike>, Vec<Unlike>) =
                unlike(&numbered, &self.options.metric).into_iter().partition(|unlike| unlike.certain);
            let words = |of: Vec<Unlike>| {
                let words: Vec<String> = of.into_iter().map(|unlike| unlike.words).collect();
                (!words.is_empty()).then(|| words.join("; "))
            };
            let against = self.lost(sides, expectation).or(words(surely));
            let perhaps = words(perhaps);
            let p_table = self.in_table([contrast.group, contrast.baseline]).and_then(|there| there.p_adjusted);
            let holds = direction && against.is_none() && p_adjusted.is_some_and(|p| p <= expectation.alpha);
            let Contrast { test, pairing, untested, .. } = contrast;
            Verdict {
                expectation: expectation.clone(),
                difference,
                p_adjusted,
                claims: p.len(),
                p_table,
                test,
                pairing,
                untested,
                against,
                perhaps,
                holds,
            }
        });
        Ok(judged.collect())
    }

    /// The contrast of two groups, whichever is held against the other; of those with the baseline alone there is one.
    fn in_table(&self, mut pair: [usize; 2]) -> Option<&Contrast> {
        pair.sort_unstable();
        let of = |contrast: &Contrast| {
            let mut of = [contrast.group, contrast.baseline];
            of.sort_unstable();
            of
        };
        self.contrasts.iter().find(|contrast| of(contrast) == pair)
    }

    /// What is said of the seeds that the group lost that a claim favours.
    fn lost(&self, [left, right]: [&Group; 2], expectation: &Expectation) -> Option<String> {
        let is_left = (expectation.order == Order::Below) == self.options.less_is_better();
        let (name, group) = if is_left { (&expectation.left, left) } else { (&expectation.right, right) };
        group.lost().map(|lost| format!("of {name} {}", lost.words()))
    }
}

//! Points that cover the axes evenly: a Sobol sequence with the direction numbers of Joe & Kuo (2008), scrambled as Owen (1995)
//! by Burley's hash (2020), from the crate `sobol_burley`.

use super::point;
use crate::config::sweep::Values;

/// Point number `number`: a function of it and of the sweep's seed, so that more points never change those before. The first
/// 2ᵏ points have one value in each of 2ᵏ equal parts of every axis.
pub fn sobol(axes: &[Values], seed: u64, number: u64) -> Vec<String> {
    // Both halves of the seed count.
    let seed = (seed ^ (seed >> 32)) as u32;
    let bits = |place: usize| {
        let share = sobol_burley::sample(number as u32, place as u32, seed);
        // Exact: a share is a multiple of 2⁻²⁴ in [0, 1).
        (f64::from(share) * 2f64.powi(64)) as u64
    };
    point(axes, bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_every_axis_has_its_point() {
        let axes = vec![Values::Uniform { low: 0.0, high: 1.0 }; 5];
        for seed in [0, 1, u64::MAX - 3] {
            let points: Vec<_> = (0..64).map(|number| sobol(&axes, seed, number)).collect();
            for axis in 0..5 {
                let mut parts: Vec<usize> =
                    points.iter().map(|p| (p[axis].parse::<f64>().unwrap() * 64.0) as usize).collect();
                parts.sort_unstable();
                parts.dedup();
                // Four digits may move one across a border.
                assert!(parts.len() >= 62, "{} parts", parts.len());
            }
            // In the plane of the first two axes each of 8 × 8 squares has one.
            let square = |p: &Vec<String>| {
                let at = |axis: usize| (p[axis].parse::<f64>().unwrap() * 8.0) as usize;
                (at(0), at(1))
            };
            let squares: std::collections::BTreeSet<_> = points.iter().map(square).collect();
            assert!(squares.len() >= 62, "{} squares", squares.len());
        }
        assert_ne!(sobol(&axes, 1, 3), sobol(&axes, 2, 3));
        assert_eq!(sobol(&axes, 1, 3), sobol(&axes, 1, 3));
    }
}

//! What the machine's arithmetic can give at most: what a kernel's speed is held against.

use super::simd::{Kernel, Simd, word};
use super::{Isa, Products};
use half::bf16;
use std::time::{Duration, Instant};

/// Independent sums: enough to fill two units of six cycles each, few enough for the sixteen registers of AVX2.
const SUMS: usize = 12;
/// Multiply-adds of each sum between two looks at the clock: some microseconds.
const BLOCK: usize = 1 << 12;
/// How long a round lasts, and how many there are.
const ROUND: Duration = Duration::from_millis(20);
const ROUNDS: usize = 8;

/// The most multiply-adds of such products, two operations each, that all threads of the pool together have done in a second: a loop
/// of independent ones in registers, the best of a few short rounds.
pub fn flops_per_second(isa: Isa, products: Products) -> f64 {
    let round = || {
        // Once on each thread, all at a time.
        let rates = rayon::broadcast(|_| {
            let begun = Instant::now();
            let mut flops = 0;
            while begun.elapsed() < ROUND {
                flops += isa.run(MultiplyAdds(products));
            }
            flops as f64 / begun.elapsed().as_secs_f64()
        });
        rates.into_iter().sum::<f64>()
    };
    (0..ROUNDS).map(|_| round()).fold(0.0, f64::max)
}

/// A block; gives the operations it took.
struct MultiplyAdds(Products);

impl Kernel for MultiplyAdds {
    type Out = u64;
    #[inline(always)]
    fn run<S: Simd>(self) -> u64 {
        // SAFETY: no memory but the kernel's own is touched.
        unsafe {
            let mut sums = [S::splat(0.0); SUMS];
            match self.0 {
                Products::Single => {
                    // The compiler knows neither factor nor summand, so it has to do them all. They go to 2, not to infinity.
                    let (factor, summand) = (S::splat(std::hint::black_box(0.5)), S::splat(std::hint::black_box(1.0)));
                    for _ in 0..BLOCK {
                        for sum in &mut sums {
                            *sum = S::fma(*sum, factor, summand);
                        }
                    }
                }
                Products::Pairs => {
                    // Two that cancel each other.
                    let ones = |low: f32| S::splat(std::hint::black_box(word(bf16::from_f32(low), bf16::ONE)));
                    let (x, w) = (ones(-1.0), ones(1.0));
                    for _ in 0..BLOCK {
                        for sum in &mut sums {
                            *sum = S::dot_bf16(x, w, *sum);
                        }
                    }
                }
            }
            let total = sums.into_iter().fold(S::splat(0.0), |a, b| S::add(a, b));
            std::hint::black_box(S::sum(total));
        }
        2 * (BLOCK * SUMS * S::LANES * self.0.per_word()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_does_something() {
        for isa in Isa::available() {
            let [single, pairs] = [Products::Single, Products::Pairs].map(|products| isa.run(MultiplyAdds(products)));
            assert!(single > 0);
            assert_eq!(pairs, 2 * single);
        }
        assert!(flops_per_second(Isa::Portable, Products::Single) > 0.0);
    }
}

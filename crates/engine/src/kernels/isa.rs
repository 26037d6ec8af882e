//! Which vector instructions a run uses.

use super::simd::{Kernel, Portable};
use std::fmt;
use std::str::FromStr;

/// An instruction set that kernels are compiled for. `RUNNER_ISA` forces one; `run.json` records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust on arrays of eight lanes: any machine.
    Portable,
    /// AVX2 with FMA and F16C, which all machines with AVX2 have: eight `f32` lanes.
    Avx2,
    /// AVX-512 F, BW, VL, DQ: sixteen `f32` lanes.
    Avx512,
    /// AVX-512 with the instructions for bf16: rounding, and products of pairs with `f32` sums.
    Avx512Bf16,
}

impl Isa {
    pub const ALL: [Isa; 4] = [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Avx512Bf16];

    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Avx512Bf16 => "avx512bf16",
        }
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                Isa::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => Isa::Avx512.is_available() && is_x86_feature_detected!("avx512bf16"),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// Whether a kernel that is written in AVX2's instructions is to be used: with AVX-512 they are there too.
    ///
    /// # Panics
    /// When it is, and this machine lacks them.
    pub fn has_avx2(self) -> bool {
        assert!(self.is_available(), "{self} kernels on a machine without them");
        self >= Isa::Avx2
    }

    /// All that this machine has, plainest first: what tests loop over.
    pub fn available() -> Vec<Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// The one to use: `RUNNER_ISA` when set, else the last of [`Isa::ALL`] that the machine has.
    ///
    /// # Errors
    /// When `RUNNER_ISA` names none, or one that this machine lacks.
    pub fn detect() -> Result<Isa, IsaError> {
        match std::env::var("RUNNER_ISA") {
            Ok(name) if !name.is_empty() => {
                let isa: Isa = name.parse()?;
                if isa.is_available() { Ok(isa) } else { Err(IsaError::Missing(isa)) }
            }
            _ => Ok(Isa::available().into_iter().next_back().unwrap_or(Isa::Portable)),
        }
    }

    /// Runs a kernel compiled for this instruction set.
    ///
    /// # Panics
    /// When the machine lacks it.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Out {
        match self {
            Isa::Portable => kernel.run::<Portable>(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                assert!(self.is_available(), "AVX2 kernels on a machine without AVX2");
                // SAFETY: the features were detected on the line above.
                unsafe { super::simd::x86::run_avx2(kernel) }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                assert!(self.is_available(), "AVX-512 kernels on a machine without AVX-512");
                // SAFETY: the features were detected on the line above.
                unsafe { super::simd::x86::run_avx512(kernel) }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => {
                assert!(self.is_available(), "AVX512-BF16 kernels on a machine without AVX512-BF16");
                // SAFETY: the features were detected on the line above.
                unsafe { super::simd::x86::run_avx512bf16(kernel) }
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("x86 kernels on another architecture"),
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = IsaError;
    fn from_str(name: &str) -> Result<Self, IsaError> {
        Isa::ALL.into_iter().find(|isa| isa.name() == name).ok_or_else(|| IsaError::Unknown(name.to_owned()))
    }
}

/// A bad `RUNNER_ISA`.
#[derive(Debug, thiserror::Error)]
pub enum IsaError {
    #[error("RUNNER_ISA={0} names no instruction set; use portable, avx2, avx512 or avx512bf16, or unset it")]
    Unknown(String),
    #[error("RUNNER_ISA={0}, but this machine does not have it; unset the variable to use what it has")]
    Missing(Isa),
}

//! Vectors of `f32` over instruction sets: one generic kernel body, compiled once a set.

/// A vector type and its operations. All are `#[inline(always)]`, so that they compile to single instructions inside
/// [`super::Isa::run`].
///
/// # Safety
/// Methods that take pointers read or write `LANES` elements there. Calling any method on a machine that lacks the
/// instruction set is undefined: kernels are entered through `Isa::run`, which checks.
#[allow(clippy::missing_safety_doc)]
pub trait Simd: Copy + Send + Sync + 'static {
    const LANES: usize;
    /// Vector registers that a register tile may count on.
    const REGISTERS: usize;
    type V: Copy;
    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(p: *const f32) -> Self::V;
    unsafe fn store(p: *mut f32, v: Self::V);
    /// Widens `LANES` bf16 values.
    unsafe fn load_bf16(p: *const half::bf16) -> Self::V;
    /// Rounds to nearest even; NaN stays NaN. Subnormal numbers may become zero.
    unsafe fn store_bf16(p: *mut half::bf16, v: Self::V);
    /// Rounds both to bf16, as [`Simd::store_bf16`] does, and puts them side by side: of the two in a lane the first is of `a`, the
    /// second of `b`. Such a *word* is in the place of an `f32`, and no number.
    unsafe fn pair_bf16(a: Self::V, b: Self::V) -> Self::V;
    /// `c + a₀·b₀ + a₁·b₁` in each lane, of words of two bf16. Order and rounding are the instruction set's; subnormal factors, sums
    /// and results may count as zero.
    unsafe fn dot_bf16(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Widens `LANES` f16 values, exactly.
    unsafe fn load_f16(p: *const half::f16) -> Self::V;
    /// Rounds to nearest even, subnormal results too; what lies beyond 65504 becomes infinite; NaN stays NaN.
    unsafe fn store_f16(p: *mut half::f16, v: Self::V);
    /// Widens `LANES` bytes.
    unsafe fn load_u8(p: *const u8) -> Self::V;
    /// Of integers in `0..256`.
    unsafe fn store_u8(p: *mut u8, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// `a·b + c`, rounded once where the machine can.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Lane-wise `a > b ? a : b`, so NaN in `a` gives `b`.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// Lane-wise `a > b ? x : y`.
    unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// `2ⁿ` for integral `n` in `-126..=127`.
    unsafe fn pow2(n: Self::V) -> Self::V;
    /// Sum of the lanes, in an order fixed by the instruction set.
    unsafe fn sum(v: Self::V) -> f32;
}

/// Asks for the cache line at `p` to be brought into L1. Any address may be asked for; where the machine has no such
/// instruction nothing is done.
#[inline(always)]
pub fn prefetch(p: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which never faults, of an instruction that every x86-64 machine has.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(p.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}

/// As [`prefetch`], into L2.
#[inline(always)]
pub fn prefetch_l2(p: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as above.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(p.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}

/// A computation generic over the instruction set. Implementations mark `run` and all it calls `#[inline(always)]`.
pub trait Kernel {
    type Out;
    fn run<S: Simd>(self) -> Self::Out;
}

/// Two numbers in the place of one `f32`, see [`Simd::pair_bf16`].
#[inline(always)]
pub fn word(low: half::bf16, high: half::bf16) -> f32 {
    // As two bf16 in memory, whatever the machine's order of bytes.
    bytemuck::cast([low, high])
}

/// The two of a [`word`], widened.
#[inline(always)]
fn halves(word: f32) -> (f32, f32) {
    let [low, high]: [half::bf16; 2] = bytemuck::cast(word);
    (f32::from_bits(u32::from(low.to_bits()) << 16), f32::from_bits(u32::from(high.to_bits()) << 16))
}

/// Plain Rust: eight lanes that the compiler may or may not vectorise.
#[derive(Clone, Copy)]
pub struct Portable;

macro_rules! lanes {
    ($f:expr) => {{
        let f = $f;
        let mut out = [0.0f32; 8];
        for (k, o) in out.iter_mut().enumerate() {
            *o = f(k);
        }
        out
    }};
}

impl Simd for Portable {
    const LANES: usize = 8;
    const REGISTERS: usize = 8;
    type V = [f32; 8];
    #[inline(always)]
    unsafe fn splat(x: f32) -> [f32; 8] {
        [x; 8]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> [f32; 8] {
        // SAFETY: the caller grants eight readable elements.
        unsafe { p.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: [f32; 8]) {
        // SAFETY: the caller grants eight writable elements.
        unsafe { p.cast::<[f32; 8]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const half::bf16) -> [f32; 8] {
        // SAFETY: the caller grants eight readable elements.
        let raw = unsafe { p.cast::<[half::bf16; 8]>().read_unaligned() };
        lanes!(|k: usize| raw[k].to_f32())
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut half::bf16, v: [f32; 8]) {
        let raw: [half::bf16; 8] = std::array::from_fn(|k| half::bf16::from_f32(v[k]));
        // SAFETY: the caller grants eight writable elements.
        unsafe { p.cast::<[half::bf16; 8]>().write_unaligned(raw) }
    }
    #[inline(always)]
    unsafe fn pair_bf16(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        lanes!(|k: usize| word(half::bf16::from_f32(a[k]), half::bf16::from_f32(b[k])))
    }
    #[inline(always)]
    unsafe fn dot_bf16(a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        lanes!(|k: usize| {
            let ((a0, a1), (b0, b1)) = (halves(a[k]), halves(b[k]));
            c[k] + a1 * b1 + a0 * b0
        })
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const half::f16) -> [f32; 8] {
        // SAFETY: the caller grants eight readable elements.
        let raw = unsafe { p.cast::<[half::f16; 8]>().read_unaligned() };
        lanes!(|k: usize| raw[k].to_f32())
    }
    #[inline(always)]
    unsafe fn store_f16(p: *mut half::f16, v: [f32; 8]) {
        let raw: [half::f16; 8] = std::array::from_fn(|k| half::f16::from_f32(v[k]));
        // SAFETY: the caller grants eight writable elements.
        unsafe { p.cast::<[half::f16; 8]>().write_unaligned(raw) }
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> [f32; 8] {
        // SAFETY: the caller grants eight readable elements.
        let raw = unsafe { p.cast::<[u8; 8]>().read_unaligned() };
        lanes!(|k: usize| f32::from(raw[k]))
    }
    #[inline(always)]
    unsafe fn store_u8(p: *mut u8, v: [f32; 8]) {
        let raw: [u8; 8] = std::array::from_fn(|k| v[k] as u8);
        // SAFETY: the caller grants eight writable elements.
        unsafe { p.cast::<[u8; 8]>().write_unaligned(raw) }
    }
    #[inline(always)]
    unsafe fn add(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        lanes!(|k: usize| a[k] + b[k])
    }
    #[inline(always)]
    unsafe fn sub(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        lanes!(|k: usize| a[k] - b[k])
    }
    #[inline(always)]
    unsafe fn mul(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        lanes!(|k: usize| a[k] * b[k])
    }
    #[inline(always)]
    unsafe fn div(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        lanes!(|k: usize| a[k] / b[k])
    }
    #[inline(always)]
    unsafe fn fma(a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        // Not `mul_add`: without the instruction that is a library call a lane.
        lanes!(|k: usize| a[k] * b[k] + c[k])
    }
    #[inline(always)]
    unsafe fn max(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        lanes!(|k: usize| if a[k] > b[k] { a[k] } else { b[k] })
    }
    #[inline(always)]
    unsafe fn min(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        lanes!(|k: usize| if a[k] < b[k] { a[k] } else { b[k] })
    }
    #[inline(always)]
    unsafe fn select_gt(a: [f32; 8], b: [f32; 8], x: [f32; 8], y: [f32; 8]) -> [f32; 8] {
        lanes!(|k: usize| if a[k] > b[k] { x[k] } else { y[k] })
    }
    #[inline(always)]
    unsafe fn pow2(n: [f32; 8]) -> [f32; 8] {
        lanes!(|k: usize| f32::from_bits(((n[k] as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn sum(v: [f32; 8]) -> f32 {
        ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
    }
}

/// The x86-64 sets.
#[cfg(target_arch = "x86_64")]
pub mod x86 {
    use super::{Kernel, Simd};
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub struct Avx2;
    #[derive(Clone, Copy)]
    pub struct Avx512;
    #[derive(Clone, Copy)]
    pub struct Avx512Bf16;

    /// # Safety
    /// The machine has AVX2, FMA and F16C.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn run_avx2<K: Kernel>(kernel: K) -> K::Out {
        kernel.run::<Avx2>()
    }

    /// # Safety
    /// The machine has AVX-512 F, BW, DQ and VL, and AVX2, FMA and F16C.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
    pub unsafe fn run_avx512<K: Kernel>(kernel: K) -> K::Out {
        kernel.run::<Avx512>()
    }

    /// # Safety
    /// The machine has what [`run_avx512`] asks for, and AVX512-BF16.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    pub unsafe fn run_avx512bf16<K: Kernel>(kernel: K) -> K::Out {
        kernel.run::<Avx512Bf16>()
    }

    /// The bits of numbers rounded to bf16 in the upper halves, whatever is in the lower ones.
    #[inline(always)]
    unsafe fn rounded_256(v: __m256) -> __m256i {
        // SAFETY: the caller's, as everywhere here.
        unsafe {
            let bits = _mm256_castps_si256(v);
            let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
            let rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
            let quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x0040_0000));
            let nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(v, v));
            _mm256_blendv_epi8(rounded, quiet, nan)
        }
    }

    /// As [`rounded_256`].
    #[inline(always)]
    unsafe fn rounded_512(v: __m512) -> __m512i {
        // SAFETY: the caller's, as everywhere here.
        unsafe {
            let bits = _mm512_castps_si512(v);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
            let quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x0040_0000));
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(v, v);
            _mm512_mask_blend_epi32(nan, rounded, quiet)
        }
    }

    // SAFETY of every body below: the pointers are the caller's promise (see `Simd`), the instructions are there because
    // `Isa::run` checked.
    impl Simd for Avx2 {
        const LANES: usize = 8;
        const REGISTERS: usize = 16;
        type V = __m256;
        #[inline(always)]
        unsafe fn splat(x: f32) -> __m256 {
            unsafe { _mm256_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> __m256 {
            unsafe { _mm256_loadu_ps(p) }
        }
        #[inline(always)]
        unsafe fn store(p: *mut f32, v: __m256) {
            unsafe { _mm256_storeu_ps(p, v) }
        }
        #[inline(always)]
        unsafe fn load_bf16(p: *const half::bf16) -> __m256 {
            unsafe {
                let raw = _mm_loadu_si128(p.cast());
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(raw)))
            }
        }
        #[inline(always)]
        unsafe fn store_bf16(p: *mut half::bf16, v: __m256) {
            unsafe {
                let top = _mm256_srli_epi32::<16>(rounded_256(v));
                let packed = _mm256_packus_epi32(top, top);
                let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
                _mm_storeu_si128(p.cast(), _mm256_castsi256_si128(packed));
            }
        }
        #[inline(always)]
        unsafe fn pair_bf16(a: __m256, b: __m256) -> __m256 {
            unsafe {
                let low = _mm256_srli_epi32::<16>(rounded_256(a));
                _mm256_castsi256_ps(_mm256_blend_epi16::<0b1010_1010>(low, rounded_256(b)))
            }
        }
        #[inline(always)]
        unsafe fn dot_bf16(a: __m256, b: __m256, c: __m256) -> __m256 {
            unsafe {
                let low = |x| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(x)));
                let high = |x| _mm256_and_ps(x, _mm256_castsi256_ps(_mm256_set1_epi32(0xffff_0000u32 as i32)));
                let (a0, b0, a1, b1) = (low(a), low(b), high(a), high(b));
                _mm256_fmadd_ps(a0, b0, _mm256_fmadd_ps(a1, b1, c))
            }
        }
        #[inline(always)]
        unsafe fn load_f16(p: *const half::f16) -> __m256 {
            unsafe { _mm256_cvtph_ps(_mm_loadu_si128(p.cast())) }
        }
        #[inline(always)]
        unsafe fn store_f16(p: *mut half::f16, v: __m256) {
            unsafe { _mm_storeu_si128(p.cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v)) }
        }
        #[inline(always)]
        unsafe fn load_u8(p: *const u8) -> __m256 {
            unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast()))) }
        }
        #[inline(always)]
        unsafe fn store_u8(p: *mut u8, v: __m256) {
            unsafe {
                let ints = _mm256_cvtps_epi32(v);
                let words = _mm_packus_epi32(_mm256_castsi256_si128(ints), _mm256_extracti128_si256::<1>(ints));
                _mm_storel_epi64(p.cast(), _mm_packus_epi16(words, words));
            }
        }
        #[inline(always)]
        unsafe fn add(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn div(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_div_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn max(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_max_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn min(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_min_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn select_gt(a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
            unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
        }
        #[inline(always)]
        unsafe fn pow2(n: __m256) -> __m256 {
            unsafe {
                let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
            }
        }
        #[inline(always)]
        unsafe fn sum(v: __m256) -> f32 {
            unsafe {
                let half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
                let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
                _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)))
            }
        }
    }

    /// What both sets of 512 bits have in common, and what is each one's own.
    macro_rules! avx512 {
        ($set:ty { $($own:item)* }) => {
            impl Simd for $set {
                const LANES: usize = 16;
                const REGISTERS: usize = 32;
                type V = __m512;
                #[inline(always)]
                unsafe fn splat(x: f32) -> __m512 {
                    unsafe { _mm512_set1_ps(x) }
                }
                #[inline(always)]
                unsafe fn load(p: *const f32) -> __m512 {
                    unsafe { _mm512_loadu_ps(p) }
                }
                #[inline(always)]
                unsafe fn store(p: *mut f32, v: __m512) {
                    unsafe { _mm512_storeu_ps(p, v) }
                }
                #[inline(always)]
                unsafe fn load_bf16(p: *const half::bf16) -> __m512 {
                    unsafe {
                        let raw = _mm256_loadu_si256(p.cast());
                        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(raw)))
                    }
                }
                #[inline(always)]
                unsafe fn load_f16(p: *const half::f16) -> __m512 {
                    unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(p.cast())) }
                }
                #[inline(always)]
                unsafe fn store_f16(p: *mut half::f16, v: __m512) {
                    unsafe { _mm256_storeu_si256(p.cast(), _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v)) }
                }
                #[inline(always)]
                unsafe fn load_u8(p: *const u8) -> __m512 {
                    unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast()))) }
                }
                #[inline(always)]
                unsafe fn store_u8(p: *mut u8, v: __m512) {
                    unsafe { _mm_storeu_si128(p.cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v))) }
                }
                #[inline(always)]
                unsafe fn add(a: __m512, b: __m512) -> __m512 {
                    unsafe { _mm512_add_ps(a, b) }
                }
                #[inline(always)]
                unsafe fn sub(a: __m512, b: __m512) -> __m512 {
                    unsafe { _mm512_sub_ps(a, b) }
                }
                #[inline(always)]
                unsafe fn mul(a: __m512, b: __m512) -> __m512 {
                    unsafe { _mm512_mul_ps(a, b) }
                }
                #[inline(always)]
                unsafe fn div(a: __m512, b: __m512) -> __m512 {
                    unsafe { _mm512_div_ps(a, b) }
                }
                #[inline(always)]
                unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
                    unsafe { _mm512_fmadd_ps(a, b, c) }
                }
                #[inline(always)]
                unsafe fn max(a: __m512, b: __m512) -> __m512 {
                    unsafe { _mm512_max_ps(a, b) }
                }
                #[inline(always)]
                unsafe fn min(a: __m512, b: __m512) -> __m512 {
                    unsafe { _mm512_min_ps(a, b) }
                }
                #[inline(always)]
                unsafe fn select_gt(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
                    unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), y, x) }
                }
                #[inline(always)]
                unsafe fn pow2(n: __m512) -> __m512 {
                    unsafe {
                        let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
                        _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
                    }
                }
                #[inline(always)]
                unsafe fn sum(v: __m512) -> f32 {
                    unsafe { _mm512_reduce_add_ps(v) }
                }
                $(#[inline(always)] $own)*
            }
        };
    }

    avx512!(Avx512 {
        unsafe fn store_bf16(p: *mut half::bf16, v: __m512) {
            unsafe {
                let top = _mm512_srli_epi32::<16>(rounded_512(v));
                _mm256_storeu_si256(p.cast(), _mm512_cvtepi32_epi16(top));
            }
        }
        unsafe fn pair_bf16(a: __m512, b: __m512) -> __m512 {
            unsafe {
                let low = _mm512_srli_epi32::<16>(rounded_512(a));
                _mm512_castsi512_ps(_mm512_mask_blend_epi16(0xaaaa_aaaa, low, rounded_512(b)))
            }
        }
        unsafe fn dot_bf16(a: __m512, b: __m512, c: __m512) -> __m512 {
            unsafe {
                let low = |x| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_castps_si512(x)));
                let high = |x| _mm512_and_ps(x, _mm512_castsi512_ps(_mm512_set1_epi32(0xffff_0000u32 as i32)));
                let (a0, b0, a1, b1) = (low(a), low(b), high(a), high(b));
                _mm512_fmadd_ps(a0, b0, _mm512_fmadd_ps(a1, b1, c))
            }
        }
    });

    avx512!(Avx512Bf16 {
        // The instructions take subnormal numbers for zeros.
        unsafe fn store_bf16(p: *mut half::bf16, v: __m512) {
            unsafe { _mm256_storeu_si256(p.cast(), std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v))) }
        }
        unsafe fn pair_bf16(a: __m512, b: __m512) -> __m512 {
            unsafe {
                // First all of `a`, then all of `b`.
                let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(b, a));
                let order = _mm512_setr_epi32(
                    0x10_0000, 0x11_0001, 0x12_0002, 0x13_0003, 0x14_0004, 0x15_0005, 0x16_0006, 0x17_0007,
                    0x18_0008, 0x19_0009, 0x1a_000a, 0x1b_000b, 0x1c_000c, 0x1d_000d, 0x1e_000e, 0x1f_000f,
                );
                _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, both))
            }
        }
        unsafe fn dot_bf16(a: __m512, b: __m512, c: __m512) -> __m512 {
            unsafe {
                let words = |x| std::mem::transmute::<__m512, __m512bh>(x);
                _mm512_dpbf16_ps(c, words(a), words(b))
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use half::bf16;

    /// Words of pairs of numbers, and their products with those from the other end, added to the numbers themselves.
    struct Words<'a> {
        numbers: &'a [f32],
        words: &'a mut [f32],
        sums: &'a mut [f32],
    }

    impl Kernel for Words<'_> {
        type Out = ();
        #[inline(always)]
        fn run<S: Simd>(self) {
            let half = self.numbers.len() / 2;
            for at in (0..half).step_by(S::LANES) {
                // SAFETY: half of the numbers are a multiple of all sets' lanes.
                unsafe {
                    let (a, b) =
                        (S::load(self.numbers.as_ptr().add(at)), S::load(self.numbers.as_ptr().add(half + at)));
                    let (word, turned) = (S::pair_bf16(a, b), S::pair_bf16(b, a));
                    S::store(self.words.as_mut_ptr().add(at), word);
                    S::store(self.sums.as_mut_ptr().add(at), S::dot_bf16(word, turned, a));
                }
            }
        }
    }

    #[test]
    fn pairs_are_those_of_half_and_their_products_are_summed() {
        let mut numbers: Vec<f32> =
            (0..1024).map(|i| ((i * 2654435761u64 % 1000003) as f32 / 1e6 - 0.5) * 3.0).collect();
        // Ties to either side, what overflows when rounded, and what is no number.
        let odd = [0x3f80_8000, 0x3f81_8000, 0xbf80_8001, 0x7f7f_ffff].map(f32::from_bits);
        numbers[..4].copy_from_slice(&odd);
        numbers[512..518].copy_from_slice(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e-30]);
        for isa in Isa::available() {
            let (mut words, mut sums) = (vec![0.0; 512], vec![0.0; 512]);
            isa.run(Words { numbers: &numbers, words: &mut words, sums: &mut sums });
            for k in 0..512 {
                let (a, b) = (numbers[k], numbers[512 + k]);
                let [low, high]: [bf16; 2] = bytemuck::cast(words[k]);
                for (half, exact) in [(low, a), (high, b)] {
                    let exact = bf16::from_f32(exact);
                    assert!(
                        half.to_bits() == exact.to_bits() || half.is_nan() && exact.is_nan(),
                        "{isa}: {half} is not {exact}"
                    );
                }
                let product = 2.0 * f64::from(low.to_f32()) * f64::from(high.to_f32()) + f64::from(a);
                let tolerance = 2e-7 * (f64::from(a).abs() + product.abs() + 1.0);
                let found = f64::from(sums[k]);
                let same = (found - product).abs() <= tolerance
                    || found == product
                    || !product.is_finite() && !found.is_finite();
                assert!(same, "{isa}: {found} is not {product} ({a}, {b})");
            }
        }
    }
}

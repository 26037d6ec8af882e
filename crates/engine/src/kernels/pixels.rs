//! Rows of pixels, three bytes each.

use super::Isa;

/// Reverses the order of pixels.
pub fn mirror(isa: Isa, row: &mut [[u8; 3]]) {
    match isa.has_avx2() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: AVX2 is there.
        true => unsafe { x86::mirror(row) },
        _ => row.reverse(),
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Pixels of a vector; one byte is left over.
    const PIXELS: usize = 5;
    /// Five pixels in the other order, one byte further on, and nothing.
    const TO_RIGHT: [i8; 16] = [-1, 12, 13, 14, 9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2];
    /// Five pixels that begin at the second byte, from the first on.
    const TO_LEFT: [i8; 16] = [13, 14, 15, 10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3, -1];

    /// # Safety
    /// The machine has AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn mirror(row: &mut [[u8; 3]]) {
        let bytes = row.as_flattened_mut();
        let (mut left, mut right) = (0, bytes.len());
        // SAFETY: two vectors of 16 bytes, the one from `left` on, the other up to `right`, that do not overlap.
        unsafe {
            let load = |from: *const i8| _mm_loadu_si128(from.cast());
            let (to_left, to_right) = (load(TO_LEFT.as_ptr()), load(TO_RIGHT.as_ptr()));
            let (first, last) = (_mm_set_epi64x(0, 0xff), _mm_set_epi64x(i64::MIN >> 7, 0));
            while right - left >= 2 * 16 {
                let (l, r) = (bytes.as_mut_ptr().add(left), bytes.as_mut_ptr().add(right - 16));
                let (a, b) = (load(l.cast()), load(r.cast()));
                // The byte that is no part of the five pixels stays.
                _mm_storeu_si128(l.cast(), _mm_blendv_epi8(_mm_shuffle_epi8(b, to_left), a, last));
                _mm_storeu_si128(r.cast(), _mm_blendv_epi8(_mm_shuffle_epi8(a, to_right), b, first));
                (left, right) = (left + 3 * PIXELS, right - 3 * PIXELS);
            }
        }
        row[left / 3..right / 3].reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_reversed_on_every_instruction_set() {
        for pixels in (0..70).chain([128, 224]) {
            let row: Vec<[u8; 3]> = (0..pixels).map(|i| [i as u8, (i * 7) as u8, (i * i + 3) as u8]).collect();
            let expected: Vec<[u8; 3]> = row.iter().rev().copied().collect();
            for isa in Isa::available() {
                let mut found = row.clone();
                mirror(isa, &mut found);
                assert_eq!(found, expected, "{isa}: {pixels} pixels");
            }
        }
    }
}

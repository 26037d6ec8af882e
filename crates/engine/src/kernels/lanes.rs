//! Vector access to runs whose length is no multiple of the lanes.

use super::element::Element;
use super::grad::Write;
use super::simd::Simd;

/// The widest vector of any instruction set.
pub const MAX_LANES: usize = 16;

/// `len` rounded up to whole vectors of any instruction set: the length of tables that are read a full vector at a time.
pub fn padded(len: usize) -> usize {
    len.next_multiple_of(MAX_LANES)
}

/// Walks `0..len` a vector at a time: `(offset, lanes)`, where only the last may have fewer than `S::LANES`.
#[inline(always)]
pub fn spans<S: Simd>(len: usize) -> Spans<S> {
    Spans { at: 0, len, set: std::marker::PhantomData }
}

/// See [`spans`].
pub struct Spans<S> {
    at: usize,
    len: usize,
    set: std::marker::PhantomData<S>,
}

impl<S: Simd> Iterator for Spans<S> {
    type Item = (usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, usize)> {
        if self.at >= self.len {
            return None;
        }
        let span = (self.at, S::LANES.min(self.len - self.at));
        self.at += S::LANES;
        Some(span)
    }
}

/// As [`spans`]; where lanes may be worked on `twice`, the last is a whole vector too, which begins among those of the one before: a
/// part of a vector is slow.
#[inline(always)]
pub fn overlapping<S: Simd>(len: usize, twice: bool) -> impl Iterator<Item = (usize, usize)> {
    let fits = twice && len > S::LANES;
    spans::<S>(len).map(move |(at, n)| if n < S::LANES && fits { (len - S::LANES, S::LANES) } else { (at, n) })
}

/// The first `n` lanes from memory, zero in the others.
///
/// # Safety
/// `p` has `n ≤ S::LANES` readable elements.
#[inline(always)]
pub unsafe fn load<S: Simd, E: Element>(p: *const E, n: usize) -> S::V {
    // SAFETY: `n` readable elements are the caller's promise; the part is copied to where a whole vector fits.
    unsafe {
        if n == S::LANES {
            return E::load::<S>(p);
        }
        let mut part = [E::zeroed(); MAX_LANES];
        std::ptr::copy_nonoverlapping(p, part.as_mut_ptr(), n);
        E::load::<S>(part.as_ptr())
    }
}

/// Stores the first `n` lanes.
///
/// # Safety
/// `p` has `n ≤ S::LANES` writable elements.
#[inline(always)]
pub unsafe fn store<S: Simd, E: Element>(p: *mut E, n: usize, v: S::V) {
    // SAFETY: as in `load`.
    unsafe {
        if n == S::LANES {
            return E::store::<S>(p, v);
        }
        let mut part = [E::zeroed(); MAX_LANES];
        E::store::<S>(part.as_mut_ptr(), v);
        std::ptr::copy_nonoverlapping(part.as_ptr(), p, n);
    }
}

/// Stores the first `n` lanes over, or adds them to, what is there.
///
/// # Safety
/// `p` has `n ≤ S::LANES` elements to read and write.
#[inline(always)]
pub unsafe fn write<S: Simd, E: Element>(p: *mut E, n: usize, v: S::V, mode: Write) {
    // SAFETY: the caller's promise.
    unsafe {
        let v = match mode {
            Write::Overwrite => v,
            Write::Add => S::add(load::<S, E>(p, n), v),
        };
        store::<S, E>(p, n, v);
    }
}

/// The first `n` bytes, as numbers; zero in the other lanes.
///
/// # Safety
/// `p` has `n ≤ S::LANES` readable bytes.
#[inline(always)]
pub unsafe fn load_bytes<S: Simd>(p: *const u8, n: usize) -> S::V {
    // SAFETY: as in `load`.
    unsafe {
        if n == S::LANES {
            return S::load_u8(p);
        }
        let mut part = [0; MAX_LANES];
        std::ptr::copy_nonoverlapping(p, part.as_mut_ptr(), n);
        S::load_u8(part.as_ptr())
    }
}

/// Stores the first `n` lanes, which are integers in `0..256`, as bytes.
///
/// # Safety
/// `p` has `n ≤ S::LANES` writable bytes.
#[inline(always)]
pub unsafe fn store_bytes<S: Simd>(p: *mut u8, n: usize, v: S::V) {
    // SAFETY: as in `load`.
    unsafe {
        if n == S::LANES {
            return S::store_u8(p, v);
        }
        let mut part = [0; MAX_LANES];
        S::store_u8(part.as_mut_ptr(), v);
        std::ptr::copy_nonoverlapping(part.as_ptr(), p, n);
    }
}

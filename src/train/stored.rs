//! Tensors as they lie in a file of weights, whatever its format.

use super::tensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;

/// A tensor in a file that is in memory. Nothing of it is copied before it is asked for.
pub struct Stored<'a> {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Numbers between neighbours along each axis; `None`: they lie in order, without gaps.
    strides: Option<Vec<usize>>,
    /// From the first number on.
    data: &'a [u8],
}

/// Why a tensor's numbers are no weights.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("holds {0:?}, where F32, F16, BF16 or F64 is expected")]
    Type(Dtype),
    #[error("holds {number} at place {at}")]
    NotFinite { number: f32, at: usize },
}

impl<'a> Stored<'a> {
    /// Some numbers of `size` bytes each in a part of a file that begins with the first of them. Neighbours may lie anywhere
    /// in it, and may be the same number.
    ///
    /// # Errors
    /// When that part does not reach so far.
    pub fn strided(
        dtype: Dtype,
        size: usize,
        shape: Vec<usize>,
        mut strides: Vec<usize>,
        data: &'a [u8],
    ) -> Result<Self, String> {
        if shape.len() != strides.len() {
            return Err(format!("has {} axes and {} strides", shape.len(), strides.len()));
        }
        // Along an axis of one there is no neighbour, and what is said of it may be anything.
        strides.iter_mut().zip(&shape).filter(|(_, n)| **n == 1).for_each(|(stride, _)| *stride = 0);
        let reach = || {
            let last = shape
                .iter()
                .zip(&strides)
                .try_fold(0usize, |last, (n, stride)| last.checked_add(n.checked_sub(1)?.checked_mul(*stride)?))?;
            last.checked_add(1)?.checked_mul(size)
        };
        let empty = shape.contains(&0);
        let is_there = empty || reach().is_some_and(|reach| reach <= data.len());
        // The number of numbers is asked for as well: it need not fit memory where neighbours are the same one.
        let count = shape.iter().try_fold(1usize, |count, n| count.checked_mul(*n));
        match count.and_then(|count| count.checked_mul(size)) {
            Some(bytes) if is_there => {
                let ordered = is_ordered(&shape, &strides) || empty;
                let (strides, data) = if ordered { (None, &data[..bytes]) } else { (Some(strides), data) };
                Ok(Self { dtype, shape, strides, data })
            }
            _ => Err(format!("is to be of shape {shape:?}, and {} bytes are there", data.len())),
        }
    }

    /// The numbers as `f32`, each rounded once; `to` is as long as the shape says.
    ///
    /// # Errors
    /// What they are, where they are no real numbers or not finite.
    pub fn convert(&self, to: &mut [f32]) -> Result<(), Unusable> {
        match self.dtype {
            Dtype::F32 => self.each(to, f32::from_le_bytes),
            Dtype::F64 => self.each(to, |bytes| f64::from_le_bytes(bytes) as f32),
            Dtype::F16 => self.each(to, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
            Dtype::BF16 => self.each(to, |bytes| half::bf16::from_le_bytes(bytes).to_f32()),
            other => return Err(Unusable::Type(other)),
        }
        match to.iter().position(|x| !x.is_finite()) {
            None => Ok(()),
            Some(at) => Err(Unusable::NotFinite { number: to[at], at }),
        }
    }

    fn each<const N: usize>(&self, to: &mut [f32], read: impl Fn([u8; N]) -> f32) {
        let numbers = self.data.as_chunks::<N>().0;
        let Some(strides) = &self.strides else {
            to.iter_mut().zip(numbers).for_each(|(to, bytes)| *to = read(*bytes));
            return;
        };
        let (mut place, mut at) = (vec![0; self.shape.len()], 0);
        for to in to {
            *to = read(numbers[at]);
            // One further along the last axis, and along the one before it at each end of that.
            for axis in (0..place.len()).rev() {
                place[axis] += 1;
                at += strides[axis];
                if place[axis] < self.shape[axis] {
                    break;
                }
                at -= place[axis] * strides[axis];
                place[axis] = 0;
            }
        }
    }
}

/// Whether numbers lie in order and without gaps.
fn is_ordered(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = Some(1usize);
    shape.iter().zip(strides).rev().all(|(n, stride)| {
        let fits = *n == 1 || expected == Some(*stride);
        expected = expected.and_then(|expected| expected.checked_mul(*n));
        fits
    })
}

/// The tensors of a safetensors file by name.
///
/// # Errors
/// When the bytes are no whole one.
pub fn of_safetensors<'a>(bytes: &'a [u8]) -> Result<BTreeMap<String, Stored<'a>>, String> {
    let (file, _) = tensors::open(bytes)?;
    let stored = |(name, view): (String, TensorView<'a>)| {
        (name, Stored { dtype: view.dtype(), shape: view.shape().to_vec(), strides: None, data: view.data() })
    };
    Ok(file.tensors().into_iter().map(stored).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(numbers: &[f32]) -> Vec<u8> {
        numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    fn read(shape: &[usize], strides: &[usize], data: &[u8]) -> Result<Vec<f32>, String> {
        let stored = Stored::strided(Dtype::F32, 4, shape.to_vec(), strides.to_vec(), data)?;
        let mut to = vec![0.0; shape.iter().product()];
        stored.convert(&mut to).map(|()| to).map_err(|why| why.to_string())
    }

    #[test]
    fn numbers_are_read_in_the_order_of_the_shape() {
        let data = bytes(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let cases: [(&[usize], &[usize], &[f32]); 8] = [
            (&[2, 1], &[5, usize::MAX], &[0.0, 5.0]),
            (&[2, 3], &[3, 1], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
            (&[3, 2], &[1, 3], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]),
            (&[3], &[2], &[0.0, 2.0, 4.0]),
            (&[2, 2], &[0, 5], &[0.0, 5.0, 0.0, 5.0]),
            (&[2, 1, 2], &[2, 100, 1], &[0.0, 1.0, 2.0, 3.0]),
            (&[], &[], &[0.0]),
            (&[0, 3], &[3, 1], &[]),
        ];
        for (shape, strides, want) in cases {
            assert_eq!(read(shape, strides, &data).unwrap(), want, "{shape:?} {strides:?}");
        }
    }

    #[test]
    fn what_the_file_does_not_back_is_refused() {
        let data = bytes(&[0.0; 6]);
        let huge = usize::MAX;
        let cases: [(&[usize], &[usize]); 6] =
            [(&[7], &[1]), (&[2], &[6]), (&[huge, 2], &[0, 0]), (&[2, 2], &[huge, huge]), (&[2], &[]), (&[huge], &[1])];
        for (shape, strides) in cases {
            assert!(Stored::strided(Dtype::F32, 4, shape.to_vec(), strides.to_vec(), &data).is_err(), "{shape:?}");
        }
        assert!(read(&[2], &[1], &bytes(&[1.0, f32::NAN])).unwrap_err().contains("NaN at place 1"));
    }
}

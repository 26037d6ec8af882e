//! Where a backward kernel puts a gradient, and whether something is there already.

/// What happens to what the buffer held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    Overwrite,
    /// The gradient is added: the value feeds more than one consumer.
    Add,
}

/// A gradient's buffer. Kernels add in `f32` and round once when storing.
#[derive(Debug)]
pub struct Grad<'a, T> {
    pub to: &'a mut [T],
    pub write: Write,
}

impl<'a, T> Grad<'a, T> {
    pub fn overwrite(to: &'a mut [T]) -> Self {
        Self { to, write: Write::Overwrite }
    }

    pub fn add(to: &'a mut [T]) -> Self {
        Self { to, write: Write::Add }
    }
}

impl Grad<'_, f32> {
    /// Stores or adds sums that were computed in `f64`.
    pub(super) fn put(self, values: impl Iterator<Item = f64>) {
        for (to, value) in self.to.iter_mut().zip(values) {
            *to = match self.write {
                Write::Overwrite => value as f32,
                Write::Add => (f64::from(*to) + value) as f32,
            };
        }
    }
}

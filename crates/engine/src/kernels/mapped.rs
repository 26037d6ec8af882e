//! Files as memory: read by the system when they are touched, and kept as long as it has room.

use std::fs::File;
use std::io;
use std::ops::Deref;

/// A file's bytes, without a copy of them.
///
/// The file must stay as it is while it is mapped: if another process cuts it, reading beyond its end ends this process. What is
/// mapped here is written once, whole, under another name, and renamed into place; who replaces it leaves this one alone.
pub struct Mapped(memmap2::Mmap);

impl Mapped {
    /// Maps all of a file.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the map is read-only, and the file is not changed in place (see above).
        unsafe { memmap2::Mmap::map(file) }.map(Self)
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_mapped_file_is_its_bytes_and_outlives_its_name() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..10_000u32).map(|i| (i * 7) as u8).collect();
        file.write_all(&bytes).unwrap();
        let mapped = Mapped::new(&file).unwrap();
        drop(file);
        assert_eq!(&mapped[..], bytes);
    }
}

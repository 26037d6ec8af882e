//! One IDX file, packed with gzip or not: a magic number (two bytes 0, the element type, the number of dimensions), each
//! dimension in four bytes, big-endian, and the elements, the last dimension running fastest.

use crate::DataError;
use crate::summary::hex;
use flate2::bufread::GzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes of the magic number and of each dimension.
const WORD: usize = 4;
/// The element type of bytes.
const BYTES: u8 = 8;

/// A file whose header is as it should be.
pub struct IdxFile {
    pub path: PathBuf,
    dimensions: Vec<usize>,
}

impl IdxFile {
    /// Checks the header, and of a file that is not packed the size, against `dimensions`.
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn check(path: PathBuf, dimensions: &[usize]) -> Result<Self, DataError> {
        let file = Self { path, dimensions: dimensions.to_vec() };
        let mut content = open(&file.path).map_err(DataError::io(&file.path, "read"))?;
        file.check_header(&mut content)?;
        if !is_packed(&file.path) {
            let found = file.path.metadata().map_err(DataError::io(&file.path, "read"))?.len();
            let expected = (file.header() + file.elements()) as u64;
            match found.checked_sub(expected) {
                Some(0) => {}
                Some(more) => return Err(file.malformed(expected, format!("{more} bytes too many"))),
                None => {
                    let problem = format!("the file ends, {} bytes too early", expected - found);
                    return Err(file.malformed(found, problem));
                }
            }
        }
        Ok(file)
    }

    /// The elements. No more memory is taken than the expected dimensions ask for, whatever the file holds.
    ///
    /// # Errors
    /// When they are too few or too many, or gzip's own checksum does not fit.
    pub fn read(&self) -> Result<Vec<u8>, DataError> {
        let mut elements = Vec::with_capacity(self.elements());
        self.pass(|part| elements.extend_from_slice(part))?;
        Ok(elements)
    }

    /// Makes sure that a packed file is whole, which only unpacking it tells: as [`read`](Self::read), but nothing is kept.
    ///
    /// # Errors
    /// As those of `read`.
    pub fn check_packed(&self) -> Result<(), DataError> {
        if is_packed(&self.path) { self.pass(|_| ()) } else { Ok(()) }
    }

    /// Gives all elements, part by part, to `take`.
    fn pass(&self, mut take: impl FnMut(&[u8])) -> Result<(), DataError> {
        let mut content = open(&self.path).map_err(DataError::io(&self.path, "read"))?;
        self.check_header(&mut content)?;
        let (mut buffer, mut left) = (vec![0; 1 << 16], self.elements());
        while left > 0 {
            let room = buffer.len().min(left);
            let reached = (self.header() + self.elements() - left) as u64;
            match content.read(&mut buffer[..room]) {
                Ok(0) => return Err(self.malformed(reached, format!("the content ends, {left} bytes too early"))),
                Ok(len) => {
                    take(&buffer[..len]);
                    left -= len;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.broken(reached, &e)),
            }
        }
        let end = (self.header() + self.elements()) as u64;
        // Only the end of the stream tells that gzip's checksum is right, and that nothing follows.
        match content.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.malformed(end, "the content goes on where it should end")),
            Err(e) => Err(self.broken(end, &e)),
        }
    }

    /// Bytes of the header.
    pub fn header(&self) -> usize {
        WORD * (1 + self.dimensions.len())
    }

    fn elements(&self) -> usize {
        self.dimensions.iter().product()
    }

    fn check_header(&self, content: &mut impl Read) -> Result<(), DataError> {
        let mut header = Vec::new();
        let result = content.by_ref().take(self.header() as u64).read_to_end(&mut header);
        result.map_err(|e| self.broken(header.len() as u64, &e))?;
        if header.len() < self.header() {
            let problem = format!("the file ends in its header of {} bytes", self.header());
            return Err(self.malformed(header.len() as u64, problem));
        }
        let magic = [0, 0, BYTES, self.dimensions.len() as u8];
        if header[..WORD] != magic {
            let problem = format!("magic number 0x{}, expected 0x{}", hex(&header[..WORD]), hex(&magic));
            return Err(self.malformed(0, problem));
        }
        for (k, (word, expected)) in header[WORD..].chunks_exact(WORD).zip(&self.dimensions).enumerate() {
            let found = word.iter().fold(0usize, |number, byte| number << 8 | usize::from(*byte));
            if found != *expected {
                let problem = format!("dimension {k} is {found}, expected {expected}");
                return Err(self.malformed((WORD * (1 + k)) as u64, problem));
            }
        }
        Ok(())
    }

    fn malformed(&self, offset: u64, problem: impl Into<String>) -> DataError {
        let unpacked = if is_packed(&self.path) { " (counted after unpacking)" } else { "" };
        DataError::Malformed { file: self.path.clone(), offset, problem: problem.into() + unpacked }
    }

    /// What gzip or the system says in the middle of the file.
    fn broken(&self, offset: u64, error: &io::Error) -> DataError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.malformed(offset, "the gzip stream breaks off"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                self.malformed(offset, format!("the gzip stream is corrupt: {error}"))
            }
            _ => DataError::io(&self.path, "read")(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

pub fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// The content, unpacked where it is packed.
pub fn open(path: &Path) -> io::Result<Content> {
    let file = BufReader::new(File::open(path)?);
    Ok(if is_packed(path) { Content::Packed(Box::new(GzDecoder::new(file))) } else { Content::Plain(file) })
}

/// A file that is being read.
pub enum Content {
    Plain(BufReader<File>),
    Packed(Box<GzDecoder<BufReader<File>>>),
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Packed(stream) => match stream.read(buffer)? {
                // What follows the packed stream belongs to the content as little as it would in a plain file.
                0 if !buffer.is_empty() => match stream.get_mut().read(&mut [0])? {
                    0 => Ok(0),
                    _ => Err(io::Error::new(io::ErrorKind::InvalidData, "bytes follow its end")),
                },
                len => Ok(len),
            },
        }
    }
}

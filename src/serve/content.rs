//! What is sent: bytes that are there, or a file, read as the client takes it.

use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

/// So much of a file is read at a time: what a client costs in memory.
const PIECE: u64 = 1 << 16;

/// The body of a response.
pub enum Content {
    Bytes(Bytes),
    File { file: File, left: u64 },
}

impl Content {
    pub fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }

    pub fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { left, .. } => *left,
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &mut *self {
            Self::Bytes(bytes) => Ok(std::mem::take(bytes)),
            Self::File { file, left } => read(file, left),
        };
        Poll::Ready(match piece {
            Ok(piece) if piece.is_empty() => None,
            piece => Some(piece.map(Frame::data)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.length() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length())
    }
}

/// The next piece of a file; an error where it has become shorter than was said.
fn read(file: &mut File, left: &mut u64) -> io::Result<Bytes> {
    let mut piece = vec![0; PIECE.min(*left) as usize];
    file.read_exact(&mut piece)?;
    *left -= piece.len() as u64;
    Ok(piece.into())
}

//! The secret that a server on other addresses than this machine's own asks for.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq as _;

/// Shorter ones could be guessed.
const SHORTEST: usize = 16;

/// A secret text. Only its digest is kept, so that neither messages nor comparing give it away.
#[derive(Clone, Debug)]
pub struct Token([u8; 32]);

/// A text that is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("cannot read the token {}: {cause}; write one there, such as `head -c 24 /dev/urandom | base64`", path.display())]
    Unreadable { path: PathBuf, cause: std::io::Error },
    #[error(
        "the token is too short: give at least {SHORTEST} characters, such as `head -c 24 /dev/urandom | base64` prints"
    )]
    Short,
    #[error("the token has characters other than letters, digits and `-._~+/=`, which addresses and headers can carry")]
    Characters,
}

impl Token {
    /// The token on the first line of a file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |cause| TokenError::Unreadable { path: path.to_owned(), cause };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::new(text.lines().next().unwrap_or_default().trim())
    }

    /// # Errors
    /// When the text is too short, or has characters that a header cannot carry.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        if text.len() < SHORTEST {
            return Err(TokenError::Short);
        }
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"-._~+/=".contains(&c);
        if !text.bytes().all(plain) {
            return Err(TokenError::Characters);
        }
        Ok(Self(Sha256::digest(text).into()))
    }

    /// Whether that is it, in a time that does not depend on how much of it is right.
    pub fn is(&self, text: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(text).into();
        self.0.ct_eq(&digest).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_plain_and_compared_whole() {
        let token = Token::new("0123456789abcdef+/==").unwrap();
        assert!(token.is("0123456789abcdef+/=="));
        for wrong in ["", "0123456789abcdef+/=", "0123456789abcdef+/==x", "1123456789abcdef+/=="] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert!(matches!(Token::new("0123456789abcde"), Err(TokenError::Short)));
        for odd in ["0123456789abcde;f", "0123456789abcde f", "0123456789abcdé", "0123456789abcdef\n0"] {
            assert!(matches!(Token::new(odd), Err(TokenError::Characters)), "{odd}");
        }
        let error = Token::read(Path::new("absent")).unwrap_err().to_string();
        assert!(error.contains("absent") && error.contains("urandom"), "{error}");
    }
}

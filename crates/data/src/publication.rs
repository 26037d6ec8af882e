//! A set's files as they are published: what to download from where, and how to know that it is right.

/// The downloads that make a set's folder.
///
/// The lifetime lets a test publish what it has just made; the sets' own are `'static`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Publication<'a> {
    /// The folder that the set's files lie in, under the data folder.
    pub folder: &'a str,
    pub downloads: &'a [Download<'a>],
}

/// One published file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Download<'a> {
    /// Its name, by which any mirror of the publisher's folder has it.
    pub file: &'a str,
    /// URLs of the folders that hold it, without a final `/`; tried in this order.
    pub mirrors: &'a [&'a str],
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: &'a str,
    pub form: Form<'a>,
}

/// What becomes of a download.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form<'a> {
    /// Kept as it is, under its name.
    Plain,
    /// A packed folder, of which these files are kept and no others.
    TarGz {
        /// The folder that the archive holds.
        folder: &'a str,
        files: &'a [&'a str],
    },
}

impl Publication<'_> {
    /// Bytes to download, in all.
    pub fn bytes(&self) -> u64 {
        self.downloads.iter().map(|download| download.bytes).sum()
    }
}

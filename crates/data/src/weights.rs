//! Weights of nets trained on ImageNet, as torchvision publishes them: what `runner data fetch NAME-weights` brings.

use super::DataError;
use super::fetch::checksum;
use super::publication::{Download, Form, Publication};
use std::fs;
use std::path::{Path, PathBuf};

/// The one file of a net's weights. The lifetime is that of [`Publication`].
#[derive(Clone, Copy, Debug)]
pub struct PublishedWeights<'a> {
    /// What to fetch them by.
    pub name: &'a str,
    /// The backbone that they are of.
    pub backbone: &'a str,
    pub publication: Publication<'a>,
}

const MIRRORS: &[&str] = &["https://download.pytorch.org/models"];

/// Torchvision's `IMAGENET1K_V1` weights of a backbone.
macro_rules! published {
    ($backbone:literal, $file:literal, $bytes:literal, $sha256:literal) => {
        PublishedWeights {
            name: concat!($backbone, "-weights"),
            backbone: $backbone,
            publication: Publication {
                folder: concat!($backbone, "-weights"),
                downloads: &[Download {
                    file: $file,
                    mirrors: MIRRORS,
                    bytes: $bytes,
                    sha256: $sha256,
                    form: Form::Plain,
                }],
            },
        }
    };
}

/// By name.
///
/// Torchvision itself states the first eight digits of the checksum, in the file's name. Sizes and whole checksums are those
/// that others found of the files: of VGG LibreYOLO (`docs/provenance/vgg.md`), of the ResNets' checksums bunsen
/// (github.com/zspacelabs/bunsen), and of both several lists that agree. What was nowhere to be found whole is not here:
/// VGG-11 and VGG-13, and the sizes of ResNet-101 and ResNet-152.
pub const PUBLISHED: &[PublishedWeights<'static>] = &[
    published!(
        "vgg16",
        "vgg16-397923af.pth",
        553_433_881,
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
    ),
    published!(
        "vgg16-bn",
        "vgg16_bn-6c64b313.pth",
        553_507_836,
        "6c64b3138f2f4fcb3bcc4cafde11619c4f440eb1631787e93a682fd88305888a"
    ),
    published!(
        "vgg19",
        "vgg19-dcbb9e9d.pth",
        574_673_361,
        "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44"
    ),
    published!(
        "vgg19-bn",
        "vgg19_bn-c79401a0.pth",
        574_769_405,
        "c79401a0cf3cb42714e4182f5868c7a6f4f4534f5df9e956e2bb2098de41cbb6"
    ),
    published!(
        "resnet18",
        "resnet18-f37072fd.pth",
        46_830_571,
        "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"
    ),
    published!(
        "resnet34",
        "resnet34-b627a593.pth",
        87_319_819,
        "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f"
    ),
    published!(
        "resnet50",
        "resnet50-0676ba61.pth",
        102_530_333,
        "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a"
    ),
];

impl<'a> PublishedWeights<'a> {
    fn download(&self) -> &Download<'a> {
        &self.publication.downloads[0]
    }

    /// Where the file is, or will be.
    pub fn path(&self, root: &Path) -> PathBuf {
        root.join(self.publication.folder).join(self.download().file)
    }

    /// Whether the file is there. `whole`: its bytes are looked at, which takes a second or two; else its length alone.
    ///
    /// # Errors
    /// When another file is in its place, or it cannot be read.
    pub fn is_in(&self, root: &Path, whole: bool) -> Result<bool, DataError> {
        let (path, download) = (self.path(root), self.download());
        let Ok(about) = fs::metadata(&path) else { return Ok(false) };
        let problem = if about.len() != download.bytes {
            format!("it has {} bytes, and the published file {}", about.len(), download.bytes)
        } else if whole && checksum(&path)? != download.sha256 {
            "its bytes are not those of the published file".to_owned()
        } else {
            return Ok(true);
        };
        let folder = path.parent().unwrap_or(root).display();
        let remedy = format!("move {folder} away to have it fetched again");
        Err(DataError::Unusable { path: path.clone(), problem, remedy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The only part of a checksum that torchvision states itself.
    #[test]
    fn checksums_begin_as_the_names_say() {
        for weights in PUBLISHED {
            let Download { file, sha256, .. } = weights.download();
            let stated = file.strip_suffix(".pth").and_then(|file| file.rsplit('-').next()).unwrap();
            assert!(stated.len() == 8 && sha256.len() == 64 && sha256.starts_with(stated), "{file}");
            assert_eq!(weights.name, format!("{}-weights", weights.backbone));
        }
    }
}

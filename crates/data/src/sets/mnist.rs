//! MNIST: handwritten digits, in the official IDX files.

use super::SetEntry;
use super::idx::IdxSet;
use crate::publication::{Download, Form, Publication};
use crate::registry::Entry;

pub static ENTRY: SetEntry = Entry {
    name: "mnist",
    summary: "70,000 handwritten digits, grey, 28×28, in the official IDX files",
    cite: "LeCun, Bottou, Bengio, Haffner 1998, Gradient-Based Learning Applied to Document Recognition",
    params: &[],
    shorthand: None,
    make: |_| Box::new(SET),
};

const SET: IdxSet = IdxSet {
    name: "mnist",
    publication: &PUBLICATION,
    // As torchvision lays them out.
    other_folders: &["MNIST/raw"],
    class_names: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    images: [60_000, 10_000],
};

const MIRRORS: &[&str] =
    &["https://storage.googleapis.com/cvdf-datasets/mnist", "https://ossci-datasets.s3.amazonaws.com/mnist"];

/// Bytes and checksums as TensorFlow Datasets has them; the mirrors are those of TensorFlow and of torchvision.
static PUBLICATION: Publication<'static> = Publication {
    folder: "mnist",
    downloads: &[
        Download {
            file: "train-images-idx3-ubyte.gz",
            mirrors: MIRRORS,
            bytes: 9_912_422,
            sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            form: Form::Plain,
        },
        Download {
            file: "train-labels-idx1-ubyte.gz",
            mirrors: MIRRORS,
            bytes: 28_881,
            sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            form: Form::Plain,
        },
        Download {
            file: "t10k-images-idx3-ubyte.gz",
            mirrors: MIRRORS,
            bytes: 1_648_877,
            sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            form: Form::Plain,
        },
        Download {
            file: "t10k-labels-idx1-ubyte.gz",
            mirrors: MIRRORS,
            bytes: 4_542,
            sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            form: Form::Plain,
        },
    ],
};

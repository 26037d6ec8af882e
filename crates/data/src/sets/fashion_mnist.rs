//! Fashion-MNIST: pieces of clothing, in IDX files of MNIST's names and sizes.

use super::SetEntry;
use super::idx::IdxSet;
use crate::publication::{Download, Form, Publication};
use crate::registry::Entry;

pub static ENTRY: SetEntry = Entry {
    name: "fashion-mnist",
    summary: "70,000 pieces of clothing, grey, 28×28, in the official IDX files",
    cite: "Xiao, Rasul, Vollgraf 2017, Fashion-MNIST (arXiv:1708.07747)",
    params: &[],
    shorthand: None,
    make: |_| Box::new(SET),
};

const SET: IdxSet = IdxSet {
    name: "fashion-mnist",
    publication: &PUBLICATION,
    // As torchvision lays them out.
    other_folders: &["FashionMNIST/raw"],
    class_names: &[
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    images: [60_000, 10_000],
};

const MIRRORS: &[&str] = &[
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
];

/// Bytes and checksums as TensorFlow Datasets has them; the last mirror is Keras's.
static PUBLICATION: Publication<'static> = Publication {
    folder: "fashion-mnist",
    downloads: &[
        Download {
            file: "train-images-idx3-ubyte.gz",
            mirrors: MIRRORS,
            bytes: 26_421_880,
            sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            form: Form::Plain,
        },
        Download {
            file: "train-labels-idx1-ubyte.gz",
            mirrors: MIRRORS,
            bytes: 29_515,
            sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            form: Form::Plain,
        },
        Download {
            file: "t10k-images-idx3-ubyte.gz",
            mirrors: MIRRORS,
            bytes: 4_422_102,
            sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            form: Form::Plain,
        },
        Download {
            file: "t10k-labels-idx1-ubyte.gz",
            mirrors: MIRRORS,
            bytes: 5_148,
            sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            form: Form::Plain,
        },
    ],
};

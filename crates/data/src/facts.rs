/// What a plan needs to know of a data set.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Facts {
    /// The set's name, as records give it.
    pub name: String,
    pub train_images: usize,
    pub val_images: usize,
    pub classes: usize,
    pub channels: usize,
    /// Native side of the images.
    pub size: usize,
    /// Where the figures come from.
    pub source: FactsSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactsSource {
    /// Counted in the files.
    Data,
    /// Of a set that is drawn in memory.
    Drawn,
    /// `[data] train_images, val_images, classes`.
    File,
    /// The set's official figures.
    Official,
    /// The stand-in's.
    StandIn,
}

//! An NVIDIA GPU, by its driver.

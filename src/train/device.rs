//! What an experiment asks of the device that it computes on, and what its records keep of that device.

use super::checkpoint;
use crate::config::spec::{Precision, Spec};
use crate::gpu::device::{Choice, Key};
use crate::gpu::ops::conv::{Direction, Shape};
use crate::gpu::{DType, Device, Error};
use crate::nn::Compute;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Whether the device has too little memory.
pub fn is_out_of_memory(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::OutOfMemory { .. }))
}

/// Has the device compute as `[train]` asks: with `f32` as such or as TF32, with all algorithms or the deterministic
/// ones alone. To be called once, before anything of the experiment is computed: work that the device has recorded
/// until then is run no more. The CPU takes no such orders.
pub fn set_up(compute: &Compute, spec: &Spec) {
    if let Some(device) = &compute.device {
        device.set_strict(spec.train.precision == Precision::F32Strict);
        device.set_deterministic(spec.train.deterministic);
    }
}

/// What a person should know of the device, such as libraries that are missing.
pub fn remarks(compute: &Compute) -> &[String] {
    match &compute.device {
        Some(device) => &device.facts().remarks,
        None => &[],
    }
}

/// The device as its maker calls it, and the versions of its driver and libraries; of the CPU nothing.
pub fn name_and_versions(compute: &Compute) -> (Option<String>, BTreeMap<String, String>) {
    let Some(device) = &compute.device else { return (None, BTreeMap::new()) };
    let facts = device.facts();
    (Some(facts.name.clone()), facts.versions.iter().cloned().collect())
}

/// The algorithm that a device's library makes a convolution with, as a checkpoint holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Algorithm {
    #[serde(with = "WrittenKey")]
    convolution: Key,
    /// A [`Choice`] as text.
    engine: String,
    /// The device and the library that know it by that text: see [`maker`].
    by: String,
}

/// `NVIDIA H200, cudnn 9.26.0`
fn maker(device: &Device) -> String {
    let facts = device.facts();
    let library = facts.versions.iter().find(|(name, _)| name == "cudnn");
    let library = library.map(|(name, version)| format!(", {name} {version}")).unwrap_or_default();
    format!("{}{library}", facts.name)
}

/// The algorithms that were chosen for convolutions so far, which differ from run to run where they are chosen by
/// measurement. The CPU has none.
pub fn algorithms(compute: &Compute) -> Vec<Algorithm> {
    let Some(device) = &compute.device else { return Vec::new() };
    let by = maker(device);
    let written =
        |(convolution, choice): (Key, Choice)| Algorithm { convolution, engine: choice.to_string(), by: by.clone() };
    device.algorithms().into_iter().map(written).collect()
}

/// Has the device choose the algorithms that a checkpoint holds, so that the run goes on as it would have without an
/// interruption. The CPU has no choice.
///
/// # Errors
/// When the checkpoint cannot be read or is damaged.
pub fn choose_again(compute: &Compute, checkpoint: &Path) -> anyhow::Result<()> {
    if let Some(device) = &compute.device {
        let chosen = checkpoint::algorithms(checkpoint)?;
        // To another card or version of the library they may mean something else: it chooses anew.
        let by = maker(device);
        let chosen: Vec<(Key, Choice)> = chosen
            .iter()
            .filter(|algorithm| algorithm.by == by)
            .filter_map(|algorithm| Some((algorithm.convolution, algorithm.engine.parse().ok()?)))
            .collect();
        device.set_algorithms(&chosen);
    }
    Ok(())
}

/// How [`Key`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Key")]
struct WrittenKey {
    #[serde(with = "WrittenDirection")]
    direction: Direction,
    #[serde(with = "WrittenType")]
    dtype: DType,
    #[serde(with = "WrittenShape")]
    shape: Shape,
    add: bool,
    strict: bool,
    deterministic: bool,
}

/// How [`Direction`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Direction", rename_all = "kebab-case")]
enum WrittenDirection {
    Forward,
    BackwardData,
    BackwardWeight,
}

/// How [`DType`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "DType", rename_all = "lowercase")]
enum WrittenType {
    F32,
    Bf16,
    F16,
    U8,
    U32,
}

/// How [`Shape`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Shape")]
struct WrittenShape {
    images: usize,
    input: [usize; 2],
    output: [usize; 2],
    cin: usize,
    cout: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::gpu::device::Order;
    use crate::kernels::Isa;

    /// Some that a card may have chosen.
    pub fn algorithms() -> Vec<Algorithm> {
        let shape = Shape {
            images: 128,
            input: [32, 30],
            output: [16, 15],
            cin: 64,
            cout: 128,
            kernel: [3, 1],
            stride: [2, 2],
            padding: [1, 0],
            dilation: [1, 1],
            groups: 1,
        };
        [
            (Direction::Forward, DType::F32, "28"),
            (Direction::BackwardData, DType::Bf16, "67:2=4,13=0"),
            (Direction::BackwardWeight, DType::F16, "65:28=3"),
        ]
        .into_iter()
        .map(|(direction, dtype, engine)| Algorithm {
            convolution: Key { direction, dtype, shape, add: false, strict: dtype == DType::F32, deterministic: true },
            engine: engine.to_owned(),
            by: "NVIDIA H200, cudnn 9.26.0".to_owned(),
        })
        .collect()
    }

    #[test]
    fn algorithms_are_written_in_words() {
        let chosen = algorithms();
        let text = serde_json::to_string(&chosen).unwrap();
        assert!(
            text.starts_with(r#"[{"convolution":{"direction":"forward","dtype":"f32","shape":{"images":128,"#),
            "{text}"
        );
        assert!(text.contains(r#""add":false,"strict":false,"deterministic":true},"engine":"67:2=4,13=0","by":"NVIDIA H200, cudnn 9.26.0"}"#), "{text}");
        assert_eq!(serde_json::from_str::<Vec<Algorithm>>(&text).unwrap(), chosen);
    }

    #[test]
    fn the_cpu_has_nothing_to_say_and_a_device_its_name() {
        let cpu = Compute::from(Isa::Portable);
        assert_eq!(name_and_versions(&cpu), (None, BTreeMap::new()));
        assert!(remarks(&cpu).is_empty() && super::algorithms(&cpu).is_empty());
        choose_again(&cpu, Path::new("there is no such file")).unwrap();
        let emulated = Compute { isa: Isa::Portable, device: Some(Device::emulated(Order::Ascending)) };
        let (name, versions) = name_and_versions(&emulated);
        assert!(
            name.is_some_and(|name| !name.is_empty()) && versions.is_empty() && super::algorithms(&emulated).is_empty()
        );
        assert!(choose_again(&emulated, Path::new("there is no such file")).is_err());
    }
}

use super::device::Slot;
use super::orthogonalise::{Room, Sides};
use super::sum::Sum;
use super::{
    Applied, Closure, DeviceFlat, Flat, Hypers, MOMENTUM, Optimizer, OptimizerEntry, Segment, State, StateError, pass,
};
use crate::kernels::reduce;
use crate::registry::{Default, Entry, Kind, Param, Settings};
use half::bf16;
use runner_gpu::ops::optim as gpu;
use runner_gpu::ops::optim::muon::Matrices;
use runner_gpu::{Buffer, DType};

pub static ENTRY: OptimizerEntry = Entry {
    name: "muon",
    summary: "momentum made orthogonal, matrix by matrix: every direction gets a step of about one length; for matrices alone",
    cite: "Jordan et al. 2024 (kellerjordan.github.io/posts/muon); PyTorch's torch.optim.Muon",
    params: &[
        Param {
            key: "iterations",
            kind: Kind::Int { min: 1, max: 99 },
            default: Default::Toml("5"),
            doc: "Newton–Schulz iterations a step: more of them make singular values more equal",
        },
        Param {
            key: "nesterov",
            kind: Kind::Bool,
            default: Default::Toml("true"),
            doc: "look ahead along the momentum",
        },
        Param {
            key: "scale",
            kind: Kind::Word(&["none", "original", "match-rms-adamw"]),
            default: Default::Toml("\"original\""),
            doc: "factor on the step of a matrix of R rows, its output channels, and C columns: none; √max(1, R/C); or \
                  0.2·√max(R, C), with which the rates and decays of adamw do",
        },
        Param {
            key: "renormalise",
            kind: Kind::Bool,
            default: Default::Toml("false"),
            doc: "scale the weights of a matrix of R rows to norm √R before each step; for those that a norm follows",
        },
        Param {
            key: "precision",
            kind: Kind::Word(&["bf16", "f32"]),
            default: Default::Toml("\"bf16\""),
            doc: "number format of what the iterations multiply; their sums are f32",
        },
    ],
    shorthand: None,
    make: |settings, len| Box::new(Muon::new(settings, len)),
};

/// Muon on matrices `p` of `R` rows, the output channels, and `C` columns, all other axes flattened:
///
/// ```text
/// b ← m·b + g                          (b = 0 at first)
/// u = orthogonal(g + m·b)              (Nesterov; else orthogonal(b)), by Newton–Schulz
/// p ← √R/‖p‖ · p                       (renormalise)
/// p ← (1 − lr·wd)·p − lr·s·u           s = 1, √max(1, R/C) or 0.2·√max(R, C)
/// ```
///
/// PyTorch's keeps `b` as a mean, `b ← m·b + (1 − m)·g`: made orthogonal, the two are the same while `m` stays the same.
struct Muon {
    iterations: usize,
    nesterov: bool,
    scale: Scale,
    renormalise: bool,
    products: Products,
    used: Option<Applied>,
    momentum: Slot,
    sum: Sum,
    /// Made at the first step on a device.
    on_device: Option<OnDevice>,
}

/// The matrices on a device, with memory for their products.
struct OnDevice {
    matrices: Matrices,
    floats: Buffer,
    operands: Buffer,
}

/// What a step is multiplied by for its matrix's sides.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    None,
    Original,
    MatchRmsAdamW,
}

impl Scale {
    fn of(word: &str) -> Self {
        match word {
            "none" => Self::None,
            "original" => Self::Original,
            "match-rms-adamw" => Self::MatchRmsAdamW,
            other => unreachable!("`{other}` is not a scale"),
        }
    }

    fn factor(self, sides: Sides) -> f64 {
        let (rows, cols) = (sides.rows as f64, sides.cols as f64);
        match self {
            Self::None => 1.0,
            Self::Original => (rows / cols).max(1.0).sqrt(),
            Self::MatchRmsAdamW => 0.2 * rows.max(cols).sqrt(),
        }
    }
}

/// Room for the products, in the precision of their operands.
enum Products {
    F32(Room<f32>),
    Bf16(Room<bf16>),
}

impl Muon {
    fn new(settings: &Settings, len: usize) -> Self {
        Self {
            iterations: settings.usize("iterations"),
            nesterov: settings.bool("nesterov"),
            scale: Scale::of(&settings.text("scale")),
            renormalise: settings.bool("renormalise"),
            products: match settings.text("precision").as_str() {
                "f32" => Products::F32(Room::default()),
                _ => Products::Bf16(Room::default()),
            },
            used: None,
            momentum: Slot::zeros(len),
            sum: Sum::default(),
            on_device: None,
        }
    }
}

impl OnDevice {
    fn new(flat: &DeviceFlat<'_>, scale: Scale, products: &Products) -> Result<Self, runner_gpu::Error> {
        let matrix = |segment: &Segment| {
            let sides = Sides::of(&segment.shape).expect("Muon is given what it takes");
            gpu::muon::Matrix { range: segment.range.clone(), rows: sides.rows, scale: scale.factor(sides) }
        };
        let matrices = Matrices::new(flat.device, &flat.segments.iter().map(matrix).collect::<Vec<_>>())?;
        let operands = match products {
            Products::F32(_) => DType::F32,
            Products::Bf16(_) => DType::Bf16,
        };
        Ok(Self {
            floats: flat.device.allocate(DType::F32, matrices.floats_len())?,
            operands: flat.device.allocate(operands, matrices.operands_len())?,
            matrices,
        })
    }
}

impl Optimizer for Muon {
    fn step(&mut self, mut flat: Flat<'_>, hypers: &Hypers, _closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let used = *self.used.insert(Applied::of(hypers));
        let (nesterov, m, keep) = (self.nesterov, used.momentum as f32, self.sum.step(used.momentum, 1.0));
        // The gradient becomes what is to be made orthogonal.
        pass::run(flat.again(), [self.momentum.host_mut()], |part| {
            let [momentum] = part.buffers;
            for (g, b) in part.grads.iter_mut().zip(momentum) {
                *b = keep * *b + *g;
                *g = if nesterov { *g + m * *b } else { *b };
            }
        });
        let Flat { params, grads, segments, isa, .. } = flat;
        for segment in segments {
            let sides = Sides::of(&segment.shape).expect("Muon is given what it takes");
            let (matrix, params) = (&grads[segment.range.clone()], &mut params[segment.range.clone()]);
            let orthogonal = match &mut self.products {
                Products::F32(room) => room.orthogonalise(isa, matrix, sides, self.iterations),
                Products::Bf16(room) => room.orthogonalise(isa, matrix, sides, self.iterations),
            };
            let norm = if self.renormalise { reduce::norm(isa, params) } else { 0.0 };
            // Weights that are all zero have no direction to keep.
            let to_norm = if norm > 0.0 { (sides.rows as f64).sqrt() / norm } else { 1.0 };
            let keep = (to_norm * (1.0 - used.shared_lr() * used.weight_decay)) as f32;
            let lr = (used.shared_lr() * self.scale.factor(sides)) as f32;
            orthogonal.update(params, |p, u| *p = keep * *p - lr * u);
        }
        Ok(())
    }

    fn takes(&self, shape: &[usize]) -> bool {
        Sides::of(shape).is_some()
    }

    fn has_kernels(&self) -> bool {
        true
    }

    fn step_on_device(&mut self, flat: DeviceFlat<'_>, hypers: &Hypers) -> Result<(), runner_gpu::Error> {
        let used = *self.used.insert(Applied::of(hypers));
        let factors = gpu::muon::Factors {
            lr: used.shared_lr(),
            weight_decay: used.weight_decay,
            keep_momentum: self.sum.step(used.momentum, 1.0),
            momentum: used.momentum as f32,
            nesterov: self.nesterov,
            iterations: self.iterations,
            renormalise: self.renormalise,
        };
        let DeviceFlat { device, params, grads, .. } = flat;
        let OnDevice { matrices, floats, operands } = match &mut self.on_device {
            Some(there) => there,
            none => none.insert(OnDevice::new(&flat, self.scale, &self.products)?),
        };
        let scratch = gpu::muon::Scratch { floats: floats.view(), operands: operands.view() };
        gpu::muon::step(device, matrices, &factors, params, grads, self.momentum.on(device)?, scratch)
    }

    fn home(&mut self) -> Result<(), runner_gpu::Error> {
        self.momentum.home()
    }

    fn applied(&self) -> Option<Applied> {
        self.used
    }

    fn state(&self) -> State {
        State::of([(MOMENTUM, self.momentum.host())]).with_counters(self.sum.counters())
    }

    fn load(&mut self, state: State) -> Result<(), StateError> {
        self.sum = Sum::load(state, [(MOMENTUM, self.momentum.host_mut())])?;
        Ok(())
    }

    fn momentum(&self) -> Option<Vec<f32>> {
        let to_mean = self.sum.to_mean();
        Some(self.momentum.host().iter().map(|b| b * to_mean).collect())
    }

    fn carry(&mut self, momentum: Vec<f32>) {
        (*self.momentum.host_mut(), self.sum) = (momentum, Sum::of_mean());
    }
}

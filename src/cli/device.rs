//! `--device`.

use super::exit::Failure;
use crate::gpu::Device;
use crate::gpu::device::Order;
use crate::kernels::Isa;
use crate::nn::Compute;
use std::fmt;
use std::str::FromStr;

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU where this program was built for GPUs and finds one, else the CPU; a run that is taken up: where it was.
    #[default]
    Auto,
    Cpu,
    Cuda(usize),
    /// The kernels for GPUs, run by the CPU: for tests. `emulated:N` has N bytes of memory.
    Emulated(Option<u64>),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "emulated" => Ok(Self::Emulated(None)),
            word => {
                match (word.strip_prefix("cuda:").map(str::parse), word.strip_prefix("emulated:").map(str::parse)) {
                    (Some(Ok(ordinal)), _) => Ok(Self::Cuda(ordinal)),
                    (_, Some(Ok(bytes))) => Ok(Self::Emulated(Some(bytes))),
                    _ => Err("known are auto, cpu, cuda and cuda:N, of which N counts GPUs from 0".to_owned()),
                }
            }
        }
    }
}

/// As the command line takes it.
impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
            Self::Emulated(None) => f.write_str("emulated"),
            Self::Emulated(Some(bytes)) => write!(f, "emulated:{bytes}"),
        }
    }
}

impl DeviceChoice {
    /// What it comes to for a task: pictures are painted on the CPU, so for them `auto` is the CPU.
    pub fn for_task(self, paints: bool) -> Self {
        if paints && self == Self::Auto { Self::Cpu } else { self }
    }

    /// The device, of which what runs on the CPU uses that instruction set.
    ///
    /// # Errors
    /// When a GPU is asked for and there is none, or what it needs is missing.
    pub fn compute(self, isa: Isa) -> Result<Compute, Failure> {
        let device = match self {
            Self::Cpu => None,
            Self::Auto => match Device::cuda(0) {
                Ok(device) => Some(device),
                // A GPU that is there but cannot be used is said so, lest a run take hours that was to take minutes.
                Err(error) if error.is_without_gpu() => None,
                Err(error) => return Err(Failure::Usage(format!("{error}\nhelp: `--device cpu` does without"))),
            },
            Self::Cuda(ordinal) => Some(Device::cuda(ordinal).map_err(|error| Failure::Usage(error.to_string()))?),
            Self::Emulated(memory) => Some(Device::emulated_with(Order::Ascending, memory.unwrap_or(u64::MAX))),
        };
        Ok(Compute { isa, device })
    }

    /// The same for a run that was begun on the device of that name.
    ///
    /// # Errors
    /// As [`compute`](Self::compute).
    pub fn compute_again(self, isa: Isa, recorded: &str) -> Result<Compute, Failure> {
        if self != Self::Auto {
            return self.compute(isa);
        }
        let there = recorded.parse::<Self>().map_err(|_| Failure::Usage(format!("no device is `{recorded}`")))?;
        there.compute(isa).map_err(|failure| match failure {
            Failure::Usage(why) => Failure::Usage(format!(
                "the run was begun on {recorded}, which cannot be used: {why}\nhelp: `--device cpu` goes on with it on the \
                 CPU, with other last digits"
            )),
            other => other,
        })
    }

    /// The same for what only looks at a run that was trained on the device of that name: where that one cannot be used, the CPU
    /// will do. `done`: what becomes of the run here, as `evaluated`; where it is on another device, `notices` gets to know.
    ///
    /// # Errors
    /// As [`compute`](Self::compute), of a device that is asked for.
    pub fn compute_to_look(
        self,
        isa: Isa,
        recorded: &str,
        done: &str,
        notices: &mut Vec<String>,
    ) -> Result<Compute, Failure> {
        let (compute, why) = match (self, recorded.parse::<Self>()) {
            (Self::Auto, Ok(there)) => match there.compute(isa) {
                Ok(compute) => (compute, None),
                Err(Failure::Usage(why)) => (isa.into(), Some(why)),
                Err(other) => return Err(other),
            },
            (Self::Auto, Err(_)) => (isa.into(), Some(format!("no device is `{recorded}`"))),
            (asked, _) => (asked.compute(isa)?, None),
        };
        if compute.name() != recorded {
            let why = why.map_or_else(String::new, |why| format!("\n{recorded} cannot be used here: {why}"));
            notices.push(format!(
                "the run was trained on {recorded} and is {done} on {}: the figures may differ in the last digits{why}",
                compute.name()
            ));
        }
        Ok(compute)
    }
}

/// `RUNNER_ISA`, or the last set that this machine has.
///
/// # Errors
/// When `RUNNER_ISA` names none, or one that this machine lacks.
pub fn instruction_set() -> Result<Isa, Failure> {
    Isa::detect().map_err(|e| Failure::Usage(e.to_string()))
}

/// What to say where a run goes on elsewhere than it was begun.
pub fn other_device(compute: &Compute, recorded: &str) -> Option<String> {
    (compute.name() != recorded).then(|| {
        format!(
            "the run was begun on {recorded} and goes on on {}: its numbers will differ from those of an uninterrupted run",
            compute.name()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names() {
        let parsed = |word: &str| word.parse::<DeviceChoice>();
        assert_eq!(parsed("cuda"), Ok(DeviceChoice::Cuda(0)));
        assert_eq!(parsed("cuda:3"), Ok(DeviceChoice::Cuda(3)));
        assert_eq!(parsed("cpu"), Ok(DeviceChoice::Cpu));
        assert!(parsed("cuda:x").is_err() && parsed("gpu").is_err());
        for choice in [
            DeviceChoice::Auto,
            DeviceChoice::Cpu,
            DeviceChoice::Cuda(2),
            DeviceChoice::Emulated(None),
            DeviceChoice::Emulated(Some(9)),
        ] {
            assert_eq!(parsed(&choice.to_string()), Ok(choice));
        }
    }

    #[test]
    fn what_looks_at_a_run_goes_elsewhere_and_says_so() {
        let mut notices = Vec::new();
        let mut look = |choice: DeviceChoice, recorded: &str| {
            let compute = choice.compute_to_look(Isa::Portable, recorded, "evaluated", &mut notices).unwrap();
            (compute.name().to_owned(), notices.pop())
        };
        assert_eq!(look(DeviceChoice::Auto, "cpu"), ("cpu".to_owned(), None));
        assert_eq!(look(DeviceChoice::Auto, "emulated"), ("emulated".to_owned(), None));
        for (choice, recorded, words) in [
            (DeviceChoice::Cpu, "emulated", "trained on emulated and is evaluated on cpu"),
            (DeviceChoice::Auto, "cuda:1000000", "cuda:1000000 cannot be used here"),
            (DeviceChoice::Auto, "abacus", "no device is `abacus`"),
        ] {
            let (name, notice) = look(choice, recorded);
            assert!(name == "cpu" && notice.is_some_and(|notice| notice.contains(words)), "{words}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_program_without_cuda_says_how_to_get_one_that_has_it() {
        let Err(Failure::Usage(why)) = DeviceChoice::Cuda(0).compute(Isa::Portable) else { panic!("there is no CUDA") };
        assert!(why.contains("--features cuda"), "{why}");
        assert!(DeviceChoice::Auto.compute(Isa::Portable).unwrap().device.is_none());
    }
}

//! A convolution as a graph of cuDNN's, the ways to make it, and those that are ready to run.
//!
//! cuDNN is asked as its documentation of the backend API has it: tensors and a convolution make an operation, operations
//! a graph; heuristics name engines with values of their knobs, in the order in which they believe them to be fast; and
//! of such a configuration a plan is made, which runs.

use super::super::super::DType;
use super::super::super::plan::convolution::{self, Choice, Extents, Key, channels_last};
use super::descriptor::{Descriptor, Kind, Type, attribute};
use super::library::{Failure, Handle, Library};
use crate::ops::conv::Direction;
use std::ffi::c_void;
use std::rc::Rc;

/// The card that engines are asked about: that of a handle, or one that is described and need not be there.
#[derive(Clone)]
pub struct Target {
    pub library: &'static Library,
    handle: Option<Handle>,
    properties: Option<Rc<Descriptor>>,
}

impl Target {
    pub fn card(library: &'static Library, handle: Handle) -> Self {
        Self { library, handle: Some(handle), properties: None }
    }

    /// A card of which cuDNN has written such properties (`CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION`). cuDNN 9.8 and
    /// newer.
    #[cfg(test)]
    pub fn described(library: &'static Library, properties: &std::ffi::CStr) -> Result<Self, Failure> {
        let properties = Descriptor::new(library, Kind::DeviceProperties)?
            .text(attribute::DEVICEPROP_JSON_REPRESENTATION, properties)?
            .finalized("describing a card")?;
        Ok(Self { library, handle: None, properties: Some(Rc::new(properties)) })
    }

    fn begin(&self, kind: Kind) -> Result<Descriptor, Failure> {
        Descriptor::new(self.library, kind)
    }

    fn handle_in(&self, of: Descriptor, attribute: u32) -> Result<Descriptor, Failure> {
        match self.handle {
            // SAFETY: the handle lives longer than what is made with it.
            Some(handle) => unsafe { of.addresses(attribute, Type::Handle, &[handle]) },
            None => Ok(of),
        }
    }

    fn properties_in(&self, of: Descriptor, attribute: u32) -> Result<Descriptor, Failure> {
        match &self.properties {
            Some(properties) => of.descriptors(attribute, &[properties]),
            None => Ok(of),
        }
    }
}

/// `cudnnBackendHeurMode_t`: the usual one, and that of engines which take nearly everything.
const MODES: [i32; 2] = [3, 2];
/// More than there are.
const MOST_NOTES: usize = 32;
const MOST_KNOBS: usize = 64;

/// The operands' numbers, which a plan is given their addresses by.
const X: i64 = 1;
const W: i64 = 2;
const Y: i64 = 3;
/// What addresses are multiples of.
pub const ALIGNMENT: u64 = 16;

/// A convolution, as cuDNN sees it. The parts are dropped after the whole.
pub struct Graph {
    target: Target,
    graph: Descriptor,
    _operation: Descriptor,
    _parts: [Descriptor; 4],
}

/// An engine with values of its knobs. The parts are dropped after the whole.
pub struct Config {
    config: Descriptor,
    _knobs: Vec<Descriptor>,
    engine: Descriptor,
    choice: Choice,
}

/// A convolution that is ready to run. The parts are dropped after the whole.
pub struct Plan {
    plan: Descriptor,
    config: Config,
    pub graph: Rc<Graph>,
    /// Bytes.
    pub workspace: usize,
}

impl Graph {
    /// # Errors
    /// Those of cuDNN; a refusal where it takes no such convolution.
    pub fn new(target: &Target, key: &Key, extents: &Extents) -> Result<Self, Failure> {
        // `cudnnDataType_t`
        const FLOAT: i32 = 0;
        let dtype = match key.dtype {
            DType::F32 => FLOAT,
            DType::F16 => 2,
            DType::Bf16 => 9,
            DType::U8 | DType::U32 => unreachable!("activations are not of that type"),
        };
        let tensor = |number: i64, extents: [i64; 4]| {
            target
                .begin(Kind::Tensor)?
                .number(attribute::TENSOR_DATA_TYPE, Type::Data, dtype)?
                .int64s(attribute::TENSOR_DIMENSIONS, &extents)?
                .int64s(attribute::TENSOR_STRIDES, &channels_last(extents))?
                .int64s(attribute::TENSOR_UNIQUE_ID, &[number])?
                .int64s(attribute::TENSOR_BYTE_ALIGNMENT, &[ALIGNMENT as i64])?
                .finalized("describing an operand")
        };
        let (x, w, y) = (tensor(X, extents.x)?, tensor(W, extents.w)?, tensor(Y, extents.y)?);
        const CROSS_CORRELATION: i32 = 1;
        let convolution = target
            .begin(Kind::Convolution)?
            .number(attribute::CONVOLUTION_COMP_TYPE, Type::Data, FLOAT)?
            .number(attribute::CONVOLUTION_CONV_MODE, Type::ConvolutionMode, CROSS_CORRELATION)?
            .int64s(attribute::CONVOLUTION_SPATIAL_DIMS, &[2])?
            .int64s(attribute::CONVOLUTION_DILATIONS, &extents.dilation)?
            .int64s(attribute::CONVOLUTION_FILTER_STRIDES, &extents.stride)?
            .int64s(attribute::CONVOLUTION_PRE_PADDINGS, &extents.padding)?
            .int64s(attribute::CONVOLUTION_POST_PADDINGS, &extents.padding)?
            .finalized("describing a convolution")?;
        // The order of the others is that of `cudnn_graph_v9.h`.
        let (kind, alpha, operands) = match key.direction {
            Direction::Forward => (Kind::Forward, attribute::FORWARD_ALPHA, [&w, &x, &y]),
            Direction::BackwardData => (Kind::BackwardData, attribute::BACKWARD_DATA_ALPHA, [&w, &x, &y]),
            Direction::BackwardWeight => (Kind::BackwardWeight, attribute::BACKWARD_WEIGHT_ALPHA, [&w, &x, &y]),
        };
        let operation = target
            .begin(kind)?
            .float(alpha, 1.0)?
            .float(alpha + 1, f32::from(u8::from(key.add)))?
            .descriptors(alpha + 2, &[&convolution])?
            .descriptors(alpha + 3, &operands[..1])?
            .descriptors(alpha + 4, &operands[1..2])?
            .descriptors(alpha + 5, &operands[2..])?
            .finalized("describing the operation of a convolution")?;
        let graph = target.handle_in(target.begin(Kind::OperationGraph)?, attribute::OPERATIONGRAPH_HANDLE)?;
        let graph = graph
            .descriptors(attribute::OPERATIONGRAPH_OPS, &[&operation])?
            .finalized("describing the graph of a convolution")?;
        Ok(Self { target: target.clone(), graph, _operation: operation, _parts: [x, w, y, convolution] })
    }

    /// What heuristics of a mode name, the best first.
    fn named(&self, mode: i32) -> Result<Vec<Config>, Failure> {
        let heuristics = self.target.begin(Kind::EngineHeuristics)?;
        let heuristics = self
            .target
            .properties_in(heuristics, attribute::ENGINEHEUR_DEVICEPROP)?
            .descriptors(attribute::ENGINEHEUR_OPERATION_GRAPH, &[&self.graph])?
            .number(attribute::ENGINEHEUR_MODE, Type::HeuristicsMode, mode)?
            .finalized("asking for engines")?;
        let count = heuristics.count_of(attribute::ENGINEHEUR_RESULTS)?;
        let configs = heuristics.descriptors_of(attribute::ENGINEHEUR_RESULTS, Kind::EngineConfig, count)?;
        configs.into_iter().map(Config::of_heuristics).collect()
    }

    /// Those that may be used, the most promising first, each once; and the first fault of cuDNN's on the way.
    pub fn configs(&self, key: &Key) -> (Vec<Config>, Option<Failure>) {
        let (mut configs, mut failed): (Vec<Config>, _) = (Vec::new(), None);
        for mode in MODES {
            let named = self.named(mode).unwrap_or_else(|failure| {
                failed.get_or_insert(failure);
                Vec::new()
            });
            for config in named {
                match config.is_allowed(key) {
                    Ok(true) if configs.iter().all(|one| one.choice != config.choice) => configs.push(config),
                    Ok(_) => {}
                    Err(failure) => drop(failed.get_or_insert(failure)),
                }
            }
        }
        (configs, failed)
    }

    /// The engine and knobs of another time.
    ///
    /// # Errors
    /// Those of cuDNN; a refusal where it has no such engine for the convolution.
    pub fn config(&self, choice: &Choice) -> Result<Config, Failure> {
        let engine = self.target.properties_in(self.target.begin(Kind::Engine)?, attribute::ENGINE_DEVICEPROP)?;
        let engine = engine
            .descriptors(attribute::ENGINE_OPERATION_GRAPH, &[&self.graph])?
            .int64s(attribute::ENGINE_GLOBAL_INDEX, &[choice.engine])?
            .finalized("asking for an engine")?;
        let knobs = choice.knobs.iter().map(|(knob, value)| {
            self.target
                .begin(Kind::KnobChoice)?
                .number(attribute::KNOB_CHOICE_KNOB_TYPE, Type::Knob, *knob)?
                .int64s(attribute::KNOB_CHOICE_KNOB_VALUE, &[*value])?
                .finalized("setting a knob of an engine")
        });
        let knobs = knobs.collect::<Result<Vec<_>, _>>()?;
        let mut config = self.target.begin(Kind::EngineConfig)?.descriptors(attribute::ENGINECFG_ENGINE, &[&engine])?;
        if !knobs.is_empty() {
            let knobs: Vec<&Descriptor> = knobs.iter().collect();
            config = config.descriptors(attribute::ENGINECFG_KNOB_CHOICES, &knobs)?;
        }
        Ok(Config { config: config.finalized("setting up an engine")?, _knobs: knobs, engine, choice: choice.clone() })
    }

    /// # Errors
    /// Those of cuDNN; where the engine does not take the convolution after all, that it is not supported.
    pub fn plan(self: &Rc<Self>, config: Config) -> Result<Plan, Failure> {
        let plan = self.target.begin(Kind::ExecutionPlan)?;
        let plan = self.target.handle_in(plan, attribute::EXECUTION_PLAN_HANDLE)?;
        let plan = self.target.properties_in(plan, attribute::EXECUTION_PLAN_DEVICEPROP)?;
        let plan = plan
            .descriptors(attribute::EXECUTION_PLAN_ENGINE_CONFIG, &[&config.config])?
            .finalized("making a plan of a convolution")?;
        let workspace = plan.int64_of(attribute::EXECUTION_PLAN_WORKSPACE_SIZE)?;
        let workspace = usize::try_from(workspace).map_err(|_| {
            Failure::senseless("making a plan of a convolution", format!("a workspace of {workspace} bytes"))
        })?;
        Ok(Plan { plan, config, graph: Rc::clone(self), workspace })
    }

    /// Plans that may be used, the most promising first, at most so many, each with no more workspace than the limit; and the
    /// first fault of cuDNN's on the way.
    pub fn plans(self: &Rc<Self>, key: &Key, most: usize, limit: usize) -> (Vec<Plan>, Option<Failure>) {
        let (configs, mut failed) = self.configs(key);
        let mut plans = Vec::new();
        for config in configs {
            if plans.len() == most {
                break;
            }
            match self.plan(config) {
                Ok(plan) if plan.workspace <= limit => plans.push(plan),
                Ok(_) => {}
                Err(failure) if failure.is_unsupported() => {}
                Err(failure) => drop(failed.get_or_insert(failure)),
            }
        }
        (plans, failed)
    }
}

impl Config {
    fn of_heuristics(config: Descriptor) -> Result<Self, Failure> {
        let engine = config.descriptors_of(attribute::ENGINECFG_ENGINE, Kind::Engine, 1)?.pop();
        let engine =
            engine.ok_or_else(|| Failure::senseless("asking for engines", "a configuration of none".to_owned()))?;
        let knobs = config.descriptors_of(attribute::ENGINECFG_KNOB_CHOICES, Kind::KnobChoice, MOST_KNOBS)?;
        let knob = |knob: &Descriptor| {
            let number = knob.number_of(attribute::KNOB_CHOICE_KNOB_TYPE, Type::Knob)?;
            Ok((number, knob.int64_of(attribute::KNOB_CHOICE_KNOB_VALUE)?))
        };
        let knobs = knobs.iter().map(knob).collect::<Result<_, _>>()?;
        let choice = Choice { engine: engine.int64_of(attribute::ENGINE_GLOBAL_INDEX)?, knobs };
        Ok(Self { config, _knobs: Vec::new(), engine, choice })
    }

    /// Whether it may be used for the convolution.
    pub fn is_allowed(&self, key: &Key) -> Result<bool, Failure> {
        let notes = self.engine.numbers_of(attribute::ENGINE_NUMERICAL_NOTE, Type::NumericalNote, MOST_NOTES)?;
        let behaviors = self.engine.numbers_of(attribute::ENGINE_BEHAVIOR_NOTE, Type::BehaviorNote, MOST_NOTES)?;
        Ok(convolution::allowed(key, &notes, &behaviors))
    }
}

impl Plan {
    pub fn choice(&self) -> &Choice {
        &self.config.choice
    }

    /// The convolution of operands at those addresses, which may run more than once.
    ///
    /// # Errors
    /// Those of cuDNN.
    pub fn of(&self, [x, w, y]: [u64; 3], workspace: u64) -> Result<Bound<'_>, Failure> {
        let addresses = [x, w, y].map(|address| address as *mut c_void);
        let pack = self.graph.target.begin(Kind::VariantPack)?;
        // SAFETY: nothing is read there before the plan runs, and who lets it run has promised that they are addresses.
        let operands = unsafe {
            pack.int64s(attribute::VARIANT_PACK_UNIQUE_IDS, &[X, W, Y])?
                .addresses(attribute::VARIANT_PACK_DATA_POINTERS, Type::VoidPointer, &addresses)?
                .addresses(attribute::VARIANT_PACK_WORKSPACE, Type::VoidPointer, &[workspace as *mut c_void])?
                .finalized("naming the operands of a convolution")?
        };
        Ok(Bound { plan: self, operands })
    }
}

/// A plan with its operands.
pub struct Bound<'a> {
    plan: &'a Plan,
    operands: Descriptor,
}

impl Bound<'_> {
    /// Puts the convolution into the handle's stream.
    ///
    /// # Errors
    /// Those of cuDNN.
    ///
    /// # Safety
    /// The plan is of the handle's card. The addresses that [`Plan::of`] was given are multiples of [`ALIGNMENT`], of
    /// allocations of the sizes that the convolution's shape gives, and of a workspace as large as the plan wants.
    pub unsafe fn run(&self, handle: Handle) -> Result<(), Failure> {
        let library = self.plan.graph.target.library;
        // SAFETY: the caller's promise; all descriptors are final.
        let status = unsafe { (library.execute)(handle, self.plan.plan.raw(), self.operands.raw()) };
        library.check(status, "making a convolution")
    }
}

//! Descriptors of cuDNN's graphs: made of a kind, given attributes, made final, and then read or given to others.
//! Numbers are those of `cudnn_graph_v9.h`.

use super::library::{Failure, Library, Raw};
use std::ffi::c_void;
use std::ptr;

/// `cudnnBackendDescriptorType_t`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Kind {
    Convolution = 1,
    Engine = 2,
    EngineConfig = 3,
    EngineHeuristics = 4,
    ExecutionPlan = 5,
    KnobChoice = 7,
    Forward = 10,
    BackwardWeight = 11,
    BackwardData = 12,
    OperationGraph = 15,
    VariantPack = 16,
    Tensor = 17,
    #[cfg(test)]
    DeviceProperties = 38,
}

/// `cudnnBackendAttributeType_t`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Type {
    Handle = 0,
    Data = 1,
    Int64 = 3,
    Float = 4,
    VoidPointer = 6,
    ConvolutionMode = 7,
    HeuristicsMode = 8,
    Knob = 9,
    NumericalNote = 11,
    Descriptor = 15,
    BehaviorNote = 19,
    #[cfg(test)]
    Char = 24,
}

/// `cudnnBackendAttributeName_t`.
pub mod attribute {
    pub const CONVOLUTION_COMP_TYPE: u32 = 100;
    pub const CONVOLUTION_CONV_MODE: u32 = 101;
    pub const CONVOLUTION_DILATIONS: u32 = 102;
    pub const CONVOLUTION_FILTER_STRIDES: u32 = 103;
    pub const CONVOLUTION_POST_PADDINGS: u32 = 104;
    pub const CONVOLUTION_PRE_PADDINGS: u32 = 105;
    pub const CONVOLUTION_SPATIAL_DIMS: u32 = 106;
    pub const ENGINEHEUR_MODE: u32 = 200;
    pub const ENGINEHEUR_OPERATION_GRAPH: u32 = 201;
    pub const ENGINEHEUR_RESULTS: u32 = 202;
    pub const ENGINEHEUR_DEVICEPROP: u32 = 204;
    pub const ENGINECFG_ENGINE: u32 = 300;
    pub const ENGINECFG_KNOB_CHOICES: u32 = 302;
    pub const EXECUTION_PLAN_HANDLE: u32 = 400;
    pub const EXECUTION_PLAN_ENGINE_CONFIG: u32 = 401;
    pub const EXECUTION_PLAN_WORKSPACE_SIZE: u32 = 402;
    pub const EXECUTION_PLAN_DEVICEPROP: u32 = 407;
    pub const KNOB_CHOICE_KNOB_TYPE: u32 = 600;
    pub const KNOB_CHOICE_KNOB_VALUE: u32 = 601;
    /// Of an operation's α; the others of the same follow it: β, the convolution, `w`, `x`, `y`.
    pub const FORWARD_ALPHA: u32 = 700;
    /// As [`FORWARD_ALPHA`].
    pub const BACKWARD_DATA_ALPHA: u32 = 706;
    /// As [`FORWARD_ALPHA`].
    pub const BACKWARD_WEIGHT_ALPHA: u32 = 712;
    pub const OPERATIONGRAPH_HANDLE: u32 = 800;
    pub const OPERATIONGRAPH_OPS: u32 = 801;
    pub const TENSOR_BYTE_ALIGNMENT: u32 = 900;
    pub const TENSOR_DATA_TYPE: u32 = 901;
    pub const TENSOR_DIMENSIONS: u32 = 902;
    pub const TENSOR_STRIDES: u32 = 903;
    pub const TENSOR_UNIQUE_ID: u32 = 906;
    pub const VARIANT_PACK_UNIQUE_IDS: u32 = 1000;
    pub const VARIANT_PACK_DATA_POINTERS: u32 = 1001;
    pub const VARIANT_PACK_WORKSPACE: u32 = 1003;
    pub const ENGINE_OPERATION_GRAPH: u32 = 1300;
    pub const ENGINE_GLOBAL_INDEX: u32 = 1301;
    pub const ENGINE_NUMERICAL_NOTE: u32 = 1303;
    pub const ENGINE_BEHAVIOR_NOTE: u32 = 1305;
    pub const ENGINE_DEVICEPROP: u32 = 1307;
    #[cfg(test)]
    pub const DEVICEPROP_JSON_REPRESENTATION: u32 = 2702;
}

/// A descriptor, destroyed when it is dropped. cuDNN keeps no count of who uses it: those that it was given to are
/// dropped first.
pub struct Descriptor {
    library: &'static Library,
    raw: Raw,
}

const SETTING: &str = "describing a convolution";
const READING: &str = "reading a description of a convolution";

impl Descriptor {
    pub fn new(library: &'static Library, kind: Kind) -> Result<Self, Failure> {
        let mut made = Self { library, raw: ptr::null_mut() };
        // SAFETY: the function writes an address.
        let status = unsafe { (library.create_descriptor)(kind as u32, &raw mut made.raw) };
        library.check(status, SETTING)?;
        Ok(made)
    }

    pub fn raw(&self) -> Raw {
        self.raw
    }

    /// # Safety
    /// `T` is of that type's size and meaning; what addresses are given of lives as long as they are used.
    unsafe fn with<T>(self, attribute: u32, of: Type, values: &[T]) -> Result<Self, Failure> {
        let at = values.as_ptr().cast();
        // SAFETY: so many values lie there, which are read before the call returns.
        let status = unsafe { (self.library.set_attribute)(self.raw, attribute, of as u32, values.len() as i64, at) };
        self.library.check(status, SETTING)?;
        Ok(self)
    }

    pub fn int64s(self, attribute: u32, values: &[i64]) -> Result<Self, Failure> {
        // SAFETY: they are what the type says.
        unsafe { self.with(attribute, Type::Int64, values) }
    }

    pub fn float(self, attribute: u32, value: f32) -> Result<Self, Failure> {
        // SAFETY: it is what the type says.
        unsafe { self.with(attribute, Type::Float, &[value]) }
    }

    /// A value of an enumeration, which `of` names.
    pub fn number(self, attribute: u32, of: Type, value: i32) -> Result<Self, Failure> {
        // SAFETY: enumerations of C are as large.
        unsafe { self.with(attribute, of, &[value]) }
    }

    /// Addresses on a device, or of a handle.
    ///
    /// # Safety
    /// They are of what the attribute means, for as long as this is used.
    pub unsafe fn addresses(self, attribute: u32, of: Type, values: &[*mut c_void]) -> Result<Self, Failure> {
        // SAFETY: the caller's promise.
        unsafe { self.with(attribute, of, values) }
    }

    /// Other descriptors, which are to live longer than this one.
    pub fn descriptors(self, attribute: u32, values: &[&Descriptor]) -> Result<Self, Failure> {
        let raw: Vec<Raw> = values.iter().map(|value| value.raw).collect();
        // SAFETY: they are descriptors.
        unsafe { self.with(attribute, Type::Descriptor, &raw) }
    }

    #[cfg(test)]
    pub fn text(self, attribute: u32, text: &std::ffi::CStr) -> Result<Self, Failure> {
        // SAFETY: they are characters, with a 0 at the end.
        unsafe { self.with(attribute, Type::Char, text.to_bytes_with_nul()) }
    }

    /// Made final: it has all attributes that it gets.
    ///
    /// # Errors
    /// Those of what it describes, which cuDNN looks at now.
    pub fn finalized(self, doing: &'static str) -> Result<Self, Failure> {
        // SAFETY: the descriptor is alive.
        let status = unsafe { (self.library.finalize)(self.raw) };
        self.library.check(status, doing)?;
        Ok(self)
    }

    /// How many values are there, and the values, as many as there is room for.
    ///
    /// # Safety
    /// `T` is of that type's size and meaning, and any value that cuDNN writes is one of `T`.
    unsafe fn read<T>(&self, attribute: u32, of: Type, values: &mut [T]) -> Result<usize, Failure> {
        let (room, mut count) = (values.len() as i64, 0);
        let to = if values.is_empty() { ptr::null_mut() } else { values.as_mut_ptr().cast() };
        // SAFETY: at most as many values are written as there is room for.
        let status = unsafe { (self.library.get_attribute)(self.raw, attribute, of as u32, room, &raw mut count, to) };
        self.library.check(status, READING)?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    pub fn int64_of(&self, attribute: u32) -> Result<i64, Failure> {
        let mut value = [0];
        // SAFETY: it is what the type says.
        unsafe { self.read(attribute, Type::Int64, &mut value)? };
        Ok(value[0])
    }

    /// The one value of an enumeration.
    pub fn number_of(&self, attribute: u32, of: Type) -> Result<i32, Failure> {
        self.numbers_of(attribute, of, 1)?
            .pop()
            .ok_or_else(|| Failure::senseless(READING, "a value that is none".to_owned()))
    }

    /// Values of an enumeration, at most so many.
    pub fn numbers_of(&self, attribute: u32, of: Type, most: usize) -> Result<Vec<i32>, Failure> {
        let mut values = vec![0; most];
        // SAFETY: enumerations of C are as large.
        let count = unsafe { self.read(attribute, of, &mut values)? };
        values.truncate(count);
        Ok(values)
    }

    /// How many descriptors there are, of an attribute that tells without being given room for them.
    pub fn count_of(&self, attribute: u32) -> Result<usize, Failure> {
        // SAFETY: nothing is written but the count.
        unsafe { self.read::<Raw>(attribute, Type::Descriptor, &mut []) }
    }

    /// The descriptors of an attribute, at most so many. cuDNN fills in those that it is given.
    pub fn descriptors_of(&self, attribute: u32, kind: Kind, most: usize) -> Result<Vec<Descriptor>, Failure> {
        let mut made = (0..most).map(|_| Self::new(self.library, kind)).collect::<Result<Vec<_>, _>>()?;
        let mut raw: Vec<Raw> = made.iter().map(|descriptor| descriptor.raw).collect();
        // SAFETY: they are descriptors of the kind.
        let count = unsafe { self.read(attribute, Type::Descriptor, &mut raw)? };
        made.truncate(count);
        Ok(made)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: it was made here. Of an error nobody hears.
            unsafe { (self.library.destroy_descriptor)(self.raw) };
        }
    }
}

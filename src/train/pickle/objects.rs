//! What a pickle makes: values, and the things that they may be.

use safetensors::tensor::Dtype;

/// PyTorch's storages: the element that each holds, and its bytes.
const STORAGES: [(&str, Dtype, usize); 10] = [
    ("FloatStorage", Dtype::F32, 4),
    ("DoubleStorage", Dtype::F64, 8),
    ("HalfStorage", Dtype::F16, 2),
    ("BFloat16Storage", Dtype::BF16, 2),
    ("LongStorage", Dtype::I64, 8),
    ("IntStorage", Dtype::I32, 4),
    ("ShortStorage", Dtype::I16, 2),
    ("CharStorage", Dtype::I8, 1),
    ("ByteStorage", Dtype::U8, 1),
    ("BoolStorage", Dtype::BOOL, 1),
];

/// The most that PyTorch has.
const AXES: usize = 64;

/// Copies refer to the same thing.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// More than 64 bits, the lowest byte first.
    Long(&'a [u8]),
    Text(&'a str),
    /// A thing with parts or a name, by its place.
    Thing(usize),
    /// A number or bytes of no interest.
    Other,
}

/// What values share.
pub enum Thing<'a> {
    Tuple(Vec<Value<'a>>),
    List(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    /// A class or a function.
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// What came of a class or a function that is not known.
    Unknown {
        module: &'a str,
        name: &'a str,
    },
    Storage(Storage<'a>),
    Tensor(Box<Tensor<'a>>),
}

/// Numbers in a row, which lie elsewhere in the file under a key.
#[derive(Clone, Copy, Debug)]
pub struct Storage<'a> {
    pub key: &'a str,
    pub dtype: Dtype,
    /// Bytes of a number.
    pub size: usize,
    /// The numbers before the first.
    pub skipped: usize,
}

/// A storage seen in a shape.
pub struct Tensor<'a> {
    pub storage: Storage<'a>,
    /// All counted in numbers.
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// The things of one pickle.
#[derive(Default)]
pub struct Objects<'a>(Vec<Thing<'a>>);

impl<'a> Objects<'a> {
    pub fn make(&mut self, thing: Thing<'a>) -> Value<'a> {
        self.0.push(thing);
        Value::Thing(self.0.len() - 1)
    }

    pub fn get(&self, value: Value<'a>) -> Option<&Thing<'a>> {
        if let Value::Thing(place) = value { self.0.get(place) } else { None }
    }

    pub fn get_mut(&mut self, value: Value<'a>) -> Option<&mut Thing<'a>> {
        if let Value::Thing(place) = value { self.0.get_mut(place) } else { None }
    }

    pub fn tuple(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        if let Some(Thing::Tuple(parts)) = self.get(value) { Some(parts) } else { None }
    }

    pub fn list(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        if let Some(Thing::List(parts)) = self.get(value) { Some(parts) } else { None }
    }

    pub fn dict(&self, value: Value<'a>) -> Option<&[(Value<'a>, Value<'a>)]> {
        if let Some(Thing::Dict(pairs)) = self.get(value) { Some(pairs) } else { None }
    }

    /// What is under a key of a dict; of several, the last.
    pub fn under(&self, dict: Value<'a>, key: &str) -> Option<Value<'a>> {
        let is_it = |(name, _): &&(Value<'a>, Value<'a>)| matches!(name, Value::Text(name) if *name == key);
        self.dict(dict)?.iter().rev().find(is_it).map(|(_, value)| *value)
    }

    /// The full name of a class or function, or of the one that a thing came of.
    pub fn name(&self, value: Value<'a>) -> Option<String> {
        match self.get(value)? {
            Thing::Global { module, name } | Thing::Unknown { module, name } => Some(format!("{module}.{name}")),
            _ => None,
        }
    }

    /// All storages that are spoken of.
    pub fn storages(&self) -> impl Iterator<Item = &Storage<'a>> {
        self.0.iter().filter_map(|thing| if let Thing::Storage(storage) = thing { Some(storage) } else { None })
    }

    /// A thing of a class of which no more is known.
    pub fn unknown(&mut self, class: Value<'a>) -> Value<'a> {
        match self.get(class) {
            Some(Thing::Global { module, name }) | Some(Thing::Unknown { module, name }) => {
                let thing = Thing::Unknown { module, name };
                self.make(thing)
            }
            _ => Value::Other,
        }
    }

    /// What the few functions make that state dicts need; of any other an unknown thing.
    ///
    /// # Errors
    /// When a tensor's description makes no sense.
    pub fn call(&mut self, function: Value<'a>, arguments: Value<'a>) -> Result<Value<'a>, String> {
        let Some(Thing::Global { module, name }) = self.get(function) else { return Ok(self.unknown(function)) };
        let first = self.tuple(arguments).and_then(|arguments| arguments.first().copied());
        match (*module, *name) {
            ("collections", "OrderedDict") => {
                let pairs = first.map(|list| self.pairs(list)).unwrap_or_default();
                Ok(self.make(Thing::Dict(pairs)))
            }
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => self.tensor(arguments),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state")
            | ("torch.nn.parameter", "Parameter")
            | ("torch.autograd.variable", "Variable") => first.ok_or_else(|| "a parameter of nothing".to_owned()),
            _ => Ok(self.unknown(function)),
        }
    }

    /// A list of lists or tuples of two each, as Python 2 describes a dict. The list is empty afterwards: a pickle that made
    /// dicts of one list over and over would otherwise make much of little.
    fn pairs(&mut self, list: Value<'a>) -> Vec<(Value<'a>, Value<'a>)> {
        let Some(Thing::List(parts)) = self.get_mut(list) else { return Vec::new() };
        let parts = std::mem::take(parts);
        let pair = |part: &Value<'a>| match self.list(*part).or(self.tuple(*part))? {
            [key, value] => Some((*key, *value)),
            _ => None,
        };
        parts.iter().filter_map(pair).collect()
    }

    /// `(storage, offset, shape, strides, …)`
    fn tensor(&mut self, arguments: Value<'a>) -> Result<Value<'a>, String> {
        let odd = || "a tensor that is not described as such".to_owned();
        let [storage, offset, shape, strides, ..] = self.tuple(arguments).ok_or_else(odd)? else { return Err(odd()) };
        let axes = |value: Value<'a>| self.tuple(value).filter(|axes| axes.len() <= AXES);
        let numbers = |value: Value<'a>| axes(value)?.iter().map(|n| whole(*n)).collect::<Option<Vec<_>>>();
        let described = (whole(*offset), numbers(*shape), numbers(*strides));
        let (Some(offset), Some(shape), Some(strides)) = described else { return Err(odd()) };
        match self.get(*storage) {
            Some(Thing::Storage(storage)) => {
                let tensor = Tensor { storage: *storage, offset, shape, strides };
                Ok(self.make(Thing::Tensor(Box::new(tensor))))
            }
            Some(Thing::Unknown { .. }) => {
                let storage = *storage;
                Ok(self.unknown(storage))
            }
            _ => Err(odd()),
        }
    }

    /// What an identifier stands for that is not of the pickle itself: `("storage", class, key, device, numbers)`, in the older
    /// form with a view `(key, offset, numbers)` or `None` behind; or `("module", class, file, text)`, which is the class.
    pub fn persistent(&mut self, id: Value<'a>) -> Result<Value<'a>, String> {
        let odd = || "an identifier that is none of a storage".to_owned();
        let parts = self.tuple(id).ok_or_else(odd)?;
        let (class, key, view) = match parts {
            [Value::Text("module"), class, ..] => return Ok(*class),
            [Value::Text("storage"), class, Value::Text(key), _, _, rest @ ..] => (*class, *key, rest.first().copied()),
            _ => return Err(odd()),
        };
        let skipped = match view {
            None | Some(Value::None) => 0,
            Some(view) => self.tuple(view).and_then(|view| whole(*view.get(1)?)).ok_or_else(odd)?,
        };
        match self.get(class) {
            Some(Thing::Global { module: "torch" | "torch.cuda", name }) => {
                match STORAGES.iter().find(|(known, ..)| known == name) {
                    Some(&(_, dtype, size)) => Ok(self.make(Thing::Storage(Storage { key, dtype, size, skipped }))),
                    None => Ok(self.unknown(class)),
                }
            }
            Some(Thing::Global { .. }) => Ok(self.unknown(class)),
            _ => Err(odd()),
        }
    }
}

/// A number of things.
pub fn whole(value: Value<'_>) -> Option<usize> {
    if let Value::Int(number) = value { usize::try_from(number).ok() } else { None }
}

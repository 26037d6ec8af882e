//! The pickle machine, as far as state dicts need it.
//!
//! A pickle is a program for a machine with a stack, whose functions Python would look up by name and call. Here a few of
//! them are known, those that put tensors and dicts together, and do that; any other makes a thing of which no more is known
//! than its name. Nothing is run.
//!
//! Reference: `pickletools.py` of CPython, which describes each instruction.

use super::objects::{Objects, Thing, Value};
use std::collections::HashMap;

/// Instructions of one pickle: each makes one thing at most, so they bound what is made of a hostile file. A tensor of a
/// state dict takes some 35.
const INSTRUCTIONS: usize = 1 << 20;
/// The newest protocol whose instructions are these.
const PROTOCOL: u8 = 5;

/// What a pickle holds, and where it ends.
pub struct Pickle<'a> {
    pub value: Value<'a>,
    pub objects: Objects<'a>,
    pub bytes: usize,
}

/// Reads the pickle that `code` begins with.
///
/// # Errors
/// When it is none, breaks off, or has instructions that are not known.
pub fn read(code: &[u8]) -> Result<Pickle<'_>, String> {
    let mut machine = Machine { code, ..Machine::default() };
    for _ in 0..INSTRUCTIONS {
        let at = machine.at;
        let end = machine.step().map_err(|problem| format!("its pickle, at byte {at}: {problem}"))?;
        if let Some(value) = end {
            return Ok(Pickle { value, objects: machine.objects, bytes: machine.at });
        }
    }
    Err(format!("its pickle has more than {INSTRUCTIONS} instructions"))
}

#[derive(Default)]
struct Machine<'a> {
    code: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Value<'a>>,
    objects: Objects<'a>,
}

impl<'a> Machine<'a> {
    /// One instruction; what the pickle holds, at its end.
    fn step(&mut self) -> Result<Option<Value<'a>>, String> {
        let instruction = self.take(1)?[0];
        match instruction {
            b'.' => return self.pop().map(Some),
            0x80 => match self.take(1)?[0] {
                version if version > PROTOCOL => return Err(format!("protocol {version} is not known")),
                _ => {}
            },
            // A frame's length: of use to those who read piece by piece.
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'q' | b'r' | 0x94 => self.memorise(instruction)?,
            b'h' | b'j' => self.recall(instruction)?,
            b'N' => self.stack.push(Value::None),
            0x88 | 0x89 => self.stack.push(Value::Bool(instruction == 0x88)),
            b'K' | b'M' | b'J' | 0x8a | 0x8b => self.integer(instruction)?,
            b'G' => self.skip(8)?,
            b'C' | b'B' | 0x8e | 0x96 => {
                let length = self.length(instruction)?;
                self.skip(length)?;
            }
            b'X' | 0x8c | 0x8d | b'U' | b'T' => self.text(instruction)?,
            b'}' => self.make(Thing::Dict(Vec::new())),
            b']' | 0x8f => self.make(Thing::List(Vec::new())),
            b')' | 0x85 | 0x86 | 0x87 | b't' | b'l' | 0x91 | b'd' => self.gather(instruction)?,
            b'a' | b'e' | 0x90 | b's' | b'u' => self.add(instruction)?,
            b'c' | 0x93 => self.global(instruction)?,
            b'R' | 0x81 | 0x92 => self.call(instruction)?,
            // A thing's state beyond its parts: none of what is known has any that counts.
            b'b' => drop(self.pop()?),
            b'Q' => {
                let id = self.pop()?;
                let value = self.objects.persistent(id)?;
                self.stack.push(value);
            }
            other => return Err(format!("instruction {other:#04x} is not one of those that state dicts need")),
        }
        Ok(None)
    }

    fn take(&mut self, bytes: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(bytes).filter(|end| *end <= self.code.len());
        let end = end.ok_or_else(|| "it breaks off".to_owned())?;
        let taken = &self.code[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<u64, String> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let length = self.code[self.at..].iter().position(|byte| *byte == b'\n').ok_or("it breaks off")?;
        let line = self.take(length)?;
        self.take(1)?;
        str::from_utf8(line).map_err(|_| "a name is no text".to_owned())
    }

    fn top(&self) -> Result<Value<'a>, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack[floor.min(self.stack.len())..]
            .last()
            .copied()
            .ok_or_else(|| "there is nothing to work on".to_owned())
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// All that has come since the last mark, which no [`Machine::pop`] goes below.
    fn pop_mark(&mut self) -> Result<Vec<Value<'a>>, String> {
        let height = self.marks.pop().ok_or("there is no mark")?;
        Ok(self.stack.split_off(height))
    }

    fn make(&mut self, thing: Thing<'a>) {
        let value = self.objects.make(thing);
        self.stack.push(value);
    }

    /// Numbers and bytes that nobody asks for.
    fn skip(&mut self, bytes: usize) -> Result<(), String> {
        self.take(bytes)?;
        self.stack.push(Value::Other);
        Ok(())
    }

    fn memorise(&mut self, instruction: u8) -> Result<(), String> {
        let key = match instruction {
            b'q' => self.number(1)?,
            b'r' => self.number(4)?,
            _ => self.memo.len() as u64,
        };
        self.memo.insert(key, self.top()?);
        Ok(())
    }

    fn recall(&mut self, instruction: u8) -> Result<(), String> {
        let key = self.number(if instruction == b'h' { 1 } else { 4 })?;
        let value = *self.memo.get(&key).ok_or("it asks for what was not kept")?;
        self.stack.push(value);
        Ok(())
    }

    fn integer(&mut self, instruction: u8) -> Result<(), String> {
        let value = match instruction {
            b'K' => Value::Int(self.number(1)? as i64),
            b'M' => Value::Int(self.number(2)? as i64),
            b'J' => Value::Int(i64::from(self.number(4)? as u32 as i32)),
            _ => {
                let bytes = self.length(instruction)?;
                long(self.take(bytes)?)
            }
        };
        self.stack.push(value);
        Ok(())
    }

    /// How many bytes follow.
    fn length(&mut self, instruction: u8) -> Result<usize, String> {
        let bytes = match instruction {
            b'C' | b'U' | 0x8c | 0x8a => 1,
            b'B' | b'T' | b'X' | 0x8b => 4,
            _ => 8,
        };
        usize::try_from(self.number(bytes)?).map_err(|_| "it breaks off".to_owned())
    }

    fn text(&mut self, instruction: u8) -> Result<(), String> {
        let length = self.length(instruction)?;
        // Python 2 kept bytes of any sort so.
        let value = str::from_utf8(self.take(length)?).map_or(Value::Other, Value::Text);
        self.stack.push(value);
        Ok(())
    }

    /// A tuple, list, set or dict of what lies on the stack.
    fn gather(&mut self, instruction: u8) -> Result<(), String> {
        let parts = match instruction {
            b')' => Vec::new(),
            0x85..=0x87 => {
                let mut parts = (0..=instruction - 0x85).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                parts.reverse();
                parts
            }
            _ => self.pop_mark()?,
        };
        self.make(match instruction {
            b'd' => Thing::Dict(pairs(&parts)),
            b'l' | 0x91 => Thing::List(parts),
            _ => Thing::Tuple(parts),
        });
        Ok(())
    }

    /// Puts what lies on the stack into the thing below it.
    fn add(&mut self, instruction: u8) -> Result<(), String> {
        let parts = match instruction {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_mark()?,
        };
        let to = self.top()?;
        match self.objects.get_mut(to) {
            Some(Thing::List(list)) => list.extend(parts),
            Some(Thing::Dict(dict)) => dict.extend(pairs(&parts)),
            // Of a class that is not known, such as another sort of dict.
            _ => {}
        }
        Ok(())
    }

    fn global(&mut self, instruction: u8) -> Result<(), String> {
        let (module, name) = if instruction == b'c' {
            (self.line()?, self.line()?)
        } else {
            match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => (module, name),
                _ => return Err("a name is no text".to_owned()),
            }
        };
        self.make(Thing::Global { module, name });
        Ok(())
    }

    /// A function of its arguments, or a new object of a class.
    fn call(&mut self, instruction: u8) -> Result<(), String> {
        if instruction == 0x92 {
            // Arguments with names.
            self.pop()?;
        }
        let (arguments, function) = (self.pop()?, self.pop()?);
        let value = match instruction {
            b'R' => self.objects.call(function, arguments)?,
            _ => self.objects.unknown(function),
        };
        self.stack.push(value);
        Ok(())
    }
}

/// Keys and values in turn.
fn pairs<'a>(parts: &[Value<'a>]) -> Vec<(Value<'a>, Value<'a>)> {
    parts.as_chunks::<2>().0.iter().map(|[key, value]| (*key, *value)).collect()
}

/// A number in two's complement, the lowest byte first.
fn long(bytes: &[u8]) -> Value<'_> {
    if bytes.len() > 8 {
        return Value::Long(bytes);
    }
    let filler = if bytes.last().is_some_and(|byte| *byte >= 0x80) { 0xff } else { 0 };
    let mut whole = [filler; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(code: &[u8]) -> String {
        read(code).err().expect("that is no pickle")
    }

    #[test]
    fn numbers_are_those_that_python_reads() {
        let cases: [(&[u8], i64); 7] = [
            (b"K\xff.", 255),
            (b"M\xff\xff.", 65535),
            (b"J\xff\xff\xff\xff.", -1),
            (b"\x8a\x00.", 0),
            (b"\x8a\x01\x80.", -128),
            (b"\x8a\x02\x80\x00.", 128),
            (b"\x8b\x01\x00\x00\x00\x7f.", 127),
        ];
        for (code, want) in cases {
            assert!(matches!(read(code).unwrap().value, Value::Int(found) if found == want), "{want}");
        }
    }

    #[test]
    fn a_thing_may_be_kept_and_filled_later() {
        let pickle = read(b"\x80\x02]q\x00(K\x01K\x02eh\x00\x86.rest").unwrap();
        assert_eq!(pickle.bytes, 15);
        let parts = pickle.objects.tuple(pickle.value).unwrap();
        for part in parts {
            assert_eq!(pickle.objects.list(*part).unwrap().len(), 2);
        }
    }

    #[test]
    fn what_is_no_pickle_says_why() {
        assert!(fails(b"").contains("breaks off") && fails(b"K").contains("breaks off"));
        assert!(fails(b"X\xff\xff\xff\xffabc").contains("breaks off"));
        assert!(fails(b"\x80\x06.").contains("protocol 6"));
        assert!(fails(b"t.").contains("no mark") && fails(b".").contains("nothing to work on"));
        assert!(fails(b"N(0t.").contains("at byte 2") && fails(b"h\x07.").contains("not kept"));
        assert!(fails(b"iposix\nsystem\n.").contains("0x69"));
        assert!(fails(&vec![b'N'; INSTRUCTIONS + 9]).contains("instructions"));
    }

    /// A function that is not known is named and not called.
    #[test]
    fn unknown_functions_make_things_of_which_the_name_is_known() {
        let pickle = read(b"cposix\nsystem\n(X\x04\x00\x00\x00exittR.").unwrap();
        assert_eq!(pickle.objects.name(pickle.value).as_deref(), Some("posix.system"));
    }
}

//! A cuDNN that does as a script says, and what is made of it: which engine is taken, what becomes of one that fails, and where memory is
//! short. It needs a driver, and no more than the stand-in.

use super::super::driver::Driver;
use super::super::pool::Pool;
use super::descriptor::{Kind, attribute};
use super::library::{Handle, Library, Raw};
use super::*;
use crate::DType;
use crate::ops::conv::{Direction, Shape};
use std::cell::RefCell;
use std::ffi::{c_char, c_void};

/// An engine, and what becomes of it.
#[derive(Clone, Default)]
struct Engine {
    number: i64,
    notes: Vec<i32>,
    workspace: i64,
    /// What is returned where a plan is made of it.
    planned: u32,
    /// And where it runs, for each run, the last from there on.
    runs: Vec<u32>,
    /// How much a run does, in pieces of [`WORK`].
    work: u64,
}

struct Script {
    /// As heuristics name them, and the others that there are.
    named: Vec<Engine>,
    others: Vec<Engine>,
    /// What is returned where a graph is described.
    described: u32,
    /// The numbers of engines that have run, with the address that they have written to, and how many had before the convolution
    /// of now.
    ran: Vec<(i64, u64)>,
    before: usize,
    descriptors: usize,
    /// Where work is done, and the stream that it is put into.
    work: (u64, cuda::CUstream),
}

/// Bytes that are set.
const WORK: usize = 4 << 20;

thread_local! {
    static SCRIPT: RefCell<Script> = const { RefCell::new(Script::empty()) };
}

impl Script {
    const fn empty() -> Self {
        Self {
            named: Vec::new(),
            others: Vec::new(),
            described: 0,
            ran: Vec::new(),
            before: 0,
            descriptors: 0,
            work: (0, ptr::null_mut()),
        }
    }
}

/// What a descriptor is: its kind, and of what it holds the engine or the addresses.
#[derive(Default)]
struct Fake {
    kind: u32,
    engine: i64,
    addresses: Vec<u64>,
}

fn engine(number: i64) -> Option<Engine> {
    SCRIPT.with_borrow(|script| script.named.iter().chain(&script.others).find(|of| of.number == number).cloned())
}

const NOT_SUPPORTED: u32 = 3000;
const FAILED: u32 = 5000;
const OTHERWISE: u32 = 1;

unsafe extern "C" fn create(handle: *mut Handle) -> u32 {
    // SAFETY: the caller's place for it.
    unsafe { *handle = ptr::dangling_mut() };
    0
}
unsafe extern "C" fn destroy(_handle: Handle) -> u32 {
    0
}
unsafe extern "C" fn set_stream(_handle: Handle, _stream: *mut c_void) -> u32 {
    0
}
unsafe extern "C" fn version() -> usize {
    91_000
}
unsafe extern "C" fn error_string(_status: u32) -> *const c_char {
    c"as the script says".as_ptr()
}
unsafe extern "C" fn last_error_string(text: *mut c_char, _room: usize) {
    // SAFETY: there is room.
    unsafe { *text = 0 };
}
unsafe extern "C" fn create_descriptor(kind: u32, made: *mut Raw) -> u32 {
    SCRIPT.with_borrow_mut(|script| script.descriptors += 1);
    // SAFETY: the caller's place for it.
    unsafe { *made = Box::into_raw(Box::new(Fake { kind, engine: -1, ..Fake::default() })).cast() };
    0
}
unsafe extern "C" fn destroy_descriptor(of: Raw) -> u32 {
    SCRIPT.with_borrow_mut(|script| script.descriptors -= 1);
    // SAFETY: it was made above.
    drop(unsafe { Box::from_raw(of.cast::<Fake>()) });
    0
}
unsafe extern "C" fn finalize(of: Raw) -> u32 {
    // SAFETY: it was made above.
    let of = unsafe { &*of.cast::<Fake>() };
    match of.kind {
        kind if kind == Kind::OperationGraph as u32 => SCRIPT.with_borrow(|script| script.described),
        kind if kind == Kind::Engine as u32 && engine(of.engine).is_none() => 2000,
        kind if kind == Kind::ExecutionPlan as u32 => engine(of.engine).map_or(NOT_SUPPORTED, |of| of.planned),
        _ => 0,
    }
}
unsafe extern "C" fn set_attribute(of: Raw, name: u32, _type: u32, count: i64, values: *const c_void) -> u32 {
    // SAFETY: it was made above; so many values of the attribute's type are there.
    unsafe {
        let of = &mut *of.cast::<Fake>();
        match name {
            attribute::ENGINE_GLOBAL_INDEX => of.engine = *values.cast(),
            attribute::ENGINECFG_ENGINE | attribute::EXECUTION_PLAN_ENGINE_CONFIG => {
                of.engine = (**values.cast::<*const Fake>()).engine;
            }
            attribute::VARIANT_PACK_DATA_POINTERS => {
                of.addresses = std::slice::from_raw_parts(values.cast(), count as usize).to_vec();
            }
            _ => {}
        }
    }
    0
}
unsafe extern "C" fn get_attribute(
    of: Raw,
    name: u32,
    _type: u32,
    room: i64,
    count: *mut i64,
    values: *mut c_void,
) -> u32 {
    // SAFETY: it was made above; there is room for so many values of the attribute's type.
    unsafe {
        let of = &*of.cast::<Fake>();
        *count = 1;
        match name {
            attribute::ENGINEHEUR_RESULTS => {
                let named: Vec<i64> =
                    SCRIPT.with_borrow(|script| script.named.iter().map(|engine| engine.number).collect());
                *count = named.len() as i64;
                for (k, number) in named.into_iter().enumerate().take(room as usize) {
                    (**values.cast::<*mut Fake>().add(k)).engine = number;
                }
            }
            attribute::ENGINECFG_ENGINE => (**values.cast::<*mut Fake>()).engine = of.engine,
            attribute::ENGINE_GLOBAL_INDEX => *values.cast() = of.engine,
            attribute::ENGINE_NUMERICAL_NOTE => {
                let notes = engine(of.engine).unwrap().notes;
                *count = notes.len() as i64;
                values.cast::<i32>().copy_from(notes.as_ptr(), notes.len());
            }
            attribute::EXECUTION_PLAN_WORKSPACE_SIZE => *values.cast() = engine(of.engine).unwrap().workspace,
            _ => *count = 0,
        }
    }
    0
}
unsafe extern "C" fn execute(_handle: Handle, plan: Raw, operands: Raw) -> u32 {
    // SAFETY: they were made above.
    let (plan, operands) = unsafe { (&*plan.cast::<Fake>(), &*operands.cast::<Fake>()) };
    let (number, made) = (plan.engine, operands.addresses[2]);
    let of = engine(number).unwrap();
    SCRIPT.with_borrow_mut(|script| {
        for _ in 0..of.work {
            // SAFETY: the scene's memory and stream.
            assert_eq!(unsafe { call!(cuda::cuMemsetD8Async(script.work.0, 0, WORK, script.work.1)) }, 0);
        }
        let before = script.ran.iter().filter(|(other, _)| *other == number).count();
        script.ran.push((number, made));
        of.runs.get(before).or(of.runs.last()).copied().unwrap_or(0)
    })
}

static LIBRARY: Library = Library {
    create,
    destroy,
    set_stream,
    version,
    error_string,
    last_error_string,
    create_descriptor,
    destroy_descriptor,
    finalize,
    set_attribute,
    get_attribute,
    execute,
};

/// A card's memory and stream, and the cuDNN of the script beside them.
struct Scene {
    cudnn: Cudnn,
    pool: Pool,
    driver: Driver,
    y: u64,
}

impl Scene {
    fn new(named: &[Engine]) -> Option<Self> {
        let driver = Driver::new(0).inspect_err(|error| eprintln!("not tested: {error}")).ok()?;
        let mut pool = Pool::new(driver.stream, driver.pool);
        let work = (pool.take(WORK).unwrap(), driver.stream);
        SCRIPT.set(Script { named: named.to_vec(), work, ..Script::empty() });
        let y = pool.take(1 << 10).unwrap();
        let cudnn = Cudnn::of(&LIBRARY, driver.stream, driver.memory).unwrap();
        Some(Self { cudnn, pool, driver, y })
    }

    /// A convolution: whether cuDNN has made it, and the engines that wrote to its output.
    fn convolve(&mut self, key: &Key) -> (bool, Vec<i64>) {
        SCRIPT.with_borrow_mut(|script| script.before = script.ran.len());
        let call = Call {
            direction: key.direction,
            dtype: key.dtype,
            shape: key.shape,
            x: self.y + 256,
            w: self.y + 512,
            y: self.y,
            add: key.add,
        };
        // SAFETY: nothing is read or written there.
        let made = unsafe { self.cudnn.convolve(&mut self.pool, &call, key, false) }.unwrap();
        let wrote = |script: &Script| -> Vec<i64> {
            script.ran[script.before..].iter().filter(|(_, made)| *made == self.y).map(|(number, _)| *number).collect()
        };
        (made, SCRIPT.with_borrow(wrote))
    }

    /// How often engines ran, tries and all, in the order of the script.
    fn runs(&self) -> Vec<usize> {
        let ran =
            |script: &Script, number: i64| script.ran[script.before..].iter().filter(|ran| ran.0 == number).count();
        let count = |script: &Script, of: &Engine| ran(script, of.number);
        SCRIPT.with_borrow(|script| script.named.iter().map(|of| count(script, of)).collect())
    }

    fn choices(&self) -> Vec<String> {
        self.cudnn.algorithms().iter().map(|(_, choice)| choice.to_string()).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.cudnn.plans.clear();
        let left = SCRIPT.with_borrow(|script| script.descriptors);
        assert!(left == 0 || std::thread::panicking(), "{left} descriptors are left behind");
        // SAFETY: nothing uses it any more.
        unsafe { self.pool.give_all_back() };
        self.driver.synchronize().unwrap();
    }
}

fn key(deterministic: bool) -> Key {
    let shape = Shape {
        images: 1,
        input: [2, 2],
        output: [2, 2],
        cin: 1,
        cout: 2,
        kernel: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
        groups: 1,
    };
    Key { direction: Direction::Forward, dtype: DType::F32, shape, add: false, strict: false, deterministic }
}

fn taking(number: i64, work: u64) -> Engine {
    Engine { number, work, ..Engine::default() }
}

#[test]
fn the_fastest_that_runs_is_taken_and_measured_once() {
    let slow = taking(7, 30);
    let failing = Engine { runs: vec![FAILED], ..taking(3, 0) };
    let unplanned = Engine { planned: NOT_SUPPORTED, ..taking(4, 0) };
    let rounding = Engine { notes: vec![0, 1], ..taking(5, 0) };
    let Some(mut scene) = Scene::new(&[slow, failing, unplanned, rounding, taking(8, 1)]) else { return };
    assert_eq!(scene.convolve(&key(false)), (true, vec![8]));
    // A hopeless one is not timed twice, one that fails is not run again, what may not be used is never run.
    assert_eq!(scene.runs(), [4, 1, 0, 0, 9]);
    assert_eq!(scene.choices(), ["8"]);
    assert_eq!(scene.convolve(&key(false)), (true, vec![8]));
    assert_eq!(scene.runs(), [0, 0, 0, 0, 1]);
    assert!(scene.cudnn.remarks.is_empty());
}

#[test]
fn the_first_deterministic_one_that_runs_is_taken_unmeasured() {
    let varying = Engine { notes: vec![4], ..taking(1, 0) };
    let failing = Engine { runs: vec![FAILED], ..taking(2, 0) };
    let Some(mut scene) = Scene::new(&[varying, failing, taking(3, 20), taking(4, 0)]) else { return };
    assert_eq!(scene.convolve(&key(true)), (true, vec![3]));
    assert_eq!(scene.runs(), [0, 1, 2, 0]);
}

#[test]
fn an_earlier_choice_is_taken_where_it_may_be_used_and_runs() {
    let rounding = Engine { notes: vec![1], ..taking(1, 0) };
    let failing = Engine { runs: vec![NOT_SUPPORTED], ..taking(2, 0) };
    let unnamed = taking(3, 0);
    for (earlier, want) in [("3", "3"), ("1", "9"), ("2", "9"), ("100", "9")] {
        let Some(mut scene) = Scene::new(&[taking(9, 1)]) else { return };
        let others = vec![rounding.clone(), failing.clone(), unnamed.clone()];
        SCRIPT.with_borrow_mut(|script| script.others = others);
        scene.cudnn.set_algorithms(&[(key(false), earlier.parse().unwrap())]);
        assert_eq!(scene.convolve(&key(false)), (true, vec![want.parse().unwrap()]), "{earlier}");
        assert_eq!(scene.choices(), [want], "{earlier}");
    }
}

#[test]
fn what_fails_later_is_made_without_cudnn_from_there_on_and_said() {
    // It fails after the runs of the race and a first convolution.
    let before = convolution::ROUNDS * (convolution::RUNS + 1) + 1;
    let failing = Engine { runs: [vec![0; before], vec![FAILED]].concat(), ..taking(6, 0) };
    let Some(mut scene) = Scene::new(&[failing]) else { return };
    assert_eq!(scene.convolve(&key(false)), (true, vec![6]));
    assert_eq!(scene.convolve(&key(false)), (false, vec![6]));
    assert_eq!(scene.convolve(&key(false)), (false, vec![]));
    assert!(scene.choices().is_empty(), "a run that goes on does not try it again");
    let said = scene.cudnn.remarks.join("\n");
    assert!(
        said.contains("own kernel (forward, 1×1 of 1 to 2 channels") && said.contains("as the script says (5000)"),
        "{said}"
    );
}

#[test]
fn where_nothing_runs_the_reason_is_said() {
    let cases = [
        (0, vec![Engine { runs: vec![FAILED], ..taking(1, 0) }, taking(2, 0)], 0),
        (0, vec![Engine { planned: FAILED, ..taking(1, 0) }], 1),
        (0, vec![Engine { planned: NOT_SUPPORTED, ..taking(1, 0) }], 0),
        (0, vec![], 0),
        (NOT_SUPPORTED, vec![taking(1, 0)], 0),
        (OTHERWISE, vec![taking(1, 0)], 1),
    ];
    for (case, (described, named, remarks)) in cases.into_iter().enumerate() {
        for deterministic in [false, true] {
            let Some(mut scene) = Scene::new(&named) else { return };
            SCRIPT.with_borrow_mut(|script| script.described = described);
            let runs = case == 0;
            assert_eq!(scene.convolve(&key(deterministic)).0, runs, "{case}");
            assert_eq!(scene.convolve(&key(deterministic)).0, runs, "{case}");
            // That cuDNN has no engine is nothing to speak of, unless the first that it names is refused later.
            let refused = usize::from(case == 2 && deterministic);
            assert_eq!(scene.cudnn.remarks.len(), remarks + refused, "{case}: {:?}", scene.cudnn.remarks);
        }
    }
}

#[test]
fn workspaces_grow_and_where_there_is_no_memory_a_lesser_plan_is_taken() {
    let wanting = |number, workspace, work| Engine { workspace, ..taking(number, work) };
    let Some(mut scene) = Scene::new(&[wanting(1, 5 << 20, 0), wanting(2, 1 << 10, 9)]) else { return };
    assert_eq!(scene.convolve(&key(false)), (true, vec![1]));
    assert_eq!(scene.cudnn.workspace.bytes, 6 << 20);
    drop(scene);
    // More than the card has: as where the limit of another card was larger.
    let Some(mut scene) = Scene::new(&[wanting(2, 1 << 10, 0)]) else { return };
    SCRIPT.with_borrow_mut(|script| script.others = vec![wanting(1, 1 << 50, 0)]);
    scene.cudnn.set_algorithms(&[(key(false), "1".parse().unwrap())]);
    assert_eq!(scene.convolve(&key(false)), (true, vec![2]));
    assert_eq!(scene.choices(), ["2"]);
    drop(scene);
    // A plan that is there wants more than there is, and the lesser one is found.
    let Some(mut scene) = Scene::new(&[wanting(1, 1 << 20, 0), wanting(2, 0, 9)]) else { return };
    assert_eq!(scene.convolve(&key(false)), (true, vec![1]));
    let plan = scene.cudnn.plans[&key(false)].as_ref().unwrap();
    assert_eq!(lesser(plan, &key(false)).map(|plan| plan.choice().to_string()).as_deref(), Some("2"));
}

#[test]
fn a_workspace_that_recorded_work_keeps_is_given_back_when_there_is_another() {
    let wanting = |number, workspace| Engine { workspace, ..taking(number, 0) };
    let Some(mut scene) = Scene::new(&[wanting(1, 1 << 20)]) else { return };
    assert_eq!(scene.convolve(&key(false)), (true, vec![1]));
    let first = scene.cudnn.workspace;
    let recorded = scene.pool.lifetimes.recording();
    assert!(scene.pool.lifetimes.is_kept(first.address));
    assert!(!scene.cudnn.grow(&mut scene.pool, 1 << 50).unwrap());
    assert_eq!((scene.cudnn.workspace.address, scene.cudnn.workspace.bytes), (first.address, first.bytes));
    assert!(scene.cudnn.grow(&mut scene.pool, first.bytes + 1).unwrap());
    assert!(scene.cudnn.workspace.address != first.address && scene.cudnn.workspace.bytes > first.bytes);
    scene.pool.forget(recorded).unwrap();
}

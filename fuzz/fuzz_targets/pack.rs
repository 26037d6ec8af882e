#![no_main]

#[path = "../../tests/damaged/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::pack(data));

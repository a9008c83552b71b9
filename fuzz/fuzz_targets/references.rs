#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kaito_fuzz::references::holds(bytes));

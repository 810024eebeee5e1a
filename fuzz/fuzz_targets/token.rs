#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| eksile_fuzz::run("token", data));

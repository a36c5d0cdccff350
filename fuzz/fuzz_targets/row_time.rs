#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent_supervisor::fuzz::row_time(data));

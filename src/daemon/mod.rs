//! The loop: wait for what happens, let the watchdog decide, do what it says.

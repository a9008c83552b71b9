//! Whoever is started with this in `LD_PRELOAD` finds this machine behind every name that ends in `.test`, for as long as the file isn't there that
//! `KAITO_TEST_NO_NAMES` names; as long as it is, nobody answers who is asked for them.

use std::ffi::{CStr, c_char, c_int, c_void};

/// What the C library says if no server of names answers.
const EAI_AGAIN: c_int = -3;

/// The next library that has a function of a name.
const RTLD_NEXT: *mut c_void = usize::MAX as *mut c_void;

type GetAddrInfo = unsafe extern "C" fn(*const c_char, *const c_char, *const c_void, *mut *mut c_void) -> c_int;

unsafe extern "C" {
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// # Safety
/// As of the function of the C library in whose place this is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getaddrinfo(name: *const c_char, service: *const c_char, hints: *const c_void, found: *mut *mut c_void) -> c_int {
    let real: GetAddrInfo = unsafe { std::mem::transmute(dlsym(RTLD_NEXT, c"getaddrinfo".as_ptr())) };
    let is_ours = !name.is_null() && unsafe { CStr::from_ptr(name) }.to_bytes().ends_with(b".test");
    if is_ours && std::env::var_os("KAITO_TEST_NO_NAMES").is_some_and(|path| std::path::Path::new(&path).exists()) {
        return EAI_AGAIN;
    }
    unsafe { real(if is_ours { c"127.0.0.1".as_ptr() } else { name }, service, hints, found) }
}

//! Memory that was freed, and that the allocator keeps for later: who works for a moment and then waits for hours gives it back.

/// Gives the system back what is free. That takes a few milliseconds, in which other threads may wait for memory, so that the moment
/// for it is when there is nothing to do.
///
/// Only glibc has to be asked: it gives back what is free at the end of its heaps alone, and one small thing that lives on keeps all
/// that lies before it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "nobody else offers it; it takes no pointer, and any thread may call it at any time (malloc_trim(3))")]
pub fn give_back() {
    // SAFETY: malloc_trim has no preconditions.
    unsafe { _ = libc::malloc_trim(0) };
}

/// Does nothing: other allocators give back what is free by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}

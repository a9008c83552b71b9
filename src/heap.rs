//! What glibc's allocator must be told to take little memory: others do so by themselves.

/// Has all threads that come share one heap. It is for those who wait most of the time: a heap for each of ten threads is memory that
/// each keeps for itself, and nobody gains time by it who hardly ever works at the same time as another.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "nobody else offers it; it takes no pointer, and any thread may call it at any time (mallopt(3))")]
pub fn share() {
    // SAFETY: mallopt has no preconditions, and leaves everything as it is if it can't do what it is told.
    unsafe { _ = libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Gives the system back what is free: who works for a moment and then waits for hours needs it no more. That takes a few
/// milliseconds, in which other threads may wait for memory, so that the moment for it is when there is nothing to do.
///
/// glibc itself gives back what is free at the end of its heaps alone, and one small thing that lives on keeps all that lies before it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "nobody else offers it; it takes no pointer, and any thread may call it at any time (malloc_trim(3))")]
pub fn give_back() {
    // SAFETY: malloc_trim has no preconditions.
    unsafe { _ = libc::malloc_trim(0) };
}

/// Does nothing.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share() {}

/// Does nothing.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}

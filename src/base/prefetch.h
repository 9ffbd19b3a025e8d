// Starts fetching a cache line. Unlike __builtin_prefetch this counts as a side effect: GCC 12 takes a
// function that only prefetches for a pure one, and drops calls to it whose result nobody uses.
#pragma once

namespace cinnabar {

[[gnu::always_inline]] inline void Prefetch(const void* address) {
#if defined(__x86_64__)
  asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address);
#endif
}

}  // namespace cinnabar

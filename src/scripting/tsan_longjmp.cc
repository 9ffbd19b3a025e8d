// Debian's Lua leaves an error by a name of longjmp that TSan does not know. Without this each error would
// leave frames on the stack that TSan keeps beside the real one, until that is full.
#ifdef __SANITIZE_THREAD__
#include <csetjmp>

extern "C" [[noreturn]] void __longjmp_chk(jmp_buf buffer, int value) {
  longjmp(buffer, value);
}
#endif

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "os/allocator.h"
#include "os/memory_info.h"
#include "os/temporary_directory_for_test.h"

namespace cinnabar::os {
namespace {

constexpr size_t kMegabyte = 1 << 20;

bool OnJemalloc() {
  return AllocatorName() != "libc";
}

TEST(MemoryInfo, SeesMemoryThatIsTouched) {
  const uint64_t resident = ResidentBytes();
  const uint64_t dirty = PrivateDirtyBytes();
  EXPECT_GT(resident, 0u);
  EXPECT_GT(TotalSystemBytes(), resident);
  constexpr size_t kSize = 16 * kMegabyte;
  void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, kSize);
  EXPECT_GE(ResidentBytes(), resident + kSize - kMegabyte);
  EXPECT_GE(PrivateDirtyBytes(), dirty + kSize - kMegabyte);
  EXPECT_GE(PrivateDirtyBytes(getpid()), dirty + kSize - kMegabyte);
  munmap(memory, kSize);
  EXPECT_EQ(SmapsBytes("NoSuchField"), 0u);
}

TEST(MemoryInfo, CpuTimesGrow) {
  const CpuTimes before = ReadCpuTimes(CpuTimesOf::kThread);
  const Nanos begin = SystemMonotonicNanos();
  CpuTimes now = before;
  while (now.user + now.system == before.user + before.system) {
    now = ReadCpuTimes(CpuTimesOf::kThread);
    if (SystemMonotonicNanos() - begin > 10 * kNanosPerSecond) break;
  }
  EXPECT_GT(now.user + now.system, before.user + before.system);
  EXPECT_GE(ReadCpuTimes(CpuTimesOf::kProcess).user + ReadCpuTimes(CpuTimesOf::kProcess).system, now.user);
}

TEST(MemoryInfo, WarnsAboutTheKernel) {
  TemporaryDirectory root;
  EXPECT_TRUE(KernelWarnings(511, HugePages::kTaken, root.Path()).empty());
  root.Write("proc/sys/vm/overcommit_memory", "1\n");
  root.Write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  root.Write("proc/sys/net/core/somaxconn", "4096\n");
  EXPECT_TRUE(KernelWarnings(511, HugePages::kTaken, root.Path()).empty());
  root.Write("proc/sys/vm/overcommit_memory", "0\n");
  root.Write("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
  root.Write("proc/sys/net/core/somaxconn", "128\n");
  EXPECT_EQ(KernelWarnings(511, HugePages::kTaken, root.Path()).size(), 3u);
  EXPECT_EQ(KernelWarnings(511, HugePages::kRefused, root.Path()).size(), 2u);
}

TEST(Allocator, HasFigures) {
  const std::vector<char> block(8 * kMegabyte, 'x');
  const AllocatorStats stats = ReadAllocatorStats();
  EXPECT_GE(stats.allocated, block.size());
  EXPECT_GE(stats.active, stats.allocated);
  EXPECT_GE(stats.resident, stats.active);
  EXPECT_GE(stats.FragmentationRatio(), 1.0);
  EXPECT_FALSE(MallocStats().empty());
  MallocPurge();
}

TEST(Allocator, NamedValues) {
  if (!OnJemalloc()) {
    EXPECT_FALSE(MallctlGet("epoch"));
    return;
  }
  EXPECT_TRUE(AllocatorName().starts_with("jemalloc-5")) << AllocatorName();
  EXPECT_TRUE(MallctlGet("arenas.narenas"));               // unsigned
  EXPECT_EQ(*MallctlGet("arenas.page"), 4096);             // size_t
  const auto cache = MallctlGet("thread.tcache.enabled");  // bool
  ASSERT_TRUE(cache);
  EXPECT_EQ(*MallctlSet("thread.tcache.enabled", 0), *cache);
  EXPECT_EQ(*MallctlGet("thread.tcache.enabled"), 0);
  EXPECT_EQ(*MallctlSet("thread.tcache.enabled", *cache), 0);
  EXPECT_FALSE(MallctlGet("no.such.name"));
  EXPECT_TRUE(MallctlGetString("version"));
}

TEST(MemoryMeter, FollowsAllThreads) {
  MemoryMeter meter;
  ThreadMemory mine(meter);
  const uint64_t begin = meter.Used();
  std::optional<std::vector<char>> from_thread;
  std::thread thread([&] {
    ThreadMemory its(meter);
    from_thread.emplace(4 * kMegabyte, 'x');
  });
  thread.join();
  const uint64_t with_block = meter.Used();  // the thread has ended, its block has not
  EXPECT_GE(with_block, begin + 4 * kMegabyte);
  EXPECT_LT(with_block, begin + 5 * kMegabyte);
  from_thread.reset();  // freed here
  EXPECT_LT(meter.Used(), begin + kMegabyte);
}

}  // namespace
}  // namespace cinnabar::os

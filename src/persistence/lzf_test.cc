// structures/lzf.h beside the library that packs: it stands here because this folder links that.
#include "structures/lzf.h"

#include <gtest/gtest.h>
#include <liblzf/lzf.h>

#include <string>

#include "base/random.h"

namespace cinnabar::lzf {
namespace {

std::string Pack(const std::string& text) {
  std::string packed(text.size() + 64, '\0');
  packed.resize(lzf_compress(text.data(), static_cast<unsigned>(text.size()), packed.data(),
                             static_cast<unsigned>(packed.size())));
  return packed;
}

// Repetitions near and far, short and long, between bytes of few or of many kinds.
std::string SomeText(Random& random) {
  std::string text = "seed";
  const size_t size = 4 + random.Uniform(random.Uniform(10) == 0 ? 20'000 : 400);
  const uint64_t kinds = random.Uniform(2) == 0 ? 4 : 256;
  while (text.size() < size) {
    if (random.Uniform(2) == 0) {
      const size_t distance = 1 + random.Uniform(random.Uniform(3) == 0 ? text.size() : 4);
      for (uint64_t left = random.Uniform(70); left > 0; --left) text += text[text.size() - distance];
    } else {
      for (uint64_t left = random.Uniform(40); left > 0; --left)
        text += static_cast<char>(random.Uniform(kinds));
    }
  }
  return text;
}

TEST(Lzf, UnpacksWhatTheLibraryPacked) {
  const uint64_t seed = 31;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int i = 0; i < 5000; ++i) {
    const std::string text = SomeText(random);
    const std::string packed = Pack(text);
    if (packed.empty()) continue;
    std::string again(text.size(), '\0');
    ASSERT_TRUE(Unpack(packed, again.data(), again.size())) << i;
    ASSERT_EQ(again, text) << i;
    ASSERT_FALSE(Unpack(packed, again.data(), again.size() - 1)) << i;
    again.resize(text.size() + 1);
    ASSERT_FALSE(Unpack(packed, again.data(), again.size())) << i;
  }
}

TEST(Lzf, JudgesDamagedBytesAsTheLibraryDoes) {
  const uint64_t seed = 32;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = SomeText(random);
    std::string packed = Pack(text);
    if (packed.empty()) continue;
    packed[random.Uniform(packed.size())] ^= static_cast<char>(1 << random.Uniform(8));
    if (random.Uniform(4) == 0) packed.resize(1 + random.Uniform(packed.size()));
    std::string ours(text.size(), '\0'), theirs(text.size(), '\0');
    const bool intact = lzf_decompress(packed.data(), static_cast<unsigned>(packed.size()), theirs.data(),
                                       static_cast<unsigned>(theirs.size())) == theirs.size();
    ASSERT_EQ(Unpack(packed, ours.data(), ours.size()), intact) << i;
    if (!intact) continue;
    ASSERT_EQ(ours, theirs) << i;
  }
}

}  // namespace
}  // namespace cinnabar::lzf

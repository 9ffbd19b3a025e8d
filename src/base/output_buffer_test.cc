// A model test of the buffer in which replies wait: whatever is appended leaves in order, byte for byte.
#include "base/output_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/random.h"

namespace cinnabar {
namespace {

std::string Peek(const OutputBuffer& output, size_t limit) {
  std::string text;
  iovec parts[256];
  const int count = output.Gather(parts, 256);
  for (int i = 0; i < count; ++i) text.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  return text.substr(0, limit);
}

std::string RandomText(Random& random) {
  return std::string(random.Uniform(random.OneIn(8) ? 40000 : 200), static_cast<char>(random.Next()));
}

void AppendSomething(Random& random, OutputBuffer& output, std::string& model) {
  const std::string text = RandomText(random);
  switch (random.Uniform(4)) {
    case 0:
      output.AppendShared(SharedBytes::Copy(text));
      break;
    case 1:
      if (char* room = output.Room(text.size())) {
        std::memcpy(room, text.data(), text.size());
        output.Commit(text.size());
        break;
      }
      [[fallthrough]];
    default:
      output.Append(text);
  }
  model += text;
}

TEST(OutputBuffer, BehavesLikeAString) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  OutputBuffer output(OutputBuffer::kFixedBytesMin);
  std::string model;
  for (int step = 0; step < 4000; ++step) {
    switch (random.Uniform(8)) {
      case 0: {
        OutputBuffer other(random.OneIn(2) ? OutputBuffer::kFixedBytesMin : 0);
        std::string more;
        for (uint64_t i = 0; i < random.Uniform(4); ++i) AppendSomething(random, other, more);
        const size_t gone = random.Uniform(more.size() + 1);
        other.Consume(gone);
        output.Splice(std::move(other));
        model += more.substr(gone);
        break;
      }
      case 1:
      case 2:
      case 3: {
        const std::string seen = Peek(output, model.size());
        ASSERT_EQ(seen.size() > 0, !model.empty());
        ASSERT_TRUE(model.starts_with(seen)) << "step " << step;
        const size_t gone = random.Uniform(seen.size() + 1);
        output.Consume(gone);
        model.erase(0, gone);
        break;
      }
      case 4:
        if (output.empty()) output.ResizeFixed(1024 << random.Uniform(5));
        break;
      default:
        AppendSomething(random, output, model);
    }
    ASSERT_EQ(output.pending_bytes(), model.size()) << "step " << step;
    ASSERT_EQ(output.empty(), model.empty()) << "step " << step;
    if (model.size() > 400000) {
      output.Clear();
      model.clear();
    }
  }
}

TEST(OutputBuffer, SharedBytesAreLinkedNotCopied) {
  OutputBuffer output(OutputBuffer::kFixedBytesMin);
  SharedBytes block = SharedBytes::Copy(std::string(100, 'x'));
  output.AppendShared(block);
  EXPECT_FALSE(block.unique());
  iovec part;
  ASSERT_EQ(output.Gather(&part, 1), 1);
  EXPECT_EQ(part.iov_base, block.data());
  EXPECT_GE(output.chunk_memory(), 100u);
  output.Consume(100);
  EXPECT_TRUE(block.unique());
  EXPECT_EQ(output.chunk_memory(), 0u);
}

}  // namespace
}  // namespace cinnabar

#include "base/shared_bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace cinnabar {
namespace {

TEST(SharedBytes, GrowsInPlaceOrMovesAndKeepsItsBytes) {
  SharedBytes bytes = SharedBytes::Copy("abc");
  bytes.Reserve(1 << 20);
  EXPECT_EQ(bytes.capacity(), size_t{1} << 20);
  EXPECT_EQ(bytes.view(), "abc");
  EXPECT_TRUE(bytes.unique());
}

TEST(SharedBytes, ASliceKeepsTheWholeAlive) {
  SharedBytes whole = SharedBytes::Copy(std::string(1000, 'x') + std::string(1000, 'y'));
  SharedBytes slice = SharedBytes::Slice(whole, whole.view().substr(990, 20));
  EXPECT_FALSE(whole.unique()) << "its bytes are in use";
  whole = SharedBytes();
  EXPECT_EQ(slice.view(), "xxxxxxxxxxyyyyyyyyyy");
  EXPECT_EQ(slice.size(), slice.capacity());
}

TEST(SharedBytes, ASliceIsNeverChanged) {
  SharedBytes whole = SharedBytes::Copy("0123456789");
  SharedBytes slice = SharedBytes::Slice(whole, whole.view().substr(2, 3));
  EXPECT_FALSE(slice.unique());
  slice = SharedBytes();
  EXPECT_TRUE(whole.unique()) << "nobody uses a part of it any more";
}

TEST(SharedBytes, OwnersOfASliceShareIt) {
  SharedBytes slice;
  {
    SharedBytes whole = SharedBytes::Copy("0123456789");
    slice = SharedBytes::Slice(whole, whole.view().substr(5));
  }
  SharedBytes second = slice;
  slice = SharedBytes();
  EXPECT_EQ(second.view(), "56789");
}

}  // namespace
}  // namespace cinnabar

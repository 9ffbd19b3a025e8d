#include "server/nodes_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "os/files.h"
#include "os/temporary_directory_for_test.h"

namespace cinnabar::server {
namespace {

using Synced = NodesStore::Synced;

class NodesStoreTest : public ::testing::Test {
 protected:
  os::TemporaryDirectory folder_;
  const std::string path_ = folder_.Path("nodes.conf");
};

TEST_F(NodesStoreTest, KeepsWhatItIsGiven) {
  {
    NodesStore store;
    EXPECT_EQ(*store.Open(path_), "");
    ASSERT_TRUE(store.Replace("first\n", Synced::kYes).has_value());
    ASSERT_TRUE(store.Replace("second\n", Synced::kNo).has_value());
  }
  NodesStore store;
  EXPECT_EQ(*store.Open(path_), "second\n");
}

TEST_F(NodesStoreTest, NoTwoShareAFile) {
  NodesStore store;
  ASSERT_TRUE(store.Open(path_).has_value());
  NodesStore other;
  EXPECT_FALSE(other.Open(path_).has_value());
  // The lock stays with the name when the file is replaced.
  ASSERT_TRUE(store.Replace("text", Synced::kNo).has_value());
  NodesStore third;
  const auto refused = third.Open(path_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("already used by a different Redis Cluster node"),
            std::string::npos);
}

TEST_F(NodesStoreTest, AFileThatCannotBeWrittenStaysAsItWas) {
  NodesStore store;
  ASSERT_TRUE(store.Open(path_).has_value());
  ASSERT_TRUE(store.Replace("old", Synced::kYes).has_value());
  std::filesystem::create_directory(path_ + ".tmp-" + std::to_string(getpid()));
  EXPECT_FALSE(store.Replace("new", Synced::kYes).has_value());
  EXPECT_EQ(*os::ReadWholeFile(path_), "old");
  std::filesystem::remove(path_ + ".tmp-" + std::to_string(getpid()));
  EXPECT_TRUE(store.Replace("new", Synced::kYes).has_value());
  EXPECT_EQ(*os::ReadWholeFile(path_), "new");
}

TEST_F(NodesStoreTest, SaysWhyItCannotBeOpened) {
  NodesStore store;
  const auto refused = store.Open(folder_.Path("missing/nodes.conf"));
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("Can't open"), std::string::npos);
}

}  // namespace
}  // namespace cinnabar::server

#include "persistence/aof_manifest.h"

#include <gtest/gtest.h>

namespace cinnabar::persistence {
namespace {

std::string ErrorOf(std::string_view text) {
  const auto manifest = AofManifest::Parse(text);
  return manifest ? "" : manifest.error().message + " @" + std::to_string(manifest.error().code);
}

TEST(AofManifest, RoundTrip) {
  const std::string text =
      "file appendonly.aof.2.base.rdb seq 2 type b\n"
      "file appendonly.aof.1.base.rdb seq 1 type h\n"
      "file appendonly.aof.4.incr.aof seq 4 type i\n"
      "file appendonly.aof.6.incr.aof seq 6 type i\n";
  const auto manifest = AofManifest::Parse(text);
  ASSERT_TRUE(manifest.has_value());
  EXPECT_EQ(manifest->base->sequence, 2);
  EXPECT_EQ(manifest->increments.size(), 2u);
  EXPECT_EQ(manifest->Format(), text);
}

TEST(AofManifest, CommentsAndUnknownPairsAreIgnored) {
  const auto manifest = AofManifest::Parse("# made by hand\nfile a seq 3 type b colour red\n");
  ASSERT_TRUE(manifest.has_value());
  EXPECT_EQ(*manifest->base, (AofFile{"a", 3, AofFile::Type::kBase}));
}

TEST(AofManifest, NamesWithSpecialCharacters) {
  AofManifest manifest;
  manifest.AddIncrement(" file seq \n\n.aof ");
  const std::string text = manifest.Format();
  EXPECT_EQ(text, "file \" file seq \\n\\n.aof .1.incr.aof\" seq 1 type i\n");
  EXPECT_EQ(AofManifest::Parse(text)->increments, manifest.increments);
}

TEST(AofManifest, Errors) {
  EXPECT_EQ(ErrorOf(""), "Found an empty AOF manifest @0");
  EXPECT_EQ(ErrorOf("file a seq 1 type i\n\nfile b seq 2 type i\n"), "Invalid AOF manifest file format @2");
  EXPECT_EQ(ErrorOf("filx a seq 1 type b\n"), "Invalid AOF manifest file format @1");
  EXPECT_EQ(ErrorOf("file a type i\n"), "Invalid AOF manifest file format @1");
  EXPECT_EQ(ErrorOf("file a seq 1 type i odd\n"), "Invalid AOF manifest file format @1");
  EXPECT_EQ(ErrorOf("file a seq 0 type i\n"), "Invalid AOF manifest file format @1");
  EXPECT_EQ(ErrorOf("file a seq 1 type i"), "Invalid AOF manifest file format @1");
  EXPECT_EQ(ErrorOf("file a seq 1 type x\n"), "Unknown AOF file type @1");
  EXPECT_EQ(ErrorOf("file a/b seq 1 type b\n"), "File can't be a path, just a filename @1");
  EXPECT_EQ(ErrorOf("file a seq 1 type b\nfile b seq 2 type b\n"),
            "Found duplicate base file information @2");
  EXPECT_EQ(ErrorOf("file a seq 2 type i\nfile b seq 1 type i\n"),
            "Found a non-monotonic sequence number @2");
  EXPECT_EQ(ErrorOf("file " + std::string(1100, 'a') + " seq 1 type b\n"),
            "The AOF manifest file contains too long line @1");
}

TEST(AofManifest, Rewriting) {
  AofManifest manifest;
  manifest.AddBase("a.aof", BaseFormat::kCommands);
  manifest.AddIncrement("a.aof");
  const int64_t fresh = manifest.AddIncrement("a.aof").sequence;
  manifest.AddBase("a.aof", BaseFormat::kSnapshot);
  manifest.RetireIncrementsBefore(fresh);
  EXPECT_EQ(manifest.Format(),
            "file a.aof.2.base.rdb seq 2 type b\n"
            "file a.aof.1.incr.aof seq 1 type h\n"
            "file a.aof.1.base.aof seq 1 type h\n"
            "file a.aof.2.incr.aof seq 2 type i\n");
}

TEST(AofManifest, ANewIncrementHasNoNameThatIsStillTaken) {
  auto manifest = AofManifest::Parse(
      "file a.aof.9.base.rdb seq 9 type b\n"
      "file a.aof.4.incr.aof seq 4 type h\n"
      "file a.aof.8.base.rdb seq 8 type h\n");
  ASSERT_TRUE(manifest.has_value());
  EXPECT_EQ(manifest->AddIncrement("a.aof").name, "a.aof.5.incr.aof");
}

}  // namespace
}  // namespace cinnabar::persistence

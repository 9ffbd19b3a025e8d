#include "keyspace/readers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace cinnabar::keyspace {
namespace {

using Added = Readers::Added;

class ReadersTest : public testing::Test {
 protected:
  Added Add(std::string_view name, uint64_t reader) {
    return readers_.Add(keyspace_, keyspace_.KeyOf(name), reader);
  }
  std::set<uint64_t> Take(std::string_view name) {
    const std::vector<uint64_t> taken = readers_.Take(keyspace_.KeyOf(name));
    std::set<uint64_t> all(taken.begin(), taken.end());
    EXPECT_EQ(all.size(), taken.size()) << "a reader twice";
    return all;
  }

  Keyspace keyspace_{1, HashKey(1), 1};
  Readers readers_;
};

TEST_F(ReadersTest, NotesEachReaderOnce) {
  EXPECT_EQ(Add("k", 7), Added::kKey);
  EXPECT_EQ(Add("k", 7), Added::kNothing);
  EXPECT_EQ(Add("k", 8), Added::kReader);
  EXPECT_EQ(Add("", 9), Added::kKey);
  EXPECT_EQ(readers_.keys(), 2u);
  EXPECT_EQ(readers_.items(), 3u);
  EXPECT_EQ(Take("k"), (std::set<uint64_t>{7, 8}));
  EXPECT_EQ(Take("k"), std::set<uint64_t>());
  EXPECT_EQ(Take("other"), std::set<uint64_t>());
  EXPECT_EQ(Take(""), std::set<uint64_t>{9});
  EXPECT_EQ(readers_.keys(), 0u);
  EXPECT_EQ(readers_.items(), 0u);
}

TEST_F(ReadersTest, ManyReadersOfOneKey) {
  std::set<uint64_t> all;
  for (uint64_t reader = 1; reader <= 5000; ++reader) {
    ASSERT_EQ(Add("k", reader * reader), reader == 1 ? Added::kKey : Added::kReader) << reader;
    all.insert(reader * reader);
    const uint64_t earlier = 1 + reader * 31 % reader;
    ASSERT_EQ(Add("k", earlier * earlier), Added::kNothing) << reader;
  }
  EXPECT_EQ(readers_.items(), 5000u);
  EXPECT_EQ(Take("k"), all);
}

TEST_F(ReadersTest, AnyKeyIsSampled) {
  Random random(1);
  std::set<std::string> seen;
  for (const char* name : {"a", "b", "c"}) Add(name, 1);
  for (int i = 0; i < 200; ++i) seen.insert(readers_.Sample(random));
  EXPECT_EQ(seen.size(), 3u);
}

TEST_F(ReadersTest, AgreesWithAModel) {
  const auto seed = static_cast<uint32_t>(std::random_device()());
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::map<std::string, std::set<uint64_t>> model;
  for (int i = 0; i < 100'000; ++i) {
    const std::string name(random() % 40, static_cast<char>('a' + random() % 10));
    if (random() % 30 == 0) {
      ASSERT_EQ(Take(name), model[name]);
      model.erase(name);
      continue;
    }
    const uint64_t reader = 1 + random() % 40;
    const bool key = !model.contains(name);
    const bool added = model[name].insert(reader).second;
    ASSERT_EQ(Add(name, reader), key ? Added::kKey : added ? Added::kReader : Added::kNothing);
    ASSERT_EQ(readers_.keys(), model.size());
  }
  size_t items = 0;
  for (const auto& [name, readers] : model) items += readers.size();
  EXPECT_EQ(readers_.items(), items);
}

}  // namespace
}  // namespace cinnabar::keyspace

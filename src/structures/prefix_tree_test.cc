#include "structures/prefix_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace cinnabar {
namespace {

using Names = std::vector<std::string>;

Names PrefixesOf(PrefixTree<std::string>& tree, std::string_view text) {
  Names found;
  tree.VisitPrefixesOf(text, [&](const std::string& value) { found.push_back(value); });
  return found;
}

TEST(PrefixTree, FindsThePrefixesOfAString) {
  PrefixTree<std::string> tree;
  EXPECT_TRUE(tree.empty());
  for (const char* prefix : {"user:1", "uid", "user:", ""}) tree.FindOrAdd(prefix) = prefix;
  EXPECT_EQ(tree.size(), 4u);
  EXPECT_EQ(PrefixesOf(tree, "user:12"), (Names{"", "user:", "user:1"}));
  EXPECT_EQ(PrefixesOf(tree, "user:"), (Names{"", "user:"}));
  EXPECT_EQ(PrefixesOf(tree, "user"), (Names{""}));
  EXPECT_EQ(PrefixesOf(tree, "uid"), (Names{"", "uid"}));
  EXPECT_EQ(PrefixesOf(tree, ""), (Names{""}));
  EXPECT_EQ(tree.Find("use"), nullptr);
  EXPECT_EQ(tree.Find("u"), nullptr);
}

TEST(PrefixTree, KeepsValuesInPlace) {
  PrefixTree<std::string> tree;
  std::string* const kept = &tree.FindOrAdd("abcdef");
  tree.FindOrAdd("abcxyz");
  tree.FindOrAdd("ab");
  tree.Remove("abcxyz");
  tree.Remove("ab");
  EXPECT_EQ(tree.Find("abcdef"), kept);
  EXPECT_EQ(&tree.FindOrAdd("abcdef"), kept);
}

TEST(PrefixTree, AnyBytesArePrefixes) {
  PrefixTree<std::string> tree;
  const std::string zeros("\0\0\xff", 3);
  tree.FindOrAdd(zeros) = "zeros";
  EXPECT_EQ(PrefixesOf(tree, zeros + "\xff"), (Names{"zeros"}));
  tree.Remove(zeros);
  EXPECT_TRUE(tree.empty());
}

TEST(PrefixTree, AgreesWithAModel) {
  const auto seed = static_cast<uint32_t>(std::random_device()());
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto word = [&] {
    std::string text(random() % 7, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    return text;
  };
  PrefixTree<std::string> tree;
  std::map<std::string, std::string> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::string prefix = word();
    if (random() % 2 == 0) {
      tree.FindOrAdd(prefix) = prefix;
      model[prefix] = prefix;
    } else {
      tree.Remove(prefix);
      model.erase(prefix);
    }
    ASSERT_EQ(tree.size(), model.size());
    const std::string text = word();
    Names wanted;
    for (size_t length = 0; length <= text.size(); ++length) {
      if (model.contains(text.substr(0, length))) wanted.push_back(text.substr(0, length));
    }
    ASSERT_EQ(PrefixesOf(tree, text), wanted) << text;
    const std::string* found = tree.Find(text);
    ASSERT_EQ(found != nullptr, model.contains(text));
  }
  for (const auto& [prefix, value] : std::map(model)) tree.Remove(prefix);
  EXPECT_TRUE(tree.empty());
  EXPECT_EQ(tree.Find(""), nullptr);
}

}  // namespace
}  // namespace cinnabar

// Packets and files of real nodes, which are also where fuzzing begins: tests/fuzz_corpus.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace cinnabar::cluster {

inline std::filesystem::path CorpusFolder(std::string_view target) {
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  return root / "tests" / "fuzz_corpus" / target;
}

inline std::string CorpusFile(std::string_view target, std::string_view name) {
  std::ifstream file(CorpusFolder(target) / name, std::ios::binary);
  EXPECT_TRUE(file) << target << "/" << name << " cannot be read";
  return {std::istreambuf_iterator<char>(file), {}};
}

// Of all files.
inline std::vector<std::string> CorpusNames(std::string_view target) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(CorpusFolder(target)))
    names.push_back(entry.path().filename());
  return names;
}

}  // namespace cinnabar::cluster

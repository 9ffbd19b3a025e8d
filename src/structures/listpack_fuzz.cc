// Arbitrary bytes taken for a listpack: what is refused is not read beyond its end, what is valid reads the
// same both ways and stays valid through changes.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "structures/listpack.h"
#include "structures/listpack_checker.h"

namespace listpack = cinnabar::listpack;

namespace {

std::string TextAt(std::string_view pack, size_t position) {
  listpack::Digits digits;
  return std::string(listpack::Get(pack, position).Text(digits));
}

std::vector<std::string> Walk(std::string_view pack) {
  std::vector<std::string> texts;
  for (size_t p = listpack::First(pack); p != listpack::kEnd; p = listpack::Next(pack, p)) {
    texts.push_back(TextAt(pack, p));
  }
  size_t left = texts.size();
  CHECK(listpack::Count(pack) == left);
  for (size_t p = listpack::Last(pack); p != listpack::kEnd; p = listpack::Previous(pack, p)) {
    CHECK(left > 0 && TextAt(pack, p) == texts[--left]);
  }
  CHECK(left == 0);
  return texts;
}

void Change(std::string_view bytes, const std::vector<std::string>& texts, std::string_view value) {
  cinnabar::HeapBytes pack{bytes};
  const auto middle = static_cast<int64_t>(texts.size() / 2);
  size_t position = listpack::Insert(pack, listpack::At(pack.view(), middle), value);
  CHECK(listpack::Valid(pack.view()) && listpack::Equals(pack.view(), position, value));
  CHECK(listpack::Find(pack.view(), listpack::First(pack.view()), value) != listpack::kEnd);
  CHECK(listpack::Replace(pack, listpack::First(pack.view()), value) == listpack::First(pack.view()));
  CHECK(listpack::Valid(pack.view()) && listpack::Count(pack.view()) == texts.size() + 1);
  position = listpack::InsertPair(pack, listpack::Last(pack.view()), value, "-7000");
  CHECK(listpack::Valid(pack.view()) && listpack::Equals(pack.view(), position, value));
  listpack::ReplaceInteger(pack, position, 1'000'000);
  listpack::AppendAll(pack, bytes);
  CHECK(listpack::Valid(pack.view()) && Walk(pack.view()).size() == 2 * texts.size() + 3);
  listpack::Erase(pack, position, texts.size());
  CHECK(listpack::Valid(pack.view()));
  listpack::Erase(pack, listpack::First(pack.view()), 3 * texts.size() + 3);
  CHECK(listpack::Valid(pack.view()) && pack.size() == listpack::kEmpty.size());
}

// Who checks on the way comes to the same verdict.
void CheckOnTheWay(std::string_view bytes) {
  listpack::Checker checker(bytes);
  listpack::Element element;
  std::string texts;
  listpack::Digits digits;
  while (checker.Next(element)) texts.append(element.Text(digits));
  CHECK(checker.intact() == listpack::Valid(bytes));
  if (checker.intact()) CHECK(checker.count() == listpack::Count(bytes));
}

void Try(std::string_view bytes) {
  CheckOnTheWay(bytes);
  if (!listpack::Valid(bytes)) return;
  const std::vector<std::string> texts = Walk(bytes);
  Change(bytes, texts, "");
  Change(bytes, texts, "-129");
  Change(bytes, texts, std::string(200, 'v'));
  if (!texts.empty()) Change(bytes, texts, texts.back());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Try(bytes);
  // With a true total, so that the elements are reached. In an allocation of its own, so that reads beyond
  // its end are seen.
  if (size < listpack::kEmpty.size()) return 0;
  cinnabar::HeapBytes repaired{bytes};
  const auto total = static_cast<uint32_t>(size);
  std::memcpy(repaired.data(), &total, sizeof total);
  Try(repaired.view());
  return 0;
}

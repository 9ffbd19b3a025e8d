#include "types/large_sorted_set.h"

#include <malloc.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/hash_seed.h"
#include "base/same_bytes.h"

namespace cinnabar::types {
ScoredMember* ScoredMember::Make(std::string_view member, double score) {
  const bool is_long = member.size() >= kLong;
  const size_t head = sizeof(ScoredMember) + 1 + (is_long ? sizeof(uint32_t) : 0);
  char* memory = static_cast<char*>(std::malloc(head + member.size()));
  CHECK(memory != nullptr);
  auto* made = reinterpret_cast<ScoredMember*>(memory);
  made->score_ = score;
  memory[sizeof(ScoredMember)] = static_cast<char>(is_long ? kLong : member.size());
  if (is_long) {
    const auto length = static_cast<uint32_t>(member.size());
    std::memcpy(memory + sizeof(ScoredMember) + 1, &length, sizeof length);
  }
  if (!member.empty()) std::memcpy(memory + head, member.data(), member.size());
  return made;
}

LargeSortedSet::LargeSortedSet() : seed_(HashSeedFor(this)) {}

LargeSortedSet::~LargeSortedSet() {
  if (order_.size() == size()) {
    order_.Clear(ScoredMember::Free);
  } else {
    ForEachUnordered([](ScoredMember& member) { ScoredMember::Free(&member); });
  }
}

size_t LargeSortedSet::memory(size_t samples) const {
  size_t seen = 0;
  size_t bytes = 0;
  const size_t wanted = samples == 0 ? size() : std::min(samples, size());
  order_.WalkUp(0, wanted, [&](ScoredMember& member) {
    bytes += malloc_usable_size(&member);
    ++seen;
  });
  if (seen != 0 && seen < size()) {
    bytes = static_cast<size_t>(static_cast<double>(bytes) / static_cast<double>(seen) *
                                static_cast<double>(size()));
  }
  return sizeof(*this) + index_.memory() + order_.memory() + bytes;
}

std::unique_ptr<Value> LargeSortedSet::Clone() const {
  auto copy = std::make_unique<LargeSortedSet>();
  order_.WalkUp(0, size(),
                [&](const ScoredMember& member) { copy->Append(member.member(), member.score()); });
  return copy;
}

TableSlot* LargeSortedSet::FindSlot(uint64_t hash, std::string_view member) const {
  return index_.Find(hash, [&](const ScoredMember& other) { return SameBytes(other.member(), member); });
}

ScoredMember* LargeSortedSet::Find(std::string_view member) const {
  TableSlot* slot = FindSlot(HashOf(member), member);
  return slot == nullptr ? nullptr : slot->entry<ScoredMember>();
}

ScoredMember* LargeSortedSet::AddUnordered(std::string_view member, double score) {
  ScoredMember* made = ScoredMember::Make(member, score);
  index_.Insert(HashOf(member), made, false,
                [this](const ScoredMember& other) { return HashOf(other.member()); });
  return made;
}

void LargeSortedSet::Order(const Interlude& interlude) {
  DCHECK(order_.size() == 0);
  std::vector<ScoredMember*> members;
  members.reserve(size());
  ForEachUnordered([&](ScoredMember& member) { members.push_back(&member); });
  constexpr uint32_t kSteps = 64;
  uint32_t steps = 0;
  auto step = [&] {
    if (++steps < kSteps || !interlude) return;
    interlude(steps);
    steps = 0;
  };
  std::sort(members.begin(), members.end(), [&](const ScoredMember* a, const ScoredMember* b) {
    step();
    if (a->score() != b->score()) return a->score() < b->score();
    return CompareMembers(a->member(), b->member()) < 0;
  });
  for (ScoredMember* member : members) {
    order_.Append(member);
    step();
  }
}

void LargeSortedSet::ChangeScore(ScoredMember& member, double score) {
  order_.ChangeScore(member, score, [score](ScoredMember& changed) { changed.set_score(score); });
}

bool LargeSortedSet::Erase(std::string_view member) {
  const uint64_t hash = HashOf(member);
  TableSlot* slot = FindSlot(hash, member);
  if (slot == nullptr) return false;
  ScoredMember* found = index_.Erase(hash, slot);
  order_.Erase(*found);
  ScoredMember::Free(found);
  return true;
}

void LargeSortedSet::EraseRanks(uint64_t rank, uint64_t count) {
  // In slices, so that the buckets of a slice are fetched together.
  constexpr size_t kSlice = 32;
  uint64_t hashes[kSlice];
  while (count > 0) {
    const uint64_t n = std::min<uint64_t>(count, kSlice);
    size_t i = 0;
    order_.WalkUp(rank, n, [&](const ScoredMember& member) {
      hashes[i] = HashOf(member.member());
      index_.PrefetchBucket(hashes[i++]);
    });
    i = 0;
    order_.EraseRanks(rank, n, [&](ScoredMember* member) {
      const uint64_t hash = hashes[i++];
      index_.Erase(hash, index_.Find(hash, [&](const ScoredMember& other) { return &other == member; }));
      ScoredMember::Free(member);
    });
    count -= n;
  }
}

}  // namespace cinnabar::types

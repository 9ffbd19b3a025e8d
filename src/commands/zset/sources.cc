#include "commands/zset/sources.h"

#include <cmath>

#include "catalog/errors.h"

namespace cinnabar::commands {

bool Source::Open(dispatch::Call& call, const keyspace::Key& key) {
  const keyspace::EntryRef entry = call.db().FindRead(key);
  if (!entry) return true;
  if (entry->type() != types::Type::kSortedSet && entry->type() != types::Type::kSet) {
    call.reply().Error(errors::kWrongType);
    return false;
  }
  holder_.Open(entry);
  return true;
}

size_t Source::size() const {
  if (!holder_.exists()) return 0;
  return is_set() ? AsSet().size() : AsSortedSet().size();
}

std::optional<double> Source::Score(std::string_view member) const {
  if (!holder_.exists()) return std::nullopt;
  if (!is_set()) return AsSortedSet().Score(member);
  return AsSet().Contains(member) ? std::optional(kScoreInSets) : std::nullopt;
}

double Source::Weighted(double score) const {
  const double weighted = weight_ * score;
  return std::isnan(weighted) ? 0 : weighted;  // zero times infinity
}

bool Sources::Open(dispatch::Call& call, size_t first, size_t count) {
  storage_ = std::make_unique<Source[]>(count);
  all_.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    if (!storage_[i].Open(call, call.key(first + i))) return false;
    all_.push_back(&storage_[i]);
  }
  return true;
}

void Sources::SortBySize() {
  std::stable_sort(all_.begin(), all_.end(),
                   [](const Source* a, const Source* b) { return a->size() < b->size(); });
}

}  // namespace cinnabar::commands

#include "journal/journal.h"

#include <algorithm>
#include <array>
#include <mutex>

#include "base/numbers.h"

namespace cinnabar::journal {
namespace {

// What a large record has made of a buffer that is used again and again is given back.
constexpr size_t kKeptBytes = 256 * 1024;

}  // namespace

void Effects::Add(int database, std::span<const std::string_view> argv) {
  const size_t begin = bytes_.size();
  EncodeCommand(argv, bytes_);
  records_.push_back({database, begin, bytes_.size(), nullptr});
}

void Journal::AddSink(JournalSink& sink) {
  std::lock_guard lock(lock_);
  sinks_.push_back(&sink);
}

void Journal::RemoveSink(JournalSink& sink) {
  std::lock_guard lock(lock_);
  std::erase(sinks_, &sink);
}

void Journal::SelectDatabase(int database) {
  if (database == database_) return;
  database_ = database;
  char digits[kInt64TextBytes];
  const std::string_view number(digits, FormatInt64(database, digits));
  EncodeCommand(std::array<std::string_view, 2>{"SELECT", number}, staging_);
}

uint64_t Journal::Append(const Effects& effects) {
  std::lock_guard lock(lock_);
  if (effects.empty() || sinks_.empty()) return offset_;
  const bool wrapped = effects.size() > 1;
  const Effects::Record& first = effects.records()[0];
  const auto hand = [this](std::string_view bytes) {
    for (JournalSink* sink : sinks_) sink->OnBytes(offset_, bytes);
    return offset_ += bytes.size();
  };
  if (!wrapped && first.database == database_) return hand(effects.bytes(first));
  staging_.clear();
  if (wrapped) {
    if (select_place_ == SelectPlace::kBeforeMulti) SelectDatabase(first.database);
    EncodeCommand(std::array<std::string_view, 1>{"MULTI"}, staging_);
  }
  for (const Effects::Record& record : effects.records()) {
    SelectDatabase(record.database);
    staging_ += effects.bytes(record);
  }
  if (wrapped) EncodeCommand(std::array<std::string_view, 1>{"EXEC"}, staging_);
  const uint64_t offset = hand(staging_);
  if (staging_.capacity() > kKeptBytes) std::string().swap(staging_);
  return offset;
}

uint64_t Journal::AppendRaw(std::string_view bytes) {
  std::lock_guard lock(lock_);
  database_ = -1;
  for (JournalSink* sink : sinks_) sink->OnBytes(offset_, bytes);
  return offset_ += bytes.size();
}

void Journal::SetOffset(uint64_t offset) {
  std::lock_guard lock(lock_);
  offset_ = offset;
  database_ = -1;
}

void Journal::SelectAnew() {
  std::lock_guard lock(lock_);
  database_ = -1;
}

uint64_t Journal::offset() const {
  std::lock_guard lock(lock_);
  return offset_;
}

}  // namespace cinnabar::journal

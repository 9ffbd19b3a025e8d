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
  records_.push_back({database, begin, bytes_.size(), nullptr, false});
}

void Effects::DropSince(size_t mark) {
  records_.Truncate(mark);
  mixed_ = std::any_of(records_.begin(), records_.end(),
                       [](const Record& record) { return record.for_replicas || record.for_files; });
}

void Effects::OnlyForReplicasSince(size_t mark) {
  for (size_t i = mark; i < records_.size(); ++i) records_[i].for_replicas = mixed_ = true;
}

void Effects::OnlyForFilesSince(size_t mark) {
  for (size_t i = mark; i < records_.size(); ++i) records_[i].for_files = mixed_ = true;
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
  if (effects.mixed()) [[unlikely]]
    return AppendMixed(effects);
  if (!wrapped && first.database == database_) return hand(effects.bytes(first));
  Stage(effects);
  const uint64_t offset = hand(staging_);
  ShrinkStaging();
  return offset;
}

void Journal::StageSelect(int database) {
  const size_t before = staging_.size();
  SelectDatabase(database);
  kept_.append(staging_, before);
}

void Journal::StageWord(std::string_view word) {
  EncodeCommand(std::array<std::string_view, 1>{word}, staging_);
  EncodeCommand(std::array<std::string_view, 1>{word}, kept_);
}

void Journal::Stage(const Effects& effects) {
  const bool wrapped = effects.size() > 1;
  staging_.clear();
  kept_.clear();
  if (wrapped) {
    if (select_place_ == SelectPlace::kBeforeMulti) StageSelect(effects.records()[0].database);
    StageWord("MULTI");
  }
  for (const Effects::Record& record : effects.records()) {
    // What is for replicas alone changes no database; but a stream does not begin without one.
    if (!record.for_replicas || database_ < 0) StageSelect(record.database);
    if (!record.for_files) staging_ += effects.bytes(record);
    if (!record.for_replicas) kept_ += effects.bytes(record);
  }
  if (wrapped) StageWord("EXEC");
}

uint64_t Journal::AppendMixed(const Effects& effects) {
  Stage(effects);
  for (JournalSink* sink : sinks_) sink->OnMixed(offset_, staging_, kept_);
  offset_ += staging_.size();
  ShrinkStaging();
  return offset_;
}

void Journal::ShrinkStaging() {
  if (staging_.capacity() > kKeptBytes) std::string().swap(staging_);
  if (kept_.capacity() > kKeptBytes) std::string().swap(kept_);
}

uint64_t Journal::AppendRaw(std::string_view bytes, int database_before, int database_behind) {
  std::lock_guard lock(lock_);
  database_ = -1;
  for (JournalSink* sink : sinks_) sink->OnRaw(offset_, bytes, database_before, database_behind);
  return offset_ += bytes.size();
}

uint64_t Journal::AppendControl(std::string_view bytes) {
  std::lock_guard lock(lock_);
  if (sinks_.empty()) return offset_;
  for (JournalSink* sink : sinks_) sink->OnControl(offset_, bytes);
  return offset_ += bytes.size();
}

uint64_t Journal::AppendLocal(const Effects& effects) {
  std::lock_guard lock(lock_);
  if (effects.empty() || sinks_.empty()) return offset_;
  database_ = -1;
  Stage(effects);
  database_ = -1;
  for (JournalSink* sink : sinks_) sink->OnLocal(offset_, kept_);
  ShrinkStaging();
  return offset_;
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

#include "simulator/data_set.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/numbers.h"
#include "simulator/fingerprint.h"

namespace cinnabar::simulator {
namespace {

using Outcome = protocol::RequestParser::Outcome;

uint64_t EntryFingerprint(int database, std::string_view key, std::string_view value) {
  return Fingerprint(value, Fingerprint(key, static_cast<uint64_t>(database)));
}

void AppendText(std::string& out, std::string_view text) {
  ((out += Int64ToString(static_cast<int64_t>(text.size()))) += ' ') += text;
}

std::optional<std::string_view> TakeText(std::string_view& bytes) {
  const size_t space = bytes.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto size = ParseInt64(bytes.substr(0, space));
  bytes.remove_prefix(space + 1);
  if (!size || *size < 0 || static_cast<size_t>(*size) > bytes.size()) return std::nullopt;
  const std::string_view text = bytes.substr(0, static_cast<size_t>(*size));
  bytes.remove_prefix(text.size());
  return text;
}

std::optional<uint64_t> TakeNumber(std::string_view& bytes) {
  const auto text = TakeText(bytes);
  return text ? ParseUInt64(*text) : std::nullopt;
}

}  // namespace

void DataSet::Set(std::string_view key, std::string value) {
  Erase(key);
  data_ += EntryFingerprint(database_, key, value);
  entries_[{database_, std::string(key)}] = std::move(value);
}

void DataSet::Erase(std::string_view key) {
  const auto it = entries_.find({database_, std::string(key)});
  if (it == entries_.end()) return;
  data_ -= EntryFingerprint(database_, key, it->second);
  entries_.erase(it);
}

bool DataSet::Apply(std::span<const std::string_view> words) {
  const std::string_view name = words[0];
  if (name == "SELECT" && words.size() == 2) {
    const auto number = ParseInt64(words[1]);
    if (!number || *number < 0 || *number > 1) return false;
    database_ = static_cast<int>(*number);
    return true;
  }
  if (name == "PING" || name == "REPLCONF" || name == "MULTI" || name == "EXEC") return true;
  if (words.size() < 2) return false;
  const auto it = entries_.find({database_, std::string(words[1])});
  const std::string old = it == entries_.end() ? std::string() : it->second;
  if (name == "DEL") {
    Erase(words[1]);
  } else if (name == "INCR") {
    Set(words[1], Int64ToString(ParseInt64(old).value_or(0) + 1));
  } else if (name == "SET" && words.size() == 3) {
    Set(words[1], std::string(words[2]));
  } else if (name == "APPEND" && words.size() == 3) {
    // What was appended stays visible in the fingerprint, though the value stays short.
    Set(words[1], Int64ToString(static_cast<int64_t>(Fingerprint(words[2], Fingerprint(old)) >> 1)));
  } else {
    return false;
  }
  return true;
}

void DataSet::NoteStream(std::string_view bytes) {
  stream_ = Fingerprint(bytes, stream_);
}

void DataSet::ApplyWithoutStream(std::span<const std::string_view> words) {
  Apply(words);
  stream_ = Mix(stream_, 1);
}

std::string DataSet::Serialize() const {
  std::string out;
  for (uint64_t number : {stream_, static_cast<uint64_t>(database_), uint64_t{entries_.size()}}) {
    char digits[kInt64TextBytes];
    AppendText(out, {digits, FormatUInt64(number, digits)});
  }
  for (const auto& [place, value] : entries_) {
    AppendText(out, Int64ToString(place.first));
    AppendText(out, place.second);
    AppendText(out, value);
  }
  return out;
}

std::optional<DataSet> DataSet::Parse(std::string_view bytes) {
  DataSet data;
  const auto stream = TakeNumber(bytes), database = TakeNumber(bytes), count = TakeNumber(bytes);
  if (!stream || !database || !count) return std::nullopt;
  for (uint64_t i = 0; i < *count; ++i) {
    const auto of = TakeNumber(bytes);
    const auto key = TakeText(bytes), value = TakeText(bytes);
    if (!of || !key || !value) return std::nullopt;
    data.database_ = static_cast<int>(*of);
    data.Set(*key, std::string(*value));
  }
  if (!bytes.empty()) return std::nullopt;
  data.stream_ = *stream;
  data.database_ = static_cast<int>(*database);
  return data;
}

// ---- the stream ----

void StreamApplier::Reset() {
  buffer_.clear();
  parser_.Reset();
}

Outcome StreamApplier::ReadRecord(size_t position) {
  words_.clear();
  storage_.clear();
  parser_.Reset();
  return parser_.Parse(std::string_view(buffer_).substr(position), {}, {words_, storage_});
}

StreamApplier::Applied StreamApplier::ApplyTo(DataSet& data, int records_max) {
  Applied applied;
  size_t done = 0;
  for (int records = 0; records < records_max && !applied.damaged; ++records) {
    // First to the end of the record, or of its transaction; nothing is changed before all of it is here.
    size_t end = done;
    bool inside = false;
    Outcome outcome;
    do {
      outcome = ReadRecord(end);
      if (outcome != Outcome::kComplete) break;
      end += parser_.consumed();
      if (words_.empty()) outcome = Outcome::kError;  // no primary writes empty lines
      if (!words_.empty() && words_[0] == "MULTI") inside = true;
      if (!words_.empty() && words_[0] == "EXEC") inside = false;
    } while (outcome == Outcome::kComplete && inside);
    applied.damaged = outcome == Outcome::kError;
    if (outcome != Outcome::kComplete) break;
    while (done < end && !applied.damaged) {
      ReadRecord(done);
      if (words_[0] == "REPLCONF") applied.ack_is_asked = true;
      applied.damaged = !data.Apply({words_.data(), words_.size()});
      data.NoteStream(std::string_view(buffer_).substr(done, parser_.consumed()));
      done += parser_.consumed();
    }
  }
  applied.bytes = buffer_.substr(0, done);
  buffer_.erase(0, done);
  return applied;
}

}  // namespace cinnabar::simulator

#include "requests.h"

#include <array>
#include <cstdio>
#include <sstream>

namespace cinnabar::bench {
namespace {

// One request of a test: its command and what stands around the key.
struct Shape {
  std::string_view test;
  std::string_view command;
  bool has_key;
  bool has_value;
  std::array<std::string_view, 2> tail;
};

constexpr std::string_view kCounterPrefix = "ctr:";
constexpr std::string_view kKeyPrefix = "key:";
constexpr int kManyKeys = 10;
constexpr size_t kVariedTextBytes = 256 * 1024;

constexpr Shape kShapes[] = {
    {"get", "GET", true, false, {}},
    {"set", "SET", true, true, {}},
    {"setex", "SET", true, true, {"EX", "100000"}},
    {"incr", "INCR", true, false, {}},
    {"del", "DEL", true, false, {}},
    {"unlink", "UNLINK", true, false, {}},
    {"exists", "EXISTS", true, false, {}},
    {"append", "APPEND", true, true, {}},
    {"getset", "SET", true, true, {"GET", ""}},
    {"strlen", "STRLEN", true, false, {}},
    {"expire", "EXPIRE", true, false, {"100000", ""}},
    {"ttl", "TTL", true, false, {}},
    {"setbit", "SETBIT", true, false, {"77", "1"}},
    {"pfadd", "PFADD", true, true, {}},
    {"ping", "PING", false, false, {}},
};

const Shape* Find(std::string_view test) {
  for (const Shape& shape : kShapes) {
    if (shape.test == test) return &shape;
  }
  return nullptr;
}

void Count(char type, size_t count, std::string& out) {
  char text[32];
  out.append(text, static_cast<size_t>(std::snprintf(text, sizeof(text), "%c%zu\r\n", type, count)));
}

}  // namespace

RequestWriter::RequestWriter(const Options& options, uint64_t seed)
    : options_(options), random_(seed), text_(options.value_bytes, 'x') {
  if (options.test.find(' ') != std::string::npos) {
    commands_.emplace_back();
    std::istringstream words(options.test);
    for (std::string word; words >> word;) {
      if (word == ";") {
        commands_.emplace_back();
      } else {
        commands_.back().push_back(word);
      }
    }
  }
  if (!options_.varied) return;
  constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdefghijklmnopqrstuvwxyz_";
  text_.resize(options_.value_bytes + kVariedTextBytes);
  for (char& letter : text_) letter = kLetters[static_cast<size_t>(random_.Below(kLetters.size()))];
}

std::string_view RequestWriter::Value() {
  const size_t begin = options_.varied ? static_cast<size_t>(random_.Below(kVariedTextBytes)) : 0;
  return std::string_view(text_).substr(begin, options_.value_bytes);
}

bool RequestWriter::KnownTest(std::string_view test) {
  return test.find(' ') != test.npos || test == "mix" || test == "mset10" || test == "mget10" ||
         Find(test) != nullptr;
}

std::string RequestWriter::TestNames() {
  std::string names = "\"COMMAND with %k %n %v ; ANOTHER IN TURN\" mix mset10 mget10";
  for (const Shape& shape : kShapes) names.append(" ").append(shape.test);
  return names;
}

void RequestWriter::Part(std::string_view part, std::string& out) {
  Count('$', part.size(), out);
  out.append(part).append("\r\n");
}

void RequestWriter::Key(std::string_view prefix, int64_t number, std::string& out) {
  char text[32];
  int size = std::snprintf(text, sizeof(text), "%.4s%012lld", prefix.data(), Index(number));
  Part({text, static_cast<size_t>(size)}, out);
}

long long RequestWriter::Index(int64_t number) {
  return options_.first_key + (options_.sequential ? number : random_.Below(options_.keyspace));
}

void RequestWriter::Command(const std::vector<std::string>& words, int64_t number, std::string& out) {
  Count('*', words.size(), out);
  std::string part;
  char text[32];
  for (const std::string& word : words) {
    part.clear();
    for (size_t i = 0; i < word.size(); ++i) {
      const char kind = word[i] == '%' && i + 1 < word.size() ? word[i + 1] : '\0';
      if (kind == 'k') {
        part.append(text, static_cast<size_t>(std::snprintf(text, sizeof(text), "%012lld", Index(number))));
      } else if (kind == 'n') {
        part.append(std::to_string(random_.Below(options_.keyspace)));
      } else if (kind == 'v') {
        part.append(Value());
      } else {
        part.push_back(word[i]);
        continue;
      }
      ++i;
    }
    Part(part, out);
  }
}

void RequestWriter::Many(std::string_view name, int keys, bool with_values, int64_t number,
                         std::string& out) {
  Count('*', static_cast<size_t>(1 + keys * (with_values ? 2 : 1)), out);
  Part(name, out);
  for (int i = 0; i < keys; ++i) {
    Key(kKeyPrefix, number * keys + i, out);
    if (with_values) Part(Value(), out);
  }
}

void RequestWriter::Append(int64_t number, std::string& out) {
  if (!commands_.empty())
    return Command(commands_[static_cast<size_t>(number) % commands_.size()], number, out);
  if (options_.test == "mset10") return Many("MSET", kManyKeys, true, number, out);
  if (options_.test == "mget10") return Many("MGET", kManyKeys, false, number, out);
  const Shape* shape = Find(options_.test);
  if (shape == nullptr) shape = Find(random_.Below(10) == 0 ? "set" : "get");  // mix: one SET to nine GETs
  size_t tail = 0;
  while (tail < shape->tail.size() && !shape->tail[tail].empty()) ++tail;
  Count('*', 1 + size_t{shape->has_key} + size_t{shape->has_value} + tail, out);
  Part(shape->command, out);
  if (shape->has_key) Key(shape->test == "incr" ? kCounterPrefix : kKeyPrefix, number, out);
  if (shape->has_value) Part(Value(), out);
  for (size_t i = 0; i < tail; ++i) Part(shape->tail[i], out);
}

}  // namespace cinnabar::bench

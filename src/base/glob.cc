// Every element of a pattern but the star takes exactly one byte, so the first place where a star lets the
// rest up to the next star match is as good as any other: only the last star ever has to be reconsidered.
// That bounds the work, where recursion per star would be exponential.
#include "base/glob.h"

#include <cstddef>
#include <cstring>
#include <utility>

#include "base/ascii.h"

namespace cinnabar {
namespace {

unsigned char Fold(char c, CaseMode mode) {
  return static_cast<unsigned char>(mode == CaseMode::kInsensitive ? Lower(c) : c);
}

struct BracketMatch {
  bool matched;
  size_t next;  // the position in the pattern after the brackets
};

// `at` is the position after the opening bracket.
BracketMatch MatchBrackets(std::string_view pattern, size_t at, char c, CaseMode mode) {
  const unsigned char wanted = Fold(c, mode);
  bool negated = false;
  if (at < pattern.size() && pattern[at] == '^') {
    negated = true;
    ++at;
  }
  bool found = false;
  while (at < pattern.size() && pattern[at] != ']') {
    const size_t left = pattern.size() - at;
    if (pattern[at] == '\\' && left >= 2) {
      found |= Fold(pattern[at + 1], mode) == wanted;
      at += 2;
    } else if (left >= 3 && pattern[at + 1] == '-') {
      // The ends are put in order before case is folded: [Z-a] is not [z-a].
      auto low = pattern[at];
      auto high = pattern[at + 2];
      if (static_cast<unsigned char>(low) > static_cast<unsigned char>(high)) std::swap(low, high);
      found |= Fold(low, mode) <= wanted && wanted <= Fold(high, mode);
      at += 3;
    } else {
      found |= Fold(pattern[at], mode) == wanted;
      ++at;
    }
  }
  if (at < pattern.size()) ++at;
  return {found != negated, at};
}

// Matches the single-byte element at `at` (not a star). On success `at` moves behind the element.
bool MatchElement(std::string_view pattern, size_t& at, char c, CaseMode mode) {
  switch (pattern[at]) {
    case '?':
      ++at;
      return true;
    case '[': {
      const BracketMatch match = MatchBrackets(pattern, at + 1, c, mode);
      if (match.matched) at = match.next;
      return match.matched;
    }
    case '\\': {
      const size_t quoted = at + 1 < pattern.size() ? at + 1 : at;
      if (Fold(pattern[quoted], mode) != Fold(c, mode)) return false;
      at = quoted + 1;
      return true;
    }
    default:
      if (Fold(pattern[at], mode) != Fold(c, mode)) return false;
      ++at;
      return true;
  }
}

// The first position from `from` on where the element that follows a star could match; text.size() if none.
// Only a plain byte is looked for; everything else may match anywhere.
size_t NextCandidate(std::string_view pattern, size_t element, std::string_view text, size_t from,
                     CaseMode mode) {
  const char c = pattern[element];
  if (mode == CaseMode::kInsensitive || c == '?' || c == '[' || c == '\\' || from >= text.size()) return from;
  const void* found = std::memchr(text.data() + from, c, text.size() - from);
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : text.size();
}

}  // namespace

bool GlobMatch(std::string_view pattern, std::string_view text, CaseMode mode) {
  constexpr size_t kNoStar = static_cast<size_t>(-1);
  size_t at = 0;
  size_t position = 0;
  size_t after_star = kNoStar;  // the element behind the last star seen
  size_t star_end = 0;          // where in the text that star's bytes end, for now
  int stars = 0;
  if (text.empty()) return pattern.empty();
  while (position < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      while (at < pattern.size() && pattern[at] == '*') ++at;
      if (at == pattern.size()) return true;
      if (++stars > kGlobStarsMax) return false;
      after_star = at;
      position = star_end = NextCandidate(pattern, at, text, position, mode);
      continue;
    }
    if (at < pattern.size() && MatchElement(pattern, at, text[position], mode)) {
      ++position;
      continue;
    }
    if (after_star == kNoStar) return false;
    at = after_star;
    position = star_end = NextCandidate(pattern, at, text, star_end + 1, mode);
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace cinnabar

// Glob patterns as KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET and ACL rules understand them.
//
//   *        any bytes, also none            [abc]   one of these bytes
//   ?        any one byte                    [^abc]  one byte that is not one of these
//   \x       the byte x itself               [a-z]   one byte of a range, in either order of its ends
//
// Inside brackets a backslash quotes too, `]` always closes, and brackets that nobody closes run to the end
// of the pattern. A backslash that ends the pattern stands for itself. Bytes are bytes: no UTF-8.
//
// An empty text is described by the empty pattern alone, not by `*`, as in Redis: a rule for `%RW~*` does not
// give the key "". Commands to which a lone `*` means "everything" do not ask here.
#pragma once

#include <string_view>

namespace cinnabar {

enum class CaseMode { kSensitive, kInsensitive };

// Stars beyond this many (runs of stars count once, a star at the end not at all) make a pattern match
// nothing: such a pattern is an attack, and the other servers of this family answer it the same way.
inline constexpr int kGlobStarsMax = 1000;

// True if `pattern` describes the whole of `text`. Time: at most pattern.size() * text.size() steps;
// typically one pass. No allocation, no recursion.
bool GlobMatch(std::string_view pattern, std::string_view text, CaseMode mode = CaseMode::kSensitive);

}  // namespace cinnabar

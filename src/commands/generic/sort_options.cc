#include "commands/generic/sort_options.h"

namespace cinnabar::commands {
namespace {

using dispatch::SameWord;

// How many arguments an option takes.
size_t ArgumentsOf(std::string_view option) {
  if (SameWord(option, "LIMIT")) return 2;
  return SameWord(option, "BY") || SameWord(option, "GET") || SameWord(option, "STORE") ? 1 : 0;
}

// Calls `visit(option, index of its first argument)` for every option that has all its arguments.
template <typename Visit>
void ForEachOption(std::span<const std::string_view> argv, Visit&& visit) {
  for (size_t i = 2; i < argv.size(); ++i) {
    const size_t arguments = ArgumentsOf(argv[i]);
    if (i + arguments >= argv.size()) return;
    visit(argv[i], i + 1);
    i += arguments;
  }
}

}  // namespace

SortPattern::SortPattern(std::string_view text) {
  constexpr std::string_view kArrow = "->";
  self = text == "#";
  const size_t star = text.find('*');
  has_place = star != std::string_view::npos;
  if (!has_place) return;
  before = text.substr(0, star);
  after = text.substr(star + 1);
  const size_t arrow = after.find(kArrow);
  if (arrow == std::string_view::npos || arrow + kArrow.size() == after.size()) return;
  field = after.substr(arrow + kArrow.size());
  after = after.substr(0, arrow);
}

SortOptions ParseSortOptions(dispatch::Args& args, SortForm form) {
  SortOptions options;
  while (args.more() && !args.failed()) {
    if (args.Take("ASC")) {
      options.descending = false;
    } else if (args.Take("DESC")) {
      options.descending = true;
    } else if (args.Take("ALPHA")) {
      options.alphabetic = true;
    } else if (args.TakeWith("LIMIT", 2)) {
      options.offset = args.Int();
      options.count = args.Int();
    } else if (form == SortForm::kMayStore && args.TakeWith("STORE")) {
      options.store = args.position();
      args.Skip(1);
    } else if (args.TakeWith("BY")) {
      options.by_given = true;
      options.by = SortPattern(args.Next());
    } else if (args.TakeWith("GET")) {
      options.get.emplace_back(args.Next());
    } else {
      args.FailSyntax();
    }
  }
  return options;
}

size_t SortDestination(std::span<const std::string_view> argv) {
  size_t destination = 0;
  ForEachOption(argv, [&](std::string_view option, size_t argument) {
    if (SameWord(option, "STORE")) destination = argument;
  });
  return destination;
}

bool SortReadsOtherKeys(std::span<const std::string_view> argv) {
  bool reads = false;
  ForEachOption(argv, [&](std::string_view option, size_t argument) {
    if (SameWord(option, "BY") || SameWord(option, "GET")) reads |= SortPattern(argv[argument]).has_place;
  });
  return reads;
}

}  // namespace cinnabar::commands

// SORT and SORT_RO: the elements of a list, set or sorted set in another order, or what they stand for.
//
// Patterns (BY, GET) make names of keys out of elements. Those keys are nobody's argument: such a call runs
// with the world stopped (SortReadsOtherKeys), any other under the locks of its keys.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/generic/sort_elements.h"
#include "dispatch/dispatcher.h"
#include "dispatch/output_limits.h"
#include "types/list.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// An element and what it is sorted by.
struct Item {
  std::string_view element;
  double score = 0;
  std::optional<std::string_view> weight;  // for ALPHA with BY
};

// As C reads numbers: leading spaces and the empty text are accepted.
std::optional<double> ScoreOfText(std::string_view text) {
  if (const auto integer = ParseInt64(text)) return static_cast<double>(*integer);
  if (const auto number = ParseDouble(text)) return number;
  const std::string copy(text);
  errno = 0;
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  if (*end != '\0' || errno == ERANGE || std::isnan(value)) return std::nullopt;
  return value;
}

// The part of a sequence of `size` that LIMIT chooses.
struct Range {
  size_t first;
  size_t count;
};
Range LimitOf(const SortOptions& options, size_t size) {
  const auto first = std::min(static_cast<size_t>(std::max<int64_t>(options.offset, 0)), size);
  const size_t rest = size - first;
  return {first, options.count < 0 ? rest : std::min(static_cast<size_t>(options.count), rest)};
}

class Sorter {
 public:
  Sorter(Call& call, const SortOptions& options) : call_(call), options_(options), values_(call) {}

  // The elements in their order, within the limit. Nothing if a score is no number.
  std::optional<std::vector<std::string_view>> Run(SortSource& source) {
    const Range range = LimitOf(options_, source.size());
    bool alphabetic = options_.alphabetic;
    if (options_.by_given && !options_.by.has_place) {
      // A set that is stored in its own order would be another one on every replica, and so would be what a
      // script makes of it.
      if (!source.is_set() || (options_.store == 0 && call_.script() == nullptr)) {
        const auto order =
            options_.descending ? SortSource::Order::kDescending : SortSource::Order::kAscending;
        return source.Elements(call_, range.first, range.count, order, texts_);
      }
      alphabetic = true;
    }
    auto elements = source.Elements(call_, 0, source.size(), SortSource::Order::kAscending, texts_);
    std::vector<Item> items;
    items.reserve(elements.size());
    for (std::string_view element : elements) items.push_back({element});
    if (alphabetic) {
      if (options_.by.has_place) FindWeights(items);
      Order(items, range, AlphabeticallyLess);
    } else {
      if (!FindScores(items)) return std::nullopt;
      Order(items, range, NumericallyLess);
    }
    elements.resize(range.count);
    for (size_t i = 0; i < range.count; ++i) elements[i] = items[range.first + i].element;
    return elements;
  }

 private:
  bool FindScores(std::vector<Item>& items) {
    bool readable = true;
    auto read = [&](Item& item, std::string_view text) {
      const auto score = ScoreOfText(text);
      readable = readable && score;
      item.score = score.value_or(0);
    };
    for (Item& item : items) {
      call_.Yield();
      if (!options_.by.has_place) {
        read(item, item.element);
      } else {
        values_.Find(options_.by, item.element, [&](std::string_view text) { read(item, text); });
      }
      if (!readable) return false;
    }
    return true;
  }

  void FindWeights(std::vector<Item>& items) {
    for (Item& item : items) {
      values_.Find(options_.by, item.element,
                   [&](std::string_view text) { item.weight = texts_.Keep(text); });
      if (!item.weight) item.weight.emplace();  // what has no weight comes first
    }
  }

  static bool NumericallyLess(const Item& a, const Item& b) {
    return a.score != b.score ? a.score < b.score : a.element < b.element;
  }
  static bool AlphabeticallyLess(const Item& a, const Item& b) {
    if (a.weight && *a.weight != *b.weight) return *a.weight < *b.weight;
    return a.element < b.element;
  }

  // Brings the items of the range to their places.
  template <typename Less>
  void Order(std::vector<Item>& items, const Range& range, Less compare) {
    auto less = [compare, this](const Item& a, const Item& b) {
      call_.Yield();
      return compare(a, b);
    };
    auto sort = [&](auto before) {
      const auto end = items.begin() + static_cast<ptrdiff_t>(range.first + range.count);
      if (range.first + range.count < items.size() / 4) {
        std::partial_sort(items.begin(), end, items.end(), before);
      } else {
        std::sort(items.begin(), items.end(), before);
      }
    };
    if (options_.descending) {
      sort([less](const Item& a, const Item& b) { return less(b, a); });
    } else {
      sort(less);
    }
  }

  Call& call_;
  const SortOptions& options_;
  PatternValues values_;
  TextStore texts_;
};

void ReplySorted(Call& call, const SortOptions& options, const std::vector<std::string_view>& elements) {
  protocol::ReplyWriter& reply = call.reply();
  if (options.get.empty()) {
    reply.Array(elements.size());
    for (std::string_view element : elements) {
      reply.Bulk(element);
      call.Yield();
    }
    return;
  }
  reply.Array(elements.size() * options.get.size());
  PatternValues values(call);
  for (std::string_view element : elements) {
    for (const SortPattern& pattern : options.get) {
      call.Yield();
      if (!dispatch::TakesReply(call)) return;
      bool found = false;
      values.Find(pattern, element, [&](std::string_view text) {
        reply.Bulk(text);
        found = true;
      });
      if (!found) reply.Null();
    }
  }
}

// A list of the elements, or of what GET finds for them; what is not found is the empty string.
void Store(Call& call, const SortOptions& options, const std::vector<std::string_view>& elements) {
  const Key destination = call.key(options.store);
  types::OwnHolder holder{listpack::kEmpty};
  const config::Encoding& encoding = call.settings().encoding;
  types::List list(holder, {.node_size = encoding.list_max_listpack_size,
                            .compress_depth = static_cast<size_t>(encoding.list_compress_depth)});
  if (options.get.empty()) list.Push(types::ListEnd::kTail, elements);
  PatternValues values(call);
  for (std::string_view element : elements) {
    for (const SortPattern& pattern : options.get) {
      bool found = false;
      values.Find(pattern, element, [&](std::string_view text) {
        list.Push(types::ListEnd::kTail, text);
        found = true;
      });
      if (!found) list.Push(types::ListEnd::kTail, "");
    }
  }
  const size_t stored = elements.size() * std::max<size_t>(options.get.size(), 1);
  if (stored != 0) {
    StoreCollection(call, destination, types::Type::kList, holder);
    call.Changed(config::kNotifyList, "sortstore", destination);
    call.MarkDirty(stored - 1);
  } else if (keyspace::EntryRef old = call.db().FindToChange(destination, keyspace::Use::kSilent)) {
    const bool lazy = call.settings().memory.lazyfree_lazy_server_del;
    Remove(call, call.db(), destination, old, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
    call.Changed(config::kNotifyGeneric, "del", destination);
  }
  call.reply().Integer(static_cast<int64_t>(stored));
}

// Patterns reach keys that nobody can tell beforehand.
std::string_view PatternDenial(Call& call, const SortOptions& options) {
  if (!options.by.has_place && options.get.empty()) return {};
  const dispatch::Session& session = call.session();
  if (session.unrestricted ||
      call.dispatcher().admission().access().MayReadAllKeys(*session.user, call.command(), call.argv()))
    return {};
  return options.by.has_place ? "ERR BY option of SORT denied due to insufficient ACL permissions."
                              : "ERR GET option of SORT denied due to insufficient ACL permissions.";
}

void RunSort(Call& call, SortForm form) {
  Args args(call, 2);
  const SortOptions options = ParseSortOptions(args, form);
  // Options are read from left to right: what follows the one that is denied does not matter.
  if (const std::string_view denial = PatternDenial(call, options); !denial.empty())
    return call.reply().Error(denial);
  if (args.failed()) return args.Reply(call);
  if (call.settings().cluster.enabled && SortReadsOtherKeys(call.argv())) {
    return call.reply().Error(options.by.has_place ? "ERR BY option of SORT denied in cluster mode."
                                                   : "ERR GET option of SORT denied in cluster mode.");
  }
  SortSource source;
  if (!source.Open(call, call.key(1))) return;
  Sorter sorter(call, options);
  const auto elements = sorter.Run(source);
  if (!elements) return call.reply().Error("ERR One or more scores can't be converted into double");
  if (options.store != 0) return Store(call, options, *elements);
  ReplySorted(call, options, *elements);
}

void Sort(Call& call) {
  RunSort(call, SortForm::kMayStore);
}

void SortRo(Call& call) {
  RunSort(call, SortForm::kReadOnly);
}

// In cluster mode patterns are refused before they are followed.
bool SortNeedsWorld(std::span<const std::string_view> argv, const config::Settings& settings) {
  return !settings.cluster.enabled && SortReadsOtherKeys(argv);
}

constexpr std::string_view kComplexity =
    "O(N+M*log(M)) for N elements of which M are returned; O(N) if they are not sorted.";
constexpr dispatch::KeySpec kSortedKey = dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess);
constexpr dispatch::KeySpec kPatternKeys = {
    .use = KeyUse::kRo | KeyUse::kAccess,
    .find = dispatch::KeySpec::Find::kUnknown,
    .notes =
        "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the "
        "content of the key we sort"};

constexpr CommandSpec kTable[] = {
    {
        .name = "sort",
        .synopsis = "key [BY:pattern pattern#1] [LIMIT offset:integer count:integer] "
                    "[GET:pattern pattern#1]... order:[ASC|DESC] [ALPHA:pure-token sorting] "
                    "[STORE:key destination#2]",
        .summary =
            "Sorts the elements of a list, set or sorted set, by themselves or by what they stand for.",
        .since = "1.0.0",
        .group = "generic",
        .complexity = kComplexity,
        .arity = -2,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .categories = "=set,sortedset,list,dangerous",
        .keys = {kSortedKey,
                 kPatternKeys,
                 {.use = KeyUse::kOw | KeyUse::kUpdate,
                  .find = dispatch::KeySpec::Find::kUnknown,
                  .notes = "For the optional STORE keyword. It is marked 'unknown' because the keyword can "
                           "appear anywhere in the argument array"}},
        .hidden_key = SortDestination,
        .needs_world = SortNeedsWorld,
        .run = Sort,
    },
    {
        .name = "sort_ro",
        .synopsis = "key [BY:pattern pattern#1] [LIMIT offset:integer count:integer] "
                    "[GET:pattern pattern#1]... order:[ASC|DESC] [ALPHA:pure-token sorting]",
        .summary = "Sorts the elements of a list, set or sorted set; a SORT that stores nothing.",
        .since = "7.0.0",
        .group = "generic",
        .complexity = kComplexity,
        .arity = -2,
        .flags = Flag::kReadOnly,
        .categories = "=set,sortedset,list,dangerous",
        .keys = {kSortedKey, kPatternKeys},
        .needs_world = SortNeedsWorld,
        .run = SortRo,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericSortCommands{kTable};

}  // namespace cinnabar::commands

#include "dispatch/keys.h"

#include "base/numbers.h"
#include "dispatch/args.h"

namespace cinnabar::dispatch {
namespace {

// The position at which a specification begins; 0 when its keyword is absent.
size_t BeginOf(const KeySpec& spec, std::span<const std::string_view> argv) {
  if (spec.keyword.empty()) return static_cast<size_t>(spec.first);
  const int size = static_cast<int>(argv.size());
  const bool backwards = spec.first < 0;
  for (int i = backwards ? size + spec.first : spec.first; i > 0 && i < size; i += backwards ? -1 : 1) {
    if (SameWord(argv[static_cast<size_t>(i)], spec.keyword)) return static_cast<size_t>(i) + 1;
  }
  return 0;
}

bool FindRange(const KeySpec& spec, size_t begin, size_t argc, std::vector<KeyPosition>& keys) {
  size_t last = begin;
  if (spec.last >= 0) {
    last = begin + static_cast<size_t>(spec.last);
  } else if (spec.limit <= 1) {
    if (argc < static_cast<size_t>(-spec.last)) return false;
    last = argc - static_cast<size_t>(-spec.last);
  } else {
    last = begin + (argc - begin) / static_cast<size_t>(spec.limit) - 1;
  }
  if (begin >= argc) return false;
  for (size_t i = begin; i <= last && i < argc; i += static_cast<size_t>(spec.step)) {
    keys.push_back({static_cast<uint32_t>(i), spec.use});
  }
  return true;
}

bool FindCounted(const KeySpec& spec, size_t begin, std::span<const std::string_view> argv,
                 std::vector<KeyPosition>& keys) {
  const size_t number_at = begin + static_cast<size_t>(spec.number_at);
  if (number_at >= argv.size()) return false;
  const auto count = ParseInt64(argv[number_at]);
  size_t at = begin + static_cast<size_t>(spec.first_key);
  if (!count || *count < 0 || at > argv.size() ||
      static_cast<uint64_t>(*count) * static_cast<uint64_t>(spec.step) > argv.size() - at + (spec.step - 1)) {
    return false;
  }
  for (int64_t i = 0; i < *count; ++i, at += static_cast<size_t>(spec.step)) {
    keys.push_back({static_cast<uint32_t>(at), spec.use});
  }
  return true;
}

}  // namespace

bool FindKeys(const Command& command, std::span<const std::string_view> argv,
              std::vector<KeyPosition>& keys) {
  if (command.spec->find_keys != nullptr) return command.spec->find_keys(argv, keys);
  for (int i = 0; i < command.key_specs; ++i) {
    const KeySpec& spec = command.spec->keys[i];
    const size_t begin = BeginOf(spec, argv);
    if (begin == 0) continue;
    switch (spec.find) {
      case KeySpec::Find::kRange:
        if (!FindRange(spec, begin, argv.size(), keys)) return false;
        break;
      case KeySpec::Find::kKeyNumber:
        if (!FindCounted(spec, begin, argv, keys)) return false;
        break;
      case KeySpec::Find::kUnknown:
        break;
    }
  }
  if (command.spec->hidden_key != nullptr) {
    const size_t index = command.spec->hidden_key(argv);
    const uint16_t use = command.spec->keys[command.key_specs - 1].use;
    if (index != 0) keys.push_back({static_cast<uint32_t>(index), use});
  }
  return true;
}

}  // namespace cinnabar::dispatch

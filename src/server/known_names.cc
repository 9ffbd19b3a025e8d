#include "server/known_names.h"

#include <chrono>
#include <thread>

namespace cinnabar::server {
namespace {

constexpr Millis kKept = 1000;
constexpr size_t kNamesMax = 1024;
constexpr size_t kUnansweredMax = 16;
constexpr Millis kImpatience = 20;  // times the patience
constexpr auto kStep = std::chrono::milliseconds(1);

}  // namespace

std::optional<std::string> KnownNames::Find(const std::string& name, Millis now) {
  if (IsNumericAddress(name)) return name;
  if (names_.size() >= kNamesMax && !names_.contains(name)) {
    std::erase_if(names_, [](const auto& one) { return !one.second.asked; });
  }
  const auto [place, is_new] = names_.try_emplace(name, Name{.lookup = NameLookup(resolve_), .ip = {}});
  Name& known = place->second;
  if (known.asked) Take(known, now);
  if (!known.asked && now >= known.ask_again && MayAsk(now)) {
    known.lookup.Begin(name, now);
    known.asked = true;
  }
  if (is_new && known.asked && now >= impatient_until_) Wait(known, now);
  return known.ip;
}

bool KnownNames::MayAsk(Millis now) {
  size_t unanswered = 0;
  for (auto& [name, known] : names_) {
    if (known.asked && !Take(known, now)) ++unanswered;
  }
  return unanswered < kUnansweredMax;
}

void KnownNames::Wait(Name& name, Millis now) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_);
  while (!Take(name, now)) {
    if (std::chrono::steady_clock::now() >= limit) {
      impatient_until_ = now + kImpatience * patience_;
      return;
    }
    std::this_thread::sleep_for(kStep);
  }
}

bool KnownNames::Take(Name& name, Millis now) {
  const auto answer = name.lookup.Take(now);
  if (!answer) return false;
  if (*answer) name.ip = **answer;
  name.asked = false;
  name.ask_again = now + kKept;
  return true;
}

}  // namespace cinnabar::server

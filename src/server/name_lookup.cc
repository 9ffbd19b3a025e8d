#include "server/name_lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include "os/fork_shelter.h"

namespace cinnabar::server {
namespace {

constexpr Millis kPatience = 2000;
constexpr size_t kQuestionsMax = 8;

struct AddressInfo {
  addrinfo* list = nullptr;
  ~AddressInfo() {
    if (list != nullptr) freeaddrinfo(list);
  }
};

}  // namespace

bool IsNumericAddress(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

Result<std::string> ResolveName(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  AddressInfo found;
  const int code = getaddrinfo(host.c_str(), nullptr, &hints, &found.list);
  if (code != 0) return Fail(gai_strerror(code));
  char text[NI_MAXHOST];
  const int named =
      getnameinfo(found.list->ai_addr, found.list->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  if (named != 0) return Fail(gai_strerror(named));
  return std::string(text);
}

void NameLookup::Begin(const std::string& host, Millis now) {
  Forget();
  host_ = host;
  Ask(now);
}

void NameLookup::Ask(Millis now) {
  asked_at_ = now;
  questions_.push_back(std::make_shared<Question>());
  os::StartThread([question = questions_.back(), host = host_, resolve = resolve_] {
    os::ForkShelter shelter;
    question->answer = resolve(host);
    question->answered.store(true, std::memory_order_release);
  }).detach();
}

std::optional<Result<std::string>> NameLookup::Take(Millis now) {
  if (questions_.empty()) return std::nullopt;
  Error error;
  for (auto question = questions_.begin(); question != questions_.end();) {
    if (!(*question)->answered.load(std::memory_order_acquire)) {
      ++question;
      continue;
    }
    if ((*question)->answer) {
      std::string address = *(*question)->answer;
      questions_.clear();
      return address;
    }
    error = (*question)->answer.error();
    question = questions_.erase(question);
  }
  if (questions_.empty()) return std::unexpected(error);
  if (now - asked_at_ > kPatience && questions_.size() < kQuestionsMax) Ask(now);
  return std::nullopt;
}

}  // namespace cinnabar::server

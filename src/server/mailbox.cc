#include "server/mailbox.h"

#include <iterator>
#include <utility>

namespace cinnabar::server {

bool Mailbox::Put(Letter letter) {
  std::lock_guard lock(mutex_);
  const bool first = arrived_.empty();
  arrived_.push_back(std::move(letter));
  return first;
}

void Mailbox::Drain(When when) {
  std::vector<Letter> letters = std::exchange(kept_, {});
  {
    std::lock_guard lock(mutex_);
    if (letters.empty()) {
      letters.swap(arrived_);
    } else {
      std::move(arrived_.begin(), arrived_.end(), std::back_inserter(letters));
      arrived_.clear();
    }
  }
  for (Letter& letter : letters) {
    if (letter.between != nullptr) {
      if (letter.between() == Handled::kLater) kept_.push_back(std::move(letter));
    } else if (when == When::kDuringCommand) {
      kept_.push_back(std::move(letter));
    } else {
      letter.alone();
    }
  }
}

}  // namespace cinnabar::server

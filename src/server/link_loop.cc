#include "server/link_loop.h"

#include <utility>

namespace cinnabar::server {

Status CoreLoop::Add(int fd, ReadyHandler& handler) {
  return cores_[0]->AddListener(fd, handler);
}

void CoreLoop::Change(int fd, ReadyHandler& handler, uint32_t events) {
  cores_[0]->WatchListener(fd, handler, events);
}

void CoreLoop::Remove(int fd, ReadyHandler& handler) {
  cores_[0]->RemoveListener(fd, handler);
}

void CoreLoop::Soon(std::function<void()> work) {
  cores_[0]->Post(std::move(work));
}

void CoreLoop::SoonInBetween(std::function<void()> work) {
  cores_[0]->PostBetween([work = std::move(work)] {
    work();
    return Core::Handled::kYes;
  });
}

bool CoreLoop::Interrupted() const {
  return services_.dispatchers[0]->long_commands().yielding();
}

}  // namespace cinnabar::server

#include "commands/sentinel/machine.h"

namespace cinnabar::commands {

using dispatch::Call;
using sentinel::Sentinel;

Sentinel& Machine(Call& call) {
  CHECK(call.services().sentinel != nullptr);
  return *call.services().sentinel;
}

sentinel::Primary* NamedPrimary(Call& call, size_t index) {
  sentinel::Primary* primary = Machine(call).Find(call.arg(index));
  if (primary == nullptr) call.reply().Error("ERR No such master with that name");
  return primary;
}

void ReplySaved(Call& call) {
  if (Machine(call).save_problem())
    return call.reply().Error("ERR Failed to save config file. Check server logs.");
  call.reply().Ok();
}

void ReplyChanged(Call& call, const Status& status) {
  // What cannot be saved has been changed all the same.
  if (status || Machine(call).save_problem() == status.error().message) return ReplySaved(call);
  call.reply().Error(status.error().message);
}

}  // namespace cinnabar::commands

// A user: who it is, how it proves that, and what it may do.
//
// Users are shared as UserPtr and never change: a change copies the user, applies its rules to the copy and
// puts that in the old one's place (acl_users.h). Sessions keep a UserPtr and read it without locks.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "security/acl_selector.h"

namespace cinnabar::security {

enum class Payloads : uint8_t {
  kUnsaid,  // checked like kSanitize, but not printed
  kSanitize,
  kSkip,
};

class User {
 public:
  // Disabled, without password and without rights. `catalog` must outlive it.
  User(std::string name, const CommandCatalog& catalog, ChannelDefault channels);

  const std::string& name() const { return name_; }
  bool enabled() const { return enabled_; }
  bool needs_no_password() const { return needs_no_password_; }
  Payloads payloads() const { return payloads_; }
  // As 64 hexadecimal digits each, in the order in which they were added.
  std::span<const std::string> password_hashes() const { return password_hashes_; }
  const Selector& root() const { return selectors_[0]; }
  // The root first.
  std::span<const Selector> selectors() const { return selectors_; }

  // May do everything: the one test that the usual user costs.
  bool unrestricted() const { return unrestricted_; }
  // Whether what it may do depends on keys, on channels: if not, nobody has to look for them.
  bool minds_keys() const { return minds_keys_; }
  bool minds_channels() const { return minds_channels_; }

  // Changes, for acl_rules.cc, before the user is shared. Seal() comes last.
  void Enable() { enabled_ = true; }
  void Disable() { enabled_ = false; }
  void NeedNoPassword();
  void ForgetPasswords();
  void SetPayloads(Payloads payloads) { payloads_ = payloads; }
  void AddPasswordHash(std::string_view hash);
  // False when it has no such password.
  bool RemovePasswordHash(std::string_view hash);
  Selector& root() { return selectors_[0]; }
  void AddSelector(Selector selector) { selectors_.push_back(std::move(selector)); }
  void ForgetSelectors() { selectors_.erase(selectors_.begin() + 1, selectors_.end()); }
  // Computes what is asked of it most often.
  void Seal();

 private:
  std::string name_;
  std::vector<std::string> password_hashes_;
  std::vector<Selector> selectors_;
  Payloads payloads_ = Payloads::kUnsaid;
  bool enabled_ = false;
  bool needs_no_password_ = false;
  bool unrestricted_ = false;
  bool minds_keys_ = true;
  bool minds_channels_ = true;
};

using UserPtr = std::shared_ptr<const User>;

// Whether a user can have this name: no white space, no zero byte. Empty is a name.
bool IsUserName(std::string_view name);

}  // namespace cinnabar::security

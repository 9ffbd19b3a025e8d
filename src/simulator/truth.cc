#include "simulator/truth.h"

namespace cinnabar::simulator {

void Truth::AddRoot(const ReplicationId& id, StreamOffset offset, StateMark mark,
                    std::optional<Position> grown_from) {
  branches_[std::string(id.text())] = {{}, offset, grown_from, {{offset, mark}}};
}

void Truth::AddBranch(const ReplicationId& id, const ReplicationId& parent, StreamOffset offset) {
  branches_[std::string(id.text())] = {std::string(parent.text()), offset, {}, {}};
}

void Truth::AddBorder(const ReplicationId& id, StreamOffset offset, StateMark mark) {
  branches_[std::string(id.text())].borders[offset] = mark;
}

const Truth::Branch* Truth::OwnerOf(std::string_view id, StreamOffset offset) const {
  while (true) {
    const auto it = branches_.find(id);
    if (it == branches_.end()) return nullptr;
    if (it->second.parent.empty() || offset > it->second.begin) return &it->second;
    id = it->second.parent;
  }
}

std::optional<StateMark> Truth::At(const ReplicationId& id, StreamOffset offset) const {
  const Branch* owner = OwnerOf(id.text(), offset);
  if (owner == nullptr) return std::nullopt;
  const auto it = owner->borders.find(offset);
  return it == owner->borders.end() ? std::nullopt : std::optional(it->second);
}

const Truth::Branch* Truth::RootOf(std::string_view id) const {
  return OwnerOf(id, 0);
}

bool Truth::Includes(Position now, const Position& before) const {
  while (true) {
    if (before.offset <= now.offset && Contains(now.id, before.id, before.offset)) return true;
    const Branch* root = RootOf(now.id.text());
    if (root == nullptr || !root->grown_from) return false;
    now = *root->grown_from;
  }
}

bool Truth::Contains(const ReplicationId& of, const ReplicationId& id, StreamOffset offset) const {
  const Branch* owner = OwnerOf(id.text(), offset);
  return owner != nullptr && owner == OwnerOf(of.text(), offset);
}

}  // namespace cinnabar::simulator

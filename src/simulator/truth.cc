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

Truth::Branches::const_iterator Truth::OwnerOf(std::string_view id, StreamOffset offset) const {
  auto it = branches_.find(id);
  while (it != branches_.end() && !it->second.parent.empty() && offset <= it->second.begin) {
    it = branches_.find(it->second.parent);
  }
  return it;
}

std::optional<StateMark> Truth::At(const ReplicationId& id, StreamOffset offset) const {
  const auto owner = OwnerOf(id.text(), offset);
  if (owner == branches_.end()) return std::nullopt;
  const auto it = owner->second.borders.find(offset);
  return it == owner->second.borders.end() ? std::nullopt : std::optional(it->second);
}

std::optional<ReplicationId> Truth::WriterOf(const ReplicationId& id, StreamOffset offset) const {
  const auto owner = OwnerOf(id.text(), offset);
  return owner == branches_.end() ? std::nullopt : ReplicationId::Parse(owner->first);
}

std::optional<Position> Truth::GrownFrom(const ReplicationId& id) const {
  const auto it = branches_.find(id.text());
  return it == branches_.end() ? std::nullopt : it->second.grown_from;
}

bool Truth::Contains(const ReplicationId& of, const ReplicationId& id, StreamOffset offset) const {
  const auto owner = OwnerOf(id.text(), offset);
  return owner != branches_.end() && owner == OwnerOf(of.text(), offset);
}

bool Truth::Includes(Position now, const Position& before) const {
  while (true) {
    if (before.offset <= now.offset && Contains(now.id, before.id, before.offset)) return true;
    const auto root = OwnerOf(now.id.text(), 0);
    if (root == branches_.end() || !root->second.grown_from) return false;
    now = *root->second.grown_from;
  }
}

}  // namespace cinnabar::simulator

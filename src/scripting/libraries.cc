#include "scripting/libraries.h"

#include <fmt/format.h>

namespace cinnabar::scripting {

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return lower;
}

const Libraries::Found* Libraries::Find(std::string_view function) const {
  const auto found = functions_.find(LowerCase(function));
  return found == functions_.end() ? nullptr : &found->second;
}

Status Libraries::Add(std::shared_ptr<const Library> library) {
  for (const auto& function : library->functions) {
    if (functions_.contains(LowerCase(function->facts.name)))
      return Fail(fmt::format("Function {} already exists", function->facts.name));
  }
  for (size_t i = 0; i < library->functions.size(); ++i) {
    functions_.emplace(LowerCase(library->functions[i]->facts.name),
                       Found{library, library->functions[i].get(), i});
  }
  libraries_.emplace(library->name, std::move(library));
  return {};
}

void Libraries::Remove(std::string_view name) {
  const auto found = libraries_.find(name);
  if (found == libraries_.end()) return;
  for (const auto& function : found->second->functions) functions_.erase(LowerCase(function->facts.name));
  libraries_.erase(found);
}

size_t Libraries::memory() const {
  size_t bytes = 0;
  for (const auto& [name, library] : libraries_) {
    bytes += sizeof(Library) + name.size() + library->code.capacity();
    for (const auto& function : library->functions)
      bytes += sizeof(Function) + 2 * function->facts.name.size() + function->facts.description.size() + 64;
  }
  return bytes;
}

}  // namespace cinnabar::scripting

// Libraries: the functions that the server knows, shared by all cores.
//
// Read by every core during its batches; changed with the world stopped, as a whole: a set of libraries is
// made and then takes the place of the old one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "dispatch/scripts.h"
#include "scripting/texts.h"

namespace cinnabar::scripting {

struct Function {
  dispatch::Scripts::FunctionFacts facts;
  Standing standing;
  // Runs leave something behind that later ones see: all run in one interpreter, one after another.
  bool keeps_state = false;
};

struct Library {
  std::string name;
  std::string code;
  std::string_view body;                             // what is compiled
  std::vector<std::unique_ptr<Function>> functions;  // in the order of their registration
};

std::string LowerCase(std::string_view text);

class Libraries {
 public:
  struct Found {
    std::shared_ptr<const Library> library;
    Function* function = nullptr;  // null: there is none
    size_t index = 0;              // among those of its library
  };
  // Whatever the case of its letters.
  const Found* Find(std::string_view function) const;
  bool Has(std::string_view library) const { return libraries_.contains(library); }
  const std::map<std::string, std::shared_ptr<const Library>, std::less<>>& all() const { return libraries_; }

  // The error, a text without a code, says which function is there already.
  Status Add(std::shared_ptr<const Library> library);
  void Remove(std::string_view name);

  size_t functions() const { return functions_.size(); }
  size_t memory() const;

 private:
  std::map<std::string, std::shared_ptr<const Library>, std::less<>> libraries_;
  std::unordered_map<std::string, Found, HashOfName, std::equal_to<>> functions_;  // by names in lower case
};

}  // namespace cinnabar::scripting

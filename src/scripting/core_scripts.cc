#include "scripting/core_scripts.h"

#include <algorithm>
#include <utility>

#include "scripting/shebang.h"

namespace cinnabar::scripting {
namespace {

// More texts than the server keeps: some of these are forgotten.
constexpr size_t kRememberedMax = Texts::kUnnamedMax + 100;

bool Dropped(const Text& text) {
  return text.dropped.load(std::memory_order_acquire);
}

}  // namespace

Interpreter& Level::scripts() {
  if (scripts_ == nullptr) scripts_ = std::make_unique<Interpreter>(Interpreter::Kind::kScripts, log_, seed_);
  return *scripts_;
}

Interpreter& Level::functions() {
  if (functions_ == nullptr)
    functions_ = std::make_unique<Interpreter>(Interpreter::Kind::kFunctions, log_, seed_ + 1);
  return *functions_;
}

Result<int> Level::Compiled(const std::shared_ptr<Text>& text) {
  if (const auto found = compiled_.find(text.get()); found != compiled_.end()) return found->second.reference;
  if (compiled_.size() >= look_for_forgotten_at_) DropForgotten();
  const int reference = TRY(scripts().Compile(text->body, "@user_script"));
  compiled_.emplace(text.get(), CompiledText{text, reference});
  return reference;
}

void Level::DropForgotten() {
  std::erase_if(compiled_, [&](const auto& each) {
    if (!Dropped(*each.second.text)) return false;
    scripts_->Release(each.second.reference);
    return true;
  });
  look_for_forgotten_at_ = compiled_.size() + 600;
}

Result<int> Level::Compiled(const Libraries& libraries, const Libraries::Found& function) {
  if (const auto found = loaded_.find(function.library); found != loaded_.end())
    return found->second[function.index];
  // Libraries that are gone are let go when another one comes.
  std::erase_if(loaded_, [&](const auto& each) {
    const auto known = libraries.all().find(each.first->name);
    if (known != libraries.all().end() && known->second == each.first) return false;
    for (int reference : each.second) functions_->Release(reference);
    return true;
  });
  const std::vector<RegisteredFunction> registered = TRY(functions().LoadLibrary(function.library->body));
  std::vector<int> references(function.library->functions.size(), 0);
  for (size_t i = 0; i < references.size(); ++i) {
    const auto same = std::find_if(registered.begin(), registered.end(), [&](const RegisteredFunction& each) {
      return each.facts.name == function.library->functions[i]->facts.name;
    });
    // A library may register something else each time it is loaded; this one is not there today.
    if (same == registered.end()) return Fail("Function not found");
    references[i] = same->reference;
  }
  return loaded_.emplace(function.library, std::move(references)).first->second[function.index];
}

Result<std::shared_ptr<Library>> Level::Load(std::string_view code) {
  auto library = std::make_shared<Library>();
  library->code = code;
  LibraryHead head = TRY(ReadLibraryHead(library->code));
  library->name = std::move(head.name);
  library->body = head.body;
  const std::vector<RegisteredFunction> registered = TRY(functions().LoadLibrary(library->body));
  if (registered.empty()) return Fail("No functions registered");
  std::vector<int> references;
  for (const RegisteredFunction& each : registered) {
    auto function = std::make_unique<Function>();
    function->facts = each.facts;
    function->keeps_state = functions_->KeepsState(each.reference);
    library->functions.push_back(std::move(function));
    references.push_back(each.reference);
  }
  // One that keeps state has it from its first loading in the interpreter where it will run.
  if (std::any_of(library->functions.begin(), library->functions.end(),
                  [](const auto& function) { return function->keeps_state; })) {
    for (const auto& function : library->functions) function->keeps_state = true;
    for (int reference : references) functions_->Release(reference);
  } else {
    loaded_.emplace(library, std::move(references));
  }
  return library;
}

std::unique_ptr<Interpreter> Level::TakeScripts() {
  compiled_.clear();
  return std::move(scripts_);
}

std::unique_ptr<Interpreter> Level::TakeFunctions() {
  loaded_.clear();
  return std::move(functions_);
}

Level& CoreScripts::LevelAt(size_t depth) {
  while (levels_.size() <= depth)
    levels_.push_back(std::make_unique<Level>(log_, seed_ + levels_.size() * 16));
  return *levels_[depth];
}

const std::shared_ptr<Text>* CoreScripts::FindDigest(std::string_view digest) {
  if (last_ != nullptr && last_->digest == digest && !Dropped(*last_)) [[likely]]
    return &last_;
  if (const auto found = digests_.find(digest); found != digests_.end()) {
    if (!Dropped(*found->second)) {
      last_ = found->second;
      return &last_;
    }
    DropForgotten();
  }
  std::shared_ptr<Text> text = texts_.Find(LowerCase(digest));
  if (text == nullptr) return nullptr;
  Remember(text);
  return &last_;
}

const std::shared_ptr<Text>* CoreScripts::FindText(std::string_view text) {
  if (last_ != nullptr && last_->text == text && !Dropped(*last_)) [[likely]]
    return &last_;
  if (const auto found = bodies_.find(text); found != bodies_.end()) {
    if (!Dropped(*found->second)) {
      last_ = found->second;
      return &last_;
    }
    DropForgotten();
  }
  return nullptr;
}

void CoreScripts::Remember(const std::shared_ptr<Text>& text) {
  if (digests_.size() > kRememberedMax) DropForgotten();
  digests_.emplace(text->digest, text);
  bodies_.emplace(text->text, text);
  last_ = text;
}

void CoreScripts::DropForgotten() {
  last_.reset();
  std::erase_if(bodies_, [](const auto& each) { return Dropped(*each.second); });
  std::erase_if(digests_, [](const auto& each) { return Dropped(*each.second); });
}

void CoreScripts::ForgetTexts() {
  last_.reset();
  bodies_.clear();
  digests_.clear();
}

}  // namespace cinnabar::scripting

// PrefixTree: values by prefix, and all those whose prefix a string begins with.
//
// A radix tree: each edge carries the bytes that all prefixes below it share, so that a look-up visits no
// more nodes than the string has bytes, however many prefixes there are.
//
//            ""                prefixes: "" "user:" "user:1" "uid"
//             | u
//            ( )               no value: two prefixes part here
//       ser: |  \ id
//        "user:" "uid"
//         1 |
//        "user:1"
//
// Values stay where they are until they are removed. Not thread-safe; any number of threads may look up while
// nobody changes it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cinnabar {

template <typename Value>
class PrefixTree {
 public:
  // Prefixes that have a value.
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // The value of exactly this prefix; null: it has none.
  Value* Find(std::string_view prefix) {
    Node* node = &root_;
    while (!prefix.empty()) {
      const auto edge = EdgeOf(*node, prefix[0]);
      if (edge == node->edges.end() || !prefix.starts_with((*edge)->label)) return nullptr;
      prefix.remove_prefix((*edge)->label.size());
      node = edge->get();
    }
    return node->value.get();
  }

  // A prefix without a value gets one.
  Value& FindOrAdd(std::string_view prefix) {
    Node* node = &root_;
    while (!prefix.empty()) {
      auto edge = EdgeOf(*node, prefix[0]);
      if (edge == node->edges.end()) {
        const auto place = std::find_if(node->edges.begin(), node->edges.end(),
                                        [&](const auto& each) { return each->label[0] > prefix[0]; });
        edge = node->edges.insert(place, std::make_unique<Node>());
        (*edge)->label = prefix;
      }
      const size_t shared = InCommon((*edge)->label, prefix);
      if (shared < (*edge)->label.size()) Split(*edge, shared);
      node = edge->get();
      prefix.remove_prefix(shared);
    }
    if (node->value == nullptr) {
      node->value = std::make_unique<Value>();
      ++size_;
    }
    return *node->value;
  }

  // Removes the value of exactly this prefix, if there is one.
  void Remove(std::string_view prefix) { RemoveBelow(root_, prefix); }

  // Calls `visit(Value&)` for every prefix that `text` begins with, the shortest first.
  template <typename Visit>
  void VisitPrefixesOf(std::string_view text, Visit&& visit) {
    Node* node = &root_;
    while (true) {
      if (node->value != nullptr) visit(*node->value);
      if (text.empty()) return;
      const auto edge = EdgeOf(*node, text[0]);
      if (edge == node->edges.end() || !text.starts_with((*edge)->label)) return;
      text.remove_prefix((*edge)->label.size());
      node = edge->get();
    }
  }

 private:
  struct Node {
    std::string label;                         // of the edge that leads here; empty for the root alone
    std::unique_ptr<Value> value;              // null: only a fork
    std::vector<std::unique_ptr<Node>> edges;  // by first byte of their labels
  };
  using Edges = std::vector<std::unique_ptr<Node>>;

  static typename Edges::iterator EdgeOf(Node& node, char first) {
    return std::find_if(node.edges.begin(), node.edges.end(),
                        [first](const auto& edge) { return edge->label[0] == first; });
  }
  static size_t InCommon(std::string_view a, std::string_view b) {
    return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  }

  // The edge ends after `bytes` of its label, in a new node that leads on to the old one.
  static void Split(std::unique_ptr<Node>& edge, size_t bytes) {
    auto fork = std::make_unique<Node>();
    fork->label = edge->label.substr(0, bytes);
    edge->label.erase(0, bytes);
    fork->edges.push_back(std::move(edge));
    edge = std::move(fork);
  }

  void RemoveBelow(Node& node, std::string_view prefix) {
    if (prefix.empty()) {
      if (node.value == nullptr) return;
      node.value.reset();
      --size_;
      return;
    }
    const auto edge = EdgeOf(node, prefix[0]);
    if (edge == node.edges.end() || !prefix.starts_with((*edge)->label)) return;
    RemoveBelow(**edge, prefix.substr((*edge)->label.size()));
    Node& below = **edge;
    if (below.value != nullptr || below.edges.size() > 1) return;
    if (below.edges.empty()) {
      node.edges.erase(edge);
    } else {  // a fork with one way on is no fork
      std::unique_ptr<Node> next = std::move(below.edges[0]);
      next->label = below.label + next->label;
      *edge = std::move(next);
    }
  }

  Node root_;
  size_t size_ = 0;
};

}  // namespace cinnabar

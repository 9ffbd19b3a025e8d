#include "dispatch/documentation.h"

#include <algorithm>
#include <vector>

#include "dispatch/synopsis.h"

namespace cinnabar::dispatch {
namespace {

using protocol::ReplyWriter;

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

void WriteFlagSet(std::span<const BitName> names, uint64_t bits, std::string_view prefix,
                  ReplyWriter& reply) {
  std::vector<std::string> present;
  for (const BitName& row : names) {
    if ((bits & row.bit) != 0) present.push_back(std::string(prefix) + std::string(row.name));
  }
  reply.Set(present.size());
  for (const std::string& name : present) reply.Simple(name);
}

// Writes the fields of a map whose size is known at its end.
class Fields {
 public:
  explicit Fields(ReplyWriter& reply) : reply_(reply) { reply_.Begin(ReplyWriter::Aggregate::kMap); }
  ~Fields() { reply_.End(count_); }
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  ReplyWriter& Name(std::string_view name) {
    ++count_;
    reply_.Bulk(name);
    return reply_;
  }
  void Text(std::string_view name, std::string_view value) {
    if (!value.empty()) Name(name).Bulk(value);
  }

 private:
  ReplyWriter& reply_;
  size_t count_ = 0;
};

void WriteBeginSearch(const KeySpec& spec, ReplyWriter& reply) {
  reply.Bulk("begin_search");
  reply.Map(2);
  reply.Bulk("type");
  if (spec.find == KeySpec::Find::kUnknown) {
    reply.Bulk("unknown");
    reply.Bulk("spec");
    reply.Map(0);
  } else if (spec.keyword.empty()) {
    reply.Bulk("index");
    reply.Bulk("spec");
    reply.Map(1);
    reply.Bulk("index");
    reply.Integer(spec.first);
  } else {
    reply.Bulk("keyword");
    reply.Bulk("spec");
    reply.Map(2);
    reply.Bulk("keyword");
    reply.Bulk(spec.keyword);
    reply.Bulk("startfrom");
    reply.Integer(spec.first);
  }
}

void WriteFindKeys(const KeySpec& spec, ReplyWriter& reply) {
  reply.Bulk("find_keys");
  reply.Map(2);
  reply.Bulk("type");
  auto write = [&reply](std::string_view name, int value) {
    reply.Bulk(name);
    reply.Integer(value);
  };
  switch (spec.find) {
    case KeySpec::Find::kRange:
      reply.Bulk("range");
      reply.Bulk("spec");
      reply.Map(3);
      write("lastkey", spec.last);
      write("keystep", spec.step);
      write("limit", spec.limit);
      break;
    case KeySpec::Find::kKeyNumber:
      reply.Bulk("keynum");
      reply.Bulk("spec");
      reply.Map(3);
      write("keynumidx", spec.number_at);
      write("firstkey", spec.first_key);
      write("keystep", spec.step);
      break;
    case KeySpec::Find::kUnknown:
      reply.Bulk("unknown");
      reply.Bulk("spec");
      reply.Map(0);
      break;
  }
}

void WriteKeySpecs(const Command& command, ReplyWriter& reply) {
  reply.Set(static_cast<size_t>(command.key_specs));
  for (int i = 0; i < command.key_specs; ++i) {
    const KeySpec& spec = command.spec->keys[i];
    reply.Map(spec.notes.empty() ? 3 : 4);
    if (!spec.notes.empty()) {
      reply.Bulk("notes");
      reply.Bulk(spec.notes);
    }
    reply.Bulk("flags");
    WriteKeyUse(spec.use, reply);
    WriteBeginSearch(spec, reply);
    WriteFindKeys(spec, reply);
  }
}

void WriteArguments(const std::vector<Argument>& arguments, config::CompatVersion version,
                    ReplyWriter& reply);

void WriteArgument(const Argument& argument, config::CompatVersion version, ReplyWriter& reply) {
  const bool leaf = argument.type != ArgumentType::kOneOf && argument.type != ArgumentType::kBlock;
  Fields fields(reply);
  fields.Text("name", argument.name);
  fields.Text("type", ArgumentTypeName(argument.type));
  if (leaf && version != config::CompatVersion::k70) fields.Text("display_text", argument.name);
  if (argument.key_spec) fields.Name("key_spec_index").Integer(*argument.key_spec);
  if (argument.token) fields.Name("token").Bulk(*argument.token);
  fields.Text("since", argument.since);
  if (argument.optional || argument.multiple) {
    fields.Name("flags");
    reply.Set(size_t{argument.optional} + size_t{argument.multiple} + size_t{argument.multiple_token});
    if (argument.optional) reply.Simple("optional");
    if (argument.multiple) reply.Simple("multiple");
    if (argument.multiple_token) reply.Simple("multiple_token");
  }
  if (!leaf) {
    fields.Name("arguments");
    WriteArguments(argument.arguments, version, reply);
  }
}

void WriteArguments(const std::vector<Argument>& arguments, config::CompatVersion version,
                    ReplyWriter& reply) {
  reply.Array(arguments.size());
  for (const Argument& argument : arguments) WriteArgument(argument, version, reply);
}

void WriteDocFlags(const CommandSpec& spec, Fields& fields) {
  const bool deprecated = !spec.deprecated_since.empty();
  if (!deprecated && !spec.for_system_only) return;
  ReplyWriter& reply = fields.Name("doc_flags");
  reply.Set(size_t{deprecated} + size_t{spec.for_system_only});
  if (deprecated) reply.Simple("deprecated");
  if (spec.for_system_only) reply.Simple("syscmd");
}

std::vector<Argument> ArgumentsOf(const Command& command) {
  Result<std::vector<Argument>> arguments = ParseSynopsis(command.spec->synopsis, command.key_specs);
  return arguments ? std::move(*arguments) : std::vector<Argument>();
}

}  // namespace

// A bar separates lines only in front of a version: "7.0.0: Added `BYTE|BIT`.|7.2.0: ...".
std::vector<HistoryLine> HistoryOf(const CommandSpec& spec) {
  std::vector<HistoryLine> lines;
  for (std::string_view left = spec.history; !left.empty();) {
    size_t end = left.find('|');
    while (end < left.size() && !(end + 1 < left.size() && left[end + 1] >= '0' && left[end + 1] <= '9')) {
      end = left.find('|', end + 1);
    }
    const std::string_view line = left.substr(0, end);
    const size_t colon = std::min(line.find(": "), line.size());
    lines.push_back({line.substr(0, colon), line.substr(std::min(colon + 2, line.size()))});
    left.remove_prefix(std::min(line.size() + 1, left.size()));
  }
  return lines;
}

// A range counts when its positions are fixed, and when it goes on where the one before it ended.
KeyTriple LegacyKeys(const Command& command) {
  KeyTriple triple;
  for (int i = 0; i < command.key_specs; ++i) {
    const KeySpec& spec = command.spec->keys[i];
    if (spec.find != KeySpec::Find::kRange || !spec.keyword.empty() || spec.limit > 1) continue;
    const int last = spec.last >= 0 ? spec.first + spec.last : spec.last;
    if (triple.first == 0) {
      triple = {spec.first, last, spec.step};
    } else if (triple.last + 1 == spec.first && triple.step == 1 && spec.step == 1) {
      triple.last = last;
    }
  }
  return triple;
}

void WriteKeyUse(uint16_t use, ReplyWriter& reply) {
  WriteFlagSet(KeyUseNames(), use, "", reply);
}

void WriteInfo(const Command& command, ReplyWriter& reply) {
  const KeyTriple keys = LegacyKeys(command);
  reply.Array(10);
  reply.Bulk(command.name);
  reply.Integer(command.spec->arity);
  WriteFlagSet(FlagNames(), command.flags, "", reply);
  reply.Integer(keys.first);
  reply.Integer(keys.last);
  reply.Integer(keys.step);
  WriteFlagSet(CategoryNames(), command.categories, "@", reply);
  const std::vector<std::string_view> tips = Split(command.spec->tips, ',');
  reply.Set(tips.size());
  for (std::string_view tip : tips) reply.Bulk(tip);
  WriteKeySpecs(command, reply);
  if (command.subcommands.empty()) {
    reply.Set(0);
    return;
  }
  reply.Array(command.subcommands.size());
  for (const Command* subcommand : command.subcommands) WriteInfo(*subcommand, reply);
}

void WriteDocs(const Command& command, config::CompatVersion version, ReplyWriter& reply) {
  const CommandSpec& spec = *command.spec;
  reply.Bulk(command.name);
  Fields fields(reply);
  fields.Text("summary", spec.summary);
  fields.Text("since", spec.since);
  fields.Text("group", spec.group);
  fields.Text("complexity", spec.complexity);
  WriteDocFlags(spec, fields);
  fields.Text("deprecated_since", spec.deprecated_since);
  fields.Text("replaced_by", spec.replaced_by);
  if (!spec.history.empty()) {
    const std::vector<HistoryLine> lines = HistoryOf(spec);
    fields.Name("history").Set(lines.size());
    for (const HistoryLine& line : lines) {
      reply.Array(2);
      reply.Bulk(line.since);
      reply.Bulk(line.change);
    }
  }
  const std::vector<Argument> arguments = ArgumentsOf(command);
  if (!arguments.empty()) {
    fields.Name("arguments");
    WriteArguments(arguments, version, reply);
  }
  if (!command.subcommands.empty()) {
    fields.Name("subcommands").Map(command.subcommands.size());
    for (const Command* subcommand : command.subcommands) WriteDocs(*subcommand, version, reply);
  }
}

}  // namespace cinnabar::dispatch

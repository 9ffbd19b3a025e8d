// The texts for people that follow from the tables: cinnabar.conf and the reference page.
#include <fmt/format.h>

#include <algorithm>

#include "config/config.h"
#include "config/internal/foreign_directives.h"
#include "config/internal/lookup.h"
#include "config/internal/param.h"
#include "config/internal/values.h"

namespace cinnabar::config {

namespace {

constexpr size_t kCommentColumns = 78;

// Breaks text into comment lines.
std::string Comment(std::string_view text) {
  std::string wrapped;
  std::string line = "#";
  for (const std::string& word : SplitKeepEmpty(text, ' ')) {
    if (line.size() + 1 + word.size() > kCommentColumns) {
      wrapped += line + '\n';
      line = "#";
    }
    line += ' ' + word;
  }
  return wrapped + line + '\n';
}

std::string AliasList(const Param& param, std::string_view quote) {
  std::string list;
  for (std::string_view alias : param.aliases) {
    if (alias.empty()) continue;
    list += fmt::format("{}{}{}{}", list.empty() ? "" : ", ", quote, alias, quote);
  }
  return list;
}

// The directive at its default; as a comment where an empty value only shows what could be said.
std::string DefaultLines(const Param& param, const Settings& defaults) {
  std::string text;
  for (const RewriteLine& line : FormatLines(param, defaults, defaults)) {
    bool empty_text = std::holds_alternative<Text>(param.value) && line.arguments == "\"\"";
    text += fmt::format("{}{} {}\n", empty_text ? "# " : "", param.name, line.arguments);
  }
  return text.empty() ? fmt::format("# {} …\n", param.name) : text;
}

std::string ConfEntry(const Param& param, const Settings& defaults) {
  std::string text = '\n' + Comment(param.doc);
  text += Comment(fmt::format("Value: {}", DescribeSyntax(param)));
  if (std::string aliases = AliasList(param, ""); !aliases.empty())
    text += Comment("Also called: " + aliases);
  if (param.Has(kNotYet)) text += Comment("Accepted, but not acted on yet.");
  return text + DefaultLines(param, defaults);
}

std::string Changeable(const Param& param) {
  if (param.Has(kImmutable)) return "at start only";
  return param.Has(kProtected) ? "CONFIG SET, if enable-protected-configs allows it" : "CONFIG SET";
}

// Text for a cell or line of Markdown.
std::string Code(std::string_view text) {
  return text.empty() ? "empty" : fmt::format("`{}`", text);
}

std::string ReferenceEntry(const Param& param, const Settings& defaults) {
  std::string text = fmt::format("\n### {}\n\n{}\n\n", param.name, param.doc);
  text += fmt::format("- Value: {}\n", DescribeSyntax(param));
  text += fmt::format("- Default: {}\n", Code(FormatValue(param, defaults)));
  text += fmt::format("- Changed by: {}\n", Changeable(param));
  if (std::string aliases = AliasList(param, "`"); !aliases.empty())
    text += "- Also called: " + aliases + '\n';
  if (param.Has(kHidden)) text += "- Shown by CONFIG GET only under its exact name\n";
  if (param.Has(kNotYet)) text += "- Not acted on yet\n";
  return text;
}

constexpr std::string_view kLines =
    "\n## Lines\n\n"
    "One directive per line: its name and its arguments, with white space between them; the names in any "
    "case. "
    "Arguments with spaces go in quotes: `\"a b\"`, where `\\n`, `\\x00` and the like are understood, or `'a "
    "b'`. "
    "Amounts of memory may have a unit: `1k` is 1000 bytes, `1kb` 1024 bytes, likewise `m`, `mb`, `g`, `gb`, "
    "in "
    "any case. A line that begins with `#` is a comment.\n\n"
    "A comment may also stand behind a directive: `save 900 1 # after 15 minutes`. Redis refuses such lines. "
    "A line "
    "is therefore first taken as Redis takes it; only if it is an error like that, it is taken up to the "
    "first "
    "`#` that is a word of its own and not in quotes, and if that is an error too, the first error is "
    "reported. "
    "So `requirepass #secret` means what it means in Redis. Directives with any number of arguments (`bind`, "
    "`user`, `loadmodule`, `sentinel`, and settings of modules) take all words as arguments, as in Redis: "
    "their "
    "comments go on a line of their own.\n";

std::string ForeignSection() {
  std::string text =
      "\n## Directives of other versions\n\n"
      "Config files of other versions of Redis and of Valkey may hold these. They are accepted, so that a "
      "file needs no "
      "edit; those without another name for them have no effect, and the server logs a warning at start for "
      "each.\n\n"
      "| Directive | Known from | Here |\n|---|---|---|\n";
  for (const ForeignDirective& foreign : ForeignDirectives()) {
    std::string here = "no effect";
    if (foreign.effect == ForeignEffect::kForgotten) here = "no effect, and no warning";
    if (foreign.effect == ForeignEffect::kSame) here = fmt::format("`{}`", foreign.ours);
    text += fmt::format("| `{}` | {} | {} |\n", foreign.name, foreign.from, here);
  }
  return text;
}

std::string NotYetSection() {
  std::string text =
      "\n## Accepted, but not acted on yet\n\n"
      "These directives are read, checked, stored and reported like all others, but nothing acts on them so "
      "far. "
      "The server logs a warning at start for each that is given and not at its default:\n\n";
  std::string lines;
  for (const FileDirective& directive : FileDirectives()) {
    if (directive.not_yet) lines += fmt::format("{}`{}`", lines.empty() ? "" : ", ", directive.name);
  }
  text += fmt::format("- Lines that are no settings: {}\n", lines);
  for (const Chapter& chapter : Chapters()) {
    std::string names;
    for (const Param& param : chapter.params) {
      if (param.Has(kNotYet)) names += fmt::format("{}`{}`", names.empty() ? "" : ", ", param.name);
    }
    if (!names.empty()) text += fmt::format("- {}: {}\n", chapter.title, names);
  }
  return text;
}

}  // namespace

std::string GenerateConf() {
  const Settings defaults;
  std::string text;
  text += Comment(
      "Configuration of Cinnabar, generated from the server's own table of directives; every line "
      "shows a default. Start with: cinnabar-server /path/to/cinnabar.conf");
  text += "#\n";
  text += Comment(
      "One directive per line: its name and its arguments. Arguments with spaces go in quotes: "
      "\"a b\" (where \\n, \\x00 and the like are understood) or 'a b'. Amounts of memory may have "
      "a unit: 1k is 1000 bytes, 1kb 1024 bytes, likewise m, mb, g, gb, in any case.");
  text += "#\n";
  text += Comment(
      "A comment may stand behind a directive, after a # between spaces, where the directive would be an "
      "error "
      "with so many words more. Redis itself wants comments on lines of their own.");
  text += "\n# --- Lines that are no settings ";
  text += std::string(kCommentColumns - 31, '-') + '\n';
  for (const FileDirective& directive : FileDirectives()) {
    text += '\n' + Comment(directive.doc);
    if (directive.not_yet) text += Comment("Accepted, but not acted on yet.");
    text += fmt::format("# {} {}\n", directive.name, directive.syntax);
  }
  for (const Chapter& chapter : Chapters()) {
    bool visible = std::ranges::any_of(chapter.params, [](const Param& p) { return !p.Has(kHidden); });
    if (!visible) continue;
    size_t dashes = kCommentColumns - chapter.title.size() - 7;
    text += fmt::format("\n# --- {} {}\n", chapter.title, std::string(dashes, '-'));
    for (const Param& param : chapter.params) {
      if (!param.Has(kHidden)) text += ConfEntry(param, defaults);
    }
  }
  return text;
}

std::string GenerateReference() {
  const Settings defaults;
  std::string text =
      "# Configuration reference\n\n"
      "Generated from the server's table of directives.\n";
  text += kLines;
  text += "\n## Lines that are no settings\n";
  for (const FileDirective& directive : FileDirectives()) {
    text += fmt::format("\n### {}\n\n{}\n\n- Written: `{} {}`\n", directive.name, directive.doc,
                        directive.name, directive.syntax);
    if (directive.not_yet) text += "- Not acted on yet\n";
  }
  for (const Chapter& chapter : Chapters()) {
    text += fmt::format("\n## {}\n", chapter.title);
    for (const Param& param : chapter.params) text += ReferenceEntry(param, defaults);
  }
  return text + NotYetSection() + ForeignSection();
}

}  // namespace cinnabar::config

// LOLWUT: a little art, different each time: cinnabar crystals growing on a rock, drawn with letters.
//
// A crystal is a rhombus that stands on one corner. They are drawn from the back to the front, so that nearer
// ones cover farther ones.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

constexpr int kColumnsMax = 160, kRowsMax = 60, kCrystalsMax = 200;

struct Picture {
  int columns = 66;
  int rows = 18;
  int crystals = 9;
};

class Canvas {
 public:
  Canvas(int columns, int rows)
      : columns_(columns),
        lines_(static_cast<size_t>(rows), std::string(static_cast<size_t>(columns), ' ')) {}

  void Put(int column, int row, char c) {
    if (column < 0 || column >= columns_ || row < 0 || row >= static_cast<int>(lines_.size())) return;
    lines_[static_cast<size_t>(row)][static_cast<size_t>(column)] = c;
  }

  // A rhombus of 2 * half rows whose lower corner stands at (column, bottom).
  void Crystal(int column, int bottom, int half) {
    for (int i = 0; i < 2 * half; ++i) {
      const int row = bottom - i;
      const int reach = i < half ? i : 2 * half - 1 - i;
      for (int x = -reach; x <= reach + 1; ++x) Put(column + x, row, x > 0 ? ':' : '.');
      Put(column - reach, row, i < half ? '\\' : '/');
      Put(column + reach + 1, row, i < half ? '/' : '\\');
    }
  }

  std::string Text() const {
    std::string text;
    for (const std::string& line : lines_) text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    return text;
  }

 private:
  int columns_;
  std::vector<std::string> lines_;
};

std::string Draw(const Picture& picture, Random& random) {
  Canvas canvas(picture.columns, picture.rows);
  const int ground = picture.rows - 1;
  const auto below = [&](int limit) {
    return limit <= 0 ? 0 : static_cast<int>(random.Next() % static_cast<uint64_t>(limit));
  };
  for (int i = 0; i < picture.crystals; ++i) {
    // The later, the nearer: smaller and lower.
    const int largest = std::max(1, picture.rows / 2 - 1 - i * picture.rows / (2 * picture.crystals + 1));
    const int half = 1 + below(largest);
    canvas.Crystal(half + below(picture.columns - 2 * half), ground - below(2), half);
  }
  for (int column = 0; column < picture.columns; ++column) canvas.Put(column, ground, "_,._~"[below(5)]);
  return canvas.Text();
}

void Lolwut(Call& call) {
  size_t next = 1;
  // VERSION chooses the picture of a release; there is one picture here, whatever the release.
  if (call.argc() >= 3 && dispatch::SameWord(call.arg(1), "VERSION")) {
    if (!ParseInt64(call.arg(2))) return call.reply().Error(errors::kNotInteger);
    next = 3;
  }
  Picture picture;
  const int limits[] = {kColumnsMax, kRowsMax, kCrystalsMax};
  const int least[] = {8, 4, 1};
  int* const values[] = {&picture.columns, &picture.rows, &picture.crystals};
  for (size_t i = 0; i < 3 && next < call.argc(); ++i, ++next) {
    const auto value = ParseInt64(call.arg(next));
    if (!value) return call.reply().Error(errors::kNotInteger);
    *values[i] = static_cast<int>(std::clamp<int64_t>(*value, least[i], limits[i]));
  }
  call.reply().Verbatim("txt", fmt::format("{}\nCinnabar, crystals of mercury sulphide. Redis ver. {}\n",
                                           Draw(picture, call.core().random),
                                           config::RedisVersion(call.settings().general.compat_version)));
}

constexpr CommandSpec kTable[] = {{
    .name = "lolwut",
    .synopsis = "[VERSION:integer version]",
    .summary = "Draws a picture and tells the version.",
    .since = "5.0.0",
    .group = "server",
    .complexity = "",
    .arity = -1,
    .flags = Flag::kReadOnly | Flag::kFast,
    .run = Lolwut,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerLolwutCommands{kTable};

}  // namespace cinnabar::commands

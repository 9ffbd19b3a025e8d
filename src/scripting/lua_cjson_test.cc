#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <lua5.1/lua.hpp>
#include <random>
#include <string>
#include <string_view>

#include "scripting/lua_cjson.h"
#include "scripting/lua_cjson_cases.h"

namespace cinnabar::scripting {
namespace {

constexpr char kPrelude[] = R"~(
  local gsub, format, concat = string.gsub, string.format, table.concat
  local function quoted(value)
    if type(value) == 'number' then return format('%.17g', value) end
    if type(value) ~= 'string' then return type(value) == 'table' and 'table' or tostring(value) end
    return '"' .. gsub(value, '[^\32-\126]', function(c) return format('\\%03d', c:byte()) end) .. '"'
  end
  function shown(ok, ...)
    local words = {ok and 'ok' or 'ERR'}
    for i = 1, select('#', ...) do
      local value = select(i, ...)
      if not ok then value = gsub(value, '^[^:]*:%d+: ', '') end
      words[#words + 1] = quoted(value)
    end
    return concat(words, ' ')
  end
  function listed(value)
    if type(value) ~= 'table' then return value end
    local fields = {}
    for k, v in pairs(value) do
      fields[#fields + 1] = tostring(k) .. '=' .. (type(v) == 'table' and cjson.encode(v) or tostring(v))
    end
    return '{' .. concat(fields, ' ') .. '}'
  end
  function with(setting, call, value, ...)
    local own = cjson.new()
    own[setting](...)
    return listed(own[call](value))
  end
  function nested(depth, leaf) for _ = 1, depth do leaf = {leaf} end return leaf end
  function shared(levels, leaf) for _ = 1, levels do leaf = {leaf, leaf} end return leaf end
)~";

// A state with a limit of memory, and what it has to do with the outside.
class Lua {
 public:
  explicit Lua(StepHook hook = nullptr) : state_(lua_newstate(&Lua::Allocate, this)) {
    luaL_openlibs(state_);
    OpenCjson(state_, &settings, hook);
    lua_setglobal(state_, "cjson");
    EXPECT_EQ(luaL_dostring(state_, kPrelude), 0);
    EXPECT_EQ(lua_gettop(state_), 0);
  }
  Lua(const Lua&) = delete;
  Lua& operator=(const Lua&) = delete;
  ~Lua() {
    lua_close(state_);
    EXPECT_EQ(memory_, 0u);
  }

  // What the chunk returns, as a string, or its error.
  std::string Run(std::string_view code) {
    if (luaL_loadbuffer(state_, code.data(), code.size(), "=test") == 0) lua_pcall(state_, 0, 1, 0);
    size_t size = 0;
    const char* bytes = lua_tolstring(state_, -1, &size);
    std::string text = bytes == nullptr ? "<no string>" : std::string(bytes, size);
    lua_settop(state_, 0);
    return text;
  }

  std::string Show(const std::string& expression) {
    return Run("return shown(pcall(function() return " + expression + " end))");
  }

  // Once what is not used is collected.
  size_t MemoryInUse() {
    lua_gc(state_, LUA_GCCOLLECT, 0);
    return memory_;
  }

  CjsonSettings settings;
  size_t memory_max = size_t{1} << 30;

 private:
  static void* Allocate(void* data, void* block, size_t old_size, size_t new_size) {
    auto* self = static_cast<Lua*>(data);
    if (new_size > old_size && self->memory_ + (new_size - old_size) > self->memory_max) return nullptr;
    self->memory_ += new_size - old_size;
    if (new_size != 0) return std::realloc(block, new_size);
    std::free(block);
    return nullptr;
  }

  size_t memory_ = 0;
  lua_State* state_;
};

template <size_t kCount>
void ExpectAll(const Case (&cases)[kCount]) {
  Lua lua;
  for (const Case& c : cases) EXPECT_EQ(lua.Show(c.expression), c.shown) << c.expression;
}

TEST(LuaCjson, EncodesAsRedisDoes) {
  ExpectAll(kEncodeCases);
}
TEST(LuaCjson, DecodesAsRedisDoes) {
  ExpectAll(kDecodeCases);
}
TEST(LuaCjson, TakesSettingsAsRedisDoes) {
  ExpectAll(kSettingCases);
}

TEST(LuaCjson, SettingsAreThoseOfTheOwner) {
  Lua lua;
  EXPECT_EQ(lua.Show("cjson.encode_max_depth(1), cjson.new().encode_max_depth()"), "ok 1 1000");
  EXPECT_EQ(lua.settings.encode_depth_max, 1);
  EXPECT_EQ(lua.Show("cjson.encode({{}})"), R"~(ERR "Cannot serialise, excessive nesting (2)")~");
  lua.settings = {};
  EXPECT_EQ(lua.Show("cjson.encode({{}})"), R"~(ok "[{}]")~");
}

// ---- Hostile input

TEST(LuaCjson, StackOfLuaLimitsNesting) {
  Lua lua;
  lua.settings.encode_depth_max = lua.settings.decode_depth_max = 1'000'000;
  EXPECT_EQ(lua.Show("#cjson.encode(nested(7900, 1))"), "ok 15801");
  EXPECT_EQ(lua.Show("#cjson.encode(cjson.decode(('{\"a\":'):rep(3900) .. '1' .. ('}'):rep(3900)))"),
            "ok 23401");
  EXPECT_NE(lua.Show("cjson.encode(nested(9000, 1))").find("Cannot serialise, excessive nesting (79"),
            std::string::npos);
  for (const char* bracket : {"[", "{\"a\":"}) {
    const std::string shown = lua.Show(std::string("cjson.decode(('") + bracket + "'):rep(1e5))");
    EXPECT_NE(shown.find("Found too many nested data structures ("), std::string::npos) << shown;
  }
}

TEST(LuaCjson, WantOfMemoryLeavesNothingBehind) {
  Lua lua;
  EXPECT_EQ(lua.Run(R"~(
    wide, tiny, escapes = shared(12, ('x'):rep(1e5)), shared(24, {}), shared(8, ('"\1'):rep(1e5))
    arrays, long = '[' .. ('[],'):rep(2e5) .. '1]', '"' .. ('\\u20ac'):rep(1e6) .. '"'
    local fields = {}
    for i = 1, 1e5 do fields[i] = '"k' .. i .. '":1' end
    object = '{' .. table.concat(fields, ',') .. '}'
    function message(...) local _, problem = pcall(...) collectgarbage() return tostring(problem):sub(1, 99) end
    return 'made'
  )~"),
            "made");
  const size_t before = lua.MemoryInUse();
  lua.memory_max = before + (size_t{5} << 20);
  for (const char* call : {"encode, wide", "encode, tiny", "encode, escapes", "decode, arrays",
                           "decode, long", "decode, object"}) {
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(lua.Run(std::string("return message(cjson.") + call + ")"), "not enough memory") << call;
      EXPECT_LE(lua.MemoryInUse(), before + (size_t{1} << 20)) << call;
    }
  }
  EXPECT_EQ(lua.Show("cjson.encode(cjson.decode('[1,{\"a\":\"b\"}]'))"), R"~(ok "[1,{"a":"b"}]")~");
}

// At every allocation that can fail, in turn.
TEST(LuaCjson, AnyAllocationMayFail) {
  Lua lua;
  lua.Run(
      "value = {1, 'two', {three = {4.5, ('\"'):rep(3000)}}} text = cjson.encode(value)"
      "function both() return cjson.encode(cjson.decode(text)) == text end collectgarbage('stop')");
  const size_t before = lua.MemoryInUse();
  bool failed = true;
  for (size_t more = 0; failed && more < 1'000'000; more += 64) {
    lua.memory_max = before + more;
    const std::string shown = lua.Run("return tostring(select(2, pcall(both)))");
    failed = shown != "true";
    EXPECT_EQ(shown, failed ? "not enough memory" : "true");
    lua.memory_max = size_t{1} << 30;
    lua.MemoryInUse();
  }
  EXPECT_FALSE(failed);
}

void Interrupt(lua_State* lua) {
  luaL_error(lua, "interrupted");
}

int hook_calls = 0;
void CountCall(lua_State*) {
  ++hook_calls;
}

TEST(LuaCjson, LongWorkIsInterrupted) {
  Lua lua(Interrupt);
  const std::string interrupted = R"(ERR "interrupted")";
  lua.Run("flat, fields = {}, {} for i = 1, 3e4 do flat[i] = i fields['k' .. i] = true end");
  lua.Run("mixed = {} for i = 1, 3e4 do mixed[i] = i end mixed.x = 1");
  EXPECT_EQ(lua.Show("cjson.encode(shared(60, {1}))"), interrupted);
  EXPECT_EQ(lua.Show("cjson.encode(shared(60, {}))"), interrupted);
  EXPECT_EQ(lua.Show("cjson.encode(shared(6, ('x'):rep(1e5)))"), interrupted);
  EXPECT_EQ(lua.Show("cjson.encode(flat)"), interrupted);
  EXPECT_EQ(lua.Show("cjson.encode(fields)"), interrupted);
  EXPECT_EQ(lua.Show("cjson.encode(mixed)"), interrupted);
  EXPECT_EQ(lua.Show("cjson.decode('[' .. ('0,'):rep(3e4) .. '0]')"), interrupted);
  EXPECT_EQ(lua.Show("cjson.decode('[' .. ('[],'):rep(3e4) .. '0]')"), interrupted);
  EXPECT_EQ(lua.Show("cjson.decode('{' .. ('\"a\":0,'):rep(3e4) .. '\"b\":0}')"), interrupted);
  EXPECT_EQ(lua.Show("cjson.decode('[' .. (' '):rep(2e6) .. '0]')"), interrupted);
  EXPECT_EQ(lua.Show("cjson.encode(cjson.decode('[1,2,3]'))"), R"(ok "[1,2,3]")");
  lua.Run("own = cjson.new() own.encode_sparse_array(true, 0)");
  EXPECT_EQ(lua.Show("own.encode({[2^31-1]=1})"), interrupted);
}

TEST(LuaCjson, HookThatReturnsChangesNothing) {
  Lua lua(CountCall);
  hook_calls = 0;
  EXPECT_EQ(lua.Show("#cjson.encode(cjson.decode('[' .. ('[1],'):rep(1e5) .. '0]'))"), "ok 400003");
  EXPECT_GT(hook_calls, 10);
  EXPECT_LT(hook_calls, 100);
}

// ---- Seeded

uint64_t SeedOfRun() {
  const char* given = std::getenv("CINNABAR_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

constexpr char kTryRoundTrips[] = R"~(
  local random = math.random
  local function number()
    local kind = random(4)
    if kind == 1 then return random(-300, 300) end
    if kind == 2 then return math.floor((random() - 0.5) * 2 ^ random(0, 62)) end
    if kind == 3 then return random(-1000, 1000) / 16 end
    return (random() - 0.5) * 10 ^ random(-300, 300)
  end
  local function text()
    local bytes = {}
    for i = 1, random(0, random(2) == 1 and 8 or 80) do bytes[i] = string.char(random(0, 255)) end
    return (table.concat(bytes):rep(random(50) == 1 and random(100) or 1):gsub('[%[%]{}]', ''))
  end
  local function value(depth)
    local kind = random(depth > 0 and 7 or 4)
    if kind == 1 then return random(2) == 1 end
    if kind == 2 then return number() end
    if kind == 3 then return text() end
    if kind == 4 then return cjson.null end
    local made = {}
    if kind == 5 then for i = 1, random(0, 20) do made[i] = value(depth - 1) end return made end
    for i = 1, random(0, 20) do made['k' .. text()] = value(depth - 1) end
    return made
  end
  local function same(a, b)
    if type(a) == 'number' then return type(b) == 'number' and ('%.14g'):format(a) == ('%.14g'):format(b) end
    if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end
    for k, v in pairs(a) do if not same(v, b[k]) then return false end end
    for k in pairs(b) do if a[k] == nil then return false end end
    return true
  end
  local blanks = {'', ' ', '\n', '\t\r '}
  local function spread(json)  -- strings have no brackets
    return (json:gsub('[%[%]{}]', function(c) return blanks[random(4)] .. c .. blanks[random(4)] end))
  end
  for round = 1, 500 do
    local made = value(3)
    local json = cjson.encode(made)
    local read = cjson.decode(json)
    assert(same(made, read), json)
    assert(same(made, cjson.decode(cjson.encode(read))), json)
    assert(same(cjson.decode('[' .. json .. ']')[1], made), json)
    pcall(cjson.decode, json:sub(1, random(0, #json)))
    pcall(cjson.decode, json:sub(random(1, #json)))
    assert(same(made, cjson.decode(spread(json))), json)
    local x = number()
    assert(cjson.encode({x}) == '[' .. ('%.14g'):format(x) .. ']', x)
    local written = ('%.' .. random(0, 20) .. (random(2) == 1 and 'e' or 'f')):format(x)
    assert(cjson.decode('[' .. written .. ']')[1] == tonumber(written), written)
  end
  return 'done'
)~";

TEST(LuaCjson, RoundTripsRandomValues) {
  const auto seed = static_cast<uint32_t>(SeedOfRun());
  SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
  Lua lua;
  EXPECT_EQ(lua.Run("math.randomseed(" + std::to_string(seed & 0x7fffffff) + ")" + kTryRoundTrips), "done");
}

}  // namespace
}  // namespace cinnabar::scripting

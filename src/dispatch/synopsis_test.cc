#include "dispatch/synopsis.h"

#include <gtest/gtest.h>

#include <random>

namespace cinnabar::dispatch {
namespace {

// The tree on one line: type:name=TOKEN{flags}@key_spec(children)!since
std::string Show(const std::vector<Argument>& arguments) {
  std::string shown;
  for (const Argument& argument : arguments) {
    if (!shown.empty()) shown += ' ';
    shown += std::string(ArgumentTypeName(argument.type)) + ':' + argument.name;
    if (argument.token) shown += '=' + *argument.token;
    std::string flags;
    if (argument.optional) flags += 'o';
    if (argument.multiple) flags += 'm';
    if (argument.multiple_token) flags += 't';
    if (!flags.empty()) shown += '{' + flags + '}';
    if (argument.key_spec) shown += '@' + std::to_string(*argument.key_spec);
    if (!argument.arguments.empty()) shown += '(' + Show(argument.arguments) + ')';
    if (!argument.since.empty()) shown += '!' + argument.since;
  }
  return shown;
}

std::string Tree(std::string_view synopsis, int key_specs = 1) {
  auto arguments = ParseSynopsis(synopsis, key_specs);
  return arguments ? Show(*arguments) : "error: " + arguments.error().message;
}

std::string Usage(std::string_view synopsis) {
  return UsageLine(*ParseSynopsis(synopsis, 1));
}

TEST(SynopsisTest, Leaves) {
  EXPECT_EQ(Tree(""), "");
  EXPECT_EQ(Tree("key value seconds:integer"), "key:key@0 string:value integer:seconds");
  EXPECT_EQ(Tree("key:string pattern:pattern"), "string:key pattern:pattern");
  EXPECT_EQ(Tree("RESET CH:pure-token change *:pure-token auto_id"),
            "pure-token:reset=RESET pure-token:change=CH pure-token:auto_id=*");
  EXPECT_EQ(Tree("COUNT:integer count \"\":pure-token empty_string"),
            "integer:count=COUNT pure-token:empty_string=");
  EXPECT_EQ(Tree("ADDR:string ip:port yes/no ip:port"), "string:ip:port=ADDR string:yes/no string:ip:port");
}

TEST(SynopsisTest, Groups) {
  EXPECT_EQ(Tree("[message]"), "string:message{o}");
  EXPECT_EQ(Tree("condition:[NX|XX]@7.0.0"), "oneof:condition{o}(pure-token:nx=NX pure-token:xx=XX)!7.0.0");
  EXPECT_EQ(Tree("(parameter)..."), "block:parameter{m}(string:parameter)");
  EXPECT_EQ(Tree("(key value)..."), "block:key_value{m}(key:key@0 string:value)");
  EXPECT_EQ(Tree("[count:integer [WITHVALUES]]"),
            "block:count_withvalues{o}(integer:count pure-token:withvalues=WITHVALUES{o})");
  EXPECT_EQ(Tree("args:(host-port:(host port:integer)|no-one:(NO ONE))"),
            "oneof:args(block:host-port(string:host integer:port) "
            "block:no-one(pure-token:no=NO pure-token:one=ONE))");
}

TEST(SynopsisTest, ATokenLeadsItsGroup) {
  EXPECT_EQ(Tree("[LIMIT offset:integer count:integer]"),
            "block:offset_count=LIMIT{o}(integer:offset integer:count)");
  EXPECT_EQ(Tree("aggregate:[AGGREGATE (SUM|MIN)]"),
            "oneof:aggregate=AGGREGATE{o}(pure-token:sum=SUM pure-token:min=MIN)");
  EXPECT_EQ(Tree("full:[FULL [COUNT:integer count]]"), "block:full=FULL{o}(integer:count=COUNT{o})");
  EXPECT_EQ(Tree("id:[ID (client-id:integer...)]"), "block:id=ID{o}(integer:client-id{m})");
  EXPECT_EQ(Tree("(FROMMEMBER:string member|FROMLONLAT longitude:double latitude:double)"),
            "oneof:member_longitude_latitude(string:member=FROMMEMBER "
            "block:longitude_latitude=FROMLONLAT(double:longitude double:latitude))");
}

TEST(SynopsisTest, Repetition) {
  EXPECT_EQ(Tree("key..."), "key:key{m}@0");
  EXPECT_EQ(Tree("[field...]"), "string:field{om}");
  EXPECT_EQ(Tree("[WEIGHTS:integer weight...]"), "integer:weight=WEIGHTS{om}");
  EXPECT_EQ(Tree("[PREFIX:string prefix]..."), "string:prefix=PREFIX{omt}");
  EXPECT_EQ(Tree("[GET encoding offset:integer]..."),
            "block:encoding_offset=GET{omt}(string:encoding integer:offset)");
}

TEST(SynopsisTest, KeySpecifications) {
  EXPECT_EQ(Tree("key", 0), "key:key");
  EXPECT_EQ(Tree("source destination", 2), "key:source@0 key:destination@1");
  EXPECT_EQ(Tree("key1 key2", 1), "key:key1@0 key:key2@0");
  EXPECT_EQ(Tree("key [BY:pattern pattern#1] [STORE:key destination]", 3),
            "key:key@0 pattern:pattern=BY{o}@1 key:destination=STORE{o}@2");
  EXPECT_TRUE(Tree("key#1", 1).starts_with("error: no key specification 1"));
}

TEST(SynopsisTest, UsageLines) {
  EXPECT_EQ(Usage("key value [NX|XX] [EX:integer seconds|KEEPTTL]"),
            "key value [NX | XX] [EX seconds | KEEPTTL]");
  EXPECT_EQ(Usage("key..."), "key [key ...]");
  EXPECT_EQ(Usage("[(field value)...]"), "[field value [field value ...]]");
  EXPECT_EQ(Usage("[GET:pattern pattern]..."), "[GET pattern [GET pattern ...]]");
  EXPECT_EQ(Usage("[WEIGHTS:integer weight...]"), "[WEIGHTS weight [weight ...]]");
  EXPECT_EQ(Usage("where:(LEFT|RIGHT)"), "<LEFT | RIGHT>");
  EXPECT_EQ(Usage("[AGGREGATE (SUM|MIN)]"), "[AGGREGATE <SUM | MIN>]");
}

TEST(SynopsisTest, Errors) {
  for (std::string_view wrong :
       {"[key", "key]", "(a|)", "[]", "a|b", "COUNT:integer", ":integer", "key#x", "(a]"}) {
    EXPECT_FALSE(ParseSynopsis(wrong, 1).has_value()) << wrong;
  }
  EXPECT_FALSE(ParseSynopsis(std::string(100, '('), 1).has_value());
}

TEST(SynopsisTest, AnyTextEnds) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  constexpr std::string_view kPieces[] = {"(", ")", "[",       "]", "|", "...", "key",
                                          "A", ":", "integer", " ", "@", "#",   "1"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) text += kPieces[random() % std::size(kPieces)];
    if (auto arguments = ParseSynopsis(text, 2)) UsageLine(*arguments);
  }
}

}  // namespace
}  // namespace cinnabar::dispatch

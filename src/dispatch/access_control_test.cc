// Who a session is, what it may run, and what is noted when it may not.
#include "dispatch/access_control.h"

#include "dispatch/services_for_test.h"

namespace cinnabar::dispatch {
namespace {

using security::DenialContext;
using security::DenialReason;
using security::UserPtr;

void Answer(Call& call) {
  call.reply().Ok();
}
void Begin(Call& call) {
  call.session().transaction.open = true;
  call.reply().Ok();
}
void Finish(Call& call) {
  call.dispatcher().RunQueued(call.session());
}
// SET with GET reads as well.
uint16_t UseOfPut(std::span<const std::string_view> argv) {
  const uint16_t written = KeyUse::kOw | KeyUse::kUpdate;
  return argv.size() > 2 && argv[2] == "get" ? written | KeyUse::kAccess : written;
}

constexpr KeySpec kWritten = OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate | KeyUse::kVariableFlags);
constexpr CommandSpec kCommands[] = {
    {.name = "put",
     .summary = "s",
     .since = "1",
     .group = "string",
     .arity = -2,
     .flags = Flag::kWrite,
     .keys = {kWritten},
     .actual_use = UseOfPut,
     .run = Answer},
    {.name = "read",
     .summary = "s",
     .since = "1",
     .group = "string",
     .arity = -2,
     .flags = Flag::kReadOnly,
     .keys = {KeyRange(KeyUse::kRo | KeyUse::kAccess, 1, -1)},
     .run = Answer},
    {.name = "send",
     .summary = "s",
     .since = "1",
     .group = "pubsub",
     .arity = 3,
     .flags = Flag::kPubsub,
     .channels = {.first = 1},
     .run = Answer},
    {.name = "listen",
     .summary = "s",
     .since = "1",
     .group = "pubsub",
     .arity = -2,
     .flags = Flag::kPubsub,
     .channels = {.first = 1, .repeats = true, .patterns = true},
     .run = Answer},
    {.name = "hello",
     .summary = "s",
     .since = "1",
     .group = "connection",
     .arity = 1,
     .flags = Flag::kNoAuth,
     .run = Answer},
    {.name = "begin",
     .summary = "s",
     .since = "1",
     .group = "transactions",
     .arity = 1,
     .flags = Flag::kControlsTransaction,
     .run = Begin},
    {.name = "finish",
     .summary = "s",
     .since = "1",
     .group = "transactions",
     .arity = 1,
     .flags = Flag::kControlsTransaction | Flag::kRunsTransaction,
     .run = Finish},
};
static_assert(Valid(kCommands));

constexpr std::string_view kNoCommand = "-NOPERM this user has no permissions to run the 'put' command\r\n";
constexpr std::string_view kNoKey =
    "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n";
constexpr std::string_view kNoChannel =
    "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n";

class AccessControlTest : public DispatchTest {
 protected:
  AccessControlTest() : DispatchTest(kCommands) {}

  UserPtr Make(const std::vector<std::string_view>& rules) {
    auto change = access_.users().Set("app", rules);
    EXPECT_TRUE(change.has_value()) << change.error().reply;
    return change->after;
  }
  void Become(const std::vector<std::string_view>& rules) { access_.LogIn(session_, Make(rules)); }
  security::Denial Newest() {
    const auto entries = access_.log().Latest(1);
    return entries.empty() ? security::Denial{} : entries[0].denial;
  }
};

TEST_F(AccessControlTest, NewConnectionsAreTheDefaultUser) {
  access_.Connect(session_);
  EXPECT_EQ(UserName(session_), "default");
  EXPECT_TRUE(session_.authenticated);
  EXPECT_TRUE(session_.unrestricted);
  access_.users().SetDefaultPassword("secret");
  Session late(2, OutputBuffer(OutputBuffer::kFixedBytesMin));
  access_.Connect(late);
  EXPECT_FALSE(late.authenticated);
  EXPECT_FALSE(late.unrestricted);
  EXPECT_TRUE(Run(late, {"read", "k"}).starts_with("-NOAUTH "));
  EXPECT_EQ(Run(late, {"hello"}), "+OK\r\n");
  // Who came while nobody was asked stays.
  access_.LookAgain(session_);
  EXPECT_TRUE(session_.authenticated);
}

TEST_F(AccessControlTest, WhoHasNotLoggedInIsLetInWhileNobodyIsAsked) {
  access_.users().SetDefaultPassword("secret");
  access_.Connect(session_);
  access_.Update(session_, access_.users().SetDefaultPassword("").after);
  EXPECT_TRUE(session_.authenticated);
  EXPECT_TRUE(session_.unrestricted);
  access_.Update(session_, access_.users().SetDefaultPassword("secret").after);
  EXPECT_FALSE(session_.authenticated);
  EXPECT_FALSE(session_.unrestricted);
}

TEST_F(AccessControlTest, RulesDecideOnEveryWay) {
  Become({"on", "nopass", "+read", "~a*"});
  EXPECT_EQ(Run({"read", "a1"}), "+OK\r\n");
  EXPECT_EQ(Run({"read", "a1", "a2"}), "+OK\r\n");
  EXPECT_EQ(Run({"read", "a1", "b"}), kNoKey);
  EXPECT_EQ(Run({"put", "a1"}), kNoCommand);
  EXPECT_EQ(Run({"hello"}), "+OK\r\n");
  EXPECT_EQ(Run({"put"}), "-ERR wrong number of arguments for 'put' command\r\n");
  EXPECT_EQ(access_.denials().commands, 1u);
  EXPECT_EQ(access_.denials().keys, 1u);
  access_.ResetFigures();
  EXPECT_EQ(access_.denials().keys, 0u);
}

TEST_F(AccessControlTest, WhatIsDoneToAKeyDependsOnTheArguments) {
  Become({"on", "nopass", "+@all", "%W~k"});
  EXPECT_EQ(Run({"put", "k"}), "+OK\r\n");
  EXPECT_EQ(Run({"put", "k", "get"}), kNoKey);
  EXPECT_EQ(Run({"read", "k"}), kNoKey);
  EXPECT_EQ(Newest().object, "k");
  EXPECT_EQ(Newest().reason, DenialReason::kKey);
}

TEST_F(AccessControlTest, ChannelsAndPatterns) {
  Become({"on", "nopass", "+@all", "&news*"});
  EXPECT_EQ(Run({"send", "news1", "x"}), "+OK\r\n");
  EXPECT_EQ(Run({"send", "other", "news"}), kNoChannel);
  EXPECT_EQ(Run({"listen", "news*"}), "+OK\r\n");
  EXPECT_EQ(Run({"listen", "news*", "news1*"}), kNoChannel);
  EXPECT_EQ(Newest().object, "news1*");
  EXPECT_EQ(access_.denials().channels, 2u);
}

TEST_F(AccessControlTest, QueuedCommandsAreCheckedTwice) {
  Become({"on", "nopass", "+@all", "~*"});
  Run({"begin"});
  EXPECT_EQ(Run({"read", "k"}), "+QUEUED\r\n");
  EXPECT_EQ(Run({"put", "k"}), "+QUEUED\r\n");
  access_.Update(session_, Make({"-put"}));
  EXPECT_EQ(Run({"put", "k"}), kNoCommand);
  EXPECT_EQ(Newest().context, DenialContext::kMulti);
  access_.log().Reset();
  EXPECT_EQ(
      Run({"finish"}),
      "*2\r\n+OK\r\n-NOPERM ACLs rules changed between the moment the transaction was accumulated and the "
      "EXEC call. This command is no longer allowed for the following reason: no permission to execute "
      "the command or subcommand\r\n");
  EXPECT_EQ(Newest().context, DenialContext::kMulti);
  EXPECT_EQ(Newest().object, "put");
  EXPECT_EQ(Newest().username, "app");
}

TEST_F(AccessControlTest, FailedLoginsAreNoted) {
  access_.Connect(session_);
  EXPECT_EQ(access_.users().Authenticate("nobody", "x"), nullptr);
  access_.NoteFailedLogin(session_, "AuTh", "nobody");
  EXPECT_EQ(Newest().reason, DenialReason::kAuth);
  EXPECT_EQ(Newest().object, "AuTh");
  EXPECT_EQ(Newest().username, "nobody");
  EXPECT_EQ(access_.denials().logins, 1u);
}

}  // namespace
}  // namespace cinnabar::dispatch

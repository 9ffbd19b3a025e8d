// DEBUG PROTOCOL and DEBUG HELP: replies that do not depend on the data.
#include "commands/server/debug.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::SameWord;

constexpr std::string_view kHelp[] = {
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ASSERT",
    "    Fail an assertion, as a bug would.",
    "CHANGE-REPL-ID",
    "    Give the stream of changes a new identity.",
    "CLOSE-CLUSTER-LINK-ON-PACKET-DROP <0|1>",
    "    Whether DROP-CLUSTER-PACKET-FILTER also closes the link.",
    "CLUSTERLINK KILL <to|from|all> <node-id>",
    "    Close the links with a node of the cluster.",
    "CONFIG-REWRITE-FORCE-ALL",
    "    As CONFIG REWRITE, with every directive, the ones at their default included.",
    "DIGEST",
    "    40 hexadecimal digits that stand for the whole data set; zeros when it is empty.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    The same for the value of each key.",
    "DROP-CLUSTER-PACKET-FILTER <type>",
    "    Lose packets of this type that come from other nodes of the cluster; -1: none.",
    "ERROR <string>",
    "    Answer with this text as an error.",
    "HTSTATS <dbid> [full]",
    "    Figures of the key tables of a database.",
    "HTSTATS-KEY <key> [full]",
    "    Figures of the hash table behind a value.",
    "JMAP",
    "    Accepted for other servers' clients; does nothing.",
    "LISTPACK <key>",
    "    Write the elements of a packed value to the log.",
    "LOG <message>",
    "    Write the message to the log.",
    "MALLCTL <name> [<value>]",
    "    Read or set a number of the allocator.",
    "MALLCTL-STR <name> [VOID]",
    "    Read a string of the allocator, or with VOID do what the name stands for.",
    "OBJECT <key>",
    "    How the value of a key is kept.",
    "OOM",
    "    End as if memory had run out.",
    "PANIC",
    "    End as after a fatal error.",
    "PAUSE-CRON <0|1>",
    "    Stop the periodic work, or let it go on.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Make strings <prefix>:0, <prefix>:1 ... (default: key), perhaps of the given size.",
    "PROTOCOL <type>",
    "    Answer with an example of the type: string, integer, double, bignum, null, array, set, map,",
    "    attrib, push, verbatim, true, false.",
    "QUICKLIST <key> [<0|1>]",
    "    Write the nodes of a list to the log.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    From which size on elements of long lists are kept alone; 0: when they do not fit a node.",
    "REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|milliseconds>",
    "    How long the peak of a reply buffer is remembered.",
    "REPLYBUFFER RESIZING <0|1>",
    "    Whether reply buffers follow their peak.",
    "SEGFAULT",
    "    Write where it is not allowed.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Whether expired keys are removed although nobody asks for them.",
    "SET-DISABLE-DENY-SCRIPTS <0|1>",
    "    Whether scripts may call what they may not.",
    "SLEEP <seconds>",
    "    Stop all cores for so long; decimals are allowed.",
    "STRINGMATCH-LEN <length> <pattern>",
    "    Match the pattern with so many letters a.",
    "HELP",
    "    Prints this help.",
};

void ReplyNumbers(Call& call) {
  for (int i = 0; i < 3; ++i) call.reply().Integer(i);
}

}  // namespace

void DebugHelp(Call& call) {
  call.reply().Array(std::size(kHelp));
  for (std::string_view line : kHelp) call.reply().Simple(line);
}

void DebugProtocol(Call& call) {
  auto& reply = call.reply();
  const bool resp3 = reply.version() == protocol::Resp::k3;
  const std::string_view type = call.arg(2);
  if (SameWord(type, "STRING")) return reply.Bulk("Hello World");
  if (SameWord(type, "INTEGER")) return reply.Integer(12345);
  if (SameWord(type, "DOUBLE")) return reply.Double(3.141);
  if (SameWord(type, "NULL")) return reply.Null();
  if (SameWord(type, "TRUE")) return reply.Boolean(true);
  if (SameWord(type, "FALSE")) return reply.Boolean(false);
  if (SameWord(type, "BIGNUM")) return reply.BigNumber("1234567999999999999999999999999999999");
  if (SameWord(type, "VERBATIM")) return reply.Verbatim("txt", "This is a verbatim\nstring");
  if (SameWord(type, "ARRAY")) return reply.Array(3), ReplyNumbers(call);
  if (SameWord(type, "SET")) return reply.Set(3), ReplyNumbers(call);
  if (SameWord(type, "MAP")) {
    reply.Map(3);
    for (int i = 0; i < 3; ++i) {
      reply.Integer(i);
      reply.Boolean(i == 1);
    }
    return;
  }
  if (SameWord(type, "ATTRIB")) {
    if (resp3) {
      reply.Attribute(1);
      reply.Bulk("key-popularity");
      reply.Array(2);
      reply.Bulk("key:123");
      reply.Integer(90);
    }
    return reply.Bulk("Some real reply following the attribute");
  }
  if (SameWord(type, "PUSH")) {
    if (!resp3) return reply.Error("ERR RESP2 is not supported by this command");
    reply.Push(2);
    reply.Bulk("server-cpu-usage");
    reply.Integer(42);
    return reply.Bulk("Some real reply following the push reply");
  }
  reply.Error(
      "ERR Wrong protocol type name. Please use one of the following: "
      "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

}  // namespace cinnabar::commands

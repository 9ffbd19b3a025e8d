// The tables hold what redis-server 7.0.15 answers to the same expressions.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <lua5.1/lua.hpp>
#include <random>
#include <string>
#include <string_view>

#include "scripting/lua_cmsgpack.h"
#include "scripting/lua_patterns.h"
#include "scripting/lua_struct.h"

namespace cinnabar::scripting {
namespace {

// An expression, and its values (or the error) as `shown` writes them.
struct Case {
  const char* expression;
  const char* shown;
};

constexpr Case kStructCases[] = {
    {R"~(struct.pack("=H",1))~", R"~(ERR "bad argument #1 to 'pack' (invalid format option '=')")~"},
    {R"~(struct.pack("z",1))~", R"~(ERR "bad argument #1 to 'pack' (invalid format option 'z')")~"},
    {R"~(struct.pack("",1))~", R"~(ok "")~"},
    {R"~(struct.pack())~", R"~(ERR "bad argument #1 to 'pack' (string expected, got no value)")~"},
    {R"~(struct.pack("H"))~", R"~(ERR "bad argument #2 to 'pack' (number expected, got nil)")~"},
    {R"~(struct.pack("HH",1))~", R"~(ERR "bad argument #3 to 'pack' (number expected, got nil)")~"},
    {R"~(struct.pack("s"))~", R"~(ERR "bad argument #2 to 'pack' (string expected, got nil)")~"},
    {R"~(struct.pack("c5","abc"))~", R"~(ERR "bad argument #3 to 'pack' (string too short)")~"},
    {R"~(struct.pack("c2","abc"))~", R"~(ok "ab")~"},
    {R"~(struct.pack("c","abc"))~", R"~(ok "a")~"},
    {R"~(struct.pack("s",5))~", R"~(ok "5\000")~"},
    {R"~(struct.pack("i",5.7))~", R"~(ok "\005\000\000\000")~"},
    {R"~(struct.pack("i",-5.7))~", R"~(ok "\251\255\255\255")~"},
    {R"~(struct.pack("l",1e300))~", R"~(ok "\000\000\000\000\000\000\000\000")~"},
    {R"~(struct.pack("l",-1e300))~", R"~(ok "\000\000\000\000\000\000\000\128")~"},
    {R"~(struct.pack("l",0/0))~", R"~(ok "\000\000\000\000\000\000\000\128")~"},
    {R"~(struct.pack("l",-(0/0)))~", R"~(ok "\000\000\000\000\000\000\000\128")~"},
    {R"~(struct.pack("l",1/0))~", R"~(ok "\000\000\000\000\000\000\000\000")~"},
    {R"~(struct.pack("l",-1/0))~", R"~(ok "\000\000\000\000\000\000\000\128")~"},
    {R"~(struct.pack("l",2^63+2^62))~", R"~(ok "\000\000\000\000\000\000\000\192")~"},
    {R"~(struct.pack("l",2^64))~", R"~(ok "\000\000\000\000\000\000\000\000")~"},
    {R"~(struct.pack("l",2^65))~", R"~(ok "\000\000\000\000\000\000\000\000")~"},
    {R"~(struct.pack("l",-2^63))~", R"~(ok "\000\000\000\000\000\000\000\128")~"},
    {R"~(struct.pack("l",-2^63-4096))~", R"~(ok "\000\000\000\000\000\000\000\128")~"},
    {R"~(struct.pack("b",300))~", R"~(ok ",")~"},
    {R"~(struct.pack("i3",300))~", R"~(ok ",\001\000")~"},
    {R"~(struct.pack(">i3",300))~", R"~(ok "\000\001,")~"},
    {R"~(struct.pack(">i3",-300))~", R"~(ok "\255\254\212")~"},
    {R"~(struct.pack("i9",-1))~", R"~(ok "\255\255\255\255\255\255\255\255\000")~"},
    {R"~(struct.pack(">i9",-1))~", R"~(ok "\000\255\255\255\255\255\255\255\255")~"},
    {R"~(struct.pack("i33",-1))~", R"~(ERR "integral size 33 is larger than limit of 32")~"},
    {R"~(struct.pack("i2147483648",-1))~", R"~(ERR "integral size overflow")~"},
    {R"~(struct.pack("i21474836470",-1))~", R"~(ERR "integral size overflow")~"},
    {R"~(struct.pack("c2147483648","s"))~", R"~(ERR "integral size overflow")~"},
    {R"~(struct.pack("c2147483647","s"))~", R"~(ERR "bad argument #3 to 'pack' (string too short)")~"},
    {R"~(struct.pack("!3i",1))~", R"~(ERR "alignment 3 is not a power of 2")~"},
    {R"~(struct.pack("!0i",1))~", R"~(ERR "alignment 0 is not a power of 2")~"},
    {R"~(struct.pack("!2bi",1,2))~", R"~(ok "\001\000\002\000\000\000")~"},
    {R"~(struct.pack("!bd",1,2))~",
     R"~(ok "\001\000\000\000\000\000\000\000\000\000\000\000\000\000\000@")~"},
    {R"~(struct.pack("!bi3",1,2))~", R"~(ok "\001\000\000\002\000\000")~"},
    {R"~(struct.pack("!4bi3",1,2))~", R"~(ok "\001\000\000\002\000\000")~"},
    {R"~(struct.pack("!4bbi3",1,2,3))~", R"~(ok "\001\002\003\000\000")~"},
    {R"~(struct.pack("!4bbbi3",1,2,3,4))~", R"~(ok "\001\002\003\004\000\000")~"},
    {R"~(struct.pack("!bsi",1,"ab",3))~", R"~(ok "\001ab\000\003\000\000\000")~"},
    {R"~(struct.pack("x x"))~", R"~(ok "\000\000")~"},
    {R"~(struct.pack("f",0.1))~", R"~(ok "\205\204\204=")~"},
    {R"~(struct.pack(">f",0.1))~", R"~(ok "=\204\204\205")~"},
    {R"~(struct.pack(">d",0.1))~", R"~(ok "?\185\153\153\153\153\153\154")~"},
    {R"~(struct.pack("<d",0.1))~", R"~(ok "\154\153\153\153\153\153\185?")~"},
    {R"~(struct.pack(">f",1e300))~", R"~(ok "\127\128\000\000")~"},
    {R"~(struct.pack("d","abc"))~", R"~(ERR "bad argument #2 to 'pack' (number expected, got string)")~"},
    {R"~(struct.pack("d",{}))~", R"~(ERR "bad argument #2 to 'pack' (number expected, got table)")~"},
    {R"~(struct.pack("i","12"))~", R"~(ok "\012\000\000\000")~"},
    {R"~(struct.pack("\0","12"))~", R"~(ok "")~"},
    {R"~(struct.pack("b\0q",1))~", R"~(ok "\001")~"},
    {R"~(struct.pack("\200","12"))~", R"~(ERR "bad argument #1 to 'pack' (invalid format option '\200')")~"},
    {R"~(struct.pack("\n","12"))~", R"~(ERR "bad argument #1 to 'pack' (invalid format option '\010')")~"},
    {R"~(struct.pack("!1000000b","12"))~", R"~(ERR "alignment 1000000 is not a power of 2")~"},
    {R"~(struct.pack("!1073741824b","12"))~", R"~(ok "\012")~"},
    {R"~(struct.pack("!2147483648b","12"))~", R"~(ERR "integral size overflow")~"},
    {R"~(struct.pack("b3b",1,2))~", R"~(ERR "bad argument #1 to 'pack' (invalid format option '3')")~"},
    {R"~(struct.pack("j",1))~", R"~(ERR "bad argument #1 to 'pack' (invalid format option 'j')")~"},
    {R"~(struct.pack("m",1))~", R"~(ERR "bad argument #1 to 'pack' (invalid format option 'm')")~"},
    {R"~(struct.pack("n",1))~", R"~(ERR "bad argument #1 to 'pack' (invalid format option 'n')")~"},
    {R"~(struct.pack("p",1))~", R"~(ERR "bad argument #1 to 'pack' (invalid format option 'p')")~"},
    {R"~(struct.pack("xs4",1,1))~", R"~(ERR "bad argument #1 to 'pack' (invalid format option '4')")~"},
    {R"~(struct.size())~", R"~(ERR "bad argument #1 to 'size' (string expected, got no value)")~"},
    {R"~(struct.size(""))~", R"~(ok 0)~"},
    {R"~(struct.size("bhilTfd"))~", R"~(ok 35)~"},
    {R"~(struct.size("!bhilTfd"))~", R"~(ok 40)~"},
    {R"~(struct.size("s"))~", R"~(ERR "bad argument #1 to 'size' (option 's' has no fixed size)")~"},
    {R"~(struct.size("c0"))~", R"~(ERR "bad argument #1 to 'size' (option 'c0' has no fixed size)")~"},
    {R"~(struct.size("c10c5"))~", R"~(ok 15)~"},
    {R"~(struct.size("z"))~", R"~(ok 0)~"},
    {R"~(struct.size("%"))~", R"~(ERR "bad argument #1 to 'size' (invalid format option '%')")~"},
    {R"~(struct.size("!3"))~", R"~(ERR "alignment 3 is not a power of 2")~"},
    {R"~(struct.size("!7b"))~", R"~(ERR "alignment 7 is not a power of 2")~"},
    {R"~(struct.size("i33"))~", R"~(ERR "integral size 33 is larger than limit of 32")~"},
    {R"~(struct.size("c2147483647"))~", R"~(ok 2147483647)~"},
    {R"~(struct.size("c2147483647c1"))~", R"~(ok 2147483648)~"},
    {R"~(struct.size("c2147483647c2147483647"))~", R"~(ok 4294967294)~"},
    {R"~(struct.size("c2147483647c2147483647c2147483647c2147483647"))~", R"~(ok 8589934588)~"},
    {R"~(struct.size("c2147483646b"))~", R"~(ok 2147483647)~"},
    {R"~(struct.size("c2147483646bb"))~", R"~(ok 2147483648)~"},
    {R"~(struct.size("c2147483646h"))~", R"~(ok 2147483648)~"},
    {R"~(struct.size("!c2147483646i"))~", R"~(ok 2147483652)~"},
    {R"~(struct.size("!c2147483643i"))~", R"~(ok 2147483648)~"},
    {R"~(struct.size("!c2147483644i"))~", R"~(ok 2147483648)~"},
    {R"~(struct.size("c2147483648"))~", R"~(ERR "integral size overflow")~"},
    {R"~(struct.size("c9999999999"))~", R"~(ERR "integral size overflow")~"},
    {R"~(struct.size("bxxx x"))~", R"~(ok 5)~"},
    {R"~(struct.size(5))~", R"~(ok 0)~"},
    {R"~(struct.size({}))~", R"~(ERR "bad argument #1 to 'size' (string expected, got table)")~"},
    {R"~(struct.size("i0"))~", R"~(ok 0)~"},
    {R"~(struct.size("!bi0"))~", R"~(ok 1)~"},
    {R"~(struct.unpack("H","\1\2"))~", R"~(ok 513 3)~"},
    {R"~(struct.unpack("H","\1\2",1))~", R"~(ok 513 3)~"},
    {R"~(struct.unpack("H","\1\2",-1))~", R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(struct.unpack("H","\1\2",2))~", R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(struct.unpack("H","\1\2",3))~", R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(struct.unpack("","\1\2",3))~", R"~(ok 3)~"},
    {R"~(struct.unpack("","\1\2",300))~", R"~(ok 300)~"},
    {R"~(struct.unpack("","\1\2",1e300))~", R"~(ok -9.2233720368547758e+18)~"},
    {R"~(struct.unpack("b","\1\2",1e300))~",
     R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(struct.unpack("b","\1\2",9e18))~", R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(struct.unpack("b","\1\2",2^31))~", R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(struct.unpack("","\1\2",2^31))~", R"~(ok 2147483648)~"},
    {R"~(struct.unpack("s","\1\2",300))~", R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(struct.unpack("s","\1\2",2))~", R"~(ERR "unfinished string in data")~"},
    {R"~(struct.unpack("s","\1\2",3))~", R"~(ERR "unfinished string in data")~"},
    {R"~(struct.unpack("s","\1\2\0",3))~", R"~(ok "" 4)~"},
    {R"~(struct.unpack("s","\1\2\0",4))~", R"~(ERR "unfinished string in data")~"},
    {R"~(struct.unpack("s","\1\2\0",5))~", R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(struct.unpack("s","\1\2\0z",1))~", R"~(ok "\001\002" 4)~"},
    {R"~(struct.unpack("c0","abc"))~", R"~(ERR "format 'c0' needs a previous size")~"},
    {R"~(struct.unpack("bc0","\2abc"))~", R"~(ok "ab" 4)~"},
    {R"~(struct.unpack("bc0","\4abc"))~", R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(struct.unpack("bc0","\255abc"))~", R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(struct.unpack("bc0","\0abc"))~", R"~(ok "" 2)~"},
    {R"~(struct.unpack("sc0","a\0abc"))~", R"~(ERR "format 'c0' needs a previous size")~"},
    {R"~(struct.unpack("sc0","2\0abc"))~", R"~(ok "ab" 5)~"},
    {R"~(struct.unpack("fc0","\0\0\192\63abc"))~", R"~(ok "a" 6)~"},
    {R"~(struct.unpack("dc0",struct.pack("d",1e300).."abc"))~", R"~(ok "" 9)~"},
    {R"~(struct.unpack("dc0",struct.pack("d",-0.5).."abc"))~", R"~(ok "" 9)~"},
    {R"~(struct.unpack("dc0",struct.pack("d",2^64).."abc"))~", R"~(ok "" 9)~"},
    {R"~(struct.unpack("c0","abc",1))~", R"~(ERR "format 'c0' needs a previous size")~"},
    {R"~(struct.unpack("c0c0","abc",1))~", R"~(ERR "format 'c0' needs a previous size")~"},
    {R"~(struct.unpack("xc0","abc",1))~", R"~(ERR "format 'c0' needs a previous size")~"},
    {R"~(struct.unpack("c2","abc",1))~", R"~(ok "ab" 3)~"},
    {R"~(struct.unpack("c4","abc",1))~", R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(struct.unpack("i0","abc",1))~", R"~(ok 0 1)~"},
    {R"~(struct.unpack("I0","abc",1))~", R"~(ok 0 1)~"},
    {R"~(struct.unpack("i1","\255"))~", R"~(ok -1 2)~"},
    {R"~(struct.unpack("I1","\255"))~", R"~(ok 255 2)~"},
    {R"~(struct.unpack("i3","\255\255\255"))~", R"~(ok -1 4)~"},
    {R"~(struct.unpack("I3","\255\255\255"))~", R"~(ok 16777215 4)~"},
    {R"~(struct.unpack(">I3","\1\2\3"))~", R"~(ok 66051 4)~"},
    {R"~(struct.unpack("<I3","\1\2\3"))~", R"~(ok 197121 4)~"},
    {R"~(struct.unpack("i9",("\1"):rep(9)))~", R"~(ok -127 10)~"},
    {R"~(struct.unpack("I9",("\1"):rep(9)))~", R"~(ok 72340172838076672 10)~"},
    {R"~(struct.unpack("i9",("\255"):rep(9)))~", R"~(ok -1 10)~"},
    {R"~(struct.unpack("i9","\1"..("\0"):rep(8)))~", R"~(ok 1 10)~"},
    {R"~(struct.unpack("i9","\128"..("\0"):rep(8)))~", R"~(ok -128 10)~"},
    {R"~(struct.unpack(">i9",("\0"):rep(8).."\1"))~", R"~(ok 1 10)~"},
    {R"~(struct.unpack("i12","\1"..("\0"):rep(11)))~", R"~(ok 1 13)~"},
    {R"~(struct.unpack("i12",("\0"):rep(4).."\1"..("\0"):rep(7)))~", R"~(ok -2147483648 13)~"},
    {R"~(struct.unpack("i15",("\0"):rep(6).."\1"..("\0"):rep(8)))~", R"~(ok 281474976710656 16)~"},
    {R"~(struct.unpack("i15",("\0"):rep(7).."\1"..("\0"):rep(7)))~", R"~(ok -36028797018963968 16)~"},
    {R"~(struct.unpack("i16",("\255"):rep(8)..("\0"):rep(8)))~", R"~(ok -1 17)~"},
    {R"~(struct.unpack("i16",("\0"):rep(8)..("\255"):rep(8)))~", R"~(ok 0 17)~"},
    {R"~(struct.unpack("i10",("\0"):rep(1).."\1"..("\0"):rep(8)))~", R"~(ok 256 11)~"},
    {R"~(struct.unpack("i10",("\0"):rep(1).."\128"..("\0"):rep(8)))~", R"~(ok -32768 11)~"},
    {R"~(struct.unpack("I16",("\255"):rep(16)))~", R"~(ok 1.8446744073709552e+19 17)~"},
    {R"~(struct.unpack("l",("\255"):rep(16)))~", R"~(ok -1 9)~"},
    {R"~(struct.unpack("L",("\255"):rep(16)))~", R"~(ok 1.8446744073709552e+19 9)~"},
    {R"~(struct.unpack("T",("\255"):rep(16)))~", R"~(ok 1.8446744073709552e+19 9)~"},
    {R"~(struct.unpack("i33",("\255"):rep(16)))~", R"~(ERR "integral size 33 is larger than limit of 32")~"},
    {R"~(struct.unpack("i33",""))~", R"~(ERR "integral size 33 is larger than limit of 32")~"},
    {R"~(struct.unpack("z",""))~", R"~(ERR "bad argument #1 to 'unpack' (invalid format option 'z')")~"},
    {R"~(struct.unpack("z","abc"))~", R"~(ERR "bad argument #1 to 'unpack' (invalid format option 'z')")~"},
    {R"~(struct.unpack("!3","abc"))~", R"~(ERR "alignment 3 is not a power of 2")~"},
    {R"~(struct.unpack("!bi","abcdefgh"))~", R"~(ok 97 1751606885 9)~"},
    {R"~(struct.unpack("!bi","abcdefgh",2))~", R"~(ok 98 1751606885 9)~"},
    {R"~(struct.unpack("!bi","abcdefgh",3))~", R"~(ok 99 1751606885 9)~"},
    {R"~(struct.unpack(">!4 bi","abcdefgh"))~", R"~(ok 97 1701209960 9)~"},
    {R"~(struct.unpack("f","abcd"))~", R"~(ok 1.6777999408082104e+22 5)~"},
    {R"~(struct.unpack(">f","abcd"))~", R"~(ok 2.6100787562286154e+20 5)~"},
    {R"~(struct.unpack(">d","abcdefgh"))~", R"~(ok 1.2926117907728089e+161 9)~"},
    {R"~(struct.unpack("<d","abcdefgh"))~", R"~(ok 8.5408832230361244e+194 9)~"},
    {R"~(struct.unpack())~", R"~(ERR "bad argument #1 to 'unpack' (string expected, got no value)")~"},
    {R"~(struct.unpack("b"))~", R"~(ERR "bad argument #2 to 'unpack' (string expected, got no value)")~"},
    {R"~(struct.unpack("b",{}))~", R"~(ERR "bad argument #2 to 'unpack' (string expected, got table)")~"},
    {R"~(struct.unpack("b",5))~", R"~(ok 53 2)~"},
    {R"~(struct.unpack("b","x","y"))~",
     R"~(ERR "bad argument #3 to 'unpack' (number expected, got string)")~"},
    {R"~(struct.unpack("b","x",nil))~", R"~(ok 120 2)~"},
    {R"~(struct.unpack("c2147483647","x"))~",
     R"~(ERR "bad argument #2 to 'unpack' (data string too short)")~"},
    {R"~(#struct.unpack("",("x")))~", R"~(ERR "attempt to get length of a number value")~"},
    {R"~(select('#',struct.unpack(("b"):rep(5000),("x"):rep(5000))))~", R"~(ok 5001)~"},
};

constexpr Case kCmsgpackCases[] = {
    {R"~(cmsgpack.pack())~", R"~(ERR "bad argument #0 to 'pack' (MessagePack pack needs input.)")~"},
    {R"~(cmsgpack.pack(nil))~", R"~(ok "\192")~"},
    {R"~(cmsgpack.pack(nil,true,false))~", R"~(ok "\192\195\194")~"},
    {R"~(cmsgpack.pack(2^63))~", R"~(ok "\202_\000\000\000")~"},
    {R"~(cmsgpack.pack(2^64))~", R"~(ok "\202_\128\000\000")~"},
    {R"~(cmsgpack.pack(-2^63))~", R"~(ok "\211\128\000\000\000\000\000\000\000")~"},
    {R"~(cmsgpack.pack(-2^64))~", R"~(ok "\202\223\128\000\000")~"},
    {R"~(cmsgpack.pack(1e300))~", R"~(ok "\203~7\228<\136\000u\156")~"},
    {R"~(cmsgpack.pack(0/0))~", R"~(ok "\203\255\248\000\000\000\000\000\000")~"},
    {R"~(cmsgpack.pack(-(0/0)))~", R"~(ok "\203\127\248\000\000\000\000\000\000")~"},
    {R"~(cmsgpack.pack(1/0))~", R"~(ok "\202\127\128\000\000")~"},
    {R"~(cmsgpack.pack(-1/0))~", R"~(ok "\202\255\128\000\000")~"},
    {R"~(cmsgpack.pack(0.1))~", R"~(ok "\203?\185\153\153\153\153\153\154")~"},
    {R"~(cmsgpack.pack(0.5))~", R"~(ok "\202?\000\000\000")~"},
    {R"~(cmsgpack.pack(-0))~", R"~(ok "\000")~"},
    {R"~(cmsgpack.pack(-0.0))~", R"~(ok "\000")~"},
    {R"~(cmsgpack.pack(0*-1))~", R"~(ok "\000")~"},
    {R"~(cmsgpack.pack(1e20))~", R"~(ok "\203D\021\175\029x\181\140@")~"},
    {R"~(cmsgpack.pack(1.5e20))~", R"~(ok "\203D CV\026\136)0")~"},
    {R"~(cmsgpack.pack(2^70))~", R"~(ok "\202b\128\000\000")~"},
    {R"~(cmsgpack.pack(""))~", R"~(ok "\160")~"},
    {R"~(cmsgpack.pack("abc"))~", R"~(ok "\163abc")~"},
    {R"~(cmsgpack.pack(("x"):rep(31)):sub(1,3))~", R"~(ok "\191xx")~"},
    {R"~(cmsgpack.pack(("x"):rep(32)):sub(1,3))~", R"~(ok "\217 x")~"},
    {R"~(cmsgpack.pack(("x"):rep(255)):sub(1,3))~", R"~(ok "\217\255x")~"},
    {R"~(cmsgpack.pack(("x"):rep(256)):sub(1,4))~", R"~(ok "\218\001\000x")~"},
    {R"~(cmsgpack.pack(("x"):rep(65535)):sub(1,4))~", R"~(ok "\218\255\255x")~"},
    {R"~(cmsgpack.pack(("x"):rep(65536)):sub(1,6))~", R"~(ok "\219\000\001\000\000x")~"},
    {R"~(cmsgpack.pack({}))~", R"~(ok "\144")~"},
    {R"~(cmsgpack.pack({1,2,3}))~", R"~(ok "\147\001\002\003")~"},
    {R"~(cmsgpack.pack({1,nil,3}))~", R"~(ok "\130\001\001\003\003")~"},
    {R"~(cmsgpack.pack({[1]=1,[2]=2,[4]=3}))~", R"~(ok "\131\001\001\002\002\004\003")~"},
    {R"~(cmsgpack.pack({[0]=1}))~", R"~(ok "\129\000\001")~"},
    {R"~(cmsgpack.pack({[1.5]=1}))~", R"~(ok "\129\202?\192\000\000\001")~"},
    {R"~(cmsgpack.pack({[1]=1,[1.5]=1}))~", R"~(ok "\130\001\001\202?\192\000\000\001")~"},
    {R"~(cmsgpack.pack({[2]=1}))~", R"~(ok "\129\002\001")~"},
    {R"~(cmsgpack.pack({["1"]=1}))~", R"~(ok "\129\1611\001")~"},
    {R"~(cmsgpack.pack({[-1]=1}))~", R"~(ok "\129\255\001")~"},
    {R"~(cmsgpack.pack({[2^53]=1}))~", R"~(ok "\129\207\000 \000\000\000\000\000\000\001")~"},
    {R"~(cmsgpack.pack({[1e300]=1}))~", R"~(ok "\129\203~7\228<\136\000u\156\001")~"},
    {R"~(cmsgpack.pack({[2^31]=1}))~", R"~(ok "\129\206\128\000\000\000\001")~"},
    {R"~(cmsgpack.pack({[true]=1}))~", R"~(ok "\129\195\001")~"},
    {R"~(cmsgpack.pack({a=1}))~", R"~(ok "\129\161a\001")~"},
    {R"~(cmsgpack.pack(function() end))~", R"~(ok "\192")~"},
    {R"~(cmsgpack.pack(coroutine.create(function() end)))~", R"~(ok "\192")~"},
    {R"~(cmsgpack.unpack())~", R"~(ERR "bad argument #1 to 'unpack' (string expected, got no value)")~"},
    {R"~(cmsgpack.unpack(""))~", R"~(ok)~"},
    {R"~(cmsgpack.unpack(nil))~", R"~(ERR "bad argument #1 to 'unpack' (string expected, got nil)")~"},
    {R"~(cmsgpack.unpack(5))~", R"~(ok 53)~"},
    {R"~(cmsgpack.unpack({}))~", R"~(ERR "bad argument #1 to 'unpack' (string expected, got table)")~"},
    {R"~(cmsgpack.unpack("\1\2\3"))~", R"~(ok 1 2 3)~"},
    {R"~(cmsgpack.unpack("\192\194\195\193"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\193"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\212\1\2"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\213\1\2\3"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\214\1\2\3\4\5"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\215"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\216"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\199\1\1\1"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\200\1\1\1"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\201\1\1\1"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\196\1a"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\197\0\1a"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\198\0\0\0\1a"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\217\1a"))~", R"~(ok "a")~"},
    {R"~(cmsgpack.unpack("\218\0\1a"))~", R"~(ok "a")~"},
    {R"~(cmsgpack.unpack("\219\0\0\0\1a"))~", R"~(ok "a")~"},
    {R"~(cmsgpack.unpack("\217"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\219\0\0\0"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\221\255\255\255\255"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\221\0\0\0"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\222\0"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\146\1"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\129\192\1"))~", R"~(ERR "table index is nil")~"},
    {R"~(cmsgpack.unpack("\129\202\127\192\0\0\1"))~", R"~(ERR "table index is NaN")~"},
    {R"~(cmsgpack.unpack("\130\1\2\1\3")[1])~", R"~(ok 3)~"},
    {R"~(cmsgpack.unpack("\129\1\192")[1])~", R"~(ok nil)~"},
    {R"~(cmsgpack.unpack("\147\1\192\3")[3])~", R"~(ok 3)~"},
    {R"~(#cmsgpack.unpack("\147\1\192\3"))~", R"~(ok 1)~"},
    {R"~(cmsgpack.unpack("\202\63\128\0\0"))~", R"~(ok 1)~"},
    {R"~(cmsgpack.unpack("\203\63\240\0\0\0\0\0\0"))~", R"~(ok 1)~"},
    {R"~(cmsgpack.unpack("\202\63\128\0"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\207\128\0\0\0\0\0\0\1"))~", R"~(ok -9.2233720368547758e+18)~"},
    {R"~(cmsgpack.unpack("\205\1"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\207\1"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\209\1"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\211\1"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\224\255\127"))~", R"~(ok -32 -1 127)~"},
    {R"~(cmsgpack.unpack("\161"))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(cmsgpack.unpack("\1\193"))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack("\1\2\3",1))~", R"~(ok 1 2 3)~"},
    {R"~(cmsgpack.unpack("\1\2\3","x"))~", R"~(ok 1 2 3)~"},
    {R"~(cmsgpack.unpack("\1\2\3",nil,5))~", R"~(ok 1 2 3)~"},
    {R"~(cmsgpack.unpack_one(""))~", R"~(ok -1)~"},
    {R"~(cmsgpack.unpack_one("\1\2\3"))~", R"~(ok 1 1)~"},
    {R"~(cmsgpack.unpack_one("\1\2\3",0))~", R"~(ok 1 1)~"},
    {R"~(cmsgpack.unpack_one("\1\2\3",1))~", R"~(ok 2 2)~"},
    {R"~(cmsgpack.unpack_one("\1\2\3",2))~", R"~(ok -1 3)~"},
    {R"~(cmsgpack.unpack_one("\1\2\3",3))~", R"~(ok -1)~"},
    {R"~(cmsgpack.unpack_one("\1\2\3",4))~", R"~(ERR "Start offset 4 greater than input length 3.")~"},
    {R"~(cmsgpack.unpack_one("\1\2\3",2^32))~", R"~(ERR "Start offset 0 greater than input length 3.")~"},
    {R"~(cmsgpack.unpack_one("\1\2\3",2^33+1))~", R"~(ERR "Start offset 1 greater than input length 3.")~"},
    {R"~(cmsgpack.unpack_one("\1\2\3","1"))~", R"~(ok 2 2)~"},
    {R"~(cmsgpack.unpack_one("\1\2\3",nil))~", R"~(ok 1 1)~"},
    {R"~(cmsgpack.unpack_one("\1\2\3",1.9))~", R"~(ok 2 2)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",0))~", R"~(ok 1 2 3)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",1))~", R"~(ok 1 1)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",2))~", R"~(ok 2 1 2)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",3))~", R"~(ok -1 1 2 3)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",4))~", R"~(ok -1 1 2 3)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",2,1))~", R"~(ok -1 2 3)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",2,2))~", R"~(ok -1 3)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",1,3))~", R"~(ok -1)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",0,0))~", R"~(ok 1 2 3)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",0,1))~", R"~(ok 1)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",0,3))~", R"~(ok -1)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",0,4))~", R"~(ERR "Start offset 4 greater than input length 3.")~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",2^31,0))~", R"~(ok -1 1 2 3)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",2^32,0))~", R"~(ok -1 1 2 3)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",2^32+1,0))~", R"~(ok -1 1 2 3)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3",1,2^32))~", R"~(ERR "Start offset 0 greater than input length 3.")~"},
    {R"~(cmsgpack.unpack_limit("",0))~", R"~(ok)~"},
    {R"~(cmsgpack.unpack_limit("",1))~", R"~(ok -1)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\3","2"))~", R"~(ok 2 1 2)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\193",2))~", R"~(ok 2 1 2)~"},
    {R"~(cmsgpack.unpack_limit("\1\2\193",3))~", R"~(ERR "Bad data format in input.")~"},
    {R"~(cmsgpack.unpack(("\145"):rep(100)))~", R"~(ERR "Missing bytes in input.")~"},
    {R"~(type(cmsgpack.unpack(("\145"):rep(3000).."\1")))~", R"~(ok "table")~"},
    {R"~(type(cmsgpack.unpack(("\145"):rep(3900).."\1")))~", R"~(ok "table")~"},
    {R"~(type(cmsgpack.unpack(("\145"):rep(3985).."\1")))~", R"~(ok "table")~"},
    {R"~(select('#',cmsgpack.unpack(("\1"):rep(7000))))~", R"~(ok 7000)~"},
    {R"~(select('#',cmsgpack.unpack(("\1"):rep(7990))))~", R"~(ok 7990)~"},
};

constexpr Case kPatternCases[] = {
    {R"~(string.find("abc","%"))~", R"~(ERR "malformed pattern (ends with '%')")~"},
    {R"~(string.find("abc","a%"))~", R"~(ERR "malformed pattern (ends with '%')")~"},
    {R"~(string.find("abc","b["))~", R"~(ERR "malformed pattern (missing ']')")~"},
    {R"~(string.find("abc","[a"))~", R"~(ERR "malformed pattern (missing ']')")~"},
    {R"~(string.find("abc","[^"))~", R"~(ERR "malformed pattern (missing ']')")~"},
    {R"~(string.find("abc","[]"))~", R"~(ERR "malformed pattern (missing ']')")~"},
    {R"~(string.find("abc","[]]"))~", R"~(ok nil)~"},
    {R"~(string.find("a]c","[]]"))~", R"~(ok 2 2)~"},
    {R"~(string.find("a]c","[^]]+"))~", R"~(ok 1 1)~"},
    {R"~(string.find("abc","[a%"))~", R"~(ERR "malformed pattern (missing ']')")~"},
    {R"~(string.find("abc","[a%]"))~", R"~(ERR "malformed pattern (missing ']')")~"},
    {R"~(string.find("abc","%b"))~", R"~(ERR "unbalanced pattern")~"},
    {R"~(string.find("abc","%ba"))~", R"~(ERR "unbalanced pattern")~"},
    {R"~(string.find("a(b(c)d)e","%b()"))~", R"~(ok 2 8)~"},
    {R"~(string.find("THE (quick) fox","%f[%a]%a+%f[%A]"))~", R"~(ok 1 3)~"},
    {R"~(string.find("abc","%f"))~", R"~(ERR "missing '[' after '%f' in pattern")~"},
    {R"~(string.find("abc","%fa"))~", R"~(ERR "missing '[' after '%f' in pattern")~"},
    {R"~(string.find("abc","%f["))~", R"~(ERR "malformed pattern (missing ']')")~"},
    {R"~(string.find("abc","(a"))~", R"~(ERR "unfinished capture")~"},
    {R"~(string.find("abc","a)"))~", R"~(ok nil)~"},
    {R"~(string.find("abc","%1"))~", R"~(ERR "invalid capture index")~"},
    {R"~(string.find("abc","(%1)"))~", R"~(ERR "invalid capture index")~"},
    {R"~(string.find("abab","(ab)%1"))~", R"~(ok 1 4 "ab")~"},
    {R"~(string.find("abab","()%1"))~", R"~(ok nil)~"},
    {R"~(string.find("abc","%0"))~", R"~(ERR "invalid capture index")~"},
    {R"~(string.find("abc",("(a?)"):rep(33)))~", R"~(ERR "too many captures")~"},
    {R"~(string.find("abc",("a?"):rep(150)))~", R"~(ok 1 1)~"},
    {R"~(string.gsub("abc",".","%1%2"))~", R"~(ERR "invalid capture index")~"},
    {R"~(string.gsub("abc",".","%"))~", R"~(ok "\000\000\000" 3)~"},
    {R"~(string.gsub("abc",".","%%%0%1%x"))~", R"~(ok "%aax%bbx%ccx" 3)~"},
    {R"~(string.gsub("abc","(.)(.)","%2%1%3"))~", R"~(ERR "invalid capture index")~"},
    {R"~(string.gsub("abc",".",{a=1,b=true}))~", R"~(ERR "invalid replacement value (a boolean)")~"},
    {R"~(string.gsub("abc",".",{a=1,b=false,c="x"}))~", R"~(ok "1bx" 3)~"},
    {R"~(string.gsub("abc",".",function(c) return {} end))~",
     R"~(ERR "invalid replacement value (a table)")~"},
    {R"~(string.gsub("abc","()",function(c) return c end))~", R"~(ok "1a2b3c4" 4)~"},
    {R"~(string.gsub("abc","","-"))~", R"~(ok "-a-b-c-" 4)~"},
    {R"~(string.gsub("abc","^","-"))~", R"~(ok "-abc" 1)~"},
    {R"~(string.gsub("abc","b*","-"))~", R"~(ok "-a--c-" 4)~"},
    {R"~(string.gsub("abc","$","-"))~", R"~(ok "abc-" 1)~"},
    {R"~(string.gsub("abc",".","x",2))~", R"~(ok "xxc" 2)~"},
    {R"~(string.gsub("abc",".","x",0))~", R"~(ok "abc" 0)~"},
    {R"~(string.gsub("abc",".","x",-1))~", R"~(ok "abc" 0)~"},
    {R"~(string.gsub("abc",".","x",2^31))~", R"~(ok "abc" 0)~"},
    {R"~(string.gsub("abc",".","x",2^32+1))~", R"~(ok "xbc" 1)~"},
    {R"~(string.gsub("abc","."))~", R"~(ERR "bad argument #3 to 'gsub' (string/function/table expected)")~"},
    {R"~(string.gsub("abc",".",5))~", R"~(ok "555" 3)~"},
    {R"~(string.gsub("abc"))~", R"~(ERR "bad argument #2 to 'gsub' (string expected, got no value)")~"},
    {R"~(string.gsub())~", R"~(ERR "bad argument #1 to 'gsub' (string expected, got no value)")~"},
    {R"~(string.gsub(5,5,6))~", R"~(ok "6" 1)~"},
    {R"~(string.gsub("hello world","(%w+)","<%1>"))~", R"~(ok "<hello> <world>" 2)~"},
    {R"~(string.gsub("abc","(a)(b)(c)","%3%2%1"))~", R"~(ok "cba" 1)~"},
    {R"~(string.find("a\0b","\0"))~", R"~(ok 2 2)~"},
    {R"~(string.find("a\0b","b\0x"))~", R"~(ok nil)~"},
    {R"~(string.find("a\0b","%z"))~", R"~(ok 2 2)~"},
    {R"~(string.find("a\0b","a%zb"))~", R"~(ok 1 3)~"},
    {R"~(string.find("a\0.b","\0.",1,true))~", R"~(ok 2 3)~"},
    {R"~(string.find("a\0.b","\0."))~", R"~(ok 2 3)~"},
    {R"~(string.find("abc","",10))~", R"~(ok 4 3)~"},
    {R"~(string.find("abc","",4))~", R"~(ok 4 3)~"},
    {R"~(string.find("abc","",-10))~", R"~(ok 1 0)~"},
    {R"~(string.find("abc","b",-2))~", R"~(ok 2 2)~"},
    {R"~(string.find("abc","b",1e300))~", R"~(ok 2 2)~"},
    {R"~(string.find("abc","b",-1e300))~", R"~(ok 2 2)~"},
    {R"~(string.find("abc","b",2^31))~", R"~(ok nil)~"},
    {R"~(string.find("abc","[b]",0/0))~", R"~(ok 2 2)~"},
    {R"~(string.find("abc","b","x"))~", R"~(ERR "bad argument #3 to 'find' (number expected, got string)")~"},
    {R"~(string.find("abc"))~", R"~(ERR "bad argument #2 to 'find' (string expected, got no value)")~"},
    {R"~(string.find())~", R"~(ERR "bad argument #1 to 'find' (string expected, got no value)")~"},
    {R"~(string.find({},"a"))~", R"~(ERR "bad argument #1 to 'find' (string expected, got table)")~"},
    {R"~(string.find(123,2))~", R"~(ok 2 2)~"},
    {R"~(string.match("key = value","^(%w+)%s*=%s*(%w+)$"))~", R"~(ok "key" "value")~"},
    {R"~(string.match("  x  ","^%s*(.-)%s*$"))~", R"~(ok "x")~"},
    {R"~(string.match("2024-01-02","(%d+)-(%d+)-(%d+)"))~", R"~(ok "2024" "01" "02")~"},
    {R"~(string.match("abc","()b()"))~", R"~(ok 2 3)~"},
    {R"~(string.match("abc","x"))~", R"~(ok nil)~"},
    {R"~(string.match("abc","b",1,true))~", R"~(ok "b")~"},
    {R"~(string.gmatch("abc","^a")())~", R"~(ok)~"},
    {R"~(string.gmatch("^abc","^a")())~", R"~(ok "^a")~"},
    {R"~(string.gmatch("abc","")())~", R"~(ok "")~"},
    {R"~(string.gmatch("abc"))~", R"~(ERR "bad argument #2 to 'gmatch' (string expected, got no value)")~"},
    {R"~(string.gmatch())~", R"~(ERR "bad argument #1 to 'gmatch' (string expected, got no value)")~"},
    {R"~(string.gmatch("a","(")())~", R"~(ERR "unfinished capture")~"},
    {R"~(string.gmatch("a","%")())~", R"~(ERR "malformed pattern (ends with '%')")~"},
    {R"~(("x"):rep(1000000):match("^(.-)$"):len())~", R"~(ok 1000000)~"},
    {R"~(("x"):rep(1000000):gsub("x","yy"):len())~", R"~(ok 2000000)~"},
    {R"~(("x"):find("[a-]") )~", R"~(ok nil)~"},
    {R"~(("-"):find("[a-]") )~", R"~(ok 1 1)~"},
    {R"~(("-"):find("[-a]") )~", R"~(ok 1 1)~"},
    {R"~(("b"):find("[a-%z]") )~", R"~(ok nil)~"},
    {R"~(("b"):find("[%a-z]") )~", R"~(ok 1 1)~"},
    {R"~(("-"):find("[%a-z]") )~", R"~(ok 1 1)~"},
    {R"~(("b"):find("[z-a]") )~", R"~(ok nil)~"},
    {R"~(("\200"):find("%a"))~", R"~(ok nil)~"},
    {R"~(("\200"):find("[\199-\201]"))~", R"~(ok 1 1)~"},
    {R"~(("g"):find("%g"), ("G"):find("%G"))~", R"~(ok 1 1 1)~"},
    {R"~(("abc"):gsub("%w","%%"))~", R"~(ok "%%%" 3)~"},
    {R"~(("abc"):gsub("(","x"))~", R"~(ok "xaxbxcx" 4)~"},
    {R"~(("abc"):gsub("a","%1"))~", R"~(ok "abc" 1)~"},
    {R"~(("abc"):gsub("a","%2"))~", R"~(ERR "invalid capture index")~"},
    {R"~(("abc"):gsub("(a","x"))~", R"~(ok "xbc" 1)~"},
    {R"~(("abc"):gsub("(a","%1"))~", R"~(ERR "unfinished capture")~"},
    {R"~(("abc"):gsub("(a",function() end))~", R"~(ERR "unfinished capture")~"},
    {R"~(("abc"):gsub("(a",{}))~", R"~(ERR "unfinished capture")~"},
    {R"~(("hello"):find("l",1,false))~", R"~(ok 3 3)~"},
    {R"~(("hello"):find("l",1,nil))~", R"~(ok 3 3)~"},
    {R"~(("a.b"):find(".",2,true))~", R"~(ok 2 2)~"},
};

// Runs before the patterns are replaced, so that what it shows does not depend on them.
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
  function same(a, b)
    if type(a) ~= 'table' or type(b) ~= 'table' then return a == b or (a ~= a and b ~= b) end
    for k, v in pairs(a) do if not same(v, b[k]) then return false end end
    for k in pairs(b) do if a[k] == nil then return false end end
    return true
  end
)~";

enum class Patterns { kOriginal, kOwn };

class Lua {
 public:
  explicit Lua(Patterns patterns = Patterns::kOwn, StepHook hook = nullptr) : state_(luaL_newstate()) {
    luaL_openlibs(state_);
    OpenStruct(state_);
    lua_setglobal(state_, "struct");
    OpenCmsgpack(state_);
    lua_setglobal(state_, "cmsgpack");
    EXPECT_EQ(luaL_dostring(state_, kPrelude), 0);
    if (patterns == Patterns::kOwn) ReplacePatterns(state_, hook);
    EXPECT_EQ(lua_gettop(state_), 0);
  }
  Lua(const Lua&) = delete;
  Lua& operator=(const Lua&) = delete;
  ~Lua() { lua_close(state_); }

  // What the chunk returns, as a string, or its error.
  std::string Run(std::string_view code) {
    if (luaL_loadbuffer(state_, code.data(), code.size(), "=test") == 0) lua_pcall(state_, 0, 1, 0);
    return PopString();
  }

  std::string Show(const std::string& expression) {
    return Run("return shown(pcall(function() return " + expression + " end))");
  }

  // Calls the global function.
  std::string Call(const char* function, const std::string& a, const std::string& b, const std::string& c,
                   int number) {
    lua_getglobal(state_, function);
    for (const std::string* text : {&a, &b, &c}) lua_pushlstring(state_, text->data(), text->size());
    lua_pushinteger(state_, number);
    lua_pcall(state_, 4, 1, 0);
    return PopString();
  }

 private:
  std::string PopString() {
    size_t size = 0;
    const char* bytes = lua_tolstring(state_, -1, &size);
    std::string text = bytes == nullptr ? "<no string>" : std::string(bytes, size);
    lua_settop(state_, 0);
    return text;
  }

  lua_State* state_;
};

template <size_t kCount>
void ExpectAll(const Case (&cases)[kCount]) {
  Lua lua;
  for (const Case& c : cases) EXPECT_EQ(lua.Show(c.expression), c.shown) << c.expression;
}

TEST(LuaStruct, AnswersAsRedisDoes) {
  ExpectAll(kStructCases);
}
TEST(LuaCmsgpack, AnswersAsRedisDoes) {
  ExpectAll(kCmsgpackCases);
}
TEST(LuaPatterns, AnswersAsRedisDoes) {
  ExpectAll(kPatternCases);
}

TEST(LuaLibraries, HaveTheirNames) {
  Lua lua;
  EXPECT_EQ(lua.Show("cmsgpack._NAME, cmsgpack._VERSION"), R"(ok "cmsgpack" "lua-cmsgpack 0.4.0")");
  EXPECT_EQ(lua.Show("cmsgpack._DESCRIPTION"), R"(ok "MessagePack C implementation for Lua")");
  EXPECT_EQ(lua.Show("cmsgpack._COPYRIGHT"), R"(ok "Copyright (C) 2012, Salvatore Sanfilippo")");
  EXPECT_EQ(lua.Show("('aab'):find('a+'), (('x'):gsub('x', 'y'))"), R"(ok 1 "y")");
}

// ---- Hostile input

TEST(LuaCmsgpack, DeepNestingIsAnError) {
  Lua lua;
  const std::string too_many =
      "ERR \"stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)\"";
  EXPECT_EQ(lua.Show(R"(cmsgpack.unpack(('\145'):rep(1e6)))"),
            "ERR \"stack overflow (in function mp_decode_to_lua_array)\"");
  EXPECT_EQ(lua.Show(R"(cmsgpack.unpack(('\129'):rep(1e6)))"), too_many);
  EXPECT_EQ(lua.Show(R"(cmsgpack.unpack(('\129\1'):rep(1e6)))"), too_many);
  EXPECT_EQ(lua.Show(R"(cmsgpack.unpack(('\1'):rep(1e6)))"), too_many);
  EXPECT_EQ(lua.Show(R"(type(cmsgpack.unpack(('\145'):rep(3900) .. '\1')))"), "ok \"table\"");
}

TEST(LuaCmsgpack, NestingIsReadBackInPlace) {
  Lua lua;
  EXPECT_EQ(lua.Run(R"(
    local function nested(depth) if depth == 0 then return 'x' end return {1, {a = nested(depth - 1)}, 2} end
    local function write(value)  -- deeper than pack would
      if type(value) ~= 'table' then return cmsgpack.pack(value) end
      if value.a then return '\129\161a' .. write(value.a) end
      return '\147\1' .. write(value[2]) .. '\2'
    end
    return tostring(same(cmsgpack.unpack(write(nested(60))), nested(60)))
  )"),
            "true");
}

TEST(LuaCmsgpack, AnnouncedSizesCostNothing) {
  Lua lua;
  EXPECT_EQ(lua.Run(R"(
    collectgarbage() collectgarbage('stop')
    local before = collectgarbage('count')
    for _, code in ipairs{'\221', '\223', '\219', '\220', '\222'} do
      pcall(cmsgpack.unpack, code .. '\255\255\255\255' .. '\1\1\1')
    end
    return tostring(collectgarbage('count') - before < 20)
  )"),
            "true");
}

TEST(LuaPatterns, TooManyChoicesAreAnError) {
  Lua lua;
  EXPECT_EQ(lua.Show("(('a'):rep(300)):find(('a?'):rep(201))"), R"(ERR "pattern too complex")");
  EXPECT_EQ(lua.Show("(('a'):rep(300)):find(('a-'):rep(201))"), R"(ERR "pattern too complex")");
  EXPECT_EQ(lua.Show("(('a'):rep(300)):find(('a?'):rep(200))"), "ok 1 200");
  EXPECT_EQ(lua.Show("(('a'):rep(1e5)):find(('('):rep(1e5))"), R"(ERR "too many captures")");
  EXPECT_EQ(lua.Show("(('a'):rep(1e5)):find(('a'):rep(1e5) .. '$')"), "ok 1 100000");
}

void Interrupt(lua_State* lua) {
  luaL_error(lua, "interrupted");
}

int hook_calls = 0;
void CountCall(lua_State*) {
  ++hook_calls;
}

TEST(LuaPatterns, LongMatchesAreInterrupted) {
  Lua lua(Patterns::kOwn, Interrupt);
  const std::string interrupted = R"(ERR "interrupted")";
  lua.Run("long = ('a'):rep(1e6)");
  EXPECT_EQ(lua.Show("long:find(('.-'):rep(30) .. 'b')"), interrupted);
  EXPECT_EQ(lua.Show("long:match('.*b')"), interrupted);
  EXPECT_EQ(lua.Show("long:gsub('()', '')"), interrupted);
  EXPECT_EQ(lua.Show("long:gmatch('[a-z]+b')()"), interrupted);
  EXPECT_EQ(lua.Show("(('('):rep(1e6)):find('%b()')"), interrupted);
  EXPECT_EQ(lua.Show("(long .. long):find('^(a*)%1b')"), interrupted);
  EXPECT_EQ(lua.Show("(('a'):rep(1e4)):find('[' .. ('b'):rep(1e4) .. ']')"), interrupted);
  EXPECT_EQ(lua.Show("long:find(('a'):rep(5e5) .. 'b', 1, true)"), "ok nil");
  EXPECT_EQ(lua.Show("('short'):gsub('%w', '%0%0')"), R"(ok "sshhoorrtt" 5)");
}

TEST(LuaPatterns, HookThatReturnsChangesNothing) {
  Lua lua(Patterns::kOwn, CountCall);
  hook_calls = 0;
  EXPECT_EQ(lua.Show("#(('ab'):rep(1e5):gsub('(a)(b)', '%2%1-'))"), "ok 300000");
  EXPECT_GT(hook_calls, 3);
  EXPECT_LT(hook_calls, 30);
}

// ---- Seeded

uint64_t SeedOfRun() {
  const char* given = std::getenv("CINNABAR_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

std::string SomeText(std::mt19937_64& random, std::string_view alphabet, size_t length_max) {
  std::string text(random() % (length_max + 1), ' ');
  for (char& c : text) c = alphabet[random() % alphabet.size()];
  return text;
}

std::string SomePattern(std::mt19937_64& random) {
  static constexpr std::string_view kPieces[] = {
      "a",  "b",  ".",   "%a",    "%A",    "%d",   "%s",    "%w",     "%x",    "%p",      "%z", "%%",
      "(",  ")",  "()",  "(a)",   "(.)",   "(.-)", "(b*)",  "*",      "+",     "-",       "?",  "$",
      "^",  "%1", "%2",  "%b()",  "%bab",  "%f",   "%f[a]", "%f[%W]", "[ab]",  "[^a]",    "[",  "]",
      "%b", "%",  "[]]", "[a-c]", "[%a-]", "[^]",  "[%d1-", ".*",     "(a*)b", "[%w_]+-", "A",  "1"};
  std::string pattern = random() % 6 == 0 ? "^" : "";
  for (size_t i = random() % 7; i > 0; --i) pattern += kPieces[random() % std::size(kPieces)];
  if (random() % 100 == 0) pattern += std::string("\0a", 2);
  return pattern;
}

constexpr char kTryPatterns[] = R"~(
  local concat, pcall, upper = table.concat, pcall, string.upper
  function try(subject, pattern, replacement, init)
    local out = {
      shown(pcall(string.find, subject, pattern, init)),
      shown(pcall(string.find, subject, pattern, init, true)),
      shown(pcall(string.match, subject, pattern, init)),
      shown(pcall(string.gsub, subject, pattern, replacement)),
      shown(pcall(string.gsub, subject, pattern, replacement, init)),
      shown(pcall(string.gsub, subject, pattern, {a = 1, b = false, ab = 'X'})),
      shown(pcall(string.gsub, subject, pattern, {a = {}})),
      shown(pcall(string.gsub, subject, pattern, function(a, b) return b or upper(a) end)),
    }
    local ok, problem = pcall(function()
      for a, b, c in string.gmatch(subject, pattern) do out[#out + 1] = shown(true, a, b, c) end
    end)
    out[#out + 1] = shown(ok, problem)
    return concat(out, '\n')
  end
)~";

TEST(LuaPatterns, AgreeWithLuaOnRandomPatterns) {
  const uint64_t seed = SeedOfRun();
  SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  Lua original(Patterns::kOriginal);
  Lua own;
  original.Run(kTryPatterns);
  own.Run(kTryPatterns);
  for (int round = 0; round < 20'000; ++round) {
    const std::string subject = SomeText(random, std::string_view("aaabbbcAB1 ()[]-_%.\0\xe4", 22), 12);
    const std::string pattern =
        random() % 3 == 0 ? SomeText(random, "aab.%%[]^$*+-?()1bfdwW", 10) : SomePattern(random);
    const std::string replacement = SomeText(random, "ab%%%0123", 5);
    const int init = static_cast<int>(random() % 30) - 14;
    const std::string expected = original.Call("try", subject, pattern, replacement, init);
    ASSERT_EQ(own.Call("try", subject, pattern, replacement, init), expected)
        << "subject '" << subject << "' pattern '" << pattern << "' replacement '" << replacement << "' init "
        << init;
  }
}

constexpr char kTryCmsgpack[] = R"~(
  local random = math.random
  local function number()
    local kind = random(4)
    if kind == 1 then return random(-300, 300) end
    if kind == 2 then return math.floor((random() - 0.5) * 2 ^ random(0, 62)) end
    if kind == 3 then return random(-1000, 1000) / 16 end
    return (random() - 0.5) * 10 ^ random(-300, 300)
  end
  local function value(depth)
    local kind = random(depth > 0 and 7 or 4)
    if kind == 1 then return random(2) == 1 end
    if kind == 2 then return number() end
    if kind <= 4 then return ('x'):rep(random(0, 3) * random(0, random(120))) end
    local made = {}
    if kind == 5 then for i = 1, random(0, 20) do made[i] = value(depth - 1) end return made end
    for i = 1, random(0, 20) do made[random(2) == 1 and number() or ('k' .. random(50))] = value(depth - 1) end
    return made
  end
  for round = 1, 1500 do
    local a, b = value(3), value(2)
    local bytes = cmsgpack.pack(a, nil, b)
    local a2, none, b2, more = cmsgpack.unpack(bytes)
    assert(same(a, a2) and none == nil and same(b, b2) and more == nil, 'all')
    local offset, first = cmsgpack.unpack_one(bytes)
    assert(same(a, first), 'one')
    local last, none, second = cmsgpack.unpack_limit(bytes, 5, offset)
    assert(last == -1 and none == nil and same(b, second), 'limit')
    local cut = bytes:sub(1, random(0, #bytes - 1))
    pcall(cmsgpack.unpack, cut)
    assert(not pcall(cmsgpack.unpack_one, cmsgpack.pack(a):sub(1, -2)) or #cmsgpack.pack(a) == 1, 'cut')
  end
  return 'done'
)~";

TEST(LuaCmsgpack, RoundTripsRandomValues) {
  const auto seed = static_cast<uint32_t>(SeedOfRun());
  SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
  Lua lua;
  EXPECT_EQ(lua.Run("math.randomseed(" + std::to_string(seed & 0x7fffffff) + ")" + kTryCmsgpack), "done");
}

constexpr char kTryStruct[] = R"~(
  local random = math.random
  local function integer(bytes, signed)
    local bits = math.min(8 * bytes, 53)
    local limit = 2 ^ (signed and bits - 1 or bits)
    return math.floor(random() * limit) - ((signed and random(2) == 1) and limit or 0)
  end
  local sizes = {b = 1, h = 2, i = 4, l = 8}
  local function field()
    local kind = random(7)
    if kind == 1 then return ({'<', '>', ' ', '!', '!1', '!2', '!4', '!16', 'x'})[random(9)] end
    if kind == 2 then local n = random(0, 9) return 's', ('s'):rep(n) end
    if kind == 3 then local n = random(1, 9) return 'c' .. n, ('c'):rep(n) end
    if kind == 4 then return 'f', random(-1000, 1000) / 8 end
    if kind == 5 then return 'd', random() * 10 ^ random(-300, 300) end
    if kind == 6 then local n = random(8) return 'i' .. n, integer(n, true) end
    local letter = ({'b', 'h', 'i', 'l'})[random(4)]
    if random(2) == 1 then return letter:upper(), integer(sizes[letter], false) end
    return letter, integer(sizes[letter], true)
  end
  for round = 1, 3000 do
    local formats, values = {}, {}
    for i = 1, random(0, 10) do formats[#formats + 1], values[#values + 1] = field() end
    local format = table.concat(formats)
    local bytes = struct.pack(format, unpack(values))
    local back = {struct.unpack(format, bytes)}
    values[#values + 1] = #bytes + 1
    assert(same(back, values), format)
    if not format:find('s') then assert(struct.size(format) == #bytes, format) end
    assert(not pcall(struct.unpack, format .. 'b', bytes), format)
    pcall(struct.unpack, format, bytes, random(-2, #bytes + 2))
  end
  return 'done'
)~";

TEST(LuaStruct, RoundTripsRandomFormats) {
  const auto seed = static_cast<uint32_t>(SeedOfRun());
  SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
  Lua lua;
  EXPECT_EQ(lua.Run("math.randomseed(" + std::to_string(seed & 0x7fffffff) + ")" + kTryStruct), "done");
}

}  // namespace
}  // namespace cinnabar::scripting

"""The reply side of a line: reads the notation, and matches what the server sent.

Each kind of expected reply is a class with `mismatch(got, resp)`: None when it fits, else a reason.
"""

import math
import re

from language.words import SyntaxProblem, read_escape
from resp_client import BigNumber, ErrorReply, Map, Push, Set, Simple, Verbatim


def show(value):
    """A reply in the notation of the scripts."""
    if value is None:
        return "(nil)"
    if value is True or value is False:
        return f"({str(value).lower()})"
    if isinstance(value, ErrorReply):
        return "!" + value.decode("utf-8", "backslashreplace")
    if isinstance(value, Simple):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, bytes):
        text = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in value)
        return {Verbatim: "(verbatim)", BigNumber: "(big)"}.get(type(value), "") + f'"{text}"'
    if isinstance(value, Map):
        return "{" + ", ".join(f"{show(key)}: {show(item)}" for key, item in value) + "}"
    if isinstance(value, list):
        inside = ", ".join(map(show, value))
        return {Set: f"<{inside}>", Push: f">[{inside}]"}.get(type(value), f"[{inside}]")
    return str(value)


class Text:
    """Bytes with wildcards, kept as a pattern."""

    def __init__(self, pattern, source):
        self.pattern = re.compile(pattern, re.DOTALL)
        self.source = source

    def fits(self, data):
        return self.pattern.fullmatch(data) is not None


class Any:
    def mismatch(self, got, resp):
        return None


class Null:
    def mismatch(self, got, resp):
        return None if got is None else "not a null"


class Status:
    def __init__(self, text):
        self.text = text

    def mismatch(self, got, resp):
        if not isinstance(got, Simple):
            return "not a status"
        return None if self.text.fits(got) else "another text"


class Bulk:
    def __init__(self, text):
        self.text = text

    def mismatch(self, got, resp):
        if not isinstance(got, bytes) or isinstance(got, (Simple, ErrorReply, BigNumber)):
            return "not a bulk string"
        return None if self.text.fits(got) else "another text"


class Name(Bulk):
    """An unquoted key of a map: a bulk string or a status."""

    def mismatch(self, got, resp):
        return super().mismatch(bytes(got) if isinstance(got, Simple) else got, resp)


class Error:
    def __init__(self, text):
        self.text = text

    def mismatch(self, got, resp):
        if not isinstance(got, ErrorReply):
            return "not an error"
        return None if self.text.fits(got) else "another text"


class Integer:
    def __init__(self, value):
        self.value = value

    def mismatch(self, got, resp):
        if type(got) is not int:
            return "not an integer"
        return None if got == self.value else "another number"


class Boolean:
    def __init__(self, value):
        self.value = value

    def mismatch(self, got, resp):
        want = self.value if resp == 3 else int(self.value)
        return None if type(got) is type(want) and got == want else f"not {show(want)}"


class Double:
    def __init__(self, value):
        self.value = value

    def mismatch(self, got, resp):
        if resp == 3:
            number = got if isinstance(got, float) else None
        else:
            try:
                number = float(got) if type(got) is bytes else None
            except ValueError:
                number = None
        if number is None:
            return "not a double"
        same = number == self.value or (math.isnan(number) and math.isnan(self.value))
        return None if same else "another number"


class Sequence:
    """[a, b], and >[a, b] for a push; `open_end`: more may follow."""

    def __init__(self, items, open_end, push=False):
        self.items, self.open_end, self.push = items, open_end, push

    def mismatch(self, got, resp):
        kind = Push if self.push and resp == 3 else list
        if type(got) is not kind:
            return "not a push" if self.push else "not an array"
        if len(got) < len(self.items) or (len(got) > len(self.items) and not self.open_end):
            return f"{len(got)} elements, not {len(self.items)}"
        for index, (item, value) in enumerate(zip(self.items, got)):
            reason = item.mismatch(value, resp)
            if reason:
                return f"element {index}: {reason}"
        return None


def assign(wanted, values, fits):
    """Whether each wanted one gets a value of its own. Backtracks, since wildcards may fit several."""
    if not wanted:
        return True
    for index, value in enumerate(values):
        if fits(wanted[0], value) and assign(wanted[1:], values[:index] + values[index + 1:], fits):
            return True
    return False


class Unordered:
    """<a, b>"""

    def __init__(self, items, open_end):
        self.items, self.open_end = items, open_end

    def mismatch(self, got, resp):
        if type(got) not in (list, Set):
            return "not a set"
        if len(got) != len(self.items) and not (self.open_end and len(got) > len(self.items)):
            return f"{len(got)} elements, not {len(self.items)}"
        fits = lambda item, value: item.mismatch(value, resp) is None  # noqa: E731
        return None if assign(self.items, list(got), fits) else "other elements"


class Pairs:
    """{k: v}"""

    def __init__(self, items, open_end):
        self.items, self.open_end = items, open_end

    def mismatch(self, got, resp):
        if resp == 3:
            if not isinstance(got, Map):
                return "not a map"
            pairs = list(got)
        else:
            if type(got) is not list or len(got) % 2:
                return "not a flat array of pairs"
            pairs = list(zip(got[::2], got[1::2]))
        if len(pairs) != len(self.items) and not (self.open_end and len(pairs) > len(self.items)):
            return f"{len(pairs)} pairs, not {len(self.items)}"
        fits = lambda item, pair: not (item[0].mismatch(pair[0], resp) or item[1].mismatch(pair[1], resp))  # noqa: E731
        return None if assign(self.items, pairs, fits) else "other pairs"


NUMBER = re.compile(r"-?\d+")
FLOAT = re.compile(r"-?(\d+\.\d+([eE][-+]?\d+)?|\d+[eE][-+]?\d+)|[-+]?inf|-?nan")


class Reader:
    """Reads one expected reply."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def read_all(self):
        if self.text.startswith("(error) "):
            self.text = "!" + self.text[len("(error) "):]
        if self.text.startswith("!") and not self.text.startswith('!"'):
            return Error(self.bare_text(self.text[1:]))
        if not self.text:
            raise SyntaxProblem("a reply is missing")
        if self.text[0] not in '"([{<>~!':
            return self.bare(self.text)
        reply = self.read()
        self.skip_blanks()
        if self.at != len(self.text):
            raise SyntaxProblem(f"behind the reply stands {self.text[self.at:]!r}")
        return reply

    def skip_blanks(self):
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def read(self, ends=",]>}"):
        self.skip_blanks()
        rest = self.text[self.at:]
        if rest.startswith('"'):
            return Bulk(self.quoted())
        if rest.startswith('!"'):
            self.at += 1
            return Error(self.quoted())
        for opening, closing, kind in (("[", "]", Sequence), ("<", ">", Unordered), ("{", "}", Pairs)):
            if rest.startswith(opening):
                self.at += 1
                return kind(*self.several(closing, kind is Pairs))
        if rest.startswith(">["):
            self.at += 2
            return Sequence(*self.several("]", False), push=True)
        word = ""
        while self.at < len(self.text) and self.text[self.at] not in ends:
            word += self.text[self.at]
            self.at += 1
        return self.bare(word.strip())

    def several(self, closing, pairs):
        items, open_end = [], False
        while True:
            self.skip_blanks()
            if self.text[self.at:self.at + 3] == "...":
                open_end, self.at = True, self.at + 3
                self.skip_blanks()
            if self.text[self.at:self.at + 1] == closing:
                self.at += 1
                return items, open_end
            if items and not open_end:
                self.expect(",")
                self.skip_blanks()
                if self.text[self.at:self.at + 3] == "...":
                    continue
            items.append(self.pair() if pairs else self.read())

    def pair(self):
        key = self.read(ends=":")
        if isinstance(key, Status):
            key = Name(key.text)
        self.skip_blanks()
        self.expect(":")
        return key, self.read()

    def expect(self, letter):
        if self.text[self.at:self.at + 1] != letter:
            raise SyntaxProblem(f"expected {letter!r} at {self.text[self.at:]!r}")
        self.at += 1

    def bare(self, word):
        fixed = {"~": Any, "(nil)": Null, "(true)": lambda: Boolean(True), "(false)": lambda: Boolean(False)}
        if word in fixed:
            return fixed[word]()
        if word.startswith("!"):
            return Error(self.bare_text(word[1:]))
        if NUMBER.fullmatch(word):
            return Integer(int(word))
        if FLOAT.fullmatch(word):
            return Double(float(word))
        if not word or word[0] in '("':
            raise SyntaxProblem(f"not a reply: {word!r}")
        return Status(self.bare_text(word))

    def bare_text(self, text):
        """Text outside quotes: only the star is special."""
        pattern, at = b"", 0
        while at < len(text):
            if text[at] == "*":
                pattern, at = pattern + b".*", at + 1
            elif text[at:at + 2] == "\\*":
                pattern, at = pattern + rb"\*", at + 2
            else:
                pattern, at = pattern + re.escape(text[at].encode()), at + 1
        return Text(pattern, text)

    def quoted(self):
        start, pattern = self.at, b""
        self.at += 1
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter == '"':
                self.at += 1
                return Text(pattern, self.text[start:self.at])
            if letter == "\\":
                data, self.at = read_escape(self.text, self.at)
                pattern += re.escape(data)
            else:
                pattern += b".*" if letter == "*" else re.escape(letter.encode())
                self.at += 1
        raise SyntaxProblem(f"a quote is not closed: {self.text[start:]}")


def read_reply(text):
    return Reader(text).read_all()

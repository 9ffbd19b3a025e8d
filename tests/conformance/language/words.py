"""Splits the command side of a line into words, with the quotes of redis-cli."""

ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a"}


class SyntaxProblem(Exception):
    pass


def read_escape(text, at):
    """The byte that the escape at `at` (on the backslash) means, and the position behind it."""
    if text[at + 1:at + 2] == "x":
        try:
            return bytes([int(text[at + 2:at + 4], 16)]), at + 4
        except ValueError:
            pass
    if at + 1 >= len(text):
        raise SyntaxProblem("a line ends with a backslash")
    letter = text[at + 1]
    return ESCAPES.get(letter, letter.encode()), at + 2


def read_quoted(text, at):
    """A quoted word that begins at `at`: its bytes and the position behind its closing quote."""
    quote, data, at = text[at], b"", at + 1
    while at < len(text):
        if text[at] == quote:
            return data, at + 1
        if text[at] == "\\" and quote == '"':
            piece, at = read_escape(text, at)
            data += piece
        elif text[at:at + 2] == "\\'":
            data, at = data + b"'", at + 2
        else:
            data, at = data + text[at].encode(), at + 1
    raise SyntaxProblem(f"a quote is not closed: {text}")


def split_line(text):
    """(words, arrow, rest): the words before the arrow `->`, `->2` or `->3`; without one the arrow is None."""
    words, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if text[at] in "\"'":
            data, at = read_quoted(text, at)
            words.append(data)
            continue
        end = at
        while end < len(text) and not text[end].isspace():
            end += 1
        word, at = text[at:end], end
        if word in ("->", "->2", "->3"):
            return words, word, text[at:].strip()
        words.append(word.encode())
    return words, None, ""

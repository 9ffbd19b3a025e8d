"""Reads a script: tests, each with its steps."""

import dataclasses
import re

from language.reply import read_reply
from language.words import SyntaxProblem, split_line

CONNECTION = re.compile(r"@(\d)\s+(.*)", re.DOTALL)


@dataclasses.dataclass
class Step:
    line: int
    connection: int
    words: list  # empty: only reads a reply
    reply: object  # None: only sends
    reply_text: str
    resp: object  # 2, 3, or None for both
    text: str


@dataclasses.dataclass
class Test:
    file: str
    line: int
    title: str
    steps: list = dataclasses.field(default_factory=list)


class ScriptError(Exception):
    """The script itself is wrong."""


def logical_lines(text):
    """(number, line) with continuation lines joined on, without comments and empty lines."""
    current, number = None, 0
    for at, raw in enumerate(text.splitlines(), 1):
        if raw.startswith("##") or not raw.strip():
            continue
        if raw[0].isspace() and current is not None:
            current += " " + raw.strip()
            continue
        if current is not None:
            yield number, current
        current, number = raw.rstrip(), at
    if current is not None:
        yield number, current


def read_step(number, line):
    connection, rest = 1, line
    if match := CONNECTION.fullmatch(line):
        connection, rest = int(match.group(1)), match.group(2)
    words, arrow, expected = split_line(rest)
    reply = read_reply(expected) if arrow else None
    resp = {None: None, "->": None, "->2": 2, "->3": 3}[arrow]
    return Step(number, connection, words, reply, expected, resp, line)


def read_script(path, name):
    tests = []
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for number, line in logical_lines(text):
        if line.startswith("#"):
            tests.append(Test(name, number, line[1:].strip()))
            continue
        if not tests:
            raise ScriptError(f"{name}:{number}: the first line must be a title: # ...")
        try:
            tests[-1].steps.append(read_step(number, line))
        except SyntaxProblem as problem:
            raise ScriptError(f"{name}:{number}: {problem}") from problem
    return [test for test in tests if test.steps]

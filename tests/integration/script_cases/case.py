"""What a case is, and how lists of scripts become cases."""

import typing


class Case(typing.NamedTuple):
    """Requests of one connection, each answered before the next is sent. Titles are unique within a family."""
    title: str
    requests: list
    any_order: bool = False  # of what is inside replies: of libraries in a list, of subcommands


def scripted(text, keys=(), arguments=(), command="EVAL"):
    """The request that runs a script."""
    return (command, text, len(keys), *keys, *arguments)


def cases(family, entries, any_order=False):
    """An entry is the text of a script, or a list of requests."""
    return [Case(f"{family} {index}", [scripted(entry)] if isinstance(entry, (str, bytes)) else list(entry), any_order)
            for index, entry in enumerate(entries)]


def together(family, entries, size=40):
    """Many small scripts, some to a case: for lists that are made by a program."""
    requests = [scripted(entry) if isinstance(entry, (str, bytes)) else entry for entry in entries]
    return [Case(f"{family} {first}", requests[first:first + size]) for first in range(0, len(requests), size)]


# A value as text, in one order, whatever it holds.
SHOW = """
local function show(v, depth)
  depth = depth or 0
  if type(v) == 'string' then return string.format('%q', v) end
  if type(v) == 'number' then return string.format('%.17g', v) end
  if type(v) ~= 'table' then return v == nil and 'nil' or (type(v) == 'boolean' and tostring(v) or type(v)) end
  if depth > 8 then return '...' end
  local parts = {}
  for k, e in pairs(v) do parts[#parts + 1] = '[' .. show(k, depth + 1) .. ']=' .. show(e, depth + 1) end
  table.sort(parts)
  return '{' .. table.concat(parts, ' ') .. '}'
end
"""

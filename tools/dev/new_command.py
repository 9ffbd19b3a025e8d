"""Starts a new command: `./dev new command FAMILY/NAME`, for example zset/zcard.

Makes, from the templates in tools/templates/,
    src/commands/FAMILY/NAME.cc             facts, documentation and handler
    tests/conformance/FAMILY/NAME.test      what clients see
and adds the file to the list in src/commands/CMakeLists.txt, which is the registry: one line `FAMILY/NAME.cc` for each
file between `set(COMMAND_FILES` and its closing parenthesis. The new line stands behind the last of its family; no
other line moves. Nothing that exists is overwritten.
"""

import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TEMPLATES = ROOT / "tools" / "templates"
REGISTRY = ROOT / "src" / "commands" / "CMakeLists.txt"
LIST = re.compile(r"(set\(COMMAND_FILES\n)(.*?)(^\s*\))", re.DOTALL | re.MULTILINE)


def values_for(family, name):
    """What stands for each @WORD@ of the templates."""
    def camel(words):
        return "".join(part.capitalize() for part in words.split("_"))

    return {"NAME": name.replace("_", "").upper(), "name": name.replace("_", ""), "HANDLER": f"Run{camel(name)}",
            "LIST": f"k{camel(family)}{camel(name)}Commands", "GROUP": family.replace("_", "-"), "SINCE": "1.0.0"}


def write_from_template(template, path, values):
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    text = re.sub(r"@(\w+)@", lambda match: values[match.group(1)], text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if path.suffix == ".cc" and shutil.which("clang-format"):
        subprocess.run(["clang-format", "-i", str(path)], check=False)
    print(f"  {path.relative_to(ROOT)}")


def add_to_registry(entry):
    text = REGISTRY.read_text(encoding="utf-8") if REGISTRY.exists() else ""
    match = LIST.search(text)
    if not match:
        sys.exit(f"{REGISTRY.relative_to(ROOT)} has no `set(COMMAND_FILES` list: add {entry} by hand")
    lines = match.group(2).splitlines()
    if entry not in map(str.strip, lines):
        family = entry.split("/")[0] + "/"
        last = max((i for i, line in enumerate(lines) if line.strip().startswith(family)), default=len(lines) - 1)
        lines.insert(last + 1, f"  {entry}")
    block = match.group(1) + "".join(f"{line}\n" for line in lines) + match.group(3)
    REGISTRY.write_text(text[:match.start()] + block + text[match.end():], encoding="utf-8")
    print(f"  {REGISTRY.relative_to(ROOT)}: {entry}")


def main(arguments):
    match = re.fullmatch(r"([a-z][a-z0-9_]*)/([a-z][a-z0-9_]*)", arguments[0].lower()) if arguments else None
    if not match:
        sys.exit("usage: ./dev new command FAMILY/NAME   (for example zset/zcard)")
    family, name = match.groups()
    source = ROOT / "src" / "commands" / family / f"{name}.cc"
    script = ROOT / "tests" / "conformance" / family / f"{name}.test"
    for path in (source, script):
        if path.exists():
            sys.exit(f"{path.relative_to(ROOT)} exists already")
    values = values_for(family, name)
    write_from_template("command.cc.in", source, values)
    write_from_template("command.test.in", script, values)
    add_to_registry(f"{family}/{name}.cc")
    print("next: fill in the facts, write the script, ./dev test commands")


if __name__ == "__main__":
    main(sys.argv[1:])

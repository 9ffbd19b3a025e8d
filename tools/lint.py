"""The rules of the house that a machine can check; `./dev lint` calls this. Standard library only.

    lint.py [--tidy] [FILE...]     all files of the repository, or the given ones

Checked: includes against the floors of cmake/floors.txt, `internal/` folders, sizes of files, functions and classes,
file names, READMEs with a title, forbidden words, the lists that may only shrink, clang-format, and with --tidy
clang-tidy. Exceptions from the size rules are in tools/lint_exceptions.txt.
The last line is `N passed, N failed`: one for each rule.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE_ENDINGS = (".cc", ".h")
FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
PUBLIC_FUNCTIONS_MAX = 25
DATA_MEMBERS_MAX = 20
EXCEPTIONS = "tools/lint_exceptions.txt"
SHRINKING_LISTS = (EXCEPTIONS, "tests/redis_suite/skipped.txt")
# `common` may be part of a term of the field (longest_common_subsequence), the others may not.
DRAWERS = re.compile(r"(^|_)(util|utils|helper|helpers|manager|misc)(_|$)|^common(_|$)|_common$")
# Built from halves, so that this file does not contain what it refuses.
FORBIDDEN = [re.compile(pattern) for pattern in (
    r"deb" r"\.debian\.org", r"security" r"\.debian\.org", r"archive" r"\.ubuntu\.com", r"registry" r"\.npmjs",
    r"files" r"\.pythonhosted\.org", r"\bpypi" r"\.org", r"rubygems" r"\.org", r"static\.crates" r"\.io",
    r"proxy" r"\.golang\.org", r"repo1?\.maven" r"\.")]


class Lint:
    """Collects what is wrong, rule by rule."""

    def __init__(self):
        self.passed = self.failed = 0

    def rule(self, title, problems):
        problems = list(problems)
        if problems:
            self.failed += 1
            print(f"{title}:")
            for problem in problems:
                print(f"  {problem}")
        else:
            self.passed += 1


def repository_files():
    """Tracked and new files, without ignored ones."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
    else:  # an unpacked archive
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
        names = [name for name in names if not name.startswith((".git/", "build/", "data/"))]
    return sorted(name for name in set(names) if (ROOT / name).is_file())


def read_lines(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace").splitlines()


def is_source(name):
    return name.endswith(SOURCE_ENDINGS) and name.startswith("src/")


# ---- floors ------------------------------------------------------------------------------------------------------


def read_floors():
    """{folder: floor}"""
    floors = {}
    for line in read_lines("cmake/floors.txt"):
        words = line.split()
        if words and words[0].isdigit():
            floors.update({folder: int(words[0]) for folder in words[1:]})
    return floors


INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def included_files(name):
    """(line number, path below src/, folder) of each quoted include. One without a folder names a neighbour file."""
    for number, line in enumerate(read_lines(name), 1):
        match = INCLUDE.match(line)
        if match:
            target = match.group(1)
            if not (ROOT / "src" / target).exists() and (ROOT / name).parent.joinpath(target).exists():
                target = str((ROOT / name).parent.joinpath(target).resolve().relative_to(ROOT / "src"))
            yield number, target, target.split("/")[0]


def check_floors(files):
    floors = read_floors()
    for name in filter(is_source, files):
        parts = name.split("/")
        folder = parts[1]
        if len(parts) < 3 or folder not in floors:
            yield f"{name}: its folder is not in cmake/floors.txt"
            continue
        for number, target, other in included_files(name):
            if other == folder or other not in floors:
                continue
            if floors[other] >= floors[folder]:
                direction = "up to" if floors[other] > floors[folder] else "sideways to"
                yield f"{name}:{number}: includes {target}: {direction} floor {floors[other]} from {floors[folder]}"


def check_internal(files):
    for name in filter(is_source, files):
        folder = name.split("/")[1]
        for number, target, other in included_files(name):
            if "/internal/" in f"/{target}" and other != folder:
                yield f"{name}:{number}: {target} is internal to {other}"


# ---- sizes -------------------------------------------------------------------------------------------------------

NAME_BEFORE_ARGUMENTS = re.compile(r"(operator\s*\S+?|~?[A-Za-z_]\w*)\s*\(")
NOT_FUNCTIONS = re.compile(r"^\s*(namespace|class|struct|union|enum|extern|#|//|/\*|\*|using|typedef|template\s*<.*;)")
LITERALS = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'|//.*$')


def functions(lines):
    """(name, first line, last line) of functions defined at column 0, or inside a class at one level of indent.

    A heuristic for our own layout: clang-format puts the closing brace of a body that began at some column alone on
    a line at that column, and nothing inside the body is to the left of it or at it, except labels and `#` lines.
    """
    index = 0
    while index < len(lines):
        indent = len(lines[index]) - len(lines[index].lstrip(" "))
        if lines[index].strip() and indent in (0, 2) and not NOT_FUNCTIONS.match(lines[index]):
            end, opened = head_of_definition(lines, index)
            if opened:
                head = " ".join(lines[index:end + 1])
                close = closing_line(lines, end, indent)
                match = NAME_BEFORE_ARGUMENTS.search(LITERALS.sub("", head))
                if match and close:
                    yield match.group(1), index + 1, close + 1
                    index = close
        index += 1


def head_of_definition(lines, start):
    """Where the head that starts here ends, and whether it opens a body that continues on the next line."""
    for end in range(start, min(start + 20, len(lines))):
        text = LITERALS.sub("", lines[end]).rstrip()
        if text.endswith("{"):
            head = " ".join(lines[start:end + 1])
            return end, "(" in head and not re.search(r"=\s*[\w:<>]*\s*\{+$", text)
        if text.endswith((";", "}")) or not text:
            return end, False
    return start, False


def closing_line(lines, start, indent):
    wanted = " " * indent + "}"
    for number in range(start + 1, len(lines)):
        if lines[number].startswith(wanted):
            return number
    return None


def read_exceptions():
    exceptions = set()
    if (ROOT / EXCEPTIONS).exists():
        for line in read_lines(EXCEPTIONS):
            if line.strip() and not line.startswith("#"):
                exceptions.add(line.split()[0])
    return exceptions


def check_sizes(files, whole):
    exceptions, used = read_exceptions(), set()
    for name in files:
        if not name.endswith(SOURCE_ENDINGS + (".py", ".cmake")) and name != "dev":
            continue
        lines = read_lines(name)
        if len(lines) > FILE_LINES_MAX:
            used.add(name)
            if name not in exceptions:
                yield f"{name}: {len(lines)} lines (at most {FILE_LINES_MAX})"
        if not name.endswith(SOURCE_ENDINGS):
            continue
        for function, first, last in functions(lines):
            if last - first + 1 > FUNCTION_LINES_MAX:
                key = f"{name}:{function}"
                used.add(key)
                if key not in exceptions:
                    yield f"{name}:{first}: {function} has {last - first + 1} lines (at most {FUNCTION_LINES_MAX})"
    if whole:
        for key in sorted(exceptions - used):
            yield f"{EXCEPTIONS}: {key} is no longer needed: remove it"


def check_shrinking_lists():
    """The first line of such a list says how long it may be; whoever shortens the list lowers the number."""
    for name in SHRINKING_LISTS:
        if not (ROOT / name).exists():
            continue
        lines = read_lines(name)
        match = re.match(r"# at most (\d+) entries", lines[0] if lines else "")
        count = sum(1 for line in lines if line.strip() and not line.startswith("#"))
        if not match:
            yield f"{name}: the first line must be `# at most N entries`"
        elif count != int(match.group(1)):
            yield f"{name}: {count} entries, but the first line says {match.group(1)} (it may only go down)"


# ---- sizes of classes --------------------------------------------------------------------------------------------

COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
TEXTS = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
TYPE_HEAD = re.compile(r"^(?:template\s*<[^{;]*>\s*)?(?:typedef\s+)?(class|struct|union|enum)\b")
CLASS_HEAD = re.compile(r"^(?:template\s*<[^{;]*>\s*(?:requires[^{;]*)?)?(class|struct)\s+(?:alignas\([^)]*\)\s*)?([\w:]+)")
ACCESS = re.compile(r"^\s*(public|private|protected)\s*:(?!:)")
NOT_MEMBERS = re.compile(r"^(using|typedef|friend|static_assert|template\s*<[^;{]*>\s*(?:using|friend))\b")


def statements(text):
    """(head, body or None, offset) of each statement of a scope: what stands before `;` or a brace, and the text in
    the brace. A brace behind `=` or a name (an initializer) belongs to the head."""
    start = position = depth = 0
    while position < len(text):
        character = text[position]
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == ";" and depth == 0:
            yield text[start:position], None, start
            start = position + 1
        elif character == ":" and depth == 0 and ACCESS.match(text[start:position + 1]) \
                and text[position + 1:position + 2] != ":":
            yield text[start:position + 1], None, start
            start = position + 1
        elif character == "{":
            end = closing_brace(text, position)
            head = text[start:position]
            if depth == 0 and opens_body(head):
                yield head, text[position + 1:end], start
                start = end + 1
            position = end
        position += 1


def closing_brace(text, opening):
    depth = 0
    for position in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position
    return len(text)


def without_angles(text):
    """The text without template arguments, so that what is left of `std::function<void()> work` has no parentheses."""
    text = re.sub(r"operator\s*[<>=!]+|->|<<|>>=|<=>?|>=", " ", text)
    previous = None
    while previous != text:
        previous, text = text, re.sub(r"<[^<>;{}]*>", "", text)
    return text


def opens_body(head):
    """Whether a brace behind this head is the body of a type, namespace or function, and not an initializer."""
    head = head.strip()
    if TYPE_HEAD.match(head) or head.startswith(("namespace", "extern")) or "operator" in head:
        return True
    plain = without_angles(head)
    if re.search(r"(?<![=!<>])=(?!=)", re.sub(r"\([^()]*\)", "", plain)):
        return False
    return "(" in plain and not re.search(r"[(,]\s*\w*$", plain) and not initializes_member(plain)


def initializes_member(plain):
    """Whether a brace behind this head is an initializer in a constructor's list: `: a_(a), b_` or `, b_`."""
    behind = plain[plain.rfind(")") + 1:]
    return bool(re.match(r"\s*(noexcept)?\s*[:,]\s*\w+\s*$", behind))


def member_counts(name, body, is_class):
    """(public functions, data members) of a class with this body, without constructors, operators, constants and
    nested types."""
    public, functions, data = not is_class, 0, 0
    for head, inner, _ in statements(body):
        head = " ".join(head.split())
        access = ACCESS.match(head)
        if access:
            public = access.group(1) == "public"
            continue
        if not head or NOT_MEMBERS.match(head):
            continue
        if TYPE_HEAD.match(head) and (inner is not None or "(" not in head):
            continue
        plain = without_angles(re.sub(r"\[\[.*?\]\]|alignas\([^)]*\)", "", head))
        before = re.split(r"(?<![=!<>])=(?!=)|\{", plain)[0]
        if "operator" in head or ("(" in before and not re.search(r"\(\s*[\w:]*\*", before)):
            declared = NAME_BEFORE_ARGUMENTS.search(before)
            special = "operator" in head or (declared and declared.group(1).lstrip("~") == name.split("::")[-1])
            functions += 1 if public and not special else 0
        elif not re.match(r"(inline )?(static )?constexpr|static const\b", head):
            data += 1 + re.sub(r"[({\[].*?[)}\]]", "", before).count(",")
    return functions, data


def classes(text, offset=0):
    """(name, is a class, body, offset) of each class or struct that is defined in this scope or inside one of it."""
    for head, inner, start in statements(text):
        if inner is None:
            continue
        match = CLASS_HEAD.match(head.strip())
        if match:
            yield match.group(2), match.group(1) == "class", inner, offset + start
        if match or head.strip().startswith(("namespace", "extern")):
            yield from classes(inner, offset + start + len(head) + 1)


def stated_size(lines, name, first):
    """Whether the comment above the class, or the header's own if it is about this class, says why it is large."""
    comment = []
    for line in reversed(lines[:first]):
        if not line.strip().startswith("//"):
            break
        comment.append(line)
    if lines and lines[0].startswith(f"// {name}:"):
        for line in lines:
            if not line.startswith("//"):
                break
            comment.append(line)
    return any(re.match(r"\s*// Size: \S", line) for line in comment)


def check_class_sizes(files):
    """A struct is a record: of it only the functions are counted."""
    for file in files:
        if not is_source(file) or not file.endswith(".h") or file.endswith("_for_test.h"):
            continue
        lines = read_lines(file)
        blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
        text = COMMENTS.sub(blank, TEXTS.sub(blank, "\n".join(lines)))
        text = re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)
        for name, is_class, body, offset in classes(text):
            functions, data = member_counts(name, body, is_class)
            large = functions > PUBLIC_FUNCTIONS_MAX or (is_class and data > DATA_MEMBERS_MAX)
            start = offset + len(text[offset:]) - len(text[offset:].lstrip())
            first = text.count("\n", 0, start)
            stated = stated_size(lines, name, first)
            if large and not stated:
                yield (f"{file}:{first + 1}: {name} has {functions} public functions (at most {PUBLIC_FUNCTIONS_MAX}) "
                       f"and {data} data members (at most {DATA_MEMBERS_MAX}): split it, or say why above it "
                       f"(`// Size: ...`)")
            if max(functions - PUBLIC_FUNCTIONS_MAX, data - DATA_MEMBERS_MAX) <= 0 and stated:
                yield f"{file}:{first + 1}: {name} is no longer large: its reason can go"


# ---- names and words ---------------------------------------------------------------------------------------------


def check_names(files):
    for name in files:
        stem = pathlib.PurePosixPath(name).name.split(".")[0].lower().replace("-", "_")
        if DRAWERS.search(stem):
            yield f"{name}: name the file after what it does, not after a drawer"
        if is_source(name) and not re.fullmatch(r"[a-z0-9_]+\.(cc|h)", pathlib.PurePosixPath(name).name):
            yield f"{name}: source files are snake_case"


def check_readmes(files):
    folders = {name.split("/")[1] for name in files if is_source(name) and name.count("/") >= 2}
    for folder in sorted(folders):
        if not (ROOT / "src" / folder / "README.md").exists():
            yield f"src/{folder} has no README.md"
    for name in files:
        # clang-format takes Markdown for C++ when it is given such a file: then the title loses its blank.
        if name.endswith("README.md") and not (read_lines(name) or [""])[0].startswith("# "):
            yield f"{name}: the first line must be `# TITLE` (did clang-format run over it?)"


def check_words(files):
    for name in files:
        data = (ROOT / name).read_bytes()
        if b"\0" in data[:4096]:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            for pattern in FORBIDDEN:
                if pattern.search(line):
                    yield f"{name}:{number}: package-registry host name `{pattern.search(line).group(0)}`"


# ---- tools -------------------------------------------------------------------------------------------------------


def check_format(files):
    sources = [name for name in files if name.endswith(SOURCE_ENDINGS)]
    if not sources:
        return
    if not shutil.which("clang-format"):
        yield "clang-format is missing"
        return
    for start in range(0, len(sources), 100):
        result = subprocess.run(["clang-format", "--dry-run", "-Werror", *sources[start:start + 100]], cwd=ROOT,
                                text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        bad = {line.split(":")[0] for line in result.stderr.splitlines() if "clang-format-violations" in line}
        for name in sorted(bad):
            yield f"{name}: ./dev fmt"
        if result.returncode and not bad:
            yield result.stderr.strip()[:500]


def check_tidy(files):
    database = ROOT / "build" / "dev" / "compile_commands.json"
    if not database.exists():
        yield "no build/dev/compile_commands.json"
        return
    known = {entry["file"] for entry in json.loads(database.read_text())}
    sources = [name for name in files if is_source(name) and str(ROOT / name) in known]
    tidy = shutil.which("clang-tidy-19") or shutil.which("clang-tidy")
    # Older clang-tidy does not announce concepts the way that the library's <expected> asks for.
    extra = ["--extra-arg=-D__cpp_concepts=202002L", "--extra-arg=-Wno-builtin-macro-redefined",
             "--extra-arg=-Wno-macro-redefined", "--extra-arg=-Wno-unknown-warning-option"]
    jobs = min(2, os.cpu_count() or 1)
    running = []
    for name in sources:
        running.append((name, subprocess.Popen([tidy, "-p", "build/dev", "--quiet", *extra, name], cwd=ROOT, text=True,
                                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)))
        if len(running) >= jobs:
            yield from finished(*running.pop(0))
    for name, process in running:
        yield from finished(name, process)


def finished(name, process):
    output, _ = process.communicate()
    lines = [line for line in output.splitlines() if re.search(r": (warning|error): ", line)]
    yield from sorted({line.replace(f"{ROOT}/", "") for line in lines})
    if process.returncode and not lines:
        yield f"{name}: clang-tidy exited with {process.returncode}"


def main(arguments):
    tidy = "--tidy" in arguments
    named = [os.path.relpath(os.path.abspath(name), ROOT) for name in arguments if not name.startswith("-")]
    files = repository_files()
    if named:
        files = [name for name in files if any(name == want or name.startswith(want + "/") for want in named)]
    lint = Lint()
    lint.rule("floors: a folder includes itself and lower floors", check_floors(files))
    lint.rule("internal/ belongs to its folder", check_internal(files))
    lint.rule("sizes of files and functions", check_sizes(files, whole=not named))
    lint.rule("sizes of classes", check_class_sizes(files))
    lint.rule("lists that only shrink", check_shrinking_lists())
    lint.rule("file names", check_names(files))
    lint.rule("a README.md in each source folder, and titles", check_readmes(files))
    lint.rule("words that do not belong here", check_words(files))
    lint.rule("format", check_format(files))
    if tidy:
        lint.rule("clang-tidy", check_tidy(files))
    print(f"{lint.passed} passed, {lint.failed} failed")
    return 1 if lint.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

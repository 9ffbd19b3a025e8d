"""Writes the pages that are generated from the program, or checks that the committed ones are up to date.

The program states each command, each directive and each metric once, in its code, and writes the pages itself:
`cinnabar-server --write-reference DIR` fills DIR with files at their paths below the repository's root
(docs/reference/..., cinnabar.conf). Files under docs/reference/ that it no longer writes are removed.

    docs.py            write them
    docs.py --check    compare; the last line is `N passed, N failed`
"""

import difflib
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "release" / "cinnabar-server"
OWNED = ROOT / "docs" / "reference"  # every file in it is generated


def generate(folder):
    result = subprocess.run([str(PROGRAM), "--write-reference", str(folder)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    if result.returncode:
        sys.exit(f"{PROGRAM.name} --write-reference failed:\n{result.stdout}")
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def leftovers(names):
    present = {path.relative_to(ROOT) for path in OWNED.rglob("*") if path.is_file()}
    return sorted(present - set(names))


def check(folder, names):
    failed = 0
    for name in names:
        new = (folder / name).read_text(encoding="utf-8").splitlines()
        committed = ROOT / name
        old = committed.read_text(encoding="utf-8").splitlines() if committed.exists() else []
        if new != old:
            failed += 1
            print(f"{name} is out of date (./dev docs writes it):")
            for line in list(difflib.unified_diff(old, new, "committed", "generated", lineterm=""))[:30]:
                print("  " + line)
    for name in leftovers(names):
        failed += 1
        print(f"{name} is no longer generated")
    print(f"{len(names) + len(leftovers(names)) - failed} passed, {failed} failed")
    return 1 if failed else 0


def write(folder, names):
    for name in leftovers(names):
        (ROOT / name).unlink()
    for name in names:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, ROOT / name)
    print(f"{len(names)} files written")
    return 0


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        names = generate(folder)
        return check(folder, names) if "--check" in sys.argv[1:] else write(folder, names)


if __name__ == "__main__":
    sys.exit(main())

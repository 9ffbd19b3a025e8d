"""Counts checks. The contract with ./dev test: the last line is `N passed, N failed`, with `, N skipped` behind it when
some were, and the exit code says it too."""

import contextlib
import os
import signal
import sys
import traceback


class Skipped(Exception):
    """Why a part cannot be played on this machine."""


class Checks:
    """A failed check is printed at once, with what was seen and what was expected."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.section = ""

    def true(self, name, condition, detail="is false"):
        if condition:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {self.section}: {name}: {detail}"[:3000], flush=True)
        return bool(condition)

    def equal(self, name, got, want):
        return self.true(name, got == want, f"got {got!r}, want {want!r}")

    def contains(self, name, text, part):
        return self.true(name, part in text, f"{part!r} is not in {text!r}")

    @contextlib.contextmanager
    def part(self, section):
        """A group of checks. An exception that escapes it is one failed check, or one that is skipped."""
        outer, self.section = self.section, section
        try:
            yield
        except Skipped as error:
            self.skipped += 1
            print(f"left out {self.section}: {error}"[:1500], flush=True)
        except Exception as error:
            here = os.path.basename(sys.argv[0])
            frames = traceback.extract_tb(error.__traceback__)
            where = next((f for f in reversed(frames) if os.path.basename(f.filename) == here), frames[-1])
            self.true("runs to its end", False,
                      f"{type(error).__name__}: {error} (at {os.path.basename(where.filename)}:{where.lineno})")
        finally:
            self.section = outer

    def finish(self):
        """Prints the last line; returns the exit code."""
        tail = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{tail}", flush=True)
        return 1 if self.failed or not self.passed + self.skipped else 0


def run_parts(parts):
    """Runs functions that take a Checks; returns the exit code. Arguments of the program choose parts by name."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that servers are ended on the way out.
    wanted = sys.argv[1:]
    checks = Checks()
    for part in parts:
        if not wanted or part.__name__ in wanted:
            with checks.part(part.__name__):
                part(checks)
    return checks.finish()

"""Everything that must pass, stage by stage; `./dev test` calls this.

A stage is a function that returns a Score. A stage that runs other programs holds them to one contract: the last line
they print is `N passed, N failed` or `N passed, N failed, N skipped`, and the exit code is non-zero after a failure.
The very last line printed here is the sum, in the same form. A stage whose folder does not exist yet is left out
with a note. Standard library only.
"""

import concurrent.futures
import dataclasses
import functools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PYTHON = "/usr/bin/python3"
PROGRAM = "cinnabar-server"
JOBS = str(min(2, os.cpu_count() or 1))
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$")
INTEGRATION_PRESETS = ("release", "dev")  # `tsan` runs them in its own stage
BUILD_SECONDS_MAX = 45 * 60
STAGE_SECONDS_MAX = 25 * 60
FILE_SECONDS_MAX = 15 * 60
CLUSTER_SECONDS_MAX = 60 * 60  # all units, twice

SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


@dataclasses.dataclass
class Score:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Score(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self):
        tail = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{tail}"


def say(text):
    print(text, flush=True)


def note(text):
    say(f"    (left out: {text})")
    return Score()


def fail(text):
    say(f"    FAILED: {text}")
    return Score(failed=1)


# ---- building ----------------------------------------------------------------------------------------------------


def build(preset, *targets):
    """True when the build succeeded; its output is shown only when it did not."""
    log = ROOT / "build" / f"{preset}.log"
    log.parent.mkdir(exist_ok=True)
    commands = [["cmake", "--preset", preset, "-Wno-dev"],
                ["cmake", "--build", "--preset", preset, "-j", JOBS]]
    if targets:
        commands[1] += ["--target", *targets]
    values = dict(os.environ)
    if "CI" in values:
        values["CCACHE_DISABLE"] = "1"  # what is compiled once costs less without
    started = time.monotonic()
    with open(log, "wb") as out:
        for command in commands:
            try:
                code = subprocess.run(command, cwd=ROOT, env=values, stdin=subprocess.DEVNULL, stdout=out,
                                      stderr=subprocess.STDOUT, timeout=BUILD_SECONDS_MAX).returncode
            except subprocess.TimeoutExpired:
                code = 1
            if code:
                for line in log.read_text(errors="replace").splitlines()[-60:]:
                    say("    " + line)
                return False
    say(f"    built preset {preset} in {time.monotonic() - started:.0f} s")
    return True


def program(preset):
    return ROOT / "build" / preset / PROGRAM


def environment(preset):
    values = dict(os.environ, **SANITIZER_OPTIONS)
    suppressions = ROOT / "tests" / "tsan.supp"
    if suppressions.exists():
        values["TSAN_OPTIONS"] += f":suppressions={suppressions}"
    values["CINNABAR_SERVER"] = str(program(preset))
    values["CINNABAR_PRESET"] = preset
    return values


def low_addresses(preset):
    """g++ 12's TSan cannot start where the kernel randomises more than 28 bits of the address."""
    bits = pathlib.Path("/proc/sys/vm/mmap_rnd_bits")
    if preset != "tsan" or not bits.exists() or int(bits.read_text()) <= 28:
        return []
    prefix = ["setarch", os.uname().machine, "-R"]
    works = shutil.which("setarch") and subprocess.run(prefix + ["true"], stderr=subprocess.DEVNULL).returncode == 0
    return prefix if works else []


# ---- running -----------------------------------------------------------------------------------------------------


def run_counted(command, preset="release", seconds=STAGE_SECONDS_MAX, show=say):
    """Runs a program that keeps the contract, hands each line that it prints to `show`, and returns its score."""
    process = subprocess.Popen(low_addresses(preset) + [str(word) for word in command], cwd=ROOT,
                               env=environment(preset), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace")
    timed_out = threading.Event()

    def stop():
        timed_out.set()
        process.terminate()  # lets it end what it started in other process groups
        time.sleep(5)
        end_group(process)

    timer = threading.Timer(seconds, stop)
    timer.start()
    last = ""
    for line in process.stdout:
        if line.strip():
            last = line.strip()
        show("    " + line.rstrip("\n"))
    code = process.wait()
    timer.cancel()
    end_group(process)
    problem = None
    match = SUMMARY.match(last)
    if timed_out.is_set():
        problem, match = f"not done after {seconds} seconds", None
    elif not match:
        problem = f"the last line is not a summary (exit code {code})"
    score = Score(*(int(number or 0) for number in match.groups())) if match else Score()
    if code and not score.failed and not problem:
        problem = f"exit code {code}"
    if problem:
        show(f"    FAILED: {problem}")
        score.failed += 1
    return score


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def run_unit_tests(preset, folder=None):
    """ctest runs the programs; each writes its gtest counts. One that leaves none counts as one test."""
    tree = ROOT / "build" / preset
    reports = tree / "gtest"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    summary = tree / "ctest.xml"
    summary.unlink(missing_ok=True)
    command = low_addresses(preset) + ["ctest", "--test-dir", str(tree), "-j", JOBS, "--output-on-failure",
                                       "--timeout", "900", "--output-junit", str(summary)]
    if folder:
        command += ["-R", f"^{re.escape(folder)}$"]
    result = subprocess.run(command, cwd=ROOT, env=dict(environment(preset), GTEST_OUTPUT=f"json:{reports}/"),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, errors="replace")
    if not summary.exists():
        return note("no unit tests") if "No tests were found" in result.stdout else fail(result.stdout[-2000:])
    if result.returncode:
        say(result.stdout)
    score = Score()
    for case in xml.etree.ElementTree.parse(summary).getroot().iter("testcase"):
        one = read_gtest(reports / f"{case.get('name')}_test.json")
        bad = case.get("status") not in ("run", "notrun", "disabled") or case.find("failure") is not None
        if bad and not one.failed:
            one.failed += 1  # crashed, timed out, or complained while it ended
        elif not bad and one == Score():
            one.passed += 1
        say(f"    {case.get('name')}: {one}")
        score += one
    return score


def read_gtest(path):
    score = Score()
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError):
        return score
    for suite in report.get("testsuites", []):
        for test in suite.get("testsuite", []):
            if test.get("failures"):
                score.failed += 1
            elif test.get("result") == "SKIPPED":
                score.skipped += 1
            elif test.get("status") == "RUN":
                score.passed += 1
    return score


# ---- stages ------------------------------------------------------------------------------------------------------


def stage_units(folder=None):
    if not folder and not in_this_run("dev"):
        return note("this run of CI has drawn TSan")
    targets = [f"{folder}_test"] if folder else []
    return run_unit_tests("dev", folder) if build("dev", *targets) else fail("the dev build")


def stage_tsan(folder=None):
    if not folder and not in_this_run("tsan"):
        return note("this run of CI has drawn ASan and UBSan")
    targets = [f"{folder}_test"] if folder else []
    if not build("tsan", *targets):
        return fail("the tsan build")
    score = run_unit_tests("tsan", folder)
    return score if folder else score + integration_files("tsan", None)


def integration_files(preset, wanted):
    folder = ROOT / "tests" / "integration"
    files = sorted(path for path in folder.glob("*.py") if os.access(path, os.X_OK) or "__main__" in path.read_text())
    if wanted:
        files = [path for path in files if path.stem == wanted.removesuffix(".py")]
        if not files:
            return fail(f"no tests/integration/{wanted}")
    if not files:
        return note("no tests in tests/integration")
    if not program(preset).exists():
        return note(f"preset {preset} builds no {PROGRAM}")
    files = drawn_for_ci(files, preset)
    if len(files) == 1:
        say(f"    -- {files[0].stem} ({preset})")
        return run_counted([PYTHON, files[0]], preset, FILE_SECONDS_MAX)
    with concurrent.futures.ThreadPoolExecutor(int(JOBS)) as workers:
        return sum(workers.map(lambda path: whole_file(path, preset), files), Score())


def drawn_for_ci(files, preset):
    """CI has no time to run all of them under a sanitizer: it draws every second one, others each time."""
    if "CI" not in os.environ or preset == "release" or len(files) < 2:
        return files
    return sorted(random.Random(f"{ci_seed()} {preset}").sample(files, (len(files) + 1) // 2))


@functools.cache
def ci_seed():
    seed = os.environ.get("CINNABAR_CI_SEED") or str(random.randrange(1 << 32))
    say(f"    repeat with CI=true CINNABAR_CI_SEED={seed}")
    return seed


def draw():
    """CI has no time for every variant of what takes long: scripts that know --draw leave some out."""
    return ["--draw", ci_seed()] if "CI" in os.environ else []


def in_this_run(preset):
    """Each run of CI has time to build one of the sanitizers, and draws which."""
    return "CI" not in os.environ or random.Random(f"{ci_seed()} sanitizer").choice(["dev", "tsan"]) == preset


def whole_file(path, preset):
    """Runs beside others, so what it prints is shown when it has ended."""
    lines, started = [], time.monotonic()
    score = run_counted([PYTHON, path], preset, FILE_SECONDS_MAX, lines.append)
    say("\n".join([f"    -- {path.stem} ({preset}, {time.monotonic() - started:.0f} s)", *lines]))
    return score


def stage_integration(wanted=None):
    score = Score()
    for preset in INTEGRATION_PRESETS:
        if preset == "dev" and not in_this_run(preset):
            continue
        score += integration_files(preset, wanted) if build(preset, PROGRAM) else fail(f"the {preset} build")
    return score


def stage_script(folder, *arguments):
    """tests/FOLDER/run, against the release program."""
    script = ROOT / "tests" / folder / "run"
    if not script.exists():
        return note(f"no tests/{folder}/run")
    if not build("release", PROGRAM):
        return fail("the release build")
    return run_counted([script, *arguments])


def stage_suite(unit=None):
    runner = ROOT / "tests" / "redis_suite" / "run.py"
    if not runner.exists():
        return note("no tests/redis_suite")
    if not build("release", PROGRAM):
        return fail("the release build")
    units = [unit if "/" in unit or ":" in unit else f"unit/{unit}"] if unit else []
    return run_counted([PYTHON, runner, *units])


def stage_mixed(seed=None):
    """Stock sentinels and servers beside ours; CI draws one cast and three units."""
    if not build("release", PROGRAM):
        return fail("the release build")
    if seed is None and "CI" in os.environ:
        seed = ci_seed()
    return run_counted([PYTHON, ROOT / "tests" / "redis_suite" / "mixed.py", *([seed] if seed else [])])


def stage_cluster(seed=None):
    """The Cluster suite, with our nodes and with both makes; CI draws some units of each."""
    if not build("release", PROGRAM):
        return fail("the release build")
    if seed is None and "CI" in os.environ:
        seed = ci_seed()
    return run_counted([PYTHON, ROOT / "tests" / "redis_suite" / "cluster.py", *([seed] if seed else [])],
                       seconds=CLUSTER_SECONDS_MAX)


def stage_docs():
    if not (ROOT / "docs" / "reference").exists():
        return note("no docs/reference")
    if not build("release", PROGRAM):
        return fail("the release build")
    return run_counted([PYTHON, ROOT / "tools" / "docs.py", "--check"])


ALL = (
    ("unit tests, ASan and UBSan", stage_units),
    ("integration tests", stage_integration),
    ("conformance scripts", lambda: stage_script("conformance")),
    ("stock clients", lambda: stage_script("clients", *draw())),
    ("Redis 7.0 suite", stage_suite),
    ("Sentinel suite, casts of both makes", stage_mixed),
    ("Cluster suite", stage_cluster),
    ("container image", lambda: stage_script("container", *draw())),
    ("unit and integration tests, TSan", stage_tsan),
    ("generated pages", stage_docs),
)


def stage_named(name):
    """The stage that `./dev test NAME` means, as (title, function)."""
    head, _, tail = name.partition(":")
    stages = {
        "units": lambda: stage_units(tail or None), "tsan": lambda: stage_tsan(tail or None),
        "integration": lambda: stage_integration(tail or None), "suite": lambda: stage_suite(tail or None),
        "conformance": lambda: stage_script("conformance", *([tail] if tail else [])),
        "clients": lambda: stage_script("clients", *([tail] if tail else [])), "docs": stage_docs,
        "container": lambda: stage_script("container", *([tail] if tail else [])),
        "mixed": lambda: stage_mixed(tail or None), "cluster-suite": lambda: stage_cluster(tail or None),
    }
    if head in stages:
        return name, stages[head]
    folder = name.removeprefix("src/").rstrip("/")
    if any((ROOT / "src" / folder).rglob("*_test.cc")):
        return f"unit tests of {folder}", lambda: stage_units(folder)
    sys.exit(f"./dev test: no stage and no unit tests called {name}")


def main(names):
    stages = [stage_named(name) for name in names] if names else ALL
    total, rows = Score(), []
    for title, stage in stages:
        say(f"== {title}")
        started = time.monotonic()
        score = stage()
        seconds = time.monotonic() - started
        rows.append(f"{title}: {score} ({seconds:.0f} s)")
        say(f"== {rows[-1]}\n")
        total += score
    if len(rows) > 1:
        say("\n".join(rows))
    if total == Score():
        total = fail("nothing was tested")
    say(str(total))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a run under a sanitizer leaves out: it looks for faults that few of the cases would show as well."""

import os
import random

PRESET = os.environ.get("CINNABAR_PRESET", "release")
SANITIZED = PRESET != "release"
SHARE = 8  # one case in so many


def share(cases, seed):
    """All of them, or under a sanitizer some that the seed draws, in their order."""
    if not SANITIZED or len(cases) <= SHARE:
        return cases
    print(f"    repeat with SEED={seed} CINNABAR_PRESET={PRESET}", flush=True)
    drawn = set(random.Random(f"{seed} share").sample(range(len(cases)), len(cases) // SHARE))
    return [case for index, case in enumerate(cases) if index in drawn]

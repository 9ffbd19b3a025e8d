"""Recorded accesses to play against caches: made from a seed, the same on every machine.

A trace is an array of key numbers. Three kinds:
    drift   Zipf popularity (exponent 0.9) over all keys, of which every thousand requests a few change places with
            others: what is hot today is not tomorrow
    scan    the same, and now and then somebody reads a stretch of cold keys once, in order: backups, crawlers
    loop    the same, and half of the requests go round and round through more keys than the cache holds
"""

import bisect
import itertools
import random
from array import array

EXPONENT = 0.9
SWAPS_EACH = 1000  # requests between two changes of popularity
SWAPS_SHARE = 0.002  # of the keys that then change places
SCAN_EACH, SCAN_SHARE = 60_000, 0.05  # requests between two scans, keys that one reads
LOOP_SHARE = 0.35  # of the keys that the loop goes through
KINDS = ("drift", "scan", "loop")


def trace(kind, keys, requests, seed):
    chance = random.Random(f"{kind} {seed}")
    popular = zipf(keys, requests, chance)
    if kind == "scan":
        return with_scans(popular, keys, requests, chance)
    if kind == "loop":
        return with_loop(popular, keys, chance)
    return popular


def zipf(keys, requests, chance):
    """Key numbers; rank r is asked for in proportion to 1 / r ** EXPONENT, and ranks change places."""
    weights = list(itertools.accumulate(1 / rank ** EXPONENT for rank in range(1, keys + 1)))
    total = weights[-1]
    key_of_rank = list(range(keys))
    chance.shuffle(key_of_rank)
    result = array("I")
    for first in range(0, requests, SWAPS_EACH):
        for _ in range(min(SWAPS_EACH, requests - first)):
            result.append(key_of_rank[bisect.bisect_left(weights, chance.random() * total)])
        for _ in range(int(keys * SWAPS_SHARE / 2)):
            # One of the hot tenth falls behind, another rises.
            one, other = chance.randrange(max(keys // 10, 1)), chance.randrange(keys)
            key_of_rank[one], key_of_rank[other] = key_of_rank[other], key_of_rank[one]
    return result


def with_scans(popular, keys, requests, chance):
    result = array("I")
    length = int(keys * SCAN_SHARE)
    for first in range(0, requests, SCAN_EACH):
        result.extend(popular[first:first + SCAN_EACH])
        start = chance.randrange(keys - length)
        result.extend(range(start, start + length))
    return result[:requests]


def with_loop(popular, keys, chance):
    around = chance.sample(range(keys), int(keys * LOOP_SHARE))
    result = array("I", popular)
    for i in range(0, len(result), 2):
        result[i] = around[i // 2 % len(around)]
    return result

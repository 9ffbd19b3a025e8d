# ttl_patterns.py — TTL patterns and cache stampede prevention
import json
import random
import time
import redis
r = redis.Redis(host="redis", port=6379, decode_responses=True)


# ----- Jitter to prevent thundering herd -----
def set_with_jitter(key: str, value: str, base_ttl: int, jitter_pct: float = 0.1) -> None:
    """
    Add random jitter to TTLs so mass-expiry events don't spike DB load.
    jitter_pct=0.1 means ±10% of base_ttl.
    """
    jitter = int(base_ttl * jitter_pct * (random.random() * 2 - 1))
    ttl = max(1, base_ttl + jitter)
    r.setex(key, ttl, value)


# ----- Probabilistic early expiry (XFetch algorithm) -----
def get_or_compute(
    key: str,
    compute_fn,
    ttl: int,
    beta: float = 1.0,
) -> dict:
    """
    XFetch: recompute slightly before expiry to avoid cache stampede.
    A worker recomputes when: current_time - beta * delta * log(random()) > expiry
    """
    raw = r.get(key)
    if raw is not None:
        data = json.loads(raw)
        remaining = r.ttl(key)
        # Probabilistic early recompute
        if remaining < ttl * 0.2: # within 20% of expiry
            threshold = -beta * data.get("_delta", 1.0) * (import_math_log(random.random()))
            if remaining < threshold:
                raw = None # trigger recompute
    if raw is None:
        start = time.monotonic()
        value = compute_fn()
        delta = time.monotonic() - start
        payload = {**value, "_delta": delta}
        set_with_jitter(key, json.dumps(payload), ttl)
        return value
    return {k: v for k, v in json.loads(raw).items() if k != "_delta"}


def import_math_log(x: float) -> float:
    import math
    return math.log(max(x, 1e-10))

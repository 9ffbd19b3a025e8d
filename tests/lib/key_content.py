"""What can be seen of a key, in a form that two servers of different make can be compared by."""

# What XINFO STREAM FULL says of the moment of asking, or of memory.
VOLATILE = {b"radix-tree-keys", b"radix-tree-nodes", b"idle", b"seen-time", b"active-time"}


def scored(reply):
    """Redis 7.2 and later print the shortest text of a score, 7.0 prints 17 digits."""
    return [(member, float(score)) for member, score in zip(reply[::2], reply[1::2])]


def without_times(seen):
    """Pending entries without the moment of their delivery: [id, (consumer,) moment, deliveries]."""
    if not isinstance(seen, (list, tuple)):
        return seen
    is_pending = len(seen) in (3, 4) and all(isinstance(part, int) for part in seen[-2:])
    return [seen[0], seen[-1]] if is_pending else [without_times(part) for part in seen]


def without_volatile(info):
    if isinstance(info, list):
        pairs = len(info) % 2 == 0 and all(isinstance(name, bytes) for name in info[::2])
        if pairs:
            return [(name, without_volatile(value)) for name, value in zip(info[::2], info[1::2]) if name not in VOLATILE]
        return [without_volatile(one) for one in info]
    return info


def content(client, key="k"):
    """All that can be seen of a key."""
    kind = client.call("TYPE", key)
    seen = {b"string": lambda: client.call("GET", key), b"list": lambda: client.call("LRANGE", key, 0, -1),
            b"set": lambda: sorted(client.call("SMEMBERS", key)),
            b"zset": lambda: scored(client.call("ZRANGE", key, 0, -1, "WITHSCORES")),
            b"hash": lambda: sorted(zip(*[iter(client.call("HGETALL", key))] * 2)),
            b"stream": lambda: (client.call("XRANGE", key, "-", "+"),
                                without_volatile(client.call("XINFO", "STREAM", key, "FULL", "COUNT", "0")))}
    return kind, client.call("OBJECT", "ENCODING", key), seen[kind]() if kind in seen else None

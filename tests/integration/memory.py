#!/usr/bin/python3
"""Memory: limits are kept by evicting keys and clients, on any number of cores, and the figures of INFO add up."""

import contextlib
import os
import pathlib
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from checks import run_parts  # noqa: E402
from resp_client import Disconnected, ErrorReply, encode  # noqa: E402
from server_process import Server, wait_until  # noqa: E402

MEGABYTE = 1 << 20
GONE = (Disconnected, ConnectionError, OSError)


def figures(client, section="memory"):
    text = client.call("INFO", section).decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def number(client, name, section="memory"):
    return int(figures(client, section)[name])


def memory_stats(client):
    reply = client.call("MEMORY", "STATS")
    return {name.decode(): value for name, value in zip(reply[::2], reply[1::2])}


def client_facts(client):
    """Lines of CLIENT LIST as dictionaries, by name."""
    lines = client.call("CLIENT", "LIST").decode().splitlines()
    facts = [dict(word.split("=", 1) for word in line.split(" ")) for line in lines]
    return {fact["name"]: fact for fact in facts}


def holding(server, name, size):
    """A client that has sent all but the end of a large request."""
    client = server.client()
    client.call("CLIENT", "SETNAME", name)
    client.send_raw(b"*2\r\n$%d\r\n" % (size + 1) + b"x" * size)
    return client


def fill(client, commands):
    """Sends many commands at once, and reads their replies: those that are errors."""
    errors = 0
    for first in range(0, len(commands), 1000):
        part = commands[first:first + 1000]
        client.send_raw(b"".join(encode(command) for command in part))
        errors += sum(isinstance(client.read(), ErrorReply) for _ in part)
    return errors


def the_largest_client_goes(checks):
    """Whichever core it lives on, and whoever makes the total too large; no other."""
    for threads in (1, 4):
        with Server(threads=threads) as server, server.client() as control:
            control.call("CLIENT", "NO-EVICT", "on")
            small = [holding(server, f"small{i}", 200_000) for i in range(7)]
            large = holding(server, "large", 2 * MEGABYTE)
            here = wait_until(lambda: int(client_facts(control)["large"]["qbuf"]) >= 2 * MEGABYTE and all(
                int(client_facts(control)[f"small{i}"]["qbuf"]) >= 200_000 for i in range(7)), 20)
            checks.true(f"threads {threads}: all are here", here, "they are not")
            total = sum(int(fact["tot-mem"]) for fact in client_facts(control).values())
            control.call("CONFIG", "SET", "maxmemory-clients", total + 100_000)
            checks.equal("nobody goes", len(client_facts(control)), 9)
            # A small one grows: the largest has to go for it.
            small[3].send_raw(b"y" * 1)
            small[3].send_raw(b"\r\n$300000\r\n" + b"z" * 299_000)
            checks.true("the largest goes", wait_until(lambda: "large" not in client_facts(control), 20), "it is there")
            checks.equal("nobody else", len(client_facts(control)), 8)
            checks.equal("INFO", number(control, "evicted_clients", "stats"), 1)
            try:
                large.read()
                checks.true("it is disconnected", False)
            except GONE:
                checks.true("it is disconnected", True)
            checks.contains("log", server.log_text(), "Evicting client: id=")
            for client in [*small, large]:
                client.close()


def no_more_clients_go_than_must(checks):
    for threads in (1, 4):
        with Server(threads=threads) as server, server.client() as control:
            control.call("CLIENT", "NO-EVICT", "on")
            clients = [holding(server, f"c{i}", 300_000) for i in range(12)]
            wait_until(lambda: all(int(fact["tot-mem"]) > 300_000 for name, fact in client_facts(control).items() if name), 20)
            facts = client_facts(control)
            each = max(int(fact["tot-mem"]) for fact in facts.values())
            # Room for what this client's own replies take meanwhile, which is less than one of the others.
            room = 100_000
            control.call("CONFIG", "SET", "maxmemory-clients", each * 5 + int(facts[""]["tot-mem"]) + room)
            checks.equal(f"threads {threads}: who is left", len(client_facts(control)), 6)
            checks.equal("INFO", number(control, "evicted_clients", "stats"), 7)
            # A share of no memory is no limit.
            control.call("CONFIG", "SET", "maxmemory-clients", "1%")
            checks.equal("nobody goes", len(client_facts(control)), 6)
            control.call("CONFIG", "SET", "maxmemory", "10mb")
            checks.equal("a share of maxmemory", set(client_facts(control)), {""})
            for client in clients:
                client.close()


def unread_replies_count(checks):
    with Server(["--maxmemory-clients", "8mb"], threads=4) as server, server.client() as control:
        control.call("SET", "k", "x" * 300_000)
        greedy = server.client()
        greedy.call("CLIENT", "SETNAME", "greedy")
        try:
            for _ in range(400):
                greedy.send("GET", "k")
        except GONE:
            pass
        checks.true("who does not read goes", wait_until(lambda: "greedy" not in client_facts(control), 20), "it stays")
        checks.equal("INFO", number(control, "evicted_clients", "stats"), 1)
        checks.equal("keys stay", control.call("DBSIZE"), 1)
        greedy.close()


def check_sums(checks, name, client):
    memory, stats = figures(client), memory_stats(client)
    value = {key: int(text) for key, text in memory.items() if text.isdigit()}
    checks.equal(f"{name}: overhead + dataset", value["used_memory_overhead"] + value["used_memory_dataset"],
                 value["used_memory"])
    tables = sum(sum(part[1::2]) for key, part in stats.items() if key.startswith("db."))
    parts = sum(stats[key] for key in ("startup.allocated", "replication.backlog", "clients.slaves", "clients.normal",
                                       "cluster.links", "aof.buffer", "lua.caches", "functions.caches"))
    checks.equal(f"{name}: the parts of overhead.total", parts + tables, stats["overhead.total"])
    checks.equal(f"{name}: dataset.bytes", stats["dataset.bytes"], stats["total.allocated"] - stats["overhead.total"])
    checks.true(f"{name}: peak", value["used_memory_peak"] >= value["used_memory"], memory)
    checks.equal(f"{name}: frag bytes", int(memory["allocator_frag_bytes"]),
                 value["allocator_active"] - value["allocator_allocated"])
    checks.equal(f"{name}: rss bytes", int(memory["allocator_rss_bytes"]),
                 value["allocator_resident"] - value["allocator_active"])
    checks.equal(f"{name}: rss overhead", int(memory["rss_overhead_bytes"]),
                 value["used_memory_rss"] - value["allocator_resident"])
    checks.equal(f"{name}: fragmentation", int(memory["mem_fragmentation_bytes"]),
                 value["used_memory_rss"] - value["used_memory"])
    checks.equal(f"{name}: fragmentation ratio", memory["mem_fragmentation_ratio"],
                 f"{value['used_memory_rss'] / value['used_memory']:.2f}")
    checks.equal(f"{name}: not counted for eviction", value["mem_not_counted_for_evict"], value["mem_aof_buffer"])
    # What the allocator has handed out, to threads that count and to the libraries around them.
    apart = abs(value["used_memory"] - value["allocator_allocated"])
    checks.true(f"{name}: used_memory is what the allocator says", apart < 3 * MEGABYTE, f"{apart} bytes apart: {memory}")


def figures_add_up(checks):
    """Under writers, with the append-only file, with lazy freeing and with values that clients have not read."""
    for threads in (1, 4):
        with Server(["--appendonly", "yes", "--save", ""], threads=threads) as server, server.client() as client:
            check_sums(checks, f"threads {threads}, empty", client)
            empty = number(client, "used_memory_dataset")
            stop = threading.Event()
            writers = [threading.Thread(target=write_until, args=(server, stop, i)) for i in range(4)]
            for writer in writers:
                writer.start()
            for _ in range(5):
                check_sums(checks, "under load", client)
            wait_until(lambda: number(client, "total_commands_processed", "stats") > 60_000)
            stop.set()
            for writer in writers:
                writer.join()
            check_sums(checks, "after the load", client)
            # 4 writers × 500 keys of 1,000 bytes, and what surrounds them.
            grown = number(client, "used_memory_dataset") - empty
            checks.true("the data set", 2_000_000 < grown < 3_500_000, f"{grown} bytes")
            client.call("SET", "large", "x" * 5 * MEGABYTE)
            readers = [server.client() for _ in range(20)]
            for reader in readers:
                reader.send("GET", "large")
            wait_until(lambda: sum(int(line.split(" omem=")[1].split(" ")[0]) > 0
                                   for line in client.call("CLIENT", "LIST").decode().splitlines()) == 20)
            check_sums(checks, "a value in twenty replies", client)
            checks.true("it counts once", number(client, "used_memory_dataset") < grown + empty + 8 * MEGABYTE,
                        figures(client))
            for reader in readers:
                reader.close()
            client.call("FLUSHALL", "ASYNC")
            wait_until(lambda: number(client, "lazyfree_pending_objects") == 0)
            wait_until(lambda: number(client, "used_memory_dataset") < empty + MEGABYTE, 20)
            check_sums(checks, "emptied", client)
            left = number(client, "used_memory_dataset") - empty
            checks.true("nothing stays", left < MEGABYTE, f"{left} bytes")


def write_until(server, stop, which):
    with server.client() as client:
        while not stop.is_set():
            fill(client, [("SET", f"key:{which}:{i}", "v" * 1000) for i in range(500)])


def oom_only_when_nothing_can_go(checks):
    with Server(threads=2) as server, server.client() as client:
        fill(client, [("SET", f"k{i}", "x" * 1000) for i in range(2000)])
        limit = number(client, "used_memory") - 100_000
        for policy in ("noeviction", "volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random"):
            client.call("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", limit)
            reply = client.call("SET", "new", "x")
            checks.true(f"{policy}: writes are refused", isinstance(reply, ErrorReply) and reply.startswith(b"OOM"), reply)
            checks.equal("reads are not", client.call("GET", "k7"), b"x" * 1000)
            client.call("MULTI")
            client.call("SET", "new", "x")
            checks.true("a transaction", isinstance(client.call("EXEC"), ErrorReply), "it ran")
            checks.equal("nothing went", client.call("DBSIZE"), 2000)
            checks.equal("current_eviction_exceeded_time", number(client, "current_eviction_exceeded_time", "stats") >= 0, True)
        # Many samples: with five the first victim would now and then be one of the younger half.
        client.call("CONFIG", "SET", "maxmemory-policy", "volatile-ttl", "maxmemory", 0, "maxmemory-samples", 64)
        fill(client, [("SET", f"t{i}", "x" * 1000, "EX", 1000 + i) for i in range(500)])
        client.call("CONFIG", "SET", "maxmemory", number(client, "used_memory") - 100_000)
        checks.equal("with a victim there is room", client.call("SET", "new", "x"), b"OK")
        checks.equal("only what may go went", client.call("EXISTS", *[f"k{i}" for i in range(2000)]), 2000)
        checks.true("what has longest to live stays", client.call("EXISTS", *[f"t{i}" for i in range(300, 500)]) == 200)
        client.call("DEL", *[f"k{i}" for i in range(2000)])
        # A core may have looked at the memory just before.
        enough = wait_until(lambda: number(client, "current_eviction_exceeded_time", "stats") == 0, 20)
        checks.true("enough room", enough, "it says that there is none")


def parallel_writers_stay_below(checks):
    """Several cores evict at once; memory stays at the limit, and no write is refused."""
    for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-ttl"):
        with Server(threads=4) as server, server.client() as client:
            limit = number(client, "used_memory") + 20 * MEGABYTE
            client.call("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", limit)
            refused = []

            def write(which):
                with server.client() as writer:
                    for turn in range(8):
                        refused.append(fill(writer, [("SET", f"{which}:{turn}:{i}", "x" * 1000, "EX", 1000)
                                                     for i in range(2000)]))

            writers = [threading.Thread(target=write, args=(i,)) for i in range(6)]
            for writer in writers:
                writer.start()
            most = 0
            while any(writer.is_alive() for writer in writers):
                most = max(most, number(client, "used_memory"))
            for writer in writers:
                writer.join()
            # Requests and replies that are on their way when the limit is looked at.
            checks.true(f"{policy}: memory", most < limit + 6 * MEGABYTE, f"{most - limit} bytes over")
            checks.true("when it is quiet", wait_until(lambda: number(client, "used_memory") <= limit + 100_000, 10),
                        figures(client))
            checks.equal("refused", sum(refused), 0)
            kept = client.call("DBSIZE") * 1000
            checks.true("no more goes than must", kept > 12 * MEGABYTE, f"{kept} bytes are kept")


def replay_gives_the_same(checks):
    """The file that was written while keys were evicted gives the data set that was left."""
    for lazy in ("no", "yes"):
        with tempfile.TemporaryDirectory(prefix="cinnabar-test-") as folder:
            options = ["--appendonly", "yes", "--save", "", "--lazyfree-lazy-eviction", lazy]
            with Server(options, threads=4, folder=folder) as server, server.client() as client:
                limit = number(client, "used_memory") + 4 * MEGABYTE
                client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", limit)
                writers = [threading.Thread(target=mixed_writes, args=(server, i)) for i in range(4)]
                for writer in writers:
                    writer.start()
                for writer in writers:
                    writer.join()
                wait_until(lambda: number(client, "used_memory") <= limit + 4096, 10)
                client.call("CONFIG", "SET", "maxmemory", 0)
                evicted = number(client, "evicted_keys", "stats")
                checks.true("keys were evicted", evicted > 1000, f"{evicted} were")
                before, keys = client.call("DEBUG", "DIGEST"), client.call("DBSIZE")
            with Server(options, threads=4, folder=folder) as server, server.client() as client:
                checks.equal("keys", client.call("DBSIZE"), keys)
                checks.equal(f"lazy {lazy}: the data set", client.call("DEBUG", "DIGEST"), before)


def mixed_writes(server, which):
    with server.client() as client:
        for turn in range(6):
            fill(client, [word for i in range(500) for word in (
                ("SET", f"{which}:{turn}:{i}", "x" * 500), ("RPUSH", f"list:{i % 50}", f"{which}:{turn}:{i}"),
                ("INCR", f"counter:{i % 20}"), ("HSET", f"hash:{turn}:{i}", "a", "b" * 300))])


def buffers_of_the_file_are_not_counted(checks):
    """What waits for the disk evicts no keys: writing their deletions would make it longer."""
    with Server(["--appendonly", "yes", "--save", "", "--maxmemory-policy", "allkeys-lru"]) as server, \
            server.client() as client:
        fill(client, [("SET", f"k{i}", "x" * 1000) for i in range(1000)])
        client.call("CONFIG", "SET", "maxmemory", number(client, "used_memory") + 2 * MEGABYTE)
        for _ in range(40):  # 40 MB of journal for a data set that does not grow
            fill(client, [("SET", f"k{i}", "y" * 1000) for i in range(1000)])
        checks.equal("keys", client.call("DBSIZE"), 1000)
        checks.equal("evicted", number(client, "evicted_keys", "stats"), 0)


def lazy_eviction_takes_no_more(checks):
    """What a thread in the background is about to free counts as free."""
    with Server(["--maxmemory-policy", "allkeys-random", "--lazyfree-lazy-eviction", "yes"]) as server, \
            server.client() as client:
        for key in range(40):
            fill(client, [("HSET", f"large:{key}", *[f"{word}{i}" for i in range(field, field + 100) for word in "fv"])
                          for field in range(0, 10_000, 100)])
        client.call("CONFIG", "SET", "maxmemory", number(client, "used_memory") - 100_000)
        wait_until(lambda: number(client, "lazyfree_pending_objects") == 0 and
                   number(client, "current_eviction_exceeded_time", "stats") == 0)
        checks.equal("one of them is enough", client.call("DBSIZE"), 39)
        checks.equal("it was freed in the background", number(client, "lazyfreed_objects"), 1)


def a_pause_keeps_all_keys(checks):
    """What nobody asked for, eviction and expiry, waits for the end of CLIENT PAUSE like what clients ask for."""
    for words in ([("CLIENT", "PAUSE", "100000", "WRITE")],
                  [("MULTI",), ("CLIENT", "PAUSE", "100000", "WRITE"), ("EXEC",)]):
        with Server(["--maxmemory-policy", "allkeys-random", "--save", ""], threads=2) as server, server.client() as client:
            fill(client, [("SET", f"key:{i}", "x" * 1000) for i in range(1000)])
            client.call("SET", "brief", "x", "PX", 1)
            for command in words:
                client.call(*command)
            client.call("CONFIG", "SET", "maxmemory", number(client, "used_memory") // 2)
            for _ in range(20):
                client.call("PING")
                client.call("GET", "brief")
            checks.equal("evicted in the pause", number(client, "evicted_keys", "stats"), 0)
            client.call("CLIENT", "UNPAUSE")
            checks.true("afterwards", wait_until(lambda: number(client, "evicted_keys", "stats") > 100), "nothing goes")


def large_values_are_freed_in_the_background(checks):
    """Whatever takes a large value away: a moment that has come, a command that meets it, another value."""
    removals = {
        "lazyfree-lazy-expire": (("PEXPIRE", "large", "1"), ("GETEX", "text", "PXAT", "1")),
        "lazyfree-lazy-server-del": (("SET", "large", "v"), ("MSET", "large", "v"), ("BITOP", "AND", "large", "none"),
                                     ("RENAME", "small", "large"), ("SET", "text", "v"), ("GETSET", "text", "v")),
    }
    with Server() as server, server.client() as client:
        for directive, commands in removals.items():
            for value, expected in (("no", 0), ("yes", 1)):
                client.call("CONFIG", "SET", directive, value)
                for command in commands:
                    fill(client, [("SADD", "large", *range(first, first + 1000)) for first in range(0, 10_000, 1000)])
                    fill(client, [("SADD", "large", "word"), ("SET", "text", "x" * 1_000_000), ("SET", "small", "v")])
                    client.call("CONFIG", "RESETSTAT")
                    client.call(*command)
                    if command[0] == "PEXPIRE":
                        wait_until(lambda: client.call("EXISTS", "large") == 0)
                    wait_until(lambda: number(client, "lazyfree_pending_objects") == 0)
                    checks.equal(f"{directive} {value}: {command}", number(client, "lazyfreed_objects"), expected)
                    client.call("FLUSHALL", "SYNC")


def effort_of_expiry(checks):
    """More effort spends more of each cycle: the same keys are gone in fewer of them."""
    cut_short = {}
    for effort in (1, 10):
        # Cycles of 10 ms, so that it takes several: 2.5 ms are for expiry in each, or 7.
        with Server(["--active-expire-effort", effort, "--hz", 100, "--save", ""]) as server, server.client() as client:
            # The effort is in time: whoever else is busy on this machine must not take it away.
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, server.process.pid, -15)
            client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
            fill(client, [("SET", f"key:{i}", "x", "PX", "1") for i in range(300_000)])
            # Only a look at a key removes it now.
            client.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
            checks.true("they go", wait_until(lambda: client.call("DBSIZE") == 0), "they stay")
            stats = figures(client, "stats")
            cut_short[effort] = int(stats["expired_time_cap_reached_count"])
            checks.equal("expired_keys", stats["expired_keys"], "300000")
            checks.true("time is told", int(stats["expire_cycle_cpu_milliseconds"]) > 0, stats)
    checks.true("cycles", cut_short[1] > cut_short[10], f"cut short: {cut_short}")


def tenacity(checks):
    """How much one command has to wait for eviction."""
    evicted = {}
    for tenacity_value in (0, 100):
        with Server(["--maxmemory-eviction-tenacity", tenacity_value, "--maxmemory-policy", "allkeys-random"]) as server, \
                server.client() as client:
            fill(client, [("SET", f"key:{i}", "x" * 100) for i in range(100_000)])
            limit = number(client, "used_memory") - 8 * MEGABYTE
            client.send_raw(b"".join(encode(words) for words in (
                ("CONFIG", "SET", "maxmemory", limit), ("PING",), ("INFO", "stats"))))
            client.read()
            client.read()
            text = client.read().decode()
            evicted[tenacity_value] = int(text.split("evicted_keys:")[1].split("\r")[0])
            # INFO is asked when memory is below the limit, and takes a few bytes itself.
            checks.true("it ends below the limit", wait_until(lambda: number(client, "used_memory") <= limit + 4096, 20),
                        f"{number(client, 'used_memory')}, limit {limit}")
    checks.true("a patient command waits", evicted[100] > 20_000, evicted)
    checks.true("an impatient one does not", evicted[0] < 100, evicted)


def purge_and_doctor(checks):
    with Server() as server, server.client() as client:
        checks.contains("doctor", client.call("MEMORY", "DOCTOR").decode(), "very little memory")
        fill(client, [("SET", f"key:{i}", "x" * 500) for i in range(100_000)])
        full = number(client, "allocator_resident")
        client.call("FLUSHALL", "SYNC")
        checks.equal("purge", client.call("MEMORY", "PURGE"), b"OK")
        emptied = number(client, "allocator_resident")
        checks.true("pages go back", emptied < full / 2, f"{full} before, {emptied} after")
        stats = client.call("MEMORY", "MALLOC-STATS").decode()
        ours = b"jemalloc" in client.call("INFO", "memory")
        checks.contains("malloc-stats", stats, "jemalloc" if ours else "Stats not supported for the current allocator")
        fill(client, [("SET", f"key:{i}", "x" * 500) for i in range(15_000)])
        checks.contains("doctor", client.call("MEMORY", "DOCTOR").decode(), "Peak memory")


if __name__ == "__main__":
    sys.exit(run_parts([the_largest_client_goes, no_more_clients_go_than_must, unread_replies_count, figures_add_up,
                        oom_only_when_nothing_can_go, parallel_writers_stay_below, replay_gives_the_same,
                        buffers_of_the_file_are_not_counted, lazy_eviction_takes_no_more, a_pause_keeps_all_keys,
                        large_values_are_freed_in_the_background, effort_of_expiry, tenacity, purge_and_doctor]))

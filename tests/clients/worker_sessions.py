"""Job queues with workers in processes of their own, as Debian ships them: RQ, Celery and Sidekiq.

The producer is here (a Ruby program, for Sidekiq), the workers are started by their own commands. What waits for a worker
waits for what it leaves in the server.
"""

import os
import signal
import subprocess
import sys

from harness import HOST, Lines, run
from python_client import python_client
from server_process import end, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS_MAX = 60


def workers_session(checks, server, _locked):
    r = python_client(server, 2, "tcp")
    for part in (_rq, _celery, _sidekiq):
        r.flushall()
        with checks.part(part.__name__.strip("_")):
            part(checks, server, r)


def _world(server):
    """The environment of workers and producers."""
    return {**os.environ, "REDIS_AT": f"{HOST}:{server.port}", "PYTHONPATH": HERE, "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1"}


# ---- RQ ----------------------------------------------------------------------------------------------------------------


def _rq(c, server, r):
    from rq import Queue, Retry
    from rq.job import Job
    from rq.registry import FailedJobRegistry, FinishedJobRegistry
    import worker_tasks
    raw = python_client(server, 2, "tcp", decode_responses=False)
    queue = Queue("default", connection=raw)

    def burst():
        status, _, errors = run(["/usr/bin/rq", "worker", "--burst", "--quiet", "--url", f"redis://{HOST}:{server.port}/0",
            "default"],
                                  timeout=SECONDS_MAX, env=_world(server))
        c.equal("the worker ends well", [status, errors[-300:] if status else ""], [0, ""])

    jobs = [queue.enqueue(worker_tasks.double, number, result_ttl=600) for number in range(12)]
    failing = queue.enqueue(worker_tasks.broken, "on purpose")
    again = queue.enqueue(worker_tasks.second_time, retry=Retry(max=2))
    after = queue.enqueue(worker_tasks.sum_of_dependencies, depends_on=jobs[:4])
    c.equal("queued", [len(queue), after.get_status(), r.llen("rq:queue:default")], [14, "deferred", 14])
    burst()
    c.equal("results", [job.result for job in jobs], [2 * number for number in range(12)])
    c.equal("after its dependencies", [after.get_status(refresh=True), Job.fetch(after.id, connection=raw).result],
        ["finished", 12])
    c.equal("what failed", [failing.get_status(refresh=True), "on purpose" in (failing.exc_info or ""),
        failing.id in FailedJobRegistry(queue=queue)], ["failed", True, True])
    c.equal("the second time", [again.get_status(refresh=True), Job.fetch(again.id, connection=raw).result], ["finished", "the second time"])
    c.true("the finished ones", {job.id for job in jobs} <= set(FinishedJobRegistry(queue=queue).get_job_ids()))
    FailedJobRegistry(queue=queue).requeue(failing.id)
    c.equal("requeued", len(queue), 1)
    burst()
    c.equal("and failed again", [failing.get_status(refresh=True), len(queue)], ["failed", 0])
    c.equal("emptied", [queue.enqueue(worker_tasks.double, 1) is not None, queue.empty(), len(queue)], [True, 1, 0])


# ---- Celery ------------------------------------------------------------------------------------------------------------


def _celery(c, server, r):
    # In a process of its own: the module reads the address when it is imported, once for each server.
    with Lines([sys.executable, "-m", "celery", "-A", "worker_tasks", "worker", "--pool", "solo", "--loglevel", "INFO",
            "--without-heartbeat"], _world(server)) as worker:
        c.true("the worker is ready", "ready." in worker.until("ready.")[-1])
        # The alarm of Lines is for its first words; what follows has a time of its own.
        worker.alarm.cancel()
        status, out, errors = run([sys.executable, f"{HERE}/celery_producer.py"], timeout=SECONDS_MAX, env=_world(server))
        c.equal("the producer", [status, out.split("\n")[:-1]], [0, CELERY_SAYS])
        if status:
            c.true("without an error", False, errors[-1500:])
        worker.process.send_signal(signal.SIGTERM)
        c.equal("the worker ends well", worker.process.wait(SECONDS_MAX), 0)
    c.equal("the task of the far future is put back", python_client(server, 2, "tcp", db=1).llen("celery"), 1)


CELERY_SAYS = ["sums [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]", "chord 90", "chain 13", "retries 2", "failed ValueError on purpose",
    "later 7", "revoked REVOKED", "state SUCCESS", "forgotten PENDING"]


# ---- Sidekiq -----------------------------------------------------------------------------------------------------------

SIDEKIQ_PRODUCER = """
require './sidekiq_worker'
require 'sidekiq/api'
50.times { |n| Adder.perform_async(n, n) }
Adder.perform_in(0.05, 1000, 1)
Adder.perform_in(3600, 2000, 2)
Fragile.perform_async('job')
Hopeless.perform_async('on purpose')
Sidekiq::Client.push_bulk('class' => Adder, 'args' => (100..149).map { |n| [n, 0] })
puts Sidekiq::ScheduledSet.new.map { |job| job.args[0] }.max
"""


def _sidekiq(c, server, r):
    status, out, errors = run(["ruby", "-e", f"Dir.chdir '{HERE}'\n{SIDEKIQ_PRODUCER}"], timeout=SECONDS_MAX, env=_world(server))
    c.equal("the producer", [status, out, errors[-500:] if status else ""], [0, "2000\n", ""])
    c.equal("queued", [r.llen("queue:default"), r.zcard("schedule")], [102, 2])
    worker = subprocess.Popen(["sidekiq", "-r", "./sidekiq_worker.rb", "-c", "4", "-t", "5"], cwd=HERE, env=_world(server),
        stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        c.true("all results", wait_until(lambda: r.llen("results") == 101), r.llen("results"))
        c.equal("each once", sorted(int(value) for value in r.lrange("results", 0, -1)),
            sorted([2 * n for n in range(50)] + [1001] + list(range(100, 150))))
        c.true("tried again", wait_until(lambda: r.lrange("survived", 0, -1) == ["job"]), r.get("tries:job"))
        c.equal("the far one waits", [r.zcard("schedule"), r.zcard("retry")], [1, 0])
        c.true("statistics", wait_until(lambda: (r.get("stat:processed"), r.get("stat:failed")) == ("104", "2")),
            (r.get("stat:processed"), r.get("stat:failed")))
        worker.send_signal(signal.SIGTERM)
        c.equal("the worker ends well", worker.wait(SECONDS_MAX), 0)
        c.equal("and signs off", r.scard("processes"), 0)
    finally:
        end(worker)

"""Tasks of the Python queues in worker_sessions.py. Their workers import this module in processes of their own.

REDIS_AT=host:port   where the server is
"""

import os

from celery import Celery, chord

ADDRESS = os.environ.get("REDIS_AT", "127.0.0.1:1")
app = Celery("worker_tasks", broker=f"redis://{ADDRESS}/1", backend=f"redis://{ADDRESS}/2")
app.conf.update(task_acks_late=True, result_extended=True, broker_connection_retry=False, worker_hijack_root_logger=False)


@app.task
def add(one, other):
    return one + other


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def failing(text):
    raise ValueError(text)


@app.task(bind=True, max_retries=5)
def third_time(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


def squares_and_sum(count):
    return chord((add.s(n, n) for n in range(count)), total.s())


# ---- for rq: plain functions ------------------------------------------------------------------------------------------


def double(number):
    return 2 * number


def broken(text):
    raise RuntimeError(text)


def sum_of_dependencies(*_):
    from rq import get_current_job
    return sum(job.result for job in get_current_job().fetch_dependencies())


def second_time():
    from rq import get_current_job
    if get_current_job().retries_left == 2:
        raise RuntimeError("the first time")
    return "the second time"

"""What a web application does with Celery: sends tasks of worker_tasks.py and prints what becomes of them."""

from celery import group
from celery.exceptions import TaskRevokedError

import worker_tasks as tasks


def main():
    print("sums", group(tasks.add.s(n, n) for n in range(10))().get(timeout=30))
    print("chord", tasks.squares_and_sum(10)().get(timeout=30))
    print("chain", (tasks.add.s(1, 2) | tasks.add.s(10)).apply_async().get(timeout=30))
    print("retries", tasks.third_time.delay().get(timeout=30))
    try:
        tasks.failing.delay("on purpose").get(timeout=30)
    except ValueError as error:
        print("failed", type(error).__name__, error)
    print("later", tasks.add.apply_async((3, 4), countdown=0.05).get(timeout=30))
    far = tasks.add.apply_async((1, 1), countdown=3600)
    far.revoke()
    tasks.add.apply_async((0, 0), countdown=0.05).get(timeout=30)
    far_soon = tasks.add.apply_async((1, 1), task_id=far.id)  # under the identity that was revoked
    try:
        far_soon.get(timeout=30)
    except TaskRevokedError:
        print("revoked", far_soon.state)
    done = tasks.add.delay(1, 1)
    done.get(timeout=30)
    print("state", done.state)
    done.forget()
    print("forgotten", tasks.app.AsyncResult(done.id).state)


if __name__ == "__main__":
    main()

# streams_consumer.py — Consumer group worker with acknowledgement and claim
import redis
import json
import time
import socket
r = redis.Redis(host="redis", port=6379, decode_responses=True)
STREAM_KEY = "orders:events"
GROUP_NAME = "order-processor"
CONSUMER_NAME = socket.gethostname() # unique per pod/instance
BLOCK_MS = 2000 # block up to 2s waiting for new messages
CLAIM_IDLE_MS = 30_000 # reclaim messages idle for 30s (dead consumer recovery)
BATCH_SIZE = 10


def ensure_consumer_group() -> None:
    try:
        r.xgroup_create(STREAM_KEY, GROUP_NAME, id="0", mkstream=True)
    except redis.exceptions.ResponseError as e:
        if "BUSYGROUP" not in str(e):
            raise


def process_message(message_id: str, fields: dict) -> None:
    event_type = fields.get("event_type")
    payload = json.loads(fields.get("payload", "{}"))
    order_id = fields.get("order_id")
    print(f"Processing [{event_type}] order={order_id}")
    # ... your business logic here


def run_consumer() -> None:
    ensure_consumer_group()
    while True:
        # --- Phase 1: Claim any idle messages from dead consumers ---
        claimed = r.xautoclaim(
            STREAM_KEY,
            GROUP_NAME,
            CONSUMER_NAME,
            min_idle_time=CLAIM_IDLE_MS,
            start_id="0-0",
            count=BATCH_SIZE,
        )
        # xautoclaim returns (next_start_id, messages, deleted_ids)
        for message_id, fields in claimed[1]:
            try:
                process_message(message_id, fields)
                r.xack(STREAM_KEY, GROUP_NAME, message_id)
            except Exception as exc:
                print(f"Failed to process {message_id}: {exc}")
        # --- Phase 2: Read new messages ---
        messages = r.xreadgroup(
            GROUP_NAME,
            CONSUMER_NAME,
            {STREAM_KEY: ">"}, # ">" means: only undelivered messages
            count=BATCH_SIZE,
            block=BLOCK_MS,
        )
        if not messages:
            continue
        for stream_key, entries in messages:
            for message_id, fields in entries:
                try:
                    process_message(message_id, fields)
                    r.xack(STREAM_KEY, GROUP_NAME, message_id)
                except Exception as exc:
                    print(f"Failed to process {message_id}: {exc}")
                    # Do NOT ack — message stays in PEL for re-delivery


if __name__ == "__main__":
    run_consumer()

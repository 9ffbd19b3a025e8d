# streams_producer.py — Producing messages to a Redis Stream
import redis
import json
import time
r = redis.Redis(host="redis", port=6379, decode_responses=True)
STREAM_KEY = "orders:events"
MAX_STREAM_LEN = 100_000 # trim stream to avoid unbounded growth


def publish_order_event(order_id: str, event_type: str, payload: dict) -> str:
    """
    Append an event to the orders stream.
    Returns the auto-generated message ID (millisecond-timestamp-sequence).
    """
    message_id = r.xadd(
        STREAM_KEY,
        {
            "order_id": order_id,
            "event_type": event_type,
            "payload": json.dumps(payload),
            "published_at": str(int(time.time() * 1000)),
        },
        maxlen=MAX_STREAM_LEN, # MAXLEN with ~ for approximate trimming (fast)
        approximate=True,
    )
    return message_id


# Example usage
if __name__ == "__main__":
    mid = publish_order_event(
        order_id="ord-abc123",
        event_type="OrderPlaced",
        payload={"customer_id": "cust-xyz", "total": 149.99},
    )
    print(f"Published: {mid}")

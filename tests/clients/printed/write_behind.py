# write_behind.py — Write-Behind with a Redis List as a write queue
import json
import time
import redis
import threading
r = redis.Redis(host="redis", port=6379, decode_responses=True)
WRITE_QUEUE = "write_queue:products"


def update_product_price_async(product_id: str, new_price: float) -> None:
    """Write to Redis immediately, queue the DB write."""
    # Update cache value immediately
    cache_key = f"product:{product_id}"
    product = r.get(cache_key)
    if product:
        data = json.loads(product)
        data["price"] = new_price
        r.setex(cache_key, 300, json.dumps(data))
    # Enqueue the DB write
    r.rpush(WRITE_QUEUE, json.dumps({
        "product_id": product_id,
        "price": new_price,
        "queued_at": time.time(),
    }))


def write_behind_worker(db_conn) -> None:
    """Background thread that flushes queued writes to the database."""
    while True:
        # Blocking pop — waits up to 5 seconds for a new entry
        item = r.blpop(WRITE_QUEUE, timeout=5)
        if item is None:
            continue
        payload = json.loads(item[1])
        try:
            with db_conn.cursor() as cur:
                cur.execute(
                    "UPDATE products SET price = %s, updated_at = now() WHERE id = %s",
                    (payload["price"], payload["product_id"]),
                )
            db_conn.commit()
        except Exception as exc:
            # On failure, re-enqueue for retry (dead letter queue for repeated failures)
            print(f"Write-behind flush failed: {exc}")
            r.rpush(WRITE_QUEUE, item[1])


# Start the flush worker in a background thread
# In production: run as a separate process or Kubernetes Job
def start_write_behind(db_conn) -> None:
    t = threading.Thread(target=write_behind_worker, args=(db_conn,), daemon=True)
    t.start()

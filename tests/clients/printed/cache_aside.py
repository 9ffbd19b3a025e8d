# cache_aside.py — Cache-Aside pattern with Redis and PostgreSQL
import json
import redis
import psycopg2
from typing import Any
r = redis.Redis(host="redis", port=6379, decode_responses=True)


def get_product(product_id: str, db_conn) -> dict[str, Any] | None:
    cache_key = f"product:{product_id}"
    # 1. Try cache first
    cached = r.get(cache_key)
    if cached is not None:
        return json.loads(cached)
    # 2. Cache miss — query the database
    with db_conn.cursor() as cur:
        cur.execute(
            "SELECT id, name, price, stock FROM products WHERE id = %s",
            (product_id,),
        )
        row = cur.fetchone()
    if row is None:
        # Cache negative results to prevent cache stampede on non-existent keys
        r.setex(cache_key, 30, json.dumps(None))
        return None
    product = {"id": row[0], "name": row[1], "price": float(row[2]), "stock": row[3]}
    # 3. Populate the cache with a TTL
    r.setex(cache_key, 300, json.dumps(product)) # 5-minute TTL
    return product


def invalidate_product(product_id: str) -> None:
    """Call this whenever a product is updated in the database."""
    r.delete(f"product:{product_id}")

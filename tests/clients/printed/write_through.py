# write_through.py — Write-Through pattern
import json
import redis
import psycopg2
r = redis.Redis(host="redis", port=6379, decode_responses=True)


def update_product_price(product_id: str, new_price: float, db_conn) -> None:
    # 1. Write to the primary database first
    with db_conn.cursor() as cur:
        cur.execute(
            "UPDATE products SET price = %s, updated_at = now() WHERE id = %s",
            (new_price, product_id),
        )
    db_conn.commit()
    # 2. Update the cache immediately — fetch the full current record
    with db_conn.cursor() as cur:
        cur.execute(
            "SELECT id, name, price, stock FROM products WHERE id = %s",
            (product_id,),
        )
        row = cur.fetchone()
    if row:
        product = {"id": row[0], "name": row[1], "price": float(row[2]), "stock": row[3]}
        r.setex(f"product:{product_id}", 300, json.dumps(product))
    else:
        # Row deleted between UPDATE and SELECT — invalidate
        r.delete(f"product:{product_id}")

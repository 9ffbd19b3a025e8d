# pubsub_example.py — Redis Pub/Sub publisher and subscriber
import redis
import threading
import json
r_pub = redis.Redis(host="redis", port=6379, decode_responses=True)


# Publisher — sends a live price update to all connected subscribers
def publish_price_update(product_id: str, new_price: float) -> None:
    payload = json.dumps({"product_id": product_id, "price": new_price})
    subscriber_count = r_pub.publish("price_updates", payload)
    print(f"Published to {subscriber_count} subscribers")


# Subscriber — listens for price updates in a background thread
def subscribe_price_updates() -> None:
    r_sub = redis.Redis(host="redis", port=6379, decode_responses=True)
    pubsub = r_sub.pubsub()
    pubsub.subscribe("price_updates")
    for message in pubsub.listen():
        if message["type"] != "message":
            continue
        data = json.loads(message["data"])
        print(f"Price update received: {data['product_id']} -> {data['price']}")


# Pattern subscribe — receive all events matching a glob pattern
def subscribe_all_events() -> None:
    r_sub = redis.Redis(host="redis", port=6379, decode_responses=True)
    pubsub = r_sub.pubsub()
    pubsub.psubscribe("*_updates") # matches price_updates, inventory_updates, etc.
    for message in pubsub.listen():
        if message["type"] != "pmessage":
            continue
        print(f"[{message['channel']}] {message['data']}")

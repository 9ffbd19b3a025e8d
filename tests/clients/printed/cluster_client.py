# cluster_client.py — Redis Cluster client with hash tags for co-location
from redis.cluster import RedisCluster, ClusterNode
startup_nodes = [
    ClusterNode("redis-primary-1", 7001),
    ClusterNode("redis-primary-2", 7002),
    ClusterNode("redis-primary-3", 7003),
]
rc = RedisCluster(startup_nodes=startup_nodes, decode_responses=True)


# Hash tags force multiple keys to the same slot
# Keys with the same {tag} hash to the same slot, enabling multi-key operations
def get_user_session(user_id: str) -> dict:
    # {user_id} is the hash tag — all three keys land on the same slot
    session_key = f"{{user:{user_id}}}:session"
    cart_key = f"{{user:{user_id}}}:cart"
    prefs_key = f"{{user:{user_id}}}:prefs"
    # MGET works across keys on different slots... but ONLY if they're on the same slot
    # Without the hash tag, MGET on a cluster raises CrossSlotKeysError
    session, cart, prefs = rc.mget([session_key, cart_key, prefs_key])
    return {
        "session": session,
        "cart_items": int(cart or 0),
        "preferences": prefs,
    }


# Pipeline in cluster mode — commands are batched per shard automatically
def batch_set_user_data(user_data: list[dict]) -> None:
    pipe = rc.pipeline()
    for user in user_data:
        uid = user["id"]
        pipe.setex(f"user:{uid}:profile", 3600, str(user))
    pipe.execute()

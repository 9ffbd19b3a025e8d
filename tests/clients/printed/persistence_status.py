import redis

r = redis.Redis(host='localhost', port=6379, decode_responses=True)

def check_persistence_status():
    """
    Check Redis persistence configuration and status.
    Useful for monitoring and alerting.
    """
    info = r.info()

    status = {
        # RDB status
        'rdb_enabled': info.get('rdb_bgsave_in_progress', 0) is not None,
        'rdb_last_save_time': info.get('rdb_last_save_time', 0),
        'rdb_last_bgsave_status': info.get('rdb_last_bgsave_status', 'unknown'),
        'rdb_last_bgsave_time_sec': info.get('rdb_last_bgsave_time_sec', 0),
        'rdb_current_bgsave_time_sec': info.get('rdb_current_bgsave_time_sec', -1),

        # AOF status
        'aof_enabled': info.get('aof_enabled', 0) == 1,
        'aof_last_rewrite_status': info.get('aof_last_bgrewrite_status', 'unknown'),
        'aof_current_size': info.get('aof_current_size', 0),
        'aof_base_size': info.get('aof_base_size', 0),
        'aof_pending_rewrite': info.get('aof_pending_rewrite', 0),

        # Memory
        'used_memory_human': info.get('used_memory_human', '0'),
        'maxmemory_human': info.get('maxmemory_human', '0'),
    }

    return status


def check_persistence_health():
    """
    Return health status based on persistence metrics.
    """
    status = check_persistence_status()
    issues = []

    # Check RDB status
    if status['rdb_last_bgsave_status'] != 'ok':
        issues.append(f"RDB save failed: {status['rdb_last_bgsave_status']}")

    # Check if last save is too old (more than 1 hour)
    import time
    if time.time() - status['rdb_last_save_time'] > 3600:
        issues.append("RDB snapshot is more than 1 hour old")

    # Check AOF status
    if status['aof_enabled']:
        if status['aof_last_rewrite_status'] != 'ok':
            issues.append(f"AOF rewrite failed: {status['aof_last_rewrite_status']}")

        # Check AOF growth
        if status['aof_base_size'] > 0:
            growth = status['aof_current_size'] / status['aof_base_size']
            if growth > 2:
                issues.append(f"AOF has grown {growth:.1f}x since last rewrite")

    return {
        'healthy': len(issues) == 0,
        'issues': issues,
        'status': status,
    }


# Check and print status
health = check_persistence_health()
if health['healthy']:
    print("Persistence is healthy")
else:
    print("Persistence issues detected:")
    for issue in health['issues']:
        print(f"  - {issue}")

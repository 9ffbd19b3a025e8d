# Docker stop sends SIGTERM, Redis saves data and exits cleanly
# Default timeout is 10 seconds, increase for large datasets
docker stop --time=30 redis

# Force immediate stop (may lose data!)
docker kill redis

# In docker-compose.yml, set stop_grace_period
# stop_grace_period: 30s

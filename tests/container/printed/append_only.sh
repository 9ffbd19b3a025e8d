# Run Redis with AOF persistence
docker run -d \
  --name redis-aof \
  -p 6379:6379 \
  -v redis-data:/data \
  redis:7-alpine \
  redis-server \
    --appendonly yes \
    --appendfsync everysec

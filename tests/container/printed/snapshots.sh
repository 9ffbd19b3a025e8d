# Run Redis with RDB persistence
# Saves snapshot every 60 seconds if at least 1 key changed
docker run -d \
  --name redis-rdb \
  -p 6379:6379 \
  -v redis-data:/data \
  redis:7-alpine \
  redis-server \
    --save 60 1 \
    --save 300 10 \
    --save 900 100

# Create a named volume for Redis data
docker volume create redis-data

# Run Redis with AOF persistence
docker run -d \
  --name redis \
  -p 6379:6379 \
  -v redis-data:/data \
  redis:7-alpine \
  redis-server --appendonly yes

# Verify data survives restart
docker exec redis redis-cli SET mykey "hello"
docker restart redis
docker exec redis redis-cli GET mykey
# Output: hello

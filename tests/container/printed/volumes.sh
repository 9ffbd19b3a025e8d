# Option 1: Named volumes (recommended for production)
# Docker manages the volume location
docker volume create redis-data
docker run -v redis-data:/data redis:7-alpine

# Option 2: Bind mounts (useful for development)
# You control the exact location on host
mkdir -p /var/lib/redis
docker run -v /var/lib/redis:/data redis:7-alpine

# Option 3: tmpfs (for testing, no persistence)
# Data only in memory, lost on container stop
docker run --tmpfs /data redis:7-alpine

# Check volume details
docker volume inspect redis-data

# Backup a volume
docker run --rm \
  -v redis-data:/data \
  -v $(pwd):/backup \
  alpine \
  tar cvf /backup/redis-backup.tar /data

# Restore a volume
docker run --rm \
  -v redis-data:/data \
  -v $(pwd):/backup \
  alpine \
  tar xvf /backup/redis-backup.tar -C /

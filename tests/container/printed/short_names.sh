docker run -d --name redis -v redis_data:/data redis redis-server --appendonly yes

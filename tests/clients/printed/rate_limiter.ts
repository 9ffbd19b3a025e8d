// rate-limiter.ts — Sliding window rate limiter using Redis Sorted Sets
import Redis from "ioredis";
const redis = new Redis({ host: "redis", port: 6379 });
interface RateLimitResult {
  allowed: boolean;
  remaining: number;
  resetAt: number;
}
/**
 * Sliding window rate limiter.
 * Stores each request as a member of a Sorted Set with the timestamp as score.
 * Atomically counts requests in the current window and removes expired entries.
 */
const RATE_LIMIT_SCRIPT = `
local key = KEYS[1]
local now = tonumber(ARGV[1])
local window = tonumber(ARGV[2])
local limit = tonumber(ARGV[3])
local window_start = now - window
-- Remove expired entries
redis.call('ZREMRANGEBYSCORE', key, '-inf', window_start)
-- Count requests in the current window
local count = redis.call('ZCARD', key)
if count < limit then
  -- Allow: add this request with the current timestamp as score
  redis.call('ZADD', key, now, now .. ':' .. math.random(1000000))
  redis.call('EXPIRE', key, math.ceil(window / 1000))
  return {1, limit - count - 1, now + window}
else
  -- Deny: return the timestamp of the oldest entry (when the window resets)
  local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  local reset_at = oldest[2] and (tonumber(oldest[2]) + window) or (now + window)
  return {0, 0, reset_at}
end
`;
export async function checkRateLimit(
  identifier: string,
  limitPerWindow: number,
  windowMs: number
): Promise<RateLimitResult> {
  const key = `ratelimit:${identifier}`;
  const now = Date.now();
  const result = await redis.eval(
    RATE_LIMIT_SCRIPT,
    1,
    key,
    String(now),
    String(windowMs),
    String(limitPerWindow)
  ) as [number, number, number];
  return {
    allowed: result[0] === 1,
    remaining: result[1],
    resetAt: result[2],
  };
}
// Express middleware
export function rateLimitMiddleware(limit: number, windowMs: number) {
  return async (req: any, res: any, next: any) => {
    const identifier = req.ip;
    const { allowed, remaining, resetAt } = await checkRateLimit(
      identifier,
      limit,
      windowMs
    );
    res.setHeader("X-RateLimit-Limit", limit);
    res.setHeader("X-RateLimit-Remaining", remaining);
    res.setHeader("X-RateLimit-Reset", Math.ceil(resetAt / 1000));
    if (!allowed) {
      return res.status(429).json({ error: "Too Many Requests" });
    }
    next();
  };
}

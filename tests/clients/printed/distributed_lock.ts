// distributed-lock.ts — Redlock-style distributed lock
import Redis from "ioredis";
import crypto from "crypto";
const redis = new Redis({ host: "redis", port: 6379 });
const LOCK_RELEASE_SCRIPT = `
if redis.call('get', KEYS[1]) == ARGV[1] then
  return redis.call('del', KEYS[1])
else
  return 0
end
`;
interface Lock {
  key: string;
  token: string;
  release: () => Promise<boolean>;
}
/**
 * Acquire a distributed lock with a TTL.
 * Returns null if the lock is already held.
 * The token ensures only the lock holder can release it.
 */
export async function acquireLock(
  resource: string,
  ttlMs: number
): Promise<Lock | null> {
  const key = `lock:${resource}`;
  const token = crypto.randomUUID();
  // SET NX PX: set only if not exists, with millisecond expiry — atomic
  const result = await redis.set(key, token, "NX", "PX", ttlMs);
  if (result !== "OK") {
    return null; // Lock is held by another process
  }
  return {
    key,
    token,
    release: async () => {
      // Lua script ensures we only delete our own lock token
      const released = await redis.eval(LOCK_RELEASE_SCRIPT, 1, key, token);
      return released === 1;
    },
  };
}
// Usage example
async function processOrder(orderId: string): Promise<void> {
  const lock = await acquireLock(`order:${orderId}`, 30_000);
  if (!lock) {
    throw new Error(`Order ${orderId} is already being processed`);
  }
  try {
    // Exclusive processing — no other instance can enter this block
    console.log(`Processing order ${orderId}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  } finally {
    await lock.release();
  }
}

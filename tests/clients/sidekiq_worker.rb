# Jobs of the Sidekiq session in worker_sessions.py; `sidekiq -r` loads it in the worker, `ruby` in the producer.
#
# REDIS_AT=host:port   where the server is

require 'sidekiq'

Sidekiq.configure_client { |config| config.redis = { url: "redis://#{ENV['REDIS_AT']}/0" } }
Sidekiq.configure_server do |config|
  config.redis = { url: "redis://#{ENV['REDIS_AT']}/0" }
  Sidekiq.options[:poll_interval_average] = 0.1 # of scheduled jobs and retries, which a script takes
end

class Adder
  include Sidekiq::Worker

  def perform(one, other)
    Sidekiq.redis { |redis| redis.rpush('results', one + other) }
  end
end

class Fragile
  include Sidekiq::Worker
  sidekiq_options retry: 3
  sidekiq_retry_in { 0 }

  def perform(name)
    tries = Sidekiq.redis { |redis| redis.incr("tries:#{name}") }
    raise 'again' if tries < 2

    Sidekiq.redis { |redis| redis.rpush('survived', name) }
  end
end

class Hopeless
  include Sidekiq::Worker
  sidekiq_options retry: 0

  def perform(text)
    raise text
  end
end

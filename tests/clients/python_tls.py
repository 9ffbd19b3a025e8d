"""python3-redis over TLS; and a session that it holds wherever it is connected, for the programs in front of a server."""

import ssl
import threading
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness import HOST
from server_process import wait_until

TWO_MEGABYTES = bytes((i * 7 + (i >> 9)) & 255 for i in range(65536)) * 32


def tls_client(server, port=None, certificate="client", authority="ca", **options):
    """A client of the user over TLS. Looks at the name in the server's certificate."""
    path = server.files.path
    options = {"username": server.user, "password": server.user_password, "socket_timeout": 30, **options}
    if certificate is not None:
        options.update(ssl_certfile=path(f"{certificate}.crt"), ssl_keyfile=path(f"{certificate}.key"))
    return redis.Redis(HOST, port or server.tls_port, ssl=True, ssl_ca_certs=path(f"{authority}.crt"), ssl_cert_reqs="required",
                       ssl_check_hostname=True, **options)


def plain_client(server, port, **options):
    """A client of the user for what speaks no TLS on this side."""
    return redis.Redis(HOST, port, username=server.user, password=server.user_password, socket_timeout=30, **options)


def python_over_tls(c, server):
    hold_session(c, server, lambda **options: tls_client(server, **options))
    for part in (_addresses, _rights, _strangers):
        with c.part(part.__name__.strip("_")):
            part(c, server)


def hold_session(c, server, connect):
    """What a program does all day, through the clients that `connect` makes."""
    r = connect()
    c.equal("set get", [r.set("shop:k", "v"), r.get("shop:k"), r.get("shop:none")], [True, b"v", None])
    c.equal("who it is", r.acl_whoami(), server.user)
    c.equal("2 MB there", [r.set("shop:large", TWO_MEGABYTES), r.strlen("shop:large")], [True, len(TWO_MEGABYTES)])
    c.true("2 MB back", r.get("shop:large") == TWO_MEGABYTES)
    with r.pipeline(transaction=False) as p:
        for i in range(1000):
            p.set(f"shop:{i}", i).get(f"shop:{i}")
        got = p.get("shop:large").execute()
    want = [v for i in range(1000) for v in (True, b"%d" % i)] + [TWO_MEGABYTES]
    c.true("2,001 replies in order", got == want)
    with r.pipeline() as p:
        c.equal("multi exec", p.set("shop:n", 1).incr("shop:n").execute(), [True, 2])
    _listen(c, r)
    _wait(c, server, r)
    held = connect(retry=Retry(NoBackoff(), 1), retry_on_error=[redis.ConnectionError]).client()
    number = held.client_id()
    c.equal("CLIENT KILL", server.control.client_kill_filter(_id=number), 1)
    c.true("it comes back as the same user", held.acl_whoami() == server.user and held.client_id() > number)
    held.close()
    r.connection_pool.disconnect()


def refused(c, name, client, text=""):
    """The client is let in by somebody and then cut off: no reply of any kind, and no port where nobody listens."""
    try:
        got = client.ping()
    except redis.RedisError as error:
        cut = type(error) is redis.ConnectionError and text in str(error) and "Error 111" not in str(error)
        c.true(name, cut, repr(error))
    else:
        c.true(name, False, f"it was answered {got!r}")


def _listen(c, r):
    with r.pubsub() as listener:
        listener.subscribe("shop:news")
        c.equal("subscribe", (listener.get_message(timeout=20) or {}).get("type"), "subscribe")
        c.equal("publish", r.publish("shop:news", TWO_MEGABYTES[:50000]), 1)
        message = listener.get_message(timeout=20) or {}
        c.true("the message", message.get("data") == TWO_MEGABYTES[:50000], message.get("type"))


def _wait(c, server, r):
    got = []
    thread = threading.Thread(target=lambda: got.append(r.blpop("shop:queue", 20)), daemon=True)
    thread.start()
    c.true("a pop waits", wait_until(lambda: server.control.info("clients")["blocked_clients"] == 1, 20))
    server.control.rpush("shop:queue", "job")
    thread.join(30)
    c.equal("and gets what comes", got, [(b"shop:queue", b"job")])


def _addresses(c, server):
    path = server.files.path
    address = f"rediss://{server.user}:{quote(server.user_password, safe='')}@{HOST}:{server.tls_port}/0"
    r = redis.from_url(address, ssl_ca_certs=path("ca.crt"), ssl_certfile=path("client.crt"), ssl_keyfile=path("client.key"))
    c.equal("from_url", r.acl_whoami(), server.user)
    r = redis.from_url(f"{address}?ssl_ca_certs={path('ca.crt')}&ssl_certfile={path('client.crt')}&ssl_keyfile={path('client.key')}")
    c.equal("from_url with files in it", r.acl_whoami(), server.user)
    connection = r.connection_pool.get_connection("PING")
    c.true("it is TLS", isinstance(connection._sock, ssl.SSLSocket) and connection._sock.version() == "TLSv1.3")
    r.connection_pool.release(connection)


def _rights(c, server):
    r = tls_client(server)
    denied = redis.exceptions.NoPermissionError
    c.raises("another's key", denied, "no permissions to access one of the keys", r.get, "other")
    c.raises("another's channel", denied, "no permissions to access one of the channels", r.publish, "news", "x")
    c.raises("a dangerous command", denied, "no permissions to run the 'flushall' command", r.flushall)
    with r.pipeline(transaction=False) as p:
        got = p.set("shop:a", 1).get("other").get("shop:a").execute(raise_on_error=False)
    c.equal("denied in a pipeline", [got[0], type(got[1]), got[2]], [True, denied, b"1"])
    with r.pipeline() as p:
        c.raises("denied in a transaction", denied, "no permissions", p.set("shop:a", 2).set("other", 2).execute)
    c.equal("nothing of it was run", [r.get("shop:a"), server.control.exists("other")], [b"1", 0])
    c.raises("wrong password", redis.RedisError, "WRONGPASS", tls_client(server, password="wrong").ping)
    c.raises("unknown user", redis.RedisError, "WRONGPASS", tls_client(server, username="nobody").ping)
    c.raises("no password", redis.AuthenticationError, "Authentication required", tls_client(server, username=None, password=None).ping)


def _strangers(c, server):
    refused(c, "no certificate", tls_client(server, certificate=None))
    refused(c, "a stranger's certificate", tls_client(server, certificate="stranger"))
    refused(c, "a server of another authority", tls_client(server, authority="other"), "CERTIFICATE_VERIFY_FAILED")
    refused(c, "no TLS on the TLS port", plain_client(server, server.tls_port))
    server.control.config_set("tls-auth-clients", "optional")
    c.equal("no certificate where it need not be", tls_client(server, certificate=None).ping(), True)
    refused(c, "a stranger's there", tls_client(server, certificate="stranger"))

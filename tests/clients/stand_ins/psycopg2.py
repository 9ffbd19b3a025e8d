"""Takes the place of the PostgreSQL client: one table `products` in memory, and the statements that the printed
programs send. As there, what a connection wrote is its own until it commits, and numbers arrive as Decimal."""

import decimal
import threading
import time

SELECT = "SELECT id, name, price, stock FROM products WHERE id = %s"
UPDATE = "UPDATE products SET price = %s, updated_at = now() WHERE id = %s"


class Error(Exception):
    pass


class OperationalError(Error):
    pass


class ProgrammingError(Error):
    pass


class Database:
    """What every connection to one name shares. `failing_commits` is how many of the next commits are refused."""

    def __init__(self):
        self.lock = threading.Lock()
        self.products = {}
        self.selects = 0
        self.commits = 0
        self.failing_commits = 0

    def put(self, identity, name, price, stock):
        with self.lock:
            self.products[identity] = {"name": name, "price": decimal.Decimal(str(price)), "stock": stock, "updated_at": None}

    def price(self, identity):
        with self.lock:
            return float(self.products[identity]["price"])


_databases = {}


def database(name):
    return _databases.setdefault(name, Database())


def connect(name):
    return Connection(database(name))


class Connection:
    def __init__(self, to):
        self.database = to
        self.prices = {}  # written, not yet committed

    def cursor(self):
        return Cursor(self)

    def commit(self):
        with self.database.lock:
            prices, self.prices = self.prices, {}
            if self.database.failing_commits:
                self.database.failing_commits -= 1
                raise OperationalError("could not serialize access due to concurrent update")
            self.database.commits += 1
            for identity, price in prices.items():
                self.database.products[identity].update(price=price, updated_at=time.time())

    def rollback(self):
        self.prices = {}


class Cursor:
    def __init__(self, connection):
        self.connection = connection
        self.rows = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.rows = []

    def execute(self, statement, parameters=()):
        held = self.connection.database
        with held.lock:
            if statement == SELECT:
                held.selects += 1
                (identity,) = parameters
                found = held.products.get(identity)
                self.rows = [] if found is None else [
                    (identity, found["name"], self.connection.prices.get(identity, found["price"]), found["stock"])]
            elif statement == UPDATE:
                price, identity = parameters
                self.rows = []
                if identity in held.products:
                    self.connection.prices[identity] = decimal.Decimal(str(price))
            else:
                raise ProgrammingError(f"a statement that no printed program sends: {statement}")

    def fetchone(self):
        return self.rows.pop(0) if self.rows else None

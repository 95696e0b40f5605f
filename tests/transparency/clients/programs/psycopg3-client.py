"""A plain psycopg 3 program: no word of Sallyport."""
import asyncio
import datetime
import decimal
import logging
import threading
import uuid

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

# It logs there what it met while it ended a pipeline, which depends on what had arrived by then.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)
connection = psycopg.connect("", prepare_threshold=2)
notices = []
connection.add_notice_handler(lambda diag: notices.append((diag.severity, diag.sqlstate, diag.message_primary, diag.message_detail)))


def failing(sql, values=None):
    try:
        connection.execute(sql, values)
        print("no error")
    except psycopg.Error as error:
        d = error.diag
        print(type(error).__name__, error.sqlstate, d.severity, d.message_primary, d.message_detail, d.constraint_name, d.statement_position)
        connection.rollback()


connection.execute("CREATE TABLE by_psycopg3 (id int PRIMARY KEY, v text, n numeric, at timestamptz, j jsonb, b bytea, a int[], u uuid)")
connection.commit()
with connection.cursor() as cursor:
    utc = datetime.timezone.utc
    rows = [(n, "text %d é" % n, decimal.Decimal("1.50") * n, datetime.datetime(2024, 1, n, tzinfo=utc), Jsonb({"n": n}), b"\x00\xff", [n, None], uuid.UUID(int=n)) for n in range(1, 8)]
    cursor.executemany("INSERT INTO by_psycopg3 VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id", rows, returning=True)
    while True:
        print(cursor.fetchall(), end=" ")
        if not cursor.nextset():
            break
    print()
connection.commit()
for binary in (False, True):
    with connection.cursor(binary=binary) as cursor:
        cursor.execute("SELECT * FROM by_psycopg3 ORDER BY id")
        for row in cursor:
            print(row)
        print([(c.name, c.type_code) for c in cursor.description], cursor.rowcount, cursor.statusmessage)
        # The third time it is a prepared statement.
        for n in range(6):
            cursor.execute("SELECT %s::int + 1, %s::text, %s::int4[]", (n, "x", [n]))
            print(cursor.fetchone())
with connection.cursor(row_factory=dict_row) as cursor:
    print(cursor.execute("SELECT id, feels FROM people WHERE id = %(id)s", {"id": 3}).fetchone())
with connection.pipeline():
    results = [connection.execute("SELECT %s::int", (n,)) for n in range(20)]
print([result.fetchone()[0] for result in results])
try:
    with connection.pipeline() as pipeline:
        connection.execute("INSERT INTO by_psycopg3 (id) VALUES (100)")
        connection.execute("SELECT 1 / 0")
        connection.execute("INSERT INTO by_psycopg3 (id) VALUES (101)")
        pipeline.sync()
except psycopg.Error as error:
    print(type(error).__name__, error.sqlstate)
connection.rollback()
print(connection.execute("SELECT count(*) FROM by_psycopg3").fetchone())
with connection.cursor() as cursor:
    with cursor.copy("COPY by_psycopg3 (id, v) FROM STDIN") as copy:
        for n in range(1000, 3000):
            copy.write_row((n, "copied"))
    with cursor.copy("COPY by_psycopg3 (id, v) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int4", "text"])
        for n in range(5000, 5200):
            copy.write_row((n, "in binary"))
    with cursor.copy("COPY (SELECT id, v FROM by_psycopg3 WHERE id < 1003 ORDER BY id) TO STDOUT") as copy:
        print(list(copy.rows()))
    with cursor.copy("COPY (SELECT id, b FROM by_psycopg3 WHERE id < 4 ORDER BY id) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["int4", "bytea"])
        print([(n, bytes(b)) for n, b in copy.rows()])
    print(sum(1 for _ in cursor.stream("SELECT id FROM by_psycopg3 ORDER BY id")))
connection.commit()
try:
    with connection.cursor() as cursor, cursor.copy("COPY by_psycopg3 (id, v) FROM STDIN") as copy:
        copy.write("no number\tx\n")
except psycopg.Error as error:
    print(error.sqlstate, error.diag.message_primary, error.diag.context)
connection.rollback()
failing("SELECT 1 / 0")
failing("INSERT INTO by_psycopg3 (id) VALUES (%s)", (1,))
failing("SELECT missing FROM people")
failing("SELECT fails_with('AB123')")
try:
    with connection.transaction():
        connection.execute("DELETE FROM by_psycopg3")
        with connection.transaction():
            connection.execute("INSERT INTO by_psycopg3 (id) VALUES (1)")
            raise psycopg.Rollback()
        raise ValueError("undone")
except ValueError as error:
    print(error, connection.execute("SELECT count(*) FROM by_psycopg3").fetchone())
connection.commit()
connection.autocommit = True
connection.execute("SELECT shout('notice')")
print(notices)
with psycopg.connect("", autocommit=True) as listener:
    listener.execute("LISTEN news")
    connection.execute("SELECT pg_notify('news', 'payload')")
    heard = next(listener.notifies())
    print(heard.channel, heard.payload, heard.pid == connection.info.backend_pid)
print("the backend's own pid:", connection.execute("SELECT pg_backend_pid()").fetchone()[0] == connection.info.backend_pid)
timer = threading.Timer(0.4, connection.cancel)
timer.start()
failing("SELECT pg_sleep(30)")
print(connection.info.server_version, connection.info.encoding, connection.info.parameter_status("TimeZone"), connection.info.transaction_status)
connection.autocommit = False
with connection.cursor("named") as cursor:
    cursor.itersize = 7
    cursor.execute("SELECT id, v FROM by_psycopg3 ORDER BY id")
    print(sum(1 for _ in cursor), cursor.description[1].name)
with connection.cursor("scrolling", scrollable=True, withhold=True, binary=True) as cursor:
    cursor.execute("SELECT id FROM by_psycopg3 ORDER BY id")
    print(cursor.fetchmany(3))
    cursor.scroll(5)
    print(cursor.fetchone())
connection.execute("DROP TABLE by_psycopg3")
connection.commit()
connection.close()


async def several():
    connections = await asyncio.gather(*[psycopg.AsyncConnection.connect("") for _ in range(4)])
    cursors = await asyncio.gather(*[c.execute("SELECT %s::int, count(*) FROM people", (n,)) for n, c in enumerate(connections)])
    print([await cursor.fetchone() for cursor in cursors])
    for c in connections:
        await c.close()


asyncio.run(several())

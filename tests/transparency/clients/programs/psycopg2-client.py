"""A plain psycopg2 program: no word of Sallyport."""
import datetime
import decimal
import io
import json
import select
import threading

import psycopg2
import psycopg2.extensions
import psycopg2.extras

connection = psycopg2.connect("")
cursor = connection.cursor()


def failing(sql, values=None):
    try:
        cursor.execute(sql, values)
        print("no error")
    except psycopg2.Error as error:
        d = error.diag
        print(type(error).__name__, error.pgcode, d.severity, d.message_primary, d.message_detail, d.constraint_name, d.statement_position)
        connection.rollback()


cursor.execute("CREATE TABLE by_psycopg2 (id int PRIMARY KEY, v text, n numeric, at timestamp, j jsonb, b bytea, a int[])")
connection.commit()
rows = [(n, "text %d é" % n, decimal.Decimal("1.50") * n, datetime.datetime(2024, 1, n), json.dumps({"n": n}), b"\x00\xff", [n, None]) for n in range(1, 6)]
cursor.executemany("INSERT INTO by_psycopg2 VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)
psycopg2.extras.execute_values(cursor, "INSERT INTO by_psycopg2 (id, v) VALUES %s", [(n, "v%d" % n) for n in range(10, 200)], page_size=50)
psycopg2.extras.execute_batch(cursor, "UPDATE by_psycopg2 SET v = v || %s WHERE id = %s", [("!", n) for n in range(10, 60)])
connection.commit()
cursor.execute("SELECT * FROM by_psycopg2 WHERE id < 6 ORDER BY id")
for row in cursor:
    print([bytes(value) if isinstance(value, memoryview) else value for value in row])
print([(c.name, c.type_code, c.internal_size) for c in cursor.description], cursor.rowcount, cursor.statusmessage)
with connection.cursor("named") as named:
    named.itersize = 7
    named.execute("SELECT id, v FROM by_psycopg2 ORDER BY id")
    print(sum(1 for _ in named), named.description[0].name)
with connection.cursor("scrolling", scrollable=True, withhold=True) as held:
    held.execute("SELECT id FROM by_psycopg2 ORDER BY id")
    print(held.fetchmany(3))
    held.scroll(5)
    print(held.fetchone())
    held.scroll(0, mode="absolute")
    print(held.fetchone())
connection.commit()
with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as named:
    named.execute("SELECT id, feels FROM people WHERE id = %(id)s", {"id": 3})
    print(dict(named.fetchone()))
out = io.StringIO()
cursor.copy_expert("COPY (SELECT id, v FROM by_psycopg2 WHERE id < 13 ORDER BY id) TO STDOUT CSV HEADER", out)
print(out.getvalue())
cursor.copy_from(io.StringIO("".join("%d\tcopied\n" % n for n in range(1000, 3000))), "by_psycopg2", columns=("id", "v"))
connection.commit()
cursor.execute("SELECT count(*), max(id) FROM by_psycopg2")
print(cursor.fetchone())
failing("SELECT 1 / 0")
failing("INSERT INTO by_psycopg2 (id) VALUES (%s)", (1,))
failing("SELECT missing FROM people")
failing("SELECT fails_with('AB123')")
try:
    cursor.copy_from(io.StringIO("no number\tx\n"), "by_psycopg2", columns=("id", "v"))
except psycopg2.Error as error:
    print(error.pgcode, error.diag.message_primary, error.diag.context)
    connection.rollback()
connection.set_session(isolation_level="SERIALIZABLE", readonly=True)
failing("DELETE FROM by_psycopg2")
connection.set_session(isolation_level="DEFAULT", readonly=False, autocommit=True)
cursor.execute("SELECT shout('notice')")
print(connection.notices[-1:])
cursor.execute("LISTEN news; NOTIFY news, 'payload'")
connection.poll()
print([(n.channel, n.payload, n.pid == connection.get_backend_pid()) for n in connection.notifies])
cursor.execute("SELECT pg_backend_pid()")
print("the backend's own pid:", cursor.fetchone()[0] == connection.get_backend_pid())
timer = threading.Timer(0.4, connection.cancel)
timer.start()
failing("SELECT pg_sleep(30)")
print(connection.server_version, connection.encoding, connection.get_parameter_status("TimeZone"), connection.get_transaction_status())
other = psycopg2.connect("", async_=1)
while (state := other.poll()) != psycopg2.extensions.POLL_OK:
    wanted = ([other], [], []) if state == psycopg2.extensions.POLL_READ else ([], [other], [])
    select.select(*wanted, 20)
running = other.cursor()
running.execute("SELECT 'asynchronous', pg_sleep(0.01)")
while other.poll() != psycopg2.extensions.POLL_OK:
    select.select([other], [], [], 20)
print(running.fetchall())
other.close()
xid = connection.xid(1, "gtrid", "bqual")
connection.autocommit = False
connection.tpc_begin(xid)
cursor.execute("INSERT INTO by_psycopg2 (id) VALUES (90000)")
connection.tpc_prepare()
connection.tpc_rollback()
cursor.execute("SELECT repeat('x', 3000000)")
print(len(cursor.fetchone()[0]))
cursor.execute("DROP TABLE by_psycopg2")
connection.commit()
connection.close()

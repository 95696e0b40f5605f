"""A plain psycopg2 program: no word of Sallyport."""
import json
import os
import socket
import sys

import psycopg2

connection = psycopg2.connect(sys.argv[1])
peer = socket.socket(fileno=os.dup(connection.fileno())).getpeername()
with connection.cursor() as cursor:
    cursor.execute("SELECT current_user, count(*) FROM customers")
    user, rows = cursor.fetchone()
print(json.dumps({"user": user, "rows": rows, "peer": [peer[0], peer[1]]}))

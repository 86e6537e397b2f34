"""The network of a sandbox: nothing but its own loopback, and an eye on the names that nobody answers for."""

import fcntl
import os
import select
import signal
import socket
import struct

from machine import PR_SET_PDEATHSIG, REPORT_FD, libc

# linux/sockios.h, linux/if.h
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
INTERFACE = "16sh22x"

# RFC 792: what could not be delivered comes back, its IP header first
DESTINATION_UNREACHABLE = 3
PORT_UNREACHABLE = 3
ICMP_HEADER = 8
UDP_HEADER = 8
DNS_PORT = 53
DNS_HEADER = 12

# names are few; a program that makes up names without end fills no disk
MOST_NAMES = 64


def bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        reply = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack(INTERFACE, b"lo", 0))
        _, flags = struct.unpack(INTERFACE, reply)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack(INTERFACE, b"lo", flags | IFF_UP))


def header_length(packet: bytes) -> int:
    return (packet[0] & 15) * 4


def refused_question(packet: bytes) -> "str | None":
    """The name that a DNS question asked for, which came back since nobody listens; None for every other packet."""
    try:
        icmp = packet[header_length(packet) :]
        if icmp[:2] != bytes((DESTINATION_UNREACHABLE, PORT_UNREACHABLE)):
            return None
        sent = icmp[ICMP_HEADER:]
        udp = sent[header_length(sent) :]
        (port,) = struct.unpack_from("!H", udp, 2)
        if sent[9] != socket.IPPROTO_UDP or port != DNS_PORT:
            return None
        rest = udp[UDP_HEADER + DNS_HEADER :]
        labels = []
        while rest[0] != 0:
            labels.append(rest[1 : 1 + rest[0]].decode("ascii"))
            rest = rest[1 + rest[0] :]
    except (IndexError, struct.error, UnicodeDecodeError):
        return None
    name = ".".join(labels).lower()
    return name if name.isprintable() and name != "" else None


def note_names(listener: socket.socket, file: str) -> None:
    """Notes names until the signal that the sandbox is gone, and then those that still wait to be read."""
    listener.setblocking(False)
    seen: "set[str]" = set()

    def take_all() -> None:
        try:
            while True:
                name = refused_question(listener.recv(65535))
                if name is not None and name not in seen and len(seen) < MOST_NAMES:
                    seen.add(name)
                    with open(file, "a", encoding="ascii") as lines:
                        lines.write(f"{name}\n")
        except BlockingIOError:
            pass

    # an exception out of the handler would lose the packet that was just taken
    ended, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    ready: "list[int]" = []
    while ended not in ready:
        ready, _, _ = select.select([listener.fileno(), ended], [], [])
        take_all()


def watch_names(file: str) -> None:
    """Starts a process that writes the host names which the sandbox asks for in vain to a file, one a line.

    Nothing listens on the port of DNS, so that the resolver of every C library and of Go, which ask 127.0.0.1 where
    resolv.conf is empty, is refused at once; this only sees the refusals, and changes nothing that an action sees.
    The process ends with its parent, which becomes bubblewrap, and keeps the pipe for reports open until all is written.
    Where the kernel gives no such socket, no names are noted.
    """
    try:
        listener = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    except OSError:
        return
    parent = os.getpid()
    # the end of the sandbox may come before the signal can be caught
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    if os.fork() != 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        listener.close()
        return
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        keep = (listener.fileno(), REPORT_FD)
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            if descriptor not in keep:
                try:
                    os.close(descriptor)
                except OSError:
                    pass  # the one that listed them
        if os.getppid() == parent:
            note_names(listener, file)
    finally:
        os._exit(0)

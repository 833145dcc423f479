# SPDX-License-Identifier: LGPL-2.1-or-later
"""A store that takes uploads and throws them away, so that a benchmark measures the client alone.

usage: discard_store.py PORT        (HTTP on loopback; any key, any signature, no object can be read)
"""

import re
import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "s3"))
import s3server  # noqa: E402

ETAG = '"d41d8cd98f00b204e9800998ecf8427e"'
CREATED = "<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>"
COMPLETED = f"<CompleteMultipartUploadResult><ETag>{ETAG}</ETag></CompleteMultipartUploadResult>"


class DiscardStore(s3server._Process):
    """One in a process of its own, with its `endpoint`."""

    def __init__(self):
        (self.port,) = s3server.free_ports(1)
        super().__init__(Path(__file__).resolve(), self.port)


def serve(connection):
    buffer = bytearray(1 << 20)
    with connection, connection.makefile("rb", buffering=65536) as requests:
        while line := requests.readline():
            method, target, _ = line.decode().split(" ", 2)
            size, waits = 0, False
            while (header := requests.readline().strip().lower()):
                if header.startswith(b"content-length:"):
                    size = int(header.split(b":")[1])
                waits = waits or header == b"expect: 100-continue"
            if waits:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            while size:
                got = requests.readinto1(memoryview(buffer)[: min(size, len(buffer))])
                if not got:
                    return
                size -= got
            body = ""
            if method == "POST":
                body = CREATED if re.search(r"[?&]uploads", target) else COMPLETED
            reply = f"HTTP/1.1 200 OK\r\nETag: {ETAG}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            connection.sendall(reply.encode())


def main():
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64) as listener:
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    main()

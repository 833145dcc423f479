# SPDX-License-Identifier: LGPL-2.1-or-later
"""An HTTP proxy before an S3 gateway: adds what the gateway lacks, and faults on demand.

usage: faultproxy.py LISTEN-PORT TARGET-PORT CONTROL-FILE LOG-FILE

Added: x-amz-checksum-* are verified, If-None-Match holds on CompleteMultipartUpload.
Faults are read from CONTROL-FILE at each request, one rule a line, the first that matches counts:

    METHOD REGEX COUNT ACTION

METHOD is a method or `*`, REGEX is searched in path and query, COUNT is `N` (the first N matching
requests) or `1/N` (each with that probability, from a fixed seed). ACTION:

    status:CODE:S3CODE   answer so, with an S3 error body
    busy:CODE            answer so, without a body
    error-200:S3CODE     answer 200 with an error body
    skew                 answer 403 RequestTimeTooSkewed
    reset                read some of the body, then reset the connection
    stall:SECONDS        read the request, wait, then go on
    stall-reply:SECONDS  send half of the reply's body, wait, then go on
    half-reply           send half of the reply's body, then reset
    drop-reply           pass the request on, then reset instead of replying
    wait-drop:SECONDS    pass the request on, wait, then reset instead of replying

LOG-FILE gets one JSON line a request: time, method, path, length, range, fault, status, headers.
"""

import base64
import hashlib
import http.client
import json
import os
import random
import re
import socket
import struct
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

lock = threading.Lock()
used = {}
completed = set()  # the paths of objects written through this proxy
dice = random.Random(20)


def crc_table(polynomial):
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1
        table.append(value)
    return table


CRC32C = crc_table(0x82F63B78)
CRC64NVME = crc_table(0x9A6C9329AC4BC9B5)


def crc(table, bits, data):
    mask = (1 << bits) - 1
    value = mask
    for byte in data:
        value = table[(value ^ byte) & 255] ^ (value >> 8)
    return (value ^ mask).to_bytes(bits // 8, "big")


CHECKSUMS = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: crc(CRC32C, 32, data),
    "crc64nvme": lambda data: crc(CRC64NVME, 64, data),
    "sha1": lambda data: hashlib.sha1(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}


def pick_fault(control, method, path):
    if not os.path.exists(control):
        return None
    with open(control, encoding="utf-8") as rules:
        lines = list(enumerate(rules))
    for line in lines:
        words = line[1].split()
        if len(words) != 4 or words[0] not in (method, "*") or not re.search(words[1], path):
            continue
        with lock:
            if words[2].startswith("1/"):
                if dice.random() * int(words[2][2:]) < 1:
                    return words[3]
            else:
                used[line] = used.get(line, 0) + 1
                if used[line] <= int(words[2]):
                    return words[3]
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def record(self, length, fault, status):
        # What authorises a request is left out: a test that finds a secret must not find ours.
        headers = {k.lower(): v for k, v in self.headers.items() if "authorization" not in k.lower()}
        line = {
            "time": time.time(),
            "method": self.command,
            "path": self.path,
            "length": length,
            "range": self.headers.get("Range"),
            "fault": fault,
            "status": status,
            "headers": headers,
        }
        with lock, open(self.server.log, "a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def answer(self, status, body, content_type="application/xml"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amz-request-id", "tx-faultproxy")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_error(self, status, code):
        text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>faultproxy</Message></Error>'
        self.answer(status, text.encode())

    def cut(self):
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        # The handler's files hold the socket open: shut it first.
        self.rfile.close()
        self.connection.close()

    def early_fault(self, fault, body):
        """True when the fault answered the request."""
        if fault.startswith("stall:"):
            time.sleep(float(fault[6:]))
            return False
        if fault.startswith("status:"):
            _, code, s3_code = fault.split(":")
            self.answer_error(int(code), s3_code)
        elif fault.startswith("busy:"):
            self.answer(int(fault[5:]), b"")
        elif fault.startswith("error-200:"):
            self.answer_error(200, fault[10:])
        elif fault == "skew":
            self.answer_error(403, "RequestTimeTooSkewed")
        else:
            return False
        return True

    def violates(self, body, query):
        """True when a condition that the gateway ignores does not hold; answered then."""
        for name, function in CHECKSUMS.items():
            value = self.headers.get("x-amz-checksum-" + name)
            if value and self.command == "PUT" and base64.b64encode(function(body)).decode() != value:
                self.answer_error(400, "BadDigest")
                return True
        if self.command == "POST" and "uploadId" in query and self.headers.get("If-None-Match") == "*":
            with lock:
                known = urlsplit(self.path).path in completed
            if known:
                self.answer_error(412, "PreconditionFailed")
                return True
        return False

    def forward(self, body):
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=120)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect"):
                upstream.putheader(name, value)
        upstream.endheaders(body if body else None)
        reply = upstream.getresponse()
        data = reply.read()
        upstream.close()
        return reply, data

    def remember(self, status, query):
        path = urlsplit(self.path).path
        with lock:
            if status == 200 and (
                (self.command == "PUT" and "partNumber" not in query)
                or (self.command == "POST" and "uploadId" in query)
            ):
                completed.add(path)
            if status == 204 and self.command == "DELETE" and not query:
                completed.discard(path)

    def reply(self, reply, data, fault):
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", reply.getheader("Content-Length") or str(len(data)))
        self.end_headers()
        half = len(data) // 2
        if fault == "half-reply":
            self.wfile.write(data[:half])
            self.wfile.flush()
            self.cut()
        elif fault.startswith("stall-reply:"):
            self.wfile.write(data[:half])
            self.wfile.flush()
            time.sleep(float(fault[12:]))
            self.wfile.write(data[half:])
        else:
            self.wfile.write(data)

    def serve(self):
        fault = pick_fault(self.server.control, self.command, self.path) or ""
        length = int(self.headers.get("Content-Length") or 0)
        if fault == "reset":
            self.record(length, fault, None)
            self.rfile.read(min(length, 65536))
            self.cut()
            return
        try:
            body = self.rfile.read(length)
            if len(body) < length or (fault and self.early_fault(fault, body)):
                self.record(len(body), fault or "short", None)
                return
            query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
            if self.violates(body, query):
                self.record(length, "condition", None)
                return
            reply, data = self.forward(body)
            self.remember(reply.status, query)
            self.record(length, fault, reply.status)
            if fault.startswith("wait-drop:"):
                time.sleep(float(fault[10:]))
            if fault == "drop-reply" or fault.startswith("wait-drop:"):
                self.cut()
            else:
                self.reply(reply, data, fault)
        except (ConnectionError, TimeoutError, ValueError):
            self.close_connection = True  # the client went away: its right

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve

    def finish(self):
        try:
            super().finish()
        except (ConnectionError, ValueError, OSError):
            pass  # cut() closed the files


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError, ValueError, OSError)):
            super().handle_error(request, client_address)


def main():
    server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
    server.target = int(sys.argv[2])
    server.control = sys.argv[3]
    server.log = sys.argv[4]
    server.serve_forever()


if __name__ == "__main__":
    main()

"""A web service that decides on transfers ([decide] url), in Python's standard library.

DECIDE_SECRET=whsec_... python decide_service.py 8090
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fsctl.decide.signature import SignatureError, read_secret, verify

SUPPORT = ["1003", "1004"]


def decide(question: dict[str, Any]) -> dict[str, Any]:
    if question["number"] == "1002":
        return {"decision": "connect", "targets": SUPPORT, "mode": "at-once", "ring_timeout_s": 20}
    if question["number"].startswith("00"):
        return {"decision": "refuse", "code": 603, "phrase": "No calls abroad"}
    return {"decision": "settings"}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        secrets = [read_secret(each) for each in os.environ["DECIDE_SECRET"].split()]
        try:
            verify(dict(self.headers), body, secrets, time.time())
        except SignatureError as error:
            self.send_error(401, str(error))
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(decide(json.loads(body))).encode())


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()

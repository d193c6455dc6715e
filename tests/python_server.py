"""A provider made of Python's http.server, for the tests in python_server.rs.

It takes over the listening socket on its standard input. Its argument is the version of HTTP. The
request's header `x-reply` says how to answer.
"""

import json
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = ["It ", "works."]


def whole():
    message = {"role": "assistant", "content": "".join(WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    return json.dumps({"model": "m", "choices": [choice], "usage": usage}).encode()


def events():
    for word in WORDS:
        yield {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


class Provider(BaseHTTPRequestHandler):
    protocol_version = sys.argv[1]
    connections = 0

    def setup(self):
        super().setup()
        Provider.connections += 1

    def log_message(self, *_):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reply = self.headers.get("x-reply", "")
        if reply == "error":
            # A page of HTML, as http.server makes it.
            self.send_error(503, "Down for maintenance")
            return
        if reply == "early":
            # Interim responses before the final one.
            self.send_response_only(100)
            self.end_headers()
            self.send_response_only(103)
            self.send_header("link", "</style.css>; rel=preload")
            self.end_headers()
        self.send_response(200)
        # How many connections there have been.
        self.send_header("x-request-id", str(Provider.connections))
        if request.get("stream"):
            self.send_header("content-type", "text/event-stream")
            if reply == "until close":
                self.send_header("connection", "close")
                self.end_headers()
                self.stream(lambda data: self.wfile.write(data), whole=True)
            elif reply == "cut":
                self.send_header("connection", "close")
                self.end_headers()
                self.stream(lambda data: self.wfile.write(data), whole=False)
            else:
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                self.stream(self.chunk, whole=True)
                self.wfile.write(b"0\r\n\r\n")
        else:
            body = whole()
            self.send_header("content-type", "application/json")
            if reply == "until close":
                self.send_header("connection", "close")
            else:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def stream(self, write, whole):
        for event in events():
            write(b"data: " + json.dumps(event).encode() + b"\n\n")
            if not whole:
                return
        write(b"data: [DONE]\n\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("", 0), Provider, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=0)
        self.server_address = self.socket.getsockname()


Server().serve_forever()

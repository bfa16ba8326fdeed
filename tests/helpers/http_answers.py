"""Small HTTP servers that answer as a test says, or pass requests on to another server."""

import contextlib
import http.client
import http.server
import json
import threading


@contextlib.contextmanager
def answering(answer):
    """Address of an HTTP server on loopback, as a context manager.

    Args:
      answer: function of (path, body as bytes, or None for GET) -> (status, body as bytes or as
        what JSON can hold), or (status, body, dict of headers).
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.reply(None)

        def do_POST(self):
            self.reply(self.rfile.read(int(self.headers["Content-Length"])))

        def reply(self, body):
            status, content, *headers = answer(self.path, body)
            content = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for key, value in {"Content-Length": len(content), **(headers or [{}])[0]}.items():
                self.send_header(key, str(value))
            self.end_headers()
            # A browser may close the connection before it has read the answer.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        # Polls often: `shutdown` waits for the next poll.
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def relayed(address):
    """`answer` for `answering` that passes requests on to another server, "http://HOST:PORT"."""

    def answer(path, body):
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        with contextlib.closing(connection):
            connection.request("GET" if body is None else "POST", path, body)
            response = connection.getresponse()
            kind = {"Content-Type": response.headers["Content-Type"]}
            return response.status, response.read(), kind

    return answer

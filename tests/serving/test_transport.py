"""Connections, retries and errors against real sockets; only the pauses are skipped."""

import http.server
import json
import shutil
import socket
import ssl
import subprocess
import threading

import http_answers
import pytest

from tfdepthviz.serving import transport
from tfdepthviz.serving.transport import JsonConnection, ServingError


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """List of the seconds between attempts; nothing really waits."""
    waited = []
    monkeypatch.setattr(transport.time, "sleep", waited.append)
    monkeypatch.setattr(transport.random, "uniform", lambda low, high: high)
    return waited


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def ask(server, path, request=None, **options):
    with JsonConnection(server, **options) as connection:
        return connection.ask(path, request)


class Script:
    """Gives one answer after another, the last one for ever, and records the requests."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    def __call__(self, path, body):
        self.requests.append((path, body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Raw:
    """A server that passes each connection, in order, to a function `talk`."""

    def __init__(self, talk):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.talk, self.count = talk, 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            with connection:
                self.talk(connection, self.count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def read_request(connection):
    """The head of one request; its body is expected in the same packet."""
    return connection.recv(65536)


def ok(content):
    body = json.dumps(content).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize("status", [429, 503, 504])
def test_temporary_answers_are_retried(pauses, status):
    busy = (status, {"error": "busy"})
    script = Script(busy, busy, busy, (200, {"y": 1}))
    with http_answers.answering(script) as server:
        assert ask(server, "/p", {"x": 2}) == {"y": 1}
    assert script.requests == [("/p", b'{"x": 2}')] * 4
    assert pauses == [0.25, 0.5, 1.0]


def test_retry_after(pauses):
    script = Script(
        (503, {}, {"Retry-After": "3"}),
        (503, {}, {"Retry-After": "86400"}),
        (503, {}, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
        (200, {}),
    )
    with http_answers.answering(script) as server:
        ask(server, "/")
    assert pauses == [3.0, 10.0, 1.0]


def test_number_of_attempts(pauses):
    script = Script((503, {"error": "loading"}))
    with http_answers.answering(script) as server:
        with pytest.raises(
            ServingError, match=r"answered 503 .*: loading \[3 attempts\]"
        ) as caught:
            ask(server, "/", retries=2)
        assert caught.value.status == 503 and len(script.requests) == 3 and len(pauses) == 2
        with pytest.raises(ServingError, match="loading$"):
            ask(server, "/", retries=0)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 413, 500, 501])
def test_other_answers_are_final(pauses, status):
    script = Script((status, {"error": "so it is"}))
    with http_answers.answering(script) as server:
        with pytest.raises(ServingError, match=f"^{server}, model m: answered {status} .*so it is"):
            ask(server, "/", {}, about="model m")
    assert len(script.requests) == 1 and not pauses


def test_answers_without_json():
    script = Script((502, b"<h1>Bad\n gateway</h1>"), (200, b"hello" * 100), (200, b""))
    with http_answers.answering(script) as server:
        for message in (
            "502 Bad Gateway: <h1>Bad gateway</h1>",
            r"no JSON: hello.*\.\.\.$",
            "nothing",
        ):
            with pytest.raises(ServingError, match=message):
                ask(server, "/")


def test_one_connection_for_many_requests():
    def talk(connection, number):
        answers = iter(range(3))
        while read_request(connection) and (answer := next(answers, None)) is not None:
            connection.sendall(ok([number, answer]))

    with Raw(talk) as server:
        connection = JsonConnection(server.address)
        # The server closes after three answers; that costs no attempt and no pause.
        got = [connection.ask("/") for _ in range(4)]
        connection.close()
    assert got == [[1, 0], [1, 1], [1, 2], [2, 0]]


def test_one_connection_per_thread():
    with http_answers.answering(lambda path, _: (200, path)) as server:
        connection, wrong = JsonConnection(server), []

        def work(name):
            wrong.extend(p for p in [f"/{name}/{i}" for i in range(20)] if connection.ask(p) != p)
            connection.close()

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_broken_connection_is_retried(pauses):
    def talk(connection, number):
        read_request(connection)
        if number == 1:
            # Reset the connection.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif number == 2:
            connection.sendall(ok("whole")[:-3])
        else:
            connection.sendall(ok("whole"))

    with Raw(talk) as server:
        assert ask(server.address, "/") == "whole"
    assert len(pauses) == 2


def test_refused_connection_is_retried(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    connection = JsonConnection(f"http://127.0.0.1:{port}")
    with pytest.raises(
        ServingError, match=r"cannot be reached \(Connection refused\) \[5 at"
    ) as no:
        connection.ask("/")
    assert no.value.status is None
    with http_answers.answering(lambda *_: (200, "there")) as server:
        # A server that comes up while the client waits.
        late = JsonConnection(f"http://127.0.0.1:{port}")
        target = int(server.rpartition(":")[2])
        monkeypatch.setattr(
            transport.time, "sleep", lambda _: setattr(late._local.connection, "port", target)
        )
        assert late.ask("/") == "there"
        late.close()


def test_early_refusal_of_a_large_request():
    def talk(connection, _):
        connection.recv(1000)
        body = b'{"error": "too large"}'
        connection.sendall(
            b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body
        )
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 20):
            pass

    with Raw(talk) as server:
        with pytest.raises(ServingError, match="413 Too Large: too large"):
            ask(server.address, "/", "x" * 20_000_000)


def test_timeout():
    done = threading.Event()

    with Raw(lambda *_: done.wait(20)) as server:
        with pytest.raises(ServingError, match="gave no answer within 0.2 s"):
            ask(server.address, "/", timeout=0.2)
        done.set()
        assert server.count == 1


def test_port_of_another_protocol():
    def talk(connection, _):
        read_request(connection)
        connection.sendall(b"\0\0\x12\4\0\0\0\0\0" + bytes(18))

    with Raw(talk) as server:
        with pytest.raises(ServingError, match="not the one for gRPC"):
            ask(server.address, "/")


@pytest.mark.parametrize(
    "wrong",
    [
        "localhost:8501",
        "ftp://host",
        "http://",
        "http://h:x",
        "http://u:p@h",
        "http://[",
        "http://h?q",
    ],
)
def test_wrong_addresses(wrong):
    with pytest.raises(ValueError, match="such as http://localhost:8501. Received: ") as caught:
        JsonConnection(wrong)
    assert repr(wrong) in str(caught.value)


def test_prefix_of_the_path():
    with http_answers.answering(lambda path, _: (200, path)) as server:
        assert ask(f"{server}/models/", "/v1") == "/models/v1"


def test_proxies_from_the_environment(monkeypatch):
    script = Script((200, "by the proxy"))
    with http_answers.answering(script) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        assert ask("http://far.invalid:81", "/v1") == "by the proxy"
        assert script.requests == [("http://far.invalid:81/v1", None)]
        with http_answers.answering(lambda *_: (200, "directly")) as server:
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            assert ask(server, "/v1") == "directly"


def test_proxy_with_a_password(monkeypatch):
    heads = []

    def talk(connection, _):
        heads.append(read_request(connection))
        connection.sendall(ok("let in"))

    with Raw(talk) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address.replace("//", "//me:p%40ss@"))
        assert ask("http://far.invalid", "/") == "let in"
    # base64 of "me:p@ss"
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in heads[0]


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
def test_https_checks_the_certificate(tmp_path, monkeypatch):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    options = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *options], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'"secret"')

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"https://localhost:{server.server_address[1]}"
        with pytest.raises(ServingError, match="cannot be reached .*certificate verify failed"):
            ask(address, "/")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert ask(address, "/") == "secret"
        server.shutdown()

"""Limits: each has its error, and clients within the limits are served meanwhile."""

import base64
import concurrent.futures
import contextlib
import gzip
import json
import socket
import threading
import time

import grpc
import numpy as np
import pytest
from image_files import FILES, claiming
from serving_clients import predict_request, started, wait_until

from tfdepthviz.serving.server import Limits, rest_json
from tfdepthviz.serving.server.turns import Turns

LIMITS = Limits(
    max_body_bytes=200_000,
    max_header_seconds=0.6,
    max_body_seconds=1.2,
    max_image_pixels=97 * 31,
    max_images=4,
    max_concurrent_requests=3,
)


@pytest.fixture(scope="module")
def limited(toys):
    models = {name: toys / name for name in ("affine", "strings")}
    with started(models, limits=LIMITS) as client:
        yield client


def connect(client):
    host, port = client.rest_address.split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answer_of(connection):
    """(status, error) of the answer, read until the server closes."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    if not received:
        return None
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


def still_serves(client):
    assert client.post("/v1/models/affine:predict", {"instances": [1]}) == (
        200,
        {"predictions": [2.5]},
    )


POST = b"POST /v1/models/affine:predict HTTP/1.1\r\nHost: a\r\n"


def test_stated_length(limited):
    with connect(limited) as connection:
        connection.sendall(POST + b"Content-Length: 99999999\r\n\r\n")
        status, text = answer_of(connection)
    assert status == 413 and "at most 200000 bytes (max_body_bytes)" in text
    still_serves(limited)


def test_unstated_length(limited):
    with connect(limited) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(25):
            connection.sendall(b"2710\r\n" + b" " * 10_000 + b"\r\n")
        status, text = answer_of(connection)
    assert status == 413 and "max_body_bytes" in text
    still_serves(limited)


def test_rest_of_a_refused_body_is_ignored(limited):
    """Its bytes come after the answer, for longer than headers may take."""
    with connect(limited) as connection:
        connection.sendall(POST.replace(b"predict", b"other") + b"Content-Length: 9999\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(9):
                time.sleep(0.1)
                connection.sendall(b" ")
        status, text = answer_of(connection)
    assert status == 400 and text.startswith("Malformed request")


def test_compressed_body(limited):
    body = gzip.compress(b" " * 5_000_000)
    headers = {"Content-Encoding": "gzip"}
    path = "/v1/models/affine:predict"
    status, _, answer = limited.ask("POST", path, body, headers)
    assert len(body) < 10_000 and status == 413, answer
    body = gzip.compress(b'{"instances": [1]}')
    assert limited.ask("POST", path, body, headers)[0] == 200


def test_message_length_over_grpc(limited):
    request = predict_request("affine", x=np.zeros(100_000, np.float32))
    with pytest.raises(grpc.RpcError) as caught:
        limited.predictions.Predict(request)
    assert caught.value.code().name == "RESOURCE_EXHAUSTED"
    still_serves(limited)


def test_expect_100_continue(limited):
    """As curl does before a large body; a body that is too large is never sent."""
    with connect(limited) as connection:
        connection.sendall(POST + b"Content-Length: 18\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(b'{"instances": [1]}')
        assert b"2.5" in connection.recv(1000)
    with connect(limited) as connection:
        connection.sendall(POST + b"Content-Length: 999999\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_slow_headers(limited):
    with connect(limited) as connection:
        for byte in POST[:5]:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)
        still_serves(limited)
        status, text = answer_of(connection)
    assert status == 408 and "headers took longer than 0.6 s" in text


def test_no_headers_at_all(limited):
    with connect(limited) as connection:
        assert answer_of(connection) is None


def test_slow_headers_of_a_second_request(limited):
    with connect(limited) as connection:
        connection.sendall(POST + b'Content-Length: 18\r\n\r\n{"instances": [1]}')
        assert b"2.5" in connection.recv(1000)
        time.sleep(0.8)  # an idle connection has no deadline
        connection.sendall(b"GET /v1/")
        status, _ = answer_of(connection)
    assert status == 408


def test_slow_body(limited):
    with connect(limited) as connection:
        connection.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        still_serves(limited)
        status, text = answer_of(connection)
    assert status == 408 and "the body took longer than 1.2 s" in text


def test_many_slow_clients_stop_nobody(limited):
    """More slow clients than requests that may be under way."""
    slow = [connect(limited) for _ in range(60)]
    try:
        for number, connection in enumerate(slow):
            head = b"Content-Length: 100\r\n\r\n{" if number % 2 else b"X: "
            connection.sendall(POST + head)
        for _ in range(5):
            still_serves(limited)
            limited.predictions.Predict(predict_request("affine", x=np.float32([1])))
    finally:
        for connection in slow:
            connection.close()
    still_serves(limited)


def test_slow_grpc_clients_stop_nobody(limited):
    """Connections that begin HTTP/2 and then stop."""
    host, port = limited.grpc_address.split(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(20)]
    for number, connection in enumerate(slow):
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" if number % 2 else b"nonsense\r\n\r\n"
        )
    limited.predictions.Predict(predict_request("affine", x=np.float32([1])), timeout=30)
    for connection in slow:
        connection.close()


NONSENSE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100,
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    POST + b"Content-Length: -5\r\n\r\n",
    POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"A: " + b"b" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nBad Header: \x00\r\n\r\n",
]


@pytest.mark.parametrize("sent", NONSENSE)
def test_malformed_requests(limited, sent):
    with connect(limited) as connection:
        connection.sendall(sent)
        status, text = answer_of(connection)
    assert status == 400 and text
    still_serves(limited)


def test_clients_that_leave(limited):
    for sent in (b"", b"PO", POST, POST + b"Content-Length: 50\r\n\r\n{", POST + b"\r\n"):
        with connect(limited) as connection:
            connection.sendall(sent)
    body = json.dumps({"instances": [0.0] * 20_000}).encode()
    for _ in range(20):
        with connect(limited) as connection:
            connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    body = {"instances": [1]}
    wait_until(lambda: limited.post("/v1/models/affine:predict", body)[0] == 200)


def test_client_that_does_not_read(toys):
    """It gets max_body_seconds to read; other clients are served meanwhile."""
    limits = Limits(max_body_seconds=1.0)
    with started({"affine": toys / "affine"}, limits=limits) as client:
        body = json.dumps({"inputs": [0.1] * 2_000_000}).encode()
        with connect(client) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            connections = client.server._http.server.connections
            wait_until(lambda: client.server.service.under_way == 0 and connections)
            still_serves(client)
            wait_until(lambda: not client.server._http.server.connections)


def test_memory_of_parsed_bodies(limited):
    """A small body that would become large, which says nothing about its size."""
    body = '{"instances":[' + ",".join(["{}"] * 60_000) + "]}"
    status, answer = limited.post("/v1/models/affine:predict", body)
    assert status == 413 and "bytes of memory, more than 16 times max_body_bytes" in answer["error"]


def test_memory_estimate_against_python():
    from tracemalloc import get_traced_memory, start, stop

    for item in ("[]", "[1.5]", "{}", '{"x":1.5}', '"ab"', "1.5", "[[0.25,0.5,0.75]]"):
        body = f'{{"instances":[{",".join([item] * 20000)}]}}'.encode()
        start()
        document = json.loads(body)
        taken, _ = get_traced_memory()
        stop()
        assert document and taken / 2 < rest_json.memory(body) < 5 * taken, item


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "BMP"])
def test_images_up_to_the_limit(limited, name):
    b64 = base64.b64encode(FILES[name]).decode()
    body = {"signature_name": "image_size", "instances": [{"b64": b64}]}
    assert limited.post("/v1/models/strings:predict", body) == (200, {"predictions": [[31, 97]]})


def images(*files):
    """Body of a request for the sizes of image files."""
    instances = [{"b64": base64.b64encode(contents).decode()} for contents in files]
    return {"signature_name": "image_size", "instances": instances}


JPEG_XL = b"\xff\x0a" + b"\x7f" * 50
IMAGES_REFUSED = [
    ([claiming(60_000, 60_000)], "the largest image of 60000x60000 pixels"),
    ([claiming(50, 40)] * 2, "Received: 4000 or more"),
    ([FILES["PNG"], JPEG_XL], "image_bytes[1]: is no JPEG or PNG file whose size can be read"),
    (
        [b"\0\0\0\x0cJXL \r\n\x87\n" * 9],
        "image_bytes[0]: is no JPEG or PNG file whose size can be read",
    ),
    ([b""], "image_bytes[0]: is no JPEG or PNG file whose size can be read"),
    ([claiming(1, 1)] * 5, "must hold at most 4 images (max_images). Received: 5"),
    ([FILES["PNG"][:60]], "image_bytes[0]: cannot be decoded"),
]


@pytest.mark.parametrize("files, text", IMAGES_REFUSED)
def test_images_refused(limited, files, text):
    status, answer = limited.post("/v1/models/strings:predict", images(*files))
    assert status == 400 and text in answer["error"], answer
    request = predict_request("strings", "image_size", image_bytes=np.array(files, object))
    with pytest.raises(grpc.RpcError) as caught:
        limited.predictions.Predict(request)
    assert caught.value.code().name == "INVALID_ARGUMENT"
    assert caught.value.details() == answer["error"]


@pytest.fixture
def held(limited, monkeypatch):
    """Holds runs of the model affine: (semaphore of those begun, event that lets them go)."""
    begun, let_go = threading.Semaphore(0), threading.Event()
    with limited.server.models.use("affine") as version:
        original = version.model.run

        def slow(*arguments):
            begun.release()
            let_go.wait()
            return original(*arguments)

        monkeypatch.setattr(version.model, "run", slow)
        yield begun, let_go
        let_go.set()


def test_requests_at_a_time(limited, held):
    """While three requests are under way, a fourth is refused; afterwards one is accepted."""
    begun, let_go = held
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        accepted = [pool.submit(still_serves, limited) for _ in range(3)]
        wait_until(lambda: limited.server.service.under_way == 3)
        status, headers, answer = limited.ask(
            "POST", "/v1/models/affine:predict", b'{"instances": [1]}'
        )
        assert (status, headers["Retry-After"]) == (429, "1")
        assert json.loads(answer)["error"].startswith("3 requests are under way")
        with pytest.raises(grpc.RpcError) as caught:
            limited.predictions.Predict(predict_request("affine", x=np.float32([1])))
        assert caught.value.code().name == "RESOURCE_EXHAUSTED"
        assert limited.get("/v1/models/affine")[0] == 200
        let_go.set()
        for future in accepted:
            future.result()
    still_serves(limited)


@pytest.mark.parametrize("way", ["rest", "half-closed", "grpc"])
def test_work_that_nobody_waits_for(limited, held, way):
    """Work that waits for its turn is dropped when its client leaves or its deadline passes."""
    begun, let_go = held
    service = limited.server.service
    service.turns, usual = Turns(1), service.turns
    try:
        first = threading.Thread(target=still_serves, args=(limited,))
        first.start()
        begun.acquire()
        if way == "grpc":
            request = predict_request("affine", x=np.float32([1]))
            with pytest.raises(grpc.RpcError) as caught:
                limited.predictions.Predict(request, timeout=0.3)
            assert caught.value.code().name == "DEADLINE_EXCEEDED"
        else:
            with connect(limited) as connection:
                connection.sendall(POST + b'Content-Length: 18\r\n\r\n{"instances": [1]}')
                wait_until(lambda: service.under_way == 2)
                if way == "half-closed":
                    connection.shutdown(socket.SHUT_WR)
                    assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
                    assert service.under_way == 2
        wait_until(lambda: service.under_way == 1)
        let_go.set()
        first.join()
        assert not begun.acquire(timeout=0.2)
    finally:
        service.turns = usual

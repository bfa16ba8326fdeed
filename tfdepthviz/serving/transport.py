"""JSON over HTTP: persistent connections, timeouts, retries, and readable errors.

Proxies come from the environment, as urllib reads it: HTTP_PROXY, HTTPS_PROXY, and NO_PROXY for
hosts to reach directly. Certificates are checked; SSL_CERT_FILE names your own authority's.
"""

import base64
import http.client
import json
import random
import re
import threading
import time
import urllib.parse
import urllib.request

# Too many requests, unavailable (such as while a model loads), deadline exceeded: the same request
# may succeed in a moment. Repeating it changes no other answer.
TEMPORARY = frozenset({429, 503, 504})
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
EXCERPT = 300
# Places in the graph, which TensorFlow adds to its error messages.
_PLACES = re.compile(
    r"Graph execution error:.*<stack traces unavailable>\s*"
    r"|\s*\[\[(?:\{\{.*?\}\}|[\w./:-]+)\]\]"
    r"|\{\{\w+ [^}]*\}\}\s*"
    r"|\s*\[Op:\w+\].*",
    re.DOTALL,
)
_ASSERTION = re.compile(r"assertion failed: \[(.*)\]", re.DOTALL)


class ServingError(Exception):
    """A server that could not be reached, or an answer that is an error or not the expected one.

    Attributes:
      status: HTTP status of the answer, int; None without an answer.
    """

    def __init__(self, message, status=None):
        super().__init__(message)
        self.status = status


def readable(text):
    """An error message of a server or of TensorFlow in one line, without the names of nodes."""
    text = _PLACES.sub("", text)
    if match := _ASSERTION.fullmatch(text.strip()):
        text = match[1].replace("] [", " ")
    return " ".join(text.split())


class JsonConnection:
    """Connection to one server. Threads may share the object: each gets its own connection.

    Args:
      server: "http://HOST[:PORT][/PREFIX]", or https.
      timeout: seconds to wait for a connection, for sending and for receiving.
      retries: how often to repeat a request after a refused or broken connection and after the
        statuses in TEMPORARY. Pauses double, from a quarter of a second. Repeating is safe:
        predictions change nothing on the server.
      about: added to the server's name in errors, such as the model.
    Raises:
      ValueError: `server` is no such address.
    """

    def __init__(self, server, *, timeout=60.0, retries=4, about=""):
        self._address = _address(server)
        self.server = server.rstrip("/")
        self._proxy = _proxy(self._address)
        self._timeout, self._retries, self._about = timeout, retries, about
        self._local = threading.local()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, path, request=None):
        """Sends GET `path`, or POST with `request` as JSON.

        Args:
          path: path of the URL below `server`.
          request: what JSON can hold; None sends GET.
        Returns:
          the answer, parsed from JSON.
        Raises:
          ServingError: no answer, or an answer other than "200 OK" with JSON.
        """
        body = None if request is None else json.dumps(request).encode("ascii")
        for repeated in range(self._retries + 1):
            asked_to_wait = 0.0
            try:
                response, content = self._exchange(path, body)
                if response.status not in TEMPORARY:
                    return self._parsed(response, content)
                failure = self._refusal(response, content)
                asked_to_wait = _retry_after(response)
            except (ConnectionError, http.client.IncompleteRead) as error:
                failure = self._error(f"cannot be reached ({_reason(error)}){self._after()}")
            except TimeoutError as error:
                message = f"gave no answer within {self._timeout:g} s"
                raise self._error(message) from error
            except http.client.HTTPException as error:
                raise self._error(
                    "does not answer as HTTP servers do; is this the port for REST, usually 8501, "
                    "and not the one for gRPC?"
                ) from error
            except OSError as error:
                raise self._error(f"cannot be reached ({_reason(error)})") from error
            if repeated < self._retries:
                time.sleep(max(asked_to_wait, _pause(repeated)))
        raise failure

    def close(self):
        """Closes this thread's connection; the next request opens another."""
        connection = getattr(self._local, "connection", None)
        if connection:
            connection.close()

    def _exchange(self, path, body):
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connection()
        connection = self._local.connection
        was_open = connection.sock is not None
        try:
            return self._sent(connection, path, body)
        except (ConnectionError, http.client.IncompleteRead):
            connection.close()
            if not was_open:
                raise
            # Servers close idle connections; that is no sign of trouble.
            return self._sent(connection, path, body)
        except BaseException:
            connection.close()
            raise

    def _sent(self, connection, path, body):
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        target = self._address.path.rstrip("/") + path
        if self._proxy and self._address.scheme == "http":
            target = f"http://{self._address.netloc}{target}"
            headers |= _proxy_authorization(self._proxy)
        try:
            connection.request("GET" if body is None else "POST", target, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses a request for its size answers before it has read all of it.
            if body is None or connection.sock is None:
                raise
        response = connection.getresponse()
        return response, response.read()

    def _connection(self):
        secure = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        target = self._proxy or self._address
        connection = kind(target.hostname, target.port, timeout=self._timeout)
        if self._proxy and secure:
            authorization = _proxy_authorization(self._proxy)
            connection.set_tunnel(self._address.hostname, self._address.port, authorization)
        return connection

    def _parsed(self, response, content):
        if response.status != 200:
            raise self._refusal(response, content)
        try:
            return json.loads(content)
        except ValueError as error:
            raise self._error(f"answered with no JSON: {_excerpt(content)}", 200) from error

    def _refusal(self, response, content):
        try:
            reason = readable(str(json.loads(content)["error"]))
        except (ValueError, TypeError, KeyError):
            reason = _excerpt(content)
        status = f"{response.status} {response.reason}".strip()
        repeated = self._after() if response.status in TEMPORARY else ""
        return self._error(f"answered {status}: {reason}{repeated}", response.status)

    def _after(self):
        return f" [{self._retries + 1} attempts]" if self._retries else ""

    def _error(self, message, status=None):
        about = f", {self._about}" if self._about else ""
        return ServingError(f"{self.server}{about}: {message}", status)


def _address(server):
    try:
        parts = urllib.parse.urlsplit(server)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(
            f"server must be an address such as http://localhost:8501. Received: {server!r}"
        )
    return parts


def _proxy(address):
    """Parts of the proxy's address; None without a proxy."""
    proxy = urllib.request.getproxies().get(address.scheme)
    if not proxy or urllib.request.proxy_bypass(address.netloc):
        return None
    return urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _proxy_authorization(proxy):
    if proxy.username is None:
        return {}
    user, password = (urllib.parse.unquote(text or "") for text in (proxy.username, proxy.password))
    token = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return {"Proxy-Authorization": f"Basic {token}"}


def _pause(repeated):
    """Seconds before the next attempt; random, so that clients do not all return at once."""
    return min(FIRST_PAUSE * 2**repeated, LONGEST_PAUSE) * random.uniform(0.5, 1.0)


def _retry_after(response):
    """Seconds that the server asks to wait, at most LONGEST_PAUSE; 0 if it gives a date."""
    seconds = response.headers.get("Retry-After", "")
    return min(float(seconds), LONGEST_PAUSE) if seconds.isascii() and seconds.isdigit() else 0.0


def _reason(error):
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _excerpt(content):
    text = " ".join(content.decode("utf-8", "replace").split())
    return f"{text[:EXCERPT]}..." if len(text) > EXCERPT else text or "nothing"

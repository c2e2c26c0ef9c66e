"""Goal: only the registry's own "no such schema" counts as an answer that there is none.

Method: a real HTTP server on a free port that answers what the test says; the pauses between
attempts are taken out.
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import registry
from registry import ATTEMPTS_MAX, RegistryUnavailableError, SchemaRegistry

Answer = tuple[int, Any]


class Server:
    """A registry whose answers are given in advance; the last one is repeated."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer the next of the answers."""
                outer.requests.append((self.path, self.headers["Authorization"]))
                answers = outer.answers
                status, body = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(registry, "BACKOFF_S", 0)
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


NOT_FOUND = (404, {"error_code": 40403, "message": "Schema not found"})


def test_a_schema_is_asked_for_once(server: Server) -> None:
    server.answers = [(200, {"schema": '"string"'})]
    schemas = SchemaRegistry(server.url + "/")

    assert [schemas.schema(7), schemas.schema(7)] == ['"string"', '"string"']
    assert server.requests == [("/schemas/ids/7", None)]


def test_no_such_schema_is_an_answer_that_may_change(server: Server) -> None:
    server.answers = [NOT_FOUND, (200, {"schema": '"string"'})]
    schemas = SchemaRegistry(server.url)

    assert [schemas.schema(7), schemas.schema(7)] == [None, '"string"']


def test_an_id_that_no_registry_can_give_is_not_asked_for(server: Server) -> None:
    assert SchemaRegistry(server.url).schema(2**31) is None
    assert server.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"<html>not here</html>"),
        (404, {"error_code": 404}),
        (401, {}),
        (500, {"error_code": 50001}),
        (200, b"not json"),
        (200, {"id": 7}),
    ],
)
def test_any_other_answer_is_none(server: Server, answer: Answer) -> None:
    server.answers = [answer]

    with pytest.raises(RegistryUnavailableError, match="schema 7"):
        SchemaRegistry(server.url).schema(7)

    assert len(server.requests) == ATTEMPTS_MAX


def test_a_registry_that_comes_back_is_heard(server: Server) -> None:
    server.answers = [(503, {}), (503, {}), (200, {"schema": '"long"'})]

    assert SchemaRegistry(server.url).schema(7) == '"long"'


def test_the_newest_schema_of_a_subject_comes_with_its_id(server: Server) -> None:
    server.answers = [(200, {"id": 9, "version": 2, "schema": '"long"'})]

    assert SchemaRegistry(server.url).latest("a/b-value") == (9, '"long"')
    assert server.requests == [("/subjects/a%2Fb-value/versions/latest", None)]


def test_a_subject_that_is_not_there_is_said_by_its_name(server: Server) -> None:
    server.answers = [(404, {"error_code": 40401, "message": "Subject not found"})]

    with pytest.raises(RegistryUnavailableError, match="the schema of a-value"):
        SchemaRegistry(server.url).latest("a-value")


def test_credentials_are_sent_and_never_told(server: Server) -> None:
    server.answers = [(500, {})]
    login = {"username": "me", "password": "s@cret"}

    with pytest.raises(RegistryUnavailableError) as raised:
        SchemaRegistry(server.url, **login).schema(7)

    expected = "Basic " + base64.b64encode(b"me:s@cret").decode()
    assert {authorization for _, authorization in server.requests} == {expected}
    assert "cret" not in str(raised.value)


def test_a_registry_is_trusted_by_an_authority_of_its_own(server: Server, tmp_path: Path) -> None:
    certificate, key = _certify(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    server.answers = [(200, {"schema": '"string"'})]
    url = server.url.replace("http:", "https:")

    assert SchemaRegistry(url, ca=certificate.read_text()).schema(7) == '"string"'
    with pytest.raises(RegistryUnavailableError, match="certificate verify failed"):
        SchemaRegistry(url).schema(7)


def _certify(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*request, *name, *files], check=True, capture_output=True)
    return certificate, key

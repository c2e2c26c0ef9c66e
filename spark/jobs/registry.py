"""The schema registry, asked over HTTP for the schemas that records were written with.

A schema of an id never changes, so it is asked for once. Only the registry's own "no such schema"
(HTTP 404 with Confluent's code 40403) is an answer that sends records to quarantine; a registry
that is away, or a wrong URL that answers 404 to everything, must stop the batch instead, or an
outage would quarantine good trades.
"""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from typing import Any

TIMEOUT_S = 5
ATTEMPTS_MAX = 5
BACKOFF_S = 1
SCHEMA_ID_MAX = 2**31 - 1
SCHEMA_NOT_FOUND = 40403


class RegistryUnavailableError(Exception):
    """The registry gave no answer that could be relied on."""


class SchemaRegistry:
    """Writers' schemas by id. Bounded by the number of schemas that the registry holds.

    Args:
        url: base URL, without credentials.
        username: who we are to it; None where it asks nobody.
        password: of that user.
        ca: the authorities that its certificate is checked against, as PEM; None: the usual ones.

    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        ca: str | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._tls = ssl.create_default_context(cadata=ca) if ca else None
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json"}
        if username is not None:
            encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {encoded}"
        self._schemas: dict[int, str] = {}

    def schema(self, schema_id: int) -> str | None:
        """Return the schema of an id, None if the registry says that there is none.

        Raises:
            RegistryUnavailableError: no answer after five attempts, at most about half a minute.

        """
        if schema_id > SCHEMA_ID_MAX:
            return None
        if schema_id not in self._schemas:
            answer = self._fetch(f"/schemas/ids/{schema_id}", f"schema {schema_id}")
            if answer is None:
                return None
            self._schemas[schema_id] = str(answer["schema"])
        return self._schemas[schema_id]

    def latest(self, subject: str) -> tuple[int, str]:
        """Return id and text of a subject's newest schema.

        Raises:
            RegistryUnavailableError: no answer, or it does not know the subject.

        """
        what = f"the schema of {subject}"
        path = f"/subjects/{urllib.parse.quote(subject, safe='')}/versions/latest"
        answer = self._fetch(path, what)
        if answer is None or not isinstance(answer.get("id"), int):
            raise RegistryUnavailableError(f"The registry at {self._url} does not have {what}")
        return answer["id"], str(answer["schema"])

    def _fetch(self, path: str, what: str) -> dict[str, Any] | None:
        reason = ""
        for attempt in range(ATTEMPTS_MAX):
            if attempt > 0:
                time.sleep(BACKOFF_S * attempt)
            try:
                return self._ask(path)
            except urllib.error.HTTPError as error:
                if error.code == HTTPStatus.NOT_FOUND and _error_code(error) == SCHEMA_NOT_FOUND:
                    return None
                reason = f"HTTP {error.code}"
            except (OSError, ValueError) as error:
                reason = str(error)
        raise RegistryUnavailableError(
            f"Cannot read {what} from the registry at {self._url}: {reason}"
        )

    def _ask(self, path: str) -> dict[str, Any]:
        request = urllib.request.Request(f"{self._url}{path}", headers=self._headers)  # noqa: S310
        with urllib.request.urlopen(  # noqa: S310
            request, timeout=TIMEOUT_S, context=self._tls
        ) as response:
            answer = json.load(response)
        if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
            raise ValueError("the answer holds no schema")
        return answer


def _error_code(error: urllib.error.HTTPError) -> int | None:
    try:
        answer = json.load(error)
    except ValueError:
        return None
    return answer.get("error_code") if isinstance(answer, dict) else None

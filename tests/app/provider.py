"""A small OpenID Connect provider on this machine: authorisation code with PKCE, id tokens signed by a key of its own.

It has no passwords: whoever comes chooses who to be.
"""

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "mimi", "a secret of the client"
Claims = dict[str, object]


@dataclass
class Provider:
    """What it knows. `people`: name on its page -> what it says of them; `asked`: paths of all requests."""

    people: dict[str, Claims]
    address: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, parameters={"kid": "1", "use": "sig"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def metadata(self) -> Claims:
        return {
            "issuer": self.address,
            **{f"{name}_endpoint": f"{self.address}/{name}" for name in ("authorization", "token", "end_session")},
            "jwks_uri": f"{self.address}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def choice(self, query: dict[str, str]) -> str:
        """The page that asks who comes."""
        links = [
            f'<a href="/chosen?{html.escape(urlencode({**query, "who": name}))}">{html.escape(name)}</a>'
            for name in self.people
        ]
        return f"<h1>Who are you?</h1>{'<br>'.join(links)}"

    def chosen(self, query: dict[str, str]) -> str:
        """Where the browser goes on, with a code."""
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert "email" in query["scope"].split()
        code = secrets.token_urlsafe()
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> Claims | None:
        """For a code, once, to the client that it was made for."""
        query = self.codes.pop(form.get("code", ""), None)
        sent = base64.b64decode(authorization.partition(" ")[2]).decode()
        given = sent.replace("+", " ").replace("%20", " ") or f"{form.get('client_id')}:{form.get('client_secret')}"
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            query is None
            or given != f"{CLIENT}:{SECRET}"
            or form["redirect_uri"] != query["redirect_uri"]
            or base64.urlsafe_b64encode(proof).rstrip(b"=").decode() != query["code_challenge"]
        ):
            return None
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "sub": query["who"], "iat": now, "exp": now + 600}
        claims |= {"nonce": query["nonce"], **self.people[query["who"]]}
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)
        return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "expires_in": 600, "id_token": signed}


@contextmanager
def provided(people: dict[str, Claims]) -> Iterator[Provider]:
    """A provider that answers until the end of the block."""
    provider = Provider(people)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            path, query = self.asked()
            if path == "/.well-known/openid-configuration":
                self.answer(200, json.dumps(provider.metadata()), "application/json")
            elif path == "/jwks":
                self.answer(200, json.dumps({"keys": [provider.key.as_dict(private=False)]}), "application/json")
            elif path == "/authorization":
                self.answer(200, provider.choice(query), "text/html; charset=utf-8")
            elif path == "/chosen":
                self.answer(302, "", location=provider.chosen(query))
            elif path == "/end_session":
                self.answer(302, "", location=query["post_logout_redirect_uri"])
            else:
                self.answer(404, "")

        def do_POST(self) -> None:
            self.asked()
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            token = provider.token(form, self.headers.get("Authorization") or "")
            self.answer(200 if token else 400, json.dumps(token or {"error": "invalid_grant"}), "application/json")

        def asked(self) -> tuple[str, dict[str, str]]:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}

        def answer(self, status: int, body: str, kind: str = "text/plain", location: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            if location is not None:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body.encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield provider
        server.shutdown()

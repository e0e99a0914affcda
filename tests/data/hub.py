"""A stand-in for the Hugging Face Hub, on this machine."""

import json
import zlib
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import ClassVar


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as its library asks for."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []
    COMMIT = "0123456789abcdef0123456789abcdef01234567"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        if path.startswith("/api/datasets/me/mine/revision/"):
            listed = [{"rfilename": name} for name in self.files]
            self.answer(json.dumps({"id": "me/mine", "sha": self.COMMIT, "siblings": listed}).encode())
        elif path.startswith("/api/datasets/me/mine/tree/"):
            listed = [{"type": "file", "path": n, "size": len(c), "oid": "0" * 40} for n, c in self.files.items()]
            self.answer(json.dumps(listed).encode())
        elif (name := path.removeprefix(f"/datasets/me/mine/resolve/{self.COMMIT}/")) in self.files:
            self.answer(self.files[name])
        else:
            self.answer(b"", HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, content: bytes, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        headers = {
            "Content-Length": len(content),
            "ETag": f'"{zlib.crc32(content):040x}"',
            "X-Repo-Commit": self.COMMIT,
        }
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...

"""A hub with the API of the Hugging Face hub, as far as huggingface_hub downloads models from it.

It has two servers with addresses of their own: the hub, and the store with the files of Git LFS.
The hub redirects to the store, which rejects credentials. As a program it serves one model to
those with a token, because pods reach only what runs inside the cluster's namespaces. Arguments:
the address, a folder with the files, the certificate and its key; the token is the first line of
the standard input. It prints its address. Each further line is another folder, whose files become
the model's next commit, which it prints. It ends with the input.
"""

import asyncio
import contextlib
import hashlib
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

LFS = (".safetensors", ".onnx", ".bin", ".pt", ".pth")
"""Suffixes of the files that are in Git LFS."""
MODEL = "demo/digits"
"""The model of the program."""
PAGE = 1000
"""Files and folders in one answer of the API."""


@dataclass(frozen=True)
class Fault:
    """An answer to one request that is not the right one."""

    status: int | None = None
    """Answer with this status; None: the right one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    """Close the connection after so many bytes of the right answer."""
    content: bytes | None = None
    """Send this as the content of the file."""
    before: Callable[[], object] = lambda: None
    """Called before the answer."""


@dataclass
class Repository:
    """A model."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    private: bool = False
    """Whether only those with the token see it."""
    gated: bool = False
    """Whether all may see it, but only those with the token may read its files."""
    accepted: bool = True
    """Whether the token's user has accepted the licence of a gated model."""

    def push(self, files: Mapping[str, bytes], ref: str = "main") -> str:
        """Let *ref* be a new commit with these files, and return the commit."""
        commit = _sha1(f"{len(self.commits)} {ref}".encode())
        self.commits[commit], self.refs[ref] = dict(files), commit
        return commit


@dataclass(frozen=True)
class Asked:
    """A request that was received."""

    server: str
    """`hub` or `store`."""
    method: str
    path: str
    authorization: str | None
    range: str | None


@dataclass
class Hub:
    """The hub: its content, its faults, and what it was asked."""

    token: str = "hf_token"
    models: dict[str, Repository] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    """New names of models by their old ones."""
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """By the end of the request's path; each is for one request."""
    listed: Callable[[list[Any]], Any] = lambda entries: entries
    """Changes what the API lists."""
    upstream: str = ""
    """The address of the hub whose links this one passes on, because it is a mirror."""
    url: str = ""
    store: str = ""
    stored: dict[str, bytes] = field(default_factory=dict)
    """Files of Git LFS, by their SHA-256."""
    asked: list[Asked] = field(default_factory=list)

    def push(self, files: Mapping[str, bytes], model: str = "org/repo", ref: str = "main") -> str:
        """Push a commit to a model, which is created if there is none."""
        self.stored |= {sha256(one): one for path, one in files.items() if path.endswith(LFS)}
        return self.models.setdefault(model, Repository()).push(files, ref)

    def paths(self, server: str = "hub") -> list[str]:
        """Return the paths of all requests to a server."""
        return [one.path for one in self.asked if one.server == server]

    def hub_application(self) -> web.Application:
        """Return the hub."""
        return self._application(
            "hub",
            {
                "/api/models/{org}/{repo}": self._revision,
                "/api/models/{org}/{repo}/revision/{revision}": self._revision,
                "/api/models/{org}/{repo}/tree/{revision}": self._tree,
                "/api/models/{org}/{repo}/tree/{revision}/{path:.*}": self._tree,
                "/{org}/{repo}/resolve/{revision}/{path:.*}": self._resolve,
                "/api/resolve-cache/models/{org}/{repo}/{revision}/{path:.*}": self._cached,
            },
        )

    def store_application(self) -> web.Application:
        """Return the store."""
        return self._application("store", {"/xet/{sha256}": self._stored})

    def _application(
        self,
        name: str,
        routes: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]],
    ) -> web.Application:
        @web.middleware
        async def record(
            asked: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            given = asked.headers.get("Authorization")
            self.asked.append(
                Asked(name, asked.method, asked.path, given, asked.headers.get("Range"))
            )
            asked["fault"] = fault = self._fault(asked)
            fault.before()
            if fault.status is not None:
                return web.Response(status=fault.status, headers=fault.headers, body=fault.body)
            return await handler(asked)

        application = web.Application(middlewares=[record])
        for path, handler in routes.items():
            application.router.add_get(path, handler)
        return application

    def _fault(self, asked: web.Request) -> Fault:
        for end, faults in self.faults.items():
            if asked.method == "GET" and asked.path.endswith(end) and faults:
                return faults.pop(0)
        return Fault()

    def _find(self, asked: web.Request, *, content: bool = False) -> tuple[str, dict[str, bytes]]:
        """Return the commit that is asked for, and its files."""
        name = f"{asked.match_info['org']}/{asked.match_info['repo']}"
        if name in self.moved:
            target = str(asked.rel_url).replace(name, self.moved[name], 1)
            raise web.HTTPTemporaryRedirect(target)
        given = asked.headers.get("Authorization")
        known = given == f"Bearer {self.token}"
        if given and not known:
            raise _refused(401, "", "Invalid credentials in Authorization header")
        model = self.models.get(name)
        if model is None or (model.private and not known):
            raise _refused(404 if known else 401, "RepoNotFound", "Repository not found")
        if content and model.gated and not known:
            raise _refused(401, "GatedRepo", "Access to this model is restricted.")
        if content and model.gated and not model.accepted:
            raise _refused(403, "GatedRepo", "You are not in the authorized list.")
        revision = asked.match_info.get("revision", "main")
        commit = model.refs.get(revision, revision)
        if commit not in model.commits:
            raise _refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit, model.commits[commit]

    async def _revision(self, asked: web.Request) -> web.StreamResponse:
        commit, files = self._find(asked)
        name = f"{asked.match_info['org']}/{asked.match_info['repo']}"
        answer: dict[str, Any] = {"_id": "1", "id": name, "sha": commit}
        if "expand" not in asked.query:
            answer |= {"modelId": name, "private": False, "tags": [], "downloads": 0, "likes": 0}
            answer["siblings"] = [{"rfilename": path} for path in files]
        return web.json_response(answer)

    async def _tree(self, asked: web.Request) -> web.StreamResponse:
        _, files = self._find(asked)
        folder = asked.match_info.get("path", "")
        inside = {
            path: content
            for path, content in files.items()
            if not folder or path.startswith(f"{folder}/")
        }
        if folder and not inside:
            raise _refused(404, "EntryNotFound", f"{folder} does not exist")
        entries = self.listed(list(_entries(inside)))
        if not isinstance(entries, list):
            return web.json_response(entries)
        start = int(asked.query.get("cursor", "0"))
        answer = web.json_response(entries[start : start + PAGE])
        if start + PAGE < len(entries):
            query = urlencode({**asked.query, "cursor": str(start + PAGE)})
            link = f"{self.upstream or self.url}{asked.path}?{query}"
            answer.headers["Link"] = f'<{link}>; rel="next"'
        return answer

    async def _resolve(self, asked: web.Request) -> web.StreamResponse:
        commit, files = self._find(asked, content=True)
        path = asked.match_info["path"]
        if path not in files:
            raise _refused(404, "EntryNotFound", "Entry not found")
        content = files[path]
        etag = sha256(content) if path.endswith(LFS) else blob(content)
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        if path.endswith(LFS):
            target = f"{self.store}/xet/{etag}?X-Signature={len(self.asked)}"
        else:
            model = f"{asked.match_info['org']}/{asked.match_info['repo']}"
            target = f"/api/resolve-cache/models/{model}/{commit}/{path}?etag={etag}"
        return web.Response(
            status=302 if path.endswith(LFS) else 307,
            headers={**headers, "ETag": f'"{etag}"', "Location": target},
        )

    async def _cached(self, asked: web.Request) -> web.StreamResponse:
        commit, files = self._find(asked, content=True)
        content = files[asked.match_info["path"]]
        return await _send(asked, content, blob(content), {"X-Repo-Commit": commit})

    async def _stored(self, asked: web.Request) -> web.StreamResponse:
        if "Authorization" in asked.headers:
            return web.Response(status=400, text="Only one auth mechanism allowed")
        wanted = asked.match_info["sha256"]
        return await _send(asked, self.stored[wanted], wanted, {})


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def blob(content: bytes) -> str:
    """Return Git's name of a file's content."""
    return _sha1(b"blob %d\0" % len(content) + content)


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _entries(files: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    folders = {str(one) for path in files for one in Path(path).parents} - {".", "/"}
    for folder in sorted(folders):
        yield {"type": "directory", "oid": blob(folder.encode()), "size": 0, "path": folder}
    for path, content in files.items():
        entry = {"type": "file", "oid": blob(content), "size": len(content), "path": path}
        if path.endswith(LFS):
            pointer = b"version https://git-lfs.github.com/spec/v1\n"
            lfs = {"oid": sha256(content), "size": len(content), "pointerSize": len(pointer)}
            entry |= {"oid": blob(pointer), "lfs": lfs}
        yield entry


def _refused(status: int, code: str, message: str) -> web.HTTPException:
    kinds: dict[int, type[web.HTTPException]] = {
        401: web.HTTPUnauthorized,
        403: web.HTTPForbidden,
        404: web.HTTPNotFound,
    }
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return kinds[status](headers=headers, text=f"<html>{message}</html>")


async def _send(
    asked: web.Request, content: bytes, etag: str, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send a file, or the part of it that is asked for."""
    fault: Fault = asked["fault"]
    content = content if fault.content is None else fault.content
    quoted = f'"{etag}"'
    start = 0
    if asked.headers.get("If-Range", quoted) == quoted and "Range" in asked.headers:
        start = int(asked.headers["Range"].removeprefix("bytes=").partition("-")[0])
    answer = web.StreamResponse(
        status=206 if start else 200,
        headers={**headers, "ETag": quoted, "Accept-Ranges": "bytes"},
    )
    if start:
        answer.headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    answer.content_length = len(content) - start
    await answer.prepare(asked)
    if asked.method == "GET":
        stop = len(content) if fault.cut is None else start + fault.cut
        await answer.write(content[start:stop])
        if fault.cut is not None:
            assert asked.transport
            asked.transport.close()
            return answer
        await answer.write_eof()
    return answer


@asynccontextmanager
async def serving(hub: Hub, address: str, context: ssl.SSLContext) -> AsyncIterator[None]:
    """Serve a hub and its store."""
    runners = []
    for application in (hub.hub_application(), hub.store_application()):
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, address, 0, ssl_context=context).start()
        runners.append(runner)
    hub.url, hub.store = (f"https://{address}:{one.addresses[0][1]}" for one in runners)
    try:
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


@contextmanager
def serve(hub: Hub, address: str, certificate: Path, key: Path | None = None) -> Iterator[Hub]:
    """Serve a hub in a thread of its own during a with block."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def run() -> None:
        async with serving(hub, address, context):
            ready.set()
            await done.wait()

    def main() -> None:
        with contextlib.closing(loop):
            loop.run_until_complete(run())

    thread = threading.Thread(target=main)
    thread.start()
    try:
        ready.wait()
        yield hub
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


def main(address: str, folder: str, certificate: str, key: str) -> None:
    """Serve the files in a folder until the standard input ends."""
    hub = Hub(token=sys.stdin.readline().strip())
    hub.models[MODEL] = Repository(private=True)
    hub.push(_read(Path(folder)), MODEL)
    with serve(hub, address, Path(certificate), Path(key)):
        sys.stdout.write(f"{hub.url}\n")
        sys.stdout.flush()
        for line in sys.stdin:
            sys.stdout.write(f"{hub.push(_read(Path(line.strip())), MODEL)}\n")
            sys.stdout.flush()


def _read(root: Path) -> dict[str, bytes]:
    """Return the files in a folder."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


if __name__ == "__main__":
    main(*sys.argv[1:])

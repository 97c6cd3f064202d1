"""A stand-in of Hugging Face's hub: the same HTTP API, from the loopback address, in memory.

It keeps repositories of models with branches and commits, takes commits as ``huggingface_hub``
sends them (small files inside, large ones by LFS), and serves files with commits and checksums.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = 'hf_stand_in'


class Hub:
    """The repositories, and the server of them.

    Attributes:
        repositories: Name -> branch -> commits, the newest last.
        commits: Commit -> files.
        requests: Method and path of all that was asked for.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, list[str]]] = {}
        self.private: set[str] = set()
        self.commits: dict[str, dict[str, bytes]] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        handler = type('Handler', (_Handler,), dict(hub=self))
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
        self.address = f'http://127.0.0.1:{self.server.server_address[1]}'

    def put(self, name: str, files: Mapping[str, bytes], branch: str = 'main') -> str:
        """Make files the content of a branch; returns the commit."""
        text = json.dumps([name, len(self.commits), sorted(files)])
        commit = hashlib.sha1(text.encode()).hexdigest()
        self.commits[commit] = dict(files)
        self.repositories.setdefault(name, {}).setdefault(branch, []).append(commit)
        return commit

    def files(self, name: str, revision: str = 'main') -> dict[str, bytes] | None:
        """Files at a branch or commit."""
        commit = self.commit(name, revision)
        return None if commit is None else self.commits[commit]

    def commit(self, name: str, revision: str) -> str | None:
        """Commit of a branch or commit."""
        branches = self.repositories[name]
        if any(revision in commits for commits in branches.values()):
            return revision
        return branches[revision][-1] if branches.get(revision) else None


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f'{self.command} {path}')
        for pattern, act in _ROUTES:
            found = re.fullmatch(pattern, f'{self.command} {path}')
            if found:
                act(self, *found.groups(), body)
                return
        self._fail(404, 'EntryNotFound')

    def _answer(self, value: Any, status: int = 200, **headers: str) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {'Content-Length': str(len(content)), **headers}.items():
            self.send_header(name.replace('_', '-'), text)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(content)

    def _fail(self, status: int, code: str) -> None:
        self._answer({'error': code}, status, X_Error_Code=code, X_Error_Message=code)

    def _known(self, name: str) -> bool:
        """Whether a repository may be seen; as on the hub, a hidden one is not there."""
        is_owner = self.headers.get('Authorization') == f'Bearer {TOKEN}'
        if name in self.hub.repositories and (name not in self.hub.private or is_owner):
            return True
        self._fail(401, 'RepoNotFound')
        return False

    def _resolve(self, name: str, revision: str, file: str, _: bytes) -> None:
        if not self._known(name):
            return
        commit = self.hub.commit(name, revision)
        if commit is None:
            self._fail(404, 'RevisionNotFound')
            return
        content = self.hub.commits[commit].get(file)
        if content is None:
            self._answer(
                {}, 404, X_Error_Code='EntryNotFound', X_Error_Message='none', X_Repo_Commit=commit
            )
            return
        etag = hashlib.sha256(content).hexdigest()
        self._answer(content, ETag=f'"{etag}"', X_Repo_Commit=commit)

    def _info(self, name: str, revision: str | None, _: bytes) -> None:
        if not self._known(name):
            return
        commit = self.hub.commit(name, revision or 'main')
        if commit is None and revision is not None:
            self._fail(404, 'RevisionNotFound')
            return
        files = self.hub.commits.get(commit or '', {})
        siblings = [dict(rfilename=file) for file in files]
        self._answer(dict(id=name, modelId=name, sha=commit, siblings=siblings, tags=[]))

    def _tree(self, name: str, revision: str, _: bytes) -> None:
        if not self._known(name):
            return
        files = self.hub.files(name, revision)
        if files is None:
            self._fail(404, 'RevisionNotFound')
            return
        rows = [
            dict(type='file', path=path, size=len(content), oid=hashlib.sha1(content).hexdigest())
            for path, content in files.items()
        ]
        self._answer(rows)

    def _create(self, body: bytes) -> None:
        if not self._may_write():
            return
        about = json.loads(body)
        name = f'{about["organization"]}/{about["name"]}'
        url = f'{self.hub.address}/{name}'
        if name in self.hub.repositories:
            self._answer(dict(error='exists', url=url), 409)
            return
        self.hub.repositories[name] = {}
        self.hub.put(name, {'.gitattributes': b'*.safetensors filter=lfs\n'})
        if about.get('private') or about.get('visibility') == 'private':
            self.hub.private.add(name)
        self._answer(dict(url=url, name=name, id=name))

    def _branch(self, name: str, branch: str, _: bytes) -> None:
        if not (self._may_write() and self._known(name)):
            return
        branches = self.hub.repositories[name]
        if branch in branches:
            self._fail(409, 'Exists')
            return
        branches[branch] = branches['main'][-1:]
        self._answer({}, 201)

    def _preupload(self, name: str, _revision: str, body: bytes) -> None:
        if not (self._may_write() and self._known(name)):
            return
        files = [
            dict(
                path=file['path'],
                uploadMode='lfs' if file['path'].endswith('.safetensors') else 'regular',
                shouldIgnore=False,
                oid=None,
            )
            for file in json.loads(body)['files']
        ]
        self._answer(dict(files=files))

    def _batch(self, _name: str, body: bytes) -> None:
        rows = [
            dict(
                oid=row['oid'],
                size=row['size'],
                actions=dict(upload=dict(href=f'{self.hub.address}/lfs/{row["oid"]}', header={})),
            )
            for row in json.loads(body)['objects']
        ]
        self._answer(dict(transfer='basic', objects=rows))

    def _upload(self, oid: str, body: bytes) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            self._fail(400, 'BadRequest')
            return
        self.hub.objects[oid] = body
        self._answer({})

    def _commit(self, name: str, revision: str, body: bytes) -> None:
        if not (self._may_write() and self._known(name)):
            return
        files = dict(self.hub.files(name, revision) or {})
        for line in body.splitlines():
            row = json.loads(line)
            value = row['value']
            if row['key'] == 'file':
                files[value['path']] = base64.b64decode(value['content'])
            elif row['key'] == 'lfsFile':
                files[value['path']] = self.hub.objects[value['oid']]
            elif row['key'] == 'deletedFile':
                del files[value['path']]
        commit = self.hub.put(name, files, revision)
        url = f'{self.hub.address}/{name}/commit/{commit}'
        self._answer(dict(commitOid=commit, commitUrl=url, success=True))

    def _may_write(self) -> bool:
        if self.headers.get('Authorization') == f'Bearer {TOKEN}':
            return True
        self._fail(401, 'Unauthorized')
        return False


_ROUTES = [
    (r'(?:GET|HEAD) /([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)', _Handler._resolve),
    (r'GET /api/models/([\w.-]+/[\w.-]+)(?:/revision/(.+))?', _Handler._info),
    (r'GET /api/models/([\w.-]+/[\w.-]+)/tree/([^/]+)/?', _Handler._tree),
    (r'POST /api/repos/create', _Handler._create),
    (r'POST /api/validate-yaml', lambda self, _: self._answer(dict(errors=[], warnings=[]))),
    (r'POST /api/models/([\w.-]+/[\w.-]+)/branch/(.+)', _Handler._branch),
    (r'POST /api/models/([\w.-]+/[\w.-]+)/preupload/(.+)', _Handler._preupload),
    (r'POST /([\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch', _Handler._batch),
    (r'PUT /lfs/([0-9a-f]+)', _Handler._upload),
    (r'POST /api/models/([\w.-]+/[\w.-]+)/commit/(.+)', _Handler._commit),
]


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that serves until the block ends."""
    hub = Hub()
    thread = threading.Thread(target=hub.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.server.shutdown()
        hub.server.server_close()
        thread.join()

"""The API as a page: FastAPI's own page loads scripts from another server, this one needs none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ovmlv: HTTP API</title>
<link rel="icon" href="icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="page.css">
</head>
<body class="api">
<header class="top"><a class="brand" href="./">ovmlv</a><p>HTTP API</p></header>
<main>
"""
_EXAMPLE = """<pre><code>curl -X POST -T clip.mp4 "HOST/api/videos?name=clip.mp4"
curl -H "Content-Type: application/json" -d '{"labels": ["a dog", "rain"]}' HOST/api/videos/ID/tags
curl "HOST/api/videos/ID/frames?label=a+dog"</code></pre>
"""
_TAIL = '</main>\n</body>\n</html>\n'


def api_page(schema: Mapping[str, Any], codes: Mapping[str, tuple[int, str]]) -> str:
    """HTML of an OpenAPI schema.

    Args:
        schema: ``FastAPI.openapi()``.
        codes: Code of an error -> HTTP status and meaning.
    """
    models = schema['components']['schemas']
    parts = [
        _HEAD,
        f'<p>{escape(schema["info"]["description"])} The same for programs: '
        '<a href="api/openapi.json">openapi.json</a>.</p>',
        _EXAMPLE,
    ]
    for path, methods in schema['paths'].items():
        for method, operation in methods.items():
            parts += _operation(method.upper(), path, operation, models)
    parts += ['<h2>Errors</h2>', '<p>Every error is <code>{"error": {"code", "message"}}</code>.']
    parts += [_table(('code', 'status', 'meaning'), ((c, s, m) for c, (s, m) in codes.items()))]
    return ''.join([*parts, _TAIL])


def _operation(
    method: str, path: str, operation: Mapping[str, Any], models: Mapping[str, Any]
) -> Iterator[str]:
    yield '<section class="card">'
    yield f'<h2>{escape(operation["summary"])}</h2>'
    yield f'<p><code class="path"><b>{method}</b> {escape(path)}</code></p>'
    if operation.get('description'):
        yield f'<p>{escape(operation["description"])}</p>'
    rows = [
        (
            p['name'],
            p['in'],
            _kind(p['schema'], models),
            'required' if p.get('required') else str(p['schema'].get('default', '')),
            p.get('description', '') or p['schema'].get('description', ''),
        )
        for p in operation.get('parameters', ())
    ]
    if rows:
        yield _table(('parameter', 'in', 'type', 'default', 'meaning'), rows)
    for kind, content in operation.get('requestBody', {}).get('content', {}).items():
        yield f'<h3>Body <small>{escape(kind)}</small></h3>'
        yield _model(content['schema'], models)
    for status, response in operation['responses'].items():
        for kind, content in response.get('content', {}).items():
            if status.startswith('2'):
                yield f'<h3>Answer <small>{status} {escape(kind)}</small></h3>'
                yield _model(content.get('schema', {}), models)
    yield '</section>\n'


def _model(schema: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    """A table of the fields of an object, fields of fields below it."""
    name = schema.get('$ref', '').rpartition('/')[2]
    if not name:
        return '<p>Bytes.</p>'
    rows, inner = [], []
    for field, value in models[name].get('properties', {}).items():
        rows.append((field, _kind(value, models), value.get('description', '')))
        below = value.get('items', value)
        if '$ref' in below:
            title = escape(below['$ref'].rpartition('/')[2])
            inner.append(f'<h4>{title}</h4>{_model(below, models)}')
    return _table(('field', 'type', 'meaning'), rows) + ''.join(inner)


def _kind(schema: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    if '$ref' in schema:
        return schema['$ref'].rpartition('/')[2]
    if 'anyOf' in schema:
        return ' or '.join(_kind(part, models) for part in schema['anyOf'])
    kind = schema.get('type', 'any')
    if kind == 'array':
        return f'list of {_kind(schema["items"], models)}'
    limits = [
        f'{sign} {schema[key]:g}'
        for key, sign in (('minimum', '≥'), ('maximum', '≤'))
        if key in schema
    ]
    return ' '.join([kind, *limits])


def _table(head: tuple[str, ...], rows: Any) -> str:
    def line(cells: tuple, tag: str) -> str:
        return ''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)

    body = ''.join(f'<tr>{line(row, "td")}</tr>' for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{line(head, "th")}</tr></thead>'
        f'<tbody>{body}</tbody></table></div>'
    )

"""What a benchmark compares: rows, each a config with changes, over seeds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ovmlv.errors import ConfigError

_NAME = re.compile(r'[A-Za-z0-9][\w.-]*')


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: Name of its folder: letters, digits, ``_``, ``-``, ``.``.
        config: Config file, relative to the working directory or to the suite file.
        title: Name in the table; by default, the name of the row.
        group: Heading above it in the table.
        options: Changes of the config, as ``--cfg-options`` makes them.
        seeds: Seeds of this row, if not those of the suite.
        train: Whether there is anything to train; by default, whether the config says how. A row
            that is not trained is tested once.
        after: Another row whose trained weights (of the same seed) are tested instead of training.
        convert: Command that makes the weights to test out of those of ``after``. ``{checkpoint}``
            and ``{out}`` in it are replaced, and ``python`` is put in front of a ``.py`` file.
    """

    name: str
    config: str
    title: str = ''
    group: str = ''
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    train: bool | None = None
    after: str = ''
    convert: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ConfigError(
                f'suite: row name {self.name!r} is no folder name; use letters, digits, _, - and .'
            )
        if not self.title:
            object.__setattr__(self, 'title', self.name.replace('_', ' '))
        if self.convert and not self.after:
            raise ConfigError(f'suite: row {self.name} has convert= but no after=; name the row')
        if self.after and self.train:
            raise ConfigError(f'suite: row {self.name} has after=, so it cannot have train=True')


@dataclass(frozen=True)
class Profile:
    """A picture of some rows over an ordered list of groups of labels.

    Attributes:
        title: Title of the picture.
        axis: What the groups are ordered by.
        metrics: Metric -> name of its group, in order.
        rows: Names of rows, each a line.
    """

    title: str
    axis: str
    metrics: Mapping[str, str]
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Suite:
    """A benchmark.

    Attributes:
        name: Name of its folder.
        rows: Rows in the order of the table.
        reference: Row that the others are compared with.
        cost_reference: Row that costs are relative to; by default the reference.
        seeds: Seeds of rows that name none.
        options: Changes of every row's config; those of the row itself win.
        validate: Whether to validate during training, as the configs say.
        significance: Metrics to test against the reference.
        profile: What a second picture shows.
        kinds: Kinds of labels (values of an attribute) that get columns; by default, all.
        further: Metrics that get a column each beside them, such as ``mAP_seen_human``.
    """

    name: str
    rows: tuple[Row, ...]
    reference: str = ''
    cost_reference: str = ''
    seeds: tuple[int, ...] = (0,)
    options: Mapping[str, Any] = field(default_factory=dict)
    validate: bool = False
    significance: tuple[str, ...] = (
        'mAP_seen',
        'mAP_unseen',
        'mAP_novel',
        'mAP_harmonic',
        'mAP',
    )
    profile: Profile | None = None
    kinds: tuple[str, ...] = ()
    further: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        if not names:
            raise ConfigError(f'suite {self.name} has no rows')
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f'suite {self.name}: two rows are named {name!r}; rename one')
        for name, what in [
            (self.reference, 'reference'),
            (self.cost_reference, 'cost_reference'),
            *((r.after, f'after of {r.name}') for r in self.rows),
            *((name, 'profile') for name in (self.profile.rows if self.profile else ())),
        ]:
            if name and name not in names:
                near = get_close_matches(name, names, 1)
                hint = f'; did you mean {near[0]}?' if near else ''
                raise ConfigError(f'suite {self.name}: {what} is {name!r}, which is no row{hint}')
        for row in self.rows:
            if row.after and self.row(row.after).after:
                raise ConfigError(
                    f'suite {self.name}: {row.name} comes after a row that does not train'
                )

    @property
    def cost_row(self) -> str:
        """Name of the row that costs are relative to."""
        return self.cost_reference or self.reference

    def row(self, name: str) -> Row:
        """The row of that name."""
        return next(row for row in self.rows if row.name == name)

    def select(self, names: Sequence[str] | None) -> Suite:
        """The suite with only these rows and those that they need; ``None`` takes all rows."""
        if names is None:
            return self
        known = [row.name for row in self.rows]
        for name in names:
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f'did you mean {near[0]}?' if near else f'there are {", ".join(known)}'
                raise ConfigError(f'--rows {name}: the suite has no such row; {hint}')
        wanted = {*names, *(self.row(name).after for name in names)}
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values['rows'] = tuple(row for row in self.rows if row.name in wanted)
        for key in ('reference', 'cost_reference'):
            if values[key] not in wanted:
                values[key] = ''
        values['profile'] = None  # it is of the whole suite
        return Suite(**values)


def load_suite(path: str) -> Suite:
    """Read a suite from a ``.py``, ``.json`` or ``.yml`` file.

    A Python file sets the attributes of :class:`Suite` as variables; a JSON or YAML file has them
    as keys. ``rows`` is a list of dicts with the attributes of :class:`Row`; the name of the suite
    is by default that of the file.
    """
    from ovmlv.utils.configs import load_config

    table = load_config(path).to_dict()
    table.pop('default_scope', None)
    table.setdefault('name', Path(path).stem)
    rows = table.pop('rows', None)
    if not isinstance(rows, (list, tuple)):
        raise ConfigError(f'{path} is no suite: it has no list `rows`')
    built = []
    for row in rows:
        row = dict(row)
        _refuse_unknown(row, Row, f'{path}: row {row.get("name")!r}')
        row['config'] = _find_config(row.get('config', ''), path, row.get('name'))
        for key in ('seeds', 'convert'):
            row[key] = tuple(row.get(key) or ())
        built.append(Row(**row))
    # Helper variables of a Python file are no mistake, misspelt attributes are.
    known = {f.name for f in fields(Suite)}
    for key in set(table) - known:
        near = get_close_matches(key, known, 1, cutoff=0.8)
        if near:
            raise ConfigError(f'{path}: a suite has no {key}; did you mean {near[0]}?')
    values = {key: value for key, value in table.items() if key in known}
    for key in ('seeds', 'significance', 'kinds', 'further'):
        if key in values:
            values[key] = tuple(values[key])
    if values.get('profile'):
        profile = dict(values['profile'])
        _refuse_unknown(profile, Profile, f'{path}: profile')
        values['profile'] = Profile(**profile | {'rows': tuple(profile['rows'])})
    return Suite(rows=tuple(built), **values)


def _refuse_unknown(table: Mapping, kind: type, where: str) -> None:
    known = [f.name for f in fields(kind)]
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f'did you mean {near[0]}?' if near else f'it takes {", ".join(known)}'
            raise ConfigError(f'{where} has an unknown key {key!r}; {hint}')
    for key in (f.name for f in fields(kind) if f.default is f.default_factory is MISSING):
        if not table.get(key):
            raise ConfigError(f'{where} has no {key}')


def _find_config(config: str, suite: str, row: str | None) -> str:
    for candidate in (Path(config), Path(suite).parent / config):
        if candidate.is_file():
            return str(candidate)
    raise FileNotFoundError(f'{suite}: row {row}: there is no config {config}; correct its path')

#!/usr/bin/env python
"""Make the drawings and words of Toybox from npm packages.

    npm install $(python tools/data/toybox/make_sprites.py --packages)
    pip install resvg-py wordfreq
    python tools/data/toybox/make_sprites.py --modules node_modules

A written rule decides what is taken, so that nobody chose a word by hand. A concept is an emoji of
the groups animals and nature, food and drink, travel and places, activities, or objects (without
clock faces and map signs) whose English CLDR name is a single word of lower-case letters, with a
Zipf frequency of at least 3.3 in English (the package wordfreq), that is drawn by the held-out
family's author and by at least two others.

The tool writes ``sprites.webp`` (a row for each family, a column for each concept) and
``concepts.json`` (names, keywords, names in other languages, families).
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
ASSETS = ROOT / 'ovmlv' / 'datasets' / 'toybox' / 'assets'
#: Family -> npm package and version, licence, author. The first is held out of all training.
FAMILIES = {
    'noto': ('@iconify-json/noto', '1.2.9', 'Apache-2.0', 'Google'),
    'twemoji': ('@iconify-json/twemoji', '1.2.5', 'CC-BY-4.0', 'Twitter and other contributors'),
    'fluent': ('@iconify-json/fluent-emoji-flat', '1.2.6', 'MIT', 'Microsoft Corporation'),
    'fxemoji': ('@iconify-json/fxemoji', '1.2.2', 'Apache-2.0', 'Mozilla'),
    'emojione': ('@iconify-json/emojione', '1.2.3', 'CC-BY-4.0', 'EmojiOne'),
    'fluent_shaded': ('@iconify-json/fluent-emoji', '1.2.7', 'MIT', 'Microsoft Corporation'),
    'streamline': ('@iconify-json/streamline-emojis', '1.2.4', 'CC-BY-4.0', 'Streamline'),
}
WORDS = {'emojibase-data': '17.0.0', 'cldr-annotations-full': '48.2.0'}
GROUPS = {'animals-nature', 'food-drink', 'travel-places', 'activities', 'objects'}
SUBGROUPS_LEFT_OUT = {'time', 'place-map'}
LANGUAGES = ('de', 'es', 'fr', 'zh')
SIZE = 56
MIN_ZIPF, MIN_AUTHORS = 3.3, 3


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding='utf-8'))


def candidates(modules: Path) -> list[dict[str, Any]]:
    """Concepts by the rule, before their drawings are looked for."""
    from wordfreq import zipf_frequency

    folder = modules / 'emojibase-data'
    names = read(folder / 'meta' / 'groups.json')
    words = {
        language: read(
            modules / 'cldr-annotations-full' / 'annotations' / language / 'annotations.json'
        )['annotations']['annotations']
        for language in ('en', *LANGUAGES)
    }
    found = []
    for entry in read(folder / 'en' / 'data.json'):
        group = names['groups'].get(str(entry.get('group')))
        subgroup = names['subgroups'].get(str(entry.get('subgroup')))
        if group not in GROUPS or subgroup in SUBGROUPS_LEFT_OUT:
            continue
        character = entry['emoji']
        plain = character.replace('\ufe0f', '')
        texts = {k: v.get(character) or v.get(plain) or {} for k, v in words.items()}
        name = entry['label'].lower()
        if not re.fullmatch('[a-z]+', name) or zipf_frequency(name, 'en') < MIN_ZIPF:
            continue
        keywords = {*(entry.get('tags') or ()), *texts['en'].get('default', ())}
        found.append(
            dict(
                name=name,
                hexcode=entry['hexcode'].upper(),
                subgroup=subgroup,
                keywords=sorted({k.lower() for k in keywords} - {name}),
                zipf=round(zipf_frequency(name, 'en'), 2),
                names={k: texts[k]['tts'][0] for k in LANGUAGES if texts[k].get('tts')},
            )
        )
    return sorted(found, key=lambda c: c['name'])


class Family:
    """The drawings of a package of iconify."""

    def __init__(self, modules: Path, package: str) -> None:
        self.data = read(modules / package / 'icons.json')
        characters = modules / package / 'chars.json'
        table = read(characters) if characters.is_file() else {}
        self.by_code = {code.upper(): name for code, name in table.items()}

    def svg(self, hexcode: str, name: str) -> str | None:
        """The drawing of an emoji, by its code or by its name."""
        icons, aliases = self.data['icons'], self.data.get('aliases', {})
        codes = (hexcode, hexcode.replace('-FE0F', ''))
        for key in (*(self.by_code.get(code) for code in codes), name):
            while key in aliases and key not in icons:
                key = aliases[key]['parent']
            if key in icons:
                icon = icons[key]
                box = [
                    icon.get(k, self.data.get(k, default))
                    for k, default in (('left', 0), ('top', 0), ('width', 16), ('height', 16))
                ]
                return (
                    '<svg xmlns="http://www.w3.org/2000/svg" '
                    'xmlns:xlink="http://www.w3.org/1999/xlink" '
                    f'width="{box[2]}" height="{box[3]}" viewBox="{" ".join(map(str, box))}">'
                    f'{icon["body"]}</svg>'
                )
        return None

    def sprite(self, hexcode: str, name: str) -> np.ndarray | None:
        """RGBA ``(SIZE, SIZE, 4)``, or None where the family does not draw it."""
        import resvg_py

        svg = self.svg(hexcode, name)
        if svg is None:
            return None
        data = resvg_py.svg_to_bytes(
            svg_string=svg, width=4 * SIZE, height=4 * SIZE, skip_system_fonts=True
        )
        picture = Image.open(io.BytesIO(bytes(data))).convert('RGBa')
        pixels = picture.resize((SIZE, SIZE), Image.Resampling.BOX).convert('RGBA')
        sprite = np.asarray(pixels)
        return sprite if sprite[..., 3].mean() >= 8 else None


def check_versions(modules: Path) -> None:
    """Stop unless the packages are those that NOTICE names."""
    wanted = {package: version for package, version, *_ in FAMILIES.values()} | WORDS
    for package, version in wanted.items():
        found = read(modules / package / 'package.json')['version']
        if found != version:
            sys.exit(f'{package} is {found} instead of {version}: npm install {package}@{version}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--modules', type=Path, default=Path('node_modules'))
    parser.add_argument('--out', type=Path, default=ASSETS)
    parser.add_argument(
        '--packages', action='store_true', help='print the packages for npm to install'
    )
    args = parser.parse_args()
    if args.packages:
        versions = {p: v for p, v, *_ in FAMILIES.values()} | WORDS
        print(' '.join(f'{package}@{version}' for package, version in versions.items()))
        return
    check_versions(args.modules)
    families = {name: Family(args.modules, row[0]) for name, row in FAMILIES.items()}
    concepts, sprites = [], []
    for concept in candidates(args.modules):
        drawn = {k: f.sprite(concept['hexcode'], concept['name']) for k, f in families.items()}
        have = [k for k, sprite in drawn.items() if sprite is not None]
        authors = {FAMILIES[k][3] for k in have}
        if len(authors) >= MIN_AUTHORS and next(iter(FAMILIES)) in have:
            concepts.append({**concept, 'families': have})
            empty = np.zeros((SIZE, SIZE, 4), np.uint8)
            sprites.append([empty if drawn[k] is None else drawn[k] for k in FAMILIES])
    table = np.asarray(sprites)  # (concepts, families, SIZE, SIZE, 4)
    # Thirty concepts side by side: WebP ends at 16,383 pixels.
    columns = 30
    rows = -(-len(table) // columns)
    padded = np.zeros((rows * columns, *table.shape[1:]), np.uint8)
    padded[: len(table)] = table
    sheet = padded.reshape(rows, columns, len(FAMILIES), SIZE, SIZE, 4)
    sheet = sheet.transpose(2, 0, 3, 1, 4, 5).reshape(-1, columns * SIZE, 4)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / 'sprites.webp'
    Image.fromarray(sheet, 'RGBA').save(path, quality=90, alpha_quality=100, method=6, exact=False)
    text = json.dumps(
        dict(size=SIZE, columns=columns, families=list(FAMILIES), concepts=concepts),
        ensure_ascii=False, indent=0,
    )  # fmt: skip
    (args.out / 'concepts.json').write_text(text + '\n', encoding='utf-8')
    print(f'{len(concepts)} concepts, {path.stat().st_size / 2**20:.1f} MB')


if __name__ == '__main__':
    main()

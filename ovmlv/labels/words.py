"""Words of labels and their stems, so that "running" and "runs" are recognised as one."""

from __future__ import annotations

import functools
import re
import unicodedata

# Forms of verbs and nouns that labels of videos use and that no rule finds.
_IRREGULAR_FORMS = """
be: am are been being is was were; begin: began begun; bend: bent; bite: bit bitten; blow: blew
blown; break: broke broken; bring: brought; build: built; buy: bought; catch: caught; choose:
chose chosen; come: came; cut: cutting; dig: dug; do: did does done; draw: drawn drew; drink:
drank drunk; drive: driven drove; eat: ate eaten; fall: fallen fell; feed: fed; feel: felt; fight:
fought; fly: flew flies flown; get: got gotten; give: gave given; go: goes gone went; grind:
ground; grow: grew grown; hang: hung; have: had has; hide: hid hidden; hold: held; kneel: knelt;
lay: laid; leave: left; lie: lain lying; light: lit; lose: lost; make: made; meet: met; pay: paid;
ride: ridden rode; ring: rang rung; rise: risen rose; run: ran; say: said; see: saw seen; sell:
sold; send: sent; sew: sewn; shake: shaken shook; shine: shone; shoot: shot; show: shown; shut:
shutting; sing: sang sung; sit: sat; sleep: slept; slide: slid; speak: spoke spoken; spin: spun;
stand: stood; steal: stole stolen; stick: stuck; strike: struck; sweep: swept; swim: swam swum;
swing: swung; take: taken took; teach: taught; tear: tore torn; tell: told; throw: threw thrown;
wake: woke woken; wear: wore worn; weave: wove woven; win: won; write: written wrote; child:
children; fish: fishes; foot: feet; goose: geese; man: men; mouse: mice; ox: oxen; person: people;
tooth: teeth; woman: women; knife: knives; leaf: leaves; shelf: shelves; wife: wives; tie: tied
ties tying; use: used uses using; die: died dies dying
"""
_IRREGULAR = {
    form: base.strip()
    for entry in ' '.join(_IRREGULAR_FORMS.split()).split(';')
    for base, forms in [entry.split(':')]
    for form in forms.split()
}
# "make", "write", "close": one vowel, one consonant, e.
_SHORT = re.compile('[^aeiou]*[aeiou][^aeiouwxy]e')
#: Words that tell no two labels apart.
STOP_WORDS = frozenset('a an the of some something someone somewhere is are and or s'.split())


def words_of(label: str) -> list[str]:
    """Words in lower case without signs.

    Examples:
        >>> words_of('HandstandPushups'), words_of("play_golf's")
        (['handstand', 'pushups'], ['play', 'golf'])
    """
    text = unicodedata.normalize('NFKC', label)
    text = re.sub(r'(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])', ' ', text)
    text = re.sub(r"['’`](s\b)?", '', text.casefold())
    return re.findall(r'[^\W_]+', text)


def label_key(label: str) -> tuple[str, ...]:
    """Stems of a label's words without articles, sorted: equal for inflections and word order.

    Examples:
        >>> label_key('riding a bicycle') == label_key('bicycle rides')
        True
    """
    words = words_of(label)
    stems = sorted(stem(word) for word in words if word not in STOP_WORDS)
    return tuple(stems or sorted(words))


@functools.lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The part that the forms of an English word share; in rare cases, another word's stem."""
    word = _IRREGULAR.get(word, word)
    if len(word) > 3:
        word = _without_s(word)
        word = _IRREGULAR.get(word, word)
    if word.endswith('ied') and len(word) > 4:
        return word[:-3] + 'y'
    for ending in ('ing', 'ed'):
        rest = word[: -len(ending)]
        ends = word.endswith(ending) and not word.endswith('eed')
        if ends and len(rest) > 2 and re.search('[aeiouy]', rest):
            if rest[-1] == rest[-2] and rest[-1] not in 'lsz':
                return rest[:-1]
            # A short verb without a doubled consonant has lost its e: "caring", but "barring".
            return f'{rest}e' if _SHORT.fullmatch(f'{rest}e') else rest
    return (
        word[:-1] if word.endswith('e') and len(word) > 3 and not _SHORT.fullmatch(word) else word
    )


def _without_s(word: str) -> str:
    """Singular of a noun, or base of a verb's third person."""
    if word.endswith('ies') and len(word) > 4:
        return word[:-3] + 'y'
    if re.search('(?:ss|x|ch|sh|zz|o)es$', word):
        return word[:-2]
    if re.search('[^suiy]s$', word) or re.search('[aeou]ys$', word):
        return word[:-1]
    return word

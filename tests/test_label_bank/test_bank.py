"""Banks against the model itself, brute force, and hands that cut and change files."""

import functools
import io
import json
import subprocess
import sys

import pytest
import torch

from ovmlv.apis import (
    LabelBank,
    LabelIndex,
    OVMLVInferencer,
    init_recognizer,
    open_model,
)
from ovmlv.datasets.motionshapes.world import COLORS, SHAPES
from ovmlv.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    DependencyError,
    VocabularyError,
)
from ovmlv.label_bank import bank as bank_module
from ovmlv.label_bank.files import LabelBlock
from ovmlv.label_bank.identity import EncoderIdentity

PAIRS = [f'{color} {shape}' for color in COLORS for shape in SHAPES]
HEADS = {
    'template': dict(type='TemplatePromptHead', templates=['a video of {}']),
    'other template': dict(type='TemplatePromptHead', templates=['{}']),
    'dual': dict(type='DualCoOpPromptHead'),
}


@pytest.fixture(scope='module')
def models(config_file):
    """A recognizer of each head; scorers with a bias that depends on the label."""
    found = {}
    for name, head in HEADS.items():
        clip = dict(model_name='motionshapes', pretrained='motionshapes')
        options = {'model.head': dict(_delete_=True, **head, **clip)}
        options['model.scorer'] = dict(type='SigmoidScorer', init_bias=-5.0, label_bias=True)
        found[name] = init_recognizer(config_file, device='cpu', cfg_options=options)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            bias = found[name].scorer.label_bias
            bias.copy_(torch.randn(bias.shape, generator=generator))
    return found


@pytest.fixture
def model(models):
    return models['template']


@pytest.fixture
def encoded(model, monkeypatch):
    """The labels that the head was asked to encode."""
    seen = []
    original = model.head.encode
    monkeypatch.setattr(
        model.head, 'encode', lambda labels: (seen.extend(labels), original(labels))[1]
    )
    return seen


def clips(num=2, views=1):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (num, views, 3, 4, 64, 64), generator=generator).byte()


def random_bank(model, num, chunk=16384):
    """Random unit vectors in place of encoded labels."""
    encoder = EncoderIdentity.of(model)
    generator = torch.Generator().manual_seed(2)
    blocks = []
    for start in range(0, num, chunk):
        vectors = torch.randn(min(chunk, num - start), encoder.embed_dim, generator=generator)
        labels = tuple(f'label {i}' for i in range(start, start + len(vectors)))
        blocks.append(LabelBlock(labels, torch.nn.functional.normalize(vectors, dim=-1)))
    return LabelBank(encoder, blocks)


@pytest.mark.parametrize('average', ['score', 'embedding', 'probability'])
@pytest.mark.parametrize('name', ['template', 'dual'])
def test_probabilities_are_those_of_predict_labels(models, name, average, tmp_path, monkeypatch):
    """With a bias of the label, several views, and embeddings that are no unit vectors."""
    model = models[name]
    monkeypatch.setattr(model, 'average_views', average)
    bank = LabelBank.build(model, PAIRS, tmp_path / 'bank', chunk_size=20)
    videos = clips(3, views=2)
    expected = model.predict_labels(videos, PAIRS)
    loaded = LabelBank.load(tmp_path / 'bank', model)
    assert loaded.labels == bank.labels == tuple(PAIRS)
    for each in (bank, loaded):
        torch.testing.assert_close(
            each.probabilities(model, videos), expected, atol=1e-6, rtol=1e-5
        )
    for scores, row in zip(loaded.top_k(model, videos, 7), expected, strict=True):
        assert [s.label for s in scores] == [PAIRS[i] for i in row.topk(7).indices]
    unit_length = torch.allclose(bank.embeddings().norm(dim=1), torch.ones(len(PAIRS)))
    assert unit_length == bank.encoder.unit_length == (name != 'dual')


def test_a_bank_tags_as_its_labels_do(model, videos):
    bank = LabelBank.build(model, PAIRS)
    tag = OVMLVInferencer(model)
    found, expected = (tag(videos['red circle'], x)[0] for x in (bank, PAIRS))
    assert found.labels == expected.labels
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-6)


def test_adding_encodes_what_is_new(model, encoded, tmp_path):
    """100 more labels in a bank of 10,000: 100 encodings."""
    bank = random_bank(model, 10000)
    bank.save(tmp_path)
    bank = LabelBank.load(tmp_path, model)
    new = [f'red thing {i}' for i in range(100)]
    assert bank.add(['label 7', *new, ' label 8 '], model) == tuple(new)
    assert encoded == new and len(bank) == 10100
    bank.save(tmp_path)
    again = LabelBank.load(tmp_path, model)
    torch.testing.assert_close(again.embeddings(new), model.encode_labels(new))
    assert torch.equal(
        again.embeddings(bank.labels[:10000]), random_bank(model, 10000).embeddings()
    )


def test_remove_and_merge(model, tmp_path):
    first = LabelBank.build(model, PAIRS[:30], tmp_path, chunk_size=8)
    second = LabelBank.build(model, PAIRS[20:50])
    first.merge(second)
    assert first.labels == tuple(PAIRS[:50])
    first.remove([PAIRS[3], PAIRS[40]])
    left = [v for v in PAIRS[:50] if v not in (PAIRS[3], PAIRS[40])]
    first.save(tmp_path)  # in place of the files that it is read from
    for bank in (first, LabelBank.load(tmp_path)):
        assert bank.labels == tuple(left) and PAIRS[3] not in bank
        torch.testing.assert_close(bank.embeddings(), model.encode_labels(left))
    with pytest.raises(VocabularyError, match='is not in the bank'):
        first.remove([PAIRS[0], PAIRS[3]])
    assert PAIRS[0] in first


def test_search_flags_other_forms(model):
    labels = ['a star spinning', 'the star spins', 'Star-Spinning', 'a red circle', 'green tree']
    bank = LabelBank.build(model, labels)
    (near,) = bank.search(['star spinning'], 5, model)
    vectors = model.encode_labels(['star spinning', *labels])
    cosines = dict(zip(labels, (vectors[1:] @ vectors[0]).tolist(), strict=True))
    assert [n.label for n in near] == sorted(labels, key=cosines.get, reverse=True)
    assert {n.label: n.similarity for n in near} == pytest.approx(cosines, abs=1e-5)
    kinds = {n.label: n.kind for n in near}
    assert kinds['a star spinning'] == kinds['the star spins'] == 'inflection'
    assert kinds['Star-Spinning'] == 'spelling' and kinds['green tree'] is None
    ((own,),) = bank.search(['green tree'], 1)  # of the bank: no model is needed
    assert own.label == 'green tree' and own.kind == 'same'
    assert own.similarity == pytest.approx(1)
    assert [(d.label, d.earlier) for d in bank.duplicates()] == [
        ('the star spins', 'a star spinning'),
        ('Star-Spinning', 'a star spinning'),
    ]
    with pytest.raises(VocabularyError, match="'crimson' is not in the bank; pass the model"):
        bank.search(['crimson'])


def test_a_killed_build_goes_on(model, tmp_path, monkeypatch):
    """Each finished chunk is kept, whatever half-written files a kill leaves."""
    original = model.encode_labels

    def fail(labels):
        if PAIRS[24] in labels:
            raise KeyboardInterrupt
        return original(labels)

    monkeypatch.setattr(model, 'encode_labels', fail)
    with pytest.raises(KeyboardInterrupt):
        LabelBank.build(model, PAIRS, tmp_path, chunk_size=8)
    monkeypatch.undo()
    (tmp_path / '.chunk-0.77.part').write_bytes(b'half')
    assert LabelBank.load(tmp_path, model).labels == tuple(PAIRS[:24])
    seen, head = [], model.head.encode
    monkeypatch.setattr(model.head, 'encode', lambda v: (seen.extend(v), head(v))[1])
    bank = LabelBank.build(model, PAIRS, tmp_path, chunk_size=8)
    assert seen == PAIRS[24:] and bank.labels == tuple(PAIRS)
    assert not list(tmp_path.glob('.*'))
    torch.testing.assert_close(bank.embeddings(), model.encode_labels(PAIRS))
    with pytest.raises(DataError, match="has a label bank with 'red"):
        LabelBank.build(model, ['dog'], tmp_path)


def test_foreign_banks_are_refused(models, tmp_path):
    bank = LabelBank.build(models['template'], PAIRS[:4], tmp_path / 'template')
    for name, message in [
        ('other template', r"templates?( was|\b).*'a video of \{\}'"),
        ('dual', 'encoder is a TemplatePromptHead, not a DualCoOpPromptHead'),
    ]:
        with pytest.raises(CheckpointError, match=message) as caught:
            LabelBank.load(tmp_path / 'template', models[name])
        assert '\n' not in str(caught.value)
        for use in (
            lambda m: bank.top_k(m, clips()),
            lambda m: bank.add(['x'], m),
            lambda m: bank.search(['x'], 1, m),
            lambda m: bank.merge(LabelBank.build(m, ['x'])),
        ):
            with pytest.raises(CheckpointError, match='another label encoder'):
                use(models[name])


def test_a_step_of_training_makes_another_encoder(models):
    """The smallest change of a trained weight; none of the scorer or by using the model."""
    model = models['dual']
    bank = LabelBank.build(model, PAIRS[:3])
    with torch.no_grad():
        model.scorer.bias += 1
    bank.check(model)
    weight = model.head.positive
    before = weight.data.clone()
    weight.data.view(-1)[0] = torch.nextafter(weight.data.view(-1)[0], torch.tensor(9.0))
    with pytest.raises(CheckpointError, match=r'weights \w{16}, not \w{16}'):
        bank.check(model)
    weight.data.copy_(before)
    bank.check(model)
    with torch.no_grad():
        model.scorer.bias -= 1


def _cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def _alter(path):
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ('harm', 'of', 'message'),
    [
        (_cut, 'chunk-*', r'has \d+ bytes instead of \d+, perhaps cut short'),
        (_alter, 'chunk-*', r'was altered \(its checksum differs\)'),
        (lambda p: p.unlink(), 'chunk-*', 'is missing; copy the whole folder'),
        (_cut, 'bank.json', 'perhaps cut short'),
        (
            lambda p: p.write_text(p.read_text().replace('a video of', 'the video of')),
            'bank.json',
            r'bank.json was altered \(its checksum differs\)',
        ),
        (lambda p: p.write_text('{}'), 'bank.json', 'no index of a label bank'),
    ],
)
def test_damaged_files_are_refused(model, tmp_path, harm, of, message):
    LabelBank.build(model, PAIRS[:9], tmp_path, chunk_size=4)
    harm(sorted(tmp_path.glob(of))[0])
    with pytest.raises(DataError, match=message) as caught:
        LabelBank.load(tmp_path, model)
    assert '\n' not in str(caught.value)


def test_no_bank(model, tmp_path):
    with pytest.raises(FileNotFoundError, match='no label bank in .*; make one by LabelBank.build'):
        LabelBank.load(tmp_path)
    with pytest.raises(VocabularyError, match='empty'):
        LabelBank.build(model, [])
    with pytest.raises(ConfigError, match='chunk_size=0'):
        LabelBank.build(model, ['a'], chunk_size=0)
    with pytest.raises(ValueError, match='k=0'):
        LabelBank.build(model, ['a']).top_k(model, clips(), 0)


def test_files_cannot_be_named_outside_the_folder(model, tmp_path):
    from ovmlv.label_bank.files import _checksum

    LabelBank.build(model, ['a'], tmp_path)
    content = json.loads((tmp_path / 'bank.json').read_text())
    del content['checksum']
    content['chunks'][0]['file'] = '../secret.safetensors'
    content['checksum'] = _checksum(content)
    (tmp_path / 'bank.json').write_text(json.dumps(content))
    with pytest.raises(DataError, match='outside its folder'):
        LabelBank.load(tmp_path)


MILLION = """
import sys
from ovmlv.apis import LabelBank, init_recognizer
from ovmlv.engine.hooks.step_cost_hook import peak_memory
import torch
config, folder, out = sys.argv[1:]
model = init_recognizer(config, device='cpu')
bank = LabelBank.load(folder, model)
generator = torch.Generator().manual_seed(1)
videos = torch.randint(0, 256, (32, 1, 3, 4, 64, 64), generator=generator).byte()
found = bank.top_k(model, videos, 20)
peak = peak_memory() * 2**20  # MiB
torch.save(dict(peak=peak, num=len(bank), views=model.encode_videos(videos),
                top=[[tuple(s) for s in row] for row in found]), out)
"""


@pytest.mark.slow
@pytest.mark.parametrize('count', [10_000, 1_000_000])
def test_a_million_labels(count, config_file, tmp_path):
    """Exact top 20 of 32 videos as by brute force, in less than 3 GB, by a process of its own."""
    model = init_recognizer(config_file, device='cpu')
    bank = random_bank(model, count)
    bank.save(tmp_path / 'bank')
    out = tmp_path / 'out.pt'
    command = [sys.executable, '-c', MILLION, str(config_file), str(tmp_path / 'bank'), str(out)]
    subprocess.run(command, check=True)
    found = torch.load(out)
    assert found['num'] == count and found['peak'] < 3e9
    everything = bank.embeddings()
    for video, row in zip(found['views'], found['top'], strict=True):
        scores = everything @ video
        best = scores.topk(20)
        assert [label for label, _ in row] == [f'label {i}' for i in best.indices]
        expected = model.scorer(best.values).sigmoid()
        assert [p for _, p in row] == pytest.approx(expected.tolist(), rel=1e-3)


def test_faiss_finds_nearly_all(model):
    pytest.importorskip('faiss')
    bank = random_bank(model, 6000)
    videos = clips(4)
    exact = bank.top_k(model, videos, 10)
    shares = []
    # The more cells are searched, the less is missed; random vectors are the hardest case.
    cells, default = LabelIndex(bank, 'IVF32,Flat', probes=1), LabelIndex(bank)
    for index, probes in [(cells, 1), (cells, 8), (cells, 32), (default, 0)]:
        if index is cells:
            index.index.nprobe = probes
        found = index.top_k(model, videos, 10)
        hits = 0
        for expected, row in zip(exact, found, strict=True):
            truth = dict(expected)
            hits += sum(label in truth for label, _ in row)
            for label, p in row:
                assert p == pytest.approx(truth.get(label, p), rel=1e-4)
        shares.append(hits / 40)
    assert 0 < shares[0] <= shares[1] <= shares[2] == shares[3] == 1
    index = LabelIndex(bank, 'Flat')
    bank.remove(['label 5'])
    with pytest.raises(ConfigError, match='changed since; index it again'):
        index.top_k(model, videos, 10)
    with pytest.raises(ConfigError, match="no index 'Nonsense'"):
        LabelIndex(bank, 'Nonsense')


def test_without_faiss(model, monkeypatch):
    monkeypatch.setitem(sys.modules, 'faiss', None)
    with pytest.raises(DependencyError, match='pip install faiss-cpu'):
        LabelIndex(random_bank(model, 10))


def test_the_bar_moves_within_a_chunk(monkeypatch):
    """FAULTS D17: it stood at 0 % until a chunk of 4,096 labels was done."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    shown = Terminal()
    shows_all = functools.partial(bank_module.tqdm, file=shown, mininterval=0)
    monkeypatch.setattr(bank_module, 'tqdm', shows_all)
    model = open_model('motionshapes', device='cpu')
    model.labels_per_pass = 2
    labels = [f'{color} circle' for color in COLORS][:8]
    LabelBank.build(model, labels, progress=True)
    assert all(f' {n}/8 ' in shown.getvalue() for n in (0, 2, 4, 6, 8)), shown.getvalue()

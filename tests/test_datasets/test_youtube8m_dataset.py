"""YouTube-8M: invented records and vocabularies in the official formats, and the real shards."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from ovmlv.datasets.youtube8m_dataset import read_vocabulary
from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import DATASETS, MODELS
from tests.test_datasets.reading import build, samples, short, write
from tests.test_datasets.test_formats.tf_records import example, frame, sequence_example

HEADER = (
    'Index,TrainVideoCount,KnowledgeGraphId,Name,WikiUrl,Vertical1,Vertical2,Vertical3,'
    'WikiDescription'
)
VOCABULARY = [
    HEADER,
    '2,900,/m/0a,Lighthouse,https://x/Lighthouse,Travel,Arts,,"Lamps, ""towers"" and more."',
    '0,800,/m/0b,"Acme, Inc.",,(Unknown),,,""',
    '3,700,/m/0c,,,(Unknown),,,',
    '1,600,/m/0d,Café,https://x/Caf%C3%A9,Food & Drink,,,Coffee.',
]
PIPELINE = [
    dict(type='LoadRecordFeatures', features=['rgb', 'audio']),
    dict(type='PackMultilabelInputs'),
]


def video_record(name: bytes, labels: list[int], seed: int) -> bytes:
    values = np.random.default_rng(seed).normal(size=6).astype(np.float32).tolist()
    features = dict(mean_audio=values[4:], labels=labels, mean_rgb=values[:4], id=[name])
    # The order changes from record to record.
    return example(**(features if seed % 2 else dict(reversed(features.items()))))


def frame_record(name: bytes, num_frames: int, num_audio: int | None = None, **context) -> bytes:
    rgb = [bytes([t, 255, 0, 7]) for t in range(num_frames)]
    audio = [bytes([t, 128]) for t in range(num_audio or num_frames)]
    return sequence_example(dict(rgb=rgb, audio=audio), id=[name], **context)


@pytest.fixture
def root(tmp_path):
    write(tmp_path / 'vocabulary.csv', *VOCABULARY)
    (tmp_path / 'video').mkdir()
    shards = [
        [video_record(b'a-_0', [2, 1], 1), video_record(b'07E4', [0], 2)],
        [video_record(b'zzzz', [3], 3)],
    ]
    for name, records in zip(('train00', 'train-1'), shards, strict=True):
        (tmp_path / 'video' / f'{name}.tfrecord').write_bytes(frame(*records))
    (tmp_path / 'frame').mkdir()
    rated = dict(
        labels=[2],
        segment_labels=[1, 1, 2, 0, 1],
        segment_start_times=[5, 0, 5, 10, 40],
        segment_scores=[1.0, 0.0, 0.0, 1.0, 1.0],
    )
    (tmp_path / 'frame' / 'validate0.tfrecord').write_bytes(
        frame(frame_record(b'segm', 12, 11, **rated), frame_record(b'none', 3, labels=[0, 1]))
    )
    return tmp_path


def test_video_level_records(root):
    dataset = build('YouTube8MDataset', root)
    assert dataset.metainfo['classes'] == ['Acme, Inc.', 'Café', 'Lighthouse']  # by Index
    assert dataset.metainfo['class_attributes'] == dict(
        vertical=['(Unknown)', 'Food & Drink', 'Travel']
    )
    assert [(s['video_id'], s['labels']) for s in samples(dataset)] == [
        ('zzzz', []),  # its only label has no name
        ('a-_0', ['Café', 'Lighthouse']),
        ('07E4', ['Acme, Inc.']),
    ]
    named = build('YouTube8MDataset', root, unnamed='id')
    assert named.metainfo['classes'][3] == '/m/0c' and samples(named)[0]['labels'] == ['/m/0c']
    one = build('YouTube8MDataset', root, ann_file='video/train-1.tfrecord')
    assert len(one) == 1 and one.statistics['records'] == 1


def test_vocabularies(tmp_path):
    full = read_vocabulary(str(write(tmp_path / 'vocabulary.csv', *VOCABULARY)))
    # Bare commas and quotes: no CSV.
    lines = ['label_id,label_name', '2,Lighthouse', '0,Acme, Inc.', '3,/m/0c', '1,Café']
    bare = read_vocabulary(str(write(tmp_path / 'label_names.csv', *lines, end='\r\n')))
    assert full.names == bare.names == {0: 'Acme, Inc.', 1: 'Café', 2: 'Lighthouse', 3: None}
    assert not full.partial and bare.verticals == {}
    lines = [
        'Index,KnowledgeGraphId,Name,PositiveSegmentCount,TotalSegmentCount',
        '54,/m/1,Toy "R" Us,1,2'.replace('Toy "R" Us', '"Toy ""R"" Us"'),
        '52,/m/2,Go,3,4',
    ]
    part = read_vocabulary(str(write(tmp_path / 'segment_vocabulary.csv', *lines)))
    assert part.partial and list(part.names.items()) == [(52, 'Go'), (54, 'Toy "R" Us')]
    with pytest.raises(DataError, match='vocabulary.csv:1: the header is'):
        read_vocabulary(str(write(tmp_path / 'vocabulary.csv', 'id,name', '0,a')))
    with pytest.raises(DataError, match='label_names.csv:3: 2 is no new index'):
        read_vocabulary(
            str(write(tmp_path / 'label_names.csv', 'label_id,label_name', '2,a', '2,b'))
        )


def test_features_are_the_record_s(root):
    dataset = build('YouTube8MDataset', root, pipeline=PIPELINE)
    batch = pseudo_collate([dataset[1], dataset[2]])
    assert [x.shape for x in batch['inputs']] == [(1, 6, 1, 1, 1)] * 2
    for i, seed in enumerate((1, 2)):
        values = np.random.default_rng(seed).normal(size=6).astype(np.float32)
        np.testing.assert_array_equal(batch['inputs'][i].flatten().numpy(), values)
    assert batch['data_samples'][0].gt_label.tolist() == [0, 1, 1]
    assert batch['data_samples'][0].video_id == 'a-_0'


def test_frames_are_dequantised_and_sampled(root):
    def load(**kwargs):
        pipeline = [dict(PIPELINE[0], **kwargs), PIPELINE[1]]
        dataset = build('YouTube8MDataset', root, ann_file='frame/*', pipeline=pipeline)
        return [dataset[i]['inputs'].numpy() for i in range(2)]

    def value(byte):
        """As the starter code writes it: ``feat_vector * scalar + bias``."""
        return byte * ((2.0 - -2.0) / 255.0) + ((2.0 - -2.0) / 512.0 + -2.0)

    first, second = load(num_frames=4)
    assert first.shape == second.shape == (1, 6, 4, 1, 1)
    # 11 of 12 frames, for the audio is shorter: the middles of four parts.
    np.testing.assert_allclose(first[0, 0, :, 0, 0], [value(t) for t in (1, 4, 6, 9)], rtol=1e-6)
    np.testing.assert_allclose(second[0, 0, :, 0, 0], [value(t) for t in (0, 1, 1, 2)], rtol=1e-6)
    np.testing.assert_allclose(
        first[0, 1:, 0, 0, 0], [value(b) for b in (255, 0, 7, 1, 128)], rtol=1e-6
    )
    assert value(255) == pytest.approx(2.0078125) and value(0) == -1.9921875
    mean, _ = load()
    assert mean.shape == (1, 6, 1, 1, 1)
    np.testing.assert_allclose(mean[0, 0, 0, 0, 0], value(5.0), rtol=1e-6)
    rgb, _ = load(features=['rgb'])
    np.testing.assert_allclose(rgb[0, 0, 0, 0, 0], value(5.5), rtol=1e-6)  # all 12 frames


def test_segments(root):
    dataset = build(
        'YouTube8MDataset', root, ann_file='frame/*.tfrecord', units='segment', pipeline=PIPELINE
    )
    found = [(s['video_id'], s['segment'], s['label'].tolist()) for s in samples(dataset)]
    assert found == [
        # Classes Acme, Café, Lighthouse: rated positive, rated negative, not rated.
        ('segm', (5.0, 10.0), [-1, 1, 0]),
        ('segm', (0.0, 5.0), [-1, 0, -1]),
        ('segm', (10.0, 15.0), [1, -1, -1]),
    ]
    assert dataset.statistics['segments_past_end'] == 1
    values = [dataset[i]['inputs'][0, 0, 0, 0, 0].item() for i in range(3)]
    bytes_ = [(v + 2 - 4 / 512) * 255 / 4 for v in values]
    np.testing.assert_allclose(bytes_, [7, 2, 10], rtol=1e-4)  # means of 5..9, 0..4, 10


def test_segment_vocabulary_leaves_other_labels_out(root):
    lines = ['Index,KnowledgeGraphId,Name,PositiveSegmentCount,TotalSegmentCount']
    write(root / 'segment_vocabulary.csv', *lines, '1,/m/0d,Café,3,4')
    dataset = build(
        'YouTube8MDataset', root, ann_file='frame/*', units='segment',
        class_file='segment_vocabulary.csv',
    )  # fmt: skip
    assert [s['label'].tolist() for s in samples(dataset)] == [[1], [0], [-1]]
    write(root / 'vocabulary.csv', *VOCABULARY[:2])
    with pytest.raises(DataError, match='label 3 is not in vocabulary.csv'):
        build('YouTube8MDataset', root)
    assert len(build('YouTube8MDataset', root, unlisted='drop')) == 3


def test_raw_videos_by_id(root, write_video, pipeline):
    write(root / 'ids.txt', 'i("a-_0","-0a_b-CdE1E");', 'zzzz, 00000000123')
    write_video(root / 'videos' / '-0a_b-CdE1E.mp4')
    dataset = build(
        'YouTube8MDataset', root, source='video', id_file='ids.txt', pipeline=pipeline,
        data_prefix=dict(video='videos'), test_mode=True,
    )  # fmt: skip
    assert short(dataset) == [('00000000123.mp4',), ('-0a_b-CdE1E.mp4', 'Café', 'Lighthouse')]
    assert dataset.statistics['without_youtube_id'] == 1
    assert dataset[1]['inputs'].shape == (1, 3, 4, 32, 32)
    own = build('YouTube8MDataset', root, source='video', file_format='{id}.webm')
    assert short(own)[2] == ('07E4.webm', 'Acme, Inc.')


@pytest.mark.parametrize(
    'line',
    [
        'nothing',
        'abc,dQw4w9WgXcQ',
        'abcd,short',
        'abcd dQw4w9WgXcQ more',
        'id,youtube',
        'i("abcd")',
    ],
)
def test_lines_of_ids_that_are_not_understood(root, line):
    """FAULTS D3: they were passed over, with the videos that they name."""
    write(root / 'ids.txt', 'zzzz,00000000123', line)
    with pytest.raises(DataError, match='ids.txt:2: .* is not "ABCD'):
        build('YouTube8MDataset', root, id_file='ids.txt')


def test_an_id_twice(root):
    write(root / 'ids.txt', 'zzzz,00000000123', 'i("zzzz","00000000123");i("zzzz","99999999123");')
    with pytest.raises(DataError, match='ids.txt:2: the record zzzz is 99999999123 here and 0000'):
        build('YouTube8MDataset', root, id_file='ids.txt')


def test_what_cannot_be(root):
    for kwargs in (dict(source='rgb'), dict(units='frame'), dict(unnamed='x')):
        with pytest.raises(ConfigError, match=next(iter(kwargs))):
            build('YouTube8MDataset', root, **kwargs)
    with pytest.raises(DataError, match='no shard .*test.*youtube8m/download'):
        build('YouTube8MDataset', root, ann_file='video/test*.tfrecord')
    with pytest.raises(DataError, match='class file .*nowhere.csv not found'):
        build('YouTube8MDataset', root, class_file='nowhere.csv')
    for content, words in (
        (b'\xff' * 20, 'no record of YouTube-8M'),
        (example(labels=[1]), 'no record of YouTube-8M .KeyError'),
        (example(id=[b'abcd'], labels=[24.7]), 'labels are no integers'),
        (example(id=[b'abcd'], labels=[b'24']), 'labels are no integers'),
        (example(id=[1]), 'no record of YouTube-8M'),
        (frame_record(b'abcd', 9, segment_labels=[1], segment_scores=[1.0]), 'differ in number'),
    ):
        (root / 'video' / 'bad.tfrecord').write_bytes(frame(content))
        with pytest.raises(DataError, match=f'bad.tfrecord: record at byte 0.*{words}'):
            build('YouTube8MDataset', root, ann_file='video/bad.tfrecord', units='segment')


@pytest.mark.parametrize(
    ('kwargs', 'ann_file', 'words'),
    [
        (dict(features=['mean']), 'video/train00.tfrecord', "no feature 'mean' or mean_mean among"),
        (dict(num_frames=0), 'video/train00.tfrecord', 'num_frames=0'),
        (dict(features='rgb'), 'video/train00.tfrecord', 'must be a list'),
    ],
)
def test_features_that_are_not_there(root, kwargs, ann_file, words):
    with pytest.raises((ConfigError, DataError), match=words):
        build('YouTube8MDataset', root, ann_file=ann_file, pipeline=[{**PIPELINE[0], **kwargs}])[0]


def test_a_head_learns_from_features(root):
    """Features -> recognizer -> loss and gradient, on a real label encoder."""
    dataset = DATASETS.build(dict(type='YouTube8MDataset', data_root=str(root), pipeline=PIPELINE))
    clip = dict(model_name='motionshapes', pretrained='motionshapes')
    config = dict(
        type='OpenVocabRecognizer',
        backbone=dict(type='FeatureBackbone', in_channels=6, embed_dim=128),
        head=dict(type='TemplatePromptHead', **clip),
        loss=dict(type='MultilabelBCELoss'),
    )
    model = MODELS.build(config).train()
    model.set_vocabulary(dataset.metainfo)
    batch = pseudo_collate([dataset[i] for i in range(3)])
    optimizer = torch.optim.Adam(model.backbone.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        data = model.data_preprocessor(batch, True)
        loss = model.loss(data['inputs'], data['data_samples'])['loss_cls']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    model.eval()
    data = model.data_preprocessor(batch, False)
    scores = torch.stack(
        [s.pred_score for s in model.predict(data['inputs'], data['data_samples'])]
    )
    targets = torch.stack([s.gt_label for s in batch['data_samples']])
    assert ((scores > 0.5) == targets.bool()).all()


@pytest.mark.parametrize('name', ['validate2L', 'validatezQ'])
def test_real_shards_equal_the_expected_values(shared, name):
    folder = shared / 'youtube8m'
    expected = json.loads((folder / 'video_level' / f'{name}.expected.json').read_text())
    lines = (folder / 'label_names_2018.csv').read_text(encoding='utf-8').split('\n')[1:-1]
    # One name begins with a blank.
    names = {int(i): n.strip() for i, n in (line.split(',', 1) for line in lines)}
    dataset = build(
        'YouTube8MDataset', folder, ann_file=f'video_level/{name}.tfrecord', unnamed='id',
        class_file='label_names_2018.csv', pipeline=[dict(type='LoadRecordFeatures')],
    )  # fmt: skip
    assert dataset.metainfo['classes'] == [names[i] for i in range(3862)]
    found = samples(dataset)
    assert len(found) == len(expected)
    for i, (sample, row) in enumerate(zip(found, expected, strict=True)):
        assert sample['video_id'] == row['id']
        assert sample['labels'] == [names[j] for j in sorted(row['labels'])]
        features = dataset[i]['imgs']
        assert features.shape == (1, 1024 + 128, 1, 1, 1) and features.dtype == np.float32
        np.testing.assert_allclose(features[0, :3, 0, 0, 0], row['mean_rgb_first3'], atol=6e-7)
        np.testing.assert_allclose(
            features[0, 1024:1027, 0, 0, 0], row['mean_audio_first3'], atol=6e-7
        )


def test_real_vocabularies(shared):
    folder = shared / 'youtube8m'
    bare = read_vocabulary(str(folder / 'label_names_2018.csv'), unnamed='id')
    assert list(bare.names) == list(range(3862))
    assert bare.names[271] == 'Nike, Inc.' and bare.names[2533] == 'Toys "R" Us'
    dropped = read_vocabulary(str(folder / 'label_names_2018.csv')).names
    assert sum(name is None for name in dropped.values()) == 56
    for file in ('vocabulary.csv', 'vocabulary_oddrows.csv'):
        rows = list(csv.DictReader((folder / file).open(encoding='utf-8', newline='')))
        full = read_vocabulary(str(folder / file), unnamed='id')
        assert len(rows) == len(full.names)
        for row in rows:
            name = row['Name'] or row['KnowledgeGraphId']
            assert full.names[int(row['Index'])] == name == bare.names[int(row['Index'])]
            assert full.verticals[name] == row['Vertical1']
    rows = list(csv.DictReader((folder / 'segment_vocabulary.csv').open(newline='')))
    part = read_vocabulary(str(folder / 'segment_vocabulary.csv'), unnamed='id')
    assert part.partial and len(part.names) == len(rows) == 1000
    for row in rows:
        assert part.names[int(row['Index'])] == (row['Name'] or row['KnowledgeGraphId'])


# --- what is remembered of a shard ----------------------------------------------------------------


def described(dataset) -> list:
    return [
        (s['video_id'], s.get('record'), s.get('segment'), s['label'].tolist())
        for s in samples(dataset)
    ]


@pytest.mark.parametrize(
    'kwargs', [dict(), dict(ann_file='frame/*.tfrecord', units='segment')], ids=['video', 'segment']
)
def test_a_shard_is_scanned_once(root, kwargs, monkeypatch):
    expected = described(build('YouTube8MDataset', root, **kwargs))
    assert described(build('YouTube8MDataset', root, scan_dir='scans', **kwargs)) == expected
    assert list((root / 'scans').glob('*.npz'))

    def refuse(*args):
        raise AssertionError('a shard was scanned again')

    monkeypatch.setattr('ovmlv.datasets.formats.youtube8m_shard.scan_records', refuse)
    again = build('YouTube8MDataset', root, scan_dir='scans', **kwargs)
    assert described(again) == expected
    for other in (dict(check_crc=False), dict(units='video' if kwargs else 'segment')):
        with pytest.raises(AssertionError, match='scanned again'):  # they read other things
            build('YouTube8MDataset', root, scan_dir='scans', **{**kwargs, **other})


def test_a_shard_that_changes_is_scanned_anew(root):
    before = described(build('YouTube8MDataset', root, scan_dir='scans'))
    shard = root / 'video' / 'train-1.tfrecord'
    shard.write_bytes(frame(video_record(b'zzzz', [2], 3)))  # as long as before
    after = described(build('YouTube8MDataset', root, scan_dir='scans'))
    assert after == described(build('YouTube8MDataset', root)) != before
    # Names of labels are looked up at each start: they may come from another file.
    write(root / 'other.csv', *VOCABULARY, '4,1,/m/0e,Zebra,https://x/Zebra,Animals,,,Striped.')
    other = build('YouTube8MDataset', root, scan_dir='scans', class_file='other.csv')
    assert other.metainfo['classes'] != build('YouTube8MDataset', root).metainfo['classes']


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 nothing', 'half'])
def test_a_damaged_memory_is_made_anew(root, content):
    expected = described(build('YouTube8MDataset', root, scan_dir='scans'))
    for kept in (root / 'scans').glob('*.npz'):
        whole = kept.read_bytes()
        kept.write_bytes(whole[: len(whole) // 2] if content == 'half' else content)
    assert described(build('YouTube8MDataset', root, scan_dir='scans')) == expected
    sizes = {kept.stat().st_size for kept in (root / 'scans').glob('*.npz')}
    assert min(sizes) > 500


def test_a_memory_runs_no_code(root):
    build('YouTube8MDataset', root, scan_dir='scans')
    for kept in (root / 'scans').glob('*.npz'):
        with open(kept, 'wb') as file:
            np.savez(file, offset=np.array([print], dtype=object))
    assert len(build('YouTube8MDataset', root, scan_dir='scans')) == 3


def test_a_place_that_cannot_be_written_stops_nothing(root, monkeypatch):
    (root / 'scans').write_text('a file in the place of a folder')
    said = []
    logger = SimpleNamespace(get_current_instance=lambda: SimpleNamespace(warning=said.append))
    monkeypatch.setattr('ovmlv.datasets.formats.youtube8m_shard.MMLogger', logger)
    expected = described(build('YouTube8MDataset', root))
    assert described(build('YouTube8MDataset', root, scan_dir='scans')) == expected
    assert len(said) == 1 and 'scans of shards are not remembered' in said[0]  # of two shards


def test_a_damaged_record_is_not_remembered(root):
    shard = root / 'video' / 'train00.tfrecord'
    content = bytearray(shard.read_bytes())
    content[20] ^= 1
    shard.write_bytes(bytes(content))
    for _ in range(2):
        with pytest.raises(DataError, match='train00.tfrecord: record at byte 0'):
            build('YouTube8MDataset', root, scan_dir='scans')

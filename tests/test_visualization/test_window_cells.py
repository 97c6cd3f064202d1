import numpy as np
import pytest

from ovmlv.apis import Window
from ovmlv.visualization.window_cells import cell_at, window_cells


@pytest.mark.parametrize(
    ('spans', 'expected'),
    [
        ([(0, 2)], [[0, 2]]),
        ([(0, 2), (1, 3), (2, 4)], [[0, 1.5], [1.5, 2.5], [2.5, 4]]),
        ([(0, 2), (2, 4), (4, 5)], [[0, 2], [2, 4], [4, 5]]),  # a shorter one at the end
        ([(0, 10), (10, 30), (50, 100)], [[0, 10], [10, 30], [50, 100]]),
        ([(0, 4), (3, 7), (3.5, 7.5)], [[0, 3.5], [3.5, 5.25], [5.25, 7.5]]),
    ],
)
def test_cells(spans, expected):
    assert window_cells([Window(*span) for span in spans]).tolist() == expected


def test_moments_belong_to_the_nearest_middle_of_equal_windows():
    """Against the definition, over windows of one length at any stride."""
    for stride in (0.3, 1.0, 1.9):
        windows = [Window(i * stride, i * stride + 2) for i in range(7)]
        cells = window_cells(windows)
        middles = np.array([(w.start + w.end) / 2 for w in windows])
        for time in np.linspace(0, windows[-1].end, 301):
            distance = np.abs(middles - time)
            assert distance[cell_at(cells, time)] == pytest.approx(distance.min(), abs=1e-9)


def test_between_cells_the_nearest_one_counts():
    cells = window_cells([Window(0, 1), Window(3, 4)])
    assert [cell_at(cells, t) for t in (-1, 0.5, 1.9, 2.1, 9)] == [0, 0, 0, 1, 1]

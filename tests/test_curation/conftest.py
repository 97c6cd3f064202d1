"""The folder of real sample data where there is one, as for the data sets."""

from tests.test_datasets.conftest import shared, videos, write_video  # noqa: F401

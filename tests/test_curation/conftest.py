"""The scope, and the folder of real sample data where there is one, as for the data sets."""

from tests.test_datasets.conftest import scope, shared  # noqa: F401

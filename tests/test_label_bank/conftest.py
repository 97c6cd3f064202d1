"""The shipped tiny CLIP as a zero-shot tagger, as for the inference API."""

from tests.test_apis.conftest import config_file, model, videos  # noqa: F401

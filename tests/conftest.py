"""Settings of all tests."""

from ovmlv.compat import apply

apply()  # before a test module imports torchvision, open_clip or transformers

"""torchmetrics imports torchvision, which needs the repairs first."""

from ovmlv.compat import apply

apply()

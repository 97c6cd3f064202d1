"""Models of ovmlv in benchmarks of embeddings (mteb and its video part, MVEB), and a task for them.

mteb is an extra: ``pip install "ovmlv[mteb]"``. Only the modules of the tasks import it.
"""

from .mteb_encoder import MTEBEncoder

__all__ = ['MTEBEncoder']

"""A hook for tests of the benchmark; configs reach it through custom_imports."""

import os
import time
from pathlib import Path

from mmengine.hooks import Hook

from ovmlv.registry import HOOKS


@HOOKS.register_module()
class PauseHook(Hook):
    """Stops at the step that PAUSE_AT names, after leaving a file ``paused`` in the work folder."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == int(os.environ.get('PAUSE_AT', -1)):
            (Path(runner.work_dir) / 'paused').touch()
            time.sleep(60)

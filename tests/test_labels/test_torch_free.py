"""Labels are read without torch: the command line and the runtime need it that way."""

import subprocess
import sys


def test_no_heavy_import():
    code = (
        'import sys, ovmlv.labels, ovmlv.labels.likeness, ovmlv.labels.words\n'
        'heavy = {"torch", "numpy", "mmengine", "mmcv", "open_clip"} & set(sys.modules)\n'
        'sys.exit(str(heavy) if heavy else 0)'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr

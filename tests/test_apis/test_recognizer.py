import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovmlv.apis import init_recognizer
from ovmlv.errors import CheckpointError, ConfigError


def test_a_checkpoint_is_loaded_strictly(model, config_file, tmp_path):
    saved = {k: v.clone() for k, v in model.state_dict().items()}
    saved['scorer.bias'] = torch.tensor(-3.25)
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=saved, meta={}), path)
    trained = init_recognizer(config_file, path, device='cpu')
    assert trained.scorer.bias.item() == -3.25
    assert not trained.training

    del saved['scorer.bias']
    torch.save(dict(state_dict=saved, meta={}), path)
    with pytest.raises(CheckpointError, match=r'epoch_1.pth does not fit .* scorer.bias'):
        init_recognizer(config_file, path, device='cpu')
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match='cannot be read as a checkpoint') as caught:
        init_recognizer(config_file, path, device='cpu')
    assert '\n' not in str(caught.value)


def test_options_change_the_config_and_not_the_callers(config_file):
    cfg = Config.fromfile(config_file)
    changed = init_recognizer(cfg, device='cpu', cfg_options={'model.scorer.init_bias': -7.0})
    assert changed.scorer.bias.item() == -7.0
    assert 'scorer' not in cfg.model
    assert changed.cfg.model.scorer.init_bias == -7.0


def test_the_callers_scope_stays(config_file):
    DefaultScope.get_instance('host', scope_name='mmengine')
    init_recognizer(config_file, device='cpu')
    assert DefaultScope.get_current_instance().scope_name == 'mmengine'


def test_mistakes_are_one_line(config_file, tmp_path):
    with pytest.raises(FileNotFoundError, match='there is no config nowhere.py'):
        init_recognizer('nowhere.py')
    with pytest.raises(FileNotFoundError, match='there is no checkpoint'):
        init_recognizer(config_file, tmp_path / 'none.pth')
    with pytest.raises(ConfigError, match="device='nonsense' cannot be used") as caught:
        init_recognizer(config_file, device='nonsense')
    assert '\n' not in str(caught.value)
    with pytest.raises(ConfigError, match='has no model'):
        init_recognizer(Config(dict(default_scope='ovmlv')))
    with pytest.raises(TypeError, match='config is dict'):
        init_recognizer(dict())
    with pytest.raises(ConfigError, match='no embeddings of labels'):
        init_recognizer(Config(dict(model=dict(type='ovmlv.MultilabelBCELoss'))), device='cpu')

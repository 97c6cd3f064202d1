"""Every method and every part of ours on Toybox, with its tiny CLIP.

    python tools/data/toybox/generate_videos.py
    python tools/benchmark.py benchmarks/toybox.py --jobs 2

The full method trains for some twenty minutes of one core. Where a step costs more there are fewer
of them, so that none takes much longer. What has nothing to train is tested once. Frames, and
tokens of frozen blocks, are kept on disk for all rows alike.
"""

reference = 'full'
cost_reference = 'without_temporal'  # labels alone are learnt
seeds = [0, 1, 2]
options = {'model.backbone.prefix_cache_dir': 'work_dirs/benchmark/tokens'}
significance = [
    'mAP_seen_action', 'mAP_unseen_entity', 'mAP_novel_entity', 'mAP_novel_action', 'mAP_unseen',
    'mAP_novel', 'mAP_harmonic', 'mAP_harmonic3', 'mAP',
]  # fmt: skip

kinds = ['entity', 'action']
further = [
    *(f'mAP_{split}_{group}' for group in ('human', 'motion', 'relation', 'pair')
      for split in ('seen', 'unseen', 'novel')),
    'mAP_novel_new',
]  # fmt: skip

profile = dict(
    title='Names of things, by how often the tiny CLIP read them',
    axis="times that its captions held the name's rarest word",
    metrics=dict(
        mAP_never_read='never', mAP_read_to_180='to 180', mAP_read_to_300='to 300',
        mAP_read_to_600='to 600', mAP_read_often='more',
    ),
    rows=['zero_shot', 'llm_neighbors', 'random_llm', 'full'],
)  # fmt: skip

_groups = {
    'not trained': [
        ('zero_shot', 'CLIP, one template', 'zeroshot'),
        ('zero_shot_ensemble', 'CLIP, ensemble of templates', 'baselines/zeroshot_ensemble'),
        ('llm_neighbors', 'CLIP, LLM neighbours', 'baselines/llm_neighbors'),
        (
            'llm_neighbors_random',
            'neighbours by a random LLM',
            'baselines/llm_neighbors',
        ),
    ],
    'other methods': [
        ('coop', 'CoOp', 'baselines/coop'),
        ('vifi_clip', 'ViFi-CLIP', 'baselines/vifi_clip'),
        ('xclip', 'X-CLIP', 'baselines/xclip'),
        ('open_vclip', 'Open-VCLIP', 'baselines/open_vclip'),
        ('froster', 'FROSTER-like distillation', 'baselines/froster'),
    ],
    'the method': [
        ('full', 'full method', 'ovmlv'),
        ('label_parts', 'full method, pairs by their parts', 'ovmlv'),
    ],
    'without its parts': [
        ('without_temporal', 'without temporal branch', 'ablations/without_temporal'),
        ('without_llm_template', 'template for the LLM', 'ablations/without_llm_template'),
        ('random_llm', 'random weights of the LLM', 'ablations/random_llm'),
        ('without_memory', 'without memory', 'ablations/without_memory'),
        (
            'without_knowledge_gate',
            'without knowledge gate',
            'ablations/without_knowledge_gate',
        ),
        ('without_state_adapter', 'without state adapter', 'ablations/without_state_adapter'),
        (
            'without_similarity_distill',
            'without distillation of similarities',
            'ablations/without_similarity_distill',
        ),
        (
            'without_ranking_distill',
            'without distillation of rankings',
            'ablations/without_ranking_distill',
        ),
        ('without_label_weight', 'without weights of labels', 'ablations/without_label_weight'),
    ],
    'closer to the paper': [
        (
            'parallel_attention',
            'temporal attention inside blocks',
            'ablations/parallel_attention',
        ),
        ('prefix_readout', 'prefixes for the LLM, no memory', 'ablations/prefix_readout'),
    ],
}

_changes = dict(
    llm_neighbors_random={'model.head.llm.random_weights': True},
    label_parts={'model.label_parts': 'data/toybox/annotations/parts.json'},
)
_after = dict(label_parts='full')  # the same weights, tested in another way

rows = [
    dict(
        name=name,
        title=title,
        group=group,
        config=f'configs/{path}_toybox.py',
        options=_changes.get(name, {}),
        after=_after.get(name, ''),
    )
    for group, members in _groups.items()
    for name, title, path in members
]

"""A frozen LLM of seven billion weights, spread over the GPUs of a machine (DeepSpeed ZeRO 3).

    pip install deepspeed
    bash tools/dist_train.sh configs/scaling/deepspeed_7b_charades.py 8

fully_shard_7b_charades.py does the same with torch alone and writes ordinary checkpoints.
"""

_base_ = ['../ovmlv_charades.py']

"""Let people correct labels in Label Studio, and take the result for training.

    ovmlv index tag --labels words.txt --output tags.jsonl
    ovmlv label-studio tasks tags.jsonl --out tasks.json --interface interface.xml
    ovmlv label-studio annotations export.json --out corrected.jsonl

The JSON lines of "ovmlv tag" will do as well.
"""

COMMANDS = {
    'tasks': 'make tasks with predictions out of tagged videos',
    'annotations': 'make an annotation file out of an export',
}

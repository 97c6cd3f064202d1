"""Encode videos once, and ask any labels later.

    ovmlv index add videos/ --model my_model          # what is new, changed or gone
    ovmlv index find "a dog jumping" --top 20
    ovmlv index find "a dog AND NOT indoors" --threshold 0.5 --format csv
    ovmlv index tag --labels new_words.txt --output tags.parquet
    ovmlv index labels videos/a.mp4 --labels "a dog" "a cat"
    ovmlv index similar videos/a.mp4
    ovmlv index status videos/

The index is the folder --index, or the environment variable OVMLV_INDEX, or ovmlv_index here.
"""

COMMANDS = {
    'add': 'encode new and changed videos, take out what is gone; goes on after a kill',
    'merge': 'take in what was encoded in parts (add --shard)',
    'status': 'say what the index holds, and what is new in folders',
    'verify': 'look for damage, and for files that are gone or changed',
    'remove': 'take videos out',
    'find': 'find the videos of which labels are most probable',
    'tag': 'write all labels for all videos',
    'labels': 'write the labels of one video',
    'similar': 'find the videos nearest to one',
    'duplicates': 'find videos that are nearly the same',
    'optimize': 'join small files; make an approximate index for many windows',
}

"""Keep labels that were encoded once, and tag with any number of them.

    ovmlv bank build words --model my_model --labels-file words.txt
    ovmlv bank add words --model my_model --labels "a red kite"
    ovmlv bank search words "flying a kite" --model my_model
    ovmlv bank info words --duplicates
    ovmlv tag videos/ --model my_model --bank words --top-k 10

A bank can be used with all models that have the label encoder that made it.
"""

COMMANDS = {
    'build': 'encode labels into a new bank; goes on with one that was interrupted',
    'add': 'encode those labels that are not in a bank',
    'remove': 'take labels out',
    'merge': 'take in the labels of other banks',
    'search': 'find the labels nearest to a text',
    'info': 'say what a bank holds',
}

"""Items of a thread: in order, ahead of their use, and no thread stays behind."""

import gc
import threading

import pytest

from ovmlv.utils.background import in_background


def threads():
    return [thread for thread in threading.enumerate() if thread.name == 'in_background']


def test_the_next_item_is_made_while_one_is_used():
    made = [threading.Event() for _ in range(5)]
    where = set()

    def items():
        for i, event in enumerate(made):
            where.add(threading.current_thread().name)
            event.set()
            yield i

    found = []
    for item in in_background(items(), room=1):
        if item + 1 < len(made):
            assert made[item + 1].wait(10), 'nothing is made ready before it is asked for'
        found.append(item)
    assert found == [0, 1, 2, 3, 4] and where == {'in_background'} and not threads()


def test_no_more_than_there_is_room_for():
    made, more = [], threading.Event()

    def items():
        for i in range(100):
            made.append(i)
            if i == 4:
                more.set()
            yield i

    running = in_background(items(), room=3)
    assert next(running) == 0
    assert more.wait(10)  # one is used, three are ready, one is to be put
    assert not threading.Event().wait(0.3) and len(made) == 5
    running.close()
    assert not threads() and len(made) == 5


def test_what_is_raised_comes_behind_the_items_before_it():
    def items():
        yield 1
        raise KeyError('the second')

    running = in_background(items(), room=4)
    assert next(running) == 1
    with pytest.raises(KeyError, match='the second'):
        next(running)
    assert not threads()


def test_an_iterator_that_is_let_go_leaves_no_thread():
    running = in_background(iter(int, 1), room=2)
    assert next(running) == 0 and threads()
    del running
    gc.collect()
    assert not threads()


def test_nothing():
    assert list(in_background([], room=1)) == []

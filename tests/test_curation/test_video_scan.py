"""Odd files are named for what they are; scans go on where they stopped."""

import json
from pathlib import Path

import pytest

from ovmlv.curation import scan_videos, video_scan
from ovmlv.curation.video_probe import ProbeTask, probe_video
from tests.test_datasets import odd_videos as odd

#: Real files -> kinds of their problems, and a word of each note.
REAL = {
    'decord_corrupted.mp4': (['damaged'], []),
    'decord_unordered.mov': (['too short'], []),
    'decord_video_90.mov': (['too short'], ['upright: 320x568']),
    'mediabunny_ac3_audio_only.mp4': (['no video'], []),
    'mediabunny_annex-b_truncated.mp4': (['truncated', 'damaged', 'too short'], ['variable']),
    'mediabunny_cursed-vfr.mp4': ([], ['variable frame rate: 63 frames in 8.73 s']),
    'mediabunny_frames_vp9.webm': ([], ['no number of frames']),
    'mmaction2_demo.mp4': ([], ['not square (64/51)']),
    'mmaction2_part_0.mp4': ([], ['variable', 'not square']),
    'mmaction2_test.avi': ([], ['order of decoding', 'go backwards 54 times']),
    'torchcodec_av1.mkv': ([], ['AV1', 'no number of frames']),
    'torchcodec_h265.mp4': ([], []),
    'torchcodec_nasa_13013.mp4': ([], ['2 video streams (0: 320x180, 3: 480x270); number 3']),
}


def probe(path, full=True, min_frames=1):
    facts = probe_video(ProbeTask(str(path), full, min_frames))
    return facts, [kind for kind, _ in facts['problems']]


def test_a_good_file(tmp_path):
    path = odd.write_video(tmp_path / 'a.mp4', 20)
    facts, problems = probe(path)
    assert problems == [] and facts['notes'] == []
    wanted = dict(frames=20, duration=2.0, rate=10.0, width=80, height=48, codec='h264')
    assert {key: facts[key] for key in wanted} == wanted
    copy = tmp_path / 'b.mp4'
    copy.write_bytes(path.read_bytes())
    assert probe(copy)[0]['digest'] == facts['digest'] == probe(path, full=False)[0]['digest']


@pytest.mark.parametrize('full', [True, False])
def test_what_is_wrong_is_named(full, tmp_path):
    (tmp_path / 'text.mp4').write_text('nothing')
    cases = {
        'missing': tmp_path / 'none.mp4',
        'unreadable': tmp_path / 'text.mp4',
        'no video': odd.write_sound(tmp_path / 'sound.mp4'),
        'truncated': odd.truncate(odd.write_noise(tmp_path / 'cut.mp4')),
        'damaged': odd.damage(odd.write_noise(tmp_path / 'bad.mp4'), share=0.75, length=0.24),
        'too short': odd.write_video(tmp_path / 'short.mp4', 3),
    }
    for kind, path in cases.items():
        facts, problems = probe(path, full, min_frames=4)
        assert kind in problems, facts
        assert all(detail for _, detail in facts['problems'])
    assert 'of 40 frames can be decoded' in str(probe(cases['damaged'])[0])


def test_notes(tmp_path):
    path = odd.write_video(tmp_path / 'a.mp4', 4, times=[0, 0.1, 0.2, 3], rate=1000)
    odd.set_matrix(path, 0, 1, -1, 0)
    notes = ' | '.join(probe(path)[0]['notes'])
    assert 'turned upright: 48x80 is shown' in notes
    assert 'variable frame rate: 4 frames' in notes


def test_scan_resumes_and_sees_changes(tmp_path, monkeypatch):
    paths = [str(odd.write_video(tmp_path / f'{i}.mp4', 4)) for i in range(3)]
    journal, asked, seen = tmp_path / 'out' / 'scan.jsonl', [], []

    def supervised(function, tasks, *settings):
        """In this process, and in another order."""
        for task in reversed(list(tasks)):
            asked.append(task.path)
            yield task, function(task)

    monkeypatch.setattr(video_scan, 'run_supervised', supervised)
    first = scan_videos(paths[:2], journal)
    assert list(first) == paths[:2] and asked == paths[1::-1]
    with journal.open('a') as file:
        file.write('{"stamp": [1')  # stopped while it wrote
    asked.clear()
    odd.write_video(paths[0], 5)
    found = scan_videos(paths, journal, progress=lambda *v: seen.append(v))
    assert asked == [paths[2], paths[0]] and seen == [(1, 3), (2, 3), (3, 3)]
    assert found[paths[0]]['frames'] == 5 and found[paths[1]] == first[paths[1]]
    asked.clear()
    again = scan_videos(paths, journal)
    assert again == found == json.loads(json.dumps(again))
    assert asked in ([], [paths[2]])  # the cut line has swallowed the one after it


def test_scan_in_processes(tmp_path):
    paths = [str(odd.write_video(tmp_path / 'a.mp4', 4)), str(tmp_path / 'none.mp4')]
    found = scan_videos(paths, num_workers=2)
    assert found[paths[0]]['problems'] == []
    assert found[paths[1]]['problems'] == [['missing', 'there is no such file']]


def test_real_odd_videos(shared):
    folder = shared / 'videos'
    names = [path for path in video_scan.list_videos(folder) if Path(path).name in REAL]
    if len(names) < len(REAL):
        pytest.skip(f'no odd videos in {folder}')
    for path, facts in scan_videos(names, min_frames=8, time_limit=60).items():
        kinds, words = REAL[Path(path).name]
        assert [kind for kind, _ in facts['problems']] == kinds, path
        assert len(facts['notes']) == len(words), path
        assert all(word in note for word, note in zip(words, facts['notes'])), facts['notes']

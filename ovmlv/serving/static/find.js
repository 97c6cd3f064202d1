'use strict';

/* Finding in the videos of an index. Names and labels are strangers' text: textContent alone. */
const Find = (() => {
  const FIRST = 60;
  const CHIPS = 6;
  const own = {
    status: null, wanted: null, answer: null, top: FIRST, asked: 0, picked: new Set(), playing: null,
    waiting: false,
  };
  const idOf = (hit) => `${hit.id} ${hit.number}`;
  const count = (n, what) => `${n.toLocaleString()} ${what}${n === 1 ? '' : 's'}`;
  const length = (seconds) => {
    if (seconds >= 7200) return count(Math.round(seconds / 3600), 'hour');
    return seconds >= 120 ? count(Math.round(seconds / 60), 'minute')
      : count(Math.round(seconds), 'second');
  };

  /* --- states ----------------------------------------------------------------------------- */

  function complain(message) {
    $('find-error').textContent = message || '';
    $('find-error').hidden = !message;
  }

  function busy(whether) {
    $('hits').setAttribute('aria-busy', String(whether));
    $('look').disabled = whether;
  }

  function tell(title, text, command) {
    $('find-empty-title').textContent = title;
    $('find-empty-text').textContent = text;
    $('find-empty-command').hidden = !command;
    $('find-empty-command').firstChild.textContent = command || '';
    $('find-empty').hidden = false;
    $('found').hidden = true;
  }

  function describe(index) {
    const { videos, windows, seconds, unread } = index;
    const bad = unread ? `, and ${count(unread, 'file')} that could not be read` : '';
    $('index-info').textContent = `${count(videos, 'video')}, ${length(seconds)}, in `
      + `${count(windows, 'part')}${bad}`;
    $('present-row').hidden = !index.calibrated;
    if (own.answer) return;
    if (!videos) nothingYet();
    else {
      tell(`Find in ${count(videos, 'video')}`, 'Each video was encoded once. Write any words: you '
        + 'see the parts of videos that show them, the most probable first. Click one to watch it '
        + 'from there.');
    }
  }

  function nothingYet() {
    tell('The index is empty', 'Add videos on the computer of the server. Your next question sees '
      + 'them; there is no need to load this page again.', 'ovmlv index add videos/ --index FOLDER');
  }

  async function open() {
    if (!own.status) return; // begin() will
    if (!own.status.index) {
      $('find').hidden = true;
      $('panel-find').classList.add('alone');
      tell('This server has no index', 'An index holds videos that were encoded once, so that any '
        + 'words can be found in them. Make one, and start the server with it:',
      'ovmlv index add videos/ --index FOLDER --model MODEL\novmlv serve --index FOLDER');
      return;
    }
    try {
      describe(await ask('api/index'));
    } catch (error) {
      complain(error.message);
    }
  }

  /* status: of the server; called once. */
  function begin(status) {
    own.status = status;
    const chips = status.default_labels.slice(0, CHIPS).map((label) => {
      const chip = document.createElement('button');
      chip.type = 'button';
      chip.className = 'second';
      chip.textContent = label;
      chip.addEventListener('click', () => look(quote(label)));
      return chip;
    });
    $('suggested').replaceChildren(...chips);
    $('suggested').hidden = !chips.length;
    if (!$('panel-find').hidden) open();
    if (own.waiting) look();
  }

  /* As the language of queries wants labels that have its own words or signs in them. */
  function quote(label) {
    return /[()]|\b(AND|OR|NOT)\b| {2}/.test(label) ? `"${label}"` : label;
  }

  /* --- asking ----------------------------------------------------------------------------- */

  const seconds = (id) => ($(id).value === '' ? null : Number($(id).value));

  async function look(words) {
    if (words !== undefined) $('query').value = words;
    if (!own.status) { own.waiting = true; return undefined; } // begin() asks then
    if (!own.status.index) return undefined;
    if (!$('query').value.trim()) {
      $('query').focus();
      return complain('Write what to look for.');
    }
    if (!$('after').validity.valid || !$('before').validity.valid) {
      return complain('Write seconds as a number, such as 12.5.');
    }
    const wanted = {
      query: $('query').value, per: $('per').value, within: $('within').value || null,
      after: seconds('after'), before: seconds('before'), present: $('present').checked,
    };
    window.history.replaceState(null, '', `#find=${encodeURIComponent(wanted.query)}`);
    own.picked.clear();
    own.top = FIRST;
    return send(wanted);
  }

  async function send(wanted) {
    own.asked += 1;
    const number = own.asked;
    complain('');
    busy(true);
    try {
      const answer = await ask('api/index/find', { ...wanted, top: own.top });
      if (number !== own.asked) return; // a later question was faster
      Object.assign(own, { wanted, answer });
      show();
    } catch (error) {
      if (number === own.asked) complain(error.message);
    } finally {
      if (number === own.asked) busy(false);
    }
  }

  function more() {
    own.top = Math.min(own.top * 3, own.status.limits.hits);
    send(own.wanted);
  }

  /* --- hits ------------------------------------------------------------------------------- */

  const shown = () => own.answer.hits.filter((hit) => hit.probability >= $('least').value / 100);

  function show() {
    const { hits, query, labels, videos, windows } = own.answer;
    $('comma').hidden = !labels.some((label) => label.includes(', '));
    $('index-info').textContent = `${count(videos, 'video')} in ${count(windows, 'part')}`;
    if (!videos) return nothingYet();
    if (!hits.length) {
      return tell('Nothing found', own.wanted.present ? 'No part reaches the thresholds of these '
        + 'labels, or fits the times and the folder.' : 'No part of a video fits these times and '
        + 'this folder.');
    }
    $('find-empty').hidden = true;
    $('found').hidden = false;
    $('found-title').textContent = query;
    $('hit-list').replaceChildren(...hits.map(card));
    mark();
    filter();
  }

  /* The threshold moves without a question to the server. */
  function filter() {
    const least = $('least').value / 100;
    $('least-shown').textContent = `${$('least').value} %`;
    const { hits } = own.answer;
    [...$('hit-list').children].forEach((item, i) => { item.hidden = hits[i].probability < least; });
    const visible = shown().length;
    const all = hits.length === Math.min(own.top, own.status.limits.hits);
    const what = own.wanted.per === 'video' ? 'video' : 'part';
    $('found-count').textContent = visible === hits.length
      ? `${all ? 'best ' : ''}${count(visible, what)}` : `${visible} of ${count(hits.length, what)}`;
    $('none-left').hidden = visible > 0;
    $('none-left').textContent = `None reaches ${$('least').value} %. The best has `
      + `${percent(hits[0].probability)}.`;
    const canGrow = all && own.top < own.status.limits.hits;
    $('hit-more').hidden = !(canGrow && visible === hits.length);
    choose();
  }

  function card(hit) {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'hit';
    button.title = hit.video;
    const frame = document.createElement('span');
    frame.className = 'frame';
    if (hit.picture) {
      const image = document.createElement('img');
      image.src = hit.picture;
      image.alt = '';
      image.loading = 'lazy';
      frame.append(image);
    }
    if (hit.start !== null) frame.append(text('time', Timeline.clock(hit.start)));
    const line = document.createElement('span');
    line.className = 'line';
    line.append(text('b', percent(hit.probability), 'number'), text('span', hit.name, 'name'));
    button.append(frame, bar(hit.probability), line);
    const labels = Object.entries(hit.labels);
    if (labels.length > 1) {
      const each = document.createElement('span');
      each.className = 'each';
      each.append(...labels.map(([label, p]) => text('span', `${label} ${percent(p)}`)));
      button.append(each);
    }
    button.addEventListener('click', () => watch(hit));
    item.append(button, picker(hit));
    return item;
  }

  function text(kind, content, name) {
    const node = document.createElement(kind);
    node.textContent = content;
    if (name) node.className = name;
    return node;
  }

  function bar(probability) {
    const track = document.createElement('span');
    track.className = 'track';
    const fill = document.createElement('i');
    fill.style.width = `${100 * probability}%`;
    track.append(fill);
    return track;
  }

  function picker(hit) {
    const label = document.createElement('label');
    label.className = 'pick';
    const box = document.createElement('input');
    box.type = 'checkbox';
    box.checked = own.picked.has(idOf(hit));
    const where = hit.start === null ? '' : ` at ${Timeline.clock(hit.start)}`;
    box.setAttribute('aria-label', `Select ${hit.name}${where}`);
    box.addEventListener('change', () => {
      if (box.checked) own.picked.add(idOf(hit));
      else own.picked.delete(idOf(hit));
      choose();
    });
    label.append(box);
    return label;
  }

  /* --- watching --------------------------------------------------------------------------- */

  function watch(hit) {
    own.playing = idOf(hit);
    mark();
    Player.play(hit);
  }

  function mark() {
    own.answer.hits.forEach((hit, i) => {
      const here = idOf(hit) === own.playing;
      $('hit-list').children[i].firstChild.setAttribute('aria-pressed', String(here));
    });
    neighbours();
  }

  function neighbours() {
    const hits = shown();
    const at = hits.findIndex((hit) => idOf(hit) === own.playing);
    $('watch-before').disabled = at < 1;
    $('watch-next').disabled = at < 0 || at === hits.length - 1;
  }

  function step(by) {
    const hits = shown();
    const at = hits.findIndex((hit) => idOf(hit) === own.playing);
    if (at >= 0 && hits[at + by]) watch(hits[at + by]);
  }

  /* Arrow keys go from card to card, as the eye does. */
  function move(event) {
    if (!event.target.classList.contains('hit')) return;
    const cards = [...$('hit-list').querySelectorAll('li:not([hidden]) .hit')];
    const top = (one) => one.getBoundingClientRect().top;
    const columns = Math.max(1, cards.filter((one) => top(one) === top(cards[0])).length);
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    const next = by && cards[cards.indexOf(event.target) + by];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  /* --- taking it away --------------------------------------------------------------------- */

  const chosen = () => {
    const visible = shown();
    const picked = visible.filter((hit) => own.picked.has(idOf(hit)));
    return picked.length ? picked : visible;
  };

  function choose() {
    const visible = shown();
    const picked = visible.filter((hit) => own.picked.has(idOf(hit))).length;
    $('pick-all').checked = picked > 0 && picked === visible.length;
    $('pick-all').indeterminate = picked > 0 && picked < visible.length;
    const whole = visible.length ? `all ${visible.length} shown` : 'none';
    $('picked-count').textContent = picked ? `${picked} selected` : whole;
    for (const id of ['hits-csv', 'hits-json', 'pick-all']) $(id).disabled = !visible.length;
    neighbours();
  }

  function pickAll() {
    for (const hit of shown()) {
      if ($('pick-all').checked) own.picked.add(idOf(hit));
      else own.picked.delete(idOf(hit));
    }
    own.answer.hits.forEach((hit, i) => {
      $('hit-list').children[i].querySelector('input').checked = own.picked.has(idOf(hit));
    });
    choose();
  }

  const nameOf = (ending) => {
    const words = own.answer.query.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '');
    return `${words.slice(0, 60) || 'hits'}.${ending}`;
  };

  $('find').addEventListener('submit', (event) => { event.preventDefault(); look(); });
  $('per').addEventListener('change', () => own.answer && look());
  $('present').addEventListener('change', () => own.answer && look());
  $('least').addEventListener('input', filter);
  $('hit-more').addEventListener('click', more);
  $('hit-list').addEventListener('keydown', move);
  $('watch-before').addEventListener('click', () => step(-1));
  $('watch-next').addEventListener('click', () => step(1));
  $('pick-all').addEventListener('change', pickAll);
  // Each hit has its lines as "ovmlv index find" writes them.
  $('hits-csv').addEventListener('click', () => save(
    ['query,video,start,end,probability\n', ...chosen().map((hit) => hit.csv)].join(''),
    'text/csv', nameOf('csv'),
  ));
  $('hits-json').addEventListener('click', () => save(
    chosen().map((hit) => hit.jsonl).join(''), 'application/jsonl', nameOf('jsonl'),
  ));
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !$('watch').hidden && !$('panel-find').hidden) Player.close();
  });
  Player.onClose(() => {
    own.playing = null;
    if (own.answer) mark();
  });

  return { begin, open, look, complain };
})();

'use strict';

const $ = (id) => document.getElementById(id);
const percent = (p) => {
  if (p < 0.001) return '< 0.1 %';
  return p > 0.999 ? '> 99.9 %' : `${(100 * p).toFixed(1)} %`;
};
const FEW = 25;
const state = { file: null, video: null, result: null, picked: null, limits: null, all: false };

/* --- asking the server ------------------------------------------------------------------- */

class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

function sentence(status, text) {
  try {
    const { code, message } = JSON.parse(text).error;
    return new Refused(code, message);
  } catch {
    return new Refused('unknown', `The server answered with status ${status}.`);
  }
}

const unreachable = () => new Refused('offline', 'The server cannot be reached. Is it still running?');

async function ask(address, body) {
  const options = body === undefined ? {} : {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  };
  const answer = await fetch(address, options).catch(() => { throw unreachable(); });
  const text = await answer.text();
  if (!answer.ok) throw sentence(answer.status, text);
  return JSON.parse(text);
}

/* fetch() tells nothing of how much was sent. */
function upload(file) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `api/videos?name=${encodeURIComponent(file.name.slice(-200))}`);
    request.upload.onprogress = (event) => {
      const share = event.lengthComputable ? event.loaded / event.total : 0;
      if (share < 1) doing(`Sending ${file.name} … ${Math.floor(100 * share)} %`, share);
    };
    request.upload.onload = () => doing('Looking at the video …');
    request.onload = () => (request.status === 201 ? resolve(JSON.parse(request.responseText))
      : reject(sentence(request.status, request.responseText)));
    request.onerror = () => reject(unreachable());
    request.send(file);
  });
}

/* --- what is shown while one waits -------------------------------------------------------- */

function doing(text, share) {
  $('progress').hidden = !text;
  $('doing').textContent = text || '';
  if (share === undefined) $('bar').removeAttribute('value');
  else $('bar').value = share;
  $('go').disabled = Boolean(text);
  $('results').setAttribute('aria-busy', String(Boolean(text)));
}

function complain(message) {
  $('error').textContent = message || '';
  $('error').hidden = !message;
}

async function waiting() {
  try {
    const { queue } = await ask('api/status');
    if (!$('progress').hidden && queue.videos > 1) {
      doing(`Looking at the video … ${queue.videos - 1} of other visitors in the queue`);
    }
  } catch { /* the upload will tell */ }
}

/* --- the file ----------------------------------------------------------------------------- */

const size = (bytes) => `${(bytes / 2 ** 20).toPrecision(bytes < 2 ** 20 * 10 ? 2 : 3)} MB`;

function choose(file) {
  if ($('go').disabled) return complain('Wait until this video is done.');
  complain('');
  $('file').value = ''; // so that the same one can be chosen again
  const most = state.limits && state.limits.upload_bytes;
  if (most && file.size > most) {
    return complain(`${file.name} has ${size(file.size)}; this server takes at most ${size(most)}.`);
  }
  if (!file.size) return complain(`${file.name} is empty.`);
  state.file = file;
  state.video = null;
  if ($('player').src) URL.revokeObjectURL($('player').src);
  $('player').hidden = false;
  $('player').src = URL.createObjectURL(file);
  $('filename').textContent = file.name;
  $('chosen').hidden = false;
  $('drop').hidden = true;
  clear();
}

/* Sample videos of the server, as buttons that show their first frame. */
function offer(names) {
  $('samples').hidden = !names.length;
  $('samples').replaceChildren(...names.map((name, number) => {
    const address = `api/samples/${number}`;
    const button = document.createElement('button');
    button.type = 'button';
    button.title = name;
    button.setAttribute('aria-label', `Take the sample ${name}`);
    const picture = document.createElement('video');
    Object.assign(picture, { src: address, muted: true, playsInline: true, preload: 'metadata' });
    picture.setAttribute('aria-hidden', 'true');
    button.append(picture);
    button.addEventListener('click', () => take(name, address));
    return button;
  }));
}

async function take(name, address) {
  try {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`The server does not give ${name}.`);
    choose(new File([await answer.blob()], name));
  } catch (error) {
    complain(error.message);
  }
}

/* Results of another video would stand beside this one. */
function clear() {
  for (const id of ['ranking', 'when', 'why']) $(id).hidden = true;
  $('empty').hidden = false;
}

function dropped(event) {
  event.preventDefault();
  $('drop').classList.remove('over');
  const [file] = event.dataTransfer.files;
  if (file) choose(file);
}

/* Back to the place for files, so that there is a way on after a broken one. */
function forget() {
  state.file = state.video = null;
  $('chosen').hidden = true;
  $('drop').hidden = false;
}

function seek(seconds) {
  const player = $('player');
  if (!player.hidden && player.src) player.currentTime = seconds;
}

/* --- labels ------------------------------------------------------------------------------- */

function labels() {
  const found = $('labels').value.split(/[\n,]/).map((label) => label.trim()).filter(Boolean);
  return [...new Set(found)];
}

function wanted() {
  const bank = $('bank').value;
  return bank ? { bank, top_k: 50 } : { labels: labels() };
}

async function submit(event) {
  event.preventDefault();
  if ($('go').disabled) return;
  complain('');
  const query = wanted();
  if (!state.file) return complain('Choose a video first.');
  if (query.labels && !query.labels.length) {
    $('labels').focus();
    return complain('Write at least one label.');
  }
  let timer;
  try {
    for (let again = false; ; again = true) {
      if (!state.video) {
        doing(`Sending ${state.file.name} …`, 0);
        timer = setInterval(waiting, 2000);
        state.video = await upload(state.file);
        clearInterval(timer);
      }
      doing('Comparing with the labels …');
      try {
        show(await ask(`api/videos/${state.video.id}/tags`, query));
        break;
      } catch (error) {
        if (error.code !== 'unknown_video' || again) throw error;
        state.video = null; // kept no longer: send it once more
      }
    }
  } catch (error) {
    complain(error.message);
    if (/unsupported_format|unreadable_video|video_too_long|frame_too_large|file_too_large/
      .test(error.code)) forget();
  } finally {
    clearInterval(timer);
    doing('');
  }
}

/* --- the result --------------------------------------------------------------------------- */

function show(result) {
  state.result = result;
  state.all = false;
  const known = result.tags.some((tag) => tag.label === state.picked);
  if (!known) state.picked = result.tags[0].label;
  $('empty').hidden = true;
  $('ranking').hidden = false;
  $('ownrow').hidden = result.tags.every((tag) => tag.threshold === null);
  $('when').hidden = result.windows.length < 2;
  $('copied').textContent = '';
  rank();
  pick(state.picked);
}

function limitOf(tag) {
  const own = !$('ownrow').hidden && $('own').checked;
  return own && tag.threshold !== null ? tag.threshold : $('threshold').value / 100;
}

function rank() {
  const { tags, num_labels: total } = state.result;
  const own = !$('ownrow').hidden && $('own').checked;
  $('threshold').disabled = own;
  $('shown').textContent = own ? 'own' : `${$('threshold').value} %`;
  $('list').replaceChildren(...tags.slice(0, state.all ? tags.length : FEW).map(row));
  $('more').hidden = state.all || tags.length <= FEW;
  $('more').textContent = `Show all ${tags.length}`;
  const present = tags.filter((tag) => tag.probability >= limitOf(tag)).length;
  const best = total > tags.length ? ` (of ${total})` : '';
  $('count').textContent = `${present} of ${tags.length} present${best}`;
}

function row(tag) {
  const item = document.createElement('li');
  const button = document.createElement('button');
  button.type = 'button';
  button.setAttribute('aria-pressed', String(tag.label === state.picked));
  const present = tag.probability >= limitOf(tag);
  button.className = present ? 'present' : 'below';
  const name = document.createElement('span');
  name.className = 'name';
  name.textContent = tag.label;
  const track = document.createElement('span');
  track.className = 'track';
  const fill = document.createElement('i');
  fill.style.width = `${100 * tag.probability}%`;
  track.append(fill);
  const number = document.createElement('span');
  number.className = 'number';
  number.textContent = percent(tag.probability);
  button.append(name, track, number);
  button.title = 'Show the frames that speak for it';
  button.addEventListener('click', () => pick(tag.label));
  item.append(button);
  return item;
}

async function pick(label) {
  state.picked = label;
  for (const button of $('list').querySelectorAll('button')) {
    const here = button.querySelector('.name').textContent === label;
    button.setAttribute('aria-pressed', String(here));
  }
  if (!$('when').hidden) {
    Timeline.draw($('timeline'), state.result, label, (seconds, name) => {
      if (seconds !== null) seek(seconds);
      if (name !== state.picked) pick(name);
    });
  }
  const { id } = state.result;
  try {
    const { frames } = await ask(`api/videos/${id}/frames?label=${encodeURIComponent(label)}&count=6`);
    if (state.picked !== label || state.result.id !== id) return; // another click was faster
    $('why-title').textContent = `Frames that speak for “${label}”`;
    $('frames').replaceChildren(...frames.map(picture));
    $('why').hidden = false;
  } catch (error) {
    if (state.picked === label) $('why').hidden = true;
    if (error.code !== 'unknown_video') complain(error.message);
  }
}

function picture(frame) {
  const button = document.createElement('button');
  button.type = 'button';
  const image = document.createElement('img');
  image.src = frame.picture;
  image.alt = `Frame at ${Timeline.clock(frame.time)}`;
  const text = document.createElement('span');
  const time = document.createElement('time');
  time.textContent = Timeline.clock(frame.time);
  text.append(time, percent(frame.probability));
  button.append(image, text);
  button.addEventListener('click', () => seek(frame.time));
  return button;
}

/* --- taking it away ----------------------------------------------------------------------- */

function asJson() {
  const { name, duration, tags, windows } = state.result;
  return JSON.stringify({ video: name, duration, labels: tags, windows }, null, 1);
}

function asCsv() {
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"`
    : String(value));
  const { tags, windows } = state.result;
  const times = windows.map((w) => `${w.start}-${w.end} s`);
  const rows = [['label', 'probability', ...times],
    ...tags.map((tag) => [tag.label, tag.probability, ...tag.timeline])];
  return rows.map((values) => values.map(cell).join(',')).join('\r\n') + '\r\n';
}

function save(text, kind, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const fileOf = (ending) => `${state.result.name.replace(/\.[^.]*$/, '')}-labels.${ending}`;

async function copy() {
  try {
    await navigator.clipboard.writeText(asJson());
    $('copied').textContent = 'Copied.';
  } catch {
    $('copied').textContent = 'Your browser did not allow it.';
  }
}

/* --- start -------------------------------------------------------------------------------- */

async function start() {
  $('ask').addEventListener('submit', submit);
  $('file').addEventListener('change', () => $('file').files[0] && choose($('file').files[0]));
  for (const kind of ['dragenter', 'dragover']) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      $('drop').classList.add('over');
    });
  }
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) $('drop').classList.remove('over');
  });
  document.addEventListener('drop', dropped);
  $('player').addEventListener('error', () => { $('player').hidden = true; });
  $('labels').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) $('ask').requestSubmit();
  });
  $('another').addEventListener('click', () => $('file').click());
  $('bank').addEventListener('change', () => { $('labelrow').hidden = $('bank').value !== ''; });
  $('threshold').addEventListener('input', rank);
  $('own').addEventListener('change', rank);
  $('more').addEventListener('click', () => { state.all = true; rank(); });
  $('copy').addEventListener('click', copy);
  $('json').addEventListener('click', () => save(asJson(), 'application/json', fileOf('json')));
  $('csv').addEventListener('click', () => save(asCsv(), 'text/csv', fileOf('csv')));
  try {
    const status = await ask('api/status');
    state.limits = status.limits;
    $('model').textContent = status.model;
    const most = status.limits.duration;
    $('allowed').textContent = `up to ${size(status.limits.upload_bytes)} and `
      + `${most < 120 ? `${most} seconds` : `${Math.round(most / 60)} minutes`}`;
    if (!$('labels').value) $('labels').value = status.default_labels.slice(0, 100).join('\n');
    const choices = [['', 'the box below'],
      ...status.banks.map(({ name, labels: n }) => [name, `${name} (${n.toLocaleString()} labels)`])];
    $('bank').replaceChildren(...choices.map(([value, text]) => new Option(text, value)));
    $('bankrow').hidden = choices.length === 1;
    offer(status.samples);
    Find.begin(status);
  } catch (error) {
    complain(error.message);
    Find.complain(error.message);
  }
}

// When the other scripts are there.
document.addEventListener('DOMContentLoaded', start);
